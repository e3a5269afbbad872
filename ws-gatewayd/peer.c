/* Connections by address. */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/tree.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "conn.h"
#include "engine.h"
#include "log.h"
#include "peer.h"

struct peer {
	RB_ENTRY(peer)	 entry;
	uint32_t	 n;
	uint8_t		 key[9];	/* family, then the address */
};
RB_HEAD(peer_tree, peer);

static int	peer_cmp(const struct peer *, const struct peer *);

RB_PROTOTYPE(peer_tree, peer, entry, peer_cmp)
RB_GENERATE(peer_tree, peer, entry, peer_cmp)

static struct peer_tree	peers = RB_INITIALIZER(&peers);

static int
peer_cmp(const struct peer *a, const struct peer *b)
{
	return (memcmp(a->key, b->key, sizeof(a->key)));
}

static void
peer_key(const struct conn_addr *addr, struct peer *p)
{
	struct conn_addr	 a = *addr;

	network_canonical(&a);
	memset(p->key, 0, sizeof(p->key));
	p->key[0] = a.family;
	memcpy(p->key + 1, a.ip, a.family == AF_INET6 ? 8 : 4);
}

int
peer_join(struct conn_addr *addr)
{
	struct peer	*p, key;

	addr->counted = 0;
	/* Whoever may use a unix socket is known, as is a proxy of ours. */
	if (addr->family == AF_UNIX || client_trusted(addr))
		return (0);
	peer_key(addr, &key);
	if ((p = RB_FIND(peer_tree, &peers, &key)) == NULL) {
		if ((p = malloc(sizeof(*p))) == NULL)
			fatal("address");
		*p = key;
		p->n = 0;
		RB_INSERT(peer_tree, &peers, p);
	} else if (engine.conf.max_per_address != 0 &&
	    p->n >= engine.conf.max_per_address)
		return (-1);
	p->n++;
	addr->counted = 1;
	return (0);
}

void
peer_leave(struct conn_addr *addr)
{
	struct peer	*p, key;

	if (!addr->counted)
		return;
	addr->counted = 0;
	peer_key(addr, &key);
	if ((p = RB_FIND(peer_tree, &peers, &key)) == NULL || p->n == 0)
		fatalx("an address leaves that never came");
	if (--p->n > 0)
		return;
	RB_REMOVE(peer_tree, &peers, p);
	free(p);
}
