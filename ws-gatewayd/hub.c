/* Who is where; every message passes here. */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/tree.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "broadcast.h"
#include "conn.h"
#include "engine.h"
#include "frame.h"
#include "hub.h"
#include "log.h"
#include "metrics.h"
#include "player_hash.h"
#include "queue.h"

RB_GENERATE(player_tree, player, entry, player_cmp)

struct player_tree	hub_players = RB_INITIALIZER(&hub_players);
struct conn_list	hub_conns = TAILQ_HEAD_INITIALIZER(hub_conns);

static uint64_t			open_conns;	/* in the hub and not dropped */

int
player_cmp(const struct player *a, const struct player *b)
{
	if (a->len != b->len)
		return (a->len < b->len ? -1 : 1);
	return (memcmp(a->id, b->id, a->len));
}

struct player *
hub_find(const void *id, size_t len)
{
	/* No identity is longer. */
	return (len > SUBJECT_MAX ? NULL : player_hash_find(id, len));
}

static struct player *
hub_get(const void *id, size_t len)
{
	struct player	*p;

	if ((p = hub_find(id, len)) != NULL)
		return (p);
	if ((p = calloc(1, PLAYER_SIZE(len))) == NULL)
		fatal("player");
	TAILQ_INIT(&p->conns);
	p->len = (uint8_t)len;
	memcpy(p->id, id, len);
	RB_INSERT(player_tree, &hub_players, p);
	player_hash_insert(p);
	return (p);
}

void
hub_release(struct player *p)
{
	if (p->nconns > 0 || p->offline != NULL)
		return;
	RB_REMOVE(player_tree, &hub_players, p);
	player_hash_remove(p);
	free(p);
}

int
hub_join(struct conn *c, const void *id, size_t len)
{
	struct player	*p = hub_get(id, len);

	if (p->nconns >= engine.conf.max_conns) {
		hub_release(p);
		return (-1);
	}
	conn_discount(c);
	if (p->nconns++ == 0)
		metrics.players++;
	TAILQ_INSERT_TAIL(&p->conns, c, siblings);
	TAILQ_INSERT_TAIL(&hub_conns, c, entry);
	c->player = p;
	c->inhub = 1;
	open_conns++;
	broadcast_join(c);
	metrics.connections++;
	metrics.opened++;
	return (0);
}

void
hub_leave(struct conn *c)
{
	struct player	*p = c->player;

	if (!c->inhub)
		return;
	if (c->state != CONN_DEAD)
		open_conns--;
	broadcast_leave(c);
	TAILQ_REMOVE(&p->conns, c, siblings);
	TAILQ_REMOVE(&hub_conns, c, entry);
	c->inhub = 0;
	c->player = NULL;
	metrics.connections--;
	if (--p->nconns == 0)
		metrics.players--;
	hub_release(p);
}

void
hub_lost(void)
{
	open_conns--;
}

/*
 * To the connections of a player; one that is closing takes nothing more.  A
 * connection that conn_send() drops stays in the lists until the end of the
 * loop turn.
 */
static uint64_t
hub_to_player(struct player *p, struct frame *f)
{
	struct conn	*c;
	uint64_t	 n = 0;

	TAILQ_FOREACH(c, &p->conns, siblings) {
		if (c->state == CONN_WS)
			n += (uint64_t)conn_send(c, f, 1);
	}
	return (n);
}

struct hub_result
hub_publish(const void *id, size_t len, struct frame *f)
{
	struct hub_result	 res = { 0, 0 };
	struct player		*p;

	res = hub_send(id, len, f);
	if (res.delivered > 0)
		return (res);
	/* Nobody has such an identity, so nobody would ever fetch it. */
	if (len > SUBJECT_MAX) {
		metrics.dropped[DROP_NO_QUEUE]++;
		return (res);
	}
	p = hub_get(id, len);
	/* What waits for days would say nothing about the fan-out. */
	f->fanout = 0;
	res.queued = queue_push(p, f);
	hub_release(p);
	return (res);
}

struct hub_result
hub_send(const void *id, size_t len, struct frame *f)
{
	struct hub_result	 res = { 0, 0 };
	struct player		*p;

	if ((p = hub_find(id, len)) != NULL)
		res.delivered = hub_to_player(p, f);
	return (res);
}

struct hub_result
hub_broadcast(struct frame *f)
{
	struct hub_result	 res = { open_conns, 0 };

	if (open_conns > 0)
		broadcast_add(f);
	return (res);
}
