/* Messages for players who are away. */
#include <sys/queue.h>

#include <stdlib.h>

#include "conn.h"
#include "engine.h"
#include "frame.h"
#include "hub.h"
#include "log.h"
#include "memory.h"
#include "metrics.h"
#include "monitor.h"
#include "queue.h"
#include "timer.h"

static struct queued_list	 queue_all = TAILQ_HEAD_INITIALIZER(queue_all);
static struct timer		 queue_timer;

static void	queue_expire(struct timer *);

static void
queue_arm(void)
{
	struct queued	*q = TAILQ_FIRST(&queue_all);
	uint64_t	 now = now_ms();

	if (q == NULL)
		timer_cancel(&queue_timer);
	else
		timer_set(&queue_timer, q->expires > now ? q->expires - now : 0,
		    queue_expire);
}

static void
offline_new(struct player *p)
{
	struct offline	*o;

	if ((o = calloc(1, sizeof(*o))) == NULL)
		fatal("offline queue");
	memory_take(sizeof(*o));
	TAILQ_INIT(&o->queue);
	p->offline = o;
	metrics.queue_players++;
}

static void
offline_free(struct player *p)
{
	memory_give(sizeof(*p->offline));
	free(p->offline);
	p->offline = NULL;
	metrics.queue_players--;
}

static void
queue_remove(struct queued *q)
{
	struct player	*p = q->player;
	struct offline	*o = p->offline;

	TAILQ_REMOVE(&queue_all, q, all);
	TAILQ_REMOVE(&o->queue, q, entry);
	o->bytes -= q->frame->len;
	metrics.queue_bytes -= q->frame->len;
	metrics.queue_messages--;
	if (--o->n == 0)
		offline_free(p);
	frame_unref(q->frame);
	memory_give(sizeof(*q));
	free(q);
}

static void
queue_drop(struct queued *q, enum drop_reason reason)
{
	static struct log_limit	 limit;

	metrics.dropped[reason]++;
	if (log_limit(&limit, 1, now_ms()) &&
	    log_begin(LOGL_WARN, "offline queue: a message was dropped")) {
		log_str("reason", drop_reason_name(reason));
		log_bytes("player_id", q->player->id, q->player->len);
		log_int("current", (int64_t)metrics.queue_messages);
		log_end();
	}
	if (monitor_on(CTL_EV_DROP))
		monitor_event(CTL_EV_DROP, q->player->id, q->player->len, NULL,
		    q->frame, 0, drop_reason_name(reason));
	queue_remove(q);
}

static void
queue_expire(struct timer *t)
{
	struct queued	*q;
	struct player	*p;
	uint64_t	 now = now_ms();

	(void)t;
	while ((q = TAILQ_FIRST(&queue_all)) != NULL && q->expires <= now) {
		p = q->player;
		metrics.queue_expired++;
		if (monitor_on(CTL_EV_DROP))
			monitor_event(CTL_EV_DROP, p->id, p->len, NULL,
			    q->frame, 0, "expired");
		queue_remove(q);
		hub_release(p);
	}
	queue_arm();
}

/* The totals hold with one more message of LEN bytes: the oldest go. */
static void
queue_make_room(const struct player *keep, uint32_t len)
{
	struct queued	*q;
	struct player	*p;

	while ((q = TAILQ_FIRST(&queue_all)) != NULL &&
	    (metrics.queue_messages >= engine.conf.queue_total_messages ||
	    (keep->offline == NULL &&
	    metrics.queue_players >= engine.conf.queue_total_players) ||
	    metrics.queue_bytes + len > engine.conf.queue_total_bytes)) {
		p = q->player;
		queue_drop(q, DROP_QUEUE_TOTAL);
		if (p != keep)
			hub_release(p);
	}
}

int
queue_push(struct player *p, struct frame *f)
{
	struct queued	*q, *before;

	if (engine.conf.max_queued == 0 ||
	    f->len > engine.conf.queue_total_bytes) {
		metrics.dropped[DROP_NO_QUEUE]++;
		if (monitor_on(CTL_EV_DROP))
			monitor_event(CTL_EV_DROP, p->id, p->len, NULL, f, 0,
			    drop_reason_name(DROP_NO_QUEUE));
		return (0);
	}
	while (p->offline != NULL && p->offline->n >= engine.conf.max_queued)
		queue_drop(TAILQ_FIRST(&p->offline->queue), DROP_QUEUE_FULL);
	queue_make_room(p, f->len);
	if ((q = calloc(1, sizeof(*q))) == NULL)
		fatal("offline queue");
	memory_take(sizeof(*q));
	q->player = p;
	q->frame = frame_ref(f);
	q->since = now_ms();
	q->expires = q->since + engine.conf.offline_ttl;
	if (p->offline == NULL)
		offline_new(p);
	TAILQ_INSERT_TAIL(&p->offline->queue, q, entry);
	/* At the end, unless a reload has shortened the time to live. */
	before = TAILQ_LAST(&queue_all, queued_list);
	while (before != NULL && before->expires > q->expires)
		before = TAILQ_PREV(before, queued_list, all);
	if (before == NULL)
		TAILQ_INSERT_HEAD(&queue_all, q, all);
	else
		TAILQ_INSERT_AFTER(&queue_all, before, q, all);
	p->offline->n++;
	p->offline->bytes += f->len;
	metrics.queue_bytes += f->len;
	metrics.queue_messages++;
	metrics.queued++;
	if (monitor_on(CTL_EV_QUEUE))
		monitor_event(CTL_EV_QUEUE, p->id, p->len, NULL, f, 0, NULL);
	if (TAILQ_FIRST(&queue_all) == q)
		queue_arm();
	return (1);
}

static struct queued *
queue_first(const struct player *p)
{
	return (p->offline != NULL ? TAILQ_FIRST(&p->offline->queue) : NULL);
}

void
queue_forget(struct player *p, enum drop_reason reason)
{
	struct queued	*q;

	while ((q = queue_first(p)) != NULL)
		queue_drop(q, reason);
	hub_release(p);
	queue_arm();
}

void
queue_flush(struct player *p, struct conn *c)
{
	struct queued	*q;
	uint64_t	 now = now_ms();

	while ((q = queue_first(p)) != NULL) {
		/* The timer may be a tick late. */
		if (q->expires <= now) {
			metrics.queue_expired++;
			queue_remove(q);
			continue;
		}
		/* The rest is for the player's next connection. */
		if (!conn_send_backlog(c, q->frame))
			break;
		metrics.queue_flushed++;
		if (monitor_on(CTL_EV_FLUSH))
			monitor_event(CTL_EV_FLUSH, NULL, 0, c, q->frame, 1,
			    NULL);
		queue_remove(q);
	}
	queue_arm();
}
