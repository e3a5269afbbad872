/*
 * A new configuration while running: all of it or nothing.
 *
 * A store can't open another database: its confinement is the database that it
 * has.  So there is a new store for a new database.  Until that one is ready
 * nothing has changed; then the engine asks it instead of the old one, in the
 * same turn in which all else changes, and no connection is touched.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "notify.h"
#include "parent.h"

#define READY_LIMIT_S	30	/* as at the start */
#define END_LIMIT_S	2
#define KEYS_LIMIT_S	5

/* conf_load() reports line by line, and the first one is the answer. */
static char	first_error[512];

static void
report(const char *line)
{
	if (first_error[0] == '\0')
		strlcpy(first_error, line, sizeof(first_error));
	log_error("configuration: %s", line);
}

static void
answer(struct parent *p, uint32_t client, const char *text)
{
	if (client != 0)
		ipc_send(&p->child[PROC_ENGINE]->ipc, IMSG_CTL_RELOADED,
		    client, -1, text, strlen(text));
}

/* The answer; then the turn of what has come meanwhile. */
static void
finish(struct parent *p, const char *text)
{
	struct reload	*r = &p->reload;
	uint32_t	 waiting = r->waiting;

	answer(p, r->client, text);
	conf_free(r->conf);
	r->conf = NULL;
	r->under_way = 0;
	if (p->phase == PARENT_RUNNING)
		notify_ready();
	if (!r->again || p->phase != PARENT_RUNNING)
		return;
	r->again = 0;
	r->waiting = 0;
	parent_reload(p, waiting);
}

static void
finish_good(struct parent *p)
{
	char	text[sizeof(p->reload.restart) + 64] = "";

	if (p->reload.restart[0] != '\0')
		snprintf(text, sizeof(text), "warning: a restart is needed "
		    "for: %s", p->reload.restart);
	finish(p, text);
}

static void
finish_bad(struct parent *p, const char *text)
{
	log_error("configuration not reloaded, the old one is in force");
	parent_tls_reset(p);
	finish(p, text);
}

/* The same, with a reason that the log does not have yet. */
static void
finish_wrong(struct parent *p, const char *why)
{
	log_error("configuration: %s", why);
	finish_bad(p, why);
}

/* What waited for its turn is in force. */
static void
apply(struct parent *p)
{
	struct reload	*r = &p->reload;
	struct child	*c;
	int		 id;

	reload_log_file(r->conf, p->conf, r->restart, sizeof(r->restart));
	conf_free(p->conf);
	p->conf = r->conf;
	r->conf = NULL;
	log_set_level((enum log_level)p->conf->s.log_level);
	CHILD_FOREACH(c, id, p) {
		conf_send(p, p->conf, c);
		conf_send_end(c);
	}
	parent_listen_trim(p);
	log_info("configuration reloaded");
	if (r->restart[0] != '\0')
		log_warnx("a restart is needed for the new value of: %s",
		    r->restart);
}

static void
on_limit(int fd, short what, void *arg)
{
	struct parent	*p = arg;
	char		 text[64];

	(void)fd;
	(void)what;
	if (p->reload.next != NULL) {
		snprintf(text, sizeof(text), "the store for it was not ready "
		    "within %d s", READY_LIMIT_S);
		parent_reload_refused(p, text);
	} else if (p->reload.keys_due) {
		p->reload.keys_due = 0;
		strlcpy(text, "the keys process does not answer",
		    sizeof(text));
		finish_wrong(p, text);
	} else if (p->reload.old != NULL) {
		log_warnx("the old store took too long to stop and is killed");
		parent_kill(p->reload.old);
	}
}

static void
limit(struct parent *p, time_t seconds)
{
	struct reload	*r = &p->reload;
	struct timeval	 tv = { seconds, 0 };

	if (r->ev_limit == NULL && (r->ev_limit = evtimer_new(p->base,
	    on_limit, p)) == NULL)
		fatalx("no memory for timers");
	event_want(r->ev_limit, &tv);
}

static void
start_store(struct parent *p)
{
	struct reload	*r = &p->reload;
	char		 text[128];

	r->refusal[0] = '\0';
	if ((r->next = parent_start_store(p, r->conf, &r->peer)) == NULL) {
		snprintf(text, sizeof(text), "no socket for a new store: %s",
		    strerror(errno));
		log_error("%s", text);
		finish_bad(p, text);
		return;
	}
	log_debug("the database changes: a new store starts");
	limit(p, READY_LIMIT_S);
}

/* All that can be told beforehand is right. */
static void
proceed(struct parent *p)
{
	if (!reload_same_database(p->reload.conf, p->conf)) {
		start_store(p);
		return;
	}
	apply(p);
	finish_good(p);
}

static void
check_certificates(struct parent *p)
{
	ipc_send(&p->child[PROC_ENGINE]->ipc, IMSG_CONF_TLS_CHECK, 0, -1,
	    NULL, 0);
}

/*
 * Certificates and keys are read anew, and tried by those who will use them.
 * Returns 0, or -1 with a reason.
 */
static int
start_check(struct parent *p, char *why, size_t size)
{
	struct conf	*conf = p->reload.conf;

	/* They have been started, and could read their files, with TLS. */
	if (!p->has_tls) {
		strlcpy(why, "there was no TLS at the start: this needs a "
		    "restart", size);
		return (-1);
	}
	if (parent_tls_load(conf, &p->tls, why, size) == -1)
		return (-1);
	parent_tls_send(p, conf, &p->tls);
	if (parent_tls_isolated(conf)) {
		p->reload.keys_due = 1;
		ipc_send(&p->child[PROC_KEYS]->ipc, IMSG_CONF_TLS_CHECK,
		    ++p->reload.check, -1, NULL, 0);
		limit(p, KEYS_LIMIT_S);
	} else
		check_certificates(p);
	return (0);
}

/* What was sent to the keys process first need not be read there first. */
void
parent_reload_keys(struct parent *p, uint32_t check)
{
	struct reload	*r = &p->reload;

	/* Else it is too late: that reload was refused for it. */
	if (!r->keys_due || check != r->check || p->phase != PARENT_RUNNING)
		return;
	r->keys_due = 0;
	event_del(r->ev_limit);
	check_certificates(p);
}

void
parent_reload_checked(struct parent *p, const char *why)
{
	if (p->reload.conf == NULL)
		fatalx("the engine has checked what nobody asked it to");
	if (p->phase != PARENT_RUNNING)
		return;
	if (why[0] == '\0') {
		proceed(p);
		return;
	}
	finish_wrong(p, why);
}

/*
 * A signal has nobody to be told to try again.  Who asks when the new
 * configuration is in force, and only the old store not gone, has to wait a
 * moment; before that it may be half a minute.
 */
static void
reload_later(struct parent *p, uint32_t client)
{
	struct reload	*r = &p->reload;

	if (client != 0 && (r->next != NULL || r->waiting != 0)) {
		answer(p, client, "a reload is under way: try again after it");
		return;
	}
	r->again = 1;
	if (client != 0)
		r->waiting = client;
}

void
parent_reload(struct parent *p, uint32_t client)
{
	struct reload	*r = &p->reload;

	if (r->under_way) {
		reload_later(p, client);
		return;
	}
	r->under_way = 1;
	notify_reloading();
	r->client = client;
	first_error[0] = '\0';
	if ((r->conf = conf_load(&p->flags, report)) == NULL) {
		finish_bad(p, first_error);
		return;
	}
	if (parent_conf_paths(p, r->conf, first_error,
	    sizeof(first_error)) == -1 || parent_passed_conf(r->conf,
	    first_error, sizeof(first_error)) == -1) {
		finish_wrong(p, first_error);
		return;
	}
	reload_keep(r->conf, p->conf, r->restart, sizeof(r->restart));
	/* Before TLS: which listeners there are says whose is which context. */
	parent_listen_keep(r->conf, p->conf, r->restart, sizeof(r->restart));
	if (!parent_tls_used(r->conf)) {
		proceed(p);
		return;
	}
	if (start_check(p, first_error, sizeof(first_error)) == -1) {
		finish_wrong(p, first_error);
	}
}

/* The engine is told where to ask, and all the rest behind it. */
void
parent_reload_ready(struct parent *p)
{
	struct reload	*r = &p->reload;

	/* Too late: it is being killed. */
	if (r->refusal[0] != '\0')
		return;
	r->next->ready = 1;
	r->old = p->child[PROC_STORE];
	p->child[PROC_STORE] = r->next;
	r->next = NULL;
	ipc_send(&p->child[PROC_ENGINE]->ipc, IMSG_PEER, 0, r->peer, NULL, 0);
	r->peer = -1;
	apply(p);
	limit(p, END_LIMIT_S);
}

void
parent_reload_taken(struct parent *p)
{
	if (p->reload.old != NULL)
		ipc_send(&p->reload.old->ipc, IMSG_SHUTDOWN, 0, -1, NULL, 0);
}

/* It ends by itself, or else is made to. */
void
parent_reload_refused(struct parent *p, const char *why)
{
	struct reload	*r = &p->reload;

	if (r->refusal[0] == '\0') {
		strlcpy(r->refusal, conf_where(r->conf, "database"),
		    sizeof(r->refusal));
		strlcat(r->refusal, why, sizeof(r->refusal));
	}
	parent_kill(r->next);
}

static void
next_ended(struct parent *p)
{
	struct reload	*r = &p->reload;
	char		 text[128];

	if (r->refusal[0] == '\0') {
		parent_describe_end(r->next, text, sizeof(text));
		parent_reload_refused(p, text);
	}
	close(r->peer);
	r->peer = -1;
	r->next = NULL;
	event_del(r->ev_limit);
	finish_wrong(p, r->refusal);
}

int
parent_reload_ended(struct child *c)
{
	struct parent	*p = c->parent;
	struct reload	*r = &p->reload;
	char		 text[128];

	if (c != r->next && c != r->old)
		return (0);
	if (p->phase == PARENT_STOPPING) {
		if (c == r->next)
			r->next = NULL;
		else
			r->old = NULL;
	} else if (c == r->next)
		next_ended(p);
	else {
		if (c->status != 0) {
			parent_describe_end(c, text, sizeof(text));
			log_warnx("after a reload: the old %s", text);
		}
		r->old = NULL;
		event_del(r->ev_limit);
		finish_good(p);
	}
	free(c);
	return (1);
}

void
parent_reload_abandon(struct parent *p)
{
	p->reload.again = 0;
	if (p->reload.next != NULL)
		parent_kill(p->reload.next);
	if (p->reload.old != NULL)
		parent_kill(p->reload.old);
}
