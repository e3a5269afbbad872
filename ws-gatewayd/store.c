/*
 * The store: the one process that holds the token database and its
 * credentials.  It opens the database while it may, confines itself, and then
 * answers the engine.
 */
#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "sandbox.h"
#include "store.h"

struct store	store;

static struct settings		 new_settings;
static int			 has_database;
static int			 running;
static int			 engine_fd = -1;

static void
on_lookup(struct imsg *imsg)
{
	static struct store_lookup	q[MAX_IMSGSIZE /
					    sizeof(struct store_lookup)];
	size_t				len = imsg_get_len(imsg);

	if (len == 0 || len % sizeof(q[0]) != 0 || len > sizeof(q))
		fatalx("the engine sent lookups of %zu bytes", len);
	ipc_data(imsg, q, len);
	store_lookup_add(q, len / sizeof(q[0]));
	explicit_bzero(q, len);
}

static void
on_token(struct imsg *imsg)
{
	struct token_request	req;
	uint32_t		type = imsg_get_type(imsg);

	memset(&req, 0, sizeof(req));
	if (type == IMSG_STORE_TOKEN_LIST) {
		ipc_data(imsg, NULL, 0);
		req.id = imsg_get_id(imsg);
	} else
		ipc_data(imsg, &req, sizeof(req));
	store_token_request(type, &req);
	explicit_bzero(&req, sizeof(req));
}

static void
engine_dispatch(struct ipc *ipc, struct imsg *imsg)
{
	(void)ipc;
	switch (imsg_get_type(imsg)) {
	case IMSG_STORE_LOOKUP:
		on_lookup(imsg);
		break;
	case IMSG_STORE_TOKEN_ADD:
	case IMSG_STORE_TOKEN_LIST:
	case IMSG_STORE_TOKEN_REVOKE:
		on_token(imsg);
		break;
	default:
		fatalx("message %u from the engine", imsg_get_type(imsg));
	}
}

static const struct store_backend *
find_backend(uint32_t db)
{
	switch (db) {
	case DB_SQLITE:
		return (&store_sqlite);
	case DB_MYSQL:
		return (&store_mysql);
	default:
		fatalx("the parent sent an unknown kind of database");
	}
}

/*
 * The first look into the database, for which there is no need to be root.
 * Only what time may heal is let pass: a lock, a table that isn't there yet.
 */
static void
first_check(void)
{
	enum db_status	status;
	char		err[DB_ERRSIZE];

	status = store_check_now(err);
	if (status == DB_FAIL && store.database.create &&
	    (status = store.backend->setup(store.db, err)) == DB_FAIL)
		proc_refuse("%s", err);
	switch (status) {
	case DB_OK:
		store.state.up = 1;
		break;
	case DB_WAIT:
	case DB_BUSY:
		log_warnx("the database is locked by another process: no "
		    "token can be looked up until that one has finished");
		strlcpy(store.state.error, "it is locked by another process",
		    sizeof(store.state.error));
		break;
	case DB_FAIL:
		log_warnx("no token can be looked up: %s", err);
		strlcpy(store.state.error, err, sizeof(store.state.error));
		break;
	case DB_LOST:
		proc_refuse("%s", err);
	}
}

static void
open_database(void)
{
	char	err[DB_ERRSIZE];

	if ((store.db = store.backend->open(&store.database, &store.process,
	    err)) == NULL)
		proc_refuse("%s", err);
	store.opened = 1;
}

static void
start(void)
{
	if (engine_fd == -1 || !has_database)
		fatalx("the parent forgot the engine or the database");
	store.settings = new_settings;
	store.backend = find_backend(store.database.db);
	if (!store.backend->late)
		open_database();
	if (store.process.drop)
		sandbox_drop(store.process.user, store.process.uid,
		    store.process.gid, NULL);
	if (store.backend->late)
		open_database();
	first_check();
	store.backend->warn(store.db);
	if (store.backend->port != NULL)
		sandbox_keep_port(store.backend->port(store.db));
	sandbox_enter(store.backend->role,
	    (enum sandbox_mode)store.settings.sandbox,
	    store.backend->paths(store.db));

	store_lookup_start();
	store_token_start();
	store_wait_start();
	ipc_init(&store.engine, store.base, engine_fd, engine_dispatch,
	    proc_engine_gone, NULL);
	ipc_send(&proc_parent, IMSG_READY, 0, -1, NULL, 0);
	store_state_start();
	running = 1;
	log_debug("confined: %s", sandbox_describe());
}

static void
reload(void)
{
	store.settings = new_settings;
}

static void
on_database(struct imsg *imsg)
{
	struct conf_database	*db = &store.database;

	/* Confined to one, it is of no use for another. */
	if (has_database)
		fatalx("the parent sent another database");
	ipc_data(imsg, db, sizeof(*db));
	if (memchr(db->dsn, '\0', sizeof(db->dsn)) == NULL ||
	    memchr(db->cwd, '\0', sizeof(db->cwd)) == NULL ||
	    memchr(db->password, '\0', sizeof(db->password)) == NULL ||
	    memchr(db->tls_ca, '\0', sizeof(db->tls_ca)) == NULL ||
	    memchr(db->tls_cert, '\0', sizeof(db->tls_cert)) == NULL ||
	    memchr(db->tls_key, '\0', sizeof(db->tls_key)) == NULL)
		fatalx("the parent sent a database without an end");
	has_database = 1;
}

static void
on_process(struct imsg *imsg)
{
	struct conf_process	process;

	ipc_data(imsg, &process, sizeof(process));
	if (memchr(process.user, '\0', sizeof(process.user)) == NULL)
		fatalx("the parent sent a user without an end");
	/* Whom to become is settled once. */
	if (!running)
		store.process = process;
}

static void
on_peer(struct imsg *imsg)
{
	ipc_data(imsg, NULL, 0);
	if (engine_fd != -1 || (engine_fd = imsg_get_fd(imsg)) == -1)
		fatalx("the parent sent no socket to the engine, or two");
}

static void
parent_dispatch(struct ipc *ipc, struct imsg *imsg)
{
	(void)ipc;
	switch (imsg_get_type(imsg)) {
	case IMSG_CONF_BEGIN:
		ipc_data(imsg, &new_settings, sizeof(new_settings));
		break;
	case IMSG_CONF_DATABASE:
		on_database(imsg);
		break;
	case IMSG_CONF_PROCESS:
		on_process(imsg);
		break;
	case IMSG_CONF_END:
		if (running)
			reload();
		else
			start();
		break;
	case IMSG_PEER:
		on_peer(imsg);
		break;
	case IMSG_SHUTDOWN:
		exit(0);
	default:
		fatalx("message %u from the parent", imsg_get_type(imsg));
	}
}

void
store_main(void)
{
	store.base = proc_child_init("store", parent_dispatch);
	proc_child_loop(store.base);
}
