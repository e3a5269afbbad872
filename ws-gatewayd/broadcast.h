/*
 * Broadcasts: one log for all, and of each connection only how far in it it
 * is.  A sweep over the connections, a slice a loop turn, writes to each what
 * it is behind by; who is sent something else meanwhile catches up first, so
 * that everything arrives in its order.
 */
#ifndef BROADCAST_H
#define BROADCAST_H

#include <stdint.h>

struct conn;
struct frame;

/* To every WebSocket there is; a reference is kept until the last has it. */
void	 broadcast_add(struct frame *);

/* It is in the hub from here on, or no longer. */
void	 broadcast_join(struct conn *);
void	 broadcast_leave(struct conn *);

/* How many broadcasts it has not been given yet; the Nth of them, from 0. */
uint32_t broadcast_behind(const struct conn *);
struct frame *broadcast_frame(const struct conn *, uint32_t n);

/* Queue for it what it is behind by. */
void	 broadcast_catch_up(struct conn *);

/* A slice of the sweep; returns whether it has more to do. */
int	 broadcast_sweep(void);

#endif /* BROADCAST_H */
