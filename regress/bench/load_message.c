/*
 * Which messages are under way, and who has them.  Each carries a marker
 * ~SSSSSSSSTTTTTTTTTTTTTTTT (sequence number and the time of sending in ns,
 * hexadecimal) inside the payload object, so that a server may encode the JSON
 * around it anew.  Messages to one have another sign in front: they and the
 * broadcasts of another wsload are told apart by it.
 */
#include <stdio.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "wsload.h"

#define MARKER		25		/* '~' + 8 + 16 digits */
#define MAX_WORDS	(1u << 29)	/* of the bitmap */

struct counters	 count;
struct hist	 lat, full;
uint32_t	 measured;

/* By sequence number. */
static struct message {
	uint32_t	 missing;	/* deliveries */
	uint32_t	 target;
	uint8_t		 answered, settled;
} *messages;
static uint64_t	*seen, seen_words;	/* bits; broadcasts: a row a client */
static uint32_t	 begun, settled, under_way, oldest;

int
to_everyone(void)
{
	return (mode == FANOUT || mode == LIFE);
}

static char
sign(void)
{
	return (mode == UNICAST ? '^' : '~');
}

void
messages_setup(void)
{
	uint64_t	 rows = to_everyone() ? o.conns : 1;
	uint64_t	 x = 88172645463325252ull;
	uint32_t	 i, n = o.warmup + o.msgs;

	seen_words = n / 64 + 1;
	if (rows * seen_words > MAX_WORDS)
		die("conns x msgs is too large");
	seen = zalloc(rows * seen_words, sizeof(*seen));
	messages = zalloc(n, sizeof(*messages));
	for (i = 0; i < n; i++) {
		x ^= x << 13;			/* xorshift64 */
		x ^= x >> 7;
		x ^= x << 17;
		messages[i].missing = to_everyone() ? o.conns : 1;
		if (mode == UNICAST)
			messages[i].target = o.first + (uint32_t)(x % o.conns);
		else if (mode == ECHOES)
			messages[i].target = o.first + i % o.conns;
	}
}

/* What compresses as a game's JSON does: names that come back, and numbers. */
static void
fill_text(char *p, size_t n, uint32_t seq)
{
	static const char	*names[] = { "player:", "score:", "position:",
				    "team:red;", "team:blue;", "health:",
				    "weapon:sword;", "weapon:bow;", "level:" };
	uint64_t		 x = 88172645463325252ull + seq;
	char			 word[32];
	size_t			 len;

	for (; n > 0; n -= len, p += len) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		len = (size_t)snprintf(word, sizeof(word), "%s%u,",
		    names[x % 9], (unsigned)(x >> 40) % 10000);
		if (len > n)
			len = n;
		memcpy(p, word, len);
	}
}

/* The payload object, o.payload bytes long (at least 42). */
size_t
message_payload(char *p, uint32_t seq, uint64_t ts)
{
	size_t	 n, pad = 0;

	n = (size_t)sprintf(p, "{\"a\":\"%c%08x%016jx\",\"p\":\"", sign(), seq,
	    (uintmax_t)ts);
	if (o.payload > n + 2)
		pad = o.payload - n - 2;
	if (o.text)
		fill_text(p + n, pad, seq);
	else
		memset(p + n, 'x', pad);
	memcpy(p + n + pad, "\"}", 3);
	return (n + pad + 2);
}

/* Copies the template, with %d replaced by id and %p by the payload. */
size_t
message_expand(char *to, const char *tmpl, uint32_t id, const char *pay,
    size_t npay)
{
	char	*q = to;

	for (; *tmpl != '\0'; tmpl++) {
		if (tmpl[0] == '%' && tmpl[1] == 'd') {
			q += sprintf(q, "%u", id);
			tmpl++;
		} else if (tmpl[0] == '%' && tmpl[1] == 'p') {
			q = mempcpy(q, pay, npay);
			tmpl++;
		} else
			*q++ = *tmpl;
	}
	*q = '\0';
	return ((size_t)(q - to));
}

/* The first bytes of what is compressed; its end may be missing. */
size_t
message_peek(const void *p, size_t n, char *out, size_t size)
{
	static z_stream	 z;
	static int	 ready;

	if (!ready && inflateInit2(&z, -15) != Z_OK)
		die("zlib");
	ready = 1;
	if (inflateReset(&z) != Z_OK)
		die("zlib");
	z.next_in = p;
	z.avail_in = (uInt)n;
	z.next_out = (Bytef *)out;
	z.avail_out = (uInt)size;
	if (inflate(&z, Z_SYNC_FLUSH) == Z_DATA_ERROR)
		die("a message that can't be decompressed");
	return (size - z.avail_out);
}

static uint64_t
get_hex(const char *p, int digits)
{
	uint64_t	 v = 0;

	for (; digits > 0; digits--, p++)
		v = v << 4 | (uint64_t)((*p & 15) + (*p > '9' ? 9 : 0));
	return (v);
}

/* Whether the text has the marker of a message that was sent. */
int
message_marker(const char *p, size_t n, uint32_t *seq, uint64_t *ts)
{
	const char	*q;

	q = memchr(p, sign(), n);
	if (q == NULL || (size_t)(p + n - q) < MARKER)
		return (0);
	*seq = (uint32_t)get_hex(q + 1, 8);
	*ts = get_hex(q + 9, 16);
	return (*seq < begun);
}

/* Gives the slot back once it was answered and reached all its clients. */
static void
settle(struct message *m)
{
	if (m->settled || m->missing != 0 || (mode != ECHOES && !m->answered))
		return;
	m->settled = 1;
	under_way--;
	settled++;
}

void
message_delivered(struct client *c, uint32_t seq, uint64_t ts, uint64_t now)
{
	struct message	*m = &messages[seq];
	uint64_t	*word, bit = 1ull << (seq & 63);

	if (!to_everyone() && m->target != c->id)
		count.misrouted++;
	word = &seen[seq / 64];
	if (to_everyone())
		word += (uint64_t)(c - clients) * seen_words;
	if (*word & bit) {
		count.dups++;
		return;
	}
	*word |= bit;
	if (seq < c->high)
		count.reorders++;
	else
		c->high = seq + 1;
	count.last = now;
	if (m->missing != 0)
		m->missing--;
	if (seq >= measured) {
		count.frames++;
		hist_add(&lat, now - ts);
		if (m->missing == 0)
			hist_add(&full, now - ts);
	}
	settle(m);
}

void
message_answered(uint32_t seq, int status)
{
	struct message	*m = &messages[seq];

	count.responses++;
	if (status < 200 || status > 299) {
		if (count.pub_err++ == 0)
			fprintf(stderr, "wsload: publish answered %d\n",
			    status);
		m->missing = 0;
	}
	m->answered = 1;
	settle(m);
}

uint32_t
message_target(uint32_t seq)
{
	return (messages[seq].target);
}

/* The next message, unless there are enough under way, or of all. */
int
message_next(uint32_t end, uint32_t *seq)
{
	if (begun >= end || under_way >= o.inflight)
		return (0);
	*seq = begun++;
	under_way++;
	return (1);
}

uint32_t
messages_begun(void)
{
	return (begun);
}

uint32_t
messages_settled(void)
{
	return (settled);
}

uint32_t
messages_under_way(void)
{
	return (under_way);
}

/* What is under way is lost. */
void
messages_give_up(void)
{
	for (; oldest < begun; oldest++) {
		if (messages[oldest].settled)
			continue;
		messages[oldest].settled = 1;
		under_way--;
		settled++;
	}
}
