/*
 * The parent's event loop: signals, and what the children say.  One handler a
 * message.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "logfile.h"
#include "parent.h"

#define START_LIMIT_S	30
#define STAT_PERIOD_S	5

static void
on_ready(struct child *c, struct imsg *imsg)
{
	struct parent	*p = c->parent;
	struct child	*other;
	int		 id;

	ipc_data(imsg, NULL, 0);
	if (c == p->reload.next) {
		parent_reload_ready(p);
		return;
	}
	c->ready = 1;
	CHILD_FOREACH(other, id, p)
		if (!other->ready)
			return;
	if (p->phase == PARENT_STARTING)
		event_base_loopbreak(p->base);
}

/* Only a start can be refused; a later fatal end is in the log. */
static void
on_refuse(struct child *c, struct imsg *imsg)
{
	struct parent	*p = c->parent;
	char		 text[sizeof(p->refusal)];
	size_t		 i, len = imsg_get_len(imsg);

	if (len >= sizeof(text))
		fatalx("%s refuses with too long a text", proc_name(c->id));
	if (len > 0 && imsg_get_data(imsg, text, len) == -1)
		fatal("imsg_get_data");
	text[len] = '\0';
	for (i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20)
			text[i] = ' ';
	if (c == p->reload.next)
		parent_reload_refused(p, text);
	else if (p->phase == PARENT_STARTING && p->refusal[0] == '\0') {
		strlcpy(p->refusal, text, sizeof(p->refusal));
		event_base_loopbreak(p->base);
	}
}

static void
on_log(struct child *c, struct imsg *imsg)
{
	char		buf[sizeof(uint32_t) + LOG_MAXLINE];
	size_t		len = imsg_get_len(imsg);
	uint32_t	level;

	if (len < sizeof(level) || len > sizeof(buf) ||
	    imsg_get_data(imsg, buf, len) == -1)
		fatalx("%s sent a log line of %zu bytes", proc_name(c->id),
		    len);
	memcpy(&level, buf, sizeof(level));
	if (level > LOGL_FATAL)
		fatalx("%s sent a log line of level %u", proc_name(c->id),
		    level);
	logfile_foreign(level, buf + sizeof(level), len - sizeof(level));
}

static void
on_usage(struct child *c, struct imsg *imsg)
{
	struct proc_usage	usage;

	ipc_data(imsg, &usage, sizeof(usage));
	usage.proc = c->id;
	ipc_send(&c->parent->child[PROC_ENGINE]->ipc, IMSG_PROCSTAT, 0, -1,
	    &usage, sizeof(usage));
}

static void
on_tls_checked(struct child *c, struct imsg *imsg)
{
	char	text[512];
	size_t	len = imsg_get_len(imsg);

	if (len >= sizeof(text))
		fatalx("the engine has too much to say of TLS");
	ipc_data(imsg, text, len);
	text[len] = '\0';
	parent_reload_checked(c->parent, text);
}

static void
on_keys_taken(struct child *c, struct imsg *imsg)
{
	ipc_data(imsg, NULL, 0);
	parent_reload_keys(c->parent, imsg_get_id(imsg));
}

static void
on_ctl_reload(struct child *c, struct imsg *imsg)
{
	ipc_data(imsg, NULL, 0);
	if (c->parent->phase == PARENT_RUNNING)
		parent_reload(c->parent, imsg_get_id(imsg));
}

static void
on_store_taken(struct child *c, struct imsg *imsg)
{
	ipc_data(imsg, NULL, 0);
	parent_reload_taken(c->parent);
}

static void
on_store_ended(struct child *c, struct imsg *imsg)
{
	int32_t	status;

	ipc_data(imsg, &status, sizeof(status));
	parent_store_ended(c->parent, imsg_get_id(imsg), status);
}

static void
on_ctl_log_level(struct child *c, struct imsg *imsg)
{
	struct parent	*p = c->parent;
	struct child	*other;
	uint32_t	 level;
	int		 id;

	ipc_data(imsg, &level, sizeof(level));
	if (level > LOGL_FATAL)
		fatalx("%s asks for log level %u", proc_name(c->id), level);
	log_info("log level is %s", log_level_name(level));
	log_set_level(level);
	CHILD_FOREACH(other, id, p)
		ipc_send(&other->ipc, IMSG_LOG_LEVEL, 0, -1, &level,
		    sizeof(level));
}

static void
on_ctl_stop(struct child *c, struct imsg *imsg)
{
	ipc_data(imsg, NULL, 0);
	log_info("stopping: asked by ws-gatewayctl");
	parent_stop(c->parent, 0);
}

static void
on_pong(struct child *c, struct imsg *imsg)
{
	(void)c;
	parent_watch_answer(imsg);
}

static void
dispatch(struct ipc *ipc, struct imsg *imsg)
{
	static const struct {
		enum imsg_type	type;
		int		from;	/* enum proc_id, 0: all */
		void		(*handle)(struct child *, struct imsg *);
	} handlers[] = {
		{ IMSG_READY, 0, on_ready },
		{ IMSG_REFUSE, 0, on_refuse },
		{ IMSG_LOG, 0, on_log },
		{ IMSG_PROCSTAT, PROC_KEYS, on_usage },
		{ IMSG_CONF_TLS_CHECKED, PROC_ENGINE, on_tls_checked },
		{ IMSG_CONF_TLS_CHECKED, PROC_KEYS, on_keys_taken },
		{ IMSG_STORE_TAKEN, PROC_ENGINE, on_store_taken },
		{ IMSG_PONG, PROC_ENGINE, on_pong },
		{ IMSG_CTL_RELOAD, PROC_ENGINE, on_ctl_reload },
		{ IMSG_CTL_LOG_LEVEL, PROC_ENGINE, on_ctl_log_level },
		{ IMSG_CTL_STOP, PROC_ENGINE, on_ctl_stop },
		{ IMSG_STORE_ENDED, PROC_STARTER, on_store_ended },
	};
	struct child	*c = ipc->arg;
	size_t		 i;

	for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (handlers[i].type == imsg_get_type(imsg) &&
		    (handlers[i].from == 0 ||
		    handlers[i].from == (int)c->id)) {
			handlers[i].handle(c, imsg);
			return;
		}
	fatalx("message %u from %s is not for the parent",
	    imsg_get_type(imsg), proc_name(c->id));
}

static void
on_signal(int sig, short what, void *arg)
{
	struct parent	*p = arg;

	(void)what;
	switch (sig) {
	case SIGTERM:
	case SIGINT:
		if (p->phase != PARENT_STOPPING)
			log_info("stopping: SIG%s",
			    sig == SIGTERM ? "TERM" : "INT");
		parent_stop(p, 0);
		break;
	case SIGHUP:
		if (p->phase == PARENT_RUNNING)
			parent_reload(p, 0);
		break;
	case SIGUSR1:
		logfile_reopen();
		break;
	case SIGCHLD:
		parent_reap(p);
		break;
	}
}

static void
on_stat(int fd, short what, void *arg)
{
	static const struct timeval	 period = { STAT_PERIOD_S, 0 };
	struct parent			*p = arg;
	struct proc_usage		 usage;

	(void)fd;
	(void)what;
	memset(&usage, 0, sizeof(usage));
	usage.proc = PROC_PARENT;
	procstat_read(&usage.stat);
	ipc_send(&p->child[PROC_ENGINE]->ipc, IMSG_PROCSTAT, 0, -1, &usage,
	    sizeof(usage));
	event_want(p->ev_stat, &period);
}

/* Either it starts too slowly or it stops too slowly. */
static void
on_kill(int fd, short what, void *arg)
{
	struct parent	*p = arg;
	struct child	*c;
	int		 id;

	(void)fd;
	(void)what;
	if (p->phase != PARENT_STARTING) {
		parent_stop_overdue(p);
		return;
	}
	CHILD_FOREACH(c, id, p)
		if (!c->ready && p->refusal[0] == '\0')
			snprintf(p->refusal, sizeof(p->refusal),
			    "%s was not ready within %d s", proc_name(id),
			    START_LIMIT_S);
	event_base_loopbreak(p->base);
}

static void
add_events(struct parent *p)
{
	static const int	sigs[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1,
				    SIGCHLD };
	size_t			i;

	for (i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		if ((p->ev_signal[i] = evsignal_new(p->base, sigs[i],
		    on_signal, p)) == NULL ||
		    event_add(p->ev_signal[i], NULL) == -1)
			fatalx("can't watch signals");
	if ((p->ev_kill = evtimer_new(p->base, on_kill, p)) == NULL ||
	    (p->ev_stat = evtimer_new(p->base, on_stat, p)) == NULL)
		fatalx("no memory for timers");
}

void
parent_start_loop(struct parent *p)
{
	static const struct timeval	limit = { START_LIMIT_S, 0 };

	if ((p->base = event_base_new()) == NULL)
		fatalx("event_base_new failed");
	logfile_attach(p->base);
	add_events(p);
	p->dispatch = dispatch;
	parent_start_children(p);
	event_want(p->ev_kill, &limit);
	event_base_dispatch(p->base);
	if (p->refusal[0] != '\0')
		parent_refuse("%s", p->refusal);
	if (p->phase == PARENT_STOPPING) {
		log_info("stopped before the start was complete");
		exit(p->exit_code);
	}
	event_del(p->ev_kill);
}

void
parent_run_loop(struct parent *p)
{
	on_stat(-1, 0, p);
	parent_watch(p);
	event_base_dispatch(p->base);
}
