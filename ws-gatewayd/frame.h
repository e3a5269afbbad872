/*
 * What goes out to a socket: bytes that are encoded once, never change, and
 * are shared by every connection and queue that holds a reference.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stddef.h>
#include <stdint.h>

struct frame {
	uint32_t	refs;
	uint32_t	len;		/* bytes of data */
	uint32_t	event_off;	/* of the event's JSON string in data */
	uint32_t	event_len;
	uint64_t	fanout;		/* ms when it went out, 0: is not timed */
	struct frame	*deflated;	/* its other form, or NULL: see below */
	uint8_t		tried;		/* to make that */
	uint8_t		message;	/* counts as a delivery when written */
	uint8_t		close;		/* a WebSocket close frame */
	uint8_t		data[];
};

/*
 * A text frame {"event":EVENT,"payload":PAYLOAD} of JSON bytes; no payload
 * (NULL) is null.  All of these return a frame with one reference; out of
 * memory is fatal.
 */
struct frame	*frame_message(const char *event, size_t elen,
		    const char *payload, size_t plen);
/* A ping, pong or other small frame. */
struct frame	*frame_control(int opcode, const void *data, size_t len);
struct frame	*frame_close(uint16_t code, const char *reason);
/* Plain bytes, such as an HTTP response. */
struct frame	*frame_bytes(const void *, size_t);
/* Room for LEN plain bytes that the caller fills before anyone else sees it. */
struct frame	*frame_room(size_t len);

/*
 * Make the form of a text or binary frame for those who speak
 * permessage-deflate, if that has not been tried and it is worth it.  It is
 * this frame's own, and never changes, nor does its absence, once somebody was
 * given the frame: bytes that wait are counted by it.
 */
void		 frame_deflate(struct frame *);

struct frame	*frame_ref(struct frame *);
void		 frame_unref(struct frame *);

#endif /* FRAME_H */
