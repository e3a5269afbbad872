/* The clock that only goes forward, apart so that a test can bring its own. */
#include <stdint.h>
#include <time.h>

#include "log.h"
#include "proc.h"

uint64_t
now_ms(void)
{
	struct timespec	ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) == -1)
		fatal("clock_gettime");
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}
