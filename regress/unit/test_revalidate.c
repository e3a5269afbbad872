/*
 * The pace of revalidation, on a clock of the test's own: every connection once
 * a period, spread, also when the period is long or the players are few, and
 * made up after an outage without a spike.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/types.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "engine.h"
#include "hub.h"
#include "publisher.h"
#include "request.h"

#define MANY	1000

struct engine		engine;
struct metrics		metrics;
struct conn_list	hub_conns = TAILQ_HEAD_INITIALIZER(hub_conns);

static uint64_t		 fake_now = 1000;
static struct timer	*armed;
static struct conn	*conns;
static struct conn_who	*who;
static void		(*lookup_done)(struct conn *, enum store_status,
			    const struct store_result *);
static unsigned		 asked, closed;
static enum store_status answer = STORE_VALID;

uint64_t
now_ms(void)
{
	return (fake_now);
}

void
timer_set(struct timer *t, uint64_t delay, void (*fire)(struct timer *))
{
	t->deadline = fake_now + delay;
	t->fire = fire;
	armed = t;
}

int
lookup_start(struct conn *c, enum token_kind kind, const uint8_t *token,
    size_t len, void (*done)(struct conn *, enum store_status,
    const struct store_result *))
{
	assert_int_equal(kind, TOKEN_PLAYER);
	assert_int_equal(len, 4);
	assert_non_null(token);
	lookup_done = done;
	c->lookup = (struct lookup_waiter *)c;
	asked++;
	return (0);
}

void
session_close(struct conn *c, uint16_t code, const char *text,
    enum close_reason reason)
{
	assert_int_equal(code, WS_CLOSE_POLICY);
	assert_string_equal(text, "token expired");
	assert_int_equal(reason, CLOSE_TOKEN);
	c->state = CONN_CLOSING;
	closed++;
}

void
publisher_forget(const uint8_t *token, size_t len)
{
	(void)token;
	(void)len;
}

/* The store's answers arrive. */
static void
answer_all(void)
{
	struct store_result	 res;
	struct conn		*c;
	int			 i;

	memset(&res, 0, sizeof(res));
	res.ttl = 1000000;
	for (i = 0; i < MANY; i++) {
		c = &conns[i];
		if (c->lookup == NULL)
			continue;
		c->lookup = NULL;
		lookup_done(c, answer, &res);
	}
}

/* Let MS pass; returns the most that was asked for in one tick. */
static unsigned
pass(uint64_t ms)
{
	uint64_t	 end = fake_now + ms;
	unsigned	 before, most = 0;

	while (armed->deadline <= end) {
		fake_now = armed->deadline;
		before = asked;
		armed->fire(armed);
		if (asked - before > most)
			most = asked - before;
		answer_all();
	}
	fake_now = end;
	return (most);
}

static void
join(int n, uint64_t period)
{
	int	 i;

	engine.conf.revalidate_period = period;
	metrics.store.up = 1;
	metrics.connections = (uint64_t)n;
	if ((conns = calloc(MANY, sizeof(*conns))) == NULL ||
	    (who = calloc(1, sizeof(*who) + 4)) == NULL)
		abort();
	who->token_len = 4;
	asked = closed = 0;
	answer = STORE_VALID;
	revalidate_init();
	for (i = 0; i < n; i++) {
		conns[i].state = CONN_WS;
		conns[i].who = who;
		conns[i].checked = fake_now;
		revalidate_add(&conns[i]);
	}
}

static void
leave(int n)
{
	int	 i;

	for (i = 0; i < n; i++)
		revalidate_remove(&conns[i]);
	free(conns);
	free(who);
	conns = NULL;
}

static uint64_t
oldest(int n)
{
	uint64_t	 age = 0;
	int		 i;

	for (i = 0; i < n; i++) {
		if (fake_now - conns[i].checked > age)
			age = fake_now - conns[i].checked;
	}
	return (age);
}

static void
check_periods(int n, uint64_t period)
{
	unsigned	 most;
	int		 k;

	join(n, period);
	for (k = 0; k < 5; k++) {
		most = pass(period);
		/* Nobody was forgotten, and nobody asked for all the time. */
		assert_true(oldest(n) <= period);
		assert_true(asked <= (unsigned)n * 2 * (unsigned)(k + 1));
		/* Spread: a tick has about its share. */
		assert_true(most <= (unsigned)n / 20 + 2);
	}
	leave(n);
}

static void
test_periods(void **state)
{
	static const uint64_t	 periods[] = { 1000, 60 * 1000, 20 * 60 * 1000,
				    24 * 3600 * 1000ULL };
	static const int	 players[] = { 1, 2, 3, 50, MANY };
	size_t			 i, j;

	(void)state;
	for (i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
		for (j = 0; j < sizeof(players) / sizeof(players[0]); j++)
			check_periods(players[j], periods[i]);
	}
}

static void
test_outage(void **state)
{
	unsigned	 most, usual, before;

	(void)state;
	join(MANY, 10000);
	usual = pass(10000);
	/* Nothing is asked of a database that is down. */
	metrics.store.up = 0;
	before = asked;
	(void)pass(60000);
	assert_int_equal(asked, before);
	assert_int_equal(closed, 0);
	metrics.store.up = 1;
	most = pass(10000);
	assert_true(oldest(MANY) <= 10000);
	assert_true(most <= usual * 5 + 2);
	leave(MANY);
}

static void
test_errors_stay(void **state)
{
	(void)state;
	join(10, 1000);
	answer = STORE_ERROR;
	(void)pass(5000);
	assert_int_equal(closed, 0);
	/* They are asked for again as soon as it answers. */
	answer = STORE_INVALID;
	(void)pass(1000);
	assert_int_equal(closed, 10);
	leave(10);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_periods),
		cmocka_unit_test(test_outage),
		cmocka_unit_test(test_errors_stay),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
