/* kqueue(2); its descriptor can itself be polled. */
#include <sys/types.h>
#include <sys/event.h>
#include <sys/time.h>

#include <fcntl.h>
#include <unistd.h>

#include "watch.h"

int
watch_open(void)
{
	int	 fd;

	if ((fd = kqueue()) != -1 && fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) {
		close(fd);
		return (-1);
	}
	return (fd);
}

int
watch_set(int watch, int fd, void *arg, int was, int what)
{
	struct kevent	 change[2];
	int		 n = 0;

	if ((was ^ what) & WATCH_READ) {
		EV_SET(&change[n], fd, EVFILT_READ, what & WATCH_READ ?
		    EV_ADD : EV_DELETE, 0, 0, arg);
		n++;
	}
	if ((was ^ what) & WATCH_WRITE) {
		EV_SET(&change[n], fd, EVFILT_WRITE, what & WATCH_WRITE ?
		    EV_ADD : EV_DELETE, 0, 0, arg);
		n++;
	}
	return (n == 0 ? 0 : kevent(watch, change, n, NULL, 0, NULL));
}

int
watch_ready(int watch, struct watch_ready *ready, int n)
{
	static const struct timespec	 zero = { 0, 0 };
	struct kevent			 ev[WATCH_BATCH];
	int				 i;

	if (n > WATCH_BATCH)
		n = WATCH_BATCH;
	n = kevent(watch, NULL, 0, ev, n, &zero);
	for (i = 0; i < n; i++) {
		ready[i].arg = ev[i].udata;
		ready[i].what = ev[i].filter == EVFILT_READ ? WATCH_READ :
		    WATCH_WRITE;
	}
	return (n);
}
