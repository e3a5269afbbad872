/* Rates: see rate.h. */
#include <time.h>

#include "log.h"
#include "rate.h"

#define NS_PER_MS	1000000ULL
#define NS_PER_S	1000000000ULL

uint64_t
now_ns(void)
{
	struct timespec	 ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) == -1)
		fatal("clock_gettime");
	return ((uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec);
}

unsigned
rate_take(uint64_t *full_at, uint64_t limit, uint64_t period, uint64_t burst)
{
	uint64_t	 now = now_ns(), interval, ahead, at;

	/* One moves the time by an interval; it may be BURST of them ahead. */
	interval = period * NS_PER_MS / limit;
	ahead = interval * burst;
	at = (*full_at > now ? *full_at : now) + interval;
	if (at > now + ahead)
		return ((unsigned)((at - now - ahead + NS_PER_S - 1) /
		    NS_PER_S));
	*full_at = at;
	return (0);
}
