/* imsg over a socketpair: cuts, limits, descriptors, and hostile peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg.h"

#define PAYLOAD_MAX	(MAX_IMSGSIZE - IMSG_HEADER_SIZE)
#define HASFD		0x80000000U

static struct imsgbuf	a, b;
static int		fds_before;

static int
open_fds(void)
{
	DIR	*dir;
	int	 n;

	assert_non_null(dir = opendir("/proc/self/fd"));
	for (n = 0; readdir(dir) != NULL; n++)
		continue;
	closedir(dir);
	return (n);
}

static void
nonblock(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static int
setup(void **state)
{
	int	sv[2];

	(void)state;
	fds_before = open_fds();
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1 ||
	    imsgbuf_init(&a, sv[0]) == -1 || imsgbuf_init(&b, sv[1]) == -1)
		return (-1);
	nonblock(sv[0]);
	nonblock(sv[1]);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	imsgbuf_clear(&a);
	imsgbuf_clear(&b);
	close(a.fd);
	close(b.fd);
	return (open_fds() == fds_before ? 0 : -1);
}

static int
setup_fds(void **state)
{
	if (setup(state) == -1)
		return (-1);
	imsgbuf_allow_fdpass(&a);
	imsgbuf_allow_fdpass(&b);
	return (0);
}

/* A new descriptor that can be told from others. */
static int
new_fd(void)
{
	int	fd;

	fd = open("/dev/null", O_RDONLY);
	assert_true(fd != -1);
	return (fd);
}

static int
numbered_fd(int n)
{
	char	buf[16];
	FILE	*f;
	int	 fd;

	assert_non_null(f = tmpfile());
	fprintf(f, "%d", n);
	fflush(f);
	fd = dup(fileno(f));
	fclose(f);
	assert_true(fd != -1);
	assert_true(pread(fd, buf, sizeof(buf), 0) > 0);
	return (fd);
}

static int
number_of(int fd)
{
	char	buf[16];
	ssize_t	n;

	n = pread(fd, buf, sizeof(buf) - 1, 0);
	if (n == -1)
		return (-1);
	buf[n] = '\0';
	return (atoi(buf));
}

static void
fill(uint8_t *p, size_t len, uint32_t seed)
{
	for (; len > 0; len--) {
		seed = seed * 1664525 + 1013904223;
		*p++ = seed >> 24;
	}
}

static void
compose(struct imsgbuf *buf, uint32_t n, size_t len, int fd)
{
	static uint8_t	data[MAX_IMSGSIZE];

	fill(data, len, n);
	assert_int_equal(imsg_compose(buf, n, n + 1, 0, fd, data, len), 1);
}

static void
expect(struct imsg *imsg, uint32_t n, size_t len)
{
	static uint8_t	want[MAX_IMSGSIZE], data[MAX_IMSGSIZE];

	assert_int_equal(imsg_get_type(imsg), n);
	assert_int_equal(imsg_get_id(imsg), n + 1);
	assert_int_equal(imsg_get_pid(imsg), getpid());
	assert_int_equal(imsg_get_len(imsg), len);
	if (len > 0) {
		fill(want, len, n);
		assert_int_equal(imsg_get_data(imsg, data, len), 0);
		assert_memory_equal(data, want, len);
	}
}

/* Send raw bytes to b, with COUNT times FD. */
static void
send_raw(const void *data, size_t len, int fd, size_t count)
{
	union {
		struct cmsghdr	hdr;
		char		buf[CMSG_SPACE(sizeof(int) * 8)];
	} control;
	struct msghdr	 mh;
	struct cmsghdr	*cmsg;
	struct iovec	 iov;
	uint8_t		 copy[256];
	size_t		 i;

	assert_true(len <= sizeof(copy) && count <= 8);
	memcpy(copy, data, len);
	memset(&mh, 0, sizeof(mh));
	memset(&control, 0, sizeof(control));
	iov.iov_base = copy;
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
		for (i = 0; i < count; i++)
			memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &fd,
			    sizeof(int));
	}
	assert_int_equal(sendmsg(a.fd, &mh, MSG_NOSIGNAL), len);
}

static struct imsg_hdr
header(uint32_t type, uint32_t len)
{
	struct imsg_hdr	hdr;

	hdr.type = type;
	hdr.len = len;
	hdr.peerid = hdr.pid = 0;
	return (hdr);
}

/* All bytes that a would send. */
static size_t
stream(uint8_t *out, size_t size)
{
	size_t	len;
	ssize_t	n;

	len = 0;
	do {
		assert_int_equal(imsgbuf_write(&a), 0);
		while ((n = read(b.fd, out + len, size - len)) > 0)
			len += n;
	} while (imsgbuf_queuelen(&a) > 0);
	return (len);
}

static void
there_and_back(void **state)
{
	struct imsg	imsg;
	struct iovec	iov[3];
	char		one[] = "one", two[] = "two", buf[6];

	(void)state;
	assert_int_equal(IMSG_HEADER_SIZE, 16);
	assert_int_equal(imsgbuf_queuelen(&a), 0);
	assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(imsgbuf_get(&b, &imsg), 0);
	assert_int_equal(imsg_compose(&a, 1, 2, 3, -1, "hello", 5), 1);
	iov[0].iov_base = one;
	iov[1].iov_base = NULL;
	iov[2].iov_base = two;
	iov[0].iov_len = iov[2].iov_len = 3;
	iov[1].iov_len = 0;
	assert_int_equal(imsg_composev(&a, 4, 5, 0, -1, iov, 3), 1);
	assert_int_equal(imsg_compose(&a, 0xffffffff, 0, 0, -1, NULL, 0), 1);
	assert_int_equal(imsg_composev(&a, 6, 0, 0, -1, NULL, 0), 1);
	assert_int_equal(imsgbuf_queuelen(&a), 4);
	assert_int_equal(imsgbuf_write(&a), 0);
	assert_int_equal(imsgbuf_queuelen(&a), 0);
	assert_int_equal(imsgbuf_write(&a), 0);
	assert_int_equal(imsgbuf_flush(&a), 0);
	assert_int_equal(imsgbuf_read(&b), 1);

	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	assert_int_equal(imsg_get_type(&imsg), 1);
	assert_int_equal(imsg_get_id(&imsg), 2);
	assert_int_equal(imsg_get_pid(&imsg), 3);
	assert_int_equal(imsg_get_fd(&imsg), -1);
	assert_int_equal(imsg_get_data(&imsg, buf, 5), 0);
	assert_memory_equal(buf, "hello", 5);
	imsg_free(&imsg);
	imsg_free(&imsg);

	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	assert_int_equal(imsg_get_pid(&imsg), getpid());
	assert_int_equal(imsg_get_data(&imsg, buf, 6), 0);
	assert_memory_equal(buf, "onetwo", 6);
	imsg_free(&imsg);

	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	assert_true(imsg_get_type(&imsg) == 0xffffffff);
	assert_int_equal(imsg_get_len(&imsg), 0);
	imsg_free(&imsg);
	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	assert_int_equal(imsg_get_type(&imsg), 6);
	imsg_free(&imsg);
	assert_int_equal(imsgbuf_get(&b, &imsg), 0);
}

static void
lengths_of_data(void **state)
{
	struct imsg	imsg;
	uint8_t		buf[8];

	(void)state;
	assert_int_equal(imsg_compose(&a, 1, 0, 0, -1, "1234", 4), 1);
	assert_int_equal(imsg_compose(&a, 1, 0, 0, -1, NULL, 0), 1);
	assert_int_equal(imsgbuf_flush(&a), 0);
	assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	memset(buf, 0xee, sizeof(buf));
	errno = 0;
	assert_int_equal(imsg_get_data(&imsg, buf, 3), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(imsg_get_data(&imsg, buf, 5), -1);
	assert_int_equal(imsg_get_data(&imsg, buf, SIZE_MAX), -1);
	assert_int_equal(imsg_get_data(&imsg, buf, 0), -1);
	assert_int_equal(buf[0], 0xee);
	assert_int_equal(imsg_get_data(&imsg, buf, 4), 0);
	assert_memory_equal(buf, "1234\xee", 5);
	/* In one go, and once. */
	assert_int_equal(imsg_get_data(&imsg, buf, 4), -1);
	imsg_free(&imsg);
	assert_int_equal(imsg_get_data(&imsg, buf, 4), -1);
	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	assert_int_equal(imsg_get_data(&imsg, buf, 1), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(imsg_get_data(&imsg, NULL, 0), -1);
	assert_int_equal(errno, EINVAL);
	imsg_free(&imsg);
}

static void
byte_by_byte(void **state)
{
	static const size_t	lens[] = { 0, 1, 100, 0, 0, 3, 1000, 17 };
	static uint8_t		bytes[4096];
	struct imsg		imsg;
	size_t			at, i, len, seen, end;

	(void)state;
	for (i = 0; i < 8; i++)
		compose(&a, i, lens[i], -1);
	len = stream(bytes, sizeof(bytes));
	seen = 0;
	end = IMSG_HEADER_SIZE + lens[0];
	for (at = 0; at < len; at++) {
		send_raw(bytes + at, 1, -1, 0);
		assert_int_equal(imsgbuf_read(&b), 1);
		if (at + 1 < end) {
			assert_int_equal(imsgbuf_get(&b, &imsg), 0);
			continue;
		}
		assert_int_equal(imsgbuf_get(&b, &imsg), 1);
		expect(&imsg, seen, lens[seen]);
		imsg_free(&imsg);
		assert_int_equal(imsgbuf_get(&b, &imsg), 0);
		if (++seen < 8)
			end += IMSG_HEADER_SIZE + lens[seen];
	}
	assert_int_equal(seen, 8);
}

static void
random_cuts(void **state)
{
	static uint8_t	bytes[1 << 20];
	size_t		lens[200], at, len, n, total;
	struct imsg	imsg;
	uint32_t	i, got;
	int		round;

	(void)state;
	srandom(3);
	for (round = 0; round < 20; round++) {
		total = 0;
		for (i = 0; i < 200; i++) {
			lens[i] = random() % (random() % 10 ? 100 :
			    PAYLOAD_MAX + 1);
			compose(&a, i, lens[i], -1);
			total += IMSG_HEADER_SIZE + lens[i];
		}
		len = stream(bytes, sizeof(bytes));
		assert_int_equal(len, total);
		got = 0;
		for (at = 0; at < len; at += n) {
			n = 1 + random() % (random() % 4 ? 300 : 40000);
			if (n > len - at)
				n = len - at;
			assert_int_equal(write(a.fd, bytes + at, n), n);
			assert_int_equal(imsgbuf_read(&b), 1);
			/* Not always, so that messages pile up. */
			while (random() % 8 && imsgbuf_get(&b, &imsg) == 1) {
				expect(&imsg, got, lens[got]);
				imsg_free(&imsg);
				got++;
			}
		}
		while (imsgbuf_read(&b) == 1 && imsgbuf_get(&b, &imsg) == 1) {
			expect(&imsg, got, lens[got]);
			imsg_free(&imsg);
			got++;
		}
		assert_int_equal(got, 200);
	}
}

static void
sizes(void **state)
{
	static uint8_t	big[MAX_IMSGSIZE + 1];
	struct iovec	iov[3];
	struct imsg	imsg;

	(void)state;
	compose(&a, 1, PAYLOAD_MAX, -1);
	errno = 0;
	assert_int_equal(imsg_compose(&a, 1, 0, 0, -1, big, PAYLOAD_MAX + 1),
	    -1);
	assert_int_equal(errno, ERANGE);
	assert_int_equal(imsg_compose(&a, 1, 0, 0, -1, big, SIZE_MAX), -1);
	assert_int_equal(imsg_compose(&a, 1, 0, 0, -1, big, 0xfffffff0U), -1);
	iov[0].iov_base = iov[1].iov_base = iov[2].iov_base = big;
	iov[0].iov_len = PAYLOAD_MAX;
	iov[1].iov_len = 0;
	iov[2].iov_len = 1;
	errno = 0;
	assert_int_equal(imsg_composev(&a, 1, 0, 0, -1, iov, 3), -1);
	assert_int_equal(errno, ERANGE);
	iov[1].iov_len = SIZE_MAX;
	iov[2].iov_len = 16;
	assert_int_equal(imsg_composev(&a, 1, 0, 0, -1, iov, 3), -1);
	assert_int_equal(imsg_composev(&a, 9, 0, 0, -1, iov, 1), 1);
	assert_int_equal(imsgbuf_queuelen(&a), 2);
	assert_int_equal(imsgbuf_flush(&a), 0);
	assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	expect(&imsg, 1, PAYLOAD_MAX);
	imsg_free(&imsg);
	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	assert_int_equal(imsg_get_type(&imsg), 9);
	imsg_free(&imsg);
}

static void
other_maximum(void **state)
{
	static uint8_t	big[300000], back[300000];
	struct imsg	imsg;
	int		n;

	(void)state;
	assert_int_equal(imsgbuf_set_maxsize(&a, 0x7ffffff0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(imsgbuf_set_maxsize(&a, UINT32_MAX), -1);
	assert_int_equal(imsgbuf_set_maxsize(&a, sizeof(big)), 0);
	compose(&b, 7, 10, -1);
	assert_int_equal(imsgbuf_flush(&b), 0);
	assert_int_equal(imsgbuf_read(&a), 1);
	/* Growing keeps what was received. */
	assert_int_equal(imsgbuf_set_maxsize(&a, sizeof(big) + 1), 0);
	assert_int_equal(imsgbuf_get(&a, &imsg), 1);
	expect(&imsg, 7, 10);
	imsg_free(&imsg);
	assert_int_equal(imsgbuf_set_maxsize(&a, sizeof(big)), 0);

	assert_int_equal(imsgbuf_set_maxsize(&b, sizeof(big)), 0);
	fill(big, sizeof(big), 5);
	assert_int_equal(imsg_compose(&a, 1, 0, 0, -1, big, sizeof(big) + 1),
	    -1);
	assert_int_equal(imsg_compose(&a, 1, 0, 0, -1, big, sizeof(big)), 1);
	for (n = 0; n == 0;) {
		assert_int_equal(imsgbuf_write(&a), 0);
		assert_int_equal(imsgbuf_read(&b), 1);
		n = imsgbuf_get(&b, &imsg);
	}
	assert_int_equal(n, 1);
	assert_int_equal(imsg_get_data(&imsg, back, sizeof(back)), 0);
	assert_memory_equal(big, back, sizeof(big));
	imsg_free(&imsg);

	assert_int_equal(imsgbuf_set_maxsize(&b, 10), 0);
	compose(&a, 1, 10, -1);
	compose(&a, 2, 11, -1);
	assert_int_equal(imsgbuf_flush(&a), 0);
	assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	expect(&imsg, 1, 10);
	imsg_free(&imsg);
	assert_int_equal(imsgbuf_get(&b, &imsg), -1);
	assert_int_equal(errno, ERANGE);
}

static void
hostile_headers(void **state)
{
	static const uint32_t	lens[] = { 0, 1, 15, MAX_IMSGSIZE + 1, 0xffff,
	    0x10000, 0x7fffffff, 0x80000000, 0x8000000f, 0x80004001,
	    0xffffffff };
	struct imsg_hdr		good, bad;
	struct imsg		imsg;
	size_t			i;

	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		if (i > 0)
			assert_int_equal(setup_fds(state), 0);
		good = header(1, IMSG_HEADER_SIZE);
		send_raw(&good, sizeof(good), -1, 0);
		bad = header(2, lens[i]);
		send_raw(&bad, sizeof(bad), STDIN_FILENO, 1);
		send_raw(&good, sizeof(good), STDIN_FILENO, 1);
		assert_int_equal(imsgbuf_read(&b), 1);
		/* What came before is good; then nothing is, for ever. */
		assert_int_equal(imsgbuf_get(&b, &imsg), 1);
		imsg_free(&imsg);
		errno = 0;
		assert_int_equal(imsgbuf_get(&b, &imsg), -1);
		assert_int_equal(errno, ERANGE);
		errno = 0;
		assert_int_equal(imsgbuf_read(&b), -1);
		assert_int_equal(errno, ERANGE);
		assert_int_equal(imsgbuf_get(&b, &imsg), -1);
		if (i + 1 < sizeof(lens) / sizeof(lens[0]))
			assert_int_equal(teardown(state), 0);
	}
}

static void
one_fd(void **state)
{
	struct imsg	imsg;
	struct stat	want, got;
	int		fd;

	(void)state;
	fd = new_fd();
	assert_int_equal(fstat(fd, &want), 0);
	compose(&a, 1, 5, fd);
	assert_int_equal(fstat(fd, &got), 0);
	assert_int_equal(imsgbuf_flush(&a), 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	expect(&imsg, 1, 5);
	fd = imsg_get_fd(&imsg);
	assert_true(fd != -1);
	assert_int_equal(imsg_get_fd(&imsg), -1);
	imsg_free(&imsg);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fstat(fd, &got), 0);
	assert_int_equal(got.st_rdev, want.st_rdev);
	close(fd);
}

static void
many_fds(void **state)
{
	struct imsg	imsg;
	int		fd, i, j, got, reads;

	(void)state;
	for (i = 0; i < 60; i++) {
		compose(&a, i, i * 7, i % 3 == 0 ? numbered_fd(i) : -1);
		if (i % 5 == 0)
			for (j = 0; j < 3; j++)
				compose(&a, 1000, 1, -1);
	}
	assert_int_equal(imsgbuf_flush(&a), 0);
	got = reads = 0;
	while (got < 60) {
		assert_true(reads++ < 100);
		assert_int_equal(imsgbuf_read(&b), 1);
		while (imsgbuf_get(&b, &imsg) == 1) {
			fd = imsg_get_fd(&imsg);
			if (imsg_get_type(&imsg) == 1000) {
				assert_int_equal(fd, -1);
				imsg_free(&imsg);
				continue;
			}
			expect(&imsg, got, got * 7);
			if (got % 3 == 0) {
				assert_int_equal(number_of(fd), got);
				close(fd);
			} else
				assert_int_equal(fd, -1);
			imsg_free(&imsg);
			got++;
		}
	}
}

/* Nothing is got until nothing more is received: bounded, and in order. */
static void
fds_pile_up(void **state)
{
	struct imsg	imsg;
	int		before, fd, i, got;

	(void)state;
	before = open_fds();
	for (i = 0; i < 50; i++)
		compose(&a, i, 3, numbered_fd(i));
	assert_int_equal(imsgbuf_flush(&a), 0);
	got = 0;
	while (got < 50) {
		for (i = 0; i < 40; i++)
			assert_int_equal(imsgbuf_read(&b), 1);
		assert_true(open_fds() <= before + IMSG_MAXFDS);
		while (imsgbuf_get(&b, &imsg) == 1) {
			fd = imsg_get_fd(&imsg);
			assert_int_equal(number_of(fd), got);
			expect(&imsg, got, 3);
			close(fd);
			imsg_free(&imsg);
			got++;
		}
	}
}

static void
unclaimed_fds(void **state)
{
	struct imsg	imsg;
	int		before, i;

	(void)state;
	before = open_fds();
	for (i = 0; i < 6; i++)
		compose(&a, i, 1, new_fd());
	assert_int_equal(open_fds(), before + 6);
	assert_int_equal(imsgbuf_flush(&a), 0);
	assert_int_equal(open_fds(), before);
	for (i = 0; i < 6; i++)
		assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(open_fds(), before + 6);
	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	imsg_free(&imsg);
	assert_int_equal(open_fds(), before + 5);
	imsgbuf_clear(&b);
	assert_int_equal(open_fds(), before);
	imsgbuf_clear(&b);
	assert_int_equal(imsgbuf_read(&b), -1);
	assert_int_equal(imsgbuf_get(&b, &imsg), 0);
}

static void
queued_fds_are_cleared(void **state)
{
	int	before, i;

	(void)state;
	before = open_fds();
	for (i = 0; i < 6; i++)
		compose(&a, i, 100, i % 2 ? new_fd() : -1);
	assert_int_equal(open_fds(), before + 3);
	assert_int_equal(imsgbuf_queuelen(&a), 6);
	imsgbuf_clear(&a);
	assert_int_equal(imsgbuf_queuelen(&a), 0);
	assert_int_equal(open_fds(), before);
	assert_int_equal(imsgbuf_write(&a), 0);
}

static void
fds_not_allowed(void **state)
{
	struct imsg_hdr	hdr;
	struct imsg	imsg;
	int		before, fd;

	(void)state;
	before = open_fds();
	fd = new_fd();
	errno = 0;
	assert_int_equal(imsg_compose(&a, 1, 0, 0, fd, NULL, 0), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(imsg_composev(&a, 1, 0, 0, fd, NULL, 0), -1);
	assert_int_equal(imsgbuf_queuelen(&a), 0);
	assert_int_equal(close(fd), 0);

	imsgbuf_allow_fdpass(&a);
	compose(&a, 1, 3, new_fd());
	assert_int_equal(imsgbuf_flush(&a), 0);
	hdr = header(2, IMSG_HEADER_SIZE);
	send_raw(&hdr, sizeof(hdr), STDIN_FILENO, 3);
	while (imsgbuf_get(&b, &imsg) == 0)
		assert_int_equal(imsgbuf_read(&b), 1);
	expect(&imsg, 1, 3);
	assert_int_equal(imsg_get_fd(&imsg), -1);
	imsg_free(&imsg);
	while (imsgbuf_get(&b, &imsg) == 0)
		assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(imsg_get_type(&imsg), 2);
	assert_int_equal(imsg_get_fd(&imsg), -1);
	imsg_free(&imsg);
	assert_int_equal(open_fds(), before);
}

/* Get one message of b and say whether it had a descriptor. */
static int
get_had_fd(uint32_t type)
{
	struct imsg	imsg;
	int		fd;

	while (imsgbuf_get(&b, &imsg) == 0)
		assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(imsg_get_type(&imsg), type);
	fd = imsg_get_fd(&imsg);
	if (fd != -1)
		close(fd);
	imsg_free(&imsg);
	return (fd != -1);
}

static void
hostile_fds(void **state)
{
	struct imsg_hdr	plain, marked, two[2];
	uint8_t		byte = 0;
	size_t		i;
	int		before, n;

	(void)state;
	before = open_fds();
	plain = header(1, IMSG_HEADER_SIZE);
	marked = header(2, IMSG_HEADER_SIZE | HASFD);
	/* A mark without a descriptor, and a descriptor without a mark. */
	send_raw(&marked, sizeof(marked), -1, 0);
	assert_int_equal(get_had_fd(2), 0);
	send_raw(&plain, sizeof(plain), STDIN_FILENO, 1);
	assert_int_equal(get_had_fd(1), 0);
	send_raw(&marked, sizeof(marked), STDIN_FILENO, 1);
	assert_int_equal(get_had_fd(2), 1);
	/* Too many at once: none, and the next has its own. */
	for (n = 2; n <= 8; n++) {
		send_raw(&marked, sizeof(marked), STDIN_FILENO, n);
		send_raw(&marked, sizeof(marked), STDIN_FILENO, 1);
		assert_int_equal(get_had_fd(2), 0);
		assert_int_equal(get_had_fd(2), 1);
	}
	assert_int_equal(open_fds(), before);
	/* Two marked, one descriptor: the first has it. */
	two[0] = two[1] = marked;
	send_raw(two, sizeof(two), STDIN_FILENO, 1);
	assert_int_equal(get_had_fd(2), 1);
	assert_int_equal(get_had_fd(2), 0);
	/* One byte at a time, each with a descriptor: the first's counts. */
	for (i = 0; i < sizeof(marked); i++) {
		send_raw((uint8_t *)&marked + i, 1, STDIN_FILENO, 1);
		assert_int_equal(imsgbuf_read(&b), 1);
		assert_true(open_fds() <= before + 1);
	}
	assert_int_equal(get_had_fd(2), 1);
	for (i = 0; i < sizeof(marked); i++) {
		send_raw((uint8_t *)&marked + i, 1, STDIN_FILENO, i > 0);
		assert_int_equal(imsgbuf_read(&b), 1);
		assert_int_equal(open_fds(), before);
	}
	assert_int_equal(get_had_fd(2), 0);
	/* An early one that nobody is marked for. */
	send_raw(&plain, 5, STDIN_FILENO, 1);
	assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(open_fds(), before + 1);
	send_raw((uint8_t *)&plain + 5, sizeof(plain) - 5, -1, 0);
	assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(open_fds(), before);
	assert_int_equal(get_had_fd(1), 0);
	/* A descriptor with each byte of a payload. */
	plain.len = IMSG_HEADER_SIZE + 500;
	send_raw(&plain, sizeof(plain), -1, 0);
	for (i = 0; i < 500; i++) {
		send_raw(&byte, 1, STDIN_FILENO, 1);
		assert_int_equal(imsgbuf_read(&b), 1);
		assert_int_equal(open_fds(), before);
	}
	assert_int_equal(get_had_fd(1), 0);
	/* Left in the middle of a header, the descriptor goes with clear. */
	send_raw(&marked, 5, STDIN_FILENO, 1);
	assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(open_fds(), before + 1);
	imsgbuf_clear(&b);
	assert_int_equal(open_fds(), before);
}

/* A read can bring two: that of an early header's start, and a new one. */
static void
fds_at_the_bound(void **state)
{
	struct imsg_hdr	marked;
	int		full, i, n;

	(void)state;
	marked = header(2, IMSG_HEADER_SIZE | HASFD);
	for (full = IMSG_MAXFDS - 4; full <= IMSG_MAXFDS; full++) {
		for (n = 0; n < full; n++) {
			send_raw(&marked, sizeof(marked), STDIN_FILENO, 1);
			assert_int_equal(imsgbuf_read(&b), 1);
		}
		send_raw(&marked, 5, STDIN_FILENO, 1);
		assert_int_equal(imsgbuf_read(&b), 1);
		send_raw((uint8_t *)&marked + 5, sizeof(marked) - 5, -1, 0);
		n++;
		for (i = 0; i < 5; i++, n++)
			send_raw(&marked, sizeof(marked), STDIN_FILENO, 1);
		for (i = 0; i < 10; i++)
			assert_int_equal(imsgbuf_read(&b), 1);
		assert_true(b.nfds <= IMSG_MAXFDS && b.nfds > full - 2);
		for (; n > 0; n--)
			assert_int_equal(get_had_fd(2), 1);
	}
}

/* A message that goes in parts takes its descriptor along once. */
static void
fd_of_a_long_one(void **state)
{
	static uint8_t	big[1000000];
	struct imsg	imsg;
	int		before, fd;

	(void)state;
	assert_int_equal(imsgbuf_set_maxsize(&a, sizeof(big)), 0);
	assert_int_equal(imsgbuf_set_maxsize(&b, sizeof(big)), 0);
	fd = numbered_fd(77);
	before = open_fds();
	assert_int_equal(imsg_compose(&a, 1, 0, 0, fd, big, sizeof(big)), 1);
	assert_int_equal(imsgbuf_write(&a), 0);
	assert_int_equal(imsgbuf_queuelen(&a), 1);
	assert_int_equal(open_fds(), before - 1);
	while (imsgbuf_get(&b, &imsg) == 0) {
		assert_int_equal(imsgbuf_read(&b), 1);
		assert_int_equal(open_fds(), before);
		assert_int_equal(imsgbuf_write(&a), 0);
	}
	fd = imsg_get_fd(&imsg);
	assert_int_equal(number_of(fd), 77);
	close(fd);
	imsg_free(&imsg);
}

/* With no room in the table the message comes, and the next has its own. */
static void
too_many_open(void **state)
{
	struct rlimit	old, low;
	struct imsg_hdr	hdr;
	struct imsg	imsg;
	int		fd;

	(void)state;
	compose(&a, 0, 3, numbered_fd(0));
	compose(&a, 1, 3, numbered_fd(1));
	assert_int_equal(imsgbuf_flush(&a), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	expect(&imsg, 0, 3);
	assert_int_equal(imsg_get_fd(&imsg), -1);
	imsg_free(&imsg);
	assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	expect(&imsg, 1, 3);
	fd = imsg_get_fd(&imsg);
	assert_int_equal(number_of(fd), 1);
	close(fd);
	imsg_free(&imsg);

	/* Room for one of two: it isn't taken for the only one. */
	hdr = header(2, IMSG_HEADER_SIZE | HASFD);
	send_raw(&hdr, sizeof(hdr), STDIN_FILENO, 2);
	fd = new_fd();
	low.rlim_cur = fd + 1;
	close(fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(get_had_fd(2), 0);
}

static void
peer_dies(void **state)
{
	struct imsg	imsg;
	int		before;

	(void)state;
	assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	compose(&a, 1, 3, -1);
	compose(&a, 2, 100, -1);
	assert_int_equal(imsgbuf_flush(&a), 0);
	send_raw("half", 4, -1, 0);
	close(a.fd);
	assert_int_equal(imsgbuf_read(&b), 1);
	assert_int_equal(imsgbuf_read(&b), 0);
	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	expect(&imsg, 1, 3);
	imsg_free(&imsg);
	assert_int_equal(imsgbuf_read(&b), 0);
	assert_int_equal(imsgbuf_get(&b, &imsg), 1);
	expect(&imsg, 2, 100);
	imsg_free(&imsg);
	assert_int_equal(imsgbuf_get(&b, &imsg), 0);
	before = open_fds();
	compose(&b, 3, 3, new_fd());
	errno = 0;
	assert_int_equal(imsgbuf_write(&b), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(imsgbuf_flush(&b), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(imsgbuf_queuelen(&b), 1);
	imsgbuf_clear(&b);
	assert_int_equal(open_fds(), before);
	assert_int_equal(imsgbuf_init(&b, b.fd), 0);
	a.fd = new_fd();		/* for the teardown to close */
}

static void
full_socket(void **state)
{
	struct imsg	imsg;
	uint32_t	left, n, sent;
	int		fd;

	(void)state;
	for (n = 0; n < 3000; n++)
		compose(&a, n, n % 5 ? n % 100 : 5000,
		    n % 100 == 99 ? numbered_fd(n) : -1);
	assert_int_equal(imsgbuf_queuelen(&a), 3000);
	assert_int_equal(imsgbuf_write(&a), 0);
	left = imsgbuf_queuelen(&a);
	assert_true(left > 0 && left < 3000);
	assert_int_equal(imsgbuf_write(&a), 0);
	assert_int_equal(imsgbuf_queuelen(&a), left);
	for (n = 0, sent = 0; n < 3000;) {
		assert_true(sent++ < 100000);
		assert_int_equal(imsgbuf_read(&b), 1);
		while (imsgbuf_get(&b, &imsg) == 1) {
			expect(&imsg, n, n % 5 ? n % 100 : 5000);
			fd = imsg_get_fd(&imsg);
			if (n % 100 == 99) {
				assert_int_equal(number_of(fd), n);
				close(fd);
			} else
				assert_int_equal(fd, -1);
			imsg_free(&imsg);
			n++;
		}
		assert_int_equal(imsgbuf_write(&a), 0);
	}
	assert_int_equal(imsgbuf_queuelen(&a), 0);
}

/* What nobody gets isn't received without an end, and nothing is lost. */
static void
full_buffer(void **state)
{
	struct imsg	imsg;
	uint32_t	n;
	int		i;

	(void)state;
	for (n = 0; n < 8; n++)
		compose(&a, n, PAYLOAD_MAX, -1);
	for (i = 0; i < 20; i++) {
		assert_int_equal(imsgbuf_write(&a), 0);
		assert_int_equal(imsgbuf_read(&b), 1);
	}
	for (n = 0; n < 8; n++) {
		while (imsgbuf_get(&b, &imsg) == 0) {
			assert_int_equal(imsgbuf_write(&a), 0);
			assert_int_equal(imsgbuf_read(&b), 1);
		}
		expect(&imsg, n, PAYLOAD_MAX);
		imsg_free(&imsg);
	}
}

/* Many small ones are one system call's worth on either side. */
static void
batches(void **state)
{
	struct imsg	imsg;
	uint32_t	n;

	(void)state;
	for (n = 0; n < 1000; n++)
		compose(&a, n, 8, -1);
	assert_int_equal(imsgbuf_write(&a), 0);
	assert_int_equal(imsgbuf_queuelen(&a), 0);
	assert_int_equal(imsgbuf_read(&b), 1);
	for (n = 0; n < 1000; n++) {
		assert_int_equal(imsgbuf_get(&b, &imsg), 1);
		expect(&imsg, n, 8);
		imsg_free(&imsg);
	}
	for (n = 0; n < 2500; n++)
		compose(&a, n, 0, -1);
	assert_int_equal(imsgbuf_flush(&a), 0);
	for (n = 0; n < 2500; n++) {
		while (imsgbuf_get(&b, &imsg) == 0)
			assert_int_equal(imsgbuf_read(&b), 1);
		expect(&imsg, n, 0);
		imsg_free(&imsg);
	}
}

static void
tick(int sig)
{
	(void)sig;
}

/* Interrupt every system call that waits for long. */
static void
timer(suseconds_t usec)
{
	struct sigaction	sa;
	struct itimerval	it;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = tick;
	assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
	it.it_interval.tv_sec = it.it_value.tv_sec = 0;
	it.it_interval.tv_usec = it.it_value.tv_usec = usec;
	assert_int_equal(setitimer(ITIMER_REAL, &it, NULL), 0);
}

/* Each side of a blocking pair has to wait for the other now and then. */
static void
interrupts(void **state)
{
	static uint8_t	data[8000];
	struct imsg	imsg;
	uint32_t	n;
	pid_t		pid;
	int		i, status;

	(void)state;
	assert_int_equal(fcntl(a.fd, F_SETFL, 0), 0);
	assert_int_equal(fcntl(b.fd, F_SETFL, 0), 0);
	fflush(NULL);
	assert_true((pid = fork()) != -1);
	if (pid == 0) {
		timer(1000);
		for (n = 0; n < 200; n++) {
			for (i = 0; n % 100 == 0 && i < 20; i++)
				usleep(1000);
			if (imsg_compose(&a, n, 0, 0, -1, data,
			    sizeof(data)) == -1 || imsgbuf_flush(&a) == -1)
				_exit(1);
		}
		_exit(0);
	}
	timer(1000);
	for (n = 0; n < 200;) {
		for (i = 0; n > 120 && n < 130 && i < 20; i++)
			usleep(1000);
		assert_int_equal(imsgbuf_read(&b), 1);
		while (imsgbuf_get(&b, &imsg) == 1) {
			assert_int_equal(imsg_get_type(&imsg), n++);
			imsg_free(&imsg);
		}
	}
	timer(0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
bad_socket(void **state)
{
	int	fd;

	(void)state;
	fd = a.fd;
	a.fd = -1;
	compose(&a, 1, 1, -1);
	assert_int_equal(imsgbuf_read(&a), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(imsgbuf_write(&a), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(imsgbuf_flush(&a), -1);
	a.fd = fd;
}

#define TEST(f)		cmocka_unit_test_setup_teardown(f, setup, teardown)
#define TEST_FDS(f)	cmocka_unit_test_setup_teardown(f, setup_fds, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(there_and_back),
		TEST(lengths_of_data),
		TEST(byte_by_byte),
		TEST(random_cuts),
		TEST(sizes),
		TEST(other_maximum),
		TEST_FDS(hostile_headers),
		TEST_FDS(one_fd),
		TEST_FDS(many_fds),
		TEST_FDS(fds_pile_up),
		TEST_FDS(unclaimed_fds),
		TEST_FDS(queued_fds_are_cleared),
		TEST(fds_not_allowed),
		TEST_FDS(hostile_fds),
		TEST_FDS(fds_at_the_bound),
		TEST_FDS(fd_of_a_long_one),
		TEST_FDS(too_many_open),
		TEST_FDS(peer_dies),
		TEST_FDS(full_socket),
		TEST(full_buffer),
		TEST(batches),
		TEST(interrupts),
		TEST(bad_socket)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
