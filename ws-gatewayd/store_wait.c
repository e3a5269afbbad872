/*
 * Waiting for a database that answers later: one event for what the handle
 * waits for, and whom to call then.
 */
#include <sys/types.h>

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "log.h"
#include "store.h"

static struct event	 ready_event;
static struct event	 settled_event;
static int		 added;
static int		 waits[ASKERS];
static unsigned int	 turn;

static void (*const again[ASKERS])(void) = {
	[ASK_PROBE] = store_probe,
	[ASK_LOOKUP] = store_lookup_again,
	[ASK_TOKEN] = store_token_again,
};

static void	on_ready(int, short, void *);

/* Wait for what the handle waits for now, which is not what it was. */
static void
arm(void)
{
	struct db_wait	 w;
	struct timeval	 tv;
	short		 what = 0;

	if (added)
		event_del(&ready_event);
	added = 0;
	if (store.db == NULL || store.backend->waits == NULL ||
	    !store.backend->waits(store.db, now_ms(), &w))
		return;
	if (w.events & POLLIN)
		what |= EV_READ;
	if (w.events & POLLOUT)
		what |= EV_WRITE;
	event_assign(&ready_event, store.base, w.fd, what, on_ready, NULL);
	tv.tv_sec = (time_t)(w.ms / 1000);
	tv.tv_usec = (suseconds_t)(w.ms % 1000 * 1000);
	if (event_add(&ready_event, w.ms >= 0 ? &tv : NULL) == -1)
		fatalx("the store can't wait for its database");
	added = 1;
}

static int
anyone(void)
{
	return (waits[ASK_PROBE] || waits[ASK_LOOKUP] || waits[ASK_TOKEN]);
}

/* All who wait ask; who is first goes round, so that nobody is last always. */
static void
on_ready(int fd, short what, void *arg)
{
	unsigned int	i, who;

	(void)fd;
	(void)what;
	(void)arg;
	added = 0;
	if (!anyone())
		store_probe();
	turn++;
	for (i = 0; i < ASKERS; i++) {
		who = (turn + i) % ASKERS;
		if (waits[who])
			again[who]();
	}
	arm();
}

enum db_status
store_asked(enum store_asker who, enum db_status status)
{
	waits[who] = status == DB_WAIT;
	if (status == DB_OK || status == DB_BUSY || status == DB_FAIL)
		store.reached = 1;
	if (store.backend->waits == NULL)
		return (status);
	arm();
	/* Those who waited for this one to end. */
	if (status != DB_WAIT && anyone())
		event_active(&settled_event, EV_TIMEOUT, 0);
	return (status);
}

int
store_asking(enum store_asker who)
{
	return (waits[who]);
}

void
store_given_up(enum store_asker who)
{
	waits[who] = 0;
}

void
store_wait_stop(void)
{
	if (added)
		event_del(&ready_event);
	added = 0;
}

void
store_wait_start(void)
{
	event_assign(&settled_event, store.base, -1, 0, on_ready, NULL);
	arm();
}

enum db_status
store_check_now(char *err)
{
	struct db_wait	 w;
	struct pollfd	 pfd;
	enum db_status	 status;

	while ((status = store.backend->check(store.db, now_ms(), err)) ==
	    DB_WAIT) {
		if (!store.backend->waits(store.db, now_ms(), &w))
			fatalx("the database waits for nothing");
		pfd.fd = w.fd;
		pfd.events = w.events;
		if (poll(&pfd, 1, (int)w.ms) == -1 && errno != EINTR)
			fatal("poll");
	}
	return (status);
}
