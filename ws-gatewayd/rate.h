/*
 * A token bucket in one number: the time at which it will be full again
 * (the generic cell rate algorithm).
 */
#ifndef RATE_H
#define RATE_H

#include <stdint.h>

/*
 * Take one from a bucket of BURST that is refilled evenly by LIMIT in PERIOD
 * ms.  *FULL_AT (ns, monotonic) starts as 0.  Returns 0, or the whole seconds,
 * at least one, after which the next one could be taken.
 */
unsigned	rate_take(uint64_t *full_at, uint64_t limit, uint64_t period,
		    uint64_t burst);
/* Nanoseconds of the monotonic clock. */
uint64_t	now_ns(void);

#endif /* RATE_H */
