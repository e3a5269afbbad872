/*
 * zlib as RFC 7692 uses it: raw DEFLATE, each message for itself, without the
 * four bytes that end a flush.
 */
#ifndef DEFLATE_H
#define DEFLATE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Compress a message (7.2.1).  Returns the length of what is in OUT, or 0 when
 * it would not be smaller, or there is no memory for it.
 */
size_t	deflate_message(const uint8_t *, size_t, uint8_t *out, int level);

/* A message that is being decompressed; its memory is of the budget. */
struct inflater;

enum inflate_result {
	INFLATE_MORE,		/* there is more to come out: call again */
	INFLATE_DONE,		/* all of the input is used */
	INFLATE_BAD,		/* not DEFLATE */
	INFLATE_MEMORY
};

/* Begin; NULL without memory. */
struct inflater	*inflater_open(void);
void		 inflater_close(struct inflater *);
/* What one may need. */
#define INFLATER_ROOM	49152
size_t		 inflater_size(const struct inflater *);
/* How much has come out. */
uint64_t	 inflater_total(const struct inflater *);

/* The next piece of the message, which must stay until INFLATE_DONE. */
void		 inflater_feed(struct inflater *, const uint8_t *,
		    size_t);
/* Take up to SIZE bytes of what comes out; *LEN says how many. */
enum inflate_result inflater_take(struct inflater *, uint8_t *out, size_t size,
		    size_t *len);
/* Feed what ends the last piece (7.2.2). */
void		 inflater_feed_tail(struct inflater *);
/* Whether the message may end after what was taken. */
int		 inflater_whole(const struct inflater *);

#endif /* DEFLATE_H */
