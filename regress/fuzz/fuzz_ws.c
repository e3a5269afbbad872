/*
 * A stream of frames in one piece and the same in small pieces must say the
 * same.  Input: limits of a message and of its fragments, the largest piece
 * (its top bit: permessage-deflate was negotiated), then the stream.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"
#include "ws.h"

#define PARAMETERS	3
#define DEFLATE		0x80
#define MAXKEPT		(14 + WS_MAXCONTROL)

#define CHECK(x)	do { if (!(x)) abort(); } while (0)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/*
 * All that was said, as bytes to compare, and the message that is open; after
 * an error how much of that there is depends on the cuts.
 */
struct record {
	uint8_t	*said;
	size_t	 len;
	uint8_t	*message;
	size_t	 have;
	long	 unused;	/* bytes at the end, -1 after an error */
};

static void
append(uint8_t **buf, size_t *len, const void *p, size_t n)
{
	*buf = realloc(*buf, *len + n + 1);
	CHECK(*buf != NULL);
	if (n > 0)
		memcpy(*buf + *len, p, n);
	*len += n;
}

static void
say(struct record *r, enum ws_event ev, unsigned int detail, size_t where,
    const void *p, size_t n)
{
	struct {
		uint64_t	 ev, detail, where, n;
	} head = { ev, detail, where, n };

	append(&r->said, &r->len, &head, sizeof(head));
	append(&r->said, &r->len, p, n);
}

static void
data(struct record *r, const struct ws_parser *ws)
{
	CHECK(ws->opcode == WS_TEXT || ws->opcode == WS_BINARY);
	append(&r->message, &r->have, ws->data, ws->len);
	/* What is compressed may be larger than what comes out of it. */
	CHECK(!ws->compressed || ws->stream->deflate);
	CHECK(r->have <= ws->maxmessage + (ws->compressed ?
	    ws->maxmessage / 8 + 64 : 0));
	if (!ws->fin)
		return;
	CHECK(ws->opcode == WS_BINARY || ws->compressed ||
	    utf8_ok(r->message, r->have));
	say(r, WS_EV_DATA, (unsigned int)ws->opcode,
	    (size_t)ws->compressed, r->message, r->have);
	r->have = 0;
}

static void
event(struct record *r, const struct ws_parser *ws, enum ws_event ev)
{
	switch (ev) {
	case WS_EV_AGAIN:
		break;
	case WS_EV_DATA:
		data(r, ws);
		break;
	case WS_EV_PING:
	case WS_EV_PONG:
		CHECK(ws->len <= WS_MAXCONTROL);
		say(r, ev, 0, r->have, ws->data, ws->len);
		break;
	case WS_EV_CLOSE:
		CHECK(ws->code == WS_CLOSE_NO_STATUS ? ws->len == 0 :
		    ws_close_code_ok(ws->code));
		CHECK(utf8_ok(ws->data, ws->len));
		say(r, ev, ws->code, r->have, ws->data, ws->len);
		break;
	case WS_EV_ERROR:
		/* How much of its message came before depends on the cuts. */
		say(r, ev, ws->code, 0, ws->reason, strlen(ws->reason));
		break;
	}
}

/* Returns how many bytes are left unused, or -1 after an error. */
static long
parse(struct ws_parser *ws, struct record *r, uint8_t *buf, size_t len)
{
	enum ws_event	 ev;
	size_t		 at = 0, used;

	do {
		ev = ws_parse(ws, buf + at, len - at, &used);
		CHECK(used <= len - at);
		CHECK((used == 0) == (ev == WS_EV_AGAIN) ||
		    ev == WS_EV_ERROR);
		event(r, ws, ev);
		at += used;
	} while (ev != WS_EV_AGAIN && ev != WS_EV_ERROR);
	return (ev == WS_EV_ERROR ? -1 : (long)(len - at));
}

static void
run(struct record *r, const uint8_t *params, const uint8_t *s, size_t len,
    size_t most)
{
	struct ws_stream	 stream;
	struct ws_parser	 ws;
	uint8_t			*buf, *kept = NULL;
	size_t			 n, at = 0, have = 0, step = 0;
	long			 rest = 0;

	memset(r, 0, sizeof(*r));
	ws_stream_init(&stream);
	stream.deflate = (params[2] & DEFLATE) != 0;
	ws_init(&ws, &stream, (uint64_t)params[0] * params[0], params[1]);
	while (at < len && rest != -1) {
		/* Some irregularity, and the same for the same input. */
		n = most == 0 ? len : 1 + (step++ * 7 + s[at]) % most;
		if (n > len - at)
			n = len - at;
		buf = malloc(have + n);
		CHECK(buf != NULL);
		if (have > 0)
			memcpy(buf, kept, have);
		free(kept);
		kept = NULL;
		memcpy(buf + have, s + at, n);
		at += n;
		have += n;
		rest = parse(&ws, r, buf, have);
		if (rest > 0) {
			CHECK(rest < MAXKEPT);
			kept = malloc((size_t)rest);
			CHECK(kept != NULL);
			memcpy(kept, buf + have - rest, (size_t)rest);
		}
		have = rest > 0 ? (size_t)rest : 0;
		free(buf);
	}
	free(kept);
	r->unused = rest;
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	struct record	 one, many;

	if (len < PARAMETERS)
		return (0);
	run(&one, input, input + PARAMETERS, len - PARAMETERS, 0);
	run(&many, input, input + PARAMETERS, len - PARAMETERS,
	    1 + (size_t)(input[2] & ~DEFLATE));
	CHECK(one.len == many.len);
	CHECK(one.len == 0 || memcmp(one.said, many.said, one.len) == 0);
	CHECK(one.unused == many.unused);
	if (one.unused != -1) {
		CHECK(one.have == many.have);
		CHECK(one.have == 0 ||
		    memcmp(one.message, many.message, one.have) == 0);
	}
	free(one.said);
	free(one.message);
	free(many.said);
	free(many.message);
	return (0);
}
