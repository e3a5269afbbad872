/*
 * What the store asks of a kind of database: one struct of operations, one
 * value of it a kind.
 *
 * No operation waits.  Where the database can't answer at once it says
 * DB_BUSY, and is asked the same again after a moment; or DB_WAIT, and is asked
 * exactly the same again when what it waits for is there.  How long that goes
 * on is the store's to decide.
 */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "proc.h"
#include "sandbox.h"

#define DB_BATCH	64		/* tokens of one query */
#define DB_ERRSIZE	1024		/* of an ERR argument */

enum db_status {
	DB_OK,
	DB_BUSY,			/* locked: ask again */
	DB_WAIT,			/* under way: ask again when ready */
	DB_FAIL,			/* no answer; the handle is good */
	DB_LOST				/* the handle is not: close it */
};

struct store_db;			/* a handle, the backend's own */

/* What a handle waits for. */
struct db_wait {
	int		fd;
	short		events;		/* as of poll(2) */
	int64_t		ms;		/* at most, -1: for ever */
};

/*
 * ERR gets the reason, in a line that names what to do, when the result is
 * DB_FAIL or DB_LOST.  NOW is in ms, monotonic.
 */
struct store_backend {
	const char		*name;
	enum sandbox_role	 role;
	/* Opened by an ordinary user only: it reads from a network. */
	int			 late;

	/*
	 * Called with the privileges of the start, where the user of PROCESS
	 * is who will use it (with drop), and again without.  NULL: ERR.
	 */
	struct store_db	*(*open)(const struct conf_database *,
			    const struct conf_process *, char *err);
	void		 (*close)(struct store_db *);
	/* Make what is missing of the schema. */
	enum db_status	 (*setup)(struct store_db *, char *err);
	/* Log what will not work for the user that the process is now. */
	void		 (*warn)(struct store_db *);
	/* What sandbox_enter() must leave; valid while the handle is. */
	const struct sandbox_path *(*paths)(struct store_db *);
	/* The one TCP port, 0: none.  NULL where DB_WAIT is never said. */
	uint16_t	 (*port)(struct store_db *);
	/*
	 * What it waits for, be it only the end of an idle connection; 0 when
	 * there is nothing.  NULL where DB_WAIT is never said.
	 */
	int		 (*waits)(struct store_db *, uint64_t now,
			    struct db_wait *);

	/* The cheapest query that tells whether lookups can be answered. */
	enum db_status	 (*check)(struct store_db *, uint64_t now, char *err);
	/* Up to DB_BATCH of them; fills in as many results. */
	enum db_status	 (*lookup)(struct store_db *, uint64_t now,
			    const struct store_lookup *, size_t n,
			    struct store_result *, char *err);

	/* TOKEN is TOKEN_MAX bytes; the row is as IMSG_STORE_TOKEN has it. */
	enum db_status	 (*token_add)(struct store_db *, uint64_t now,
			    const struct token_request *, const uint8_t *token,
			    struct token_row *, char *err);
	/*
	 * The next N rows at most, N is set to how many: 0 after the last.
	 * FIRST starts over.
	 */
	enum db_status	 (*token_list)(struct store_db *, uint64_t now,
			    int first, struct token_row *, size_t *n,
			    char *err);
	/*
	 * How many rows were deleted; GONE, for freezero(3), gets those of
	 * their tokens that could have been in use.
	 */
	enum db_status	 (*token_revoke)(struct store_db *, uint64_t now,
			    const struct token_request *, uint32_t *rows,
			    struct store_lookup **gone, size_t *ngone,
			    char *err);
};

extern const struct store_backend	store_sqlite;
extern const struct store_backend	store_mysql;

#endif /* STORE_BACKEND_H */
