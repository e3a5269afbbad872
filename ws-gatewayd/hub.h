/*
 * The hub is the only owner of who is where: player -> connections, player ->
 * offline queue.  Every message goes through it.
 */
#ifndef HUB_H
#define HUB_H

#include <sys/queue.h>
#include <sys/tree.h>

#include <stddef.h>
#include <stdint.h>

struct conn;
struct frame;

struct offline;
TAILQ_HEAD(conn_list, conn);

struct player {
	RB_ENTRY(player)	 entry;		/* hub_players */
	struct player		*next;		/* player_hash.c */
	struct conn_list	 conns;
	struct offline		*offline;	/* NULL: nothing waits */
	uint32_t		 nconns;
	uint8_t			 len;
	uint8_t			 id[];		/* len bytes */
};
#define PLAYER_SIZE(len)	(offsetof(struct player, id) + (len))
RB_HEAD(player_tree, player);
RB_PROTOTYPE(player_tree, player, entry, player_cmp)

extern struct player_tree	hub_players;	/* in their order, for lists */
extern struct conn_list		hub_conns;	/* every WebSocket */

int		 player_cmp(const struct player *, const struct player *);

/* The player of that identity, or NULL: has neither connection nor queue. */
struct player	*hub_find(const void *id, size_t len);

/* Add a connection; returns -1 when the player has max_conns already. */
int		 hub_join(struct conn *, const void *id, size_t len);
void		 hub_leave(struct conn *);
/* One that is in the hub has been dropped, and leaves later. */
void		 hub_lost(void);

struct hub_result {
	uint64_t	delivered;	/* connections that it was given to */
	int		queued;
};

/* To every connection of a player, or into the queue when there is none. */
struct hub_result hub_publish(const void *id, size_t len, struct frame *);
/* To every connection of a player, never queued. */
struct hub_result hub_send(const void *id, size_t len, struct frame *);
/* To every connection. */
struct hub_result hub_broadcast(struct frame *);

/* Forget a player that has nothing left. */
void		 hub_release(struct player *);

#endif /* HUB_H */
