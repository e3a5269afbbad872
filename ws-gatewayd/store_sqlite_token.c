/*
 * Tokens in SQLite that ws-gatewayctl makes, lists and revokes: the only
 * writes that the gateway ever does, each in a transaction of its own.
 */
#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store_sqlite.h"
#include "utf8.h"

#define TOKEN_SHOWN	4		/* bytes of a token in a list */

/* Which rows a request to revoke means. */
static int
match_row(struct store_db *db, sqlite3_value **column)
{
	const struct token_request	*req = db->revoke;
	const uint8_t			*p;
	size_t				 len;
	int				 kind;

	if (req->by == TOKEN_BY_TOKEN)
		return (sqlite_token_bytes(db, column[0], &p, &len) == 0 &&
		    len == req->len && memcmp(p, req->value, len) == 0);
	kind = sqlite_kind(column[3]);
	if (kind != (req->by == TOKEN_BY_PLAYER ? TOKEN_PLAYER : TOKEN_SERVER))
		return (0);
	if (kind == TOKEN_PLAYER &&
	    sqlite3_value_type(column[1]) != SQLITE_NULL)
		len = sqlite_bytes(column[1], &p);
	else
		len = sqlite_bytes(column[2], &p);
	return (len == req->len && memcmp(p, req->value, len) == 0);
}

/* ws_match(token, player_id, subject_id, is_server) */
static void
sqlite_match(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
	struct store_db	*db = sqlite3_user_data(ctx);

	(void)argc;
	sqlite3_result_int(ctx, match_row(db, argv));
}

int
sqlite_token_init(struct store_db *db)
{
	return (sqlite3_create_function(db->sql, "ws_match", 4,
	    SQLITE_UTF8 | SQLITE_DIRECTONLY, db, sqlite_match, NULL, NULL));
}

/* The declared type of a column; "" when there is none, as in a view. */
static const char *
declared(struct store_db *db, const char *column)
{
	const char	*type;

	if (sqlite3_table_column_metadata(db->sql, "main", "ws_token", column,
	    &type, NULL, NULL, NULL, NULL) != SQLITE_OK || type == NULL)
		return ("");
	return (type);
}

/*
 * What SQLite knows of the columns is of its last statement: have it look
 * again, the application may have made another table.
 */
static int
learn_columns(struct store_db *db)
{
	int	rc;

	if ((rc = sqlite3_exec(db->sql, "SELECT 1 FROM ws_token LIMIT 1", NULL,
	    NULL, NULL)) == SQLITE_OK)
		db->numeric = sqlite_numeric(declared(db, "token"));
	return (rc);
}

/*
 * So that the bytes stay what they are: a column of numbers keeps them in a
 * blob only, and text that is none would be mended on its way.
 */
static int
bind_bytes(struct store_db *db, sqlite3_stmt *stmt, int i, const char *column,
    const uint8_t *p, size_t len)
{
	if (sqlite_numeric(declared(db, column)) || !utf8_ok(p, len) ||
	    memchr(p, '\0', len) != NULL)
		return (sqlite3_bind_blob64(stmt, i, p, len, SQLITE_STATIC));
	return (sqlite3_bind_text64(stmt, i, (const char *)p, len,
	    SQLITE_STATIC, SQLITE_UTF8));
}

/* A player's number, when the name is the one spelling of it. */
static int
player_number(const struct token_request *req, int64_t *number)
{
	char		 text[SUBJECT_MAX + 1];
	const char	*errstr;

	memcpy(text, req->value, req->len);
	text[req->len] = '\0';
	if (req->kind != TOKEN_PLAYER ||
	    strspn(text, "0123456789") != req->len ||
	    (text[0] == '0' && req->len > 1))
		return (0);
	*number = strtonum(text, 0, UINT32_MAX, &errstr);
	return (errstr == NULL);
}

static int
insert_token(struct store_db *db, const struct token_request *req,
    const uint8_t *token)
{
	static const char	 sql[] =
	    "INSERT INTO ws_token (token, player_id, subject_id, is_server, "
	    "expires_at) VALUES (?1, ?2, ?3, ?4, "
	    "strftime('%Y-%m-%d %H:%M:%f', 'now', ?5) || '000')";
	sqlite3_stmt		*stmt;
	char			 ttl[64];
	int64_t			 number;
	int			 rc;

	snprintf(ttl, sizeof(ttl), "+%lld.%03d seconds",
	    (long long)(req->ttl / 1000), (int)(req->ttl % 1000));
	if ((rc = learn_columns(db)) != SQLITE_OK ||
	    (rc = sqlite3_prepare_v2(db->sql, sql, -1, &stmt, NULL)) !=
	    SQLITE_OK)
		return (rc);
	if ((rc = bind_bytes(db, stmt, 1, "token", token, TOKEN_MAX)) ==
	    SQLITE_OK && player_number(req, &number))
		rc = sqlite3_bind_int64(stmt, 2, number);
	if (rc == SQLITE_OK &&
	    (rc = bind_bytes(db, stmt, 3, "subject_id", req->value,
	    req->len)) == SQLITE_OK &&
	    (rc = sqlite3_bind_int(stmt, 4, req->kind == TOKEN_SERVER)) ==
	    SQLITE_OK &&
	    (rc = sqlite3_bind_text(stmt, 5, ttl, -1, SQLITE_STATIC)) ==
	    SQLITE_OK)
		rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return (rc == SQLITE_DONE ? SQLITE_OK : rc);
}

enum db_status
sqlite_token_add(struct store_db *db, uint64_t now,
    const struct token_request *req, const uint8_t *token,
    struct token_row *row, char *err)
{
	enum db_status	status;
	int		rc;

	if ((status = sqlite_follow(db, now, err)) != DB_OK ||
	    (status = sqlite_begin(db, err)) != DB_OK)
		return (status);
	if ((rc = insert_token(db, req, token)) != SQLITE_OK)
		status = sqlite_write_status(db, rc, err);
	/* There is no date for what is too far in the future. */
	if ((rc & 0xff) == SQLITE_CONSTRAINT)
		sqlite_err(err, "the database refused the token (%s): is its "
		    "time of life too long?", sqlite3_errmsg(db->sql));
	if ((status = sqlite_end(db, status, err)) != DB_OK)
		return (status);

	memset(row, 0, sizeof(*row));
	row->id = req->id;
	row->kind = req->kind;
	row->token_len = TOKEN_MAX;
	memcpy(row->token, token, TOKEN_MAX);
	row->identity_len = row->subject_len = req->len;
	memcpy(row->identity, req->value, req->len);
	memcpy(row->subject, req->value, req->len);
	row->ttl = req->ttl;
	return (DB_OK);
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
list_row(const struct sqlite_row *from, struct token_row *row)
{
	size_t	shown = from->token == NULL ? 0 : from->token_len / 2;

	memset(row, 0, sizeof(*row));
	row->kind = from->kind == TOKEN_SERVER ? TOKEN_SERVER : TOKEN_PLAYER;
	row->token_len = (uint8_t)(shown > TOKEN_SHOWN ? TOKEN_SHOWN : shown);
	if (row->token_len > 0)
		memcpy(row->token, from->token, row->token_len);
	row->identity_len = copy_cut(row->identity, from->identity,
	    from->identity_len);
	row->subject_len = copy_cut(row->subject, from->subject,
	    from->subject_len);
	row->ttl = from->ttl;
}

static int
step_list(struct store_db *db, sqlite3_stmt *stmt, struct token_row *rows,
    size_t max, size_t *n)
{
	struct sqlite_row	 row;
	sqlite3_value		*last = NULL;
	int			 rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && *n < max) {
		sqlite3_value_free(last);
		if ((last = sqlite3_value_dup(sqlite3_column_value(stmt,
		    0))) == NULL)
			return (SQLITE_NOMEM);
		sqlite_row(db, stmt, &row);
		list_row(&row, &rows[(*n)++]);
	}
	if (rc != SQLITE_DONE) {
		sqlite3_value_free(last);
		return (rc);
	}
	sqlite3_value_free(db->cursor);
	db->cursor = last;
	return (SQLITE_OK);
}

/*
 * A page at a time, each with a query of its own: a reader that is slow must
 * not hold a lock that keeps the application from writing.
 */
enum db_status
sqlite_token_list(struct store_db *db, uint64_t now, int first,
    struct token_row *rows, size_t *n, char *err)
{
	enum db_status	 status;
	sqlite3_stmt	*stmt = NULL;
	size_t		 max = *n;
	int		 rc;

	*n = 0;
	if (!first && db->cursor == NULL)
		return (DB_OK);
	if ((status = sqlite_follow(db, now, err)) != DB_OK)
		return (status);
	if ((rc = learn_columns(db)) == SQLITE_OK)
		rc = sqlite3_prepare_v2(db->sql, first ?
		    "SELECT " SQLITE_COLUMNS " FROM ws_token "
		    "WHERE token IS NOT NULL ORDER BY token LIMIT ?1" :
		    "SELECT " SQLITE_COLUMNS " FROM ws_token "
		    "WHERE token > ?2 ORDER BY token LIMIT ?1", -1, &stmt,
		    NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(stmt, 1, (sqlite3_int64)max);
	if (rc == SQLITE_OK && !first)
		rc = sqlite3_bind_value(stmt, 2, db->cursor);
	if (rc == SQLITE_OK)
		rc = step_list(db, stmt, rows, max, n);
	if (rc != SQLITE_OK)
		*n = 0;
	status = sqlite_status(db, rc, err);
	sqlite3_finalize(stmt);
	return (status);
}

/* What RETURNING gives back of one deleted row. */
static int
take_gone(const struct store_db *db, sqlite3_stmt *stmt,
    struct store_lookup **gone, size_t *ngone)
{
	struct store_lookup	*new, *g;
	const uint8_t		*p;
	size_t			 len;
	int			 kind;

	kind = sqlite_kind(sqlite3_column_value(stmt, 1));
	if (kind == -1 || sqlite_token_bytes(db, sqlite3_column_value(stmt, 0),
	    &p, &len) == -1 || len == 0 || len > TOKEN_MAX)
		return (0);
	/* Room doubles whenever a power of two is full. */
	if ((*ngone & (*ngone - 1)) == 0) {
		new = recallocarray(*gone, *ngone,
		    *ngone == 0 ? 1 : *ngone * 2, sizeof(**gone));
		if (new == NULL)
			return (-1);
		*gone = new;
	}
	g = &(*gone)[(*ngone)++];
	g->kind = (uint8_t)kind;
	g->len = (uint8_t)len;
	memcpy(g->token, p, len);
	return (0);
}

static int
delete_tokens(struct store_db *db, const struct token_request *req,
    uint32_t *rows, struct store_lookup **gone, size_t *ngone)
{
	sqlite3_stmt	*stmt;
	int		 rc;

	rc = sqlite3_prepare_v2(db->sql, req->by == TOKEN_BY_TOKEN ?
	    "DELETE FROM ws_token WHERE token IN (?1, ?2, ?3) AND "
	    "ws_match(token, player_id, subject_id, is_server) "
	    "RETURNING token, is_server" :
	    "DELETE FROM ws_token WHERE "
	    "ws_match(token, player_id, subject_id, is_server) "
	    "RETURNING token, is_server", -1, &stmt, NULL);
	if (rc == SQLITE_OK && req->by == TOKEN_BY_TOKEN)
		rc = sqlite_bind_token(stmt, 1, req->value, req->len);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	for (; rc == SQLITE_ROW; rc = sqlite3_step(stmt)) {
		(*rows)++;
		if (take_gone(db, stmt, gone, ngone) == -1)
			break;
	}
	if (rc == SQLITE_ROW)
		rc = SQLITE_NOMEM;
	sqlite3_finalize(stmt);
	return (rc == SQLITE_DONE ? SQLITE_OK : rc);
}

enum db_status
sqlite_token_revoke(struct store_db *db, uint64_t now,
    const struct token_request *req, uint32_t *rows,
    struct store_lookup **gone, size_t *ngone, char *err)
{
	enum db_status	status;
	int		rc;

	*rows = 0;
	*gone = NULL;
	*ngone = 0;
	if ((status = sqlite_follow(db, now, err)) != DB_OK ||
	    (status = sqlite_begin(db, err)) != DB_OK)
		return (status);
	db->revoke = req;
	if ((rc = learn_columns(db)) == SQLITE_OK)
		rc = delete_tokens(db, req, rows, gone, ngone);
	db->revoke = NULL;
	if (rc != SQLITE_OK)
		status = sqlite_write_status(db, rc, err);
	status = sqlite_end(db, status, err);
	if (status != DB_OK) {
		freezero(*gone, *ngone * sizeof(**gone));
		*rows = 0;
		*gone = NULL;
		*ngone = 0;
	}
	return (status);
}
