/*
 * Lookups that wait in the store: bounded, answered a batch a query, and each
 * within its time even if the database is locked.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "store.h"

struct waiting {
	TAILQ_ENTRY(waiting)	 entry;
	uint64_t		 deadline;	/* ms */
	struct store_lookup	 q;
};

/*
 * The batch that the database is asked for.  It stays as it is until there is
 * an answer, even when nobody waits for that any more.
 */
static struct {
	struct store_lookup	 q[DB_BATCH];
	uint64_t		 deadline[DB_BATCH];
	int			 answered[DB_BATCH];
	size_t			 n;
	uint64_t		 since;		/* us */
} flight;

static TAILQ_HEAD(, waiting)	 waiting = TAILQ_HEAD_INITIALIZER(waiting);
static struct event		 run_event;
static struct store_result	 results[DB_BATCH];
static size_t			 nresults;

_Static_assert(sizeof(results) <= MAX_IMSGSIZE - IMSG_HEADER_SIZE,
    "the results of a batch fit a message");

static void
wake(uint64_t ms)
{
	struct timeval	tv;

	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	event_want(&run_event, &tv);
}

static void
flush_results(void)
{
	if (nresults == 0)
		return;
	ipc_send(&store.engine, IMSG_STORE_RESULT, 0, -1, results,
	    nresults * sizeof(results[0]));
	nresults = 0;
}

static void
answer(uint32_t id, enum store_status status)
{
	struct store_result	*r = &results[nresults++];

	memset(r, 0, sizeof(*r));
	r->id = id;
	r->status = (uint8_t)status;
	if (nresults == DB_BATCH)
		flush_results();
}

static void
drop(struct waiting *w)
{
	TAILQ_REMOVE(&waiting, w, entry);
	store.state.pending--;
	freezero(w, sizeof(*w));
}

static void
fail_flight(size_t i)
{
	if (flight.answered[i])
		return;
	flight.answered[i] = 1;
	store.state.pending--;
	answer(flight.q[i].id, STORE_ERROR);
}

static void
land(void)
{
	explicit_bzero(&flight, sizeof(flight));
}

static void
fail_all(void)
{
	struct waiting	*w;
	size_t		 i;

	store_given_up(ASK_LOOKUP);
	for (i = 0; i < flight.n; i++)
		fail_flight(i);
	land();
	while ((w = TAILQ_FIRST(&waiting)) != NULL) {
		answer(w->q.id, STORE_ERROR);
		drop(w);
	}
	flush_results();
}

/*
 * There is no answer yet: those whose time is over wait no longer.  Returns
 * how many of the batch still do; NEXT is when the next one's time is over.
 */
static size_t
fail_late(uint64_t *next)
{
	struct waiting	*w;
	uint64_t	 now = now_ms();
	size_t		 i, left = 0;
	int		 late = 0;

	*next = UINT64_MAX;
	for (i = 0; i < flight.n; i++) {
		if (flight.answered[i])
			continue;
		if (flight.deadline[i] <= now) {
			fail_flight(i);
			late = 1;
			continue;
		}
		left++;
		if (flight.deadline[i] < *next)
			*next = flight.deadline[i];
	}
	while ((w = TAILQ_FIRST(&waiting)) != NULL && w->deadline <= now) {
		answer(w->q.id, STORE_ERROR);
		drop(w);
		late = 1;
	}
	if (w != NULL && w->deadline < *next)
		*next = w->deadline;
	if (late)
		store.state.errors++;
	flush_results();
	return (left);
}

/* The next batch out of those who wait. */
static void
take_off(void)
{
	struct waiting	*w;
	size_t		 most = store.settings.lookup_batch;

	while (flight.n < most && flight.n < DB_BATCH &&
	    (w = TAILQ_FIRST(&waiting)) != NULL) {
		flight.q[flight.n] = w->q;
		flight.deadline[flight.n] = w->deadline;
		flight.answered[flight.n] = 0;
		flight.n++;
		TAILQ_REMOVE(&waiting, w, entry);
		freezero(w, sizeof(*w));
	}
	flight.since = store_latency_now();
}

static void
answered(void)
{
	size_t	i;

	store.state.batches++;
	store.state.lookups += flight.n;
	store_latency_add(store_latency_now() - flight.since);
	for (i = 0; i < flight.n; i++) {
		if (flight.answered[i])
			continue;
		results[nresults++] = results[i];
		store.state.pending--;
	}
	land();
	flush_results();
	store_answered();
	if (!TAILQ_EMPTY(&waiting))
		wake(0);
}

/* It is at work: for longer than a lookup may take, it is as good as gone. */
static void
wait_on(void)
{
	uint64_t	next, now = now_ms(), limit;
	char		err[DB_ERRSIZE];

	limit = flight.since / 1000 + store.settings.lookup_timeout;
	fail_late(&next);
	if (limit > now) {
		if (next > limit)
			next = limit;
		wake(next > now ? next - now : 0);
		return;
	}
	snprintf(err, sizeof(err), "a query takes longer than %llu ms",
	    (unsigned long long)store.settings.lookup_timeout);
	store.state.batches++;
	store_failed(DB_LOST, err);
	fail_all();
}

/*
 * Where a new connection takes its time, nobody waits for it: while the
 * database is down a probe makes one.
 */
static int
hopeless(const char **why)
{
	if (store.db != NULL && store_asking(ASK_LOOKUP))
		return (0);
	if (!store.state.up && !store.reached &&
	    store.backend->waits != NULL) {
		store_probe();
		*why = store.state.error;
		if (!store.state.up && store_asking(ASK_PROBE))
			return (1);
	}
	return (store_usable(why) == -1);
}

static void
run(int fd, short what, void *arg)
{
	enum db_status	 status;
	const char	*why;
	uint64_t	 next;
	char		 err[DB_ERRSIZE];

	(void)fd;
	(void)what;
	(void)arg;
	if (flight.n == 0)
		take_off();
	if (flight.n == 0)
		return;
	if (hopeless(&why)) {
		store.state.errors++;
		fail_all();
		return;
	}
	status = store_asked(ASK_LOOKUP, store.backend->lookup(store.db,
	    now_ms(), flight.q, flight.n, results, err));
	switch (status) {
	case DB_OK:
		answered();
		break;
	case DB_WAIT:
		wait_on();
		break;
	case DB_BUSY:
		store_busy();
		if (fail_late(&next) == 0)
			land();
		if (flight.n > 0 || !TAILQ_EMPTY(&waiting))
			wake(STORE_RETRY_MS);
		break;
	default:
		store.state.batches++;
		store_failed(status, err);
		fail_all();
	}
}

void
store_lookup_again(void)
{
	run(-1, 0, NULL);
}

void
store_lookup_start(void)
{
	event_assign(&run_event, store.base, -1, 0, run, NULL);
}

/*
 * The query is not run before the loop has read what else there is: what
 * arrives together is one batch.
 */
void
store_lookup_add(const struct store_lookup *q, size_t n)
{
	struct waiting	*w;
	uint64_t	 now = now_ms();
	int		 was_empty = TAILQ_EMPTY(&waiting);
	size_t		 i;

	for (i = 0; i < n; i++) {
		if (q[i].len > TOKEN_MAX || q[i].kind > TOKEN_SERVER)
			fatalx("the engine asks for a token that can't be");
		if (q[i].len == 0) {
			answer(q[i].id, STORE_INVALID);
			continue;
		}
		if (store.state.pending >= store.settings.max_lookups) {
			store.state.errors++;
			answer(q[i].id, STORE_ERROR);
			continue;
		}
		if ((w = calloc(1, sizeof(*w))) == NULL)
			fatal("a lookup");
		w->q = q[i];
		w->deadline = now + store.settings.lookup_timeout;
		TAILQ_INSERT_TAIL(&waiting, w, entry);
		store.state.pending++;
	}
	flush_results();
	if (was_empty && !TAILQ_EMPTY(&waiting) && !store_asking(ASK_LOOKUP))
		wake(0);
}
