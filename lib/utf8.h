/*
 * UTF-8 (RFC 3629), checked incrementally: no overlong forms, no surrogates,
 * nothing over U+10FFFF.
 */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_START	0		/* between two characters */

/*
 * Feed bytes to a decoder whose state starts as UTF8_START.  Returns 0, or -1
 * at the first byte that no valid text can have there.  The text is whole when
 * the state is UTF8_START again.
 */
int	utf8_feed(uint32_t *state, const uint8_t *, size_t);

/* Whether the bytes are valid and whole UTF-8. */
int	utf8_ok(const void *, size_t);

#endif /* UTF8_H */
