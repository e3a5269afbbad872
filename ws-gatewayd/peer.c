/* Connections by address. */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/tree.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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
	static const uint8_t	 mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(p->key, 0, sizeof(p->key));
	p->key[0] = addr->family;
	if (addr->family == AF_INET6 &&
	    memcmp(addr->ip, mapped, sizeof(mapped)) == 0) {
		p->key[0] = AF_INET;
		memcpy(p->key + 1, addr->ip + sizeof(mapped), 4);
	} else if (addr->family == AF_INET6)
		memcpy(p->key + 1, addr->ip, 8);
	else if (addr->family == AF_INET)
		memcpy(p->key + 1, addr->ip, 4);
}

int
peer_join(const struct conn_addr *addr)
{
	struct peer	*p, key;

	/* Whoever may use a unix socket is known: a proxy of ours. */
	if (addr->family == AF_UNIX)
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
	return (0);
}

void
peer_leave(const struct conn_addr *addr)
{
	struct peer	*p, key;

	if (addr->family == AF_UNIX)
		return;
	peer_key(addr, &key);
	if ((p = RB_FIND(peer_tree, &peers, &key)) == NULL || p->n == 0)
		fatalx("an address leaves that never came");
	if (--p->n > 0)
		return;
	RB_REMOVE(peer_tree, &peers, p);
	free(p);
}
