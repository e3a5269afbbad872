/* Values as people write them on the command line. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "duration.h"
#include "values.h"

#define DAY		86400000ULL	/* ms */
#define MS		1000000		/* ns */
#define MOST_UNITS	100000		/* of weeks or days */

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	c |= 0x20;
	return (c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1);
}

const char *
value_id(const char *s, uint8_t *id, size_t max, uint32_t *len)
{
	static char	error[64];
	size_t		n = 0;

	if (*s == '\0')
		return ("it is empty");
	while (*s != '\0') {
		if (n == max) {
			snprintf(error, sizeof(error),
			    "it has more than %zu bytes", max);
			return (error);
		}
		if (s[0] == '\\' && s[1] == 'x' && hex(s[2]) != -1 &&
		    hex(s[3]) != -1) {
			id[n++] = (uint8_t)(hex(s[2]) << 4 | hex(s[3]));
			s += 4;
		} else {
			/* Any other backslash stands for itself. */
			if (s[0] == '\\' && s[1] == '\\')
				s++;
			id[n++] = (uint8_t)*s++;
		}
	}
	*len = (uint32_t)n;
	return (NULL);
}

const char *
value_number(const char *s, uint64_t *n)
{
	const char	*p;

	*n = 0;
	for (p = s; *p >= '0' && *p <= '9'; p++) {
		if (*n > (UINT64_MAX - (uint64_t)(*p - '0')) / 10)
			return ("too big a number");
		*n = *n * 10 + (uint64_t)(*p - '0');
	}
	return (p == s || *p != '\0' ? "not a number" : NULL);
}

/* Digits and a letter, at the start: 2w, 1d. */
static const char *
long_unit(const char *s, char unit, uint64_t ms, uint64_t *sum)
{
	uint64_t	 v = 0;
	const char	*p;

	for (p = s; *p >= '0' && *p <= '9'; p++) {
		if (v > MOST_UNITS)
			return (s);
		v = v * 10 + (uint64_t)(*p - '0');
	}
	if (p == s || *p != unit)
		return (s);
	*sum += v * ms;
	return (p + 1);
}

const char *
value_duration(const char *text, uint64_t max, uint64_t *ms)
{
	static char	 error[96];
	const char	*s;
	char		 limit[40];
	uint64_t	 sum = 0;
	int64_t		 ns = 0;

	s = long_unit(text, 'w', 7 * DAY, &sum);
	s = long_unit(s, 'd', DAY, &sum);
	if ((s == text || *s != '\0') && duration_parse(s, &ns) == -1)
		return ("not a duration; 90s, 1h30m, 7d and 2w are");
	if (ns < 0)
		return ("a duration is not negative");
	sum += (uint64_t)ns / MS;
	if (sum > max) {
		snprintf(error, sizeof(error), "%s is the most",
		    duration_format((int64_t)max * MS, limit, sizeof(limit)));
		return (error);
	}
	*ms = sum;
	return (NULL);
}
