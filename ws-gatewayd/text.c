/* Numbers for texts without a format string. */
#include "text.h"

#define MAXDIGITS	20		/* of a uint64_t */

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
