/*
 * Short texts put together in a buffer of the caller's; each piece must fit, or
 * it is a mistake of ours and fatal.  No NUL is added.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "log.h"

struct text {
	char	*buf;
	size_t	 size;
	size_t	 len;
};

static inline void
text_bytes(struct text *t, const void *p, size_t n)
{
	if (n > t->size - t->len)
		fatalx("a text over %zu bytes", t->size);
	memcpy(t->buf + t->len, p, n);
	t->len += n;
}

/* Inline, since the compiler knows how long most texts are. */
static inline void
text_put(struct text *t, const char *s)
{
	text_bytes(t, s, strlen(s));
}

void	text_uint(struct text *, uint64_t);	/* in decimal */

#endif /* TEXT_H */
