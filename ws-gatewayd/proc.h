/*
 * The processes and what they say to each other.  Every message is flat: a
 * struct of fixed size without pointers, or bytes.  A message of the wrong
 * length from a sibling is fatal.
 */
#ifndef PROC_H
#define PROC_H

#include <sys/types.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdint.h>

#include "imsg.h"
#include "procstat.h"
#include "sandbox.h"

#define PROC_FD		3		/* a child's socket to its parent */

enum proc_id {
	PROC_PARENT,
	PROC_ENGINE,
	PROC_STORE,
	PROC_KEYS,			/* with TLS, and keys kept apart */
	PROC_STARTER,
	PROC_COUNT
};

enum imsg_type {
	IMSG_NONE,

	/* parent -> child */
	IMSG_CONF_BEGIN,		/* struct settings */
	IMSG_CONF_ORIGIN,		/* text; engine */
	IMSG_CONF_PROXY,		/* struct network; engine */
	IMSG_CONF_LINE,			/* of show config, text; engine */
	IMSG_CONF_DATABASE,		/* struct conf_database; store */
	IMSG_CONF_PROCESS,		/* struct conf_process: whom to become */
	IMSG_CONF_LISTENER,		/* struct conf_listener; engine */
	IMSG_CONF_TLS_RESET,		/* struct settings: a new set begins,
					   or there is to be none */
	IMSG_CONF_TLS_BEGIN,		/* struct conf_tls_context; engine */
	IMSG_CONF_TLS_CA,		/* a piece of a PEM file; engine */
	IMSG_CONF_TLS_CERT,		/* a piece of a PEM file; engine */
	IMSG_CONF_TLS_KEY,		/* a piece of a PEM file; keys, or engine */
	IMSG_CONF_TLS_OCSP,		/* a piece of a DER file; engine */
	IMSG_CONF_TLS_KEYPAIR,		/* text, its name: it is whole */
	IMSG_CONF_TLS_CHECK,		/* before the rest; engine, keys */
	IMSG_CONF_END,
	IMSG_PEER,			/* fd: the socket to the sibling */
	IMSG_KEYS_PEER,			/* fd: between engine and keys */
	IMSG_LISTENER,			/* fd; the id is its number; engine */
	IMSG_CONTROL,			/* fd of the control socket; engine */
	IMSG_LOG_LEVEL,			/* uint32_t */
	IMSG_PING,			/* are you there?  engine */
	IMSG_SHUTDOWN,
	IMSG_START_STORE,		/* fd, the id to speak of it by; starter */
	IMSG_KILL_STORE,		/* that id; starter */

	/* child -> parent */
	IMSG_READY,			/* confined and at work */
	IMSG_REFUSE,			/* text: why it can't start */
	IMSG_LOG,			/* uint32_t level, then a line */
	IMSG_STORE_ENDED,		/* int32_t of wait(2), its id; starter */
	IMSG_STORE_TAKEN,		/* the new one is in use; engine */

	/* engine, keys -> parent, the answer to a check; with its number */
	IMSG_CONF_TLS_CHECKED,		/* text: "" or what is wrong */

	/* engine -> parent, for ws-gatewayctl; and the answer */
	IMSG_CTL_RELOAD,		/* the id to answer with */
	IMSG_CTL_RELOADED,		/* text: "" or what was wrong */
	IMSG_CTL_LOG_LEVEL,		/* uint32_t */
	IMSG_CTL_STOP,

	/* engine -> parent */
	IMSG_PONG,			/* struct engine_state */

	/* parent and store -> engine, keys -> parent -> engine */
	IMSG_PROCSTAT,			/* struct proc_usage */

	/* engine -> store */
	IMSG_STORE_LOOKUP,		/* struct store_lookup [] */
	IMSG_STORE_TOKEN_ADD,		/* struct token_request */
	IMSG_STORE_TOKEN_LIST,
	IMSG_STORE_TOKEN_REVOKE,	/* struct token_request */

	/* store -> engine */
	IMSG_STORE_RESULT,		/* struct store_result [] */
	IMSG_STORE_STATE,		/* struct store_state */
	IMSG_STORE_TOKEN,		/* struct token_row */
	IMSG_STORE_REVOKED,		/* struct store_lookup []: gone tokens */
	IMSG_STORE_DONE,		/* struct token_done: end of a request */

	/* engine -> keys, and the answer */
	IMSG_KEYS_SIGN,			/* struct key_request */
	IMSG_KEYS_SIGNED		/* struct key_answer */
};

/* With IMSG_CONF_PROCESS. */
struct conf_process {
	uint32_t	drop;			/* become this user */
	uid_t		uid;
	gid_t		gid;
	char		user[64];
	char		chroot[1024];		/* "" for none */
};

#define LISTENER_MAX	255		/* sockets */

/* With IMSG_CONF_LISTENER; a socket without one is closed. */
struct conf_listener {
	uint32_t	id;
	uint32_t	roles;			/* ROLE_ */
	uint32_t	proxy_protocol;
	uint32_t	tls;			/* number of its context, 0: plain */
	char		address[128];		/* for the log */
};

/* With IMSG_CONF_TLS_BEGIN. */
struct conf_tls_context {
	uint32_t	id;			/* from 1 on, see conf_listener */
	uint32_t	tickets;
	char		protocols[256];		/* "": the library's default */
	char		ciphers[1024];
};

/* With IMSG_CONF_DATABASE. */
struct conf_database {
	uint32_t	db;			/* enum conf_db */
	uint32_t	create;
	char		dsn[2048];
	char		cwd[1024];		/* a relative path starts here */
	char		password[256];		/* out of a file, "": none */
	char		tls_ca[1024];		/* paths, "": none */
	char		tls_cert[1024];
	char		tls_key[1024];
};

/* With IMSG_PONG. */
struct engine_state {
	uint64_t	players;		/* connected */
	uint64_t	connections;
	uint64_t	queued;			/* messages */
	uint32_t	draining;
	uint32_t	pad;
};

struct proc_usage {
	uint32_t	proc;			/* enum proc_id */
	struct procstat	stat;
};

#define TOKEN_MAX	32			/* bytes of a token */
#define SUBJECT_MAX	64			/* bytes of a subject or identity */

enum token_kind {
	TOKEN_PLAYER,
	TOKEN_SERVER
};

struct store_lookup {
	uint32_t	id;			/* the engine's, given back */
	uint8_t		kind;			/* enum token_kind */
	uint8_t		len;
	uint8_t		token[TOKEN_MAX];
};

enum store_status {
	STORE_VALID,
	STORE_INVALID,
	STORE_ERROR				/* the database did not answer */
};

struct store_result {
	uint32_t	id;
	uint8_t		status;			/* enum store_status */
	uint8_t		identity_len;
	uint8_t		subject_len;
	uint8_t		pad;
	int64_t		ttl;			/* ms until it expires */
	uint8_t		identity[SUBJECT_MAX];	/* IFNULL(player_id, subject_id) */
	uint8_t		subject[SUBJECT_MAX];	/* subject_id */
};

/* Sent at every change, and with the figures every few seconds. */
struct store_state {
	uint32_t	up;			/* the database answers */
	uint32_t	pending;		/* lookups waiting in the store */
	uint64_t	lookups;		/* tokens looked up */
	uint64_t	batches;		/* queries run */
	uint64_t	errors;			/* queries that failed */
	uint64_t	since;			/* of up or down; now_ms() */
	uint64_t	median_us;		/* of a query */
	uint64_t	p99_us;
	char		backend[16];
	char		error[256];		/* why it is down, "" if not */
	char		last_error[256];	/* "" if there was none */
};

struct token_request {
	uint32_t	id;			/* the engine's, given back */
	uint8_t		kind;			/* enum token_kind */
	uint8_t		by;			/* enum token_by, for revoke */
	uint8_t		len;
	uint8_t		pad;
	uint8_t		value[SUBJECT_MAX];	/* subject, player or token */
	int64_t		ttl;			/* ms; for add */
};

enum token_by {
	TOKEN_BY_TOKEN,
	TOKEN_BY_PLAYER,
	TOKEN_BY_SERVER
};

/* A row of the list (token: its first 4 bytes only), or the one just added. */
struct token_row {
	uint32_t	id;
	uint8_t		kind;
	uint8_t		token_len;
	uint8_t		identity_len;
	uint8_t		subject_len;
	uint8_t		token[TOKEN_MAX];
	uint8_t		identity[SUBJECT_MAX];
	uint8_t		subject[SUBJECT_MAX];
	int64_t		ttl;			/* ms left; negative: expired */
};

struct token_done {
	uint32_t	id;
	uint32_t	count;			/* rows listed, added, revoked */
	char		error[256];		/* "" when it worked */
};

/*
 * An imsg socket in an event loop.  DISPATCH gets each message, which is freed
 * after it; it may ipc_close(), but the struct must outlive the call.  GONE is
 * called when the peer has closed or the stream is broken, and must not use
 * the ipc again (it may exit or ipc_close()).
 */
struct ipc {
	struct imsgbuf		 ibuf;
	struct event		 ev_read;
	struct event		 ev_write;
	void			(*dispatch)(struct ipc *, struct imsg *);
	void			(*gone)(struct ipc *);
	void			*arg;
	int			 dead;
};

void	ipc_init(struct ipc *, struct event_base *, int fd,
	    void (*dispatch)(struct ipc *, struct imsg *),
	    void (*gone)(struct ipc *), void *arg);
void	ipc_close(struct ipc *);
/* Queue a message; FD (or -1) is owned by the ipc then.  Fatal without memory. */
void	ipc_send(struct ipc *, uint32_t type, uint32_t id, int fd,
	    const void *data, size_t len);
/* Two parts, one message; -1 without memory. */
int	ipc_try(struct ipc *, uint32_t type, const void *, size_t,
	    const void *, size_t);
/*
 * event_add(3) where nobody could go on without: the process ends, before it
 * waits for ever.
 */
void	event_want(struct event *, const struct timeval *);
/* Messages not yet written. */
uint32_t ipc_queued(struct ipc *);
/* Write what is queued, blocking; for the last words before an exit. */
void	ipc_flush(struct ipc *);

/* Copy a message of exactly LEN bytes out, or fatal: a sibling is broken. */
void	ipc_data(struct imsg *, void *, size_t len);

/*
 * The children's main functions: fd PROC_FD is the parent.  They never return.
 * The starter is told the path of the binary.
 */
void	engine_main(void) __attribute__((__noreturn__));
void	store_main(void) __attribute__((__noreturn__));
void	keys_main(void) __attribute__((__noreturn__));
void	starter_main(const char *) __attribute__((__noreturn__));

/*
 * proc_exec.c: after fork(2), become the child ID, of the binary SELF, whose
 * socket to the parent is FD.  QUIET: without a standard error.
 */
void	proc_exec(const char *self, enum proc_id, int fd, int quiet)
	    __attribute__((__noreturn__));

/*
 * proc.c, the child's side: title, early confinement, event base, log sink to
 * the parent, the socket to it.  DISPATCH gets all but IMSG_LOG_LEVEL.
 */
struct event_base *proc_child_init(const char *title,
	    void (*dispatch)(struct ipc *, struct imsg *));
extern struct ipc	proc_parent;	/* a child's socket to the parent */

/* For ipc_init() of a socket to the engine. */
void	proc_engine_gone(struct ipc *);

/* What a child does from then on. */
void	proc_child_loop(struct event_base *) __attribute__((__noreturn__));

/* Log lines that the parent could not take, ever. */
uint64_t proc_log_lost(void);

/* Connections that the engine takes with a limit of so many open files. */
uint64_t proc_max_connections(uint64_t files);

/* Tell the parent why the process can't start, and exit 1. */
void	proc_refuse(const char *, ...)
	    __attribute__((__noreturn__, __format__(printf, 1, 2)));

/*
 * Confine the calling process, the one way for all: become the user if asked,
 * then sandbox_enter().
 */
void	proc_confine(enum sandbox_role, const struct conf_process *,
	    enum sandbox_mode, const struct sandbox_path *);

const char *proc_name(enum proc_id);

/* clock.c: milliseconds of the monotonic clock. */
uint64_t now_ms(void);

#endif /* PROC_H */
