/*
 * The ring: each send has its own result, whatever becomes of the others; none
 * waits for a socket; and nothing but sends can be asked of it.
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* Its insides, to ask of the ring what the module never would. */
#include "uring_linux.c"

#define NPAIRS		URING_MAX

static int		pairs[NPAIRS][2];
static struct uring_op	ops[NPAIRS];
static struct iovec	iov[NPAIRS][4];

static int
setup(void **state)
{
	int	 i;

	(void)state;
	for (i = 0; i < NPAIRS; i++)
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
		    pairs[i]) == -1)
			return (-1);
	return (uring_open());
}

static int
teardown(void **state)
{
	int	 i;

	(void)state;
	for (i = 0; i < NPAIRS; i++) {
		close(pairs[i][0]);
		close(pairs[i][1]);
	}
	if (ring.fd != -1)
		ring_close();
	return (0);
}

static void
op_set(int i, int fd, const char *bytes, size_t len)
{
	iov[i][0].iov_base = (char *)(uintptr_t)bytes;
	iov[i][0].iov_len = len;
	ops[i].fd = fd;
	ops[i].iov = iov[i];
	ops[i].niov = 1;
	ops[i].result = 12345;
}

static void
assert_receives(int fd, const char *want, size_t len)
{
	char	 buf[256];

	assert_true(len < sizeof(buf));
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), (ssize_t)len);
	assert_memory_equal(buf, want, len);
	assert_int_equal(recv(fd, buf, sizeof(buf), 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void
test_each_has_its_own(void **state)
{
	char	 text[NPAIRS][32];
	int	 i, n, round;

	(void)state;
	/* Odd numbers of them, so that they lie across the ring's end, too. */
	for (round = 0; round < 500; round++) {
		n = 1 + round * 7 % NPAIRS;
		for (i = 0; i < n; i++) {
			snprintf(text[i], sizeof(text[i]), "%d.%d", round, i);
			op_set(i, pairs[i][0], text[i], strlen(text[i]));
		}
		assert_int_equal(uring_send(ops, (unsigned int)n), 0);
		for (i = 0; i < n; i++) {
			assert_int_equal(ops[i].result, strlen(text[i]));
			assert_receives(pairs[i][1], text[i], strlen(text[i]));
		}
	}
	assert_int_equal(uring_send(ops, 0), 0);
}

static void
test_pieces_are_one_send(void **state)
{
	static char	 hello[] = "hello", comma[] = ", ", world[] = "world";
	int		 i;

	(void)state;
	for (i = 0; i < 3; i++) {
		op_set(i, pairs[i][0], hello, 5);
		iov[i][1].iov_base = comma;
		iov[i][1].iov_len = 2;
		iov[i][2].iov_base = world;
		iov[i][2].iov_len = 5;
		ops[i].niov = i + 1;
	}
	assert_int_equal(uring_send(ops, 3), 0);
	assert_int_equal(ops[0].result, 5);
	assert_int_equal(ops[1].result, 7);
	assert_int_equal(ops[2].result, 12);
	assert_receives(pairs[0][1], "hello", 5);
	assert_receives(pairs[1][1], "hello, ", 7);
	assert_receives(pairs[2][1], "hello, world", 12);
}

/* A full socket is no reason to wait, nor for the others not to go. */
static void
test_full(void **state)
{
	size_t	 size = 8 << 20;
	char	*big;
	int	 i;

	(void)state;
	assert_non_null(big = calloc(1, size));
	for (i = 0; i < 2; i++) {
		op_set(0, pairs[0][0], big, size);
		op_set(1, pairs[1][0], "x", 1);
		assert_int_equal(uring_send(ops, 2), 0);
		if (i == 0)
			assert_in_range(ops[0].result, 1, size - 1);
		else
			assert_int_equal(ops[0].result, -EAGAIN);
		assert_int_equal(ops[1].result, 1);
		assert_receives(pairs[1][1], "x", 1);
	}
	free(big);
}

/* Not by a signal either: SIGPIPE would be the end of this. */
static void
test_errors(void **state)
{
	(void)state;
	close(pairs[0][1]);
	pairs[0][1] = -1;
	op_set(0, pairs[0][0], "x", 1);
	op_set(1, -1, "x", 1);
	op_set(2, pairs[2][0], "x", 1);
	op_set(3, STDIN_FILENO, "x", 1);
	iov[3][0].iov_base = NULL;
	op_set(4, pairs[4][0], "y", 1);
	assert_int_equal(uring_send(ops, 5), 0);
	assert_int_equal(ops[0].result, -EPIPE);
	assert_int_equal(ops[1].result, -EBADF);
	assert_int_equal(ops[2].result, 1);
	assert_true(ops[3].result < 0);
	assert_int_equal(ops[4].result, 1);
	assert_receives(pairs[2][1], "x", 1);
	assert_receives(pairs[4][1], "y", 1);
}

/* What one entry of the ring gets for an answer. */
static int
ask(const struct io_uring_sqe *sqe)
{
	struct uring_op	 answer = { .result = 12345 };
	unsigned int	 tail = *ring.sq_tail;

	ring.sqes[tail & ring.sq_mask] = *sqe;
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
	assert_int_equal(syscall(SYS_io_uring_enter, ring.fd, 1, 1,
	    IORING_ENTER_GETEVENTS, NULL, 0), 1);
	assert_int_equal(ring_take(&answer), 1);
	return (answer.result);
}

static void
test_sends_only(void **state)
{
	struct io_uring_sqe	 sqe;
	struct iovec		 v = { ops, 1 };
	unsigned int		 op;
	int			 answer;

	(void)state;
	for (op = 0; op < IORING_OP_LAST; op++) {
		memset(&sqe, 0, sizeof(sqe));
		sqe.opcode = (uint8_t)op;
		sqe.fd = -1;
		answer = ask(&sqe);
		if (op == IORING_OP_SEND || op == IORING_OP_SENDMSG)
			assert_true(answer == -EBADF || answer == -EFAULT);
		else if (answer != -EINVAL)	/* unknown to the kernel */
			assert_int_equal(answer, -EACCES);
	}
	/* Nor may one wait for another, or in a thread of the kernel. */
	memset(&sqe, 0, sizeof(sqe));
	sqe.opcode = IORING_OP_SEND;
	sqe.flags = IOSQE_ASYNC;
	sqe.fd = pairs[0][0];
	assert_int_equal(ask(&sqe), -EACCES);
	assert_int_equal(syscall(SYS_io_uring_register, ring.fd,
	    IORING_REGISTER_BUFFERS, &v, 1), -1);
	assert_int_equal(errno, EACCES);
	assert_int_equal(syscall(SYS_io_uring_register, ring.fd,
	    IORING_REGISTER_FILES, &pairs[0][0], 1), -1);
	assert_int_equal(errno, EACCES);
	/* And it is still good for what it is for. */
	op_set(0, pairs[0][0], "x", 1);
	assert_int_equal(uring_send(ops, 1), 0);
	assert_receives(pairs[0][1], "x", 1);
}

static int
open_files(void)
{
	struct dirent	*entry;
	DIR		*folder;
	int		 n = 0;

	assert_non_null(folder = opendir("/proc/self/fd"));
	while ((entry = readdir(folder)) != NULL)
		n++;
	closedir(folder);
	return (n);
}

/* What was not sent is told, so that it can be sent in another way. */
static void
test_a_ring_that_fails(void **state)
{
	int	 i, null, before = open_files();

	(void)state;
	assert_int_not_equal(null = open("/dev/null", O_RDWR | O_CLOEXEC), -1);
	assert_int_equal(dup2(null, ring.fd), ring.fd);
	close(null);
	for (i = 0; i < 3; i++)
		op_set(i, pairs[i][0], "x", 1);
	assert_int_equal(uring_send(ops, 3), -1);
	assert_true(errno == EOPNOTSUPP || errno == EBADF);
	for (i = 0; i < 3; i++) {
		assert_int_equal(ops[i].result, -EINTR);
		assert_int_equal(recv(pairs[i][1], &null, 1, 0), -1);
	}
	assert_int_equal(open_files(), before - 1);
	op_set(0, pairs[0][0], "x", 1);
	assert_int_equal(uring_send(ops, 1), -1);
	assert_int_equal(ops[0].result, -EINTR);

	/* A new one knows nothing of that. */
	assert_int_equal(uring_open(), 0);
	assert_int_equal(uring_send(ops, 1), 0);
	assert_receives(pairs[0][1], "x", 1);
	assert_int_equal(open_files(), before);
}

static void
test_none_to_be_had(void **state)
{
	struct rlimit	 rl, none;
	int		 before, error, rv;

	(void)state;
	ring_close();
	before = open_files();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	none = rl;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	rv = uring_open();
	error = errno;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &rl), 0);
	assert_int_equal(rv, -1);
	assert_int_equal(error, EMFILE);
	assert_int_equal(open_files(), before);
	op_set(0, pairs[0][0], "x", 1);
	assert_int_equal(uring_send(ops, 1), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(ops[0].result, -EINTR);
}

/* Where the kernel refuses, so does the module: regress/integration has more. */
static void
test_refused(void **state)
{
	(void)state;
	assert_int_equal(uring_open(), -1);
	assert_true(errno == ENOSYS || errno == EPERM);
	assert_int_equal(ring.fd, -1);
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test_setup_teardown(test_each_has_its_own, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_pieces_are_one_send,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sends_only, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_a_ring_that_fails, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_none_to_be_had, setup,
		    teardown),
	}, refused[] = {
		cmocka_unit_test(test_refused),
	};

	if (uring_open() == -1)
		return (cmocka_run_group_tests(refused, NULL, NULL));
	ring_close();
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
