/*
 * A compressed message in one piece and the same in small pieces, through the
 * bounded inflate: what comes out and how it ends must be the same, and never
 * may more come out than the limit.  Input: the limit, the largest piece, what
 * else (below), then the message.
 */
#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "deflate.h"
#include "memory.h"
#include "metrics.h"
#include "utf8.h"

#define PARAMETERS	3
#define UNIT		8	/* bytes; 255 units squared are half a MiB */
#define TEXT		0x01	/* it is text */
#define CUT		0x02	/* its end does not come */
#define GONE		0x04	/* the player is dropped by what he sent */
#define POOR		0x08	/* there is no memory for it */
#define GONE_AT(flags)	(1 + (size_t)(flags) * 16)	/* bytes that came out */

#define CHECK(x)	do { if (!(x)) abort(); } while (0)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct metrics		 metrics;

static struct run {
	uint8_t		*data;
	size_t		 len;
	int		 whole;		/* the message ended */
	uint16_t	 code;		/* of an error, or 0 */
	const char	*reason;
} *run;
static uint64_t		 limit, in_use;
static int		 flags;

void
memory_take(size_t n)
{
	in_use += n;
}

void
memory_give(size_t n)
{
	CHECK(n <= in_use);
	in_use -= n;
}

int
memory_reserve(size_t n, const struct conn *except)
{
	CHECK(n == INFLATER_ROOM && except != NULL);
	return ((flags & POOR) != 0 ? -1 : 0);
}

void
conn_drop(struct conn *c, enum close_reason reason)
{
	CHECK(c->state == CONN_WS);
	c->state = CONN_DEAD;
	c->reason = (uint8_t)reason;
	session_inflate_end(c);
}

void
session_data(struct conn *c, const struct ws_parser *ws)
{
	CHECK(c->state == CONN_WS && !run->whole);
	CHECK(!ws->fin || (ws->len == 0 && c->inflate == NULL));
	run->whole = ws->fin;
	CHECK(run->len + ws->len <= limit);
	CHECK((run->data = realloc(run->data, run->len + ws->len + 1)) != NULL);
	if (ws->len > 0)
		memcpy(run->data + run->len, ws->data, ws->len);
	run->len += ws->len;
	if ((flags & GONE) != 0 && run->len >= GONE_AT(flags))
		conn_drop(c, CLOSE_SLOW);
}

/* The next piece; 0 after the last of what there is to hear. */
static int
piece(struct conn *c, const uint8_t *s, size_t len, int fin)
{
	struct ws_parser	 ws;
	uint8_t			*copy = malloc(len > 0 ? len : 1);
	int			 rv;

	CHECK(copy != NULL);
	if (len > 0)
		memcpy(copy, s, len);
	memset(&ws, 0, sizeof(ws));
	ws.maxmessage = limit;
	ws.opcode = (flags & TEXT) != 0 ? WS_TEXT : WS_BINARY;
	ws.compressed = 1;
	ws.data = copy;
	ws.len = len;
	ws.fin = fin;
	rv = session_inflate(c, &ws);
	free(copy);
	CHECK(in_use <= 2 * INFLATER_ROOM);
	if (c->inflate != NULL)
		CHECK(session_inflate_size(c) <= INFLATER_ROOM);
	if (rv == -1) {
		CHECK(ws.code == WS_CLOSE_BAD_DATA ||
		    ws.code == WS_CLOSE_TOO_BIG);
		run->code = ws.code;
		run->reason = ws.reason;
	}
	return (rv == 0 && c->state == CONN_WS);
}

/* MOST is the largest piece; 0: all of it is one. */
static void
message(struct run *r, const uint8_t *s, size_t len, size_t most)
{
	struct conn	 c;
	size_t		 n, at = 0, step = 0;

	memset(r, 0, sizeof(*r));
	run = r;
	memset(&c, 0, sizeof(c));
	c.state = CONN_WS;
	c.deflate = 1;
	ws_stream_init(&c.ws);
	do {
		/* Some irregularity, and the same for the same input. */
		n = most == 0 || at == len ? len : 1 +
		    (step++ * 7 + s[at]) % most;
		if (n > len - at)
			n = len - at;
		at += n;
	} while (piece(&c, s + at - n, n, at == len && (flags & CUT) == 0) &&
	    at < len);
	CHECK(r->whole + (r->code != 0) <= 1);
	if (r->whole)
		CHECK((flags & TEXT) == 0 || utf8_ok(r->data, r->len));
	else if (r->code == 0)
		CHECK((flags & (CUT | GONE | POOR)) != 0);
	session_inflate_end(&c);
	/* One is kept for the next. */
	CHECK(in_use <= INFLATER_ROOM);
}

static void
check_same(const struct run *one, const struct run *many)
{
	size_t	 n;

	/* At which piece he went depends on them, and so what was seen. */
	if ((flags & GONE) == 0) {
		CHECK(one->whole == many->whole);
		CHECK(one->code == many->code);
		CHECK(one->reason == many->reason);
	}
	/* How much of a broken one came out depends on the cuts. */
	if (one->code == 0 && (flags & GONE) == 0)
		CHECK(one->len == many->len);
	n = one->len < many->len ? one->len : many->len;
	CHECK(n == 0 || memcmp(one->data, many->data, n) == 0);
}

/* Nothing of it is in the next message. */
static void
check_next(void)
{
	static const uint8_t	 hello[] = { 0xf2, 0x48, 0xcd, 0xc9, 0xc9,
				    0x07, 0x00 };
	struct run		 r;

	flags = TEXT;
	limit = 5;
	message(&r, hello, sizeof(hello), 0);
	CHECK(r.whole && r.len == 5 && memcmp(r.data, "Hello", 5) == 0);
	free(r.data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	struct run	 one, many;

	if (len < PARAMETERS)
		return (0);
	limit = (uint64_t)input[0] * input[0] * UNIT;
	flags = input[2];
	message(&one, input + PARAMETERS, len - PARAMETERS, 0);
	message(&many, input + PARAMETERS, len - PARAMETERS,
	    1 + (size_t)input[1]);
	check_same(&one, &many);
	check_next();
	free(one.data);
	free(many.data);
	return (0);
}
