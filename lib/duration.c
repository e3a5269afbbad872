/*
 * Durations as Go writes them, and sizes in powers of 1024; whole numbers
 * throughout, so that no value is rounded on its way in or out.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "duration.h"

#define NSEC		UINT64_C(1)
#define USEC		(1000 * NSEC)
#define MSEC		(1000 * USEC)
#define SEC		(1000 * MSEC)
#define MIN		(60 * SEC)
#define HOUR		(60 * MIN)

/* The largest magnitude, that of INT64_MIN. */
#define LIMIT		(UINT64_C(1) << 63)

static const struct unit {
	const char	*name;
	uint64_t	 ns;
} units[] = {
	{ "ns",		NSEC },
	{ "us",		USEC },
	{ "\302\265s",	USEC },		/* U+00B5, the micro sign */
	{ "\316\274s",	USEC },		/* U+03BC, the Greek letter */
	{ "ms",		MSEC },
	{ "s",		SEC },
	{ "m",		MIN },
	{ "h",		HOUR }
};

static int
is_digit(char c)
{
	return (c >= '0' && c <= '9');
}

static size_t
digits(const char *s)
{
	size_t	n;

	for (n = 0; is_digit(s[n]); n++)
		continue;
	return (n);
}

/* A unit ends where the next number begins. */
static uint64_t
unit_ns(const char *s, size_t len)
{
	size_t	i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strlen(units[i].name) == len &&
		    memcmp(units[i].name, s, len) == 0)
			return (units[i].ns);
	return (0);
}

/* LEN digits at S times UNIT, plus *SUM; -1 when over LIMIT. */
static int
add_whole(const char *s, size_t len, uint64_t unit, uint64_t *sum)
{
	uint64_t	v;
	size_t		i;

	v = 0;
	for (i = 0; i < len; i++) {
		if (v > (LIMIT - (s[i] - '0')) / 10)
			return (-1);
		v = v * 10 + (s[i] - '0');
	}
	if (v > LIMIT / unit || v * unit > LIMIT - *sum)
		return (-1);
	*sum += v * unit;
	return (0);
}

/*
 * The same for digits behind a point.  From the last one on, each step divides
 * by ten and may drop the rest: a floor of a floor is the floor of the whole,
 * so that the result is exact however many digits there are.
 */
static int
add_fraction(const char *s, size_t len, uint64_t unit, uint64_t *sum)
{
	uint64_t	v;

	v = 0;
	while (len-- > 0)
		v = ((s[len] - '0') * unit + v) / 10;
	if (v > LIMIT - *sum)
		return (-1);
	*sum += v;
	return (0);
}

int
duration_parse(const char *s, int64_t *ns)
{
	const char	*whole, *fraction;
	uint64_t	 sum, unit;
	size_t		 nwhole, nfraction, len;
	int		 negative;

	negative = *s == '-';
	if (*s == '-' || *s == '+')
		s++;
	if (strcmp(s, "0") == 0) {
		*ns = 0;
		return (0);
	}
	if (*s == '\0')
		return (-1);
	for (sum = 0; *s != '\0'; s += len) {
		whole = s;
		nwhole = digits(s);
		s += nwhole;
		fraction = s;
		nfraction = 0;
		if (*s == '.') {
			fraction = ++s;
			nfraction = digits(s);
			s += nfraction;
		}
		if (nwhole + nfraction == 0)
			return (-1);
		len = strcspn(s, ".0123456789");
		if ((unit = unit_ns(s, len)) == 0)
			return (-1);
		if (add_whole(whole, nwhole, unit, &sum) == -1 ||
		    add_fraction(fraction, nfraction, unit, &sum) == -1)
			return (-1);
	}
	if (negative)
		*ns = sum == LIMIT ? INT64_MIN : -(int64_t)sum;
	else if (sum == LIMIT)
		return (-1);
	else
		*ns = sum;
	return (0);
}

/* V in UNIT with as many decimals as it takes, then the unit's name. */
static void
decimal(uint64_t v, uint64_t unit, const char *name, char *out, size_t size)
{
	uint64_t	whole, rest;
	int		width;

	whole = v / unit;
	rest = v % unit;
	if (rest == 0) {
		snprintf(out, size, "%" PRIu64 "%s", whole, name);
		return;
	}
	for (width = 0; unit > 1; unit /= 10)
		width++;
	for (; rest % 10 == 0; rest /= 10)
		width--;
	snprintf(out, size, "%" PRIu64 ".%0*" PRIu64 "%s", whole, width, rest,
	    name);
}

char *
duration_format(int64_t ns, char *buf, size_t size)
{
	uint64_t	v;
	const char	*sign;
	char		 h[16], m[16], s[32];

	v = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	sign = ns < 0 ? "-" : "";
	h[0] = m[0] = s[0] = '\0';
	if (v >= HOUR)
		snprintf(h, sizeof(h), "%" PRIu64 "h", v / HOUR);
	if (v % HOUR >= MIN)
		snprintf(m, sizeof(m), "%" PRIu64 "m", v % HOUR / MIN);
	if (v >= SEC && v % MIN > 0)
		decimal(v % MIN, SEC, "s", s, sizeof(s));
	else if (v >= MSEC && v < SEC)
		decimal(v, MSEC, "ms", s, sizeof(s));
	else if (v >= USEC && v < MSEC)
		decimal(v, USEC, "us", s, sizeof(s));
	else if (v > 0 && v < USEC)
		decimal(v, NSEC, "ns", s, sizeof(s));
	snprintf(buf, size, "%s%s%s%s", sign, h, m, v == 0 ? "0" : s);
	return (buf);
}

static const char size_units[] = "KMGT";	/* 1024, 1024^2, ... */

int
size_parse(const char *s, uint64_t *size)
{
	const char	*p;
	uint64_t	 v, d;
	size_t		 n, shift;

	if ((n = digits(s)) == 0)
		return (-1);
	shift = 0;
	if (s[n] != '\0') {
		if (s[n + 1] != '\0' ||
		    (p = strchr(size_units, toupper((unsigned char)s[n]))) ==
		    NULL)
			return (-1);
		shift = 10 * (p - size_units + 1);
	}
	for (v = 0; n > 0; n--, s++) {
		d = *s - '0';
		if (v > (UINT64_MAX - d) / 10)
			return (-1);
		v = v * 10 + d;
	}
	if (v > UINT64_MAX >> shift)
		return (-1);
	*size = v << shift;
	return (0);
}

char *
size_format(uint64_t v, char *buf, size_t size)
{
	char	unit[2] = "";
	size_t	i;

	for (i = 0; v > 0 && v % 1024 == 0 && size_units[i] != '\0'; i++) {
		v /= 1024;
		unit[0] = size_units[i];
	}
	snprintf(buf, size, "%" PRIu64 "%s", v, unit);
	return (buf);
}
