/*
 * Messages compressed and decompressed as RFC 7692 has it, with the examples
 * of its section 7.2.3, in pieces of any size; broken data; memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "deflate.h"
#include "metrics.h"
#include "random.h"

#define MAX	(1 << 20)

static uint8_t	 plain[MAX], packed[MAX], back[MAX + 1];

/* Decompress in pieces of PIECE in and SIZE out; -1 when it is bad. */
static long
unpack(const uint8_t *data, size_t len, size_t piece, size_t size)
{
	enum inflate_result	 res;
	struct inflater		*in;
	size_t			 at = 0, n, room, total = 0;
	int			 fed = 0;

	in = inflater_open();
	assert_non_null(in);
	do {
		n = len - at < piece ? len - at : piece;
		if (n > 0)
			inflater_feed(in, data + at, n);
		else if (!fed++)
			inflater_feed_tail(in);
		at += n;
		do {
			room = sizeof(back) - total;
			res = inflater_take(in, back + total,
			    room < size ? room : size, &n);
			total += n;
		} while (res == INFLATE_MORE);
		assert_int_not_equal(res, INFLATE_MEMORY);
	} while (res == INFLATE_DONE && !fed);
	assert_int_equal(inflater_total(in), total);
	assert_in_range(inflater_size(in), 1, INFLATER_ROOM);
	if (res == INFLATE_DONE && !inflater_whole(in))
		res = INFLATE_BAD;
	inflater_close(in);
	return (res == INFLATE_DONE ? (long)total : -1);
}

static void
check_bytes(const char *bytes, size_t len, const char *want)
{
	size_t	 piece;

	for (piece = 1; piece <= len + 1; piece++) {
		assert_int_equal(unpack((const uint8_t *)bytes, len, piece,
		    1 + piece % 7), strlen(want));
		assert_memory_equal(back, want, strlen(want));
	}
}

/* 7.2.3.1, 7.2.3.3 to 7.2.3.6 */
static void
test_examples(void **state)
{
	(void)state;
	check_bytes("\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello");
	check_bytes("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11,
	    "Hello");
	check_bytes("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8, "Hello");
	check_bytes("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13,
	    "Hello");
	check_bytes("\x00", 1, "");
	check_bytes("\x02\x00", 2, "");
	/* The last block says so, and the byte that should follow does not. */
	check_bytes("\xf3\x48\xcd\xc9\xc9\x07\x00", 7, "Hello");
	check_bytes("\x03\x00", 2, "");
	/* After such a block, another. */
	check_bytes("\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00",
	    14, "HelloHello");
}

static void
test_bad(void **state)
{
	static const struct {
		const char	*bytes;
		size_t		 len;
	} t[] = {
		{ "", 0 },			/* not even a block */
		{ "\x07", 1 },			/* block type 3 */
		{ "\xff\xff\xff\xff", 4 },
		{ "\xf2\x48\xcd", 3 },		/* cut */
		{ "\xf2\x48\xcd\xc9\xc9", 5 },
		{ "\x00\x05\x00\xfa\xff\x48\x65", 7 },
		{ "\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00", 11 },
		{ "\x04\xff", 2 },		/* dynamic, cut */
		/* Looks back further than the message goes. */
		{ "\x42\x11\x00\x00", 4 },
		/* A message that needs the one before: "Hello" again. */
		{ "\xf2\x00\x11\x00\x00", 5 }
	};
	size_t	 i, piece;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (piece = 1; piece <= t[i].len + 1; piece++)
			assert_int_equal(unpack((const uint8_t *)t[i].bytes,
			    t[i].len, piece, 100), -1);
		/* And nothing of it is in the next message. */
		check_bytes("\xf2\x48\xcd\xc9\xc9\x07\x00", 7, "Hello");
	}
}

static void
fill(size_t len, uint32_t letters)
{
	size_t	 i;

	for (i = 0; i < len; i++)
		plain[i] = (uint8_t)('0' + random32() % letters);
}

static void
test_there_and_back(void **state)
{
	static const size_t	 lengths[] = { 60, 256, 2048, 16383, 32768,
				    65535, 65536, 200000, MAX };
	size_t			 i, n;
	int			 level;

	(void)state;
	for (level = 1; level <= 9; level += 4) {
		for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			fill(lengths[i], 3);
			n = deflate_message(plain, lengths[i], packed, level);
			assert_in_range(n, 1, lengths[i] - 5);
			/* Its end is the one that is left out. */
			assert_int_equal(unpack(packed, n, n, 4096),
			    lengths[i]);
			assert_memory_equal(back, plain, lengths[i]);
			assert_int_equal(unpack(packed, n, 1 + random32() % 999,
			    1 + random32() % 9999), lengths[i]);
			assert_memory_equal(back, plain, lengths[i]);
		}
	}
}

/* Each message is for itself. */
static void
test_no_context(void **state)
{
	static uint8_t	 again[4096];
	size_t		 n, m;

	(void)state;
	fill(2000, 70);
	n = deflate_message(plain, 2000, packed, 6);
	m = deflate_message(plain, 2000, again, 6);
	assert_int_equal(n, m);
	assert_memory_equal(packed, again, n);
}

static void
test_not_smaller(void **state)
{
	size_t	 len;

	(void)state;
	for (len = 0; len < 3000; len += 1 + len / 10) {
		fill(len, 256);
		packed[len] = 0x55;
		assert_int_equal(deflate_message(plain, len, packed, 9), 0);
		assert_int_equal(packed[len], 0x55);
	}
}

/* What is counted is given back; one of each kind stays. */
static void
test_memory(void **state)
{
	struct inflater	*in[10];
	uint64_t	 before, one;
	size_t		 i, n;

	(void)state;
	(void)unpack((const uint8_t *)"\x00", 1, 1, 1);
	before = metrics.memory_bytes;
	for (i = 0; i < 10; i++) {
		in[i] = inflater_open();
		assert_non_null(in[i]);
		inflater_feed(in[i], (const uint8_t *)"\xf2\x48\xcd", 3);
		inflater_take(in[i], back, MAX, &n);
	}
	one = inflater_size(in[9]);
	assert_in_range(one, 32768, INFLATER_ROOM);
	assert_int_equal(metrics.memory_bytes, before + 9 * one);
	for (i = 0; i < 10; i++)
		inflater_close(in[i]);
	assert_int_equal(metrics.memory_bytes, before);

	fill(1000, 3);
	assert_int_not_equal(deflate_message(plain, 1000, packed, 1), 0);
	before = metrics.memory_bytes;
	for (i = 2; i < 10; i++)
		assert_int_not_equal(deflate_message(plain, 1000, packed,
		    (int)i), 0);
	assert_int_not_equal(deflate_message(plain, 1000, packed, 1), 0);
	assert_int_equal(metrics.memory_bytes, before);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_no_context),
		cmocka_unit_test(test_not_smaller),
		cmocka_unit_test(test_memory)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
