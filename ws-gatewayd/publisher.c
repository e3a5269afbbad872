/* Servers that publish: cached tokens and their rates. */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "log.h"
#include "metrics.h"
#include "publisher.h"
#include "rate.h"

#define MAX_PUBLISHERS	65536	/* the least recently used makes room */

RB_HEAD(publisher_tree, publisher);
TAILQ_HEAD(publisher_list, publisher);

static int	publisher_cmp(const struct publisher *,
		    const struct publisher *);

RB_PROTOTYPE(publisher_tree, publisher, entry, publisher_cmp)
RB_GENERATE(publisher_tree, publisher, entry, publisher_cmp)

static struct publisher_tree	publishers = RB_INITIALIZER(&publishers);
static struct publisher_list	by_age = TAILQ_HEAD_INITIALIZER(by_age);
static size_t			npublishers;

static int
publisher_cmp(const struct publisher *a, const struct publisher *b)
{
	if (a->token_len != b->token_len)
		return (a->token_len < b->token_len ? -1 : 1);
	return (memcmp(a->token, b->token, a->token_len));
}

static struct publisher *
publisher_get(const uint8_t *token, size_t len)
{
	struct publisher	 key;

	key.token_len = (uint8_t)len;
	memcpy(key.token, token, len);
	return (RB_FIND(publisher_tree, &publishers, &key));
}

static void
publisher_free(struct publisher *p)
{
	RB_REMOVE(publisher_tree, &publishers, p);
	TAILQ_REMOVE(&by_age, p, age);
	npublishers--;
	explicit_bzero(p, sizeof(*p));
	free(p);
}

/* Drop from the old end what would be new again if it came back. */
static void
publisher_expire(void)
{
	struct publisher	*p;
	uint64_t		 ms = now_ms(), ns = now_ns();

	while ((p = TAILQ_FIRST(&by_age)) != NULL &&
	    ((p->valid_until <= ms && p->grace_until <= ms &&
	    p->full_at <= ns) ||
	    npublishers > MAX_PUBLISHERS))
		publisher_free(p);
}

struct publisher *
publisher_find(const uint8_t *token, size_t len)
{
	struct publisher	*p = publisher_get(token, len);

	if (p == NULL || p->valid_until <= now_ms())
		return (NULL);
	metrics.cache_hits++;
	TAILQ_REMOVE(&by_age, p, age);
	TAILQ_INSERT_TAIL(&by_age, p, age);
	return (p);
}

struct publisher *
publisher_grace(const uint8_t *token, size_t len)
{
	struct publisher	*p = publisher_get(token, len);

	return (p == NULL || p->grace_until <= now_ms() ? NULL : p);
}

/* The shorter of a setting and what is left of a token's life. */
static uint64_t
at_most(uint64_t ms, int64_t ttl)
{
	if (ttl <= 0)
		return (0);
	return (ms < (uint64_t)ttl ? ms : (uint64_t)ttl);
}

struct publisher *
publisher_learn(const uint8_t *token, size_t len,
    const struct store_result *res)
{
	struct publisher	*p;

	publisher_expire();
	if ((p = publisher_get(token, len)) == NULL) {
		if ((p = calloc(1, sizeof(*p))) == NULL)
			fatal("publisher");
		p->token_len = (uint8_t)len;
		memcpy(p->token, token, len);
		RB_INSERT(publisher_tree, &publishers, p);
		npublishers++;
	} else
		TAILQ_REMOVE(&by_age, p, age);
	TAILQ_INSERT_TAIL(&by_age, p, age);
	p->valid_until = now_ms() + at_most(engine.conf.token_cache, res->ttl);
	p->grace_until = now_ms() + at_most(engine.conf.token_grace, res->ttl);
	p->subject_len = res->subject_len;
	memcpy(p->subject, res->subject, res->subject_len);
	return (p);
}

void
publisher_forget(const uint8_t *token, size_t len)
{
	struct publisher	*p = publisher_get(token, len);

	if (p != NULL)
		publisher_free(p);
}

/* Their rates stay theirs. */
void
publisher_doubt_all(void)
{
	struct publisher	*p;

	TAILQ_FOREACH(p, &by_age, age)
		p->valid_until = p->grace_until = 0;
}

unsigned
publisher_take(struct publisher *p)
{
	uint64_t	 limit = engine.conf.rate_limit;

	if (limit == 0)
		return (0);
	return (rate_take(&p->full_at, limit, engine.conf.rate_period, limit));
}
