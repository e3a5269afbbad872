/* Numbers at random, and the same ones in each run (xorshift). */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

static uint32_t	 seed = 1;

static uint32_t
random32(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return (seed);
}

#endif /* RANDOM_H */
