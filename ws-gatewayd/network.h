/*
 * Where a client comes from, and the networks that an address may lie in.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include <stddef.h>
#include <stdint.h>

#define NETWORK_MAXTEXT	64	/* with its NUL */

/* In little room: every connection has one. */
struct conn_addr {
	uint8_t		family;		/* AF_INET, AF_INET6, AF_UNIX */
	uint8_t		counted;	/* by peer.c, whose business it is */
	uint16_t	port;		/* 0: not known */
	uint8_t		ip[16];
};

/* Flat, for it goes to the engine as it is. */
struct network {
	uint8_t		family;		/* AF_UNIX: every unix socket */
	uint8_t		bits;		/* of the prefix */
	uint8_t		ip[16];
};

/*
 * "192.0.2.0/24", "2001:db8::/32", an address alone, or "unix".  Returns 0, or
 * -1 with a static reason.
 */
int	network_parse(const char *, struct network *, const char **reason);
/* As network_parse() reads it; returns buf. */
char	*network_format(const struct network *, char *buf, size_t);
/* Whether the address lies in one of N networks. */
int	network_match(const struct network *, size_t n,
	    const struct conn_addr *);
/* An IPv4 address in IPv6's clothes (::ffff:192.0.2.1) becomes what it is. */
void	network_canonical(struct conn_addr *);
/*
 * What proxies write of a client: "192.0.2.1", "2001:db8::1", "[2001:db8::1]",
 * and all but the second with ":port".  A port that begins with '_' is a secret
 * of the proxy's (RFC 7239, 6.3).  Returns 0, or -1: it is no address.
 */
int	network_node(const char *, size_t len, struct conn_addr *);

#endif /* NETWORK_H */
