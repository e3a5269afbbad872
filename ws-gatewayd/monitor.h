/*
 * Live events for "ws-gatewayctl monitor".  Costs one test when nobody looks.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include <stddef.h>
#include <stdint.h>

#include "control.h"

struct conn;
struct frame;
struct player;

extern uint32_t	monitor_kinds;		/* what anybody wants to see */

#define monitor_on(kind)	(monitor_kinds & (kind))

/*
 * Something happened to a player or a connection; each of PLAYER_ID, CONN,
 * FRAME, DETAIL may be NULL (the id of CONN's player is used then).
 */
void	monitor_event(enum ctl_kind, const void *player_id, size_t len,
	    const struct conn *, const struct frame *, uint64_t count,
	    const char *detail);

#endif /* MONITOR_H */
