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

struct conn;

/* Whether N more bytes fit. */
int	memory_fits(size_t n);
/*
 * Make sure that they do.  What has to go for that: the connection that holds
 * the most (but EXCEPT, for whom it is), or the player with the longest
 * offline queue, whichever is more, again and again.  Returns 0, or -1 when
 * there is no room all the same.  Not to be called while connections or
 * players are walked through.
 */
int	memory_reserve(size_t n, const struct conn *except);

#endif /* MEMORY_H */
