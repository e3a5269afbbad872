/* What becomes of a player's messages: they are counted. */
#include <sys/types.h>

#include "conn.h"
#include "metrics.h"

void
session_data(struct conn *c)
{
	if (!c->ws.fin)
		return;
	c->received++;
	metrics.received++;
}
