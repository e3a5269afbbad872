/*
 * Players' compressed messages (RFC 7692).  A connection has an inflater only
 * while such a message is open, so an idle one costs what any other does; what
 * comes out is bounded as it comes.
 */
#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "conn.h"
#include "deflate.h"
#include "engine.h"
#include "memory.h"
#include "metrics.h"
#include "utf8.h"

static uint8_t	 out[65536];	/* what comes out at a time */

static int
fail(struct ws_parser *ws, uint16_t code, const char *reason)
{
	ws->code = code;
	ws->reason = reason;
	return (-1);
}

/* Some more of the message has come out. */
static int
inflated(struct conn *c, struct ws_parser *ws, size_t len, int fin)
{
	struct ws_parser	 piece = *ws;

	metrics.inflate_out += len;
	if (ws->opcode == WS_TEXT) {
		if (utf8_feed(&c->ws.utf8, out, len) == -1)
			return (fail(ws, WS_CLOSE_BAD_DATA, "invalid UTF-8"));
		if (fin && c->ws.utf8 != UTF8_START)
			return (fail(ws, WS_CLOSE_BAD_DATA,
			    "text ends inside a character"));
	}
	piece.data = out;
	piece.len = len;
	piece.fin = fin;
	session_data(c, &piece);
	return (0);
}

/* All that comes out of what was fed. */
static int
drain(struct conn *c, struct ws_parser *ws)
{
	enum inflate_result	 res;
	uint64_t		 left;
	size_t			 n, size;
	int			 over;

	do {
		/* The limit may be another than when the message began. */
		left = inflater_total(c->inflate);
		left = ws->maxmessage > left ? ws->maxmessage - left : 0;
		size = left < sizeof(out) ? (size_t)left + 1 : sizeof(out);
		res = inflater_take(c->inflate, out, size, &n);
		over = n > left;
		if (over)
			n = (size_t)left;
		/* Bad text before the limit is bad, however it was cut. */
		if (n > 0 && inflated(c, ws, n, 0) == -1)
			return (-1);
		/* It went with what came out. */
		if (c->inflate == NULL)
			return (0);
		if (over)
			return (fail(ws, WS_CLOSE_TOO_BIG, "message too big"));
	} while (res == INFLATE_MORE);

	switch (res) {
	case INFLATE_BAD:
		return (fail(ws, WS_CLOSE_BAD_DATA, "bad compressed data"));
	case INFLATE_MEMORY:
		conn_drop(c, CLOSE_MEMORY);
		break;
	case INFLATE_MORE:
	case INFLATE_DONE:
		break;
	}
	return (0);
}

static void
begin(struct conn *c)
{
	if (memory_reserve(INFLATER_ROOM, c) == -1 ||
	    (c->inflate = inflater_open()) == NULL)
		conn_drop(c, CLOSE_MEMORY);
}

int
session_inflate(struct conn *c, struct ws_parser *ws)
{
	/* Nobody hears it any more. */
	if (c->state != CONN_WS)
		return (0);
	if (c->inflate == NULL)
		begin(c);
	if (c->inflate == NULL)
		return (0);
	metrics.inflate_in += ws->len;
	inflater_feed(c->inflate, ws->data, ws->len);
	if (drain(c, ws) == -1)
		return (-1);
	if (!ws->fin || c->inflate == NULL)
		return (0);
	inflater_feed_tail(c->inflate);
	if (drain(c, ws) == -1)
		return (-1);
	if (c->inflate == NULL)
		return (0);
	if (!inflater_whole(c->inflate))
		return (fail(ws, WS_CLOSE_BAD_DATA,
		    "compressed data cut short"));
	session_inflate_end(c);
	return (inflated(c, ws, 0, 1));
}

void
session_inflate_end(struct conn *c)
{
	if (c->inflate == NULL)
		return;
	inflater_close(c->inflate);
	c->inflate = NULL;
}

size_t
session_inflate_size(const struct conn *c)
{
	return (c->deflate && c->inflate != NULL ?
	    inflater_size(c->inflate) : 0);
}
