/*
 * The offline queue: messages that wait for a player, bounded a player and as
 * a whole, each for its time to live.  Expiry costs what expires.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include <sys/queue.h>

#include <stdint.h>

#include "metrics.h"

struct frame;
struct player;
struct conn;

TAILQ_HEAD(queued_list, queued);

/* What waits for a player; there is at least one message. */
struct offline {
	struct queued_list	 queue;		/* oldest first */
	uint32_t		 n;
	uint64_t		 bytes;		/* of frames */
};

struct queued {
	TAILQ_ENTRY(queued)	 all;		/* soonest expiry first */
	TAILQ_ENTRY(queued)	 entry;		/* of the player */
	struct player		*player;
	struct frame		*frame;
	uint64_t		 since;		/* ms, monotonic */
	uint64_t		 expires;
};

/* Returns 1 when it was taken, 0 when queueing is off. */
int	queue_push(struct player *, struct frame *);
/* Give everything to a connection, oldest first. */
void	queue_flush(struct player *, struct conn *);

/* Drop everything that waits for a player, who may be gone then. */
void	queue_forget(struct player *, enum drop_reason);

#endif /* QUEUE_H */
