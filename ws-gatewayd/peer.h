/*
 * How many connections each address has: a whole IPv4 address, the first 64
 * bits of an IPv6 one, which is what one customer gets.
 */
#ifndef PEER_H
#define PEER_H

struct conn_addr;

/* Count one more; returns -1 when the address has as many as it may. */
int	peer_join(const struct conn_addr *);
void	peer_leave(const struct conn_addr *);

#endif /* PEER_H */
