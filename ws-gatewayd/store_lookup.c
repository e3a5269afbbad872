/*
 * Lookups that wait in the store: bounded, answered a batch a query, and each
 * within its time even if the database is locked.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "store.h"

struct waiting {
	TAILQ_ENTRY(waiting)	 entry;
	uint64_t		 deadline;	/* ms */
	struct store_lookup	 q;
};

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
	event_add(&run_event, &tv);
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
fail_all(void)
{
	struct waiting	*w;

	while ((w = TAILQ_FIRST(&waiting)) != NULL) {
		answer(w->q.id, STORE_ERROR);
		drop(w);
	}
	flush_results();
}

/* The database is locked: those whose time is over wait no longer. */
static void
fail_late(void)
{
	struct waiting	*w;
	uint64_t	 now = now_ms();
	int		 late = 0;

	while ((w = TAILQ_FIRST(&waiting)) != NULL && w->deadline <= now) {
		answer(w->q.id, STORE_ERROR);
		drop(w);
		late = 1;
	}
	if (late)
		store.state.errors++;
	flush_results();
}

static void
run(int fd, short what, void *arg)
{
	struct store_lookup	 batch[DB_BATCH];
	struct waiting		*w;
	enum db_status		 status;
	const char		*why;
	char			 err[DB_ERRSIZE];
	size_t			 n = 0, i;

	(void)fd;
	(void)what;
	(void)arg;
	TAILQ_FOREACH(w, &waiting, entry) {
		if (n == DB_BATCH)
			break;
		batch[n++] = w->q;
	}
	if (n == 0)
		return;
	if (store_usable(&why) == -1) {
		store.state.errors++;
		fail_all();
		goto done;
	}
	status = store.backend->lookup(store.db, now_ms(), batch, n, results,
	    err);
	switch (status) {
	case DB_OK:
		store.state.batches++;
		store.state.lookups += n;
		nresults = n;
		flush_results();
		for (i = 0; i < n; i++)
			drop(TAILQ_FIRST(&waiting));
		store_answered();
		if (!TAILQ_EMPTY(&waiting))
			wake(0);
		break;
	case DB_BUSY:
		store_busy();
		fail_late();
		if (!TAILQ_EMPTY(&waiting))
			wake(STORE_RETRY_MS);
		break;
	default:
		store.state.batches++;
		store_failed(status, err);
		fail_all();
	}
done:
	explicit_bzero(batch, sizeof(batch));
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
	if (was_empty && !TAILQ_EMPTY(&waiting))
		wake(0);
}
