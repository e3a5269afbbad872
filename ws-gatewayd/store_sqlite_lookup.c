/*
 * Lookups in SQLite: tokens are bytes, and are found by their bytes, whatever
 * SQLite's column affinities have made of them.
 *
 * The query asks for each token in the three forms that it can be stored in
 * and may well find too much (to a NUMERIC column "007" is 7); which rows are
 * meant is decided here, byte for byte.
 */
#include <sys/types.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "store_sqlite.h"

#define FORMS		3		/* text, blob, integer */

const size_t	sqlite_sizes[SQLITE_SIZES] = { 1, 8, DB_BATCH };

enum column {
	COL_TOKEN,
	COL_PLAYER,
	COL_SUBJECT,
	COL_SERVER,
	COL_EXPIRES,
	COL_TTL
};

/* SQLite's rules of affinity, by the words in a declared type. */
int
sqlite_numeric(const char *decltype)
{
	if (decltype == NULL || *decltype == '\0')
		return (0);
	if (strcasestr(decltype, "INT") != NULL)
		return (1);
	return (strcasestr(decltype, "CHAR") == NULL &&
	    strcasestr(decltype, "CLOB") == NULL &&
	    strcasestr(decltype, "TEXT") == NULL &&
	    strcasestr(decltype, "BLOB") == NULL);
}

/*
 * Where the application's table was small when it was last analysed, SQLite
 * would rather read all of it; by the name of the primary key's index it can
 * be made to search.
 */
void
sqlite_lookup_sql(size_t tokens, int indexed, char *buf, size_t size)
{
	size_t	i;

	snprintf(buf, size, "SELECT " SQLITE_COLUMNS " FROM ws_token %sWHERE "
	    "token IN (?", indexed ?
	    "INDEXED BY sqlite_autoindex_ws_token_1 " : "");
	for (i = 1; i < tokens * FORMS; i++)
		strlcat(buf, ",?", size);
	strlcat(buf, ")", size);
}

/* The integer that these bytes are the only spelling of. */
static int
canonical_integer(const uint8_t *p, size_t len, int64_t *value)
{
	uint64_t	v = 0, max = INT64_MAX;
	size_t		i = 0;
	int		neg = 0;

	if (len > 0 && p[0] == '-') {
		neg = 1;
		max++;
		i++;
	}
	if (i == len || (p[i] == '0' && len > 1))
		return (0);
	for (; i < len; i++) {
		if (p[i] < '0' || p[i] > '9' ||
		    v > (max - (uint64_t)(p[i] - '0')) / 10)
			return (0);
		v = v * 10 + (uint64_t)(p[i] - '0');
	}
	*value = neg ? (int64_t)(0 - v) : (int64_t)v;
	return (1);
}

int
sqlite_bind_token(sqlite3_stmt *stmt, int first, const uint8_t *token,
    size_t len)
{
	int64_t	value;
	int	rc;

	/* The bytes stay where they are until the bindings are cleared. */
	rc = sqlite3_bind_text64(stmt, first, (const char *)token, len,
	    SQLITE_STATIC, SQLITE_UTF8);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob64(stmt, first + 1, token, len,
		    SQLITE_STATIC);
	if (rc == SQLITE_OK && canonical_integer(token, len, &value))
		rc = sqlite3_bind_int64(stmt, first + 2, value);
	return (rc);
}

size_t
sqlite_bytes(sqlite3_value *value, const uint8_t **p)
{
	if (sqlite3_value_type(value) == SQLITE_BLOB)
		*p = sqlite3_value_blob(value);
	else
		*p = sqlite3_value_text(value);
	return (*p == NULL ? 0 : (size_t)sqlite3_value_bytes(value));
}

/*
 * A token that was turned into a number keeps its bytes only if it was spelled
 * like one.  A hexadecimal "0e46..." in a NUMERIC column has become 0, and
 * "12e99..." infinity: such a row must not open for "0" or "Inf".
 */
int
sqlite_token_bytes(const struct store_db *db, sqlite3_value *value,
    const uint8_t **p, size_t *len)
{
	int	type = sqlite3_value_type(value);

	if (type == SQLITE_NULL || (type == SQLITE_INTEGER && db->numeric &&
	    sqlite3_value_int64(value) == 0))
		return (-1);
	*len = sqlite_bytes(value, p);
	if (type == SQLITE_FLOAT &&
	    (*p == NULL || strspn((const char *)*p, "-.0123456789") != *len))
		return (-1);
	return (0);
}

int
sqlite_kind(sqlite3_value *value)
{
	const uint8_t	*p;

	switch (sqlite3_value_type(value)) {
	case SQLITE_INTEGER:
	case SQLITE_TEXT:
		if (sqlite_bytes(value, &p) != 1)
			return (-1);
		if (p[0] == '0')
			return (TOKEN_PLAYER);
		return (p[0] == '1' ? TOKEN_SERVER : -1);
	default:
		return (-1);
	}
}

/*
 * YYYY-MM-DD HH:MM:SS[.ffffff], with T and Z if need be.  SQLite's functions
 * also take "now", "12:00" or the number of a day, which no expiry is; whether
 * there is such a day is left to them.
 */
static int
is_time(const uint8_t *p, size_t len)
{
	static const char	form[] = "dddd-dd-dd dd:dd:dd";
	size_t			i;

	if (len < sizeof(form) - 1)
		return (0);
	for (i = 0; form[i] != '\0'; i++) {
		switch (form[i]) {
		case 'd':
			if (p[i] < '0' || p[i] > '9')
				return (0);
			break;
		case ' ':
			if (p[i] != ' ' && p[i] != 'T')
				return (0);
			break;
		default:
			if (p[i] != (uint8_t)form[i])
				return (0);
		}
	}
	if (i < len && p[i] == '.') {
		if (++i == len || p[i] < '0' || p[i] > '9')
			return (0);
		while (i < len && p[i] >= '0' && p[i] <= '9')
			i++;
	}
	if (i < len && p[i] == 'Z')
		i++;
	return (i == len);
}

/* Milliseconds until a row expires; rounded up, for 0 is expired. */
static int64_t
row_ttl(sqlite3_stmt *stmt)
{
	const uint8_t	*p;
	size_t		 len;
	double		 ms;

	if (sqlite3_column_type(stmt, COL_EXPIRES) != SQLITE_TEXT ||
	    sqlite3_column_type(stmt, COL_TTL) != SQLITE_FLOAT)
		return (-1);
	p = sqlite3_column_text(stmt, COL_EXPIRES);
	len = (size_t)sqlite3_column_bytes(stmt, COL_EXPIRES);
	if (p == NULL || !is_time(p, len))
		return (-1);
	ms = sqlite3_column_double(stmt, COL_TTL);
	return (ms > 0 ? (int64_t)ms + 1 : (int64_t)ms);
}

void
sqlite_row(const struct store_db *db, sqlite3_stmt *stmt,
    struct sqlite_row *row)
{
	memset(row, 0, sizeof(*row));
	if (sqlite_token_bytes(db, sqlite3_column_value(stmt, COL_TOKEN),
	    &row->token, &row->token_len) == -1)
		row->token = NULL;
	row->kind = sqlite_kind(sqlite3_column_value(stmt, COL_SERVER));
	row->subject_len = sqlite_bytes(
	    sqlite3_column_value(stmt, COL_SUBJECT), &row->subject);
	row->identity = row->subject;
	row->identity_len = row->subject_len;
	/* A server's is its subject, whatever else its row says. */
	if (row->kind != TOKEN_SERVER &&
	    sqlite3_column_type(stmt, COL_PLAYER) != SQLITE_NULL)
		row->identity_len = sqlite_bytes(
		    sqlite3_column_value(stmt, COL_PLAYER), &row->identity);
	row->ttl = row_ttl(stmt);
}

static void
bad_row(struct store_db *db, uint64_t now, const char *why)
{
	if (log_limit(&db->bad_row, 1, now) &&
	    log_begin(LOGL_WARN, "a token is refused for what its row holds")) {
		log_str("reason", why);
		log_end();
	}
}

/* What one row says to those who asked for its token. */
static void
apply_row(struct store_db *db, uint64_t now, sqlite3_stmt *stmt,
    const struct store_lookup *q, size_t n, struct store_result *res)
{
	struct sqlite_row	row;
	size_t			i;

	sqlite_row(db, stmt, &row);
	if (row.token == NULL)
		return;
	for (i = 0; i < n; i++) {
		if (row.kind != q[i].kind || row.ttl <= 0 ||
		    row.token_len != q[i].len ||
		    memcmp(row.token, q[i].token, q[i].len) != 0)
			continue;
		if (row.subject_len == 0 || row.subject_len > SUBJECT_MAX ||
		    row.identity_len == 0 || row.identity_len > SUBJECT_MAX) {
			bad_row(db, now, "subject_id or player_id is empty or "
			    "longer than 64 bytes");
			continue;
		}
		/* Text and blob are two rows to SQLite, and one token. */
		if (res[i].status == STORE_VALID && res[i].ttl >= row.ttl)
			continue;
		res[i].status = STORE_VALID;
		res[i].ttl = row.ttl;
		res[i].identity_len = (uint8_t)row.identity_len;
		memcpy(res[i].identity, row.identity, row.identity_len);
		res[i].subject_len = (uint8_t)row.subject_len;
		memcpy(res[i].subject, row.subject, row.subject_len);
	}
}

static int
prepare_lookup(struct store_db *db, size_t size)
{
	char	sql[512 + 2 * DB_BATCH * FORMS];
	int	rc;

	sqlite_lookup_sql(sqlite_sizes[size], 1, sql, sizeof(sql));
	rc = sqlite3_prepare_v3(db->sql, sql, -1, SQLITE_PREPARE_PERSISTENT,
	    &db->lookup[size], NULL);
	/* A table of another make: its planner knows best. */
	if (rc == SQLITE_ERROR) {
		sqlite_lookup_sql(sqlite_sizes[size], 0, sql, sizeof(sql));
		rc = sqlite3_prepare_v3(db->sql, sql, -1,
		    SQLITE_PREPARE_PERSISTENT, &db->lookup[size], NULL);
	}
	return (rc);
}

static int
run_lookup(struct store_db *db, uint64_t now, size_t size,
    const struct store_lookup *q, size_t n, struct store_result *res)
{
	sqlite3_stmt	*stmt;
	size_t		 i;
	int		 rc = SQLITE_OK;

	if (db->lookup[size] == NULL &&
	    (rc = prepare_lookup(db, size)) != SQLITE_OK)
		return (rc);
	stmt = db->lookup[size];
	for (i = 0; i < n && rc == SQLITE_OK; i++)
		rc = sqlite_bind_token(stmt, (int)(i * FORMS) + 1, q[i].token,
		    q[i].len);
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(stmt);
		/* Known for sure only now: the step may have re-prepared. */
		db->numeric = sqlite_numeric(sqlite3_column_decltype(stmt,
		    COL_TOKEN));
	}
	while (rc == SQLITE_ROW) {
		apply_row(db, now, stmt, q, n, res);
		rc = sqlite3_step(stmt);
	}
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return (rc == SQLITE_DONE ? SQLITE_OK : rc);
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

static int
lookup_some(struct store_db *db, uint64_t now, const struct store_lookup *q,
    size_t n, struct store_result *res)
{
	size_t	size = 0;
	int	rc;

	while (size < SQLITE_SIZES - 1 && sqlite_sizes[size] < n)
		size++;
	clear_results(q, n, res);
	rc = run_lookup(db, now, size, q, n, res);
	/*
	 * The index that a statement insists on went with its table, and
	 * another table came: prepare for that one.
	 */
	if (rc == SQLITE_ERROR && db->lookup[size] != NULL) {
		sqlite_statements_free(db);
		clear_results(q, n, res);
		rc = run_lookup(db, now, size, q, n, res);
	}
	return (rc);
}

enum db_status
sqlite_lookup(struct store_db *db, uint64_t now, const struct store_lookup *q,
    size_t n, struct store_result *res, char *err)
{
	enum db_status	status;
	size_t		i;
	int		rc;

	if ((status = sqlite_follow(db, now, err)) != DB_OK)
		return (status);
	rc = lookup_some(db, now, q, n, res);
	/* One row with an absurd value must not cost the others theirs. */
	if (rc == SQLITE_TOOBIG) {
		rc = SQLITE_OK;
		for (i = 0; i < n && rc == SQLITE_OK; i++) {
			rc = lookup_some(db, now, &q[i], 1, &res[i]);
			if (rc != SQLITE_TOOBIG)
				continue;
			clear_results(&q[i], 1, &res[i]);
			bad_row(db, now, "a value is too long");
			rc = SQLITE_OK;
		}
	}
	return (sqlite_status(db, rc, err));
}

enum db_status
sqlite_check(struct store_db *db, uint64_t now, char *err)
{
	enum db_status	status;
	int		rc = SQLITE_OK;

	if ((status = sqlite_follow(db, now, err)) != DB_OK)
		return (status);
	if (db->probe == NULL)
		rc = sqlite3_prepare_v3(db->sql, "SELECT typeof(token), "
		    "typeof(player_id), typeof(subject_id), typeof(is_server), "
		    "typeof(expires_at) FROM ws_token LIMIT 1", -1,
		    SQLITE_PREPARE_PERSISTENT, &db->probe, NULL);
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(db->probe);
		sqlite3_reset(db->probe);
	}
	return (sqlite_status(db, rc, err));
}

void
sqlite_statements_free(struct store_db *db)
{
	size_t	i;

	for (i = 0; i < SQLITE_SIZES; i++) {
		sqlite3_finalize(db->lookup[i]);
		db->lookup[i] = NULL;
	}
	sqlite3_finalize(db->probe);
	db->probe = NULL;
}
