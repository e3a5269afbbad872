/*
 * imsg(3) over a stream socket.  A message is its header and payload in host
 * order; the top bit of the length says that a descriptor came with its first
 * byte.  Sent in batches of at most one descriptor, which is the first's.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg.h"

#define IMSG_READSIZE	65536
#define IMSG_BATCH	1024		/* Linux takes no more iovecs */
#define IMSG_HASFD	0x80000000U

#define IMSG_FDPASS	0x01
#define IMSG_BROKEN	0x02		/* an impossible header is at scan */

struct imsg_out {
	TAILQ_ENTRY(imsg_out)	 entry;
	size_t			 len;
	size_t			 sent;
	int			 fd;
	unsigned char		 buf[];
};

union imsg_control {
	struct cmsghdr	hdr;
	char		buf[CMSG_SPACE(sizeof(int))];
};

int
imsgbuf_init(struct imsgbuf *imsgbuf, int fd)
{
	memset(imsgbuf, 0, sizeof(*imsgbuf));
	if ((imsgbuf->in = malloc(IMSG_READSIZE)) == NULL)
		return (-1);
	imsgbuf->insize = IMSG_READSIZE;
	imsgbuf->maxsize = MAX_IMSGSIZE;
	imsgbuf->fd = fd;
	imsgbuf->pid = getpid();
	imsgbuf->earlyfd = -1;
	TAILQ_INIT(&imsgbuf->out);
	return (0);
}

void
imsgbuf_allow_fdpass(struct imsgbuf *imsgbuf)
{
	imsgbuf->flags |= IMSG_FDPASS;
}

int
imsgbuf_set_maxsize(struct imsgbuf *imsgbuf, uint32_t max)
{
	unsigned char	*in;
	size_t		 size;

	if (max >= IMSG_HASFD - IMSG_HEADER_SIZE) {
		errno = EINVAL;
		return (-1);
	}
	size = max + IMSG_HEADER_SIZE;
	if (size > imsgbuf->insize) {
		in = recallocarray(imsgbuf->in, imsgbuf->insize, size, 1);
		if (in == NULL)
			return (-1);
		imsgbuf->in = in;
		imsgbuf->insize = size;
	}
	imsgbuf->maxsize = size;
	return (0);
}

static void
out_drop(struct imsgbuf *imsgbuf, struct imsg_out *msg)
{
	TAILQ_REMOVE(&imsgbuf->out, msg, entry);
	imsgbuf->queued--;
	if (msg->fd != -1)
		close(msg->fd);
	freezero(msg, sizeof(*msg) + msg->len);
}

void
imsgbuf_clear(struct imsgbuf *imsgbuf)
{
	struct imsg_out	*msg;

	while ((msg = TAILQ_FIRST(&imsgbuf->out)) != NULL)
		out_drop(imsgbuf, msg);
	while (imsgbuf->nfds > 0)
		close(imsgbuf->fds[--imsgbuf->nfds]);
	if (imsgbuf->earlyfd != -1)
		close(imsgbuf->earlyfd);
	imsgbuf->earlyfd = -1;
	freezero(imsgbuf->in, imsgbuf->insize);
	imsgbuf->in = NULL;
	imsgbuf->insize = imsgbuf->rpos = imsgbuf->wpos = imsgbuf->scan = 0;
}

uint32_t
imsgbuf_queuelen(struct imsgbuf *imsgbuf)
{
	return (imsgbuf->queued);
}

/* A message with room for its payload, or NULL; not queued yet. */
static struct imsg_out *
out_new(struct imsgbuf *imsgbuf, uint32_t type, uint32_t id, pid_t pid, int fd,
    size_t datalen)
{
	struct imsg_hdr	 hdr;
	struct imsg_out	*msg;

	if (fd != -1 && (imsgbuf->flags & IMSG_FDPASS) == 0) {
		errno = EINVAL;
		return (NULL);
	}
	if (datalen > imsgbuf->maxsize - IMSG_HEADER_SIZE) {
		errno = ERANGE;
		return (NULL);
	}
	hdr.type = type;
	hdr.len = IMSG_HEADER_SIZE + datalen;
	hdr.peerid = id;
	hdr.pid = pid == 0 ? imsgbuf->pid : pid;
	if ((msg = malloc(sizeof(*msg) + hdr.len)) == NULL)
		return (NULL);
	msg->len = hdr.len;
	msg->sent = 0;
	msg->fd = fd;
	if (fd != -1)
		hdr.len |= IMSG_HASFD;
	memcpy(msg->buf, &hdr, sizeof(hdr));
	return (msg);
}

static void
out_queue(struct imsgbuf *imsgbuf, struct imsg_out *msg)
{
	TAILQ_INSERT_TAIL(&imsgbuf->out, msg, entry);
	imsgbuf->queued++;
}

int
imsg_compose(struct imsgbuf *imsgbuf, uint32_t type, uint32_t id, pid_t pid,
    int fd, const void *data, size_t datalen)
{
	struct imsg_out	*msg;

	msg = out_new(imsgbuf, type, id, pid, fd, datalen);
	if (msg == NULL)
		return (-1);
	if (datalen > 0)
		memcpy(msg->buf + IMSG_HEADER_SIZE, data, datalen);
	out_queue(imsgbuf, msg);
	return (1);
}

int
imsg_composev(struct imsgbuf *imsgbuf, uint32_t type, uint32_t id, pid_t pid,
    int fd, const struct iovec *iov, int iovcnt)
{
	struct imsg_out	*msg;
	unsigned char	*p;
	size_t		 datalen;
	int		 i;

	datalen = 0;
	for (i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len > SIZE_MAX - datalen) {
			errno = ERANGE;
			return (-1);
		}
		datalen += iov[i].iov_len;
	}
	msg = out_new(imsgbuf, type, id, pid, fd, datalen);
	if (msg == NULL)
		return (-1);
	p = msg->buf + IMSG_HEADER_SIZE;
	for (i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len > 0)
			memcpy(p, iov[i].iov_base, iov[i].iov_len);
		p += iov[i].iov_len;
	}
	out_queue(imsgbuf, msg);
	return (1);
}

/* One sendmsg(2) of what is queued, up to the next message with an fd. */
static ssize_t
out_send(struct imsgbuf *imsgbuf)
{
	struct iovec		 iov[IMSG_BATCH];
	union imsg_control	 control;
	struct msghdr		 mh;
	struct cmsghdr		*cmsg;
	struct imsg_out		*first, *msg;
	size_t			 n;

	memset(&mh, 0, sizeof(mh));
	first = TAILQ_FIRST(&imsgbuf->out);
	n = 0;
	TAILQ_FOREACH(msg, &imsgbuf->out, entry) {
		if (n == IMSG_BATCH || (msg != first && msg->fd != -1))
			break;
		iov[n].iov_base = msg->buf + msg->sent;
		iov[n++].iov_len = msg->len - msg->sent;
	}
	mh.msg_iov = iov;
	mh.msg_iovlen = n;
	if (first->fd != -1) {
		memset(&control, 0, sizeof(control));
		mh.msg_control = &control;
		mh.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&mh);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &first->fd, sizeof(int));
	}
	return (sendmsg(imsgbuf->fd, &mh, MSG_NOSIGNAL));
}

static void
out_sent(struct imsgbuf *imsgbuf, size_t n)
{
	struct imsg_out	*msg;

	msg = TAILQ_FIRST(&imsgbuf->out);
	/* It went with the first byte, and must not go again with the rest. */
	if (n > 0 && msg->fd != -1) {
		close(msg->fd);
		msg->fd = -1;
	}
	while (n > 0) {
		if (n < msg->len - msg->sent) {
			msg->sent += n;
			return;
		}
		n -= msg->len - msg->sent;
		out_drop(imsgbuf, msg);
		msg = TAILQ_FIRST(&imsgbuf->out);
	}
}

int
imsgbuf_write(struct imsgbuf *imsgbuf)
{
	ssize_t	n;

	while (!TAILQ_EMPTY(&imsgbuf->out)) {
		if ((n = out_send(imsgbuf)) == -1) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN || errno == ENOBUFS)
				return (0);
			return (-1);
		}
		out_sent(imsgbuf, n);
	}
	return (0);
}

int
imsgbuf_flush(struct imsgbuf *imsgbuf)
{
	while (imsgbuf->queued > 0)
		if (imsgbuf_write(imsgbuf) == -1)
			return (-1);
	return (0);
}

/*
 * The descriptor of what was received, or -1.  More than one is against the
 * protocol, and with a truncated list nobody can tell what is missing: then
 * none is kept.
 */
static int
in_control(struct msghdr *mh)
{
	struct cmsghdr	*cmsg;
	size_t		 i, n;
	int		 fd, keep, total;

	keep = -1;
	total = 0;
	for (cmsg = CMSG_FIRSTHDR(mh); cmsg != NULL;
	    cmsg = CMSG_NXTHDR(mh, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int),
			    sizeof(int));
			if (total++ == 0)
				keep = fd;
			else
				close(fd);
		}
	}
	if (keep != -1 && (total > 1 || (mh->msg_flags & MSG_CTRUNC))) {
		close(keep);
		keep = -1;
	}
	return (keep);
}

/*
 * Check the headers that became whole with the bytes from START on, and give
 * the descriptor FD that came with those bytes to the marked message that
 * begins in them.  A mark without a descriptor is wiped out, so that
 * imsgbuf->fds are those of the marked messages, in order; a descriptor
 * without a mark is closed.  Thus one that got lost on its way (the process
 * had too many open) is never replaced by the next message's.
 */
static void
in_scan(struct imsgbuf *imsgbuf, size_t start, int fd)
{
	struct imsg_hdr	 hdr;
	size_t		 len;
	int		*from;

	while (imsgbuf->scan < imsgbuf->wpos) {
		from = imsgbuf->scan < start ? &imsgbuf->earlyfd : &fd;
		if (imsgbuf->wpos - imsgbuf->scan < IMSG_HEADER_SIZE) {
			if (from == &fd) {
				imsgbuf->earlyfd = fd;
				return;
			}
			break;
		}
		memcpy(&hdr, imsgbuf->in + imsgbuf->scan, sizeof(hdr));
		len = hdr.len & ~IMSG_HASFD;
		if (len < IMSG_HEADER_SIZE || len > imsgbuf->maxsize) {
			imsgbuf->flags |= IMSG_BROKEN;
			break;
		}
		if ((hdr.len & IMSG_HASFD) && *from != -1) {
			imsgbuf->fds[imsgbuf->nfds++] = *from;
			*from = -1;
		} else if (hdr.len & IMSG_HASFD) {
			hdr.len = len;
			memcpy(imsgbuf->in + imsgbuf->scan, &hdr, sizeof(hdr));
		}
		if (from == &imsgbuf->earlyfd && *from != -1) {
			close(*from);
			*from = -1;
		}
		imsgbuf->scan += len;
	}
	if (fd != -1)
		close(fd);
}

int
imsgbuf_read(struct imsgbuf *imsgbuf)
{
	union imsg_control	 control;
	struct msghdr		 mh;
	struct iovec		 iov;
	ssize_t			 n;
	size_t			 start;

	if (imsgbuf->in == NULL || (imsgbuf->flags & IMSG_BROKEN)) {
		errno = imsgbuf->in == NULL ? EINVAL : ERANGE;
		return (-1);
	}
	if (imsgbuf->rpos > 0) {
		imsgbuf->wpos -= imsgbuf->rpos;
		imsgbuf->scan -= imsgbuf->rpos;
		memmove(imsgbuf->in, imsgbuf->in + imsgbuf->rpos,
		    imsgbuf->wpos);
		/* What was got is wiped: so is the place of this. */
		if (imsgbuf->wpos > 0)
			explicit_bzero(imsgbuf->in + imsgbuf->wpos,
			    imsgbuf->rpos);
		imsgbuf->rpos = 0;
	}
	/*
	 * Then there is something to get: a single message always fits, and
	 * of two messages with descriptors the first is whole.  What is read
	 * may bring two: an early one comes into its own, and a new one.
	 */
	if (imsgbuf->wpos == imsgbuf->insize ||
	    imsgbuf->nfds > IMSG_MAXFDS - 2)
		return (1);

	iov.iov_base = imsgbuf->in + imsgbuf->wpos;
	iov.iov_len = imsgbuf->insize - imsgbuf->wpos;
	do {
		memset(&mh, 0, sizeof(mh));
		mh.msg_iov = &iov;
		mh.msg_iovlen = 1;
		/* Without a place for them the kernel discards descriptors. */
		if (imsgbuf->flags & IMSG_FDPASS) {
			memset(&control, 0, sizeof(control));
			mh.msg_control = &control;
			mh.msg_controllen = sizeof(control);
		}
		n = recvmsg(imsgbuf->fd, &mh, MSG_CMSG_CLOEXEC);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		return (errno == EAGAIN ? 1 : -1);
	if (n == 0)
		return (0);

	start = imsgbuf->wpos;
	imsgbuf->wpos += n;
	in_scan(imsgbuf, start, in_control(&mh));
	return (1);
}

int
imsgbuf_get(struct imsgbuf *imsgbuf, struct imsg *imsg)
{
	struct imsg_hdr	 hdr;
	size_t		 len;
	void		*data;
	int		 fd;

	if (imsgbuf->rpos == imsgbuf->scan) {
		if ((imsgbuf->flags & IMSG_BROKEN) == 0)
			return (0);
		errno = ERANGE;
		return (-1);
	}
	memcpy(&hdr, imsgbuf->in + imsgbuf->rpos, sizeof(hdr));
	len = hdr.len & ~IMSG_HASFD;
	if (len > imsgbuf->wpos - imsgbuf->rpos)
		return (0);

	data = NULL;
	if (len > sizeof(hdr)) {
		if ((data = malloc(len - sizeof(hdr))) == NULL)
			return (-1);
		memcpy(data, imsgbuf->in + imsgbuf->rpos + sizeof(hdr),
		    len - sizeof(hdr));
		/* It may be a key, and the buffer lives long. */
		explicit_bzero(imsgbuf->in + imsgbuf->rpos + sizeof(hdr),
		    len - sizeof(hdr));
	}
	fd = -1;
	if (hdr.len & IMSG_HASFD) {
		fd = imsgbuf->fds[0];
		memmove(imsgbuf->fds, imsgbuf->fds + 1,
		    --imsgbuf->nfds * sizeof(int));
	}
	imsgbuf->rpos += len;
	hdr.len = len;
	imsg->hdr = hdr;
	imsg->data = data;
	imsg->fd = fd;
	imsg->taken = 0;
	return (1);
}

uint32_t
imsg_get_type(struct imsg *imsg)
{
	return (imsg->hdr.type);
}

uint32_t
imsg_get_id(struct imsg *imsg)
{
	return (imsg->hdr.peerid);
}

pid_t
imsg_get_pid(struct imsg *imsg)
{
	return (imsg->hdr.pid);
}

size_t
imsg_get_len(struct imsg *imsg)
{
	return (imsg->hdr.len - IMSG_HEADER_SIZE);
}

int
imsg_get_data(struct imsg *imsg, void *data, size_t len)
{
	if (len == 0) {
		errno = EINVAL;
		return (-1);
	}
	if (imsg->taken || len != imsg_get_len(imsg)) {
		errno = EBADMSG;
		return (-1);
	}
	memcpy(data, imsg->data, len);
	imsg->taken = 1;
	return (0);
}

int
imsg_get_fd(struct imsg *imsg)
{
	int	fd;

	fd = imsg->fd;
	imsg->fd = -1;
	return (fd);
}

void
imsg_free(struct imsg *imsg)
{
	if (imsg->fd != -1)
		close(imsg->fd);
	freezero(imsg->data, imsg_get_len(imsg));
	imsg->fd = -1;
	imsg->data = NULL;
	imsg->hdr.len = IMSG_HEADER_SIZE;
	imsg->taken = 0;
}
