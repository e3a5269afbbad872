/*
 * Time, and a histogram of it: 64 linear steps per power of two, less than
 * 1.6 % off.
 */
#include <time.h>

#include "wsload.h"

uint64_t
now_ns(void)
{
	struct timespec	 t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
}

double
since(uint64_t t)
{
	return ((double)(now_ns() - t) / 1e9);
}

void
hist_add(struct hist *h, uint64_t v)
{
	int	 e;

	e = v < 64 ? 5 : 63 - __builtin_clzll(v);
	h->bin[v < 64 ? v : (uint64_t)(e - 5) * 64 + ((v >> (e - 6)) & 63)]++;
	h->n++;
	if (v > h->max)
		h->max = v;
}

/* The value that the part q is below, in microseconds. */
double
hist_us(const struct hist *h, double q)
{
	uint64_t	 want = (uint64_t)(q * (double)h->n), sum = 0;
	double		 v;
	int		 i;

	for (i = 0; i < HIST_BINS - 1; i++)
		if ((sum += h->bin[i]) > want)
			break;
	v = i < 64 ? i : ((i & 63) + 64.5) * (double)(1ull << (i / 64 - 1));
	return ((v < (double)h->max ? v : (double)h->max) / 1000);
}
