/*
 * The merged floor: the broadcasts of one turn of the loop leave together, in
 * one send(2) a client.
 */
#include <err.h>
#include <string.h>

#include "floor.h"

#define WAITING		(64 << 20)

static char	 waiting[WAITING];
static size_t	 nwaiting;

void
floor_start(void)
{
}

void
floor_broadcast(const int *fds, int n, const char *frame, size_t len)
{
	(void)fds;
	(void)n;
	if (len > WAITING - nwaiting)
		errx(1, "too many broadcasts in one turn");
	memcpy(waiting + nwaiting, frame, len);
	nwaiting += len;
}

void
floor_turn_end(const int *fds, int n)
{
	int	 i;

	if (nwaiting == 0)
		return;
	for (i = 0; i < n; i++)
		floor_send(fds[i], waiting, nwaiting);
	nwaiting = 0;
}
