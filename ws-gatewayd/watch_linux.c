/* epoll(7), level-triggered. */
#include <sys/epoll.h>

#include "watch.h"

int
watch_open(void)
{
	return (epoll_create1(EPOLL_CLOEXEC));
}

int
watch_set(int watch, int fd, void *arg, int was, int what)
{
	struct epoll_event	 ev = { .data.ptr = arg };
	int			 op;

	if (was == what)
		return (0);
	if (what & WATCH_READ)
		ev.events |= EPOLLIN;
	if (what & WATCH_WRITE)
		ev.events |= EPOLLOUT;
	/* One that is watched for nothing would still tell of its hang-up. */
	if (what == 0)
		op = EPOLL_CTL_DEL;
	else
		op = was == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	return (epoll_ctl(watch, op, fd, &ev));
}

int
watch_ready(int watch, struct watch_ready *ready, int n)
{
	struct epoll_event	 ev[WATCH_BATCH];
	int			 i;

	if (n > WATCH_BATCH)
		n = WATCH_BATCH;
	n = epoll_wait(watch, ev, n, 0);
	for (i = 0; i < n; i++) {
		ready[i].arg = ev[i].data.ptr;
		ready[i].what = 0;
		if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			ready[i].what |= WATCH_READ;
		if (ev[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
			ready[i].what |= WATCH_WRITE;
	}
	return (n);
}
