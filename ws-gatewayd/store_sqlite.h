/* What the files of the SQLite backend share. */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include <sys/types.h>

#include <limits.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"
#include "sandbox.h"
#include "store_backend.h"

#define SQLITE_PATHSIZE	PATH_MAX
#define SQLITE_SIZES	3		/* of lookup statements */

struct store_db {
	sqlite3			*sql;		/* NULL only within open */
	sqlite3_stmt		*lookup[SQLITE_SIZES];
	sqlite3_stmt		*probe;
	int			 numeric;	/* affinity of column token */
	int			 readonly;	/* by the DSN */

	char			 path[SQLITE_PATHSIZE];
	char			 folder[SQLITE_PATHSIZE];
	char			 realfolder[SQLITE_PATHSIZE];
	struct sandbox_path	 paths[3];
	char			 user[64];	/* who uses it */

	dev_t			 dev;		/* the file that is open */
	ino_t			 ino;
	uint64_t		 looked;	/* at path, when; ms */

	struct log_limit	 bad_row;
	sqlite3_value		*cursor;	/* last token listed */
	const struct token_request *revoke;	/* for sqlite_match() */
};

/* The row of a query that selects SQLITE_COLUMNS. */
#define SQLITE_COLUMNS							\
	"token, player_id, subject_id, is_server, expires_at, "		\
	"(julianday(expires_at) - julianday('now')) * 86400000.0"

struct sqlite_row {
	const uint8_t	*token;		/* NULL: can't be known */
	size_t		 token_len;
	const uint8_t	*identity;
	size_t		 identity_len;
	const uint8_t	*subject;
	size_t		 subject_len;
	int		 kind;		/* enum token_kind, or -1 */
	int64_t		 ttl;		/* ms; 0 or less: expired or garbage */
};

/* store_sqlite.c */
/* A status and its line for the error that a call just returned. */
enum db_status sqlite_status(struct store_db *, int rc, char *err);
/* The like for a write, where rights are what is mostly missing. */
enum db_status sqlite_write_status(struct store_db *, int rc, char *err);
/* Print into an ERR of DB_ERRSIZE. */
void	sqlite_err(char *err, const char *, ...)
	    __attribute__((__format__(printf, 2, 3)));
/* Open again what has been replaced under its name. */
enum db_status sqlite_follow(struct store_db *, uint64_t now, char *err);
/* In a write transaction: start, then end it in any case. */
enum db_status sqlite_begin(struct store_db *, char *err);
enum db_status sqlite_end(struct store_db *, enum db_status, char *err);

/* store_sqlite_lookup.c */
/*
 * The statement for up to DB_BATCH tokens, three parameters a token, with its
 * size.  INDEXED insists on the primary key.
 */
void	sqlite_lookup_sql(size_t tokens, int indexed, char *buf, size_t);
extern const size_t	sqlite_sizes[SQLITE_SIZES];
/* A token as the text, blob and integer that it can be stored as. */
int	sqlite_bind_token(sqlite3_stmt *, int first, const uint8_t *, size_t);
/* Valid until the statement moves. */
void	sqlite_row(const struct store_db *, sqlite3_stmt *,
	    struct sqlite_row *);
/* The bytes of a column; of a token's, -1 when they can't be known. */
size_t	sqlite_bytes(sqlite3_value *, const uint8_t **);
int	sqlite_token_bytes(const struct store_db *, sqlite3_value *,
	    const uint8_t **, size_t *);
int	sqlite_kind(sqlite3_value *);
/* Whether a declared type gives NUMERIC, INTEGER or REAL affinity. */
int	sqlite_numeric(const char *decltype);
enum db_status sqlite_lookup(struct store_db *, uint64_t now,
	    const struct store_lookup *, size_t, struct store_result *,
	    char *err);
enum db_status sqlite_check(struct store_db *, uint64_t now, char *err);
void	sqlite_statements_free(struct store_db *);

/* store_sqlite_token.c */
int	sqlite_token_init(struct store_db *);	/* an SQLite result code */
enum db_status sqlite_token_add(struct store_db *, uint64_t now,
	    const struct token_request *, const uint8_t *, struct token_row *,
	    char *err);
enum db_status sqlite_token_list(struct store_db *, uint64_t now, int first,
	    struct token_row *, size_t *, char *err);
enum db_status sqlite_token_revoke(struct store_db *, uint64_t now,
	    const struct token_request *, uint32_t *, struct store_lookup **,
	    size_t *, char *err);

/* store_sqlite_dsn.c */
/* The absolute path that a DSN means. Returns 0, or -1 with ERR. */
int	sqlite_dsn(const char *dsn, const char *cwd, char *path, size_t,
	    int *readonly, char *err);

#endif /* STORE_SQLITE_H */
