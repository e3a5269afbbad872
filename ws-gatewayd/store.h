/* What the parts of the store process share. */
#ifndef STORE_H
#define STORE_H

#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "proc.h"
#include "store_backend.h"

struct store {
	struct event_base		*base;
	struct ipc			 engine;
	struct settings			 settings;
	struct conf_database		 database;
	struct conf_process		 process;
	const struct store_backend	*backend;
	struct store_db			*db;	/* NULL: to be opened again */
	unsigned int			 opened;	/* how often */
	int				 reached;	/* it has answered at all */
	struct store_state		 state;
};
extern struct store	store;

#define STORE_RETRY_MS	20		/* after DB_BUSY */

/*
 * store_state.c: every query is followed by one of the first three.  The
 * handle may be closed after store_failed().
 */
void	store_answered(void);
void	store_busy(void);
void	store_failed(enum db_status, const char *why);
/* A handle is there, or could be opened. Returns 0, or -1 with the reason. */
int	store_usable(const char **why);
/* Ask the database for nothing but a sign of life. */
void	store_probe(void);
/* The handle is of no use, or not to be used any more. */
void	store_close(void);
/* Tell the engine, and from now on every few seconds. */
void	store_state_start(void);

/* Who asks the database, one of them at a time where it makes wait. */
enum store_asker {
	ASK_PROBE,
	ASK_LOOKUP,
	ASK_TOKEN,
	ASKERS
};

/* store_wait.c */
void	store_wait_start(void);
/*
 * Called with what every question gets for an answer, which is returned.
 * After DB_WAIT whoever asked is called when it has to ask again.
 */
enum db_status store_asked(enum store_asker, enum db_status);
int	store_asking(enum store_asker);
/* It does not ask again. */
void	store_given_up(enum store_asker);
/* The handle is about to be closed. */
void	store_wait_stop(void);
/* Before the loop: ask until there is an answer. */
enum db_status store_check_now(char *err);

/* store_latency.c: of lookups, in microseconds of the monotonic clock. */
uint64_t store_latency_now(void);
void	store_latency_add(uint64_t us);
uint64_t store_latency(unsigned int percent);

/* store_lookup.c: take lookups; the answers go to the engine. */
void	store_lookup_start(void);
void	store_lookup_again(void);
void	store_lookup_add(const struct store_lookup *, size_t);

/* store_token.c: take a request of IMSG_STORE_TOKEN_*. */
void	store_token_start(void);
void	store_token_again(void);
void	store_token_request(uint32_t type, const struct token_request *);

#endif /* STORE_H */
