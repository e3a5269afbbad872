/*
 * RFC 6455 frames as a state machine over the caller's buffer.  A frame is
 * judged byte by byte as its header arrives, so that what is wrong is said at
 * the first byte that shows it, however the stream is cut.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "utf8.h"
#include "ws.h"

#define FIN		0x80
#define RSV		0x70
#define OPCODE		0x0f
#define MASKED		0x80
#define LENGTH		0x7f
#define CONTROL		0x08		/* of an opcode */

#define LENGTH16	126		/* the length is in the next 2 bytes */
#define LENGTH64	127		/* the length is in the next 8 bytes */

#define MASKLEN		4

struct header {
	uint64_t	 payload;
	size_t		 len;		/* of the header itself */
	int		 opcode;
	int		 final;
	int		 compressed;	/* so is its message */
};

void
ws_stream_init(struct ws_stream *s)
{
	memset(s, 0, sizeof(*s));
	s->utf8 = UTF8_START;
}

void
ws_init(struct ws_parser *ws, struct ws_stream *s, uint64_t maxmessage,
    uint32_t maxfragments)
{
	memset(ws, 0, sizeof(*ws));
	ws->stream = s;
	ws->maxmessage = maxmessage;
	ws->maxfragments = maxfragments;
}

static enum ws_event
fail(struct ws_parser *ws, uint16_t code, const char *reason)
{
	ws->data = NULL;
	ws->len = 0;
	ws->code = code;
	ws->reason = reason;
	return (WS_EV_ERROR);
}

static enum ws_event
first_byte(struct ws_parser *ws, uint8_t c, struct header *h)
{
	h->opcode = c & OPCODE;
	h->final = (c & FIN) != 0;
	/* RFC 7692, 6: of the first frame of a message, and no other. */
	h->compressed = (c & RSV) == WS_RSV1 && ws->stream->deflate &&
	    (h->opcode == WS_TEXT || h->opcode == WS_BINARY);
	if ((c & RSV) != 0 && !h->compressed)
		return (fail(ws, WS_CLOSE_PROTOCOL, "reserved bit set"));
	switch (h->opcode) {
	case WS_CONTINUATION:
		h->compressed = ws->stream->compressed;
		if (ws->stream->message == 0)
			return (fail(ws, WS_CLOSE_PROTOCOL,
			    "continuation of nothing"));
		break;
	case WS_TEXT:
	case WS_BINARY:
		if (ws->stream->message != 0)
			return (fail(ws, WS_CLOSE_PROTOCOL,
			    "message inside a message"));
		break;
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		if (!h->final)
			return (fail(ws, WS_CLOSE_PROTOCOL,
			    "fragmented control frame"));
		return (WS_EV_AGAIN);
	default:
		return (fail(ws, WS_CLOSE_PROTOCOL, "unknown opcode"));
	}
	if (ws->stream->fragments >= ws->maxfragments)
		return (fail(ws, WS_CLOSE_POLICY, "too many fragments"));
	return (WS_EV_AGAIN);
}

/* How many bytes of length follow the second byte. */
static size_t
extension(uint8_t c)
{
	switch (c & LENGTH) {
	case LENGTH16:
		return (2);
	case LENGTH64:
		return (8);
	default:
		return (0);
	}
}

/* The payload of a message that does not get larger than it may be. */
static uint64_t
limit(const struct ws_parser *ws, const struct header *h)
{
	uint64_t	 max = ws->maxmessage;

	/* Blocks that are stored, even tiny ones, cost less than that. */
	return (h->compressed ? max + max / 8 + 64 : max);
}

static enum ws_event
payload_length(struct ws_parser *ws, const uint8_t *buf, struct header *h)
{
	uint64_t	 max = limit(ws, h);
	size_t		 i, n = extension(buf[1]);

	h->payload = n == 0 ? buf[1] & LENGTH : 0;
	for (i = 0; i < n; i++)
		h->payload = h->payload << 8 | buf[2 + i];
	if (h->payload >> 63 != 0)
		return (fail(ws, WS_CLOSE_PROTOCOL, "length out of range"));
	if ((n == 2 && h->payload < LENGTH16) ||
	    (n == 8 && h->payload <= UINT16_MAX))
		return (fail(ws, WS_CLOSE_PROTOCOL, "length not minimal"));
	/* The limit may be another than when the message began. */
	if ((h->opcode & CONTROL) == 0 && (ws->stream->total > max ||
	    h->payload > max - ws->stream->total))
		return (fail(ws, WS_CLOSE_TOO_BIG, "message too big"));
	return (WS_EV_AGAIN);
}

/*
 * Judge as much of a header as there is.  Returns WS_EV_ERROR, or WS_EV_AGAIN
 * with the header's length, which is 0 when it has not wholly arrived.
 */
static enum ws_event
header(struct ws_parser *ws, const uint8_t *buf, size_t len, struct header *h)
{
	size_t	 n;

	h->len = 0;
	if (first_byte(ws, buf[0], h) == WS_EV_ERROR)
		return (WS_EV_ERROR);
	if (len < 2)
		return (WS_EV_AGAIN);

	if ((buf[1] & MASKED) == 0)
		return (fail(ws, WS_CLOSE_PROTOCOL, "frame not masked"));
	if ((h->opcode & CONTROL) != 0 && (buf[1] & LENGTH) > WS_MAXCONTROL)
		return (fail(ws, WS_CLOSE_PROTOCOL, "control frame too long"));
	n = 2 + extension(buf[1]);
	if (len < n)
		return (WS_EV_AGAIN);

	if (payload_length(ws, buf, h) == WS_EV_ERROR)
		return (WS_EV_ERROR);
	if (len >= n + MASKLEN)
		h->len = n + MASKLEN;
	return (WS_EV_AGAIN);
}

static void
unmask(uint8_t *buf, size_t len, const uint8_t mask[4], unsigned int phase)
{
	uint8_t		 key[8];
	uint64_t	 word, keyword;
	size_t		 i;

	for (i = 0; i < sizeof(key); i++)
		key[i] = mask[(phase + i) & 3];
	memcpy(&keyword, key, sizeof(keyword));
	for (i = 0; len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, buf + i, sizeof(word));
		word ^= keyword;
		memcpy(buf + i, &word, sizeof(word));
	}
	for (; i < len; i++)
		buf[i] ^= key[i & 7];
}

/* Take what there is of the open data frame. */
static enum ws_event
piece(struct ws_parser *ws, uint8_t *buf, size_t len)
{
	struct ws_stream	*s = ws->stream;
	size_t			 n = s->left < len ? s->left : len;

	unmask(buf, n, s->mask, s->phase);
	s->phase = (s->phase + n) & 3;
	s->left -= n;
	s->inframe = s->left > 0;
	ws->opcode = s->message;
	ws->fin = !s->inframe && s->final;
	ws->compressed = s->compressed;

	if (s->message == WS_TEXT && !s->compressed) {
		if (utf8_feed(&s->utf8, buf, n) == -1)
			return (fail(ws, WS_CLOSE_BAD_DATA, "invalid UTF-8"));
		if (ws->fin && s->utf8 != UTF8_START)
			return (fail(ws, WS_CLOSE_BAD_DATA,
			    "text ends inside a character"));
	}
	if (ws->fin) {
		s->message = 0;
		s->compressed = 0;
		s->total = 0;
		s->fragments = 0;
	}
	ws->data = buf;
	ws->len = n;
	return (WS_EV_DATA);
}

static enum ws_event
close_frame(struct ws_parser *ws)
{
	if (ws->len == 0) {
		ws->code = WS_CLOSE_NO_STATUS;
		return (WS_EV_CLOSE);
	}
	if (ws->len == 1)
		return (fail(ws, WS_CLOSE_PROTOCOL, "close code cut short"));
	ws->code = (uint16_t)(ws->data[0] << 8 | ws->data[1]);
	ws->data += 2;
	ws->len -= 2;
	if (!ws_close_code_ok(ws->code))
		return (fail(ws, WS_CLOSE_PROTOCOL, "invalid close code"));
	if (!utf8_ok(ws->data, ws->len))
		return (fail(ws, WS_CLOSE_BAD_DATA,
		    "invalid UTF-8 in a close reason"));
	return (WS_EV_CLOSE);
}

static enum ws_event
control(struct ws_parser *ws, const struct header *h, uint8_t *buf,
    size_t *used)
{
	unmask(buf + h->len, h->payload, buf + h->len - MASKLEN, 0);
	ws->data = buf + h->len;
	ws->len = h->payload;
	*used = h->len + h->payload;
	switch (h->opcode) {
	case WS_PING:
		return (WS_EV_PING);
	case WS_PONG:
		return (WS_EV_PONG);
	default:
		return (close_frame(ws));
	}
}

enum ws_event
ws_parse(struct ws_parser *ws, uint8_t *buf, size_t len, size_t *used)
{
	struct ws_stream	*s = ws->stream;
	struct header		 h;
	enum ws_event		 ev;

	*used = 0;
	ws->data = NULL;
	ws->len = 0;
	ws->code = 0;
	ws->reason = NULL;
	if (len == 0)
		return (WS_EV_AGAIN);
	if (s->inframe) {
		ev = piece(ws, buf, len);
		*used = ws->len;
		return (ev);
	}

	if (header(ws, buf, len, &h) == WS_EV_ERROR)
		return (WS_EV_ERROR);
	if (h.len == 0)
		return (WS_EV_AGAIN);
	if ((h.opcode & CONTROL) != 0) {
		if (len - h.len < h.payload)
			return (WS_EV_AGAIN);
		return (control(ws, &h, buf, used));
	}

	/* A piece with nothing in it would say that the frame is empty. */
	if (h.payload > 0 && len == h.len)
		return (WS_EV_AGAIN);

	if (h.opcode != WS_CONTINUATION) {
		s->message = (uint8_t)h.opcode;
		s->compressed = h.compressed & 1;
	}
	s->final = (uint8_t)h.final;
	s->fragments++;
	s->total += h.payload;
	s->left = h.payload;
	s->phase = 0;
	memcpy(s->mask, buf + h.len - MASKLEN, MASKLEN);
	ev = piece(ws, buf + h.len, len - h.len);
	*used = h.len + ws->len;
	return (ev);
}

size_t
ws_header(uint8_t out[WS_MAXHEADER], int opcode, uint64_t payload)
{
	size_t	 i, n;

	out[0] = (uint8_t)(FIN | opcode);
	if (payload < LENGTH16) {
		out[1] = (uint8_t)payload;
		return (2);
	}
	n = payload <= UINT16_MAX ? 2 : 8;
	out[1] = n == 2 ? LENGTH16 : LENGTH64;
	for (i = 0; i < n; i++)
		out[2 + i] = (uint8_t)(payload >> 8 * (n - 1 - i));
	return (2 + n);
}

size_t
ws_close_frame(uint8_t out[2 + WS_MAXCONTROL], uint16_t code,
    const char *reason, size_t len)
{
	uint32_t	 state = UTF8_START;
	uint8_t		 c;
	size_t		 i, whole = 0;

	if (code == WS_CLOSE_NO_STATUS)
		return (ws_header(out, WS_CLOSE, 0));

	/* A reason that isn't UTF-8 would make the peer fail: cut that, too. */
	for (i = 0; i < len && i < WS_MAXCONTROL - 2; i++) {
		c = (uint8_t)reason[i];
		if (utf8_feed(&state, &c, 1) == -1)
			break;
		if (state == UTF8_START)
			whole = i + 1;
	}
	ws_header(out, WS_CLOSE, 2 + whole);
	out[2] = (uint8_t)(code >> 8);
	out[3] = (uint8_t)(code & 0xff);
	if (whole > 0)
		memcpy(out + 4, reason, whole);
	return (4 + whole);
}

int
ws_close_code_ok(uint16_t code)
{
	return ((code >= 1000 && code <= 1003) ||
	    (code >= 1007 && code <= 1014) ||
	    (code >= 3000 && code <= 4999));
}
