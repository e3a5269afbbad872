/*
 * The configuration on its way to the children, as flat messages: each gets
 * what its work needs, and the database's password goes to the store alone.
 */
#include <string.h>

#include "parent.h"

static void
send_line(const char *line, void *arg)
{
	struct child	*c = arg;
	size_t		 max = MAX_IMSGSIZE - IMSG_HEADER_SIZE;

	ipc_send(&c->ipc, IMSG_CONF_LINE, 0, -1, line, strnlen(line, max));
}

static void
send_database(struct parent *p, struct child *c)
{
	struct conf_database	db;

	memset(&db, 0, sizeof(db));
	db.db = p->conf->db;
	db.create = p->conf->db_create || p->flags.create;
	strlcpy(db.dsn, p->conf->dsn, sizeof(db.dsn));
	if (strlcpy(db.cwd, p->cwd, sizeof(db.cwd)) >= sizeof(db.cwd))
		parent_refuse("the path of the working directory is too long");
	strlcpy(db.password, p->conf->db_password, sizeof(db.password));
	strlcpy(db.tls_ca, p->conf->db_tls_ca, sizeof(db.tls_ca));
	strlcpy(db.tls_cert, p->conf->db_tls_cert, sizeof(db.tls_cert));
	strlcpy(db.tls_key, p->conf->db_tls_key, sizeof(db.tls_key));
	ipc_send(&c->ipc, IMSG_CONF_DATABASE, 0, -1, &db, sizeof(db));
	explicit_bzero(&db, sizeof(db));
}

static void
send_listeners(struct parent *p, struct child *c)
{
	struct conf_listener	 cl;
	const struct conf_listen *conf;
	struct listener		*l;

	TAILQ_FOREACH(l, &p->listeners, entry) {
		if ((conf = parent_listen_conf(p->conf, l)) == NULL)
			continue;
		memset(&cl, 0, sizeof(cl));
		cl.id = l->id;
		cl.roles = (uint32_t)conf->roles;
		cl.proxy_protocol = (uint32_t)conf->proxy_protocol;
		cl.tls = parent_tls_id(p->conf, conf);
		strlcpy(cl.address, l->text, sizeof(cl.address));
		ipc_send(&c->ipc, IMSG_CONF_LISTENER, 0, -1, &cl, sizeof(cl));
	}
}

void
conf_send(struct parent *p, struct child *c)
{
	struct conf_string	*origin;

	ipc_send(&c->ipc, IMSG_CONF_BEGIN, 0, -1, &p->conf->s,
	    sizeof(p->conf->s));
	switch (c->id) {
	case PROC_ENGINE:
		TAILQ_FOREACH(origin, &p->conf->origins, entry)
			ipc_send(&c->ipc, IMSG_CONF_ORIGIN, 0, -1, origin->s,
			    strlen(origin->s));
		conf_print(p->conf, 0, send_line, c);
		send_listeners(p, c);
		break;
	case PROC_STORE:
		send_database(p, c);
		break;
	default:
		break;
	}
}

void
conf_send_end(struct child *c)
{
	ipc_send(&c->ipc, IMSG_CONF_END, 0, -1, NULL, 0);
}
