/*
 * Servers that publish: a short cache of valid server tokens, and the rate of
 * each.
 */
#ifndef PUBLISHER_H
#define PUBLISHER_H

#include <sys/queue.h>
#include <sys/tree.h>

#include <stddef.h>
#include <stdint.h>

#include "proc.h"

struct publisher {
	RB_ENTRY(publisher)	 entry;
	TAILQ_ENTRY(publisher)	 age;		/* least recently used first */
	uint64_t		 valid_until;	/* ms, monotonic */
	uint64_t		 grace_until;	/* without a database */
	uint64_t		 full_at;	/* ns: when the bucket is full */
	uint8_t			 token_len;
	uint8_t			 subject_len;
	uint8_t			 token[TOKEN_MAX];
	uint8_t			 subject[SUBJECT_MAX];
};

/* One whose token is known to be valid now, or NULL: look it up. */
struct publisher *publisher_find(const uint8_t *token, size_t len);
/* One who was valid so lately that it may go on while no one can know. */
struct publisher *publisher_grace(const uint8_t *token, size_t len);
/* The store has said that the token is valid. */
struct publisher *publisher_learn(const uint8_t *token, size_t len,
		    const struct store_result *);
/* Another database: what the one before said is not known any more. */
void		 publisher_doubt_all(void);
/* The token is gone: forget it. */
void		 publisher_forget(const uint8_t *token, size_t len);

/*
 * Take one message of the rate: a bucket of rate_limit messages, refilled
 * evenly over rate_period.  Returns 0, or the seconds (1 at least) after which
 * the next one would be taken.
 */
unsigned	 publisher_take(struct publisher *);

#endif /* PUBLISHER_H */
