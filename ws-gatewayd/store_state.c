/*
 * Whether the database answers: when it is opened again, when it is asked
 * though nobody waits, and what is told of it, to the engine and to the log.
 */
#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "store.h"

#define TICK_S		1
#define FIGURES_TICKS	2		/* the state, if it changed */
#define USAGE_TICKS	5
#define IDLE_MS		5000		/* without a query: ask one */
#define REOPEN_MIN_MS	100
#define REOPEN_MAX_MS	5000

static struct event	 tick_event;
static struct event	 reopen_event;
static unsigned int	 ticks;
static struct store_state	 told;		/* what the engine knows */
static uint64_t		 asked;		/* the last answer, when; ms */
static uint64_t		 busy_since;	/* 0: not busy */
static uint64_t		 reopen_at;
static uint64_t		 reopen_after = REOPEN_MIN_MS;

static void
tell(void)
{
	store.state.median_us = store_latency(50);
	store.state.p99_us = store_latency(99);
	if (memcmp(&told, &store.state, sizeof(told)) == 0)
		return;
	told = store.state;
	ipc_send(&store.engine, IMSG_STORE_STATE, 0, -1, &told, sizeof(told));
}

static void
tell_usage(void)
{
	struct proc_usage	usage;

	memset(&usage, 0, sizeof(usage));
	usage.proc = PROC_STORE;
	procstat_read(&usage.stat);
	ipc_send(&store.engine, IMSG_PROCSTAT, 0, -1, &usage, sizeof(usage));
}

void
store_answered(void)
{
	asked = now_ms();
	busy_since = 0;
	reopen_after = REOPEN_MIN_MS;
	if (store.state.up)
		return;
	store.state.up = 1;
	store.state.since = asked;
	memset(store.state.error, 0, sizeof(store.state.error));
	log_info("the database answers");
	tell();
}

/* Down, in one log line however often it is noticed. */
static void
down(const char *why)
{
	int	was_up = store.state.up;

	memset(store.state.last_error, 0, sizeof(store.state.last_error));
	strlcpy(store.state.last_error, why, sizeof(store.state.last_error));
	if (was_up)
		log_warnx("the database does not answer: %s", why);
	if (was_up)
		store.state.since = now_ms();
	if (was_up || strncmp(store.state.error, why,
	    sizeof(store.state.error) - 1) != 0) {
		memset(store.state.error, 0, sizeof(store.state.error));
		strlcpy(store.state.error, why, sizeof(store.state.error));
		store.state.up = 0;
		tell();
	}
}

/* Locked for a moment is how databases are; for longer than a lookup, down. */
void
store_busy(void)
{
	uint64_t	now = now_ms();

	asked = now;
	if (busy_since == 0)
		busy_since = now;
	else if (now - busy_since >= store.settings.lookup_timeout)
		down("it is locked by another process");
}

/*
 * The first time soon, then ever later; all by a chance, for we are not the
 * only ones who were cut off.
 */
static void
reopen_later(void)
{
	struct timeval	tv;
	uint64_t	ms;

	ms = reopen_after / 2 +
	    arc4random_uniform((uint32_t)(reopen_after / 2 + 1));
	reopen_at = now_ms() + ms;
	reopen_after *= 2;
	if (reopen_after > REOPEN_MAX_MS)
		reopen_after = REOPEN_MAX_MS;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	if (event_initialized(&reopen_event))
		event_want(&reopen_event, &tv);
}

void
store_failed(enum db_status status, const char *why)
{
	asked = now_ms();
	busy_since = 0;
	store.state.errors++;
	down(why);
	if (status != DB_LOST || store.db == NULL)
		return;
	store_close();
	reopen_later();
}

void
store_close(void)
{
	if (store.db == NULL)
		return;
	store_wait_stop();
	store.reached = 0;
	store.backend->close(store.db);
	store.db = NULL;
}

/* It was there at the start: if its file is gone, we don't make another. */
static int
reopen(void)
{
	struct conf_database	conf = store.database;
	char			err[DB_ERRSIZE];

	conf.create = 0;
	if ((store.db = store.backend->open(&conf, &store.process, err)) ==
	    NULL) {
		reopen_later();
		down(err);
	} else
		store.opened++;
	explicit_bzero(&conf, sizeof(conf));
	return (store.db == NULL ? -1 : 0);
}

int
store_usable(const char **why)
{
	if (store.db != NULL)
		return (0);
	if (now_ms() >= reopen_at && reopen() == 0)
		return (0);
	*why = store.state.error;
	return (-1);
}

/*
 * Nobody looks tokens up when nobody comes, least of all when readiness says
 * that it's of no use: the state has to be found out all the same.
 */
void
store_probe(void)
{
	enum db_status	 status;
	const char	*why;
	char		 err[DB_ERRSIZE];

	if (store_usable(&why) == -1)
		return;
	status = store_asked(ASK_PROBE, store.backend->check(store.db,
	    now_ms(), err));
	switch (status) {
	case DB_OK:
		store_answered();
		break;
	case DB_WAIT:
		break;
	case DB_BUSY:
		store_busy();
		break;
	default:
		store_failed(status, err);
	}
}

static void
on_tick(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	ticks++;
	if (!store.state.up || busy_since != 0 ||
	    store_asking(ASK_PROBE) || now_ms() - asked >= IDLE_MS)
		store_probe();
	if (ticks % FIGURES_TICKS == 0)
		tell();
	if (ticks % USAGE_TICKS == 0)
		tell_usage();
}

static void
on_reopen(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (store.db == NULL)
		store_probe();
}

void
store_state_start(void)
{
	static const struct timeval	tick = { TICK_S, 0 };

	/* Differs from all that can be told: the first is told. */
	memset(&told, 0xff, sizeof(told));
	strlcpy(store.state.backend, store.backend->name,
	    sizeof(store.state.backend));
	store.state.since = now_ms();
	tell();
	tell_usage();
	event_assign(&reopen_event, store.base, -1, 0, on_reopen, NULL);
	event_assign(&tick_event, store.base, -1, EV_PERSIST, on_tick, NULL);
	event_want(&tick_event, &tick);
}
