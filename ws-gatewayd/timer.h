/*
 * Timers by the ten thousand: one wheel for the engine, O(1) to set and to
 * cancel, no wake-up while nothing is due.
 */
#ifndef TIMER_H
#define TIMER_H

#include <sys/queue.h>

#include <stdint.h>

struct event_base;

struct timer {
	LIST_ENTRY(timer)	 entry;
	uint64_t		 deadline;	/* ms, monotonic; 0: not set */
	void			(*fire)(struct timer *);
};

/* The wheel, once a process. */
void	timer_wheel_init(struct event_base *);

/* FIRE is called once, DELAY ms from now or up to a tick (8 ms) later. */
void	timer_set(struct timer *, uint64_t delay, void (*fire)(struct timer *));
/* Cancel; harmless when it is not set. */
void	timer_cancel(struct timer *);

#endif /* TIMER_H */
