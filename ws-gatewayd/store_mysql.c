/*
 * Tokens in MySQL or MariaDB: the connection itself.  How it is set up, what
 * it needs of the system, what it waits for.
 *
 * A handle is one attempt at a connection: it is made without a packet being
 * sent, connects with the first query, and is closed when that or a later one
 * fails for good.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_mysql.h"

/*
 * As mysql/client_plugin.h has it, a header that can't be included where only
 * the packaged ones are.
 */
#ifndef MYSQL_CLIENT_AUTHENTICATION_PLUGIN
#define MYSQL_CLIENT_AUTHENTICATION_PLUGIN	2
struct st_mysql_client_plugin;
struct st_mysql_client_plugin *mysql_client_find_plugin(MYSQL *, const char *,
	    int);
#endif

/* Of the library's own stack, on which it also checks certificates. */
#define CALL_STACK	(256 * 1024)

/*
 * An autocommit that is off would show the table as it was at the first
 * lookup; what does not fit a column must be an error.
 */
#define INIT_SQL	"SET autocommit = 1, sql_mode = 'STRICT_ALL_TABLES'"

static const char *const plugins[] = {
	"mysql_native_password", "caching_sha2_password", "client_ed25519",
	"sha256_password"
};

static void
name_database(struct store_db *db)
{
	const struct mysql_dsn	*dsn = &db->dsn;

	if (dsn->socket[0] != '\0')
		snprintf(db->name, sizeof(db->name), "database %s at %s",
		    dsn->database, dsn->socket);
	else
		snprintf(db->name, sizeof(db->name), strchr(dsn->host, ':') !=
		    NULL ? "database %s at [%s]:%u" : "database %s at %s:%u",
		    dsn->database, dsn->host, dsn->port);
}

static unsigned int
seconds(uint64_t ms)
{
	return ((unsigned int)((ms + 999) / 1000));
}

static const char *
set(const char *s)
{
	return (*s != '\0' ? s : NULL);
}

static void
set_tls(struct store_db *db)
{
	my_bool	enforce, verify;

	enforce = db->dsn.tls != MYSQL_TLS_OFF;
	verify = db->dsn.tls == MYSQL_TLS_VERIFY;
	if (db->dsn.tls != MYSQL_TLS_OFF)
		mysql_ssl_set(db->my, set(db->tls_key), set(db->tls_cert),
		    set(db->tls_ca), set(db->tls_capath), NULL);
	mysql_options(db->my, MYSQL_OPT_SSL_ENFORCE, &enforce);
	mysql_options(db->my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

static void
set_options(struct store_db *db)
{
	char		zone[sizeof(db->dsn.time_zone) + 32];
	size_t		stack = CALL_STACK;
	unsigned int	timeout, off = 0, protocol;
	my_bool		no = 0;

	mysql_options(db->my, MYSQL_OPT_NONBLOCK, &stack);
	/* "localhost" is a name like others. */
	protocol = db->dsn.socket[0] != '\0' ? MYSQL_PROTOCOL_SOCKET :
	    MYSQL_PROTOCOL_TCP;
	mysql_options(db->my, MYSQL_OPT_PROTOCOL, &protocol);
	/* For the parts that the library does in one go. */
	timeout = seconds(db->dsn.connect_timeout);
	mysql_options(db->my, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
	timeout = seconds(db->dsn.read_timeout);
	mysql_options(db->my, MYSQL_OPT_READ_TIMEOUT, &timeout);
	timeout = seconds(db->dsn.write_timeout);
	mysql_options(db->my, MYSQL_OPT_WRITE_TIMEOUT, &timeout);
	mysql_options(db->my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(db->my, MYSQL_REPORT_DATA_TRUNCATION, &no);
	/* Or a server could ask for our files. */
	mysql_options(db->my, MYSQL_OPT_LOCAL_INFILE, &off);
	mysql_options(db->my, MYSQL_INIT_COMMAND, INIT_SQL);
	if (db->dsn.time_zone[0] != '\0') {
		snprintf(zone, sizeof(zone), "SET time_zone = '%s'",
		    db->dsn.time_zone);
		mysql_options(db->my, MYSQL_INIT_COMMAND, zone);
	}
	set_tls(db);
}

/* What a server may ask for has to be there before the files are not. */
static void
load_plugins(struct store_db *db)
{
	static int	loaded;
	size_t		i;

	for (i = 0; !loaded && i < sizeof(plugins) / sizeof(plugins[0]); i++)
		if (mysql_client_find_plugin(db->my, plugins[i],
		    MYSQL_CLIENT_AUTHENTICATION_PLUGIN) == NULL)
			log_debug("no plugin %s for logging in: accounts that "
			    "need it can't be used", plugins[i]);
	loaded = 1;
}

static void
keep_path(struct store_db *db, const char *path, const char *perm)
{
	size_t	n = 0;

	if (path[0] == '\0')
		return;
	while (db->paths[n].path != NULL)
		n++;
	db->paths[n].path = path;
	db->paths[n].perm = perm;
}

static int
check_file(const struct store_db *db, const char *path, const char *what,
    char *err)
{
	if (path[0] == '\0' || access(path, R_OK) == 0)
		return (0);
	mydb_err(err, "%s: the %s %s can't be read by the user who runs the "
	    "daemon: %s", db->name, what, path, strerror(errno));
	return (-1);
}

/* Those whom the system trusts: a file, or a folder of them. */
static void
system_authorities(struct store_db *db)
{
	if (access("/etc/ssl/cert.pem", R_OK) == 0)
		strlcpy(db->tls_ca, "/etc/ssl/cert.pem", sizeof(db->tls_ca));
	else
		strlcpy(db->tls_capath, "/etc/ssl/certs",
		    sizeof(db->tls_capath));
}

static int
take_conf(struct store_db *db, const struct conf_database *conf, char *err)
{
	const char	*why;
	char		 wrong[256];

	if (mysql_dsn_parse(conf->dsn, &db->dsn, wrong, sizeof(wrong)) == -1) {
		mydb_err(err, "database mysql: the DSN: %s", wrong);
		return (-1);
	}
	if (conf->password[0] != '\0')
		strlcpy(db->dsn.password, conf->password,
		    sizeof(db->dsn.password));
	/* Any name will do for the account without one. */
	if (db->dsn.user[0] == '\0')
		strlcpy(db->dsn.user, "ws-gatewayd", sizeof(db->dsn.user));
	strlcpy(db->tls_ca, conf->tls_ca, sizeof(db->tls_ca));
	strlcpy(db->tls_cert, conf->tls_cert, sizeof(db->tls_cert));
	strlcpy(db->tls_key, conf->tls_key, sizeof(db->tls_key));
	/* Only with authorities does the library look at the name at all. */
	if (db->dsn.tls == MYSQL_TLS_VERIFY && db->tls_ca[0] == '\0')
		system_authorities(db);
	name_database(db);
	if (check_file(db, db->tls_ca, "certificate of the CA", err) == -1 ||
	    check_file(db, db->tls_cert, "certificate", err) == -1 ||
	    check_file(db, db->tls_key, "key", err) == -1)
		return (-1);
	if (db->dsn.socket[0] == '\0' &&
	    mydb_addr_resolve(db->dsn.host, &why) == -1) {
		mydb_err(err, "%s: the host has no address: %s", db->name,
		    why);
		return (-1);
	}
	return (0);
}

static void
mydb_close(struct store_db *db)
{
	size_t	i;

	/* A call that is suspended, or a goodbye, must not wait. */
	if (db->my != NULL && mysql_get_socket(db->my) != -1 &&
	    (db->wait != 0 || db->call != CALL_NONE || !db->up))
		shutdown(mysql_get_socket(db->my), SHUT_RDWR);
	if (db->my != NULL)
		mysql_close(db->my);
	/* Without their connection: nothing is sent. */
	for (i = 0; i < STMTS; i++)
		if (db->stmt[i] != NULL)
			mysql_stmt_close(db->stmt[i]);
	freezero(db->gone, db->ngone * sizeof(*db->gone));
	freezero(db, sizeof(*db));
}

static struct store_db *
mydb_open(const struct conf_database *conf,
    const struct conf_process *process, char *err)
{
	struct store_db	*db;

	(void)process;
	if ((db = calloc(1, sizeof(*db))) == NULL) {
		mydb_err(err, "no memory for the database");
		return (NULL);
	}
	if (take_conf(db, conf, err) == -1) {
		freezero(db, sizeof(*db));
		return (NULL);
	}
	if ((db->my = mysql_init(NULL)) == NULL) {
		mydb_err(err, "no memory for the database");
		freezero(db, sizeof(*db));
		return (NULL);
	}
	set_options(db);
	load_plugins(db);
	keep_path(db, db->tls_ca, "r");
	keep_path(db, db->tls_capath, "r");
	keep_path(db, db->tls_cert, "r");
	keep_path(db, db->tls_key, "r");
	keep_path(db, db->dsn.socket, "rw");
	return (db);
}

static enum db_status
mydb_setup(struct store_db *db, char *err)
{
	mydb_err(err, "%s: the gateway makes no table there: "
	    "schema.mysql.sql has it", db->name);
	return (DB_FAIL);
}

/* Once, for what the DSN says and nobody here does. */
static void
mydb_warn(struct store_db *db)
{
	if (db->dsn.unknown[0] != '\0')
		log_warnx("the DSN has parameters that are not known and not "
		    "used: %s", db->dsn.unknown);
	if (db->dsn.tls == MYSQL_TLS_OFF && db->tls_ca[0] != '\0')
		log_warnx("there is a CA for the database, but no tls=true");
}

static const struct sandbox_path *
mydb_paths(struct store_db *db)
{
	return (db->paths);
}

static uint16_t
mydb_port(struct store_db *db)
{
	return (db->dsn.socket[0] != '\0' ? 0 : db->dsn.port);
}

static int
mydb_waits(struct store_db *db, uint64_t now, struct db_wait *w)
{
	w->fd = mysql_get_socket(db->my);
	w->events = 0;
	w->ms = -1;
	if (db->wait == 0) {
		/* Idle, a connection says nothing but that it ends. */
		if (db->up && db->call == CALL_NONE)
			w->events = POLLIN;
		return (w->events != 0 && w->fd != -1);
	}
	if (db->wait & MYSQL_WAIT_READ)
		w->events |= POLLIN;
	if (db->wait & MYSQL_WAIT_WRITE)
		w->events |= POLLOUT;
	w->ms = db->deadline > now ? (int64_t)(db->deadline - now) : 0;
	return (w->fd != -1);
}

const struct store_backend store_mysql = {
	.name = "mysql",
	.role = SANDBOX_STORE_NET,
	.late = 1,
	.open = mydb_open,
	.close = mydb_close,
	.setup = mydb_setup,
	.warn = mydb_warn,
	.paths = mydb_paths,
	.port = mydb_port,
	.waits = mydb_waits,
	.check = mydb_check,
	.lookup = mydb_lookup,
	.token_add = mydb_token_add,
	.token_list = mydb_token_list,
	.token_revoke = mydb_token_revoke
};
