/* The log of broadcasts, and the sweep that brings them out. */
#include <sys/types.h>
#include <sys/queue.h>

#include <stddef.h>

#include "broadcast.h"
#include "conn.h"
#include "engine.h"
#include "frame.h"
#include "hub.h"

#define LOG_MAX		1024		/* broadcasts; a power of two */
#define LOOKS		16		/* at who needs nothing, for one write */

/* Broadcasts have numbers that wrap; TAIL is the last that everybody has. */
static struct {
	struct frame	*frame[LOG_MAX];
	uint64_t	 bytes;
	uint32_t	 head;		/* the last one */
	uint32_t	 tail;
	uint32_t	 goal;		/* of this pass: all have it at its end */
	struct conn	*next;		/* to be looked at */
} bcast;

static struct frame **
entry(uint32_t seq)
{
	return (&bcast.frame[seq & (LOG_MAX - 1)]);
}

/* Those up to SEQ have been given to everybody. */
static void
log_trim(uint32_t seq)
{
	struct frame	**f;

	while (bcast.tail != seq) {
		f = entry(++bcast.tail);
		bcast.bytes -= (*f)->len;
		frame_unref(*f);
		*f = NULL;
	}
}

/* More than the log should hold: it goes to the send queues, and their bounds. */
static void
log_empty(void)
{
	struct conn	*c;

	TAILQ_FOREACH(c, &hub_conns, entry)
		broadcast_catch_up(c);
	log_trim(bcast.head);
	bcast.next = NULL;
}

void
broadcast_add(struct frame *f)
{
	if (bcast.head - bcast.tail == LOG_MAX || (bcast.head != bcast.tail &&
	    bcast.bytes + f->len > engine.conf.sendq_hard))
		log_empty();
	*entry(++bcast.head) = frame_ref(f);
	bcast.bytes += f->len;
	output_wake();
}

void
broadcast_join(struct conn *c)
{
	c->seq = bcast.head;
}

void
broadcast_leave(struct conn *c)
{
	if (bcast.next == c)
		bcast.next = TAILQ_NEXT(c, entry);
}

uint32_t
broadcast_behind(const struct conn *c)
{
	return (c->inhub ? bcast.head - c->seq : 0);
}

struct frame *
broadcast_frame(const struct conn *c, uint32_t n)
{
	return (*entry(c->seq + 1 + n));
}

void
broadcast_catch_up(struct conn *c)
{
	while (c->state == CONN_WS && broadcast_behind(c) > 0)
		conn_queue(c, *entry(++c->seq));
}

/* To N connections what they are behind by. */
static void
sweep_write(struct conn **conns, unsigned n)
{
	uint32_t	 done[SLICE];
	unsigned	 i;

	conn_write_many(conns, done, n);
	for (i = 0; i < n; i++) {
		conns[i]->seq += done[i];
		/* What the socket does not take waits, like what comes after. */
		broadcast_catch_up(conns[i]);
	}
}

int
broadcast_sweep(void)
{
	struct conn	*c, *conns[SLICE];
	unsigned	 left = output_slice() * LOOKS, n = 0;

	if (bcast.head == bcast.tail)
		return (0);
	if (bcast.next == NULL) {
		bcast.next = TAILQ_FIRST(&hub_conns);
		bcast.goal = bcast.head;
	}
	while ((c = bcast.next) != NULL && left >= LOOKS) {
		bcast.next = TAILQ_NEXT(c, entry);
		left--;
		if (c->state != CONN_WS || c->seq == bcast.head)
			continue;
		left -= LOOKS - 1;
		if (c->out == NULL)
			conns[n++] = c;
		else
			broadcast_catch_up(c);
	}
	sweep_write(conns, n);
	if (bcast.next == NULL)
		log_trim(bcast.goal);
	return (bcast.head != bcast.tail);
}
