/*
 * Sec-WebSocket-Extensions of a client: the grammar of RFC 6455, 9.1, and
 * which offer of permessage-deflate will do (RFC 7692, 7.1).
 *
 * No I/O, no allocation.
 */
#ifndef WS_EXTENSION_H
#define WS_EXTENSION_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed at first; what the lines of a request agree on. */
struct ws_deflate {
	uint8_t		 agreed;
	uint8_t		 server_bits;	/* 15: it was asked for; or 0 */
};

/*
 * Read one line's value.  The first offer that we can keep is taken, whatever
 * follows.  Ours is never to take over a context, and a window of 15 bits: an
 * offer that wants a smaller window of us is declined, as is one with a
 * parameter that is unknown, there twice, or has a value that it must not
 * have.  Returns 0, or -1 when the line is against the grammar.
 */
int	ws_extension_parse(struct ws_deflate *, const char *, size_t);

#endif /* WS_EXTENSION_H */
