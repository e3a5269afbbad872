/* The bucket in one number: size, even refill, what Retry-After says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "rate.h"

#define NS_PER_MS	1000000ULL

static uint64_t	fake_ns = 5000000000ULL;

/* The clock of the tests. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	(void)id;
	ts->tv_sec = (time_t)(fake_ns / 1000000000ULL);
	ts->tv_nsec = (long)(fake_ns % 1000000000ULL);
	return (0);
}

static void
advance(uint64_t ms)
{
	fake_ns += ms * NS_PER_MS;
}

static void
test_burst_then_even(void **state)
{
	uint64_t	 at = 0;
	int		 i;

	(void)state;
	/* 10 in a second: the bucket holds 10, one comes back every 100 ms. */
	for (i = 0; i < 10; i++)
		assert_int_equal(rate_take(&at, 10, 1000, 10), 0);
	assert_int_equal(rate_take(&at, 10, 1000, 10), 1);
	advance(99);
	assert_int_equal(rate_take(&at, 10, 1000, 10), 1);
	advance(1);
	assert_int_equal(rate_take(&at, 10, 1000, 10), 0);
	assert_int_equal(rate_take(&at, 10, 1000, 10), 1);
	advance(300);
	for (i = 0; i < 3; i++)
		assert_int_equal(rate_take(&at, 10, 1000, 10), 0);
	assert_int_not_equal(rate_take(&at, 10, 1000, 10), 0);
	/* Full again, and no fuller than that. */
	advance(100000);
	for (i = 0; i < 10; i++)
		assert_int_equal(rate_take(&at, 10, 1000, 10), 0);
	assert_int_not_equal(rate_take(&at, 10, 1000, 10), 0);
}

static void
test_sizes(void **state)
{
	static const uint64_t	 limits[] = { 1, 2, 3, 7, 10, 100, 999, 1000 };
	uint64_t		 at, n;
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		at = 0;
		for (n = 0; n < limits[i]; n++)
			assert_int_equal(rate_take(&at, limits[i], 1000,
			    limits[i]), 0);
		assert_int_not_equal(rate_take(&at, limits[i], 1000,
		    limits[i]), 0);
	}
}

static void
test_retry_after(void **state)
{
	uint64_t	 at = 0;

	(void)state;
	/* One in an hour. */
	assert_int_equal(rate_take(&at, 1, 3600 * 1000, 1), 0);
	assert_int_equal(rate_take(&at, 1, 3600 * 1000, 1), 3600);
	advance(1);
	assert_int_equal(rate_take(&at, 1, 3600 * 1000, 1), 3600);
	advance(3599 * 1000);
	assert_int_equal(rate_take(&at, 1, 3600 * 1000, 1), 1);
	advance(999);
	assert_int_equal(rate_take(&at, 1, 3600 * 1000, 1), 0);
}

static void
test_burst_above_rate(void **state)
{
	uint64_t	 at = 0;
	int		 i;

	(void)state;
	for (i = 0; i < 50; i++)
		assert_int_equal(rate_take(&at, 10, 1000, 50), 0);
	assert_int_equal(rate_take(&at, 10, 1000, 50), 1);
	advance(1000);
	for (i = 0; i < 10; i++)
		assert_int_equal(rate_take(&at, 10, 1000, 50), 0);
	assert_int_equal(rate_take(&at, 10, 1000, 50), 1);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_burst_then_even),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_burst_above_rate),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
