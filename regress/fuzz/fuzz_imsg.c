/*
 * A peer that writes what it likes, in any cuts and with descriptors anywhere:
 * each message that comes out must be the next of the stream, and after it all
 * as many descriptors are open as before.
 *
 * Input: a byte of options, then chunks: a byte whose low six bits are the
 * length less one and whose top two say how many descriptors go along.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg.h"

#define MAXFD		64		/* none that leaks is beyond */
#define FDPASS		0x01
#define LATE		0x02		/* get only at the end */
#define SMALL		0x04		/* a small maximum size */

static uint8_t	stream[1 << 16];	/* what was sent ... */
static size_t	sent, seen;		/* and how much came out */

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static uint64_t
open_fds(void)
{
	uint64_t	set;
	int		fd;

	set = 0;
	for (fd = 0; fd < MAXFD; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			set |= UINT64_C(1) << fd;
	return (set);
}

static void
send_chunk(int s, uint8_t *data, size_t len, int null, int count)
{
	union {
		struct cmsghdr	hdr;
		char		buf[CMSG_SPACE(sizeof(int) * 3)];
	} control;
	struct msghdr	 mh;
	struct cmsghdr	*cmsg;
	struct iovec	 iov;
	int		 fds[3] = { null, null, null };

	memset(&mh, 0, sizeof(mh));
	memset(&control, 0, sizeof(control));
	iov.iov_base = data;
	iov.iov_len = len;
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	if (count > 0) {
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		cmsg = CMSG_FIRSTHDR(&mh);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * count);
	}
	if (sendmsg(s, &mh, MSG_NOSIGNAL) != (ssize_t)len)
		abort();
}

static int
drain(struct imsgbuf *buf)
{
	static uint8_t	data[MAX_IMSGSIZE];
	struct imsg_hdr	hdr;
	struct imsg	imsg;
	size_t		len;
	int		fd, n;

	while ((n = imsgbuf_get(buf, &imsg)) == 1) {
		len = imsg_get_len(&imsg);
		if (sent - seen < IMSG_HEADER_SIZE + len)
			abort();
		memcpy(&hdr, stream + seen, sizeof(hdr));
		if (imsg_get_type(&imsg) != hdr.type ||
		    imsg_get_id(&imsg) != hdr.peerid ||
		    (uint32_t)imsg_get_pid(&imsg) != hdr.pid ||
		    len != (hdr.len & 0x7fffffff) - IMSG_HEADER_SIZE)
			abort();
		if (len > 0 && (imsg_get_data(&imsg, data, len) == -1 ||
		    memcmp(data, stream + seen + IMSG_HEADER_SIZE, len) != 0))
			abort();
		/* Half of them are left to imsg_free(). */
		if (hdr.type & 1 && (fd = imsg_get_fd(&imsg)) != -1)
			close(fd);
		imsg_free(&imsg);
		seen += IMSG_HEADER_SIZE + len;
	}
	return (n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int	null = -1;
	struct imsgbuf	buf;
	uint64_t	before;
	size_t		len;
	int		i, options, sv[2];

	if (size < 1 || size > 8192)
		return (0);
	if (null == -1 && (null = open("/dev/null", O_RDONLY)) == -1)
		abort();
	before = open_fds();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv) == -1 ||
	    imsgbuf_init(&buf, sv[0]) == -1)
		abort();
	options = *data++;
	size--;
	if (options & FDPASS)
		imsgbuf_allow_fdpass(&buf);
	if (options & SMALL && imsgbuf_set_maxsize(&buf, 100) == -1)
		abort();
	sent = seen = 0;
	while (size > 1) {
		len = (data[0] & 0x3f) + 1;
		if (len > size - 1)
			len = size - 1;
		memcpy(stream + sent, data + 1, len);
		send_chunk(sv[1], stream + sent, len, null, data[0] >> 6);
		sent += len;
		data += 1 + len;
		size -= 1 + len;
		if (imsgbuf_read(&buf) == -1)
			break;
		if ((options & LATE) == 0 && drain(&buf) == -1)
			break;
	}
	close(sv[1]);
	for (i = 0; i < 10000; i++) {
		if (drain(&buf) == -1)
			break;
		if (imsgbuf_read(&buf) != 1)
			break;
	}
	if (i == 10000)
		abort();
	imsgbuf_clear(&buf);
	close(sv[0]);
	if (open_fds() != before)
		abort();
	return (0);
}
