/*
 * The header of the PROXY protocol, versions 1 and 2: what a proxy says of its
 * client before the client's own bytes.  Bytes in, address out; no I/O.
 */
#ifndef PROXY_PROTOCOL_H
#define PROXY_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#include "network.h"

#define PROXY_V1_MAX	107		/* a line with its end */
#define PROXY_V2_HEAD	16
#define PROXY_V2_MAX	(PROXY_V2_HEAD + 4096)

enum proxy_result {
	PROXY_AGAIN,			/* needs more bytes */
	PROXY_OK,
	PROXY_ERROR			/* see reason; must close */
};

struct proxy_header {
	size_t			 used;	/* after PROXY_OK: its bytes */
	/*
	 * The client.  AF_UNSPEC: the proxy speaks for itself, or has a client
	 * that it can't tell the address of; the socket's own counts.
	 */
	struct conn_addr	 addr;
	const char		*reason;	/* one line, static */
};

/*
 * LEN counts all bytes that have come so far: call again with the same bytes
 * and more.  Never asks for more than PROXY_V2_MAX; an error is found at the
 * first byte that can't be right, or as soon as the parts that hold it are
 * whole.
 */
enum proxy_result proxy_protocol(const uint8_t *, size_t len,
		    struct proxy_header *);

#endif /* PROXY_PROTOCOL_H */
