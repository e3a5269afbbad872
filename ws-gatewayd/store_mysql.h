/* What the files of the MySQL backend share. */
#ifndef STORE_MYSQL_H
#define STORE_MYSQL_H

#include <sys/types.h>

#include <mysql.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"
#include "mysql_dsn.h"
#include "sandbox.h"
#include "store_backend.h"

#define MYSQL_SIZES	3		/* of lookup statements */
#define MYSQL_ROWSIZE	256		/* bytes of a column that we look at */

/* Which of the store's operations the connection is at work for. */
enum mysql_op {
	OP_NONE,
	OP_CHECK,
	OP_LOOKUP,
	OP_ADD,
	OP_LIST,
	OP_REVOKE
};

/* Which call of the library is suspended, or was the last. */
enum mysql_call {
	CALL_NONE,
	CALL_CONNECT,
	CALL_PREPARE,
	CALL_EXECUTE,
	CALL_STORE,
	CALL_QUERY
};

enum mysql_statement {
	STMT_CHECK,
	STMT_LOOKUP,			/* MYSQL_SIZES of them */
	STMT_ADD = STMT_LOOKUP + MYSQL_SIZES,
	STMT_LIST,
	STMT_LIST_NEXT,
	STMT_FIND,			/* what is to be revoked, by TOKEN_BY_ */
	STMT_DELETE = STMT_FIND + 3,
	STMTS = STMT_DELETE + 3
};

struct mysql_row {
	uint8_t		 token[MYSQL_ROWSIZE];
	uint8_t		 player[MYSQL_ROWSIZE];
	uint8_t		 subject[MYSQL_ROWSIZE];
	unsigned long	 token_len;	/* may be more than is there */
	unsigned long	 player_len;
	unsigned long	 subject_len;
	const uint8_t	*identity;
	size_t		 identity_len;
	int		 kind;		/* enum token_kind, or -1 */
	int64_t		 ttl;		/* ms; 0 or less: expired or garbage */
	/* As they are fetched. */
	uint64_t	 number;	/* a player_id of an integer type */
	int64_t		 server;
	int64_t		 us;
	my_bool		 null[5];
};

struct store_db {
	MYSQL			*my;
	MYSQL			*connected;	/* what the connect returned */
	MYSQL_STMT		*stmt[STMTS];	/* prepared, or NULL */
	struct mysql_dsn	 dsn;
	char			 name[448];	/* for messages */
	struct sandbox_path	 paths[6];
	char			 tls_ca[1024];
	char			 tls_capath[32];
	char			 tls_cert[1024];
	char			 tls_key[1024];
	unsigned int		 tries;		/* addresses, of this connect */
	int			 up;
	int			 text_only;	/* the column takes no others */

	enum mysql_op		 op;
	int			 step;		/* of the operation */
	enum mysql_call		 call;
	MYSQL_STMT		*current;	/* whose call it is */
	int			 wait;		/* MYSQL_WAIT_*, 0: none */
	int			 rc;		/* of the call */
	int			 timed_out;
	unsigned int		 code;		/* of the last error */
	uint64_t		 deadline;	/* of the call; ms */

	/* What a suspended call looks at must stay where it is. */
	char			 sql[256 + 2 * DB_BATCH];
	MYSQL_BIND		 param[DB_BATCH];
	uint8_t			 bytes[DB_BATCH][SUBJECT_MAX];
	uint64_t		 number;
	int64_t			 us;

	uint8_t			 cursor[MYSQL_ROWSIZE];	/* last token listed */
	unsigned long		 cursor_len;
	int			 cursor_end;
	struct log_limit	 bad_row;
	/* Of a revoke that goes on. */
	uint32_t		 rows;
	struct store_lookup	*gone;
	size_t			 ngone;
	enum db_status		 failed;
	char			 why[DB_ERRSIZE];
};

#define MYSQL_COLUMNS							\
	"token, player_id, subject_id, is_server + 0, "			\
	"TIMESTAMPDIFF(MICROSECOND, NOW(6), expires_at)"

/* store_mysql_addr.c */
/*
 * Resolve the name once, while the system's files can be read: what was found
 * is kept.  Returns 0, or -1 with the reason.
 */
int	mydb_addr_resolve(const char *host, const char **why);
unsigned int mydb_addr_count(void);
/* For a host that is known, the address to try now; else the host. */
const char *mydb_addr_of(const char *host);
/* It did not answer: the next one is. */
void	mydb_addr_next(void);

/* store_mysql_error.c */
/* Print into an ERR of DB_ERRSIZE. */
void	mydb_err(char *err, const char *, ...)
	    __attribute__((__format__(printf, 2, 3)));
/* A status and its line for an error number and text of the library. */
enum db_status mydb_failure(const struct store_db *, unsigned int code,
	    const char *text, char *err);

/* store_mysql_call.c: the only ones that make the library do I/O. */
/* Whether the suspended call can go on; 0, or MYSQL_WAIT_*. */
int	mydb_ready(const struct store_db *, uint64_t now);
/*
 * Take the connection for an operation, connecting first if need be.  DB_WAIT
 * as well when another operation has it.
 */
enum db_status mydb_take(struct store_db *, uint64_t now, enum mysql_op,
	    char *err);
/* The operation is over, in whatever way. */
enum db_status mydb_leave(struct store_db *, enum db_status);
/*
 * Run a statement, prepared if it is not yet, with db->param as it was when
 * mydb_idle() was true; its rows are in memory after that.
 */
enum db_status mydb_run(struct store_db *, uint64_t now, size_t stmt,
	    const char *sql, char *err);
/* The same for a text, for what can't be prepared everywhere. */
enum db_status mydb_query_run(struct store_db *, uint64_t now,
	    const char *sql, char *err);
int	mydb_idle(const struct store_db *);

/* store_mysql_lookup.c */
void	mydb_lookup_sql(size_t tokens, char *, size_t);
extern const size_t	mydb_sizes[MYSQL_SIZES];
/* Bytes, as a text: an index of either kind can be used then. */
void	mydb_bind_bytes(MYSQL_BIND *, uint8_t *, size_t);
/*
 * The rows of a statement that selects MYSQL_COLUMNS: start, then one after
 * the other; 1 for a row, 0 at the end, -1 for an error.
 */
int	mydb_rows_start(struct store_db *, size_t stmt, MYSQL_BIND *,
	    struct mysql_row *);
int	mydb_rows_next(struct store_db *, size_t stmt, struct mysql_row *);
void	mydb_rows_end(struct store_db *, size_t stmt);
enum db_status mydb_lookup(struct store_db *, uint64_t now,
	    const struct store_lookup *, size_t, struct store_result *,
	    char *err);
enum db_status mydb_check(struct store_db *, uint64_t now, char *err);

/* store_mysql_token.c */
enum db_status mydb_token_add(struct store_db *, uint64_t now,
	    const struct token_request *, const uint8_t *, struct token_row *,
	    char *err);
enum db_status mydb_token_list(struct store_db *, uint64_t now, int first,
	    struct token_row *, size_t *, char *err);
enum db_status mydb_token_revoke(struct store_db *, uint64_t now,
	    const struct token_request *, uint32_t *, struct store_lookup **,
	    size_t *, char *err);

#endif /* STORE_MYSQL_H */
