/* Waiting that must not fail. */
#include "log.h"
#include "proc.h"

void
event_want(struct event *ev, const struct timeval *tv)
{
	if (event_add(ev, tv) == -1)
		fatalx("no memory to wait for an event");
}
