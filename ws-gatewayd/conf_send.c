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
send_database(struct parent *p, const struct conf *conf, struct child *c)
{
	struct conf_database	db;

	memset(&db, 0, sizeof(db));
	db.db = conf->db;
	db.create = conf->db_create || p->flags.create;
	strlcpy(db.dsn, conf->dsn, sizeof(db.dsn));
	if (strlcpy(db.cwd, p->cwd, sizeof(db.cwd)) >= sizeof(db.cwd))
		parent_refuse("the path of the working directory is too long");
	strlcpy(db.password, conf->db_password, sizeof(db.password));
	strlcpy(db.tls_ca, conf->db_tls_ca, sizeof(db.tls_ca));
	strlcpy(db.tls_cert, conf->db_tls_cert, sizeof(db.tls_cert));
	strlcpy(db.tls_key, conf->db_tls_key, sizeof(db.tls_key));
	ipc_send(&c->ipc, IMSG_CONF_DATABASE, 0, -1, &db, sizeof(db));
	explicit_bzero(&db, sizeof(db));
}

static void
send_listeners(struct parent *p, const struct conf *conf, struct child *c)
{
	struct conf_listener	 cl;
	const struct conf_listen *listen;
	struct listener		*l;

	TAILQ_FOREACH(l, &p->listeners, entry) {
		if ((listen = parent_listen_conf(conf, l)) == NULL)
			continue;
		memset(&cl, 0, sizeof(cl));
		cl.id = l->id;
		cl.tls = parent_tls_id(conf, listen);
		cl.roles = (uint32_t)listen->roles;
		cl.proxy_protocol = (uint32_t)listen->proxy_protocol;
		strlcpy(cl.address, l->text, sizeof(cl.address));
		ipc_send(&c->ipc, IMSG_CONF_LISTENER, 0, -1, &cl, sizeof(cl));
	}
}

void
conf_send(struct parent *p, const struct conf *conf, struct child *c)
{
	struct conf_string	*origin;
	size_t			 i;
	uint32_t		 level = (uint32_t)conf->s.log_level;

	ipc_send(&c->ipc, IMSG_CONF_BEGIN, 0, -1, &conf->s, sizeof(conf->s));
	/* The one setting that proc.c takes, for whichever child it is. */
	ipc_send(&c->ipc, IMSG_LOG_LEVEL, 0, -1, &level, sizeof(level));
	switch (c->id) {
	case PROC_ENGINE:
		TAILQ_FOREACH(origin, &conf->origins, entry)
			ipc_send(&c->ipc, IMSG_CONF_ORIGIN, 0, -1, origin->s,
			    strlen(origin->s));
		for (i = 0; i < conf->nproxies; i++)
			ipc_send(&c->ipc, IMSG_CONF_PROXY, 0, -1,
			    &conf->proxies[i], sizeof(conf->proxies[i]));
		conf_print(conf, 0, send_line, c);
		send_listeners(p, conf, c);
		break;
	case PROC_STORE:
		/* It has its own, and never gets another. */
		if (!c->ready)
			send_database(p, conf, c);
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
