/*
 * How many connections each address has: a whole IPv4 address, the first 64
 * bits of an IPv6 one, which is what one customer gets.
 */
#ifndef PEER_H
#define PEER_H

struct conn_addr;

/*
 * Count one more, and remember in the address that it is; returns -1 when it
 * has as many as it may.  Unix sockets and trusted proxies are not counted.
 */
int	peer_join(struct conn_addr *);
void	peer_leave(struct conn_addr *);

#endif /* PEER_H */
