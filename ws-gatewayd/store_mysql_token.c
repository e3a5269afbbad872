/*
 * Tokens in MySQL that ws-gatewayctl makes, lists and revokes: the only writes
 * that the gateway ever does.
 */
#include <sys/types.h>

#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>

#include "store_mysql.h"

#define TOKEN_SHOWN	4		/* bytes of a token in a list */
#define US_PER_MS	1000
#define COLUMNS		5		/* of MYSQL_COLUMNS */

static const char	insert_sql[] =
    "INSERT INTO ws_token (token, player_id, subject_id, is_server, "
    "expires_at) VALUES (?, ?, ?, ?, TIMESTAMPADD(MICROSECOND, ?, NOW(6)))";
static const char	list_sql[] =
    "SELECT " MYSQL_COLUMNS " FROM ws_token ORDER BY token LIMIT ?";
static const char	list_next_sql[] =
    "SELECT " MYSQL_COLUMNS " FROM ws_token WHERE token > ? "
    "ORDER BY token LIMIT ?";

/* As bytes: what a collation takes for the same is another's. */
#define WHERE_TOKEN	"WHERE token = ? AND CAST(token AS BINARY) = ?"
#define WHERE_PLAYER	"WHERE is_server = 0 AND "			\
			"CAST(IFNULL(player_id, subject_id) AS BINARY) = ?"
#define WHERE_SERVER	"WHERE is_server = 1 AND "			\
			"CAST(subject_id AS BINARY) = ?"
static const char *const	find_sql[] = {
	[TOKEN_BY_TOKEN] = "SELECT " MYSQL_COLUMNS " FROM ws_token "
	    WHERE_TOKEN " FOR UPDATE",
	[TOKEN_BY_PLAYER] = "SELECT " MYSQL_COLUMNS " FROM ws_token "
	    WHERE_PLAYER " FOR UPDATE",
	[TOKEN_BY_SERVER] = "SELECT " MYSQL_COLUMNS " FROM ws_token "
	    WHERE_SERVER " FOR UPDATE",
};
static const char *const	delete_sql[] = {
	[TOKEN_BY_TOKEN] = "DELETE FROM ws_token " WHERE_TOKEN,
	[TOKEN_BY_PLAYER] = "DELETE FROM ws_token " WHERE_PLAYER,
	[TOKEN_BY_SERVER] = "DELETE FROM ws_token " WHERE_SERVER,
};

static void
bind_number(MYSQL_BIND *bind, void *number, int is_unsigned)
{
	memset(bind, 0, sizeof(*bind));
	bind->buffer_type = MYSQL_TYPE_LONGLONG;
	bind->buffer = number;
	bind->is_unsigned = is_unsigned != 0;
}

static void
bind_blob(MYSQL_BIND *bind, uint8_t *p, size_t len)
{
	memset(bind, 0, sizeof(*bind));
	bind->buffer_type = MYSQL_TYPE_BLOB;
	bind->buffer = p;
	bind->buffer_length = len;
}

/* A player's number, when the name is the one spelling of it. */
static int
player_number(const struct token_request *req, uint64_t *number)
{
	char		 text[SUBJECT_MAX + 1];
	const char	*errstr;

	memcpy(text, req->value, req->len);
	text[req->len] = '\0';
	if (req->kind != TOKEN_PLAYER ||
	    strspn(text, "0123456789") != req->len ||
	    (text[0] == '0' && req->len > 1))
		return (0);
	*number = (uint64_t)strtonum(text, 0, UINT32_MAX, &errstr);
	return (errstr == NULL);
}

static void
bind_insert(struct store_db *db, const struct token_request *req,
    const uint8_t *token)
{
	static my_bool	is_server[2] = { 0, 1 };

	memcpy(db->bytes[0], token, TOKEN_MAX);
	mydb_bind_bytes(&db->param[0], db->bytes[0], TOKEN_MAX);
	bind_number(&db->param[1], &db->number, 1);
	if (!player_number(req, &db->number))
		db->param[1].buffer_type = MYSQL_TYPE_NULL;
	memcpy(db->bytes[1], req->value, req->len);
	mydb_bind_bytes(&db->param[2], db->bytes[1], req->len);
	memset(&db->param[3], 0, sizeof(db->param[3]));
	db->param[3].buffer_type = MYSQL_TYPE_TINY;
	db->param[3].buffer = &is_server[req->kind == TOKEN_SERVER];
	db->us = req->ttl > INT64_MAX / US_PER_MS ? INT64_MAX :
	    req->ttl * US_PER_MS;
	bind_number(&db->param[4], &db->us, 0);
}

enum db_status
mydb_token_add(struct store_db *db, uint64_t now,
    const struct token_request *req, const uint8_t *token,
    struct token_row *row, char *err)
{
	enum db_status	status;

	if ((status = mydb_take(db, now, OP_ADD, err)) != DB_OK)
		return (status);
	if (mydb_idle(db))
		bind_insert(db, req, token);
	status = mydb_run(db, now, STMT_ADD, insert_sql, err);
	if (status != DB_WAIT)
		explicit_bzero(db->bytes, sizeof(db->bytes));
	/* There is no date for what is too far in the future. */
	if (status == DB_FAIL && db->code == ER_BAD_NULL_ERROR)
		mydb_err(err, "%s refused the token: is its time of life too "
		    "long?", db->name);
	if (status != DB_OK)
		return (mydb_leave(db, status));
	memset(row, 0, sizeof(*row));
	row->id = req->id;
	row->kind = req->kind;
	row->token_len = TOKEN_MAX;
	memcpy(row->token, token, TOKEN_MAX);
	row->identity_len = row->subject_len = req->len;
	memcpy(row->identity, req->value, req->len);
	memcpy(row->subject, req->value, req->len);
	row->ttl = req->ttl;
	return (mydb_leave(db, DB_OK));
}

static uint8_t
copy_cut(uint8_t *to, const uint8_t *from, size_t len)
{
	if (len > SUBJECT_MAX)
		len = SUBJECT_MAX;
	if (len > 0)
		memcpy(to, from, len);
	return ((uint8_t)len);
}

/* Of a short token, less than its half is shown. */
static void
list_row(const struct mysql_row *from, struct token_row *row)
{
	size_t	shown = from->token_len / 2;

	memset(row, 0, sizeof(*row));
	row->kind = from->kind == TOKEN_SERVER ? TOKEN_SERVER : TOKEN_PLAYER;
	row->token_len = (uint8_t)(shown > TOKEN_SHOWN ? TOKEN_SHOWN : shown);
	memcpy(row->token, from->token, row->token_len);
	row->identity_len = copy_cut(row->identity, from->identity,
	    from->identity_len);
	row->subject_len = copy_cut(row->subject, from->subject,
	    from->subject_len);
	row->ttl = from->ttl;
}

/* The rows of a page, and where the next one starts. */
static int
take_page(struct store_db *db, size_t stmt, struct token_row *rows,
    size_t max, size_t *n)
{
	MYSQL_BIND		bind[COLUMNS];
	struct mysql_row	row;
	int			rc = -1;

	if (mydb_rows_start(db, stmt, bind, &row) == 0)
		while (*n < max &&
		    (rc = mydb_rows_next(db, stmt, &row)) == 1) {
			list_row(&row, &rows[(*n)++]);
			db->cursor_len = row.token_len;
			memcpy(db->cursor, row.token, sizeof(db->cursor));
		}
	mydb_rows_end(db, stmt);
	explicit_bzero(&row, sizeof(row));
	db->cursor_end = *n == 0 || db->cursor_len > sizeof(db->cursor);
	return (rc == -1 ? -1 : 0);
}

enum db_status
mydb_token_list(struct store_db *db, uint64_t now, int first,
    struct token_row *rows, size_t *n, char *err)
{
	enum db_status	status;
	size_t		max = *n, stmt = first ? STMT_LIST : STMT_LIST_NEXT;

	*n = 0;
	if (!first && db->cursor_end)
		return (DB_OK);
	if ((status = mydb_take(db, now, OP_LIST, err)) != DB_OK) {
		*n = max;
		return (status);
	}
	if (mydb_idle(db)) {
		db->number = max;
		if (!first)
			mydb_bind_bytes(&db->param[0], db->cursor,
			    db->cursor_len);
		bind_number(&db->param[first ? 0 : 1], &db->number, 1);
	}
	status = mydb_run(db, now, stmt, first ? list_sql : list_next_sql,
	    err);
	if (status == DB_OK && take_page(db, stmt, rows, max, n) == -1) {
		*n = 0;
		mydb_err(err, "%s: a list can't be read", db->name);
		status = DB_FAIL;
	}
	return (mydb_leave(db, status));
}

/* Revoking: find, delete, in a transaction. */

enum revoke_step {
	REVOKE_BEGIN,
	REVOKE_FIND,
	REVOKE_DELETE,
	REVOKE_COMMIT,
	REVOKE_ROLLBACK
};

static int
take_gone(struct store_db *db, const struct mysql_row *row)
{
	struct store_lookup	*new, *g;

	if (row->kind == -1 || row->token_len == 0 ||
	    row->token_len > TOKEN_MAX)
		return (0);
	/* Room doubles whenever a power of two is full. */
	if ((db->ngone & (db->ngone - 1)) == 0) {
		new = recallocarray(db->gone, db->ngone,
		    db->ngone == 0 ? 1 : db->ngone * 2, sizeof(*new));
		if (new == NULL)
			return (-1);
		db->gone = new;
	}
	g = &db->gone[db->ngone++];
	memset(g, 0, sizeof(*g));
	g->kind = (uint8_t)row->kind;
	g->len = (uint8_t)row->token_len;
	memcpy(g->token, row->token, row->token_len);
	return (0);
}

static int
take_found(struct store_db *db, size_t stmt)
{
	MYSQL_BIND		bind[COLUMNS];
	struct mysql_row	row;
	int			rc = -1;

	if (mydb_rows_start(db, stmt, bind, &row) == 0)
		while ((rc = mydb_rows_next(db, stmt, &row)) == 1)
			if ((rc = take_gone(db, &row)) == -1)
				break;
	mydb_rows_end(db, stmt);
	explicit_bzero(&row, sizeof(row));
	return (rc);
}

static enum db_status
revoke_step(struct store_db *db, uint64_t now,
    const struct token_request *req, char *err)
{
	enum db_status	status;
	size_t		stmt;

	switch (db->step) {
	case REVOKE_BEGIN:
		return (mydb_query_run(db, now, "START TRANSACTION", err));
	case REVOKE_FIND:
		stmt = STMT_FIND + req->by;
		if (mydb_idle(db)) {
			memcpy(db->bytes[0], req->value, req->len);
			mydb_bind_bytes(&db->param[0], db->bytes[0],
			    req->len);
			if (req->by != TOKEN_BY_TOKEN)
				bind_blob(&db->param[0], db->bytes[0],
				    req->len);
			bind_blob(&db->param[1], db->bytes[0], req->len);
		}
		status = mydb_run(db, now, stmt, find_sql[req->by], err);
		if (status == DB_OK && take_found(db, stmt) == -1) {
			mydb_err(err, "%s: the tokens can't be read",
			    db->name);
			return (DB_FAIL);
		}
		return (status);
	case REVOKE_DELETE:
		stmt = STMT_DELETE + req->by;
		status = mydb_run(db, now, stmt, delete_sql[req->by], err);
		if (status == DB_OK)
			db->rows = (uint32_t)mysql_stmt_affected_rows(
			    db->stmt[stmt]);
		return (status);
	case REVOKE_COMMIT:
		return (mydb_query_run(db, now, "COMMIT", err));
	default:
		return (mydb_query_run(db, now, "ROLLBACK", err));
	}
}

static void
revoke_forget(struct store_db *db)
{
	freezero(db->gone, db->ngone * sizeof(*db->gone));
	db->gone = NULL;
	db->ngone = 0;
	db->rows = 0;
}

/* One step after the other, until one has to wait. */
static enum db_status
revoke_run(struct store_db *db, uint64_t now, const struct token_request *req,
    char *err)
{
	enum db_status	status;

	for (;;) {
		status = revoke_step(db, now, req, err);
		if (status == DB_WAIT || status == DB_LOST)
			return (status);
		if (db->step == REVOKE_ROLLBACK) {
			strlcpy(err, db->why, DB_ERRSIZE);
			return (status == DB_OK ? db->failed : DB_LOST);
		}
		if (status != DB_OK) {
			db->failed = status;
			strlcpy(db->why, err, sizeof(db->why));
			db->step = REVOKE_ROLLBACK;
		} else if (++db->step == REVOKE_ROLLBACK)
			return (DB_OK);
	}
}

enum db_status
mydb_token_revoke(struct store_db *db, uint64_t now,
    const struct token_request *req, uint32_t *rows,
    struct store_lookup **gone, size_t *ngone, char *err)
{
	enum db_status	status;

	*rows = 0;
	*gone = NULL;
	*ngone = 0;
	if ((status = mydb_take(db, now, OP_REVOKE, err)) != DB_OK)
		return (status);
	err[0] = '\0';
	status = revoke_run(db, now, req, err);
	if (status == DB_WAIT)
		return (status);
	explicit_bzero(db->bytes, sizeof(db->bytes));
	if (status == DB_OK) {
		*rows = db->rows;
		*gone = db->gone;
		*ngone = db->ngone;
		db->gone = NULL;
		db->ngone = 0;
	} else
		revoke_forget(db);
	return (mydb_leave(db, status));
}
