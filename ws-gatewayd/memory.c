/* The memory budget, and who has to go when it is used up. */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include "conn.h"
#include "engine.h"
#include "hub.h"
#include "log.h"
#include "memory.h"
#include "metrics.h"
#include "queue.h"

#define MAX_RELIEF	64	/* consumers that go for more than is needed */

struct relief {
	const struct conn	*except;
	uint64_t		 room;	/* bytes that are needed */
	uint64_t		 least;	/* who holds that much has to go */
	uint64_t		 most;	/* that one of the others holds */
	unsigned		 gone;
};

void
memory_take(size_t n)
{
	metrics.memory_bytes += n;
}

void
memory_give(size_t n)
{
	if (n > metrics.memory_bytes)
		fatalx("memory: %zu bytes given back of %llu", n,
		    (unsigned long long)metrics.memory_bytes);
	metrics.memory_bytes -= n;
}

/*
 * A little more is let go than is needed, so that the next one finds room, but
 * not at any price: what one consumer holds may be shared with others, and is
 * free when the last of them has gone.
 */
static int
relief_wanted(const struct relief *r)
{
	uint64_t	 limit = engine.conf.memory_limit;

	if (r->gone < MAX_RELIEF)
		limit -= limit / 8;
	return (metrics.memory_bytes + r->room > limit);
}

/* Whether somebody who holds that many bytes has to go. */
static int
relief_takes(struct relief *r, uint64_t held)
{
	if (held >= r->least && relief_wanted(r)) {
		r->gone++;
		return (1);
	}
	if (held > r->most)
		r->most = held;
	return (0);
}

static void
relief_log(const char *consumer, const struct player *p, uint64_t held)
{
	static struct log_limit	 limit;

	if (!log_limit(&limit, 10, now_ms()) ||
	    !log_begin(LOGL_WARN, "memory budget used up: the largest "
	    "consumer goes"))
		return;
	log_str("consumer", consumer);
	if (p != NULL)
		log_bytes("player_id", p->id, p->len);
	log_int("bytes", (int64_t)held);
	log_int("limit", (int64_t)engine.conf.memory_limit);
	log_int("current", (int64_t)metrics.memory_bytes);
	log_end();
}

/* Those who are dropped stay in their list until the end of the loop turn. */
static void
relief_conns(struct relief *r, const struct conn_list *list)
{
	struct conn	*c;
	uint64_t	 held;

	TAILQ_FOREACH(c, list, entry) {
		held = conn_held(c);
		if (c == r->except || c->state == CONN_DEAD ||
		    !relief_takes(r, held))
			continue;
		relief_log("connection", c->player, held);
		conn_drop(c, CLOSE_MEMORY);
	}
}

static void
relief_players(struct relief *r)
{
	struct player	*p, *tmp;

	RB_FOREACH_SAFE(p, player_tree, &hub_players, tmp) {
		if (p->offline == NULL || !relief_takes(r, p->offline->bytes))
			continue;
		relief_log("offline queue", p, p->offline->bytes);
		queue_forget(p, DROP_MEMORY);
	}
}

/*
 * The largest goes first.  If that was not enough, those who hold three
 * quarters or more of what the next one does go as its equals: so thousands
 * who all wait for the same cost a few looks at everybody, not thousands.
 */
static void
memory_relieve(size_t n, const struct conn *except)
{
	struct relief	 r = { .except = except, .room = n,
			     .least = UINT64_MAX };

	while (relief_wanted(&r)) {
		r.most = 0;
		relief_conns(&r, &hub_conns);
		relief_conns(&r, &conn_others);
		relief_players(&r);
		if (r.most == 0)
			break;
		r.least = r.gone == 0 ? r.most : r.most - r.most / 4;
	}
}

int
memory_fits(size_t n)
{
	return (metrics.memory_bytes + n <= engine.conf.memory_limit);
}

int
memory_reserve(size_t n, const struct conn *except)
{
	if (!memory_fits(n))
		memory_relieve(n, except);
	return (memory_fits(n) ? 0 : -1);
}
