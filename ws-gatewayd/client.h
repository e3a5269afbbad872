/*
 * Who a client is, when proxies are in front of us: for a connection by the
 * PROXY protocol, for a request by its header.
 */
#ifndef CLIENT_H
#define CLIENT_H

struct conn;
struct conn_addr;
struct request;

/* Whether it is a proxy's, and what it says is believed. */
int	client_trusted(const struct conn_addr *);
/* CONN_PROXY: it has been accepted; something came; nothing did in time. */
void	client_start(struct conn *);
void	client_read(struct conn *);
void	client_late(struct conn *);
/*
 * The head of a request is whole: whose it is.  Returns 0, or -1 when that
 * address has as many connections as it may.
 */
int	client_find(struct conn *, struct request *, const char *head);
/* The request in progress makes the connection its client's, for good. */
void	client_keep(struct conn *);

#endif /* CLIENT_H */
