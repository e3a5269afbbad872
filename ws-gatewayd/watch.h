/*
 * Which of very many sockets are ready: the kernel's own list, without a byte
 * of ours for a socket.  One file a platform (watch_linux.c, watch_openbsd.c).
 */
#ifndef WATCH_H
#define WATCH_H

#define WATCH_READ	0x1
#define WATCH_WRITE	0x2

struct watch_ready {
	void	*arg;
	int	 what;
};

/*
 * Returns a descriptor that is itself readable while any socket that it
 * watches is ready, or -1 with errno.
 */
int	watch_open(void);

/*
 * FD was watched for WAS and is to be for WHAT (0: not at all), and tells so by
 * ARG.  Closing FD ends it as well.  Returns 0, or -1 with errno.
 */
int	watch_set(int watch, int fd, void *arg, int was, int what);

/*
 * What is ready now, at most N of them, without waiting.  An error or a
 * hang-up makes a socket ready for all that it is watched for.  Returns how
 * many, or -1 with errno.
 */
int	watch_ready(int watch, struct watch_ready *, int n);

#define WATCH_BATCH	256		/* most that one call returns */

#endif /* WATCH_H */
