/*
 * Whom a request is from, when proxies say so in its header.
 *
 * Each proxy adds the address that it sees to the right of what it got, and
 * what it got may be anything.  So the list is read from the right, and only
 * as far as those go who are trusted: the first address that isn't counts.
 */
#ifndef FORWARDED_H
#define FORWARDED_H

#include <stddef.h>

#include "network.h"

#define FORWARDED_MAX	64	/* elements that are looked at */

/* Which header our proxies write; never both, for the other is a stranger's. */
enum forwarded_kind {
	FORWARDED_NONE,
	FORWARDED_X,			/* X-Forwarded-For */
	FORWARDED_RFC7239		/* Forwarded */
};

struct forwarded {
	struct conn_addr	 addr;	/* the client, as far as is known */
	enum forwarded_kind	 kind;
	const struct network	*trusted;
	size_t			 ntrusted;
	unsigned		 left;	/* elements that may be looked at */
};

/* PEER is where the request comes from: nothing is believed if not trusted. */
void	forwarded_init(struct forwarded *, enum forwarded_kind,
	    const struct network *, size_t n, const struct conn_addr *peer);
/*
 * The value of a header line; of several, the last one first.  Returns 1 when
 * the lines before it count, too, and 0 when the client is found.
 */
int	forwarded_line(struct forwarded *, const char *, size_t len);

#endif /* FORWARDED_H */
