/*
 * How long the database takes: a histogram whose buckets grow by a fifth, in
 * which what is old counts for less and less.
 */
#include <sys/types.h>

#include <time.h>

#include "log.h"
#include "store.h"

#define BUCKETS		96		/* to about a minute */
#define FIRST_US	10
#define KEEP		8192		/* then all are halved */

static uint32_t	count[BUCKETS];
static uint32_t	total;

uint64_t
store_latency_now(void)
{
	struct timespec	ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) == -1)
		fatal("clock_gettime");
	return ((uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000);
}

/* The upper bound of a bucket. */
static uint64_t
bound(unsigned int i)
{
	uint64_t	us = FIRST_US;

	while (i-- > 0)
		us += us / 5;
	return (us);
}

void
store_latency_add(uint64_t us)
{
	uint64_t	limit = FIRST_US;
	unsigned int	i = 0;

	for (; us > limit && i < BUCKETS - 1; i++)
		limit += limit / 5;
	count[i]++;
	if (++total < KEEP)
		return;
	total = 0;
	for (i = 0; i < BUCKETS; i++)
		total += count[i] /= 2;
}

uint64_t
store_latency(unsigned int percent)
{
	uint64_t	want = ((uint64_t)total * percent + 99) / 100, seen = 0;
	unsigned int	i;

	if (total == 0)
		return (0);
	for (i = 0; i < BUCKETS - 1; i++)
		if ((seen += count[i]) >= want)
			break;
	return (bound(i));
}
