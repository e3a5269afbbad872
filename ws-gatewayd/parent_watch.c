/*
 * Is the engine at work?  It is asked every few seconds on behalf of a service
 * manager, who hears of us only after an answer: a parent that is well says
 * nothing about the players.
 */
#include "log.h"
#include "notify.h"
#include "parent.h"

#define STATUS_PERIOD	5000	/* ms */

static struct event	*ev_ask;
static struct timeval	 period;
static int		 asked;		/* and not answered yet */

static void
on_ask(int fd, short what, void *arg)
{
	struct parent	*p = arg;

	(void)fd;
	(void)what;
	notify_again();
	if (!asked)
		ipc_send(&p->child[PROC_ENGINE]->ipc, IMSG_PING, 0, -1, NULL,
		    0);
	asked = 1;
	event_want(ev_ask, &period);
}

void
parent_watch_answer(struct imsg *imsg)
{
	struct engine_state	 st;

	ipc_data(imsg, &st, sizeof(st));
	asked = 0;
	if (notify_watchdog() != 0)
		notify_alive();
	notify_status("%llu players, %llu connections, %llu messages "
	    "queued%s", (unsigned long long)st.players,
	    (unsigned long long)st.connections,
	    (unsigned long long)st.queued, st.draining ? ", draining" : "");
}

/* At half of the time that is left to us, since an answer takes some. */
void
parent_watch(struct parent *p)
{
	uint64_t	 ms = STATUS_PERIOD;

	if (!notify_wanted())
		return;
	if (notify_watchdog() != 0 && notify_watchdog() / 2 < ms)
		ms = notify_watchdog() / 2;
	if (ms == 0)
		ms = 1;
	period.tv_sec = (time_t)(ms / 1000);
	period.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	if ((ev_ask = evtimer_new(p->base, on_ask, p)) == NULL)
		fatalx("no memory for timers");
	on_ask(-1, 0, p);
}
