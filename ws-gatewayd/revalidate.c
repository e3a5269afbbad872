/*
 * Revalidation: each open connection's token is looked up again within every
 * revalidate_period.  Connections stand in the order of their last check; each
 * tick looks up as many of the oldest as its share of the period, so that
 * those who came together are not asked for together.
 *
 * While the database is down nothing is asked; what has become overdue is made
 * up at a few times the usual pace.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <string.h>

#include "conn.h"
#include "engine.h"
#include "hub.h"
#include "log.h"
#include "publisher.h"
#include "request.h"

#define TICKS		100	/* of a period; a tick is 10 ms at least */
#define CATCH_UP	4	/* times the usual pace for those overdue */

TAILQ_HEAD(check_list, conn);

static struct check_list	 checks = TAILQ_HEAD_INITIALIZER(checks);
static struct timer		 timer;
static uint64_t			 credit;	/* a lookup costs a turn's ms */
static uint64_t			 last;		/* tick, ms */

static void	revalidate_tick(struct timer *);

static uint64_t
tick_ms(void)
{
	uint64_t	 ms = engine.conf.revalidate_period / TICKS;

	return (ms < 10 ? 10 : ms > 1000 ? 1000 : ms);
}

void
revalidate_init(void)
{
	last = now_ms();
	timer_set(&timer, tick_ms(), revalidate_tick);
}

void
revalidate_add(struct conn *c)
{
	TAILQ_INSERT_TAIL(&checks, c, check);
	c->checking = 1;
}

void
revalidate_remove(struct conn *c)
{
	if (!c->checking)
		return;
	TAILQ_REMOVE(&checks, c, check);
	c->checking = 0;
}

static void
revalidate_done(struct conn *c, enum store_status status,
    const struct store_result *res)
{
	uint64_t	 now = now_ms();

	switch (status) {
	case STORE_VALID:
		metrics.revalidated++;
		c->checked = now;
		c->expires = now + (uint64_t)(res->ttl > 0 ? res->ttl : 0);
		revalidate_add(c);
		break;
	case STORE_INVALID:
		session_close(c, WS_CLOSE_POLICY, "token expired",
		    CLOSE_TOKEN);
		break;
	case STORE_ERROR:
		/* It stays, and is among the first to be asked for later. */
		TAILQ_INSERT_HEAD(&checks, c, check);
		c->checking = 1;
		break;
	}
}

static void
revalidate_tick(struct timer *t)
{
	struct conn	*c;
	uint64_t	 now = now_ms(), turn, usual, overdue;

	timer_set(t, tick_ms(), revalidate_tick);
	/* A turn takes four fifths: what is late is still in the period. */
	turn = engine.conf.revalidate_period * 4 / 5;
	if (turn == 0)
		turn = 1;
	usual = metrics.connections * (now - last);
	last = now;
	if (!metrics.store.up)
		return;
	c = TAILQ_FIRST(&checks);
	overdue = c != NULL && c->checked + engine.conf.revalidate_period <
	    now ? CATCH_UP : 1;
	credit += usual * overdue;
	if (credit > metrics.connections * turn)
		credit = metrics.connections * turn;
	while (credit >= turn && (c = TAILQ_FIRST(&checks)) != NULL) {
		credit -= turn;
		if (lookup_start(c, TOKEN_PLAYER, c->who->bytes,
		    c->who->token_len, revalidate_done) == -1)
			break;
		revalidate_remove(c);
	}
}

/* Whether one of the tokens is that of the connection. */
static int
token_in(const struct conn *c, const struct store_lookup *tokens, size_t n)
{
	size_t	 i;

	for (i = 0; i < n; i++) {
		if (tokens[i].kind == TOKEN_PLAYER &&
		    tokens[i].len == c->who->token_len &&
		    memcmp(tokens[i].token, c->who->bytes,
		    c->who->token_len) == 0)
			return (1);
	}
	return (0);
}

void
revalidate_revoked(const struct store_lookup *tokens, size_t n)
{
	struct conn	*c, *tmp;
	size_t		 i;

	for (i = 0; i < n; i++) {
		if (tokens[i].kind == TOKEN_SERVER)
			publisher_forget(tokens[i].token, tokens[i].len);
	}
	TAILQ_FOREACH_SAFE(c, &hub_conns, entry, tmp) {
		if (token_in(c, tokens, n))
			session_close(c, WS_CLOSE_POLICY, "token expired",
			    CLOSE_TOKEN);
	}
}
