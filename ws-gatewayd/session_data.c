/* What becomes of a player's messages: they are counted. */
#include <sys/types.h>

#include "conn.h"
#include "metrics.h"

void
session_data(struct conn *c, const struct ws_parser *ws)
{
	if (!ws->fin)
		return;
	c->received++;
	metrics.received++;
}
