/*
 * Short texts put together in a buffer of the caller's; each piece must fit, or
 * it is a mistake of ours and fatal.  No NUL is added.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
	char	*buf;
	size_t	 size;
	size_t	 len;
};

void	text_bytes(struct text *, const void *, size_t);
void	text_put(struct text *, const char *);
void	text_uint(struct text *, uint64_t);

#endif /* TEXT_H */
