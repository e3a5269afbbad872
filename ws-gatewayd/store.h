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
/* Tell the engine, and from now on every few seconds. */
void	store_state_start(void);

/* store_lookup.c: take lookups; the answers go to the engine. */
void	store_lookup_start(void);
void	store_lookup_add(const struct store_lookup *, size_t);

/* store_token.c: take a request of IMSG_STORE_TOKEN_*. */
void	store_token_start(void);
void	store_token_request(uint32_t type, const struct token_request *);

#endif /* STORE_H */
