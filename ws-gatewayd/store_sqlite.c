/*
 * Tokens in an SQLite file: the file itself.  How it is opened, made, followed
 * when it is replaced, and what its errors mean for those who asked.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_sqlite.h"

#define FOLLOW_MS	200		/* between two looks at the path */
#define MAX_VALUE	(1024 * 1024)	/* bytes of a value that we load */

/*
 * As etc/schema.sqlite.sql has it, which says why these types: a test holds
 * the two together.
 */
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS ws_token ("
    " token TEXT NOT NULL PRIMARY KEY,"
    " player_id INTEGER DEFAULT NULL,"
    " subject_id TEXT NOT NULL,"
    " is_server BOOLEAN NOT NULL,"
    " expires_at TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS idx_ws_token_server_exp"
    " ON ws_token (is_server, expires_at);";

void
sqlite_err(char *err, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(err, DB_ERRSIZE, fmt, ap);
	va_end(ap);
}

/* What the system said, where that is what SQLite's error is about. */
static const char *
system_reason(struct store_db *db)
{
	int	e = sqlite3_system_errno(db->sql);

	return (e != 0 ? strerror(e) : sqlite3_errmsg(db->sql));
}

enum db_status
sqlite_status(struct store_db *db, int rc, char *err)
{
	const char	*msg = sqlite3_errmsg(db->sql);

	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return (DB_OK);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL:		/* a race for the WAL's locks */
	case SQLITE_SCHEMA:		/* it changes faster than we prepare */
		return (DB_BUSY);
	case SQLITE_ERROR:
		if (strcmp(msg, "no such table: ws_token") == 0)
			sqlite_err(err, "table ws_token is missing (the "
			    "application makes it, or start once with -C or "
			    "`create` in the configuration) in %s", db->path);
		else
			sqlite_err(err, "table ws_token can't be used: %s, in "
			    "%s", msg, db->path);
		return (DB_FAIL);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		sqlite_err(err, "database %s is damaged, or is no SQLite "
		    "database: %s", db->path, msg);
		return (DB_LOST);
	case SQLITE_CANTOPEN:
		sqlite_err(err, "database %s can't be opened by user %s: %s "
		    "(who must be able to read it, its -wal and its -shm)",
		    db->path, db->user, system_reason(db));
		return (DB_LOST);
	case SQLITE_READONLY:
	case SQLITE_NOMEM:
	case SQLITE_TOOBIG:
	case SQLITE_FULL:
	case SQLITE_CONSTRAINT:
		sqlite_err(err, "database %s: %s", db->path, msg);
		return (DB_FAIL);
	default:
		sqlite_err(err, "database %s: %s (%s)", db->path, msg,
		    system_reason(db));
		return (DB_LOST);
	}
}

enum db_status
sqlite_write_status(struct store_db *db, int rc, char *err)
{
	switch (rc & 0xff) {
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		if (db->readonly)
			sqlite_err(err, "database %s is opened read-only: take "
			    "mode=ro out of the DSN", db->path);
		else
			sqlite_err(err, "database %s is read-only: user %s "
			    "must be able to write it and its folder %s",
			    db->path, db->user, db->realfolder);
		return (DB_FAIL);
	case SQLITE_FULL:
		sqlite_err(err, "no space left for database %s", db->path);
		return (DB_FAIL);
	default:
		return (sqlite_status(db, rc, err));
	}
}

static int
exec(struct store_db *db, const char *sql)
{
	return (sqlite3_exec(db->sql, sql, NULL, NULL, NULL));
}

enum db_status
sqlite_begin(struct store_db *db, char *err)
{
	enum db_status	status;
	int		rc;

	if ((rc = exec(db, "PRAGMA query_only=OFF")) == SQLITE_OK)
		rc = exec(db, "BEGIN IMMEDIATE");
	if (rc == SQLITE_OK)
		return (DB_OK);
	status = sqlite_write_status(db, rc, err);
	return (sqlite_end(db, status, err));
}

enum db_status
sqlite_end(struct store_db *db, enum db_status status, char *err)
{
	int	rc;

	if (status == DB_OK && (rc = exec(db, "COMMIT")) != SQLITE_OK)
		status = sqlite_write_status(db, rc, err);
	/* SQLite may have rolled back by itself, and a commit may be BUSY. */
	if (!sqlite3_get_autocommit(db->sql) &&
	    exec(db, "ROLLBACK") != SQLITE_OK && status != DB_LOST) {
		sqlite_err(err, "database %s: %s", db->path,
		    sqlite3_errmsg(db->sql));
		status = DB_LOST;
	}
	if (exec(db, "PRAGMA query_only=ON") != SQLITE_OK) {
		sqlite_err(err, "database %s: %s", db->path,
		    sqlite3_errmsg(db->sql));
		status = DB_LOST;
	}
	return (status);
}

static enum db_status
sqlite_setup(struct store_db *db, char *err)
{
	enum db_status	status;
	int		rc;

	if ((status = sqlite_begin(db, err)) != DB_OK)
		return (status);
	if ((rc = exec(db, schema)) != SQLITE_OK)
		status = sqlite_write_status(db, rc, err);
	return (sqlite_end(db, status, err));
}

/* What a handle must be told before its first query; an SQLite code. */
static int
configure(struct store_db *db)
{
	static const struct {
		int	op;
		int	on;
	} config[] = {
		/* The file is somebody else's: nothing in it is trusted. */
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		/* Nor is it written, were it only by a checkpoint. */
		{ SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 },
	};
	unsigned char	seed;
	size_t		i;
	int		rc;

	/* Opens the system's random device while that can be opened. */
	sqlite3_randomness(sizeof(seed), &seed);
	for (i = 0; i < sizeof(config) / sizeof(config[0]); i++)
		if ((rc = sqlite3_db_config(db->sql, config[i].op,
		    config[i].on, NULL)) != SQLITE_OK)
			return (rc);
	sqlite3_limit(db->sql, SQLITE_LIMIT_LENGTH, MAX_VALUE);
	if ((rc = sqlite3_busy_timeout(db->sql, 0)) != SQLITE_OK ||
	    (rc = sqlite_token_init(db)) != SQLITE_OK ||
	    (rc = exec(db, "PRAGMA temp_store=MEMORY")) != SQLITE_OK)
		return (rc);
	return (exec(db, "PRAGMA query_only=ON"));
}

static void
disconnect(struct store_db *db)
{
	sqlite_statements_free(db);
	/* The _v2 form can't fail, whatever is still in use. */
	sqlite3_close_v2(db->sql);
	db->sql = NULL;
}

/*
 * Open the file at db->path.  What is done here is done as root at a start:
 * SQLite opens the file, and with user_version its -wal and -shm, but looks
 * at no more than their headers.  The schema is for the one who is confined.
 */
static int
connect_file(struct store_db *db, char *err)
{
	struct stat	st;
	int		rc;

	/* Before the open: if the file is replaced now, that is noticed. */
	if (stat(db->path, &st) == -1) {
		sqlite_err(err, "database %s can't be opened by user %s: %s",
		    db->path, db->user, strerror(errno));
		return (-1);
	}
	if (!S_ISREG(st.st_mode)) {
		sqlite_err(err, "database %s is no regular file", db->path);
		return (-1);
	}
	db->dev = st.st_dev;
	db->ino = st.st_ino;
	/* Falls back to read-only where it can't write. */
	rc = sqlite3_open_v2(db->path, &db->sql, SQLITE_OPEN_NOMUTEX |
	    (db->readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE),
	    NULL);
	if (db->sql == NULL) {
		sqlite_err(err, "no memory for the database");
		return (-1);
	}
	if (rc == SQLITE_OK)
		rc = configure(db);
	if (rc == SQLITE_OK)
		rc = exec(db, "PRAGMA user_version");
	switch (sqlite_status(db, rc, err)) {
	case DB_OK:
	case DB_BUSY:
		return (0);
	default:
		disconnect(db);
		return (-1);
	}
}

/* An empty file, which is a database; of the user who will use it. */
static int
create_file(struct store_db *db, const struct conf_process *process, char *err)
{
	int	fd;

	fd = open(db->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd == -1) {
		sqlite_err(err, "database %s can't be made by user %s: %s "
		    "(make its folder writable for that user)", db->path,
		    db->user, strerror(errno));
		return (-1);
	}
	if (process->drop && fchown(fd, process->uid, process->gid) == -1) {
		sqlite_err(err, "database %s can't be given to user %s: %s",
		    db->path, process->user, strerror(errno));
		close(fd);
		unlink(db->path);
		return (-1);
	}
	close(fd);
	return (0);
}

/* The folder, and that of the file if it is a symbolic link to elsewhere. */
static int
find_folders(struct store_db *db, char *err)
{
	char		 name[SQLITE_PATHSIZE], *real, *dir;
	struct stat	 st;

	strlcpy(name, db->path, sizeof(name));
	dir = dirname(name);
	if (stat(dir, &st) == -1) {
		if (errno == ENOENT)
			sqlite_err(err, "folder %s of the database is missing: "
			    "make it (mkdir -p), for user %s to write", dir,
			    db->user);
		else
			sqlite_err(err, "folder %s of the database can't be "
			    "used by user %s: %s", dir, db->user,
			    strerror(errno));
		return (-1);
	}
	if (!S_ISDIR(st.st_mode)) {
		sqlite_err(err, "%s is not a folder, so it has no database",
		    dir);
		return (-1);
	}
	strlcpy(db->folder, dir, sizeof(db->folder));
	strlcpy(db->realfolder, dir, sizeof(db->realfolder));
	if ((real = realpath(db->path, NULL)) != NULL) {
		strlcpy(db->realfolder, dirname(real), sizeof(db->realfolder));
		free(real);
	}
	return (0);
}

/*
 * Whom to name in an error: who the process is, or is about to become.  Looked
 * up once, at the start: a name service loads code and calls socket(2), and a
 * database is also opened again from within the sandbox.
 */
static void
find_user(struct store_db *db, const struct conf_process *process)
{
	static char	 self[sizeof(db->user)];
	struct passwd	*pw;

	if (process->drop) {
		strlcpy(db->user, process->user, sizeof(db->user));
		return;
	}
	if (self[0] == '\0' && (pw = getpwuid(geteuid())) != NULL)
		strlcpy(self, pw->pw_name, sizeof(self));
	else if (self[0] == '\0')
		snprintf(self, sizeof(self), "%u", (unsigned int)geteuid());
	strlcpy(db->user, self, sizeof(db->user));
}

/* Find the file, or make it; 1 when it was made. */
static int
find_file(struct store_db *db, const struct conf_database *conf,
    const struct conf_process *process, char *err)
{
	struct stat	st;

	if (sqlite_dsn(conf->dsn, conf->cwd, db->path, sizeof(db->path),
	    &db->readonly, err) == -1 || find_folders(db, err) == -1)
		return (-1);
	if (stat(db->path, &st) == 0 || errno != ENOENT)
		return (0);
	if (!conf->create) {
		sqlite_err(err, "database %s is missing: start once with -C "
		    "(or `create` in the configuration) to make it, then "
		    "ws-gatewayctl token add", db->path);
		return (-1);
	}
	return (create_file(db, process, err) == -1 ? -1 : 1);
}

static void
sqlite_close(struct store_db *db)
{
	disconnect(db);
	sqlite3_value_free(db->cursor);
	free(db);
}

static struct store_db *
sqlite_open(const struct conf_database *conf,
    const struct conf_process *process, char *err)
{
	struct store_db	*db;
	int		 made;

	if ((db = calloc(1, sizeof(*db))) == NULL) {
		sqlite_err(err, "no memory for the database");
		return (NULL);
	}
	find_user(db, process);
	made = find_file(db, conf, process, err);
	if (made == -1 || connect_file(db, err) == -1) {
		free(db);
		return (NULL);
	}
	/* While it can be: the user may not be able to make a journal. */
	if (made && sqlite_setup(db, err) != DB_OK) {
		unlink(db->path);
		sqlite_close(db);
		return (NULL);
	}
	db->paths[0].path = db->folder;
	db->paths[0].perm = "rwc";
	if (strcmp(db->folder, db->realfolder) != 0) {
		db->paths[1].path = db->realfolder;
		db->paths[1].perm = "rwc";
	}
	return (db);
}

static const struct sandbox_path *
sqlite_paths(struct store_db *db)
{
	return (db->paths);
}

/*
 * An application that replaces its database by rename(2) leaves us with a file
 * that nobody writes any more.
 */
enum db_status
sqlite_follow(struct store_db *db, uint64_t now, char *err)
{
	struct stat	st;

	if (db->looked != 0 && now - db->looked < FOLLOW_MS)
		return (DB_OK);
	db->looked = now;
	if (stat(db->path, &st) == -1) {
		if (errno != ENOENT && errno != ENOTDIR)
			return (DB_OK);	/* as sqlite_warn() warned */
		sqlite_err(err, "database %s is gone", db->path);
		return (DB_LOST);
	}
	if (st.st_dev == db->dev && st.st_ino == db->ino)
		return (DB_OK);
	disconnect(db);
	if (connect_file(db, err) == -1)
		return (DB_LOST);
	log_info("database %s was replaced: opened again", db->path);
	return (DB_OK);
}

static void
sqlite_warn(struct store_db *db)
{
	const char	*type;

	if (access(db->folder, X_OK) == -1 ||
	    access(db->realfolder, X_OK) == -1)
		log_warnx("user %s can't search the folder of database %s: a "
		    "file that replaces it won't be followed", db->user,
		    db->path);
	else if (access(db->path, R_OK) == -1)
		log_warnx("user %s can't read database %s, which was opened "
		    "before: when it has to be opened again, that will fail",
		    db->user, db->path);
	if (sqlite3_db_readonly(db->sql, "main") == 1 ||
	    access(db->path, W_OK) == -1 ||
	    access(db->realfolder, W_OK) == -1)
		log_warnx("user %s can't write database %s and its folder: "
		    "ws-gatewayctl token add and revoke will not work",
		    db->user, db->path);
	if (sqlite3_table_column_metadata(db->sql, "main", "ws_token", "token",
	    &type, NULL, NULL, NULL, NULL) == SQLITE_OK && sqlite_numeric(type))
		log_info("column token of ws_token is declared %s, which "
		    "makes SQLite turn tokens that look like numbers into "
		    "numbers: TEXT would not", type);
}

const struct store_backend store_sqlite = {
	.name = "sqlite",
	.role = SANDBOX_STORE,
	.open = sqlite_open,
	.close = sqlite_close,
	.setup = sqlite_setup,
	.warn = sqlite_warn,
	.paths = sqlite_paths,
	.check = sqlite_check,
	.lookup = sqlite_lookup,
	.token_add = sqlite_token_add,
	.token_list = sqlite_token_list,
	.token_revoke = sqlite_token_revoke
};
