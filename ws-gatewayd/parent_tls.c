/*
 * Certificates and keys on their way from their files to the children.  All of
 * them are read before any is sent: a file that can't be read changes nothing.
 * The parent looks into none of them.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys.h"
#include "log.h"
#include "parent.h"
#include "tls_context.h"

#define PIECE		8192			/* bytes of a message */
#define CERT_MAX	(256 * 1024)		/* bytes of a file */
#define CA_MAX		(1024 * 1024)
#define OCSP_MAX	65536

struct tls_item {
	TAILQ_ENTRY(tls_item)	 entry;
	enum imsg_type		 type;
	size_t			 len;
	uint8_t			 data[];
};

static void
items_add(struct tls_items *items, enum imsg_type type, const void *data,
    size_t len)
{
	struct tls_item	*item;

	if ((item = malloc(sizeof(*item) + len)) == NULL)
		fatal("tls");
	item->type = type;
	item->len = len;
	if (len > 0)
		memcpy(item->data, data, len);
	TAILQ_INSERT_TAIL(items, item, entry);
}

void
parent_tls_forget(struct tls_items *items)
{
	struct tls_item	*item;

	while ((item = TAILQ_FIRST(items)) != NULL) {
		TAILQ_REMOVE(items, item, entry);
		freezero(item, sizeof(*item) + item->len);
	}
}

/* A regular file of at most MAX bytes; anything else could have no end. */
static int
file_open(const char *path, size_t max, size_t *size, char *err,
    size_t errsize)
{
	struct stat	 st;
	int		 fd;

	if ((fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) == -1 ||
	    fstat(fd, &st) == -1) {
		snprintf(err, errsize, "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		snprintf(err, errsize, "%s: not a regular file", path);
	} else if (st.st_size == 0 || (uint64_t)st.st_size > max) {
		snprintf(err, errsize, "%s: a file of %lld bytes (1 to %zu)",
		    path, (long long)st.st_size, max);
	} else {
		*size = (size_t)st.st_size;
		return (fd);
	}
	if (fd != -1)
		close(fd);
	return (-1);
}

static int
items_add_file(struct tls_items *items, enum imsg_type type, const char *path,
    size_t max, char *err, size_t errsize)
{
	uint8_t	 buf[PIECE];
	size_t	 left;
	ssize_t	 n = 0;
	int	 fd;

	if ((fd = file_open(path, max, &left, err, errsize)) == -1)
		return (-1);
	while (left > 0 && (n = read(fd, buf, left < sizeof(buf) ? left :
	    sizeof(buf))) > 0) {
		items_add(items, type, buf, (size_t)n);
		left -= (size_t)n;
	}
	if (n == -1)
		snprintf(err, errsize, "%s: %s", path, strerror(errno));
	close(fd);
	explicit_bzero(buf, sizeof(buf));
	return (n == -1 ? -1 : 0);
}

static int
load_keypair(struct tls_items *items, const struct conf_keypair *kp, char *err,
    size_t size)
{
	if (items_add_file(items, IMSG_CONF_TLS_CERT, kp->cert, CERT_MAX, err,
	    size) == -1 ||
	    items_add_file(items, IMSG_CONF_TLS_KEY, kp->key, KEY_MAXFILE, err,
	    size) == -1)
		return (-1);
	if (kp->ocsp != NULL && items_add_file(items, IMSG_CONF_TLS_OCSP,
	    kp->ocsp, OCSP_MAX, err, size) == -1)
		return (-1);
	items_add(items, IMSG_CONF_TLS_KEYPAIR, kp->cert, strlen(kp->cert));
	return (0);
}

static int
load_context(struct tls_items *items, const struct conf_tls *tls, uint32_t id,
    char *err, size_t size)
{
	const struct conf_keypair	*kp;
	struct conf_tls_context		 ctx;

	memset(&ctx, 0, sizeof(ctx));
	ctx.id = id;
	ctx.tickets = (uint32_t)tls->tickets;
	if ((tls->protocols != NULL && strlcpy(ctx.protocols, tls->protocols,
	    sizeof(ctx.protocols)) >= sizeof(ctx.protocols)) ||
	    (tls->ciphers != NULL && strlcpy(ctx.ciphers, tls->ciphers,
	    sizeof(ctx.ciphers)) >= sizeof(ctx.ciphers))) {
		snprintf(err, size, "tls: protocols or ciphers are too long");
		return (-1);
	}
	items_add(items, IMSG_CONF_TLS_BEGIN, &ctx, sizeof(ctx));
	TAILQ_FOREACH(kp, &tls->keypairs, entry)
		if (load_keypair(items, kp, err, size) == -1)
			return (-1);
	return (tls->client_ca == NULL ? 0 : items_add_file(items,
	    IMSG_CONF_TLS_CA, tls->client_ca, CA_MAX, err, size));
}

uint32_t
parent_tls_id(const struct conf *conf, const struct conf_listen *l)
{
	const struct conf_listen	*x;
	uint32_t			 id = 0;

	TAILQ_FOREACH(x, &conf->listens, entry) {
		if (x->tls != NULL)
			id++;
		if (x == l)
			break;
	}
	return (l->tls != NULL ? id : 0);
}

int
parent_tls_used(const struct conf *conf)
{
	const struct conf_listen	*l;

	TAILQ_FOREACH(l, &conf->listens, entry)
		if (l->tls != NULL)
			return (1);
	return (0);
}

int
parent_tls_isolated(const struct conf *conf)
{
	return (parent_tls_used(conf) && conf->s.key_isolation != 0);
}

int
parent_tls_load(const struct conf *conf, struct tls_items *items, char *err,
    size_t size)
{
	const struct conf_listen	*l;

	TAILQ_INIT(items);
	TAILQ_FOREACH(l, &conf->listens, entry)
		if (l->tls != NULL && load_context(items, l->tls,
		    parent_tls_id(conf, l), err, size) == -1) {
			parent_tls_forget(items);
			return (-1);
		}
	return (0);
}

/* Who is the one to get it; keys are for one process alone. */
static int
is_for(enum proc_id id, enum imsg_type type, int isolated)
{
	switch (type) {
	case IMSG_CONF_TLS_KEY:
		return (isolated == (id == PROC_KEYS));
	case IMSG_CONF_TLS_KEYPAIR:
		return (1);
	default:
		return (id == PROC_ENGINE);
	}
}

static void
send_items(struct tls_items *items, struct child *c, int isolated)
{
	struct tls_item	*item;

	TAILQ_FOREACH(item, items, entry)
		if (is_for(c->id, item->type, isolated))
			ipc_send(&c->ipc, item->type, 0, -1, item->data,
			    item->len);
}

/* A set begins for that child, and what it has of another is no more. */
static void
send_reset(struct child *c, const struct conf *conf)
{
	ipc_send(&c->ipc, IMSG_CONF_TLS_RESET, 0, -1, &conf->s,
	    sizeof(conf->s));
}

void
parent_tls_send(struct parent *p, const struct conf *conf,
    struct tls_items *items)
{
	struct child	*keys = p->child[PROC_KEYS];
	int		 isolated = parent_tls_isolated(conf);

	if (!parent_tls_used(conf))
		return;
	/* The engine tries them only when they are there: parent_reload.c. */
	if (isolated) {
		send_reset(keys, conf);
		send_items(items, keys, isolated);
	}
	send_reset(p->child[PROC_ENGINE], conf);
	send_items(items, p->child[PROC_ENGINE], isolated);
	parent_tls_forget(items);
}

void
parent_tls_reset(struct parent *p)
{
	if (!p->has_tls)
		return;
	if (p->child[PROC_KEYS] != NULL)
		send_reset(p->child[PROC_KEYS], p->conf);
	send_reset(p->child[PROC_ENGINE], p->conf);
}

/* What a running daemon would find out, for -n. */
int
parent_tls_check(const struct conf *conf, char *err, size_t size)
{
	struct tls_items		 items;
	struct tls_item			*item;
	struct conf_tls_context		 ctx;
	char				*name;
	int				 rv;

	if (!parent_tls_used(conf))
		return (0);
	if (parent_tls_load(conf, &items, err, size) == -1)
		return (-1);
	tls_context_init();
	TAILQ_FOREACH(item, &items, entry)
		switch (item->type) {
		case IMSG_CONF_TLS_BEGIN:
			memcpy(&ctx, item->data, sizeof(ctx));
			tls_context_begin(&ctx);
			break;
		case IMSG_CONF_TLS_KEYPAIR:
			if ((name = strndup((char *)item->data,
			    item->len)) == NULL)
				fatal("tls");
			tls_context_keypair(name);
			free(name);
			break;
		default:
			tls_context_piece(item->type, item->data, item->len);
		}
	rv = tls_context_build(conf->s.key_isolation != 0 ? TLS_TO_ISOLATE :
	    TLS_WITH_KEYS, conf->s.ticket_lifetime, err, size);
	tls_context_forget();
	parent_tls_forget(&items);
	return (rv);
}
