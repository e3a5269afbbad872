/* The timing wheel: never early, never lost, cancelled means cancelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"
#include "timer.h"

#define MANY	500

struct item {
	struct timer	 timer;
	uint64_t	 due;
	int		 fired;
	int		 cancelled;
};

static struct event_base	*base;
static struct item		 items[MANY];
static int			 nfired, nwanted;
static struct timer		 inner;

static void
count(struct timer *t)
{
	struct item	*it = (struct item *)t;

	assert_true(now_ms() >= it->due);
	assert_int_equal(t->deadline, 0);
	assert_int_equal(it->cancelled, 0);
	it->fired++;
	if (++nfired == nwanted)
		event_base_loopbreak(base);
}

static void
start(struct item *it, uint64_t delay)
{
	it->due = now_ms() + delay;
	timer_set(&it->timer, delay, count);
}

static int
setup(void **state)
{
	(void)state;
	memset(items, 0, sizeof(items));
	nfired = 0;
	return (0);
}

static void
test_many(void **state)
{
	int	 i;

	(void)state;
	nwanted = 0;
	for (i = 0; i < MANY; i++) {
		start(&items[i], (uint64_t)(i * 7919 % 400));
		nwanted++;
	}
	/* Every third is cancelled, every fifth set anew. */
	for (i = 0; i < MANY; i += 3) {
		timer_cancel(&items[i].timer);
		items[i].cancelled = 1;
		nwanted--;
	}
	for (i = 0; i < MANY; i += 5) {
		if (!items[i].cancelled)
			start(&items[i], 300);
	}
	event_base_dispatch(base);
	for (i = 0; i < MANY; i++)
		assert_int_equal(items[i].fired, !items[i].cancelled);
}

static void
cancel_peer(struct timer *t)
{
	(void)t;
	/* Both are due in the same slot: one keeps the other from firing. */
	timer_cancel(&items[0].timer);
	items[0].cancelled = 1;
	start(&items[1], 20);
}

static void
test_cancel_within(void **state)
{
	(void)state;
	nwanted = 1;
	/* What is due together fires in the order in which it was set. */
	timer_set(&inner, 16, cancel_peer);
	start(&items[0], 16);
	event_base_dispatch(base);
	assert_int_equal(items[1].fired, 1);
	assert_int_equal(items[0].fired, 0);
}

static void
again(struct timer *t)
{
	if (++nfired == 5)
		event_base_loopbreak(base);
	else
		timer_set(t, 0, again);
}

static void
test_set_within(void **state)
{
	(void)state;
	timer_set(&inner, 0, again);
	event_base_dispatch(base);
	assert_int_equal(nfired, 5);
	timer_cancel(&inner);
	timer_cancel(&inner);
}

static void
test_sooner_than_armed(void **state)
{
	uint64_t	 from = now_ms();

	(void)state;
	nwanted = 1;
	/* The wheel is armed for the late one; the early one comes first. */
	start(&items[0], 3600 * 1000);
	start(&items[1], 30);
	event_base_dispatch(base);
	assert_int_equal(items[1].fired, 1);
	assert_int_equal(items[0].fired, 0);
	assert_true(now_ms() - from >= 30);
	timer_cancel(&items[0].timer);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup(test_many, setup),
		cmocka_unit_test_setup(test_cancel_within, setup),
		cmocka_unit_test_setup(test_set_within, setup),
		cmocka_unit_test_setup(test_sooner_than_armed, setup),
	};

	if ((base = event_base_new()) == NULL)
		return (1);
	timer_wheel_init(base);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
