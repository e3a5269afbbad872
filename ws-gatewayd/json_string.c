/*
 * JSON strings from the inside: escapes to UTF-8, and bytes of any kind to a
 * string that every reader takes.  Output is counted on past its buffer's end,
 * as snprintf does it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "utf8.h"

#define REPLACEMENT	0xfffd

struct out {
	char	*buf;
	size_t	 size;
	size_t	 len;			/* may be more than size */
};

static void
put(struct out *o, const char *s, size_t len)
{
	size_t	 room = o->len < o->size ? o->size - o->len : 0;

	if (room > len)
		room = len;
	if (room > 0)
		memcpy(o->buf + o->len, s, room);
	o->len += len;
}

static void
put_char(struct out *o, uint32_t c)
{
	char	 s[4];
	size_t	 n = 0;

	if (c < 0x80)
		s[n++] = (char)c;
	else if (c < 0x800)
		s[n++] = (char)(0xc0 | c >> 6);
	else if (c < 0x10000) {
		s[n++] = (char)(0xe0 | c >> 12);
		s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	} else {
		s[n++] = (char)(0xf0 | c >> 18);
		s[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	}
	if (c >= 0x80)
		s[n++] = (char)(0x80 | (c & 0x3f));
	put(o, s, n);
}

static uint32_t
hex(char c)
{
	if (c >= '0' && c <= '9')
		return ((uint32_t)(c - '0'));
	return ((uint32_t)((c | 0x20) - 'a' + 10));
}

static uint32_t
unit(const char *digits)
{
	return (hex(digits[0]) << 12 | hex(digits[1]) << 8 |
	    hex(digits[2]) << 4 | hex(digits[3]));
}

static uint32_t
short_escape(char c)
{
	switch (c) {
	case 'b':
		return ('\b');
	case 'f':
		return ('\f');
	case 'n':
		return ('\n');
	case 'r':
		return ('\r');
	case 't':
		return ('\t');
	default:
		return ((uint8_t)c);
	}
}

/*
 * Decode the escape at *P.  The string was scanned, so that its closing quote
 * stops every look ahead.  Half of a surrogate pair is no character.
 */
static uint32_t
unescape(const char **p)
{
	uint32_t	 c, low;

	if ((*p)[1] != 'u') {
		c = short_escape((*p)[1]);
		*p += 2;
		return (c);
	}
	c = unit(*p + 2);
	*p += 6;
	if (c < 0xd800 || c > 0xdfff)
		return (c);
	if (c > 0xdbff || (*p)[0] != '\\' || (*p)[1] != 'u')
		return (REPLACEMENT);
	low = unit(*p + 2);
	if (low < 0xdc00 || low > 0xdfff)
		return (REPLACEMENT);
	*p += 6;
	return (0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00)));
}

size_t
json_decode(const struct json_value *v, char *buf, size_t size)
{
	struct out	 o = { buf, size, 0 };
	const char	*p = v->raw + 1, *end = v->raw + v->len - 1;
	const char	*stop;

	while (p < end) {
		stop = memchr(p, '\\', (size_t)(end - p));
		if (stop == NULL)
			stop = end;
		put(&o, p, (size_t)(stop - p));
		p = stop;
		if (p < end)
			put_char(&o, unescape(&p));
	}
	return (o.len);
}

static uint32_t
lower(uint32_t c)
{
	return (c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

int
json_is(const struct json_value *v, const char *word)
{
	const char	*p = v->raw + 1, *end = v->raw + v->len - 1;
	uint32_t	 c;

	/* Nearly always it is written as the word is. */
	if ((size_t)(end - p) == strlen(word) &&
	    memcmp(p, word, (size_t)(end - p)) == 0)
		return (1);
	for (; p < end; word++) {
		c = *p == '\\' ? unescape(&p) : (uint8_t)*p++;
		/* An escaped NUL is a character; the word's NUL is its end. */
		if (*word == '\0' || lower(c) != lower((uint8_t)*word))
			return (0);
	}
	return (*word == '\0');
}

static void
put_escape(struct out *o, uint8_t c)
{
	static const char	 shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
	const char		*p;
	char			 s[7];

	for (p = shorts; *p != '\0'; p += 2) {
		if ((uint8_t)*p == c) {
			s[0] = '\\';
			s[1] = p[1];
			put(o, s, 2);
			return;
		}
	}
	snprintf(s, sizeof(s), "\\u%04x", c);
	put(o, s, 6);
}

/* How many bytes at S make one character, or 0 and in *BAD how many do not. */
static size_t
character(const uint8_t *s, size_t len, size_t *bad)
{
	uint32_t	 state = UTF8_START;
	size_t		 i;

	for (i = 0; i < len; i++) {
		if (utf8_feed(&state, s + i, 1) == -1) {
			/* What can't go on a character may begin the next. */
			*bad = i == 0 ? 1 : i;
			return (0);
		}
		if (state == UTF8_START)
			return (i + 1);
	}
	*bad = len;
	return (0);
}

/* What a terminal could obey, should the string be printed, goes escaped. */
static int
is_control(const uint8_t *s, size_t len)
{
	return (len == 1 ? *s < 0x20 || *s == 0x7f :
	    len == 2 && s[0] == 0xc2 && s[1] < 0xa0);
}

size_t
json_encode(const void *bytes, size_t len, char *buf, size_t size)
{
	struct out	 o = { buf, size, 0 };
	const uint8_t	*s = bytes;
	size_t		 bad, i, n;

	put(&o, "\"", 1);
	for (i = 0; i < len; i += n) {
		n = character(s + i, len - i, &bad);
		if (n == 0) {
			put_char(&o, REPLACEMENT);
			n = bad;
		} else if (is_control(s + i, n) || s[i] == '"' || s[i] == '\\')
			put_escape(&o, s[i + n - 1]);
		else
			put(&o, (const char *)s + i, n);
	}
	put(&o, "\"", 1);
	return (o.len);
}
