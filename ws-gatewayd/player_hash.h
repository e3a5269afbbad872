/*
 * Players by identity.  Linear hashing: the table grows by one bucket a player,
 * so that no insertion ever waits for all of them to be put anew.
 */
#ifndef PLAYER_HASH_H
#define PLAYER_HASH_H

#include <stddef.h>

struct player;

/* NULL: there is none. */
struct player	*player_hash_find(const void *id, size_t len);
/* It is in no table yet, and stays where it is until it is removed. */
void		 player_hash_insert(struct player *);
void		 player_hash_remove(struct player *);

#endif /* PLAYER_HASH_H */
