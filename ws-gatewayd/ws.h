/*
 * WebSocket frames (RFC 6455): bytes in, events out, and frame headers.
 *
 * No I/O, no clock, no allocation.  Server side: what comes in must be masked,
 * what goes out is not.
 */
#ifndef WS_H
#define WS_H

#include <stddef.h>
#include <stdint.h>

#define WS_MAXCONTROL	125		/* payload of a control frame, 5.5 */
#define WS_MAXHEADER	10		/* of a frame we send, 5.2 */
#define WS_RSV1		0x40		/* in its first byte: RFC 7692, 6 */

enum ws_opcode {
	WS_CONTINUATION	= 0x0,
	WS_TEXT		= 0x1,
	WS_BINARY	= 0x2,
	WS_CLOSE	= 0x8,
	WS_PING		= 0x9,
	WS_PONG		= 0xa
};

/* Close codes, 7.4.1 and the IANA registry. */
#define WS_CLOSE_NORMAL		1000
#define WS_CLOSE_GOING_AWAY	1001
#define WS_CLOSE_PROTOCOL	1002
#define WS_CLOSE_UNACCEPTABLE	1003
#define WS_CLOSE_NO_STATUS	1005	/* never on the wire */
#define WS_CLOSE_ABNORMAL	1006	/* never on the wire */
#define WS_CLOSE_BAD_DATA	1007
#define WS_CLOSE_POLICY		1008
#define WS_CLOSE_TOO_BIG	1009
#define WS_CLOSE_INTERNAL	1011
#define WS_CLOSE_RESTART	1012
#define WS_CLOSE_TRY_LATER	1013

enum ws_event {
	WS_EV_AGAIN,		/* needs more bytes; keep the unused ones */
	WS_EV_DATA,		/* a piece of a message: data, opcode, fin */
	WS_EV_PING,		/* data is its payload */
	WS_EV_PONG,
	WS_EV_CLOSE,		/* code (1005 without one), data is the reason */
	WS_EV_ERROR		/* code to close with, reason; the end */
};

/* What is kept of a stream between two pieces of it. */
struct ws_stream {
	uint64_t	 left;		/* payload bytes of this data frame to come */
	uint64_t	 total;		/* payload bytes of this message */
	uint32_t	 fragments;
	uint8_t		 mask[4];
	uint32_t	 utf8;		/* decoder state, see utf8.h */
	uint8_t		 phase:2;	/* next mask byte */
	uint8_t		 final:1;	/* this frame has FIN */
	uint8_t		 inframe:1;
	uint8_t		 message:4;	/* opcode of the open message, or 0 */
	uint8_t		 deflate:1;	/* RFC 7692 was negotiated */
	uint8_t		 compressed:1;	/* the open message is */
};

struct ws_parser {
	/* Set by ws_init(). */
	struct ws_stream *stream;
	uint64_t	 maxmessage;	/* bytes of one message */
	uint32_t	 maxfragments;	/* data frames of one message */

	/* Of the last event. */
	uint8_t		*data;		/* in the caller's buffer, unmasked */
	size_t		 len;
	int		 opcode;	/* of the message: WS_TEXT or WS_BINARY */
	int		 fin;		/* the message ends with this piece */
	int		 compressed;	/* so is the piece: its length is not
					   the message's, its text unchecked */
	uint16_t	 code;
	const char	*reason;	/* of WS_EV_ERROR: static text */
};

/*
 * A stream begins; a zeroed one is not ready.  Who has negotiated RFC 7692 sets
 * deflate then.
 */
void		 ws_stream_init(struct ws_stream *);

/* Begin or go on with a stream, to which the parser keeps the pointer. */
void		 ws_init(struct ws_parser *, struct ws_stream *,
		    uint64_t maxmessage, uint32_t maxfragments);

/*
 * Take the next event out of BUF, whose bytes are unmasked in place; *USED
 * counts what was consumed.  Control frames come whole: an incomplete one (at
 * most 14 + 125 bytes), or an incomplete frame header, is left unused with
 * WS_EV_AGAIN, and the caller gives the same bytes again with more.  Pieces of
 * data frames come as they are.  An empty data frame is an event, too.
 *
 * Errors: WS_CLOSE_PROTOCOL for RSV bits (but RSV1 of the first frame of a
 * message, where it was negotiated), unknown opcodes, an unmasked frame,
 * a fragmented or long control frame, a length that is not minimal or has its
 * top bit set, a continuation without a start or a start inside a message, a
 * close frame with a one-byte payload or an invalid code, too many fragments
 * is WS_CLOSE_POLICY; WS_CLOSE_BAD_DATA for bad UTF-8 in a text message (as
 * soon as it can be known) or a close reason; WS_CLOSE_TOO_BIG for a message
 * over the limit (from the header on).  A compressed message may be a little
 * over it, as incompressible data are: what comes out is for others to bound.
 */
enum ws_event	 ws_parse(struct ws_parser *, uint8_t *buf, size_t len,
		    size_t *used);

/* Write a header of an unmasked final frame; returns its length. */
size_t		 ws_header(uint8_t out[WS_MAXHEADER], int opcode,
		    uint64_t payload);

/*
 * Write a whole close frame; a code of WS_CLOSE_NO_STATUS gives an empty one.
 * The reason is cut at a character boundary to fit.  Returns its length, at
 * most 2 + WS_MAXCONTROL.
 */
size_t		 ws_close_frame(uint8_t out[2 + WS_MAXCONTROL], uint16_t code,
		    const char *reason, size_t len);

/* Whether a peer may send this close code (7.4). */
int		 ws_close_code_ok(uint16_t code);

#define WS_ACCEPTLEN	28		/* base64 of a SHA-1 */

/* Sec-WebSocket-Key is 16 bytes in canonical base64 (4.2.1). */
int		 ws_key_ok(const char *key, size_t len);

/* Sec-WebSocket-Accept for a key (4.2.2), WS_ACCEPTLEN bytes, no NUL. */
void		 ws_accept(const char *key, size_t len,
		    char out[WS_ACCEPTLEN]);

#endif /* WS_H */
