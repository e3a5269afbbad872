/* Texts without a format string. */
#include <string.h>

#include "log.h"
#include "text.h"

#define MAXDIGITS	20		/* of a uint64_t */

void
text_bytes(struct text *t, const void *p, size_t n)
{
	if (n > t->size - t->len)
		fatalx("a text over %zu bytes", t->size);
	memcpy(t->buf + t->len, p, n);
	t->len += n;
}

void
text_put(struct text *t, const char *s)
{
	text_bytes(t, s, strlen(s));
}

void
text_uint(struct text *t, uint64_t n)
{
	char	 digits[MAXDIGITS];
	size_t	 i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + n % 10);
	} while ((n /= 10) > 0);
	text_bytes(t, digits + i, sizeof(digits) - i);
}
