/*
 * session_inflate.c: compressed messages in pieces of any size, with limits,
 * bad text, no memory, and a player who is dropped by what he sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/types.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "deflate.h"
#include "memory.h"
#include "metrics.h"

#define MAX	(1 << 20)

struct metrics		 metrics;

static struct conn	 c;
static uint8_t		 plain[MAX], packed[MAX];
static uint64_t		 came, drop_at, in_use;
static unsigned int	 ended;
static int		 poor;
static const char	*why;		/* of an error */

void
memory_take(size_t n)
{
	in_use += n;
}

void
memory_give(size_t n)
{
	assert_true(n <= in_use);
	in_use -= n;
}

int
memory_reserve(size_t n, const struct conn *except)
{
	assert_int_equal(n, INFLATER_ROOM);
	assert_ptr_equal(except, &c);
	return (poor ? -1 : 0);
}

void
conn_drop(struct conn *conn, enum close_reason reason)
{
	assert_int_equal(conn->state, CONN_WS);
	conn->state = CONN_DEAD;
	conn->reason = (uint8_t)reason;
	session_inflate_end(conn);
}

void
session_data(struct conn *conn, const struct ws_parser *ws)
{
	assert_int_equal(conn->state, CONN_WS);
	assert_true(came + ws->len <= ws->maxmessage);
	assert_memory_equal(ws->data, plain + came, ws->len);
	came += ws->len;
	ended += (unsigned int)ws->fin;
	if (drop_at != 0 && came >= drop_at)
		conn_drop(conn, CLOSE_SLOW);
}

/* The code of the error, or 0. */
static uint16_t
run(int opcode, size_t len, size_t piece, uint64_t limit)
{
	struct ws_parser	 ws;
	size_t			 at, n;
	int			 rv = 0;

	memset(&c, 0, sizeof(c));
	c.state = CONN_WS;
	c.deflate = 1;
	ws_stream_init(&c.ws);
	came = ended = 0;
	why = "";
	for (at = 0; rv == 0 && at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		memset(&ws, 0, sizeof(ws));
		ws.maxmessage = limit;
		ws.opcode = opcode;
		ws.compressed = 1;
		ws.data = packed + at;
		ws.len = n;
		ws.fin = at + n == len;
		rv = session_inflate(&c, &ws);
	}
	if (rv == -1)
		why = ws.reason;
	session_inflate_end(&c);
	return (rv == 0 ? 0 : ws.code);
}

static size_t
pack(const char *text)
{
	memcpy(plain, text, strlen(text));
	return (deflate_message(plain, strlen(text), packed, 9));
}

#define ABC	"abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc"

static void
test_limit(void **state)
{
	size_t	 n, piece;

	(void)state;
	memset(plain, 'x', sizeof(plain));
	n = deflate_message(plain, 200000, packed, 9);
	assert_in_range(n, 1, 1000);
	for (piece = 1; piece <= n; piece += 1 + piece / 3) {
		assert_int_equal(run(WS_TEXT, n, piece, 200000), 0);
		assert_int_equal(came, 200000);
		assert_int_equal(ended, 1);
		assert_int_equal(run(WS_TEXT, n, piece, 199999),
		    WS_CLOSE_TOO_BIG);
		assert_int_equal(came, 199999);
		assert_int_equal(ended, 0);
		assert_int_equal(run(WS_BINARY, n, piece, 0),
		    WS_CLOSE_TOO_BIG);
		assert_int_equal(came, 0);
	}
}

/* Bad before the limit is bad, behind it too big: in pieces of any size. */
static void
test_bad_or_too_big(void **state)
{
	size_t	 n, piece;

	(void)state;
	n = pack(ABC "\xff" ABC ABC);
	for (piece = 1; piece <= n; piece++) {
		assert_int_equal(run(WS_TEXT, n, piece, strlen(ABC) + 1),
		    WS_CLOSE_BAD_DATA);
		assert_string_equal(why, "invalid UTF-8");
		assert_int_equal(run(WS_TEXT, n, piece, strlen(ABC)),
		    WS_CLOSE_TOO_BIG);
		assert_int_equal(run(WS_BINARY, n, piece, sizeof(plain)), 0);
		assert_int_equal(ended, 1);
	}
	n = pack(ABC ABC "\xe2\x82");
	for (piece = 1; piece <= n; piece++) {
		assert_int_equal(run(WS_TEXT, n, piece, sizeof(plain)),
		    WS_CLOSE_BAD_DATA);
		assert_string_equal(why, "text ends inside a character");
	}
}

/* Then nothing is wrong any more, whatever else would have been. */
static void
test_dropped(void **state)
{
	size_t	 n, piece;

	(void)state;
	n = pack(ABC ABC ABC);
	/* A block of a type that there is not. */
	packed[n++] = 0x07;
	for (piece = 1; piece <= n; piece++) {
		drop_at = 0;
		assert_int_equal(run(WS_TEXT, n, piece, sizeof(plain)),
		    WS_CLOSE_BAD_DATA);
		drop_at = strlen(ABC);
		assert_int_equal(run(WS_TEXT, n, piece, sizeof(plain)), 0);
		assert_int_equal(c.state, CONN_DEAD);
		assert_int_equal(run(WS_TEXT, n, piece, 2 * strlen(ABC)), 0);
		assert_int_equal(c.state, CONN_DEAD);
		assert_int_equal(ended, 0);
	}
	drop_at = 0;
}

static void
test_no_memory(void **state)
{
	size_t	 n = pack(ABC);

	(void)state;
	poor = 1;
	assert_int_equal(run(WS_TEXT, n, 3, sizeof(plain)), 0);
	assert_int_equal(c.state, CONN_DEAD);
	assert_int_equal(c.reason, CLOSE_MEMORY);
	assert_int_equal(came, 0);
	poor = 0;
	assert_int_equal(run(WS_TEXT, n, 3, sizeof(plain)), 0);
	assert_int_equal(came, strlen(ABC));
	/* One inflater is kept, and the compressor of this test. */
	assert_in_range(in_use, 1, INFLATER_ROOM + (300 << 10));
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_bad_or_too_big),
		cmocka_unit_test(test_dropped),
		cmocka_unit_test(test_no_memory)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
