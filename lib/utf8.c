/*
 * UTF-8 as a decoder that remembers, between two bytes, only which range the
 * next byte must be in and how many follow it.  All that RFC 3629 forbids is
 * forbidden by the range of the second byte.
 */
#include <stddef.h>
#include <stdint.h>

#include "utf8.h"
#include "word.h"

#define NEXT(lo, hi, more)	((uint32_t)(more) << 16 | (lo) << 8 | (hi))
#define LOW(state)		((state) >> 8 & 0xff)
#define HIGH(state)		((state) & 0xff)
#define MORE(state)		((state) >> 16)

#define REFUSED			NEXT(0xff, 0x00, 0)	/* no byte fits */

static uint32_t
lead(uint8_t c)
{
	if (c < 0x80)
		return (UTF8_START);
	if (c < 0xc2 || c > 0xf4)
		return (REFUSED);
	if (c < 0xe0)
		return (NEXT(0x80, 0xbf, 0));
	switch (c) {
	case 0xe0:
		return (NEXT(0xa0, 0xbf, 1));
	case 0xed:
		return (NEXT(0x80, 0x9f, 1));
	case 0xf0:
		return (NEXT(0x90, 0xbf, 2));
	case 0xf4:
		return (NEXT(0x80, 0x8f, 2));
	default:
		return (NEXT(0x80, 0xbf, c < 0xf0 ? 1 : 2));
	}
}

/* The length of the ASCII at the start. */
static size_t
ascii(const uint8_t *s, size_t len)
{
	uint64_t	 word;
	size_t		 i = 0;

	while (len - i >= sizeof(word)) {
		word = word_load(s + i);
		if ((word & WORD_TOPS) != 0)
			return (i + word_first(word & WORD_TOPS));
		i += sizeof(word);
	}
	while (i < len && s[i] < 0x80)
		i++;
	return (i);
}

int
utf8_feed(uint32_t *state, const uint8_t *s, size_t len)
{
	uint32_t	 now = *state;
	size_t		 i = 0;

	while (i < len) {
		if (now == UTF8_START) {
			if (s[i] < 0x80) {
				i += ascii(s + i, len - i);
				continue;
			}
			now = lead(s[i++]);
			if (now == REFUSED)
				break;
			continue;
		}
		if (s[i] < LOW(now) || s[i] > HIGH(now)) {
			now = REFUSED;
			break;
		}
		now = MORE(now) == 0 ? UTF8_START :
		    NEXT(0x80, 0xbf, MORE(now) - 1);
		i++;
	}
	*state = now;
	return (now == REFUSED ? -1 : 0);
}

int
utf8_ok(const void *s, size_t len)
{
	uint32_t	 state = UTF8_START;

	return (utf8_feed(&state, s, len) == 0 && state == UTF8_START);
}
