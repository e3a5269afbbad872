/*
 * The way out.  Frames are queued by reference, and what a loop turn has
 * queued leaves at its end: what waits for one connection goes in one call.
 * Broadcasts wait in a log of their own (broadcast.c).
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>

#include "broadcast.h"
#include "conn.h"
#include "engine.h"
#include "frame.h"
#include "hub.h"
#include "log.h"
#include "memory.h"
#include "metrics.h"
#include "monitor.h"
#include "sandbox.h"
#include "transport.h"
#include "uring.h"
#include "watch.h"

#define SLICE_PLAIN	32		/* a call for each of them */
#define MAXIOV		64		/* frames in one call */
#define RING_MIN	4
#define RING_MAX	32768		/* frames that may wait, beside backlog */

static struct conn_list	 dirty = TAILQ_HEAD_INITIALIZER(dirty);
static struct event	 ev_turn;
static int		 awake;

/* io_uring, if there is one and it is to be used; what is sent through it. */
static int		 use_ring;
static struct uring_op	 ops[SLICE];
static struct iovec	 ops_iov[SLICE][MAXIOV];

static void	output_end_turn(evutil_socket_t, short, void *);
static void	output_flush_many(struct conn **, unsigned);

void
output_init(struct event_base *base)
{
	if (event_assign(&ev_turn, base, -1, 0, output_end_turn, NULL) == -1)
		fatalx("output: event_assign");
}

void
output_use_ring(void)
{
	if (uring_open() == -1) {
		log_warn("no io_uring, output is plain");
		return;
	}
	use_ring = 1;
	sandbox_keep_ring();
	log_info("output through io_uring");
}

void
output_wake(void)
{
	if (awake)
		return;
	awake = 1;
	/* Runs after the events that are active already. */
	event_active(&ev_turn, EV_TIMEOUT, 0);
}

static struct conn *
dirty_take(void)
{
	struct conn	*c;

	if ((c = TAILQ_FIRST(&dirty)) != NULL) {
		TAILQ_REMOVE(&dirty, c, dirty);
		c->isdirty = 0;
	}
	return (c);
}

_Static_assert(SLICE <= URING_MAX, "a slice is one call of the ring");

unsigned
output_slice(void)
{
	return (use_ring ? SLICE : SLICE_PLAIN);
}

/* Write to those who were first to have work, and look at their bytes again. */
static void
output_first(void)
{
	static struct conn	*all[SLICE], *out[SLICE];
	struct conn		*c;
	unsigned		 i, n, nout = 0;

	for (n = 0; n < SLICE && (c = dirty_take()) != NULL; n++) {
		all[n] = c;
		if (c->out != NULL)
			out[nout++] = c;
	}
	output_flush_many(out, nout);
	for (i = 0; i < n; i++)
		conn_again(all[i]);
}

/* The end of a loop turn. */
static void
output_end_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval	 zero = { 0, 0 };
	int				 more;

	(void)fd;
	(void)what;
	(void)arg;

	awake = 0;
	output_first();
	more = broadcast_sweep();
	lookup_flush();
	conn_reap();
	if ((more || !TAILQ_EMPTY(&dirty)) && !awake) {
		/* By a timeout, so that sockets are looked at in between. */
		awake = 1;
		if (event_add(&ev_turn, &zero) == -1)
			fatalx("output: event_add");
	}
}

void
output_turn(struct conn *c)
{
	if (c->isdirty)
		return;
	c->isdirty = 1;
	TAILQ_INSERT_TAIL(&dirty, c, dirty);
	output_wake();
}

static void
output_dirty(struct conn *c, int urgent)
{
	/* One that can't be written to now is flushed when it can. */
	if (c->watched & WATCH_WRITE)
		return;
	if (!urgent) {
		output_turn(c);
		return;
	}
	if (c->isdirty)
		TAILQ_REMOVE(&dirty, c, dirty);
	c->isdirty = 1;
	TAILQ_INSERT_HEAD(&dirty, c, dirty);
	output_wake();
}

static struct outq *
outq_new(void)
{
	struct outq	*q;

	if ((q = malloc(sizeof(*q))) == NULL)
		fatal("send queue");
	memory_take(sizeof(*q));
	memset(q, 0, sizeof(*q));
	q->ring = &q->slot;
	q->size = 1;
	return (q);
}

static void
outq_free_ring(struct outq *q)
{
	if (q->ring == &q->slot)
		return;
	memory_give(q->size * sizeof(*q->ring));
	free(q->ring);
}

static void
outq_free(struct outq *q)
{
	outq_free_ring(q);
	memory_give(sizeof(*q));
	free(q);
}

static uint32_t
outq_next_size(const struct outq *q)
{
	return (q->size < RING_MIN ? RING_MIN : q->size * 2);
}

static void
outq_grow(struct outq *q)
{
	struct frame	**ring;
	uint32_t	  i, size = outq_next_size(q);

	if ((ring = reallocarray(NULL, size, sizeof(*ring))) == NULL)
		fatal("send queue");
	for (i = 0; i < q->n; i++)
		ring[i] = q->ring[(q->head + i) & (q->size - 1)];
	outq_free_ring(q);
	memory_take(size * sizeof(*ring));
	q->ring = ring;
	q->size = size;
	q->head = 0;
}

/* What of a frame goes to that connection. */
static struct frame *
outgoing(const struct conn *c, struct frame *f)
{
	return (c->deflate && f->deflated != NULL ? f->deflated : f);
}

/* The same, compressed when that is still to be done, once for all. */
static struct frame *
output_form(const struct conn *c, struct frame *f)
{
	if (c->deflate && f->message)
		frame_deflate(f);
	return (outgoing(c, f));
}

static void
outq_push(struct conn *c, struct frame *f)
{
	struct outq	*q = c->out;
	uint32_t	 len = output_form(c, f)->len;

	if (q->n == q->size)
		outq_grow(q);
	q->ring[(q->head + q->n++) & (q->size - 1)] = frame_ref(f);
	q->bytes += len;
	q->nmessages += f->message;
	metrics.sendq_bytes += len;
}

static void
outq_shift(struct outq *q)
{
	struct frame	*f = q->ring[q->head];

	q->head = (q->head + 1) & (q->size - 1);
	q->n--;
	q->off = 0;
	q->nmessages -= f->message;
	frame_unref(f);
}

/* What waits beside the offline queue's, against which bounds are held. */
static uint64_t
outq_load(const struct outq *q)
{
	if (q == NULL || q->bytes < q->backlog)
		return (0);
	return (q->bytes - q->backlog);
}

/* It must grow, and has more than one call writes already. */
static int
outq_long(const struct outq *q)
{
	return (q != NULL && q->n == q->size && q->n >= MAXIOV);
}

/*
 * Room for one more frame; returns 0 when the connection is dropped for that.
 * The rings of all who wait for the same broadcasts double at the same one:
 * those who find no memory for it go themselves, since nobody else can be let
 * go while the hub walks through its lists.  That must not hit a peer who
 * reads: what it was not offered yet is written before its ring grows long.
 */
static int
output_room(struct conn *c)
{
	struct outq	*q;

	if (outq_long(c->out) && c->state == CONN_WS &&
	    !(c->watched & WATCH_WRITE))
		conn_flush(c);
	if (c->state == CONN_DEAD)
		return (0);
	if ((q = c->out) == NULL)
		c->out = outq_new();
	else if (q->n >= RING_MAX + q->nbacklog)
		conn_drop(c, CLOSE_SLOW);
	else if (outq_long(q) && (c->watched & WATCH_WRITE) &&
	    !memory_fits(outq_next_size(q) * sizeof(*q->ring)))
		conn_drop(c, CLOSE_MEMORY);
	return (c->state != CONN_DEAD);
}

static int
output_queue(struct conn *c, struct frame *f, int urgent)
{
	if (!output_room(c))
		return (0);
	outq_push(c, f);
	output_dirty(c, urgent);
	return (1);
}

static int
output_message(struct conn *c, struct frame *f, int urgent)
{
	uint64_t	 load = outq_load(c->out);
	uint32_t	 len;

	len = output_form(c, f)->len;
	/* One frame always fits, however large. */
	if (f->message && load > 0 && load + len > engine.conf.sendq_hard) {
		conn_drop(c, CLOSE_SLOW);
		return (0);
	}
	if (!output_queue(c, f, urgent))
		return (0);
	if (c->state == CONN_WS && c->out->soft_deadline == 0 &&
	    outq_load(c->out) > engine.conf.sendq_soft)
		session_watch(c);
	return (1);
}

int
conn_send(struct conn *c, struct frame *f, int urgent)
{
	broadcast_catch_up(c);
	if (c->state == CONN_DEAD)
		return (0);
	return (output_message(c, f, urgent));
}

void
conn_queue(struct conn *c, struct frame *f)
{
	output_message(c, f, 0);
}

int
conn_send_backlog(struct conn *c, struct frame *f)
{
	if (c->state == CONN_DEAD || !output_queue(c, f, 1))
		return (0);
	c->out->backlog += outgoing(c, f)->len;
	c->out->nbacklog++;
	return (1);
}

static void
output_sent(struct conn *c, struct frame *f)
{
	if (!f->message)
		return;
	metrics.delivered++;
	c->sent++;
	c->sent_bytes += outgoing(c, f)->len;
}

/* N bytes have been written. */
static void
output_written(struct conn *c, size_t n)
{
	struct outq	*q = c->out;
	struct frame	*f;
	size_t		 rest;

	q->bytes -= n;
	metrics.sendq_bytes -= n;
	while (n > 0 && q->n > 0) {
		f = outgoing(c, q->ring[q->head]);
		rest = f->len - q->off;
		if (n < rest) {
			q->off += (uint32_t)n;
			break;
		}
		n -= rest;
		output_sent(c, q->ring[q->head]);
		outq_shift(q);
	}
	if (q->soft_deadline != 0 && outq_load(q) <= engine.conf.sendq_soft)
		q->soft_deadline = 0;
}

/* What one call writes of what waits. */
static unsigned
outq_iov(const struct conn *c, struct iovec *iov)
{
	struct outq	*q = c->out;
	struct frame	*f;
	unsigned	 i, n = q->n < MAXIOV ? q->n : MAXIOV;
	uint32_t	 skip;

	for (i = 0; i < n; i++) {
		f = outgoing(c, q->ring[(q->head + i) & (q->size - 1)]);
		skip = i == 0 ? q->off : 0;
		iov[i].iov_base = f->data + skip;
		iov[i].iov_len = f->len - skip;
	}
	return (n);
}

/* What one call writes of the broadcasts that it is behind by. */
static unsigned
broadcast_iov(const struct conn *c, struct iovec *iov)
{
	struct frame	*f;
	uint32_t	 i, n = broadcast_behind(c);

	if (n > MAXIOV)
		n = MAXIOV;
	for (i = 0; i < n; i++) {
		f = output_form(c, broadcast_frame(c, i));
		iov[i].iov_base = f->data;
		iov[i].iov_len = f->len;
	}
	return (n);
}

/* R bytes of N broadcasts have been written, or -1 and there was an ERROR. */
static uint32_t
broadcast_wrote(struct conn *c, const struct iovec *iov, unsigned n,
    ssize_t r, int error)
{
	struct frame	*f;
	uint32_t	 i;

	if (r == -1) {
		if (error != EAGAIN && error != ENOBUFS)
			conn_drop(c, CLOSE_ERROR);
		return (0);
	}
	for (i = 0; i < n && r > 0; i++) {
		f = broadcast_frame(c, i);
		if ((size_t)r < iov[i].iov_len) {
			conn_queue(c, f);
			if (c->out != NULL)
				output_written(c, (size_t)r);
			r = 0;
		} else {
			output_sent(c, f);
			r -= (ssize_t)iov[i].iov_len;
		}
	}
	return (i);
}

static uint32_t
broadcast_write(struct conn *c)
{
	struct iovec	 iov[MAXIOV];
	unsigned	 n = broadcast_iov(c, iov);
	ssize_t		 r = transport_writev(c, iov, n);

	return (broadcast_wrote(c, iov, n, r, errno));
}

/* All of ops at once; one that the ring did not take has the result -EINTR. */
static void
ring_send(unsigned n)
{
	if (uring_send(ops, n) == 0)
		return;
	log_warn("io_uring has failed, output is plain");
	use_ring = 0;
}

static void
ring_set(unsigned i, const struct conn *c, unsigned niov)
{
	ops[i].fd = c->fd;
	ops[i].iov = ops_iov[i];
	ops[i].niov = (int)niov;
}

/* Whether a ring, which takes bytes as they are, is of use for these. */
static int
ring_for(struct conn **conns, unsigned n)
{
	unsigned	 i;

	for (i = 0; use_ring && i < n; i++)
		if (conns[i]->tls)
			return (0);
	return (use_ring && n > 1);
}

void
conn_write_many(struct conn **conns, uint32_t *done, unsigned n)
{
	unsigned	 i;
	int		 ring = ring_for(conns, n), r;

	for (i = 0; ring && i < n; i++)
		ring_set(i, conns[i], broadcast_iov(conns[i], ops_iov[i]));
	if (ring)
		ring_send(n);
	for (i = 0; i < n; i++) {
		r = ring ? ops[i].result : -EINTR;
		done[i] = r == -EINTR ? broadcast_write(conns[i]) :
		    broadcast_wrote(conns[i], ops_iov[i],
		    (unsigned)ops[i].niov, r < 0 ? -1 : r, -r);
	}
}

/* Everything is out: what the connection's state makes of that. */
static void
output_done(struct conn *c)
{
	if (c->watched & WATCH_WRITE)
		conn_watch(c, c->watched & ~WATCH_WRITE);
	switch (c->state) {
	case CONN_HTTP:
		if (c->closeafter)
			conn_linger(c);
		else
			request_idle(c);
		break;
	case CONN_LINGER:
		if (transport_shutdown(c) == -1)
			conn_drop(c, c->reason);
		break;
	}
}

/* N bytes have been written, or -1 and there was an ERROR: whether to go on. */
static int
output_wrote(struct conn *c, ssize_t n, int error)
{
	if (n >= 0) {
		output_written(c, (size_t)n);
		return (1);
	}
	if (error == EAGAIN || error == ENOBUFS)
		conn_watch(c, c->watched | WATCH_WRITE);
	else
		conn_drop(c, CLOSE_ERROR);
	return (0);
}

void
conn_flush(struct conn *c)
{
	struct iovec	 iov[MAXIOV];
	ssize_t		 n;

	if (c->state == CONN_DEAD || c->out == NULL)
		return;
	while (c->out->n > 0) {
		n = transport_writev(c, iov, outq_iov(c, iov));
		if (!output_wrote(c, n, errno))
			return;
	}
	outq_free(c->out);
	c->out = NULL;
	output_done(c);
}

/* All of CONNS have output: the first write of each together. */
static void
output_flush_many(struct conn **conns, unsigned n)
{
	unsigned	 i;
	int		 r, ring = ring_for(conns, n);

	for (i = 0; ring && i < n; i++)
		ring_set(i, conns[i], outq_iov(conns[i], ops_iov[i]));
	if (ring)
		ring_send(n);
	for (i = 0; i < n; i++) {
		if (conns[i]->state == CONN_DEAD)
			continue;
		r = ring ? ops[i].result : -EINTR;
		if (r == -EINTR || output_wrote(conns[i], r < 0 ? -1 : r, -r))
			conn_flush(conns[i]);
	}
}

int
output_pending(const struct conn *c)
{
	return (c->out != NULL);
}

static void
output_lost(struct conn *c, struct frame *f)
{
	f->fanout = 0;		/* it did not get everywhere */
	if (!f->message)
		return;
	metrics.dropped[DROP_CLOSED]++;
	if (monitor_on(CTL_EV_DROP))
		monitor_event(CTL_EV_DROP, NULL, 0, c, f, 0,
		    drop_reason_name(DROP_CLOSED));
}

static void
output_forget_broadcasts(struct conn *c)
{
	uint32_t	 i, n = broadcast_behind(c);

	for (i = 0; i < n; i++)
		output_lost(c, broadcast_frame(c, i));
	c->seq += n;
}

void
output_forget(struct conn *c)
{
	struct outq	*q = c->out;

	if (c->isdirty) {
		TAILQ_REMOVE(&dirty, c, dirty);
		c->isdirty = 0;
	}
	output_forget_broadcasts(c);
	if (q == NULL)
		return;
	metrics.sendq_bytes -= q->bytes;
	while (q->n > 0) {
		output_lost(c, q->ring[q->head]);
		outq_shift(q);
	}
	outq_free(q);
	c->out = NULL;
}
