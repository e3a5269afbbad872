/* Token lookups: merged, batched, bounded, timed out. */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "engine.h"
#include "log.h"
#include "lookup.h"
#include "metrics.h"
#include "timer.h"

/* ms beyond the timeout, which the store has as well. */
#define SILENT_GRACE	1000

/* What fits a message to the store. */
#define BATCH	((MAX_IMSGSIZE - IMSG_HEADER_SIZE) / sizeof(struct store_lookup))

/* Messages that a stuck store has not taken; then nobody is asked for. */
#define MAX_UNSENT	512

/* A connection that awaits the answer; it points back here. */
struct lookup_waiter {
	TAILQ_ENTRY(lookup_waiter)	 entry;
	struct lookup			*lookup;
	struct conn			*conn;
	void	(*done)(struct conn *, enum store_status,
		    const struct store_result *);
};
TAILQ_HEAD(waiter_list, lookup_waiter);

/* One token that the store is asked for. */
struct lookup {
	RB_ENTRY(lookup)	 by_token;
	RB_ENTRY(lookup)	 by_id;
	TAILQ_ENTRY(lookup)	 by_age;
	struct waiter_list	 waiters;
	uint64_t		 since;		/* ms, monotonic */
	struct store_lookup	 ask;
};
RB_HEAD(token_tree, lookup);
RB_HEAD(id_tree, lookup);
TAILQ_HEAD(lookup_list, lookup);

static int	token_cmp(const struct lookup *, const struct lookup *);
static int	id_cmp(const struct lookup *, const struct lookup *);
static void	lookup_timeout(struct timer *);

RB_PROTOTYPE(token_tree, lookup, by_token, token_cmp)
RB_GENERATE(token_tree, lookup, by_token, token_cmp)
RB_PROTOTYPE(id_tree, lookup, by_id, id_cmp)
RB_GENERATE(id_tree, lookup, by_id, id_cmp)

static struct ipc		*lookup_store;
static struct token_tree	 tokens = RB_INITIALIZER(&tokens);
static struct id_tree		 ids = RB_INITIALIZER(&ids);
static struct lookup_list	 pending = TAILQ_HEAD_INITIALIZER(pending);
static struct timer		 timeout;
static struct store_lookup	 batch[BATCH];
static size_t			 nbatch;
static uint32_t			 next_id;
static uint64_t			 heard;		/* of the store, when; ms */
static int			 missed;	/* an answer, since then */
static int			 gone;

static int
token_cmp(const struct lookup *a, const struct lookup *b)
{
	if (a->ask.kind != b->ask.kind)
		return (a->ask.kind < b->ask.kind ? -1 : 1);
	if (a->ask.len != b->ask.len)
		return (a->ask.len < b->ask.len ? -1 : 1);
	return (memcmp(a->ask.token, b->ask.token, a->ask.len));
}

static int
id_cmp(const struct lookup *a, const struct lookup *b)
{
	return (a->ask.id < b->ask.id ? -1 : a->ask.id > b->ask.id);
}

static void
lookup_arm(void)
{
	struct lookup	*l = TAILQ_FIRST(&pending);
	uint64_t	 now, at;

	if (l == NULL) {
		timer_cancel(&timeout);
		return;
	}
	now = now_ms();
	at = l->since + engine.conf.lookup_timeout;
	timer_set(&timeout, at > now ? at - now : 0, lookup_timeout);
}

/* Take it out and tell everybody who waits. */
static void
lookup_finish(struct lookup *l, enum store_status status,
    const struct store_result *res)
{
	struct lookup_waiter	*w;
	struct conn		*c;
	void			(*done)(struct conn *, enum store_status,
				    const struct store_result *);

	RB_REMOVE(token_tree, &tokens, l);
	RB_REMOVE(id_tree, &ids, l);
	TAILQ_REMOVE(&pending, l, by_age);
	metrics.lookups_pending--;
	if (status == STORE_ERROR)
		metrics.lookup_errors++;
	hist_observe(&metrics.lookup, (double)(now_ms() - l->since) / 1000.0);
	while ((w = TAILQ_FIRST(&l->waiters)) != NULL) {
		done = w->done;
		c = w->conn;
		lookup_cancel(c);
		done(c, status, res);
	}
	explicit_bzero(l, sizeof(*l));
	free(l);
}

static void
lookup_timeout(struct timer *t)
{
	struct lookup	*l;
	uint64_t	 now = now_ms();

	(void)t;
	while ((l = TAILQ_FIRST(&pending)) != NULL &&
	    l->since + engine.conf.lookup_timeout <= now) {
		missed = 1;
		lookup_finish(l, STORE_ERROR, NULL);
	}
	lookup_arm();
}

int
lookup_start(struct conn *c, enum token_kind kind, const uint8_t *token,
    size_t len, void (*done)(struct conn *, enum store_status,
    const struct store_result *))
{
	struct lookup_waiter	*w;
	struct lookup		*l, key;

	memset(&key, 0, sizeof(key));
	key.ask.kind = (uint8_t)kind;
	key.ask.len = (uint8_t)len;
	memcpy(key.ask.token, token, len);
	if ((l = RB_FIND(token_tree, &tokens, &key)) == NULL) {
		if (gone ||
		    metrics.lookups_pending >= engine.conf.max_lookups ||
		    ipc_queued(lookup_store) >= MAX_UNSENT)
			return (-1);
		if ((l = malloc(sizeof(*l))) == NULL)
			fatal("lookup");
		*l = key;
		TAILQ_INIT(&l->waiters);
		l->since = now_ms();
		/* After 2^32 lookups an old one may still be there. */
		do {
			l->ask.id = next_id++;
		} while (RB_INSERT(id_tree, &ids, l) != NULL);
		RB_INSERT(token_tree, &tokens, l);
		TAILQ_INSERT_TAIL(&pending, l, by_age);
		metrics.lookups_pending++;
		metrics.lookups++;
		if (TAILQ_FIRST(&pending) == l)
			lookup_arm();
		batch[nbatch++] = l->ask;
		if (nbatch == BATCH)
			lookup_flush();
		else
			output_wake();
	}
	explicit_bzero(&key, sizeof(key));
	if (c->lookup != NULL)
		fatalx("lookup: a connection asks twice");
	if ((w = malloc(sizeof(*w))) == NULL)
		fatal("lookup");
	w->lookup = l;
	w->conn = c;
	w->done = done;
	TAILQ_INSERT_TAIL(&l->waiters, w, entry);
	c->lookup = w;
	return (0);
}

void
lookup_cancel(struct conn *c)
{
	struct lookup_waiter	*w = c->lookup;

	if (w == NULL)
		return;
	/* The store answers all the same: somebody else may come to wait. */
	TAILQ_REMOVE(&w->lookup->waiters, w, entry);
	c->lookup = NULL;
	free(w);
}

void
lookup_flush(void)
{
	if (nbatch == 0)
		return;
	ipc_send(lookup_store, IMSG_STORE_LOOKUP, 0, -1, batch,
	    nbatch * sizeof(batch[0]));
	explicit_bzero(batch, nbatch * sizeof(batch[0]));
	nbatch = 0;
}

void
lookup_init(struct ipc *store)
{
	struct lookup	*l;

	lookup_store = store;
	gone = missed = 0;
	nbatch = 0;
	TAILQ_FOREACH(l, &pending, by_age) {
		batch[nbatch++] = l->ask;
		if (nbatch == BATCH)
			lookup_flush();
	}
	lookup_flush();
}

void
lookup_store_gone(void)
{
	struct lookup	*l;

	gone = 1;
	explicit_bzero(batch, nbatch * sizeof(batch[0]));
	nbatch = 0;
	while ((l = TAILQ_FIRST(&pending)) != NULL)
		lookup_finish(l, STORE_ERROR, NULL);
	timer_cancel(&timeout);
}

int
lookup_silent(void)
{
	return (missed && now_ms() - heard >= engine.conf.lookup_timeout +
	    SILENT_GRACE);
}

void
lookup_result(struct imsg *imsg)
{
	struct store_result	 res[MAX_IMSGSIZE / sizeof(struct store_result)];
	struct lookup		*l, key;
	size_t			 len = imsg_get_len(imsg), i;

	if (len == 0 || len % sizeof(res[0]) != 0)
		fatalx("store: a result of %zu bytes", len);
	ipc_data(imsg, res, len);
	heard = now_ms();
	missed = 0;
	for (i = 0; i < len / sizeof(res[0]); i++) {
		if (res[i].identity_len > SUBJECT_MAX ||
		    res[i].subject_len > SUBJECT_MAX ||
		    res[i].status > STORE_ERROR)
			fatalx("store: a result that can't be");
		key.ask.id = res[i].id;
		/* It may have been given up. */
		if ((l = RB_FIND(id_tree, &ids, &key)) != NULL)
			lookup_finish(l, res[i].status, &res[i]);
	}
	lookup_arm();
}
