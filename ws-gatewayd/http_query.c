/*
 * The query of a target as a form: application/x-www-form-urlencoded.
 */
#include <string.h>

#include "http_parse.h"

/* Decode the byte at *I and step over it. */
static uint8_t
decode(const char *s, size_t len, size_t *i)
{
	int		 hi, lo;
	uint8_t		 c;

	c = s[(*i)++];
	if (c == '+')
		return (' ');
	if (c != '%' || len - *i < 2)
		return (c);
	hi = http_hexdigit(s[*i]);
	lo = http_hexdigit(s[*i + 1]);
	if (hi == -1 || lo == -1)
		return (c);
	*i += 2;
	return (hi << 4 | lo);
}

/* A name may be encoded as well as a value. */
static int
is_name(const char *s, size_t len, const char *name)
{
	size_t		 i = 0;

	while (i < len) {
		/* A decoded NUL must not pass for the end of NAME. */
		if (*name == '\0' || decode(s, len, &i) != (uint8_t)*name)
			return (0);
		name++;
	}
	return (*name == '\0');
}

static long
decode_value(const char *s, size_t len, uint8_t *out, size_t outsize)
{
	size_t		 i = 0;
	long		 n;
	uint8_t		 c;

	for (n = 0; i < len; n++) {
		c = decode(s, len, &i);
		if ((size_t)n < outsize)
			out[n] = c;
	}
	return (n);
}

long
http_query_param(const char *query, size_t len, const char *name,
    uint8_t *out, size_t outsize)
{
	const char	*p;
	size_t		 field, value;

	while (len > 0) {
		p = memchr(query, '&', len);
		field = p == NULL ? len : (size_t)(p - query);
		p = memchr(query, '=', field);
		value = p == NULL ? field : (size_t)(p - query);
		if (is_name(query, value, name)) {
			if (value < field)
				value++;
			return (decode_value(query + value, field - value,
			    out, outsize));
		}
		if (field == len)
			break;
		query += field + 1;
		len -= field + 1;
	}
	return (-1);
}
