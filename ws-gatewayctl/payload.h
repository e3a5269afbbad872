/* What a message carries, from an argument or from standard input. */
#ifndef PAYLOAD_H
#define PAYLOAD_H

#include <stddef.h>

struct payload {
	char	*data;
	size_t	 len;		/* 0: null */
};

/* ARG is NULL when there was none.  Ends the program when it can't be had. */
void	payload_read(struct payload *, const char *arg);

#endif /* PAYLOAD_H */
