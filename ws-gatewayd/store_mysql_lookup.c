/*
 * Lookups in MySQL.  The server finds the rows by the primary key; if the
 * column has a collation that takes one letter for another it finds too many,
 * and which are meant is decided here, byte for byte.
 */
#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "store_mysql.h"
#include "utf8.h"

#define US_PER_MS	1000

const size_t	mydb_sizes[MYSQL_SIZES] = { 1, 8, DB_BATCH };

static const char	check_sql[] =
    "SELECT token, player_id, subject_id, is_server, expires_at "
    "FROM ws_token LIMIT 1";

enum column {
	COL_TOKEN,
	COL_PLAYER,
	COL_SUBJECT,
	COL_SERVER,
	COL_TTL,
	COLUMNS
};

void
mydb_lookup_sql(size_t tokens, char *buf, size_t size)
{
	size_t	i;

	snprintf(buf, size, "SELECT " MYSQL_COLUMNS " FROM ws_token "
	    "WHERE token IN (?");
	for (i = 1; i < tokens; i++)
		strlcat(buf, ",?", size);
	strlcat(buf, ")", size);
}

void
mydb_bind_bytes(MYSQL_BIND *bind, uint8_t *p, size_t len)
{
	memset(bind, 0, sizeof(*bind));
	bind->buffer_type = MYSQL_TYPE_STRING;
	bind->buffer = p;
	bind->buffer_length = len;
}

static void
bind_column(MYSQL_BIND *bind, enum enum_field_types type, void *buffer,
    unsigned long size, unsigned long *len, my_bool *null)
{
	memset(bind, 0, sizeof(*bind));
	bind->buffer_type = type;
	bind->buffer = buffer;
	bind->buffer_length = size;
	bind->length = len;
	bind->is_null = null;
}

/* A number is fetched as one: as text it could come with leading zeros. */
static void
bind_player(MYSQL_STMT *stmt, MYSQL_BIND *bind, struct mysql_row *row)
{
	MYSQL_RES	*meta;
	MYSQL_FIELD	*field;

	bind_column(bind, MYSQL_TYPE_STRING, row->player, sizeof(row->player),
	    &row->player_len, &row->null[COL_PLAYER]);
	if ((meta = mysql_stmt_result_metadata(stmt)) == NULL)
		return;
	field = mysql_fetch_field_direct(meta, COL_PLAYER);
	switch (field->type) {
	case MYSQL_TYPE_TINY:
	case MYSQL_TYPE_SHORT:
	case MYSQL_TYPE_INT24:
	case MYSQL_TYPE_LONG:
	case MYSQL_TYPE_LONGLONG:
		bind_column(bind, MYSQL_TYPE_LONGLONG, &row->number, 0, NULL,
		    &row->null[COL_PLAYER]);
		bind->is_unsigned = (field->flags & UNSIGNED_FLAG) != 0;
		break;
	default:
		break;
	}
	mysql_free_result(meta);
}

int
mydb_rows_start(struct store_db *db, size_t stmt, MYSQL_BIND *bind,
    struct mysql_row *row)
{
	bind_column(&bind[COL_TOKEN], MYSQL_TYPE_STRING, row->token,
	    sizeof(row->token), &row->token_len, &row->null[COL_TOKEN]);
	bind_player(db->stmt[stmt], &bind[COL_PLAYER], row);
	bind_column(&bind[COL_SUBJECT], MYSQL_TYPE_STRING, row->subject,
	    sizeof(row->subject), &row->subject_len, &row->null[COL_SUBJECT]);
	bind_column(&bind[COL_SERVER], MYSQL_TYPE_LONGLONG, &row->server, 0,
	    NULL, &row->null[COL_SERVER]);
	bind_column(&bind[COL_TTL], MYSQL_TYPE_LONGLONG, &row->us, 0, NULL,
	    &row->null[COL_TTL]);
	return (mysql_stmt_bind_result(db->stmt[stmt], bind) ? -1 : 0);
}

/* What the columns say, of the row that was fetched. */
static void
understand(struct store_db *db, size_t stmt, struct mysql_row *row)
{
	if (row->null[COL_TOKEN])
		row->token_len = 0;
	if (row->null[COL_SUBJECT])
		row->subject_len = 0;
	row->kind = -1;
	if (!row->null[COL_SERVER] && row->server >= 0 && row->server <= 1)
		row->kind = row->server ? TOKEN_SERVER : TOKEN_PLAYER;
	/* Rounded up, for 0 is expired. */
	row->ttl = -1;
	if (!row->null[COL_TTL])
		row->ttl = row->us > 0 ? (row->us - 1) / US_PER_MS + 1 :
		    row->us / US_PER_MS;
	row->identity = row->subject;
	row->identity_len = row->subject_len;
	/* A server's is its subject, whatever else its row says. */
	if (row->kind == TOKEN_SERVER || row->null[COL_PLAYER])
		return;
	if (db->stmt[stmt]->bind[COL_PLAYER].buffer_type ==
	    MYSQL_TYPE_LONGLONG) {
		snprintf((char *)row->player, sizeof(row->player),
		    db->stmt[stmt]->bind[COL_PLAYER].is_unsigned ? "%llu" :
		    "%lld", (unsigned long long)row->number);
		row->player_len = strlen((char *)row->player);
	}
	row->identity = row->player;
	row->identity_len = row->player_len;
}

int
mydb_rows_next(struct store_db *db, size_t stmt, struct mysql_row *row)
{
	switch (mysql_stmt_fetch(db->stmt[stmt])) {
	case 0:
	case MYSQL_DATA_TRUNCATED:
		understand(db, stmt, row);
		return (1);
	case MYSQL_NO_DATA:
		return (0);
	default:
		return (-1);
	}
}

void
mydb_rows_end(struct store_db *db, size_t stmt)
{
	mysql_stmt_free_result(db->stmt[stmt]);
}

static void
bad_row(struct store_db *db, uint64_t now)
{
	if (log_limit(&db->bad_row, 1, now) &&
	    log_begin(LOGL_WARN, "a token is refused for what its row holds")) {
		log_str("reason", "subject_id or player_id is empty or longer "
		    "than 64 bytes");
		log_end();
	}
}

/* What one row says to those who asked for its token. */
static void
apply_row(struct store_db *db, uint64_t now, const struct mysql_row *row,
    const struct store_lookup *q, size_t n, struct store_result *res)
{
	size_t	i;

	for (i = 0; i < n; i++) {
		if (row->kind != q[i].kind || row->ttl <= 0 ||
		    row->token_len != q[i].len ||
		    memcmp(row->token, q[i].token, q[i].len) != 0)
			continue;
		if (row->subject_len == 0 || row->subject_len > SUBJECT_MAX ||
		    row->identity_len == 0 || row->identity_len > SUBJECT_MAX) {
			bad_row(db, now);
			continue;
		}
		/* A table without its key may have a token twice. */
		if (res[i].status == STORE_VALID && res[i].ttl >= row->ttl)
			continue;
		res[i].status = STORE_VALID;
		res[i].ttl = row->ttl;
		res[i].identity_len = (uint8_t)row->identity_len;
		memcpy(res[i].identity, row->identity, row->identity_len);
		res[i].subject_len = (uint8_t)row->subject_len;
		memcpy(res[i].subject, row->subject, row->subject_len);
	}
}

static void
clear_results(const struct store_lookup *q, size_t n, struct store_result *res)
{
	size_t	i;

	memset(res, 0, n * sizeof(*res));
	for (i = 0; i < n; i++) {
		res[i].id = q[i].id;
		res[i].status = STORE_INVALID;
	}
}

/*
 * To a column of text, bytes that are none may be an error; there they can be
 * left out, since no row has them.
 */
static int
is_asked(const struct store_db *db, const struct store_lookup *q)
{
	return (!db->text_only || utf8_ok(q->token, q->len));
}

static int
all_text(const struct store_lookup *q, size_t n)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (!utf8_ok(q[i].token, q[i].len))
			return (0);
	return (1);
}

/* What is left of the statement's places gets an empty token, of no row. */
static void
bind_tokens(struct store_db *db, const struct store_lookup *q, size_t n,
    size_t size)
{
	size_t	i, len;

	for (i = 0; i < size; i++) {
		len = 0;
		if (i < n && is_asked(db, &q[i])) {
			len = q[i].len;
			memcpy(db->bytes[i], q[i].token, len);
		}
		mydb_bind_bytes(&db->param[i], db->bytes[i], len);
	}
}

enum db_status
mydb_lookup(struct store_db *db, uint64_t now, const struct store_lookup *q,
    size_t n, struct store_result *res, char *err)
{
	MYSQL_BIND		bind[COLUMNS];
	struct mysql_row	row;
	enum db_status		status;
	size_t			size = 0, stmt;
	int			rc = -1;

	if ((status = mydb_take(db, now, OP_LOOKUP, err)) != DB_OK)
		return (status);
	while (size < MYSQL_SIZES - 1 && mydb_sizes[size] < n)
		size++;
	stmt = STMT_LOOKUP + size;
	if (mydb_idle(db)) {
		bind_tokens(db, q, n, mydb_sizes[size]);
		mydb_lookup_sql(mydb_sizes[size], db->sql, sizeof(db->sql));
	}
	status = mydb_run(db, now, stmt, db->sql, err);
	if (status == DB_OK) {
		clear_results(q, n, res);
		if (mydb_rows_start(db, stmt, bind, &row) == 0)
			while ((rc = mydb_rows_next(db, stmt, &row)) == 1)
				apply_row(db, now, &row, q, n, res);
		mydb_rows_end(db, stmt);
		if (rc == -1) {
			mydb_err(err, "%s: %s", db->name,
			    mysql_stmt_error(db->stmt[stmt]));
			status = DB_FAIL;
		}
	}
	if (status == DB_FAIL && !db->text_only && !all_text(q, n)) {
		db->text_only = 1;
		status = DB_BUSY;
	}
	explicit_bzero(&row, sizeof(row));
	if (status != DB_WAIT)
		explicit_bzero(db->bytes, sizeof(db->bytes));
	return (mydb_leave(db, status));
}

enum db_status
mydb_check(struct store_db *db, uint64_t now, char *err)
{
	enum db_status	status;

	if ((status = mydb_take(db, now, OP_CHECK, err)) != DB_OK)
		return (status);
	status = mydb_run(db, now, STMT_CHECK, check_sql, err);
	if (status == DB_OK)
		mydb_rows_end(db, STMT_CHECK);
	return (mydb_leave(db, status));
}
