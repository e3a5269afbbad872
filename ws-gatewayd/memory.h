/*
 * One budget over everything of the engine that grows with what others do:
 * connections, input that is not complete, frames, send queues, the offline
 * queue.  When it is used up the largest consumer gives way first.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Memory was allocated, or freed; bytes. */
void	memory_take(size_t);
void	memory_give(size_t);

/*
 * Make sure that N more bytes fit.  What has to go for that: the connection
 * with the longest send queue, or the player with the longest offline queue,
 * whichever is longer, again and again.  Returns 0, or -1 when there is
 * nothing left that could go.  Not to be called while connections or players
 * are walked through.
 */
int	memory_reserve(size_t n);

#endif /* MEMORY_H */
