/* What errors of MySQL mean for those who asked, and what would help. */
#include <sys/types.h>

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store_mysql.h"

/* Not in every version's header. */
#ifndef ER_CONNECTION_KILLED
#define ER_CONNECTION_KILLED	1927
#endif
#define ER_CLIENT_IDLE		4031	/* MySQL 8 closes one that was idle */

void
mydb_err(char *err, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(err, DB_ERRSIZE, fmt, ap);
	va_end(ap);
}

static enum db_status
table_failure(const struct store_db *db, unsigned int code, const char *text,
    char *err)
{
	switch (code) {
	case ER_NO_SUCH_TABLE:
		mydb_err(err, "table ws_token is missing in %s (the "
		    "application makes it, or schema.mysql.sql)", db->name);
		return (DB_FAIL);
	case ER_TABLEACCESS_DENIED_ERROR:
	case ER_COLUMNACCESS_DENIED_ERROR:
		mydb_err(err, "table ws_token can't be used by user %s of %s "
		    "(GRANT SELECT ON %s.ws_token): %s", db->dsn.user,
		    db->name, db->dsn.database, text);
		return (DB_FAIL);
	case ER_OPTION_PREVENTS_STATEMENT:
	case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
		mydb_err(err, "%s is read-only: %s", db->name, text);
		return (DB_FAIL);
	default:
		mydb_err(err, "table ws_token can't be used in %s: %s (error "
		    "%u)", db->name, text, code);
		return (DB_FAIL);
	}
}

enum db_status
mydb_failure(const struct store_db *db, unsigned int code, const char *text,
    char *err)
{
	switch (code) {
	case ER_LOCK_WAIT_TIMEOUT:
	case ER_LOCK_DEADLOCK:
		return (DB_BUSY);
	case ER_ACCESS_DENIED_ERROR:
	case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
		mydb_err(err, "%s refuses user \"%s\": check the user and "
		    "the password in the DSN", db->name, db->dsn.user);
		return (DB_LOST);
	case ER_DBACCESS_DENIED_ERROR:
		mydb_err(err, "%s: user \"%s\" may not use that database "
		    "(GRANT SELECT ON %s.ws_token)", db->name, db->dsn.user,
		    db->dsn.database);
		return (DB_LOST);
	case ER_BAD_DB_ERROR:
		mydb_err(err, "%s: there is no such database: check its name "
		    "in the DSN", db->name);
		return (DB_LOST);
	case CR_CONNECTION_ERROR:
	case CR_CONN_HOST_ERROR:
	case CR_SOCKET_CREATE_ERROR:
	case CR_IPSOCK_ERROR:
		mydb_err(err, "%s can't be reached (is the server running, "
		    "is the address right?): %s", db->name, text);
		return (DB_LOST);
	case CR_SERVER_GONE_ERROR:
	case CR_SERVER_LOST:
#ifdef CR_SERVER_LOST_EXTENDED
	case CR_SERVER_LOST_EXTENDED:
#endif
		mydb_err(err, "%s has closed the connection", db->name);
		return (DB_LOST);
	case CR_AUTH_PLUGIN_CANNOT_LOAD:
		mydb_err(err, "%s wants user \"%s\" to log in by a plugin "
		    "that this machine's library has not: %s", db->name,
		    db->dsn.user, text);
		return (DB_LOST);
	case CR_SSL_CONNECTION_ERROR:
		mydb_err(err, "%s: no TLS: %s", db->name, text);
		return (DB_LOST);
	case ER_UNKNOWN_STMT_HANDLER:
	case ER_SERVER_SHUTDOWN:
	case ER_CONNECTION_KILLED:
	case ER_CLIENT_IDLE:
	case ER_CON_COUNT_ERROR:
	case ER_HOST_NOT_PRIVILEGED:
	case ER_HOST_IS_BLOCKED:
	case ER_TOO_MANY_USER_CONNECTIONS:
	case ER_USER_LIMIT_REACHED:
		mydb_err(err, "%s: %s", db->name, text);
		return (DB_LOST);
	}
	if (!db->up || (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR) ||
	    code >= 5000) {
		mydb_err(err, "%s: %s (error %u)", db->name, text, code);
		return (DB_LOST);
	}
	return (table_failure(db, code, text, err));
}
