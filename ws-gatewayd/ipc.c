/*
 * An imsg socket in an event loop: reads and dispatches what comes, writes
 * what is queued when there is room, and tells once that the peer is gone.
 */
#include <sys/queue.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "proc.h"

#define IPC_FLUSH_MS	2000	/* a stuck peer must not hold up an exit */

/* Values of ipc.dead. */
enum {
	IPC_ALIVE,
	IPC_BROKEN,		/* can't be written to; may hold last words */
	IPC_CLOSED
};

static void
ipc_gone(struct ipc *ipc)
{
	event_del(&ipc->ev_read);
	event_del(&ipc->ev_write);
	ipc->dead = IPC_BROKEN;
	ipc->gone(ipc);
}

/*
 * A failed write says that the peer is gone, but what it sent before it went
 * (why it had to) may still be unread: the read side will come to the end.
 */
static void
ipc_broken(struct ipc *ipc)
{
	event_del(&ipc->ev_write);
	ipc->dead = IPC_BROKEN;
}

static void
ipc_on_write(int fd, short what, void *arg)
{
	struct ipc	*ipc = arg;

	(void)fd;
	(void)what;
	if (imsgbuf_write(&ipc->ibuf) == -1) {
		ipc_broken(ipc);
		return;
	}
	if (imsgbuf_queuelen(&ipc->ibuf) > 0)
		event_want(&ipc->ev_write, NULL);
}

static void
ipc_on_read(int fd, short what, void *arg)
{
	struct ipc	*ipc = arg;
	struct imsg	 imsg;
	int		 n;

	(void)fd;
	(void)what;
	n = imsgbuf_read(&ipc->ibuf);
	/* The peer is well, and what it says must not be lost. */
	if (n == -1 && errno == ENOMEM)
		fatal("a message of another process");
	if (n != 1) {
		ipc_gone(ipc);
		return;
	}
	while ((n = imsgbuf_get(&ipc->ibuf, &imsg)) == 1) {
		ipc->dispatch(ipc, &imsg);
		imsg_free(&imsg);
		if (ipc->dead == IPC_CLOSED)
			return;
	}
	if (n == -1 && errno == ENOMEM)
		fatal("a message of another process");
	if (n == -1)
		ipc_gone(ipc);
}

void
ipc_init(struct ipc *ipc, struct event_base *base, int fd,
    void (*dispatch)(struct ipc *, struct imsg *),
    void (*gone)(struct ipc *), void *arg)
{
	int	flags;

	memset(ipc, 0, sizeof(*ipc));
	/* Most callers made it so at its birth, a confined one had to. */
	if ((flags = fcntl(fd, F_GETFL)) == -1)
		fatal("fcntl");
	if ((flags & O_NONBLOCK) == 0 &&
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		fatal("fcntl");
	if (imsgbuf_init(&ipc->ibuf, fd) == -1)
		fatal("imsgbuf_init");
	imsgbuf_allow_fdpass(&ipc->ibuf);
	ipc->dispatch = dispatch;
	ipc->gone = gone;
	ipc->arg = arg;
	if (event_assign(&ipc->ev_read, base, fd, EV_READ | EV_PERSIST,
	    ipc_on_read, ipc) == -1 ||
	    event_assign(&ipc->ev_write, base, fd, EV_WRITE,
	    ipc_on_write, ipc) == -1 ||
	    event_add(&ipc->ev_read, NULL) == -1)
		fatalx("can't watch a socket between the processes");
}

void
ipc_close(struct ipc *ipc)
{
	if (ipc->dead == IPC_CLOSED)
		return;
	event_del(&ipc->ev_read);
	event_del(&ipc->ev_write);
	imsgbuf_clear(&ipc->ibuf);
	close(ipc->ibuf.fd);
	ipc->dead = IPC_CLOSED;
}

static int
ipc_sendv(struct ipc *ipc, uint32_t type, uint32_t id, int fd,
    const struct iovec *iov, int iovcnt)
{
	if (ipc->dead != IPC_ALIVE) {
		if (fd != -1)
			close(fd);
		return (0);
	}
	if (imsg_composev(&ipc->ibuf, type, id, 0, fd, iov, iovcnt) == -1)
		return (-1);
	event_want(&ipc->ev_write, NULL);
	return (0);
}

/* An iovec has no const, and is only read from here. */
static struct iovec
ipc_part(const void *data, size_t len)
{
	union {
		const void	*in;
		void		*out;
	} u = { .in = data };

	return ((struct iovec){ .iov_base = u.out, .iov_len = len });
}

void
ipc_send(struct ipc *ipc, uint32_t type, uint32_t id, int fd,
    const void *data, size_t len)
{
	struct iovec	iov = ipc_part(data, len);

	if (ipc_sendv(ipc, type, id, fd, &iov, 1) == -1)
		fatal("a message for another process (%u)", type);
}

int
ipc_try(struct ipc *ipc, uint32_t type, const void *a, size_t alen,
    const void *b, size_t blen)
{
	struct iovec	iov[2] = { ipc_part(a, alen), ipc_part(b, blen) };

	return (ipc_sendv(ipc, type, 0, -1, iov, 2));
}

uint32_t
ipc_queued(struct ipc *ipc)
{
	if (ipc->dead != IPC_ALIVE)
		return (0);
	return (imsgbuf_queuelen(&ipc->ibuf));
}

void
ipc_flush(struct ipc *ipc)
{
	struct pollfd	pfd;
	uint64_t	end, now;
	int		n;

	end = now_ms() + IPC_FLUSH_MS;
	while (ipc_queued(ipc) > 0) {
		if (imsgbuf_write(&ipc->ibuf) == -1) {
			ipc_broken(ipc);
			return;
		}
		if (ipc_queued(ipc) == 0 || (now = now_ms()) >= end)
			return;
		pfd.fd = ipc->ibuf.fd;
		pfd.events = POLLOUT;
		n = poll(&pfd, 1, (int)(end - now));
		if (n == 0 || (n == -1 && errno != EINTR))
			return;
	}
}

void
ipc_data(struct imsg *imsg, void *data, size_t len)
{
	if (imsg_get_len(imsg) != len ||
	    (len > 0 && imsg_get_data(imsg, data, len) == -1))
		fatalx("message %u from a sibling has %zu bytes, not %zu",
		    imsg_get_type(imsg), imsg_get_len(imsg), len);
}
