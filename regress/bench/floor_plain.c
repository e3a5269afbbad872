/*
 * The floor itself: for each broadcast one send(2) a client, at once.
 */
#include "floor.h"

void
floor_start(void)
{
}

void
floor_broadcast(const int *fds, int n, const char *frame, size_t len)
{
	int	 i;

	for (i = 0; i < n; i++)
		floor_send(fds[i], frame, len);
}

void
floor_turn_end(const int *fds, int n)
{
	(void)fds;
	(void)n;
}
