/*
 * The SQLite backend: which rows a token opens, and what becomes of it when
 * the file is locked, replaced, damaged, read-only or without its table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "store_sqlite.h"

#define FUTURE	"'2999-01-01 00:00:00'"
#define CONTRACT							\
	"CREATE TABLE ws_token (token VARBINARY(32) NOT NULL PRIMARY KEY,"\
	" player_id INTEGER UNSIGNED DEFAULT NULL,"			\
	" subject_id VARBINARY(32) NOT NULL, is_server BOOLEAN NOT NULL,"\
	" expires_at DATETIME(6) NOT NULL);"				\
	"CREATE INDEX idx_ws_token_server_exp"				\
	" ON ws_token (is_server, expires_at);"

static char			 folder[64];
static char			 path[96];
static char			 err[DB_ERRSIZE];
static char			 logged[LOG_MAXLINE];
static unsigned int		 nlogged;
static struct store_db		*db;
static sqlite3			*other;		/* the application */
static struct conf_database	 conf;
static struct conf_process	 process;
static uint64_t			 now;
static const struct store_backend *const sq = &store_sqlite;

static void
sink(enum log_level level, const char *line, size_t len, const char *msg)
{
	(void)level;
	(void)len;
	(void)msg;
	strlcpy(logged, line, sizeof(logged));
	nlogged++;
}

static int
setup(void **state)
{
	(void)state;
	strlcpy(folder, "/tmp/test_store.XXXXXX", sizeof(folder));
	if (mkdtemp(folder) == NULL)
		return (-1);
	snprintf(path, sizeof(path), "%s/t.db", folder);
	memset(&conf, 0, sizeof(conf));
	memset(&process, 0, sizeof(process));
	strlcpy(conf.dsn, "file:t.db?cache=shared", sizeof(conf.dsn));
	strlcpy(conf.cwd, folder, sizeof(conf.cwd));
	err[0] = logged[0] = '\0';
	nlogged = 0;
	now = 1000;
	return (0);
}

static int
remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return (remove(name));
}

static int
teardown(void **state)
{
	(void)state;
	if (db != NULL)
		sq->close(db);
	db = NULL;
	sqlite3_close(other);
	other = NULL;
	return (nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS));
}

static void
app(const char *sql)
{
	char	*msg = NULL;

	if (other == NULL)
		assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	if (sqlite3_exec(other, sql, NULL, NULL, &msg) != SQLITE_OK)
		fail_msg("%s: %s", sql, msg);
}

static void
app_leaves(void)
{
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	other = NULL;
}

/* A row of the application: values as SQL. */
static void
row(const char *token, const char *player, const char *subject,
    const char *server, const char *expires)
{
	char	sql[1024];

	snprintf(sql, sizeof(sql), "INSERT INTO ws_token VALUES "
	    "(%s, %s, %s, %s, %s)", token, player, subject, server, expires);
	app(sql);
}

static void
open_db(void)
{
	db = sq->open(&conf, &process, err);
	if (db == NULL)
		fail_msg("%s", err);
}

static void
app_and_open(const char *schema)
{
	app(schema);
	open_db();
}

static enum db_status
lookup(enum token_kind kind, const void *token, size_t len,
    struct store_result *res)
{
	struct store_lookup	q;

	memset(&q, 0, sizeof(q));
	q.id = 77;
	q.kind = (uint8_t)kind;
	q.len = (uint8_t)len;
	memcpy(q.token, token, len);
	memset(res, 0xaa, sizeof(*res));
	return (sq->lookup(db, now, &q, 1, res, err));
}

/* The identity that a token opens, "" for none. */
static const char *
opens_bytes(enum token_kind kind, const void *token, size_t len)
{
	static char		identity[SUBJECT_MAX + 1];
	struct store_result	res;
	enum db_status		status;

	status = lookup(kind, token, len, &res);
	if (status != DB_OK)
		fail_msg("status %d: %s", status, err);
	assert_int_equal(res.id, 77);
	if (res.status == STORE_INVALID) {
		assert_int_equal(res.identity_len, 0);
		return ("");
	}
	assert_int_equal(res.status, STORE_VALID);
	assert_true(res.ttl > 0);
	memcpy(identity, res.identity, res.identity_len);
	identity[res.identity_len] = '\0';
	return (identity);
}

static const char *
player(const char *token)
{
	return (opens_bytes(TOKEN_PLAYER, token, strlen(token)));
}

static const char *
server(const char *token)
{
	return (opens_bytes(TOKEN_SERVER, token, strlen(token)));
}

static void
assert_open_fails(const char *why)
{
	db = sq->open(&conf, &process, err);
	assert_null(db);
	if (strstr(err, why) == NULL)
		fail_msg("\"%s\" has no \"%s\"", err, why);
}

static void
assert_lookup_fails(enum db_status want, const char *why)
{
	struct store_result	res;

	assert_int_equal(lookup(TOKEN_PLAYER, "abc", 3, &res), want);
	if (strstr(err, why) == NULL)
		fail_msg("\"%s\" has no \"%s\"", err, why);
}

/* The DSN. */

static void
assert_path(const char *dsn, const char *cwd, const char *want)
{
	char	out[SQLITE_PATHSIZE];
	int	ro;

	if (sqlite_dsn(dsn, cwd, out, sizeof(out), &ro, err) == -1)
		fail_msg("%s: %s", dsn, err);
	assert_string_equal(out, want);
	assert_int_equal(ro, strstr(dsn, "mode=ro") != NULL);
}

static void
test_dsn(void **state)
{
	(void)state;
	assert_path("t.db", "/a", "/a/t.db");
	assert_path("t.db", "/", "/t.db");
	assert_path("../x/t.db", "/a", "/a/../x/t.db");
	assert_path("/b/t.db", "/a", "/b/t.db");
	assert_path("/b/t.db?_busy_timeout=5000&_journal=WAL", "/a", "/b/t.db");
	assert_path("file:t.db?cache=shared", "/a", "/a/t.db");
	assert_path("file:t.db?_pragma=busy_timeout(5000)#x", "/a", "/a/t.db");
	assert_path("file:/b/t.db", "/a", "/b/t.db");
	assert_path("file:///b/t.db", "/a", "/b/t.db");
	assert_path("file://localhost/b/t.db?mode=rwc", "/a", "/b/t.db");
	assert_path("file:a%20b%3f.db?mode=ro", "/a", "/a/a b?.db");
	assert_path("a%20b.db", "/a", "/a/a%20b.db");
	assert_path("file:t.db?x=1&mode=ro&cache=private", "/a", "/a/t.db");
	assert_path("file:t.db?immutable=1&nolock=1&vfs=none", "/a", "/a/t.db");
}

static void
test_dsn_bad(void **state)
{
	static const char *const	bad[] = {
		"", ":memory:", "file::memory:?cache=shared", "file:",
		"file:x?mode=memory", "?cache=shared", "file://host/x",
		"file://localhost", "file:a%", "file:a%4", "file:a%zz",
		"file:a%00b",
	};
	char				out[SQLITE_PATHSIZE];
	char				huge[CONF_MAXDSN * 3];
	int				ro;
	size_t				i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err[0] = '\0';
		if (sqlite_dsn(bad[i], "/a", out, sizeof(out), &ro, err) != -1)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_true(err[0] != '\0');
	}
	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	assert_int_equal(sqlite_dsn(huge, "/a", out, sizeof(out), &ro, err),
	    -1);
	huge[SQLITE_PATHSIZE - 2] = '\0';
	assert_int_equal(sqlite_dsn(huge, "/a", out, sizeof(out), &ro, err),
	    -1);
}

/* Starts. */

static void
test_missing(void **state)
{
	(void)state;
	assert_open_fails("start once with -C");
	assert_non_null(strstr(err, path));
	assert_non_null(strstr(err, "ws-gatewayctl token add"));
	assert_int_equal(access(path, F_OK), -1);
}

static void
test_folder_missing(void **state)
{
	(void)state;
	conf.create = 1;
	strlcpy(conf.dsn, "no/t.db", sizeof(conf.dsn));
	assert_open_fails("/no of the database is missing");
	app("CREATE TABLE x (a)");
	strlcpy(conf.dsn, "t.db/t.db", sizeof(conf.dsn));
	assert_open_fails("is not a folder");
}

static void
test_no_file(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_open_fails("no regular file");
	assert_int_equal(rmdir(path), 0);
	/* Opening it would wait for somebody to write. */
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_open_fails("no regular file");
}

static void
test_create(void **state)
{
	struct stat	st;

	(void)state;
	conf.create = 1;
	umask(0);
	open_db();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(sq->check(db, now, err), DB_OK);
	assert_string_equal(player("abc"), "");
	sq->warn(db);
	assert_int_equal(nlogged, 0);
	row("'abc'", "NULL", "'me'", "0", FUTURE);
	assert_string_equal(player("abc"), "me");
	/* A second start finds it as it is. */
	sq->close(db);
	open_db();
	assert_int_equal(sq->setup(db, err), DB_OK);
	assert_string_equal(player("abc"), "me");
}

static void
test_create_owner(void **state)
{
	struct stat	st;

	(void)state;
	if (geteuid() != 0)
		skip();
	conf.create = 1;
	process.drop = 1;
	process.uid = 65534;
	process.gid = 65534;
	strlcpy(process.user, "nobody", sizeof(process.user));
	open_db();
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(st.st_gid, 65534);
}

/* The statement of one object of a schema, blanks and comments apart. */
static void
object_sql(sqlite3 *sql, const char *name, char *buf, size_t size)
{
	sqlite3_stmt	*stmt;
	const char	*p;
	size_t		 n = 0;

	assert_int_equal(sqlite3_prepare_v2(sql, "SELECT sql FROM "
	    "sqlite_master WHERE name = ?", -1, &stmt, NULL), SQLITE_OK);
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	for (p = (const char *)sqlite3_column_text(stmt, 0); *p != '\0'; p++) {
		if (strncmp(p, "--", 2) == 0)
			p += strcspn(p, "\n");
		if (strchr(" \t\n", *p) == NULL && n < size - 1)
			buf[n++] = *p;
	}
	buf[n] = '\0';
	sqlite3_finalize(stmt);
}

static void
test_schema_file(void **state)
{
	static const char *const	names[] = { "ws_token",
					    "idx_ws_token_server_exp" };
	char				file[1024], text[8192];
	char				ours[1024], theirs[1024], *p;
	sqlite3				*mem;
	FILE				*fp;
	size_t				i, n;

	(void)state;
	strlcpy(file, __FILE__, sizeof(file));
	p = strstr(file, "regress/unit/");
	assert_non_null(p);
	strlcpy(p, "etc/schema.sqlite.sql", sizeof(file) - (size_t)(p - file));
	/* Relative to where the compiler was, or else to the top. */
	if ((fp = fopen(file, "r")) == NULL)
		fp = fopen(p, "r");
	assert_non_null(fp);
	n = fread(text, 1, sizeof(text) - 1, fp);
	text[n] = '\0';
	fclose(fp);
	assert_int_equal(sqlite3_open(":memory:", &mem), SQLITE_OK);
	assert_int_equal(sqlite3_exec(mem, text, NULL, NULL, NULL), SQLITE_OK);
	conf.create = 1;
	open_db();
	for (i = 0; i < 2; i++) {
		object_sql(mem, names[i], theirs, sizeof(theirs));
		object_sql(db->sql, names[i], ours, sizeof(ours));
		assert_string_equal(ours, theirs);
	}
	sqlite3_close(mem);
}

static void
test_paths(void **state)
{
	const struct sandbox_path	*p;
	char				 sub[80], link_path[96];

	(void)state;
	snprintf(sub, sizeof(sub), "%s/sub", folder);
	assert_int_equal(mkdir(sub, 0700), 0);
	snprintf(link_path, sizeof(link_path), "%s/link.db", sub);
	app(CONTRACT);
	assert_int_equal(symlink(path, link_path), 0);
	strlcpy(conf.dsn, link_path, sizeof(conf.dsn));
	open_db();
	p = sq->paths(db);
	assert_string_equal(p[0].path, sub);
	assert_string_equal(p[1].path, folder);
	assert_string_equal(p[1].perm, "rwc");
	assert_null(p[2].path);
}

/* Rows and tokens. */

static const char *const	declarations[] = {
	"VARBINARY(32)", "BLOB", "TEXT", "VARCHAR(32)", ""
};

static void
create_as(const char *decl)
{
	char	sql[512];

	snprintf(sql, sizeof(sql), "DROP TABLE IF EXISTS ws_token;"
	    "CREATE TABLE ws_token (token %s NOT NULL PRIMARY KEY, "
	    "player_id INTEGER, subject_id %s NOT NULL, "
	    "is_server BOOLEAN NOT NULL, expires_at DATETIME(6) NOT NULL)",
	    decl, decl);
	app(sql);
}

static void
test_forms(void **state)
{
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(declarations) / sizeof(declarations[0]); i++) {
		create_as(declarations[i]);
		if (db == NULL)
			open_db();
		row("'abc'", "NULL", "'text'", "0", FUTURE);
		row("x'616263ff'", "NULL", "x'626c6f62'", "0", FUTURE);
		row("x'00616200'", "NULL", "'nuls'", "0", FUTURE);
		row("42", "NULL", "'int'", "0", FUTURE);
		row("'43'", "NULL", "'text43'", "0", FUTURE);
		row("x'3434'", "NULL", "'blob44'", "0", FUTURE);
		row("-9223372036854775808", "NULL", "'min'", "0", FUTURE);
		row("'9223372036854775807'", "NULL", "'max'", "0", FUTURE);
		row("'Caf\xc3\xa9'", "NULL", "'accent'", "0", FUTURE);
		assert_string_equal(player("abc"), "text");
		assert_string_equal(player("ABC"), "");
		assert_string_equal(player("abc "), "");
		assert_string_equal(player("ab"), "");
		assert_string_equal(player("abc\xff"), "blob");
		assert_string_equal(opens_bytes(TOKEN_PLAYER, "\0ab\0", 4),
		    "nuls");
		assert_string_equal(opens_bytes(TOKEN_PLAYER, "\0ab", 3), "");
		assert_string_equal(opens_bytes(TOKEN_PLAYER, "abc\0", 4), "");
		assert_string_equal(player("42"), "int");
		assert_string_equal(player("43"), "text43");
		assert_string_equal(player("44"), "blob44");
		assert_string_equal(player("042"), "");
		assert_string_equal(player("42.0"), "");
		assert_string_equal(player("+43"), "");
		assert_string_equal(player(" 43"), "");
		assert_string_equal(player("4.3e1"), "");
		assert_string_equal(player("0x2a"), "");
		assert_string_equal(player("-9223372036854775808"), "min");
		assert_string_equal(player("9223372036854775807"), "max");
		assert_string_equal(player("9223372036854775808"), "");
		assert_string_equal(player("Caf\xc3\xa9"), "accent");
		assert_string_equal(player("Caf"), "");
	}
}

/* Tokens whose bytes a NUMERIC column has destroyed open for nobody. */
static void
test_numbers(void **state)
{
	(void)state;
	app_and_open(CONTRACT);
	row("'0e462012345678901234567890123456'", "NULL", "'zero'", "0",
	    FUTURE);
	row("'12345678901234567890123456789012'", "NULL", "'big'", "0", FUTURE);
	row("'99e45678901234567890123456789012'", "NULL", "'inf'", "0", FUTURE);
	row("'007'", "NULL", "'seven'", "0", FUTURE);
	row("x'303037'", "NULL", "'blob007'", "0", FUTURE);
	assert_string_equal(player("0"), "");
	assert_string_equal(player("00"), "");
	assert_string_equal(player("0.0"), "");
	assert_string_equal(player("12345678901234567890123456789013"), "");
	assert_string_equal(player("1.23456789012346e+31"), "");
	assert_string_equal(player("Inf"), "");
	assert_string_equal(player("007"), "blob007");
	assert_string_equal(player("7.0"), "");
	assert_string_equal(player("7"), "seven");
}

static void
test_text_numbers(void **state)
{
	(void)state;
	conf.create = 1;
	open_db();
	row("'0e462012345678901234567890123456'", "NULL", "'a'", "0", FUTURE);
	row("'0'", "NULL", "'0042'", "0", FUTURE);
	row("'007'", "NULL", "'b'", "0", FUTURE);
	row("'12345678901234567890123456789012'", "NULL", "'c'", "0", FUTURE);
	row("'12345678901234567890123456789013'", "NULL", "'d'", "0", FUTURE);
	assert_string_equal(player("0e462012345678901234567890123456"), "a");
	assert_string_equal(player("0"), "0042");
	assert_string_equal(player("007"), "b");
	assert_string_equal(player("7"), "");
	assert_string_equal(player("12345678901234567890123456789012"), "c");
	assert_string_equal(player("12345678901234567890123456789013"), "d");
}

static void
test_collation(void **state)
{
	(void)state;
	app_and_open("CREATE TABLE ws_token (token TEXT COLLATE NOCASE PRIMARY "
	    "KEY, player_id, subject_id TEXT, is_server, expires_at)");
	row("'Abc'", "NULL", "'me'", "0", FUTURE);
	assert_string_equal(player("Abc"), "me");
	assert_string_equal(player("abc"), "");
}

static void
test_utf16(void **state)
{
	(void)state;
	app("PRAGMA encoding='UTF-16'");
	app_and_open(CONTRACT);
	row("'Caf\xc3\xa9'", "NULL", "'\xc3\xa9'", "0", FUTURE);
	row("x'ff'", "NULL", "'blob'", "0", FUTURE);
	assert_string_equal(player("Caf\xc3\xa9"), "\xc3\xa9");
	assert_string_equal(player("\xff"), "blob");
	assert_string_equal(player("\xef\xbf\xbd"), "");
	assert_string_equal(player("\xfe"), "");
}

static void
test_any_byte(void **state)
{
	char	sql[64];
	uint8_t	b;
	int	i, j;

	(void)state;
	app_and_open(CONTRACT);
	for (i = 0; i < 256; i++) {
		snprintf(sql, sizeof(sql), "x'%02x'", i);
		row(sql, "NULL", sql[2] == '0' ? "'low'" : "'high'", "0",
		    FUTURE);
	}
	for (j = 0; j < 256; j++) {
		b = (uint8_t)j;
		assert_string_equal(opens_bytes(TOKEN_PLAYER, &b, 1),
		    j < 16 ? "low" : "high");
	}
}

static void
test_identity(void **state)
{
	struct store_result	res;

	(void)state;
	app_and_open(CONTRACT);
	row("'p'", "21", "'sub'", "0", FUTURE);
	row("'q'", "NULL", "x'30303432'", "0", FUTURE);
	row("'r'", "4294967295", "'sub'", "0", FUTURE);
	row("'s'", "21", "'srv'", "1", FUTURE);
	row("'t'", "0", "'sub'", "0", FUTURE);
	row("'u'", "NULL", "x'61006200'", "0", FUTURE);
	assert_string_equal(player("p"), "21");
	assert_string_equal(player("q"), "0042");
	assert_string_equal(player("r"), "4294967295");
	assert_string_equal(player("t"), "0");
	assert_string_equal(player("s"), "");
	assert_string_equal(server("s"), "srv");
	assert_string_equal(server("p"), "");
	assert_int_equal(lookup(TOKEN_PLAYER, "p", 1, &res), DB_OK);
	assert_int_equal(res.subject_len, 3);
	assert_memory_equal(res.subject, "sub", 3);
	assert_int_equal(lookup(TOKEN_PLAYER, "u", 1, &res), DB_OK);
	assert_int_equal(res.identity_len, 4);
	assert_memory_equal(res.identity, "a\0b\0", 4);
}

static void
test_bad_subject(void **state)
{
	char	subject[80];

	(void)state;
	app_and_open(CONTRACT);
	memset(subject, 'a', sizeof(subject));
	subject[0] = subject[65] = '\'';
	subject[66] = '\0';
	row("'SECRET-64'", "NULL", subject, "0", FUTURE);
	subject[65] = 'a';
	subject[66] = '\'';
	subject[67] = '\0';
	row("'SECRET-65'", "NULL", subject, "0", FUTURE);
	row("'SECRET-0'", "NULL", "''", "0", FUTURE);
	row("'SECRET-id'", "''", "'sub'", "0", FUTURE);
	row("'SECRET-huge'", "NULL", "zeroblob(20000000)", "0", FUTURE);
	assert_int_equal(strlen(player("SECRET-64")), 64);
	assert_int_equal(nlogged, 0);
	assert_string_equal(player("SECRET-65"), "");
	assert_int_equal(nlogged, 1);
	assert_non_null(strstr(logged, "refused"));
	assert_string_equal(player("SECRET-0"), "");
	assert_int_equal(nlogged, 1);		/* once a second */
	now += 2000;
	assert_string_equal(player("SECRET-id"), "");
	assert_int_equal(nlogged, 2);
	now += 2000;
	assert_string_equal(player("SECRET-huge"), "");
	assert_int_equal(nlogged, 3);
	assert_null(strstr(logged, "SECRET"));
	assert_int_equal(sq->check(db, now, err), DB_OK);
}

static void
test_server_flag(void **state)
{
	static const struct {
		const char	*value;
		int		 kind;
	} flags[] = {
		{ "0", TOKEN_PLAYER }, { "1", TOKEN_SERVER },
		{ "'0'", TOKEN_PLAYER }, { "'1'", TOKEN_SERVER },
		{ "2", -1 }, { "-1", -1 }, { "'true'", -1 }, { "x'31'", -1 },
		{ "0.5", -1 }, { "''", -1 }, { "'11'", -1 }, { "NULL", -1 },
	};
	size_t	i;
	char	sql[32];

	(void)state;
	app_and_open("CREATE TABLE ws_token (token PRIMARY KEY, player_id, "
	    "subject_id, is_server, expires_at)");
	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		snprintf(sql, sizeof(sql), "'t%zu'", i);
		row(sql, "NULL", "'me'", flags[i].value, FUTURE);
		snprintf(sql, sizeof(sql), "t%zu", i);
		assert_string_equal(player(sql),
		    flags[i].kind == TOKEN_PLAYER ? "me" : "");
		assert_string_equal(server(sql),
		    flags[i].kind == TOKEN_SERVER ? "me" : "");
	}
}

static void
test_expiry(void **state)
{
	static const char *const	good[] = {
		"datetime('now', '+1 minute')",
		"strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '+1 minute')",
		"strftime('%Y-%m-%dT%H:%M:%f', 'now', '+1 minute')",
		"strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 minute') || '123Z'",
		"'2999-12-31 23:59:59.999999'", "'9999-12-31T23:59:59Z'",
	};
	static const char *const	bad[] = {
		"datetime('now', '-1 second')", "datetime('now')",
		"strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 second')",
		"'1970-01-01 00:00:00'", "'0000-00-00 00:00:00'", "''", "'x'",
		"'2999-01-01'", "'2999-01-01 00:00'", "'now'", "'23:59:59'",
		"'2999-13-01 00:00:00'", "'2999-01-32 00:00:00'",
		"'2999-01-01 25:00:00'", "'2999-01-01 00:61:00'",
		"'2999-01-01 00:00:61'", "'2999-01-01 00:00:00.'",
		"'2999-01-01 00:00:00+02:00'", "'2999-01-01 00:00:00ZZ'",
		"'2999-01-01 00:00:00 '", "' 2999-01-01 00:00:00'",
		"'2999-1-01 00:00:00'", "'2999-01-01t00:00:00'",
		"9999999999", "9999999999.5", "NULL", "'9999999.5'",
		"x'323939392d30312d30312030303a30303a3030'",
		"'2999-01-01 00:00:00' || char(0)",
	};
	size_t	i;
	char	sql[32];

	(void)state;
	app_and_open("CREATE TABLE ws_token (token PRIMARY KEY, player_id, "
	    "subject_id, is_server, expires_at)");
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(sql, sizeof(sql), "'g%zu'", i);
		row(sql, "NULL", "'me'", "0", good[i]);
		snprintf(sql, sizeof(sql), "g%zu", i);
		if (strcmp(player(sql), "me") != 0)
			fail_msg("%s is not valid", good[i]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(sql, sizeof(sql), "'b%zu'", i);
		row(sql, "NULL", "'me'", "0", bad[i]);
		snprintf(sql, sizeof(sql), "b%zu", i);
		if (strcmp(player(sql), "") != 0)
			fail_msg("%s is valid", bad[i]);
	}
}

static void
test_ttl(void **state)
{
	struct store_result	res;

	(void)state;
	app_and_open(CONTRACT);
	row("'a'", "NULL", "'me'", "0",
	    "strftime('%Y-%m-%d %H:%M:%f', 'now', '+90.5 seconds')");
	row("'b'", "NULL", "'me'", "0",
	    "strftime('%Y-%m-%d %H:%M:%f', 'now', '+0.3 seconds')");
	assert_int_equal(lookup(TOKEN_PLAYER, "a", 1, &res), DB_OK);
	assert_int_equal(res.status, STORE_VALID);
	assert_in_range(res.ttl, 85000, 90600);
	assert_int_equal(lookup(TOKEN_PLAYER, "b", 1, &res), DB_OK);
	assert_int_equal(res.status, STORE_VALID);
	assert_in_range(res.ttl, 1, 301);
	usleep(320 * 1000);
	assert_int_equal(lookup(TOKEN_PLAYER, "b", 1, &res), DB_OK);
	assert_int_equal(res.status, STORE_INVALID);
}

static void
test_twins(void **state)
{
	(void)state;
	app_and_open(CONTRACT);
	row("'a'", "NULL", "'text'", "0", "'1999-01-01 00:00:00'");
	row("x'61'", "NULL", "'blob'", "0", FUTURE);
	row("'b'", "NULL", "'text'", "0", FUTURE);
	row("x'62'", "NULL", "'blob'", "1", FUTURE);
	row("'c'", "NULL", "'text'", "0", FUTURE);
	row("x'63'", "NULL", "'blob'", "0", "'2001-01-01 00:00:00'");
	assert_string_equal(player("a"), "blob");
	assert_string_equal(player("b"), "text");
	assert_string_equal(server("b"), "blob");
	assert_string_equal(player("c"), "text");
}

/* Every size of a batch, valid and other tokens mixed, one token twice. */
static void
test_batches(void **state)
{
	struct store_lookup	q[DB_BATCH];
	struct store_result	res[DB_BATCH];
	char			sql[32], want[8];
	size_t			n, i;

	(void)state;
	app_and_open(CONTRACT);
	for (i = 0; i < DB_BATCH; i += 2) {
		snprintf(sql, sizeof(sql), "'t%zu'", i);
		row(sql, "NULL", sql, i % 4 == 0 ? "0" : "1", FUTURE);
	}
	for (n = 1; n <= DB_BATCH; n++) {
		memset(q, 0, sizeof(q));
		for (i = 0; i < n; i++) {
			q[i].id = (uint32_t)(i + 1000);
			q[i].kind = i % 4 == 2 ? TOKEN_SERVER : TOKEN_PLAYER;
			q[i].len = (uint8_t)snprintf((char *)q[i].token,
			    sizeof(q[i].token), "t%zu", i);
		}
		if (n > 1) {
			q[n - 1] = q[0];
			q[n - 1].id = 5;
		}
		memset(res, 0xaa, sizeof(res));
		assert_int_equal(sq->lookup(db, now, q, n, res, err), DB_OK);
		for (i = 0; i < n; i++) {
			assert_int_equal(res[i].id, q[i].id);
			snprintf(want, sizeof(want), "t%zu",
			    i == n - 1 ? (size_t)0 : i);
			if (i % 2 == 1 && i != n - 1) {
				assert_int_equal(res[i].status, STORE_INVALID);
				continue;
			}
			assert_int_equal(res[i].status, STORE_VALID);
			assert_int_equal(res[i].identity_len, strlen(want));
			assert_memory_equal(res[i].identity, want,
			    strlen(want));
		}
		if (n < DB_BATCH)
			assert_int_equal(res[n].id, 0xaaaaaaaa);
	}
}

static void
test_absurd_in_batch(void **state)
{
	struct store_lookup	q[3];
	struct store_result	res[3];
	size_t			i;

	(void)state;
	app_and_open(CONTRACT);
	row("'t0'", "NULL", "'a'", "0", FUTURE);
	row("'t1'", "NULL", "zeroblob(5000000)", "0", FUTURE);
	row("'t2'", "NULL", "'c'", "0", FUTURE);
	memset(q, 0, sizeof(q));
	for (i = 0; i < 3; i++)
		q[i].len = (uint8_t)snprintf((char *)q[i].token,
		    sizeof(q[i].token), "t%zu", i);
	assert_int_equal(sq->lookup(db, now, q, 3, res, err), DB_OK);
	assert_int_equal(res[0].status, STORE_VALID);
	assert_int_equal(res[1].status, STORE_INVALID);
	assert_int_equal(res[2].status, STORE_VALID);
}

static void
assert_searches(void)
{
	sqlite3_stmt	*stmt;
	char		 sql[1024], explain[1100];
	const char	*detail;
	size_t		 i;

	for (i = 0; i < SQLITE_SIZES; i++) {
		sqlite_lookup_sql(sqlite_sizes[i], 1, sql, sizeof(sql));
		snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s",
		    sql);
		assert_int_equal(sqlite3_prepare_v2(db->sql, explain, -1,
		    &stmt, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
		detail = (const char *)sqlite3_column_text(stmt, 3);
		assert_non_null(strstr(detail, "SEARCH"));
		assert_non_null(strstr(detail, "(token=?)"));
		assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
		sqlite3_finalize(stmt);
	}
}

static void
test_query_plan(void **state)
{
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(declarations) / sizeof(declarations[0]); i++) {
		create_as(declarations[i]);
		app("CREATE INDEX i ON ws_token (is_server, expires_at)");
		if (db == NULL)
			open_db();
		assert_searches();
		/* Even where statistics say that there is next to nothing. */
		row("'a'", "NULL", "'a'", "0", FUTURE);
		row("'b'", "NULL", "'a'", "0", FUTURE);
		app("ANALYZE");
		sq->close(db);
		open_db();
		assert_searches();
		assert_string_equal(player("a"), "a");
		/* What is used is that statement. */
		assert_non_null(strstr(sqlite3_sql(db->lookup[0]), "INDEXED"));
	}
	sq->close(db);
	db = NULL;
	app_leaves();
	assert_int_equal(unlink(path), 0);
	conf.create = 1;
	open_db();
	assert_searches();
}

/* A table without that index works, too, and so does a view. */
static void
test_other_tables(void **state)
{
	(void)state;
	app_and_open(CONTRACT);
	row("'a'", "NULL", "'one'", "0", FUTURE);
	assert_string_equal(player("a"), "one");
	app("DROP TABLE ws_token; CREATE TABLE ws_token (id INTEGER PRIMARY "
	    "KEY, expires_at TEXT, is_server INT, subject_id TEXT, player_id "
	    "INT, token TEXT)");
	app("INSERT INTO ws_token VALUES (1, " FUTURE ", 0, 'two', NULL, 'a')");
	assert_string_equal(player("a"), "two");
	app("ALTER TABLE ws_token RENAME TO real; "
	    "CREATE VIEW ws_token AS SELECT * FROM real");
	assert_string_equal(player("a"), "two");
	app("DROP VIEW ws_token;" CONTRACT);
	assert_string_equal(player("a"), "");
	row("'a'", "NULL", "'three'", "0", FUTURE);
	assert_string_equal(player("a"), "three");
	app("ALTER TABLE ws_token ADD COLUMN more TEXT");
	assert_string_equal(player("a"), "three");
}

static void
test_rows_change(void **state)
{
	(void)state;
	app_and_open(CONTRACT);
	assert_string_equal(player("a"), "");
	row("'a'", "NULL", "'me'", "0", FUTURE);
	assert_string_equal(player("a"), "me");
	app("UPDATE ws_token SET subject_id = 'you'");
	assert_string_equal(player("a"), "you");
	app("DELETE FROM ws_token");
	assert_string_equal(player("a"), "");
}

/* Trouble with the database. */

static void
test_table_missing(void **state)
{
	(void)state;
	app_and_open("CREATE TABLE x (a)");
	assert_int_equal(sq->check(db, now, err), DB_FAIL);
	assert_lookup_fails(DB_FAIL, "table ws_token is missing (");
	assert_non_null(strstr(err, "-C"));
	app(CONTRACT);
	row("'abc'", "NULL", "'me'", "0", FUTURE);
	assert_int_equal(sq->check(db, now, err), DB_OK);
	assert_string_equal(player("abc"), "me");
	app("DROP TABLE ws_token");
	assert_lookup_fails(DB_FAIL, "table ws_token is missing (");
	app("CREATE TABLE ws_token (token)");
	assert_int_equal(sq->check(db, now, err), DB_FAIL);
	assert_lookup_fails(DB_FAIL, "no such column");
	app("DROP TABLE ws_token");
	assert_int_equal(sq->setup(db, err), DB_OK);
	assert_string_equal(player("abc"), "");
}

static void
test_rollback_lock(void **state)
{
	struct store_result	res;

	(void)state;
	app_and_open(CONTRACT);
	row("'abc'", "NULL", "'me'", "0", FUTURE);
	app("BEGIN IMMEDIATE");
	assert_string_equal(player("abc"), "me");
	app("COMMIT; BEGIN EXCLUSIVE");
	assert_int_equal(lookup(TOKEN_PLAYER, "abc", 3, &res), DB_BUSY);
	assert_int_equal(sq->check(db, now, err), DB_BUSY);
	/* A start while it is locked is one. */
	sq->close(db);
	open_db();
	assert_int_equal(sq->check(db, now, err), DB_BUSY);
	app("COMMIT");
	assert_string_equal(player("abc"), "me");
	/* And our lookups leave no lock behind. */
	app("BEGIN EXCLUSIVE; COMMIT");
}

static void
test_wal(void **state)
{
	(void)state;
	app("PRAGMA journal_mode=WAL");
	app_and_open(CONTRACT);
	row("'abc'", "NULL", "'me'", "0", FUTURE);
	assert_string_equal(player("abc"), "me");
	app("BEGIN EXCLUSIVE; DELETE FROM ws_token");
	assert_string_equal(player("abc"), "me");
	app("COMMIT");
	assert_string_equal(player("abc"), "");
	row("'abc'", "NULL", "'you'", "0", FUTURE);
	app("PRAGMA wal_checkpoint(TRUNCATE)");
	assert_string_equal(player("abc"), "you");
	app_leaves();
	assert_string_equal(player("abc"), "you");
}

static void
replace_by(const char *schema, const char *subject, const char *journal)
{
	char	tmp[128], keep[96], sql[128];

	app_leaves();
	strlcpy(keep, path, sizeof(keep));
	snprintf(tmp, sizeof(tmp), "%s/new.db", folder);
	strlcpy(path, tmp, sizeof(path));
	snprintf(sql, sizeof(sql), "PRAGMA journal_mode=%s", journal);
	app(sql);
	app(schema);
	row("'abc'", "NULL", subject, "0", FUTURE);
	app_leaves();
	strlcpy(path, keep, sizeof(path));
	assert_int_equal(rename(tmp, path), 0);
}

static void
test_replaced(void **state)
{
	(void)state;
	app_and_open(CONTRACT);
	row("'abc'", "NULL", "'one'", "0", FUTURE);
	assert_string_equal(player("abc"), "one");
	replace_by(CONTRACT, "'two'", "DELETE");
	now += 100;
	assert_string_equal(player("abc"), "one");	/* not looked yet */
	now += 100;
	assert_string_equal(player("abc"), "two");
	assert_non_null(strstr(logged, "replaced"));
	app("UPDATE ws_token SET subject_id = 'three'");
	assert_string_equal(player("abc"), "three");
	/* By one that has a WAL of its own, which must be left alone. */
	replace_by(CONTRACT, "'four'", "WAL");
	app("UPDATE ws_token SET subject_id = 'five'");
	now += 200;
	assert_string_equal(player("abc"), "five");
	app_leaves();
	now += 200;
	assert_string_equal(player("abc"), "five");
}

static void
test_gone(void **state)
{
	(void)state;
	app_and_open(CONTRACT);
	row("'abc'", "NULL", "'me'", "0", FUTURE);
	assert_string_equal(player("abc"), "me");
	app_leaves();
	assert_int_equal(unlink(path), 0);
	now += 200;
	assert_lookup_fails(DB_LOST, "is gone");
	sq->close(db);
	assert_open_fails("is missing");
	app_and_open(CONTRACT);
	row("'abc'", "NULL", "'you'", "0", FUTURE);
	assert_string_equal(player("abc"), "you");
}

static void
scribble(off_t from, size_t len)
{
	char	junk[4096];
	int	fd;

	memset(junk, 0x5a, sizeof(junk));
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_not_equal(fd, -1);
	while (len > 0) {
		assert_int_equal(pwrite(fd, junk, sizeof(junk), from),
		    sizeof(junk));
		from += (off_t)sizeof(junk);
		len -= len < sizeof(junk) ? len : sizeof(junk);
	}
	close(fd);
}

static void
test_not_a_database(void **state)
{
	(void)state;
	scribble(0, 8192);
	assert_open_fails("no SQLite database");
	assert_non_null(strstr(err, path));
	conf.create = 1;
	assert_open_fails("no SQLite database");
}

static void
test_corrupt(void **state)
{
	char	sql[64];
	int	i;

	(void)state;
	app_and_open(CONTRACT);
	app("BEGIN");
	for (i = 0; i < 2000; i++) {
		snprintf(sql, sizeof(sql), "'token-%d'", i);
		row(sql, "NULL", sql, "0", FUTURE);
	}
	app("COMMIT");
	sq->close(db);
	app_leaves();
	/* The header and the schema stay. */
	scribble(4096, 400000);
	open_db();
	assert_lookup_fails(DB_LOST, "damaged");
	assert_int_equal(sq->check(db, now, err), DB_LOST);
}

static void
test_read_only(void **state)
{
	struct token_request	req;
	struct token_row	added;
	uint8_t			token[TOKEN_MAX];

	(void)state;
	app(CONTRACT);
	row("'abc'", "NULL", "'me'", "0", FUTURE);
	app_leaves();
	strlcpy(conf.dsn, "file:t.db?mode=ro", sizeof(conf.dsn));
	open_db();
	assert_string_equal(player("abc"), "me");
	memset(&req, 0, sizeof(req));
	req.len = 1;
	req.value[0] = 'x';
	req.ttl = 1000;
	memset(token, 'A', sizeof(token));
	assert_int_equal(sq->token_add(db, now, &req, token, &added, err),
	    DB_FAIL);
	assert_non_null(strstr(err, "mode=ro"));
	assert_string_equal(player("abc"), "me");
	sq->warn(db);
	assert_non_null(strstr(logged, "VARBINARY"));
	assert_int_equal(nlogged, 2);
}

/* As an ordinary user: what may not be read or written. */
static void
test_rights(void **state)
{
	struct token_request	req;
	struct token_row	added;
	uint8_t			token[TOKEN_MAX];

	(void)state;
	app(CONTRACT);
	row("'abc'", "NULL", "'me'", "0", FUTURE);
	app_leaves();
	assert_int_equal(chmod(path, 0444), 0);
	assert_int_equal(chmod(folder, 0555), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	open_db();
	assert_string_equal(player("abc"), "me");
	memset(&req, 0, sizeof(req));
	req.len = 1;
	req.value[0] = 'x';
	req.ttl = 1000;
	memset(token, 'A', sizeof(token));
	assert_int_equal(sq->token_add(db, now, &req, token, &added, err),
	    DB_FAIL);
	assert_non_null(strstr(err, "must be able to write it and its folder"));
	assert_string_equal(player("abc"), "me");
	sq->close(db);
	db = NULL;
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(path, 0000), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	process.drop = 1;
	strlcpy(process.user, "somebody", sizeof(process.user));
	assert_open_fails("can't be opened by user somebody");
	assert_non_null(strstr(err, "Permission denied"));
	/* No folder that it can be made in. */
	conf.create = 1;
	strlcpy(conf.dsn, "u.db", sizeof(conf.dsn));
	assert_open_fails("can't be made by user somebody");
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(folder, 0755), 0);
}

/* Administration. */

static void
make_request(struct token_request *req, enum token_kind kind,
    enum token_by by, const char *value)
{
	memset(req, 0, sizeof(*req));
	req->id = 9;
	req->kind = (uint8_t)kind;
	req->by = (uint8_t)by;
	req->len = (uint8_t)strlen(value);
	memcpy(req->value, value, req->len);
	req->ttl = 60000;
}

static enum db_status
add(enum token_kind kind, const char *token, const char *value)
{
	struct token_request	req;
	struct token_row	added;
	uint8_t			bytes[TOKEN_MAX];
	enum db_status		status;

	make_request(&req, kind, TOKEN_BY_TOKEN, value);
	assert_int_equal(strlen(token), TOKEN_MAX);
	memcpy(bytes, token, sizeof(bytes));
	memset(&added, 0, sizeof(added));
	status = sq->token_add(db, now, &req, bytes, &added, err);
	if (status == DB_OK) {
		assert_int_equal(added.id, 9);
		assert_int_equal(added.kind, kind);
		assert_int_equal(added.token_len, TOKEN_MAX);
		assert_memory_equal(added.token, token, TOKEN_MAX);
		assert_memory_equal(added.identity, value, req.len);
		assert_int_equal(added.ttl, 60000);
	}
	return (status);
}

#define TOKEN_A	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA1"
#define TOKEN_B	"BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB2"
#define TOKEN_N	"12345678901234567890123456789012"
#define TOKEN_Z	"0e345678901234567890123456789012"

static void
test_add(void **state)
{
	struct store_result	res;
	size_t			i;

	(void)state;
	for (i = 0; i < sizeof(declarations) / sizeof(declarations[0]); i++) {
		create_as(declarations[i]);
		if (db == NULL)
			open_db();
		assert_int_equal(add(TOKEN_PLAYER, TOKEN_A, "21"), DB_OK);
		assert_int_equal(add(TOKEN_PLAYER, TOKEN_B, "0042"), DB_OK);
		assert_int_equal(add(TOKEN_SERVER, TOKEN_N, "7"), DB_OK);
		assert_int_equal(add(TOKEN_PLAYER, TOKEN_Z, "4294967296"),
		    DB_OK);
		assert_string_equal(player(TOKEN_A), "21");
		assert_string_equal(player(TOKEN_B), "0042");
		assert_string_equal(server(TOKEN_N), "7");
		assert_string_equal(player(TOKEN_Z), "4294967296");
		assert_int_equal(lookup(TOKEN_PLAYER, TOKEN_A, 32, &res),
		    DB_OK);
		assert_in_range(res.ttl, 50000, 60001);
		/* Twice the same is refused, and nothing is half done. */
		assert_int_equal(add(TOKEN_PLAYER, TOKEN_A, "22"), DB_FAIL);
		assert_string_equal(player(TOKEN_A), "21");
	}
	/* The handle can't write outside of that. */
	assert_int_equal(sqlite3_exec(db->sql, "DELETE FROM ws_token", NULL,
	    NULL, NULL), SQLITE_READONLY);
}

static int64_t
count(const char *where)
{
	sqlite3_stmt	*stmt;
	char		 sql[256];
	int64_t		 n;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM ws_token WHERE %s",
	    where);
	app("SELECT 1");
	assert_int_equal(sqlite3_prepare_v2(other, sql, -1, &stmt, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return (n);
}

static void
test_add_columns(void **state)
{
	(void)state;
	app_and_open(CONTRACT);
	assert_int_equal(add(TOKEN_PLAYER, TOKEN_A, "21"), DB_OK);
	assert_int_equal(add(TOKEN_SERVER, TOKEN_B, "21"), DB_OK);
	assert_int_equal(add(TOKEN_PLAYER, TOKEN_N, "021"), DB_OK);
	assert_int_equal(count("is_server = 0 AND player_id = 21 AND "
	    "CAST(subject_id AS TEXT) = '21'"), 1);
	assert_int_equal(count("is_server = 1 AND player_id IS NULL AND "
	    "CAST(subject_id AS TEXT) = '21'"), 1);
	assert_int_equal(count("is_server = 0 AND player_id IS NULL AND "
	    "CAST(subject_id AS TEXT) = '021'"), 1);
	assert_int_equal(count("expires_at GLOB '[0-9][0-9][0-9][0-9]-"
	    "[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9]"
	    "[0-9][0-9][0-9][0-9][0-9]'"), 3);
}

static void
test_add_trouble(void **state)
{
	struct token_request	req;
	struct token_row	added;

	(void)state;
	app_and_open("CREATE TABLE x (a)");
	assert_int_equal(add(TOKEN_PLAYER, TOKEN_A, "me"), DB_FAIL);
	assert_non_null(strstr(err, "table ws_token is missing"));
	app(CONTRACT);
	make_request(&req, TOKEN_PLAYER, TOKEN_BY_TOKEN, "me");
	req.ttl = INT64_MAX;
	assert_int_equal(sq->token_add(db, now, &req,
	    (const uint8_t *)TOKEN_A, &added, err), DB_FAIL);
	assert_non_null(strstr(err, "too long"));
	app("BEGIN IMMEDIATE");
	assert_int_equal(add(TOKEN_PLAYER, TOKEN_A, "me"), DB_BUSY);
	assert_string_equal(player(TOKEN_A), "");
	app("COMMIT");
	assert_int_equal(add(TOKEN_PLAYER, TOKEN_A, "me"), DB_OK);
	assert_string_equal(player(TOKEN_A), "me");
}

static void
test_commit_busy(void **state)
{
	sqlite3_stmt	*reader;

	(void)state;
	app_and_open(CONTRACT);
	row("'a'", "NULL", "'a'", "0", FUTURE);
	row("'b'", "NULL", "'b'", "0", FUTURE);
	assert_int_equal(sqlite3_prepare_v2(other, "SELECT * FROM ws_token",
	    -1, &reader, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(reader), SQLITE_ROW);
	assert_int_equal(add(TOKEN_PLAYER, TOKEN_A, "me"), DB_BUSY);
	assert_string_equal(player(TOKEN_A), "");
	sqlite3_finalize(reader);
	assert_int_equal(add(TOKEN_PLAYER, TOKEN_A, "me"), DB_OK);
	assert_string_equal(player(TOKEN_A), "me");
}

static void
test_list(void **state)
{
	struct token_row	rows[10];
	char			sql[64];
	size_t			n, i, total = 0, servers = 0;
	int			first = 1;

	(void)state;
	app_and_open(CONTRACT);
	for (i = 0; i < 33; i++) {
		snprintf(sql, sizeof(sql), i % 3 == 0 ? "%zu" : i % 3 == 1 ?
		    "'text-token-%zu'" : "x'0001ff%02zx'", i + 100);
		row(sql, i % 2 == 0 ? "21" : "NULL", "'sub'",
		    i % 11 == 0 ? "1" : "0",
		    i == 5 ? "'1999-01-01 00:00:00'" : FUTURE);
	}
	row("'abc'", "NULL", "zeroblob(100)", "7", "'garbage'");
	for (;;) {
		n = 10;
		assert_int_equal(sq->token_list(db, now, first, rows, &n, err),
		    DB_OK);
		if (n == 0)
			break;
		first = 0;
		assert_true(n <= 10);
		total += n;
		for (i = 0; i < n; i++) {
			assert_in_range(rows[i].token_len, 1, 4);
			if (rows[i].token_len == 4)
				assert_memory_equal(rows[i].token, "text", 4);
			if (rows[i].kind == TOKEN_SERVER) {
				servers++;
				assert_int_equal(rows[i].identity_len, 3);
			}
		}
	}
	assert_int_equal(total, 34);
	assert_int_equal(servers, 3);
	/* After the end it is at the end, until it starts over. */
	n = 10;
	assert_int_equal(sq->token_list(db, now, 0, rows, &n, err), DB_OK);
	assert_int_equal(n, 0);
	n = 10;
	assert_int_equal(sq->token_list(db, now, 1, rows, &n, err), DB_OK);
	assert_int_equal(n, 10);
	app("DROP TABLE ws_token");
	assert_int_equal(sq->token_list(db, now, 1, rows, &n, err), DB_FAIL);
	assert_int_equal(n, 0);
}

static uint32_t
revoke_by(enum token_by by, const char *value, struct store_lookup **gone,
    size_t *ngone)
{
	struct token_request	req;
	uint32_t		rows;
	enum db_status		status;

	make_request(&req, TOKEN_PLAYER, by, value);
	status = sq->token_revoke(db, now, &req, &rows, gone, ngone, err);
	if (status != DB_OK)
		fail_msg("%s", err);
	return (rows);
}

static void
test_revoke(void **state)
{
	struct store_lookup	*gone;
	size_t			 n;

	(void)state;
	app_and_open(CONTRACT);
	row("'a'", "NULL", "'one'", "0", FUTURE);
	row("x'61'", "NULL", "'twin'", "1", FUTURE);
	row("42", "NULL", "'two'", "0", FUTURE);
	row("x'303432'", "NULL", "'three'", "0", FUTURE);
	row("'b'", "21", "'sub'", "0", FUTURE);
	row("'c'", "NULL", "'21'", "0", FUTURE);
	row("'d'", "21", "'21'", "1", FUTURE);
	row("'e'", "NULL", "'sub'", "0", "'1999-01-01 00:00:00'");
	row("'123456789012345678901234567890abc'", "NULL", "'sub'", "0",
	    FUTURE);

	assert_int_equal(revoke_by(TOKEN_BY_TOKEN, "nobody's", &gone, &n), 0);
	assert_null(gone);
	assert_int_equal(revoke_by(TOKEN_BY_TOKEN, "a", &gone, &n), 2);
	assert_int_equal(n, 2);
	assert_int_not_equal(gone[0].kind, gone[1].kind);
	assert_int_equal(gone[0].len, 1);
	assert_int_equal(gone[0].token[0], 'a');
	freezero(gone, n * sizeof(*gone));

	assert_int_equal(revoke_by(TOKEN_BY_TOKEN, "042", &gone, &n), 1);
	assert_memory_equal(gone[0].token, "042", 3);
	freezero(gone, n * sizeof(*gone));
	assert_string_equal(player("42"), "two");

	assert_int_equal(revoke_by(TOKEN_BY_PLAYER, "21", &gone, &n), 2);
	assert_int_equal(n, 2);
	freezero(gone, n * sizeof(*gone));
	assert_string_equal(server("d"), "21");
	assert_int_equal(revoke_by(TOKEN_BY_SERVER, "21", &gone, &n), 1);
	assert_int_equal(gone[0].kind, TOKEN_SERVER);
	assert_int_equal(gone[0].token[0], 'd');
	freezero(gone, n * sizeof(*gone));

	/* The one with a token that is none counts, but was never in use. */
	assert_int_equal(revoke_by(TOKEN_BY_PLAYER, "sub", &gone, &n), 2);
	assert_int_equal(n, 1);
	freezero(gone, n * sizeof(*gone));
	assert_int_equal(count("1"), 1);
}

static void
test_revoke_many(void **state)
{
	struct store_lookup	*gone;
	char			 sql[64];
	size_t			 n, i;

	(void)state;
	app_and_open(CONTRACT);
	app("BEGIN");
	for (i = 0; i < 1000; i++) {
		snprintf(sql, sizeof(sql), "'token-%zu'", i);
		row(sql, "NULL", i % 10 == 0 ? "'you'" : "'me'", "0", FUTURE);
	}
	app("COMMIT");
	assert_int_equal(revoke_by(TOKEN_BY_PLAYER, "me", &gone, &n), 900);
	assert_int_equal(n, 900);
	for (i = 0; i < n; i++)
		assert_memory_equal(gone[i].token, "token-", 6);
	freezero(gone, n * sizeof(*gone));
	assert_int_equal(count("1"), 100);
}

static void
test_revoke_busy(void **state)
{
	struct token_request	 req;
	struct store_lookup	*gone;
	uint32_t		 rows;
	size_t			 n;

	(void)state;
	app_and_open(CONTRACT);
	row("'a'", "NULL", "'one'", "0", FUTURE);
	app("BEGIN IMMEDIATE");
	make_request(&req, TOKEN_PLAYER, TOKEN_BY_PLAYER, "one");
	assert_int_equal(sq->token_revoke(db, now, &req, &rows, &gone, &n,
	    err), DB_BUSY);
	assert_null(gone);
	assert_int_equal(rows, 0);
	app("COMMIT");
	assert_string_equal(player("a"), "one");
	assert_int_equal(revoke_by(TOKEN_BY_PLAYER, "one", &gone, &n), 1);
	freezero(gone, n * sizeof(*gone));
}

int
main(void)
{
#define T(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest	tests[] = {
		T(test_dsn), T(test_dsn_bad),
		T(test_missing), T(test_folder_missing), T(test_no_file),
		T(test_create), T(test_create_owner), T(test_schema_file),
		T(test_paths),
		T(test_forms), T(test_numbers), T(test_text_numbers),
		T(test_collation), T(test_utf16), T(test_any_byte),
		T(test_identity), T(test_bad_subject), T(test_server_flag),
		T(test_expiry), T(test_ttl), T(test_twins), T(test_batches),
		T(test_absurd_in_batch), T(test_query_plan),
		T(test_other_tables), T(test_rows_change),
		T(test_table_missing), T(test_rollback_lock), T(test_wal),
		T(test_replaced), T(test_gone), T(test_not_a_database),
		T(test_corrupt), T(test_read_only), T(test_rights),
		T(test_add), T(test_add_columns), T(test_add_trouble),
		T(test_commit_busy), T(test_list), T(test_revoke),
		T(test_revoke_many), T(test_revoke_busy),
	};

	log_init("test", sink);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
