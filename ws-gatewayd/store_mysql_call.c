/*
 * Calls of the library that would wait, and don't: each is started, is
 * suspended where it would block, and goes on when its socket is ready or its
 * time is over.  One is under way at a time.
 */
#include <sys/types.h>

#include <errmsg.h>
#include <poll.h>
#include <string.h>

#include "store_mysql.h"

#define MAX_RESUMES	16	/* of a call that is told its time is over */

int
mydb_ready(const struct store_db *db, uint64_t now)
{
	struct pollfd	pfd;
	int		ready = 0;

	pfd.fd = mysql_get_socket(db->my);
	pfd.events = pfd.revents = 0;
	if (db->wait & MYSQL_WAIT_READ)
		pfd.events |= POLLIN;
	if (db->wait & MYSQL_WAIT_WRITE)
		pfd.events |= POLLOUT;
	if (db->wait & MYSQL_WAIT_EXCEPT)
		pfd.events |= POLLPRI;
	if (poll(&pfd, 1, 0) == 1) {
		if (pfd.revents & (POLLIN | POLLERR | POLLHUP | POLLNVAL))
			ready |= db->wait & MYSQL_WAIT_READ;
		if (pfd.revents & (POLLOUT | POLLERR | POLLHUP | POLLNVAL))
			ready |= db->wait & MYSQL_WAIT_WRITE;
		if (pfd.revents & POLLPRI)
			ready |= db->wait & MYSQL_WAIT_EXCEPT;
	}
	if (ready == 0 && now >= db->deadline)
		ready = MYSQL_WAIT_TIMEOUT;
	return (ready);
}

static int
resume(struct store_db *db, int ready)
{
	switch (db->call) {
	case CALL_CONNECT:
		return (mysql_real_connect_cont(&db->connected, db->my,
		    ready));
	case CALL_PREPARE:
		return (mysql_stmt_prepare_cont(&db->rc, db->current, ready));
	case CALL_EXECUTE:
		return (mysql_stmt_execute_cont(&db->rc, db->current, ready));
	case CALL_STORE:
		return (mysql_stmt_store_result_cont(&db->rc, db->current,
		    ready));
	case CALL_QUERY:
		return (mysql_real_query_cont(&db->rc, db->my, ready));
	case CALL_NONE:
		break;
	}
	return (0);
}

/* Returns 0 once the call has ended, 1 while it is suspended. */
static int
go_on(struct store_db *db, uint64_t now)
{
	int	ready, i;

	if (db->wait == 0)
		return (0);
	if ((ready = mydb_ready(db, now)) == 0)
		return (1);
	db->wait = resume(db, ready);
	if (ready & MYSQL_WAIT_TIMEOUT) {
		db->timed_out = 1;
		for (i = 0; db->wait != 0 && i < MAX_RESUMES; i++)
			db->wait = resume(db, MYSQL_WAIT_TIMEOUT);
		db->wait = 0;
	}
	return (db->wait != 0);
}

static enum db_status
call_failed(struct store_db *db, unsigned int code, const char *text,
    char *err)
{
	enum db_status	status;

	db->code = code;
	status = mydb_failure(db, code, text, err);
	if (db->timed_out) {
		mydb_err(err, "%s does not answer in time", db->name);
		status = DB_LOST;
	}
	db->call = CALL_NONE;
	return (status);
}

static void
connect_start(struct store_db *db, uint64_t now)
{
	const char	*host = NULL, *socket = NULL;

	if (db->dsn.socket[0] != '\0')
		socket = db->dsn.socket;
	else
		host = db->dsn.host;
	db->connected = NULL;
	db->timed_out = 0;
	db->deadline = now + db->dsn.connect_timeout;
	db->call = CALL_CONNECT;
	db->wait = mysql_real_connect_start(&db->connected, db->my, host,
	    db->dsn.user, db->dsn.password, db->dsn.database,
	    host != NULL ? db->dsn.port : 0, socket, 0);
}

/* Whether another address of the same host is worth a try. */
static int
try_next(struct store_db *db)
{
	unsigned int	count, code = mysql_errno(db->my);

	if (db->dsn.socket[0] != '\0')
		return (0);
	count = mydb_addr_count();
	if (count < 2 || (!db->timed_out && code != CR_CONNECTION_ERROR &&
	    code != CR_CONN_HOST_ERROR && code != CR_SERVER_LOST))
		return (0);
	mydb_addr_next();
	return (++db->tries < count);
}

/* "preferred": without TLS, where the server has none. */
static int
try_plain(struct store_db *db)
{
	my_bool	off = 0;

	if (db->dsn.tls != MYSQL_TLS_PREFERRED ||
	    mysql_errno(db->my) != CR_SSL_CONNECTION_ERROR)
		return (0);
	db->dsn.tls = MYSQL_TLS_OFF;
	mysql_options(db->my, MYSQL_OPT_SSL_ENFORCE, &off);
	return (1);
}

static enum db_status
be_connected(struct store_db *db, uint64_t now, char *err)
{
	if (db->up)
		return (DB_OK);
	if (db->call != CALL_CONNECT)
		connect_start(db, now);
	while (!go_on(db, now)) {
		if (db->connected != NULL) {
			db->up = 1;
			db->call = CALL_NONE;
			return (DB_OK);
		}
		if (!try_plain(db) && !try_next(db))
			return (call_failed(db, mysql_errno(db->my),
			    mysql_error(db->my), err));
		connect_start(db, now);
	}
	return (DB_WAIT);
}

enum db_status
mydb_take(struct store_db *db, uint64_t now, enum mysql_op op, char *err)
{
	enum db_status	status;

	if (db->op != OP_NONE && db->op != op)
		return (DB_WAIT);
	db->op = op;
	status = be_connected(db, now, err);
	return (status == DB_OK ? DB_OK : mydb_leave(db, status));
}

enum db_status
mydb_leave(struct store_db *db, enum db_status status)
{
	if (status != DB_WAIT) {
		db->op = OP_NONE;
		db->step = 0;
	}
	return (status);
}

int
mydb_idle(const struct store_db *db)
{
	return (db->call == CALL_NONE);
}

/* What failed once is prepared anew. */
static enum db_status
stmt_failed(struct store_db *db, size_t stmt, char *err)
{
	enum db_status	status;

	status = call_failed(db, mysql_stmt_errno(db->current),
	    mysql_stmt_error(db->current), err);
	if (status != DB_LOST) {
		mysql_stmt_close(db->current);
		db->stmt[stmt] = NULL;
	}
	return (status);
}

static int
prepare_start(struct store_db *db, size_t stmt, const char *sql)
{
	if ((db->stmt[stmt] = mysql_stmt_init(db->my)) == NULL)
		return (-1);
	db->current = db->stmt[stmt];
	db->call = CALL_PREPARE;
	db->wait = mysql_stmt_prepare_start(&db->rc, db->current, sql,
	    strlen(sql));
	return (0);
}

static void
execute_start(struct store_db *db)
{
	db->call = CALL_EXECUTE;
	if (mysql_stmt_param_count(db->current) > 0 &&
	    mysql_stmt_bind_param(db->current, db->param)) {
		db->rc = 1;
		db->wait = 0;
		return;
	}
	db->wait = mysql_stmt_execute_start(&db->rc, db->current);
}

enum db_status
mydb_run(struct store_db *db, uint64_t now, size_t stmt, const char *sql,
    char *err)
{
	if (db->call == CALL_NONE) {
		db->timed_out = 0;
		db->deadline = now + db->dsn.read_timeout;
		db->current = db->stmt[stmt];
		if (db->current != NULL)
			execute_start(db);
		else if (prepare_start(db, stmt, sql) == -1) {
			mydb_err(err, "no memory for a statement");
			return (DB_FAIL);
		}
	}
	while (!go_on(db, now)) {
		if (db->rc != 0)
			return (stmt_failed(db, stmt, err));
		if (db->call == CALL_PREPARE)
			execute_start(db);
		else if (db->call == CALL_EXECUTE &&
		    mysql_stmt_field_count(db->current) > 0) {
			db->call = CALL_STORE;
			db->wait = mysql_stmt_store_result_start(&db->rc,
			    db->current);
		} else {
			db->call = CALL_NONE;
			return (DB_OK);
		}
	}
	return (DB_WAIT);
}

enum db_status
mydb_query_run(struct store_db *db, uint64_t now, const char *sql, char *err)
{
	if (db->call == CALL_NONE) {
		db->timed_out = 0;
		db->deadline = now + db->dsn.read_timeout;
		db->call = CALL_QUERY;
		db->wait = mysql_real_query_start(&db->rc, db->my, sql,
		    strlen(sql));
	}
	if (go_on(db, now))
		return (DB_WAIT);
	if (db->rc != 0)
		return (call_failed(db, mysql_errno(db->my),
		    mysql_error(db->my), err));
	db->call = CALL_NONE;
	return (DB_OK);
}
