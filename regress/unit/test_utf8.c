/*
 * The UTF-8 decoder against two oracles that share nothing with it: a plain
 * decoder that computes code points, and the set of all prefixes of encoded
 * characters, which says where a byte is the first that can't be right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "utf8.h"

#define SAMPLES		2000000

static uint8_t	*prefix2, *prefix3;	/* bitmaps of the prefixes */

static size_t
encode(uint32_t c, uint8_t out[4])
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return (1);
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return (2);
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return (3);
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return (4);
}

/* Decode, compute, and only then judge the number. */
static int
plain_ok(const uint8_t *s, size_t len)
{
	static const uint32_t	 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t		 c;
	size_t			 i, n;

	while (len > 0) {
		if ((s[0] & 0x80) == 0) {
			n = 1;
			c = s[0];
		} else if ((s[0] & 0xe0) == 0xc0) {
			n = 2;
			c = s[0] & 0x1f;
		} else if ((s[0] & 0xf0) == 0xe0) {
			n = 3;
			c = s[0] & 0x0f;
		} else if ((s[0] & 0xf8) == 0xf0) {
			n = 4;
			c = s[0] & 0x07;
		} else
			return (0);
		if (n > len)
			return (0);
		for (i = 1; i < n; i++) {
			if ((s[i] & 0xc0) != 0x80)
				return (0);
			c = c << 6 | (s[i] & 0x3f);
		}
		if (c < least[n] || c > 0x10ffff ||
		    (c >= 0xd800 && c <= 0xdfff))
			return (0);
		s += n;
		len -= n;
	}
	return (1);
}

static int
bit(const uint8_t *map, uint32_t i)
{
	return (map[i >> 3] >> (i & 7) & 1);
}

static int
setup(void **state)
{
	uint8_t		 s[4];
	uint32_t	 c, p;
	size_t		 n;

	(void)state;
	prefix2 = calloc(1, (1 << 16) / 8);
	prefix3 = calloc(1, (1 << 24) / 8);
	if (prefix2 == NULL || prefix3 == NULL)
		return (-1);
	for (c = 0x80; c <= 0x10ffff; c++) {
		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		n = encode(c, s);
		p = (uint32_t)s[0] << 8 | s[1];
		prefix2[p >> 3] |= (uint8_t)(1 << (p & 7));
		if (n < 3)
			continue;
		p = p << 8 | s[2];
		prefix3[p >> 3] |= (uint8_t)(1 << (p & 7));
	}
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	free(prefix2);
	free(prefix3);
	return (0);
}

/* How many bytes decode before the first that can't be right; len when none. */
static size_t
accepted(const uint8_t *s, size_t len)
{
	uint32_t	 state = UTF8_START;
	size_t		 i;

	for (i = 0; i < len; i++) {
		if (utf8_feed(&state, s + i, 1) == -1)
			break;
	}
	return (i);
}

/* The same from the set of prefixes, for a text of one character at most. */
static size_t
expected(const uint8_t *s, size_t len)
{
	if (s[0] < 0x80)
		return (1);
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return (0);
	if (len < 2 || !bit(prefix2, (uint32_t)s[0] << 8 | s[1]))
		return (1);
	if (s[0] < 0xe0)
		return (2);
	if (len < 3 || !bit(prefix3,
	    (uint32_t)s[0] << 16 | (uint32_t)s[1] << 8 | s[2]))
		return (2);
	if (s[0] < 0xf0)
		return (3);
	return (len < 4 || (s[3] & 0xc0) != 0x80 ? 3 : 4);
}

/* Compare in silence: an assertion for each of 17 million costs too much. */
static int
agrees(const uint8_t *s, size_t len)
{
	size_t	 n;

	if (utf8_ok(s, len) != plain_ok(s, len))
		return (0);
	n = expected(s, len);
	if (n == len)
		return (accepted(s, len) == len);
	if (plain_ok(s, n) && n > 0)
		return (accepted(s, n) == n);
	return (accepted(s, len) == n);
}

static void
test_exhaustive(void **state)
{
	uint32_t	 i, bad = 0;
	uint8_t		 s[3];

	(void)state;
	for (i = 0; i < 1 << 8; i++) {
		s[0] = (uint8_t)i;
		bad += !agrees(s, 1);
	}
	assert_int_equal(bad, 0);
	for (i = 0; i < 1 << 16; i++) {
		s[0] = (uint8_t)(i >> 8);
		s[1] = (uint8_t)i;
		bad += !agrees(s, 2);
	}
	assert_int_equal(bad, 0);
	for (i = 0; i < 1 << 24; i++) {
		s[0] = (uint8_t)(i >> 16);
		s[1] = (uint8_t)(i >> 8);
		s[2] = (uint8_t)i;
		bad += !agrees(s, 3);
	}
	assert_int_equal(bad, 0);
}

static void
test_four(void **state)
{
	uint32_t	 i, r, bad = 0;
	uint8_t		 s[4];

	(void)state;
	for (i = 0; i < SAMPLES; i++) {
		r = random32();
		memcpy(s, &r, sizeof(s));
		/* Half of them near what is valid, or few would be. */
		if (i & 1) {
			s[0] = (uint8_t)(0xf0 | (s[0] & 7));
			s[2] = (uint8_t)(0x80 | (s[2] & 0x3f));
			s[3] = (uint8_t)((s[3] & 0x3f) |
			    (r % 7 == 0 ? 0x40 : 0x80));
		}
		bad += !agrees(s, 4);
	}
	assert_int_equal(bad, 0);
}

static void
test_every_character(void **state)
{
	uint32_t	 c, bad = 0, st;
	uint8_t		 s[4];
	size_t		 i, n;

	(void)state;
	for (c = 0; c <= 0x10ffff; c++) {
		n = encode(c, s);
		if (c >= 0xd800 && c <= 0xdfff) {
			bad += utf8_ok(s, n) || accepted(s, n) != 1;
			continue;
		}
		bad += !utf8_ok(s, n);
		/* No part of a character is whole. */
		st = UTF8_START;
		for (i = 0; i < n; i++) {
			bad += utf8_feed(&st, s + i, 1) == -1;
			bad += (st == UTF8_START) != (i + 1 == n);
		}
	}
	assert_int_equal(bad, 0);
}

static void
test_boundaries(void **state)
{
	static const struct {
		const char	*s;
		size_t		 good;	/* bytes before the first bad one */
		int		 ok;
	} t[] = {
		{ "\x7f", 1, 1 },
		{ "\x80", 0, 0 },
		{ "\xbf", 0, 0 },
		{ "\xc0\x80", 0, 0 },
		{ "\xc1\xbf", 0, 0 },
		{ "\xc2\x7f", 1, 0 },
		{ "\xc2\x80", 2, 1 },
		{ "\xc2\xbf", 2, 1 },
		{ "\xc2\xc0", 1, 0 },
		{ "\xdf\xbf", 2, 1 },
		{ "\xe0\x80\x80", 1, 0 },
		{ "\xe0\x9f\xbf", 1, 0 },
		{ "\xe0\xa0\x80", 3, 1 },
		{ "\xe0\xa0\x7f", 2, 0 },
		{ "\xe0\xa0\xc0", 2, 0 },
		{ "\xec\x80\x80", 3, 1 },
		{ "\xed\x9f\xbf", 3, 1 },
		{ "\xed\xa0\x80", 1, 0 },
		{ "\xed\xbf\xbf", 1, 0 },
		{ "\xee\x80\x80", 3, 1 },
		{ "\xef\xbf\xbf", 3, 1 },
		{ "\xf0\x80\x80\x80", 1, 0 },
		{ "\xf0\x8f\xbf\xbf", 1, 0 },
		{ "\xf0\x90\x80\x80", 4, 1 },
		{ "\xf0\x90\x80\x7f", 3, 0 },
		{ "\xf0\x90\xc0\x80", 2, 0 },
		{ "\xf3\xbf\xbf\xbf", 4, 1 },
		{ "\xf4\x8f\xbf\xbf", 4, 1 },
		{ "\xf4\x90\x80\x80", 1, 0 },
		{ "\xf5\x80\x80\x80", 0, 0 },
		{ "\xf8\x88\x80\x80\x80", 0, 0 },
		{ "\xff", 0, 0 },
		{ "\xfe", 0, 0 },
		{ "\xc2", 1, 0 },
		{ "\xe2\x82", 2, 0 },
		{ "\xf0\x9f\x98", 3, 0 },
		{ "a\xc3\xa9z\xe2\x82\xac \xf0\x9f\x98\x80!", 13, 1 },
	};
	const uint8_t	*s;
	size_t		 i, len;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		s = (const uint8_t *)t[i].s;
		len = strlen(t[i].s);
		assert_int_equal(utf8_ok(s, len), t[i].ok);
		assert_int_equal(accepted(s, len), t[i].good);
	}
	assert_true(utf8_ok("", 0));
	assert_true(utf8_ok(NULL, 0));
	assert_true(utf8_ok("\0\0", 2));
}

/* A bad byte at each place of a long text: words must not hide it. */
static void
test_alignment(void **state)
{
	uint8_t		 s[64];
	size_t		 from, at;

	(void)state;
	for (from = 0; from < 8; from++) {
		memset(s, 'a', sizeof(s));
		assert_true(utf8_ok(s + from, sizeof(s) - from));
		for (at = from; at < sizeof(s); at++) {
			s[at] = 0x80;
			assert_false(utf8_ok(s + from, sizeof(s) - from));
			s[at] = 0xc3;
			assert_false(utf8_ok(s + from, sizeof(s) - from));
			if (at + 1 < sizeof(s)) {
				s[at + 1] = 0xa9;
				assert_true(utf8_ok(s + from,
				    sizeof(s) - from));
				s[at + 1] = 'a';
			}
			s[at] = 'a';
		}
	}
}

/* However a text is cut, the verdict and the state are those of the whole. */
static void
test_cuts(void **state)
{
	uint8_t		 s[48];
	uint32_t	 st, whole;
	size_t		 i, n, len;
	int		 r, round, want;

	(void)state;
	for (round = 0; round < 20000; round++) {
		for (len = 0; len + 4 <= sizeof(s);)
			len += encode(random32() % 3 == 0 ?
			    random32() % 0xd800 : random32() % 0x80, s + len);
		if (round & 1)
			s[random32() % len] = (uint8_t)random32();
		whole = UTF8_START;
		want = utf8_feed(&whole, s, len);
		st = UTF8_START;
		for (r = 0, i = 0; i < len && r == 0; i += n) {
			n = 1 + random32() % 9;
			if (n > len - i)
				n = len - i;
			r = utf8_feed(&st, s + i, n);
		}
		assert_int_equal(r, want);
		assert_int_equal(st, whole);
		assert_int_equal(want == 0 && whole == UTF8_START,
		    plain_ok(s, len));
	}
}

/* After an error nothing makes the text good again. */
static void
test_sticky(void **state)
{
	static const uint8_t	 bad[] = { 0xc3, 0xc3 }, good[] = { 0xa9, 'a' };
	uint32_t		 st = UTF8_START;

	(void)state;
	assert_int_equal(utf8_feed(&st, bad, sizeof(bad)), -1);
	assert_int_equal(utf8_feed(&st, good, 1), -1);
	assert_int_equal(utf8_feed(&st, good + 1, 1), -1);
	assert_int_not_equal(st, UTF8_START);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boundaries),
		cmocka_unit_test(test_exhaustive),
		cmocka_unit_test(test_four),
		cmocka_unit_test(test_every_character),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_sticky),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
