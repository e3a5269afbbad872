/* A hash of players that grows bucket by bucket. */
#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "hub.h"
#include "log.h"
#include "memory.h"
#include "player_hash.h"
#include "siphash.h"

#define FIRST	64		/* buckets; a power of two */

/*
 * With 2^k <= n < 2^(k+1) buckets the last k+1 bits of a hash are its bucket;
 * where that one is not there yet, its last k bits are (Litwin, 1980).
 */
static struct {
	struct player	**bucket;
	size_t		  size;		/* room for buckets, a power of two */
	size_t		  n;		/* buckets in use */
	size_t		  players;
	uint8_t		  key[16];
} table;

static size_t
bucket_of(uint64_t hash)
{
	size_t	 i = hash & (table.size - 1);

	return (i < table.n ? i : i & (table.size / 2 - 1));
}

static uint64_t
hash_of(const void *id, size_t len)
{
	return (siphash24(table.key, id, len));
}

static void
table_resize(size_t size)
{
	struct player	**bucket;

	bucket = recallocarray(table.bucket, table.size, size,
	    sizeof(*bucket));
	if (bucket == NULL)
		fatal("players");
	memory_take((size - table.size) * sizeof(*bucket));
	table.bucket = bucket;
	table.size = size;
}

/* One bucket more: those that belong there move over from one other. */
static void
table_grow(void)
{
	struct player	**from, *p;
	size_t		  i = table.n;

	if (table.n == table.size)
		table_resize(table.size * 2);
	table.n++;
	from = &table.bucket[i & (table.size / 2 - 1)];
	while ((p = *from) != NULL) {
		if ((hash_of(p->id, p->len) & (table.size - 1)) != i) {
			from = &p->next;
			continue;
		}
		*from = p->next;
		p->next = table.bucket[i];
		table.bucket[i] = p;
	}
}

struct player *
player_hash_find(const void *id, size_t len)
{
	struct player	*p;

	if (table.players == 0)
		return (NULL);
	p = table.bucket[bucket_of(hash_of(id, len))];
	while (p != NULL && (p->len != len || memcmp(p->id, id, len) != 0))
		p = p->next;
	return (p);
}

void
player_hash_insert(struct player *p)
{
	struct player	**bucket;

	if (table.bucket == NULL) {
		arc4random_buf(table.key, sizeof(table.key));
		table_resize(FIRST);
		table.n = FIRST;
	}
	if (table.players++ >= table.n)
		table_grow();
	bucket = &table.bucket[bucket_of(hash_of(p->id, p->len))];
	p->next = *bucket;
	*bucket = p;
}

void
player_hash_remove(struct player *p)
{
	struct player	**from;

	from = &table.bucket[bucket_of(hash_of(p->id, p->len))];
	while (*from != p)
		from = &(*from)->next;
	*from = p->next;
	table.players--;
}
