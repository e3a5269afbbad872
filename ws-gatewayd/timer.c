/*
 * A hashed timing wheel: a slot a tick, and what is due in a later turn of the
 * wheel waits in its slot.  A bitmap of slots in use tells when to wake up.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdint.h>
#include <string.h>

#include "log.h"
#include "proc.h"
#include "timer.h"

#define TICK_MS		8
#define SLOTS		4096		/* a turn is 32.8 s */
#define WORD_BITS	64

LIST_HEAD(timer_list, timer);

static struct {
	struct timer_list	 slot[SLOTS];
	uint64_t		 used[SLOTS / WORD_BITS];
	uint64_t		 tick;		/* all before it has fired */
	uint64_t		 wake;		/* tick of the armed event, or 0 */
	struct event		 ev;
} wheel;

static void	wheel_run(evutil_socket_t, short, void *);

static inline unsigned
slot_of(uint64_t deadline)
{
	return ((deadline / TICK_MS) % SLOTS);
}

void
timer_wheel_init(struct event_base *base)
{
	unsigned	 i;

	for (i = 0; i < SLOTS; i++)
		LIST_INIT(&wheel.slot[i]);
	wheel.tick = now_ms() / TICK_MS;
	if (event_assign(&wheel.ev, base, -1, 0, wheel_run, NULL) == -1)
		fatalx("timer: event_assign");
}

/* Wake up at TICK unless an earlier wake-up is armed. */
static void
wheel_arm(uint64_t tick)
{
	struct timeval	 tv;
	uint64_t	 now, at, delay;

	if (wheel.wake != 0 && wheel.wake <= tick)
		return;
	now = now_ms();
	at = (tick + 1) * TICK_MS;	/* when the whole tick has passed */
	delay = at > now ? at - now : 0;
	tv.tv_sec = delay / 1000;
	tv.tv_usec = (delay % 1000) * 1000;
	if (event_add(&wheel.ev, &tv) == -1)
		fatalx("timer: event_add");
	wheel.wake = tick;
}

/* The next tick whose slot is in use, within one turn; 0 when all are empty. */
static uint64_t
wheel_next(void)
{
	uint64_t	 word, tick;
	unsigned	 i, slot, skip;

	slot = wheel.tick % SLOTS;
	skip = slot % WORD_BITS;
	tick = wheel.tick - skip;
	for (i = 0; i <= SLOTS / WORD_BITS; i++) {
		word = wheel.used[((slot / WORD_BITS) + i) %
		    (SLOTS / WORD_BITS)];
		if (i == 0)
			word &= ~0ULL << skip;
		if (word != 0)
			return (tick + (uint64_t)i * WORD_BITS +
			    (uint64_t)__builtin_ctzll(word));
	}
	return (0);
}

/* Fire what is due in the slot of wheel.tick. */
static void
wheel_slot(uint64_t now)
{
	struct timer_list	*list = &wheel.slot[wheel.tick % SLOTS];
	struct timer_list	 due;
	struct timer		*t, *tmp;

	/*
	 * What fires may set and cancel any timer: move the due ones to a list
	 * of their own first, from which timer_cancel() can take them, too.
	 */
	LIST_INIT(&due);
	LIST_FOREACH_SAFE(t, list, entry, tmp) {
		if (t->deadline <= now) {
			LIST_REMOVE(t, entry);
			LIST_INSERT_HEAD(&due, t, entry);
		}
	}
	if (LIST_EMPTY(list))
		wheel.used[(wheel.tick % SLOTS) / WORD_BITS] &=
		    ~(1ULL << (wheel.tick % WORD_BITS));
	while ((t = LIST_FIRST(&due)) != NULL) {
		LIST_REMOVE(t, entry);
		t->deadline = 0;
		t->fire(t);
	}
}

static void
wheel_run(evutil_socket_t fd, short what, void *arg)
{
	uint64_t	 now = now_ms(), last = now / TICK_MS, next;

	(void)fd;
	(void)what;
	(void)arg;

	/* After a long sleep one turn reaches every slot. */
	if (last - wheel.tick > SLOTS)
		wheel.tick = last - SLOTS;
	wheel.wake = 0;
	while (wheel.tick < last) {
		if (wheel.used[(wheel.tick % SLOTS) / WORD_BITS] &
		    (1ULL << (wheel.tick % WORD_BITS)))
			wheel_slot(now);
		wheel.tick++;
	}
	if ((next = wheel_next()) != 0)
		wheel_arm(next);
}

void
timer_set(struct timer *t, uint64_t delay, void (*fire)(struct timer *))
{
	uint64_t	 now = now_ms();
	unsigned	 slot;

	timer_cancel(t);
	t->deadline = now + delay;
	t->fire = fire;
	slot = slot_of(t->deadline);
	LIST_INSERT_HEAD(&wheel.slot[slot], t, entry);
	wheel.used[slot / WORD_BITS] |= 1ULL << (slot % WORD_BITS);
	wheel_arm(t->deadline / TICK_MS);
}

void
timer_cancel(struct timer *t)
{
	unsigned	 slot;

	if (t->deadline == 0)
		return;
	slot = slot_of(t->deadline);
	LIST_REMOVE(t, entry);
	if (LIST_EMPTY(&wheel.slot[slot]))
		wheel.used[slot / WORD_BITS] &= ~(1ULL << (slot % WORD_BITS));
	t->deadline = 0;
}
