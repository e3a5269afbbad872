/*
 * X-Forwarded-For, and Forwarded (RFC 7239), from the right.  Whatever a
 * stranger has put to the left of what a proxy of ours wrote, an open quote
 * say, has no part in how that is read.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <string.h>
#include <strings.h>

#include "forwarded.h"
#include "http_parse.h"

#define MAXNODE		64	/* no address is longer */

void
forwarded_init(struct forwarded *f, enum forwarded_kind kind,
    const struct network *trusted, size_t n, const struct conn_addr *peer)
{
	memset(f, 0, sizeof(*f));
	f->addr = *peer;
	f->addr.counted = 0;
	f->kind = kind;
	f->trusted = trusted;
	f->ntrusted = n;
	f->left = kind == FORWARDED_NONE || !network_match(trusted, n, peer) ?
	    0 : FORWARDED_MAX;
}

/* The byte at I has an odd number of backslashes before it. */
static int
escaped(const char *s, size_t i)
{
	size_t	n = 0;

	while (n < i && s[i - n - 1] == '\\')
		n++;
	return (n % 2);
}

/*
 * Where the last element begins.  What a proxy wrote ends outside of quotes,
 * so that from the right it is known which commas are in them.
 */
static size_t
last_element(const char *s, size_t len, int quotes)
{
	int	quoted = 0;

	for (; len > 0; len--) {
		if (quotes && s[len - 1] == '"' && !escaped(s, len - 1))
			quoted = !quoted;
		else if (s[len - 1] == ',' && !quoted)
			break;
	}
	return (len);
}

/*
 * A token or a quoted string at S; returns the bytes it has there, or 0.  The
 * value goes to OUT; one that is too long is cut, and no address then.
 */
static size_t
pair_value(const char *s, size_t len, char out[MAXNODE], size_t *n)
{
	size_t	i = 0;
	int	quoted;

	*n = 0;
	quoted = len > 0 && s[0] == '"';
	for (i = quoted ? 1 : 0; i < len; i++) {
		if (quoted && s[i] == '"')
			return (i + 1);
		if (quoted && s[i] == '\\' && ++i == len)
			return (0);
		if (!quoted && !http_istoken((unsigned char)s[i]))
			break;
		if (*n < MAXNODE)
			out[(*n)++] = s[i];
	}
	return (quoted ? 0 : i);
}

/* name=value, at S; returns its bytes, or 0. */
static size_t
pair(const char *s, size_t len, size_t *namelen, char out[MAXNODE], size_t *n)
{
	size_t	i = 0, used;

	while (i < len && http_istoken((unsigned char)s[i]))
		i++;
	if (i == 0 || i == len || s[i] != '=')
		return (0);
	*namelen = i++;
	used = pair_value(s + i, len - i, out, n);
	return (used == 0 ? 0 : i + used);
}

/* The element of Forwarded names a client by "for", once. */
static int
rfc7239_element(const char *s, size_t len, struct conn_addr *addr)
{
	char	value[MAXNODE];
	size_t	used, namelen, n;
	int	found = 0;

	while (len > 0) {
		if (*s == ';' || http_isws((unsigned char)*s)) {
			s++;
			len--;
			continue;
		}
		if ((used = pair(s, len, &namelen, value, &n)) == 0)
			return (-1);
		if (namelen == 3 && strncasecmp(s, "for", 3) == 0 &&
		    (found++ || network_node(value, n, addr) == -1))
			return (-1);
		s += used;
		len -= used;
		while (len > 0 && http_isws((unsigned char)*s)) {
			s++;
			len--;
		}
		if (len > 0 && *s != ';')
			return (-1);
	}
	return (found ? 0 : -1);
}

/* Returns whether the element before it counts, too. */
static int
take_element(struct forwarded *f, const char *s, size_t len)
{
	struct conn_addr	 addr;
	int			 bad;

	while (len > 0 && http_isws((unsigned char)*s)) {
		s++;
		len--;
	}
	while (len > 0 && http_isws((unsigned char)s[len - 1]))
		len--;
	if (len == 0)
		return (1);
	bad = f->kind == FORWARDED_X ? network_node(s, len, &addr) :
	    rfc7239_element(s, len, &addr);
	if (bad)
		return (0);
	f->addr = addr;
	return (network_match(f->trusted, f->ntrusted, &addr));
}

int
forwarded_line(struct forwarded *f, const char *s, size_t len)
{
	size_t	start;

	while (f->left > 0) {
		f->left--;
		start = last_element(s, len, f->kind == FORWARDED_RFC7239);
		if (!take_element(f, s + start, len - start))
			f->left = 0;
		if (start == 0)
			break;
		len = start - 1;
	}
	return (f->left > 0);
}
