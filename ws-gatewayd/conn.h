/*
 * A connection: its socket, what was read and not yet used, what waits to be
 * written, and which protocol it speaks.
 *
 *	accept -> (PROXY ->) (TLS ->) HTTP -> WS -> CLOSING -> LINGER -> gone
 */
#ifndef CONN_H
#define CONN_H

#include <sys/queue.h>

#include <stddef.h>
#include <stdint.h>

#include "lookup.h"
#include "metrics.h"
#include "network.h"
#include "proc.h"
#include "timer.h"
#include "ws.h"

struct conn_list;
struct event_base;
struct frame;
struct inflater;
struct player;
struct request;
struct sockaddr;

enum conn_state {
	CONN_PROXY,		/* its proxy has yet to say whose it is */
	CONN_TLS,		/* shakes hands, before it says anything */
	CONN_HTTP,		/* reads requests */
	CONN_WS,		/* is a WebSocket in the hub */
	CONN_CLOSING,		/* close frame sent, awaits the peer's */
	CONN_LINGER,		/* all is said; reads until the peer closes */
	CONN_DEAD		/* closed, freed at the end of the loop turn */
};

/* What was read and could not be used yet. */
struct conn_part {
	size_t		 n;
	uint8_t		 bytes[];
};

/* The token it came with, and whose that is. */
struct conn_who {
	uint8_t		 token_len;
	uint8_t		 subject_len;
	uint8_t		 bytes[];	/* the token, then the subject */
};

/* Frames that wait for the socket: a ring of references. */
struct outq {
	struct frame	**ring;
	struct frame	 *slot;		/* the ring of one, mostly enough */
	uint32_t	 size;		/* of the ring, a power of two or 0 */
	uint32_t	 head;
	uint32_t	 n;
	uint32_t	 off;		/* bytes of the first that are written */
	uint64_t	 bytes;		/* that wait */
	uint64_t	 backlog;	/* of them from the offline queue: not
					   held against the connection */
	uint32_t	 nbacklog;	/* frames of those */
	uint32_t	 nmessages;	/* frames that are messages */
	uint64_t	 soft_deadline;	/* 0: it is under its soft bound */
};

/* In the order of use: a message to very many touches the first 64 bytes. */
struct conn {
	TAILQ_ENTRY(conn)	 entry;		/* hub_conns, or the other ones */
	TAILQ_ENTRY(conn)	 dirty;		/* has work for the end of the
						   loop turn; dead */
	struct outq		*out;		/* NULL: nothing waits */
	int			 fd;
	uint8_t			 state:4;	/* enum conn_state */
	uint8_t			 watched:2;	/* WATCH_READ, WATCH_WRITE */
	uint8_t			 tls:1;		/* see transport.c */
	uint8_t			 reason;	/* enum close_reason */
	uint8_t			 listener;	/* that accepted it */
	uint8_t			 isdirty:1;
	uint8_t			 look:1;	/* at what was kept of its bytes */
	uint8_t			 paused:1;	/* does not read */
	uint8_t			 closeafter:1;	/* HTTP: end after the output */
	uint8_t			 served:1;	/* HTTP: a request before this */
	uint8_t			 inhub:1;
	uint8_t			 checking:1;	/* on the revalidation list */
	uint8_t			 deflate:1;	/* CONN_WS, and after it: speaks
						   permessage-deflate */
	uint64_t		 sent;		/* messages */
	uint64_t		 sent_bytes;

	uint64_t		 received;
	TAILQ_ENTRY(conn)	 siblings;	/* of the same player */
	TAILQ_ENTRY(conn)	 check;		/* order of revalidation */
	struct timer		 timer;
	uint64_t		 id;
	uint64_t		 since;		/* ms, monotonic */
	struct conn_who		*who;		/* CONN_WS, and after it */
	struct lookup_waiter	*lookup;	/* NULL: awaits no answer */
	struct player		*player;	/* CONN_WS */
	union {
		struct request	*req;		/* the one in progress, or NULL;
						   if it is not deflate */
		struct inflater	*inflate;	/* NULL: no message is open */
	};
	struct conn_part	*part;		/* NULL: nothing is kept */
	uint32_t		 seq;		/* of the last broadcast it got */
	struct conn_addr	 addr;
	struct ws_stream	 ws;
	uint64_t		 deadline;	/* CONN_HTTP: of the request;
						   CONN_WS: the next ping */
	uint64_t		 pong_deadline;
	uint64_t		 expires;	/* of the token, ms monotonic */
	uint64_t		 checked;	/* token last found valid */
};

/* conn.c: life */
void	 conn_init(struct event_base *);
/*
 * Takes the fd that LISTENER accepted, and a context of TLS that is held (NULL:
 * it is plain), or returns -1: its address has as many as it may.
 */
struct tls_context;
int	 conn_new(int fd, const struct sockaddr *, uint8_t listener,
	    struct tls_context *);
/* Its address is known, and counted: what it speaks first. */
void	 conn_begin(struct conn *);
/*
 * Close at once, counted under REASON; the connection leaves the hub and is
 * freed at the end of the loop turn.
 */
void	 conn_drop(struct conn *, enum close_reason);
/* The end of a loop turn: free those that were dropped. */
void	 conn_reap(void);
/* Those outside the hub, HTTP or closing, are listed and counted here. */
extern struct conn_list conn_others;
void	 conn_count(struct conn *);
void	 conn_discount(struct conn *);
/*
 * Bytes of input that is not complete, and of output that the peer doesn't
 * take: what it was not offered yet is not held against it.
 */
uint64_t conn_held(const struct conn *);
/* The daemon stops: end the HTTP connections as soon as they are answered. */
void	 conn_stop_others(void);
/* Watch the socket for WATCH_READ, WATCH_WRITE, both or nothing. */
void	 conn_watch(struct conn *, int what);
/* The end of a loop turn: what was kept of its bytes is looked at again. */
void	 conn_again(struct conn *);
/* Keep what could not be used yet, and only that, for the next read. */
void	 conn_keep(struct conn *, const uint8_t *, size_t);
/* Remember who it is, once. */
void	 conn_identify(struct conn *, const uint8_t *token, size_t len,
	    const struct store_result *);
const uint8_t *conn_subject(const struct conn *);
/* Stop reading, or go on. */
void	 conn_pause(struct conn *);
void	 conn_resume(struct conn *);
/* Say no more: write what waits, shut down, read until the peer closes. */
void	 conn_linger(struct conn *);
/*
 * "192.0.2.1", "2001:db8::1", "unix", and with the port: of the client, if a
 * proxy has said who that is.
 */
const char *conn_ip(const struct conn *, char *buf, size_t);
const char *conn_address(const struct conn *, char *buf, size_t);
/* The WebSocket of that number, or NULL. */
struct conn *conn_by_id(uint64_t);
/* output.c: the way out */
/*
 * Queue a frame (takes a reference of its own); it is written at the end of
 * this loop turn.  URGENT goes before the rest of a broadcast.  A connection
 * over its send-queue bound, or with no memory for a longer queue, is dropped:
 * returns 0 then, 1 when it was taken.
 */
int	 conn_send(struct conn *, struct frame *, int urgent);
/* The same for what comes out of the offline queue: over no bound. */
int	 conn_send_backlog(struct conn *, struct frame *);
/* Queue a broadcast; only broadcast.c, who knows the order, may do so. */
void	 conn_queue(struct conn *, struct frame *);
/*
 * How many connections a broadcast is written to between two looks at all the
 * others: one who wants something must not wait long.  At most SLICE.
 */
#define SLICE	128
unsigned output_slice(void);
/*
 * Write now to each of N connections (at most SLICE), for which nothing waits,
 * as many broadcasts as it is behind by and its socket takes.  DONE gets how
 * many are done with: the rest of one that went out in part is queued.
 */
void	 conn_write_many(struct conn **, uint32_t *done, unsigned n);
/* Write now what the socket takes. */
void	 conn_flush(struct conn *);
void	 output_init(struct event_base *);
/* Before confinement: write through io_uring(7), or say why not. */
void	 output_use_ring(void);
/* Forget the output of a connection that ends. */
void	 output_forget(struct conn *);
/* There is something to do with it at the end of this loop turn. */
void	 output_turn(struct conn *);
/* There is something to do at the end of this loop turn. */
void	 output_wake(void);
/* Something is still to be written to a connection at the next chance. */
int	 output_pending(const struct conn *);

/* session_data.c: the parser has a piece of a message */
void	 session_data(struct conn *, const struct ws_parser *);

/* session_inflate.c: compressed messages */
/*
 * The parser has a piece of one: what comes out goes to session_data().
 * Returns 0, or -1 with the parser's code and reason of an error.
 */
int	 session_inflate(struct conn *, struct ws_parser *);
/* Forget the open message of a connection that is deflate. */
void	 session_inflate_end(struct conn *);
/* What that costs, in bytes. */
size_t	 session_inflate_size(const struct conn *);

/* session.c: a WebSocket */
/*
 * Go from HTTP to WebSocket: the connection is in the hub already, and has no
 * request any more.
 */
void	 session_start(struct conn *, const struct store_result *,
	    int deflate);
/* Bytes came; returns how many were used. */
size_t	 session_input(struct conn *, uint8_t *, size_t);
/* Start the close handshake. */
void	 session_close(struct conn *, uint16_t code, const char *text,
	    enum close_reason);
/* The send queue is over its soft bound: it has its time to get under it. */
void	 session_watch(struct conn *);
/* All is said: how long the peer has to close. */
void	 session_end(struct conn *);
/* A WebSocket leaves the hub; counted and logged. */
void	 session_gone(struct conn *);

/* request.c: HTTP */
/* Bytes came; returns how many were used. */
size_t	 request_input(struct conn *, uint8_t *, size_t);
/* The handshake of TLS has its time. */
void	 request_shaking(struct conn *);
/* A new connection, or one whose output has gone: set its timer. */
void	 request_idle(struct conn *);
void	 request_free(struct conn *);

#endif /* CONN_H */
