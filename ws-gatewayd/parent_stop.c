/*
 * The end, wanted or not: the engine says good-bye to its players, then the
 * store goes, and who takes too long is killed.
 */
#include <sys/wait.h>

#include <stdio.h>
#include <string.h>

#include "log.h"
#include "notify.h"
#include "parent.h"
#include "platform.h"

/*
 * All is over within 5 s, of which the engine takes 4 at most.  One that has to
 * be killed must not cost the store its orderly end.
 */
static const struct timeval	stop_limit = { 4, 300000 };
static const struct timeval	broken_limit = { 1, 0 };
static const struct timeval	next_limit = { 0, 400000 };

static void
stop_next(struct parent *p)
{
	struct child	*c;
	int		 id;

	CHILD_FOREACH(c, id, p)
		if (parent_alive(c)) {
			ipc_send(&c->ipc, IMSG_SHUTDOWN, 0, -1,
			    NULL, 0);
			return;
		}
	event_base_loopbreak(p->base);
}

void
parent_stop(struct parent *p, int exit_code)
{
	if (p->phase == PARENT_STOPPING)
		return;
	p->phase = PARENT_STOPPING;
	notify_stopping();
	p->exit_code = exit_code;
	event_want(p->ev_kill, exit_code == 0 ? &stop_limit : &broken_limit);
	parent_reload_abandon(p);
	stop_next(p);
}

void
parent_stop_overdue(struct parent *p)
{
	struct child	*c;
	int		 id;

	CHILD_FOREACH(c, id, p)
		if (parent_kill(c)) {
			log_warnx("%s took too long to stop and is killed",
			    proc_name(id));
			event_want(p->ev_kill, &next_limit);
			return;
		}
}

void
parent_describe_end(const struct child *c, char *buf, size_t size)
{
	int	status = c->status;

	if (sandbox_violation(status))
		snprintf(buf, size, "%s was killed by %s: sandbox violation",
		    proc_name(c->id), platform_signal_name(WTERMSIG(status)));
	else if (WIFSIGNALED(status))
		snprintf(buf, size, "%s was killed by %s",
		    proc_name(c->id), platform_signal_name(WTERMSIG(status)));
	else
		snprintf(buf, size, "%s exited with code %d",
		    proc_name(c->id), WEXITSTATUS(status));
}

static void
log_end_of(const struct child *c, const char *text)
{
	if (!log_begin(LOGL_ERROR, text))
		return;
	log_str("child", proc_name(c->id));
	if (WIFSIGNALED(c->status))
		log_str("signal", platform_signal_name(WTERMSIG(c->status)));
	else
		log_int("exit_code", WEXITSTATUS(c->status));
	log_end();
}

void
parent_child_ended(struct child *c)
{
	struct parent	*p = c->parent;
	char		 text[128];

	if (c->id == PROC_STARTER)
		parent_starter_ended(p);
	if (parent_reload_ended(c))
		return;
	parent_describe_end(c, text, sizeof(text));
	switch (p->phase) {
	case PARENT_STARTING:
		if (p->refusal[0] == '\0')
			strlcpy(p->refusal, text, sizeof(p->refusal));
		event_base_loopbreak(p->base);
		break;
	case PARENT_RUNNING:
		log_end_of(c, text);
		parent_stop(p, 1);
		break;
	case PARENT_STOPPING:
		if (c->status != 0)
			log_warnx("while stopping: %s", text);
		stop_next(p);
		break;
	}
}
