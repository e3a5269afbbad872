/* The memory budget. */
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

#define MAX_RELIEF	64	/* consumers that go at once */

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

static struct player *
largest_player(void)
{
	struct player	*p, *best = NULL;

	RB_FOREACH(p, player_tree, &hub_players) {
		if (p->offline != NULL && (best == NULL ||
		    p->offline->bytes > best->offline->bytes))
			best = p;
	}
	return (best);
}

/* Let the largest consumer go; returns 0 when there is none. */
static int
memory_relieve(const struct conn *except)
{
	static struct log_limit	 limit;
	struct conn		*c = conn_largest(except);
	struct player		*p = largest_player();
	uint64_t		 bytes;

	if (c == NULL && p == NULL)
		return (0);
	if (p != NULL && (c == NULL || p->offline->bytes > conn_held(c))) {
		bytes = p->offline->bytes;
		c = NULL;
	} else
		bytes = conn_held(c);
	if (log_limit(&limit, 10, now_ms()) &&
	    log_begin(LOGL_WARN, "memory budget used up: the largest "
	    "consumer goes")) {
		log_str("consumer", c != NULL ? "connection" : "offline queue");
		if (c != NULL)
			p = c->player;
		if (p != NULL)
			log_bytes("player_id", p->id, p->len);
		log_int("bytes", (int64_t)bytes);
		log_int("limit", (int64_t)engine.conf.memory_limit);
		log_int("current", (int64_t)metrics.memory_bytes);
		log_end();
	}
	if (c != NULL)
		conn_drop(c, CLOSE_MEMORY);
	else
		queue_forget(p, DROP_MEMORY);
	return (1);
}

int
memory_reserve(size_t n, const struct conn *except)
{
	uint64_t	 limit = engine.conf.memory_limit;
	int		 i;

	if (metrics.memory_bytes + n <= limit)
		return (0);
	/*
	 * A little more than needed, so that the next one finds room.  What
	 * one consumer holds may be shared with others, and to let all of them
	 * go at once for nothing would be the worst of answers.
	 */
	for (i = 0; i < MAX_RELIEF; i++) {
		if (metrics.memory_bytes + n <= limit - limit / 8 ||
		    !memory_relieve(except))
			break;
	}
	return (metrics.memory_bytes + n <= limit ? 0 : -1);
}
