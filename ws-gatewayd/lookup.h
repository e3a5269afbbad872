/*
 * The engine's side of the token database: lookups that are asynchronous,
 * merged (one in flight a token), sent in batches, bounded and timed out.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include "proc.h"

struct conn;

/* The first store, or another: it is asked again what the last one owes. */
void	lookup_init(struct ipc *store);

/*
 * Ask on behalf of a connection, which awaits one answer at a time; DONE is
 * called later, never from within: its status as the store gave it, or
 * STORE_ERROR after the timeout; the result is valid only with STORE_VALID.
 * Returns -1 when too many are pending (treat as STORE_ERROR).
 */
int	lookup_start(struct conn *, enum token_kind, const uint8_t *token,
	    size_t len, void (*done)(struct conn *, enum store_status,
	    const struct store_result *));
/* Forget; harmless when it awaits nothing. */
void	lookup_cancel(struct conn *);

/* Send what has been asked since; at the end of a loop turn. */
void	lookup_flush(void);

/*
 * Whether the store, which tells of a database that is down, has itself said
 * nothing for longer than a lookup may take.
 */
int	lookup_silent(void);

/* Nobody will answer any more: who waits is told, who asks is refused. */
void	lookup_store_gone(void);

/* The store's messages. */
void	lookup_result(struct imsg *);

#endif /* LOOKUP_H */
