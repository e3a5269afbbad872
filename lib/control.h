/*
 * The control protocol between ws-gatewayctl and the engine: imsg over a unix
 * socket.  The client speaks first with CTL_HELLO; the engine answers it with
 * its own CTL_HELLO or with CTL_FAIL.  Then one request at a time, after the
 * answer to what was sent before; each is answered by any number of records
 * and one CTL_OK or CTL_FAIL (except CTL_MONITOR, which goes on until the
 * client leaves).
 *
 * Texts in arrays of char end with a NUL.  A client that breaks these rules,
 * or keeps the engine waiting, is told CTL_FAIL and closed.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stddef.h>
#include <stdint.h>

#define CTL_VERSION	2
#define CTL_PROCS	4	/* parent, engine, store, keys */

#define CTL_MAXID	64		/* bytes of an identity */
#define CTL_MAXTOKEN	32
#define CTL_MAXSUBJECT	32		/* as the column of the database */
#define CTL_MAXTEXT	256
#define CTL_MAXADDR	64
#define CTL_MAXDETAIL	64
#define CTL_MAXREASON	124		/* of a close frame, with its NUL */
#define CTL_MAXDRAIN	86400000	/* ms, a day */

enum ctl_type {
	CTL_HELLO = 1000,		/* struct ctl_hello */
	CTL_OK,				/* struct ctl_ok */
	CTL_FAIL,			/* struct ctl_fail */

	CTL_SHOW_STATS,
	CTL_SHOW_PLAYERS,
	CTL_SHOW_PLAYER,		/* struct ctl_id */
	CTL_SHOW_QUEUE,
	CTL_SHOW_CONFIG,
	CTL_KICK_PLAYER,		/* struct ctl_kick */
	CTL_KICK_CONN,			/* struct ctl_kick */
	CTL_PUBLISH_BEGIN,		/* struct ctl_publish */
	CTL_PUBLISH_DATA,		/* bytes: event, then payload, pieces */
	CTL_PUBLISH_END,
	CTL_MONITOR,			/* struct ctl_monitor */
	CTL_RELOAD,
	CTL_LOG_LEVEL,			/* struct ctl_number: enum log_level */
	CTL_DRAIN,			/* struct ctl_number: ms */
	CTL_STOP,
	CTL_TOKEN_ADD,			/* struct ctl_token */
	CTL_TOKEN_LIST,
	CTL_TOKEN_REVOKE,		/* struct ctl_token */

	CTL_STATS,			/* struct ctl_stats */
	CTL_PLAYER,			/* struct ctl_player */
	CTL_CONN,			/* struct ctl_conn */
	CTL_QUEUED,			/* struct ctl_queued */
	CTL_LINE,			/* text, no NUL */
	CTL_EVENT,			/* struct ctl_event */
	CTL_TOKEN,			/* struct ctl_token_row */

	CTL_SHOW_STORE,
	CTL_STORE			/* struct ctl_store */
};

/* The same in every version, as are the numbers of HELLO, OK and FAIL. */
struct ctl_hello {
	uint32_t	version;
	char		build[32];	/* version of the program, for people */
};

struct ctl_ok {
	uint64_t	count;		/* kicked, delivered, revoked ... */
	uint64_t	queued;		/* CTL_PUBLISH_*: put into the queue */
};

/* Why a request failed: tells the exit code. */
enum ctl_error {
	CTL_ERR_REQUEST,		/* malformed, or not possible */
	CTL_ERR_NOTFOUND,		/* no such player or connection */
	CTL_ERR_VERSION,
	CTL_ERR_PERMISSION,
	CTL_ERR_BUSY,			/* too many control clients */
	CTL_ERR_FAILED			/* tried and failed: text says why */
};

struct ctl_fail {
	uint32_t	error;		/* enum ctl_error */
	char		text[CTL_MAXTEXT];
};

struct ctl_id {
	uint32_t	len;
	uint8_t		id[CTL_MAXID];
};

struct ctl_number {
	uint64_t	n;
};

struct ctl_kick {
	uint64_t	conn;		/* CTL_KICK_CONN */
	struct ctl_id	player;		/* CTL_KICK_PLAYER */
	char		reason[CTL_MAXREASON];
};

struct ctl_publish {
	uint32_t	broadcast;	/* to all, player is not looked at */
	struct ctl_id	player;
	uint32_t	event_len;	/* plain; CTL_PUBLISH_DATA begins so */
	uint32_t	payload_len;	/* JSON; 0 stands for null */
};

/* Kinds of CTL_EVENT, a bit each for the filter. */
enum ctl_kind {
	CTL_EV_CONNECT		= 1 << 0,
	CTL_EV_DISCONNECT	= 1 << 1,
	CTL_EV_PUBLISH		= 1 << 2,
	CTL_EV_BROADCAST	= 1 << 3,
	CTL_EV_QUEUE		= 1 << 4,	/* put into the offline queue */
	CTL_EV_FLUSH		= 1 << 5,	/* delivered out of it */
	CTL_EV_DROP		= 1 << 6,	/* a message is lost, and why */
	CTL_EV_KICK		= 1 << 7,
	CTL_EV_REFUSE		= 1 << 8	/* a request refused, and why */
};
#define CTL_EV_ALL	0x1ff

struct ctl_monitor {
	uint32_t	kinds;		/* 0: all */
	struct ctl_id	player;		/* len 0: all */
};

struct ctl_event {
	uint64_t	time;		/* ms since the epoch */
	uint32_t	kind;		/* enum ctl_kind; 0: only lost counts */
	uint32_t	lost;		/* events left out before this one */
	uint64_t	conn;		/* 0: none */
	uint64_t	bytes;
	uint64_t	count;		/* deliveries */
	struct ctl_id	player;		/* len 0: none */
	struct ctl_id	event;		/* name of the message, decoded, cut */
	char		detail[CTL_MAXDETAIL];	/* reason, address */
};

struct ctl_stats {
	char		version[32];
	uint64_t	uptime;		/* ms */
	uint64_t	connections;	/* WebSockets open */
	uint64_t	max_connections;	/* 0: not bounded */
	uint64_t	players;
	uint64_t	http;		/* other connections */
	uint64_t	opened;
	uint64_t	closed;
	uint64_t	refused;
	uint64_t	published;
	uint64_t	delivered;
	uint64_t	queued;		/* ever */
	uint64_t	expired;
	uint64_t	dropped;
	uint64_t	queue_messages;	/* now */
	uint64_t	queue_bytes;
	uint64_t	queue_players;
	uint64_t	sendq_bytes;
	uint64_t	slow_closed;
	uint64_t	lookups;
	uint64_t	lookup_errors;
	uint64_t	lookups_pending;
	uint64_t	cache_hits;
	uint64_t	control_clients;
	uint64_t	draining;
	uint64_t	store_up;
	uint64_t	resident[CTL_PROCS];	/* bytes */
	double		cpu[CTL_PROCS];		/* seconds */
	char		store_backend[16];
	char		store_error[CTL_MAXTEXT];
};

/* As of a moment ago: the store tells its figures every other second. */
struct ctl_store {
	char		backend[16];
	uint32_t	up;
	uint32_t	pending;	/* lookups that wait in the store */
	uint64_t	since;		/* ms ago, up or down */
	uint64_t	lookups;	/* tokens looked up */
	uint64_t	batches;	/* queries for them */
	uint64_t	median_us;	/* of a query, lately */
	uint64_t	p99_us;
	uint64_t	errors;
	uint64_t	cache_hits;	/* of servers' tokens */
	uint64_t	timeouts;	/* lookups that had no answer */
	char		error[CTL_MAXTEXT];	/* why it is down */
	char		last_error[CTL_MAXTEXT];
};

struct ctl_player {
	struct ctl_id	player;
	uint64_t	connections;
	uint64_t	since;		/* ms ago, of the oldest connection */
	uint64_t	sent;		/* messages, of those that are open */
	uint64_t	queued;		/* offline */
};

struct ctl_conn {
	uint64_t	conn;		/* its number */
	struct ctl_id	player;
	struct ctl_id	subject;
	char		address[CTL_MAXADDR];
	uint64_t	since;		/* ms ago */
	uint64_t	sent;		/* messages written */
	uint64_t	sent_bytes;
	uint64_t	sendq;		/* messages waiting */
	uint64_t	sendq_bytes;
	uint64_t	received;	/* messages */
	int64_t		ttl;		/* ms until the token expires */
};

struct ctl_queued {
	struct ctl_id	player;
	uint64_t	messages;
	uint64_t	bytes;
	uint64_t	oldest;		/* ms ago */
	uint64_t	next_expiry;	/* ms ahead */
};

enum ctl_by {
	CTL_BY_TOKEN,
	CTL_BY_PLAYER,
	CTL_BY_SERVER
};

struct ctl_token {
	uint32_t	kind;		/* 0 player, 1 server */
	uint32_t	by;		/* enum ctl_by, of a revoke */
	uint32_t	len;
	uint8_t		value[CTL_MAXID];
	uint64_t	ttl;		/* ms */
};

struct ctl_token_row {
	uint32_t	kind;
	uint32_t	token_len;
	uint8_t		token[CTL_MAXTOKEN];	/* whole only when added */
	struct ctl_id	identity;
	struct ctl_id	subject;
	int64_t		ttl;		/* ms; negative: expired */
};

/* Where a daemon that root has started listens. */
extern const char	control_system_path[];

/* The socket's default path for the calling user, into BUF. */
const char	*control_default_path(char *buf, size_t);

#endif /* CONTROL_H */
