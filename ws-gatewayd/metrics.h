/*
 * What the engine counts.  No label carries a player, a token or an address.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "proc.h"

/* Why a WebSocket ended. */
enum close_reason {
	CLOSE_CLIENT,			/* close handshake by the client */
	CLOSE_EOF,			/* it went away without one */
	CLOSE_ERROR,			/* of the socket */
	CLOSE_PROTOCOL,			/* 1002 */
	CLOSE_BAD_DATA,			/* 1007 */
	CLOSE_TOO_BIG,			/* 1009 */
	CLOSE_PONG_TIMEOUT,
	CLOSE_SLOW,			/* send queue over its bound */
	CLOSE_MEMORY,			/* the memory budget was used up */
	CLOSE_KICK,
	CLOSE_TOKEN,			/* expired or revoked */
	CLOSE_DRAIN,
	CLOSE_SHUTDOWN,
	CLOSE_REASONS
};

/* Why a request or a connection was refused. */
enum refuse_reason {
	REFUSE_MISSING_TOKEN,
	REFUSE_INVALID_TOKEN,
	REFUSE_SERVER_TOKEN,		/* a publisher's is not valid */
	REFUSE_PLAYER_CONNS,		/* too many of one player */
	REFUSE_CONNS,			/* too many in total */
	REFUSE_ADDRESS,			/* too many of one address */
	REFUSE_HANDSHAKES,		/* too many in progress */
	REFUSE_HANDSHAKE_RATE,
	REFUSE_MEMORY,			/* the budget is used up */
	REFUSE_DESCRIPTORS,		/* out of them */
	REFUSE_METHOD,			/* only GET there */
	REFUSE_POST_ONLY,
	REFUSE_HANDSHAKE,
	REFUSE_VERSION,
	REFUSE_ORIGIN,
	REFUSE_RATE,
	REFUSE_BODY,			/* not what the endpoint takes */
	REFUSE_TOO_LARGE,
	REFUSE_HTTP,			/* not valid HTTP */
	REFUSE_HEADER,			/* request line or head too large */
	REFUSE_TIMEOUT,			/* request not complete in time */
	REFUSE_NOT_FOUND,
	REFUSE_STORE,			/* the database did not answer */
	REFUSE_LOOKUPS,			/* too many pending */
	REFUSE_DRAINING,
	REFUSE_UNTRUSTED,		/* no proxy of ours where one must be */
	REFUSE_PROXY,			/* no valid PROXY header */
	REFUSE_REASONS
};

enum publish_result {
	PUBLISH_DELIVERED,
	PUBLISH_QUEUED,
	PUBLISH_LOST,			/* nobody there, no queue */
	PUBLISH_BROADCAST,
	PUBLISH_RESULTS
};

/* Why a message that was taken did not reach a connection. */
enum drop_reason {
	DROP_QUEUE_FULL,		/* the player's, oldest first */
	DROP_QUEUE_TOTAL,		/* all queues together, oldest first */
	DROP_NO_QUEUE,			/* queueing is off */
	DROP_MEMORY,			/* the memory budget was used up */
	DROP_CLOSED,			/* its connection ended before */
	DROP_REASONS
};

#define HIST_BUCKETS	12

struct histogram {
	uint64_t	count[HIST_BUCKETS + 1];	/* last: +Inf */
	double		sum;				/* seconds */
};

struct metrics {
	uint64_t	connections;		/* WebSockets open */
	uint64_t	http_connections;	/* others open */
	uint64_t	players;		/* with a connection */
	uint64_t	opened;
	uint64_t	closed[CLOSE_REASONS];
	uint64_t	refused[REFUSE_REASONS];
	uint64_t	accepted;		/* sockets */
	uint64_t	accept_errors;
	uint64_t	published;
	uint64_t	delivered;
	uint64_t	publish[PUBLISH_RESULTS];
	uint64_t	dropped[DROP_REASONS];
	uint64_t	queued;
	uint64_t	queue_flushed;
	uint64_t	queue_expired;
	uint64_t	queue_messages;		/* now */
	uint64_t	queue_bytes;
	uint64_t	queue_players;
	uint64_t	sendq_bytes;		/* now, all connections */
	uint64_t	memory_bytes;		/* now, of the budget */
	uint64_t	handshakes;		/* now, in progress */
	uint64_t	tls_handshakes;		/* that were done */
	uint64_t	tls_handshakes_failed;
	uint64_t	tls_handshakes_pending;	/* now */
	uint64_t	tls_signatures;		/* by the keys process */
	uint64_t	tls_signatures_failed;
	uint64_t	received;		/* messages of players */
	uint64_t	compressing;		/* WebSockets that agreed on it */
	uint64_t	deflated;		/* messages, once each */
	uint64_t	deflate_in;		/* bytes of them */
	uint64_t	deflate_out;
	uint64_t	inflate_in;		/* of players, compressed */
	uint64_t	inflate_out;
	uint64_t	requests;		/* HTTP */
	uint64_t	lookups;
	uint64_t	lookup_errors;		/* answered STORE_ERROR or late */
	uint64_t	lookups_pending;	/* now */
	uint64_t	cache_hits;
	uint64_t	revalidated;
	uint64_t	control_clients;	/* now */
	uint64_t	monitor_lost;
	uint64_t	limit_connections;	/* as set, beside what is */
	uint64_t	limit_memory;
	uint64_t	limit_queue_messages;
	uint64_t	limit_queue_bytes;
	uint64_t	limit_queue_players;
	uint64_t	limit_handshakes;
	uint64_t	limit_lookups;
	uint64_t	log_lost;
	struct histogram fanout;
	struct histogram lookup;
	struct store_state store;
	struct procstat	proc[PROC_COUNT];
};

extern struct metrics	metrics;

void	 hist_observe(struct histogram *, double seconds);
const char *close_reason_name(enum close_reason);
const char *refuse_reason_name(enum refuse_reason);
const char *drop_reason_name(enum drop_reason);

/*
 * The Prometheus text exposition (version 0.0.4) into a fresh buffer that the
 * caller frees; UPTIME in ms.
 */
char	*metrics_render(uint64_t uptime, int draining, size_t *len);

#endif /* METRICS_H */
