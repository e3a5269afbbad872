/*
 * zlib and its memory.  There is one compressor for all; there is an inflater
 * for each message that is open, and one is kept for the next message.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "deflate.h"
#include "log.h"
#include "memory.h"

#define WINDOW_BITS	15
#define MEM_LEVEL	8		/* zlib's default */
#define TAIL		4		/* 00 00 ff ff */
#define BETWEEN		128		/* data_type: two blocks */
#define BITS		63		/* of input that are not used yet */

struct inflater {
	z_stream	 z;
	size_t		 size;		/* with what zlib has allocated */
	uint64_t	 total;		/* that has come out */
	int		 ended;		/* by a block that says so */
};

/* The opaque pointer says where allocations are counted. */
static voidpf
zalloc(voidpf opaque, uInt n, uInt size)
{
	size_t	*total = opaque;
	void	*p;

	/* zlib may read what it has not set, though it makes no use of it. */
	if ((p = calloc(n, size)) == NULL)
		return (NULL);
	*total += (size_t)n * size;
	memory_take((size_t)n * size);
	return (p);
}

static void
zfree(voidpf opaque, voidpf p)
{
	(void)opaque;
	free(p);
}

static void
zstream_init(z_stream *z, size_t *total)
{
	memset(z, 0, sizeof(*z));
	z->zalloc = zalloc;
	z->zfree = zfree;
	z->opaque = total;
}

/* The compressor for that level, or NULL. */
static z_stream *
compressor(int level)
{
	static z_stream	 z;
	static size_t	 total;
	static int	 ready;		/* 0, or its level */

	if (ready == level)
		return (deflateReset(&z) == Z_OK ? &z : NULL);
	if (ready != 0) {
		(void)deflateEnd(&z);
		memory_give(total);
	}
	total = 0;
	ready = 0;
	zstream_init(&z, &total);
	if (deflateInit2(&z, level, Z_DEFLATED, -WINDOW_BITS, MEM_LEVEL,
	    Z_DEFAULT_STRATEGY) != Z_OK) {
		memory_give(total);
		total = 0;
		return (NULL);
	}
	ready = level;
	return (&z);
}

size_t
deflate_message(const uint8_t *data, size_t len, uint8_t *out, int level)
{
	z_stream	*z;

	if (len <= 1 || len > UINT_MAX - TAIL ||
	    (z = compressor(level)) == NULL)
		return (0);
	z->next_in = data;
	z->avail_in = (uInt)len;
	/*
	 * Room for what would be as large as the message is all that it gets;
	 * output that fills it may not be all.
	 */
	z->next_out = out;
	z->avail_out = (uInt)len;
	if (deflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_in > 0 ||
	    z->avail_out == 0)
		return (0);
	return (len - z->avail_out - TAIL);
}

static struct inflater	*spare;

struct inflater *
inflater_open(void)
{
	struct inflater	*in;

	if ((in = spare) != NULL) {
		spare = NULL;
		return (in);
	}
	if ((in = calloc(1, sizeof(*in))) == NULL)
		return (NULL);
	in->size = sizeof(*in);
	memory_take(sizeof(*in));
	zstream_init(&in->z, &in->size);
	if (inflateInit2(&in->z, -WINDOW_BITS) != Z_OK) {
		memory_give(in->size);
		free(in);
		return (NULL);
	}
	return (in);
}

void
inflater_close(struct inflater *in)
{
	if (spare == NULL && inflateReset(&in->z) == Z_OK) {
		in->ended = 0;
		in->total = 0;
		spare = in;
		return;
	}
	(void)inflateEnd(&in->z);
	memory_give(in->size);
	free(in);
}

size_t
inflater_size(const struct inflater *in)
{
	return (in->size);
}

uint64_t
inflater_total(const struct inflater *in)
{
	return (in->total);
}

void
inflater_feed(struct inflater *in, const uint8_t *data, size_t len)
{
	in->z.next_in = data;
	in->z.avail_in = (uInt)len;
	if (len > 0)
		in->ended = 0;
}

void
inflater_feed_tail(struct inflater *in)
{
	static const uint8_t	 tail[TAIL] = { 0x00, 0x00, 0xff, 0xff };

	/* A message whose last block says so needs no more. */
	if (!in->ended)
		inflater_feed(in, tail, sizeof(tail));
}

enum inflate_result
inflater_take(struct inflater *in, uint8_t *out, size_t size, size_t *len)
{
	int	 rv;

	in->z.next_out = out;
	in->z.avail_out = (uInt)size;
	rv = inflate(&in->z, Z_SYNC_FLUSH);
	*len = size - in->z.avail_out;
	in->total += *len;
	switch (rv) {
	case Z_STREAM_END:
		/* What follows such a block is a new stream (7.2.3.4). */
		if (inflateReset(&in->z) != Z_OK)
			return (INFLATE_BAD);
		in->ended = in->z.avail_in == 0;
		return (in->ended ? INFLATE_DONE : INFLATE_MORE);
	case Z_OK:
	case Z_BUF_ERROR:
		return (in->z.avail_in > 0 || in->z.avail_out == 0 ?
		    INFLATE_MORE : INFLATE_DONE);
	case Z_MEM_ERROR:
		return (INFLATE_MEMORY);
	default:
		return (INFLATE_BAD);
	}
}

int
inflater_whole(const struct inflater *in)
{
	return (in->ended ||
	    (in->z.data_type & (BETWEEN | BITS)) == BETWEEN);
}
