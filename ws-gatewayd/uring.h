/*
 * Many sends by one system call: io_uring(7), where the kernel has it and lets
 * us.  One file a platform (uring_linux.c, uring_openbsd.c).
 */
#ifndef URING_H
#define URING_H

#include <sys/uio.h>

#define URING_MAX	128		/* sends of one call */

struct uring_op {
	int		 fd;		/* a socket */
	int		 niov;		/* one at least */
	struct iovec	*iov;
	int		 result;	/* bytes, or -errno; -EINTR: not tried */
};

/*
 * Before confinement: a ring that can send, and by the kernel's word nothing
 * else.  Returns 0, or -1 with errno: there is none.
 */
int	uring_open(void);

/*
 * Send at most URING_MAX of them, without waiting for a socket, and fill in
 * their results: when it returns, none is under way any more.  -1 with errno
 * when the ring has failed; it is closed then, and what has no other result is
 * -EINTR.
 */
int	uring_send(struct uring_op *, unsigned int n);

#endif /* URING_H */
