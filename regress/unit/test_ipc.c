/* ipc.c: messages and descriptors through two event loops' ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <sys/wait.h>

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "proc.h"

#define MAXTYPES	4096

struct end {
	struct ipc	ipc;
	uint32_t	types[MAXTYPES];
	int		n;		/* messages */
	size_t		bytes;
	int		gone;
	int		fd;		/* last one received */
	uint32_t	id;
	char		last[64];
	int		close_at;	/* close at this message, 0: never */
};

static struct event_base	*base;
static struct end		 a, b;

static void
on_message(struct ipc *ipc, struct imsg *imsg)
{
	struct end	*end = ipc->arg;
	size_t		 len = imsg_get_len(imsg);
	int		 fd;

	assert_true(end->n < MAXTYPES);
	end->types[end->n++] = imsg_get_type(imsg);
	end->id = imsg_get_id(imsg);
	end->bytes += len;
	if ((fd = imsg_get_fd(imsg)) != -1)
		end->fd = fd;
	if (len > 0 && len < sizeof(end->last)) {
		ipc_data(imsg, end->last, len);
		end->last[len] = '\0';
	}
	if (end->n == end->close_at)
		ipc_close(ipc);
}

static void
on_gone(struct ipc *ipc)
{
	struct end	*end = ipc->arg;

	end->gone++;
	ipc_close(ipc);
}

static int
setup(void **state)
{
	int	fds[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if ((base = event_base_new()) == NULL ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == -1)
		return (-1);
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	a.fd = b.fd = -1;
	ipc_init(&a.ipc, base, fds[0], on_message, on_gone, &a);
	ipc_init(&b.ipc, base, fds[1], on_message, on_gone, &b);
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	ipc_close(&a.ipc);
	ipc_close(&b.ipc);
	event_base_free(base);
	return (0);
}

/* Until nothing is left to do at once. */
static void
turn(void)
{
	int	i;

	for (i = 0; i < 500; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
test_both_ways(void **state)
{
	(void)state;
	ipc_send(&a.ipc, 7, 42, -1, "hello", 5);
	ipc_send(&b.ipc, 8, 43, -1, NULL, 0);
	assert_int_equal(ipc_queued(&a.ipc), 1);
	turn();
	assert_int_equal(ipc_queued(&a.ipc), 0);
	assert_int_equal(b.n, 1);
	assert_int_equal(b.types[0], 7);
	assert_int_equal(b.id, 42);
	assert_string_equal(b.last, "hello");
	assert_int_equal(a.n, 1);
	assert_int_equal(a.types[0], 8);
	assert_int_equal(a.id, 43);
}

static void
test_two_parts(void **state)
{
	(void)state;
	assert_int_equal(ipc_try(&a.ipc, 9, "one", 3, " two", 4), 0);
	assert_int_equal(ipc_try(&a.ipc, 9, "one", 3, NULL, 0), 0);
	turn();
	assert_int_equal(b.n, 2);
	assert_int_equal(b.bytes, 10);
	assert_string_equal(b.last, "one");
}

static void
test_descriptor(void **state)
{
	int	fds[2];
	char	c;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	ipc_send(&a.ipc, 1, 0, fds[1], "x", 1);
	turn();
	assert_int_not_equal(b.fd, -1);
	assert_int_equal(fcntl(b.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(write(b.fd, "!", 1), 1);
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(c, '!');
	/* The sender's copy is closed, too. */
	close(b.fd);
	assert_int_equal(read(fds[0], &c, 1), 0);
	close(fds[0]);
}

/* More than the socket holds: in order, all of it, and only as it drains. */
static void
test_many(void **state)
{
	static char	payload[8000];
	int		i;

	(void)state;
	for (i = 0; i < 2000; i++)
		ipc_send(&a.ipc, 100 + i, 0, -1, payload, sizeof(payload));
	event_del(&b.ipc.ev_read);
	turn();
	assert_in_range(ipc_queued(&a.ipc), 1, 1999);
	assert_int_equal(b.n, 0);
	event_add(&b.ipc.ev_read, NULL);
	for (i = 0; i < 100 && b.n < 2000; i++)
		turn();
	assert_int_equal(b.n, 2000);
	for (i = 0; i < 2000; i++)
		assert_int_equal(b.types[i], 100 + i);
	assert_int_equal(b.bytes, 2000 * sizeof(payload));
	assert_int_equal(ipc_queued(&a.ipc), 0);
}

static void
test_close_in_dispatch(void **state)
{
	int	i;

	(void)state;
	b.close_at = 3;
	for (i = 0; i < 10; i++)
		ipc_send(&a.ipc, i, 0, -1, NULL, 0);
	turn();
	assert_int_equal(b.n, 3);
	assert_int_equal(b.gone, 0);
	assert_int_equal(a.gone, 1);
}

static void
test_gone(void **state)
{
	(void)state;
	ipc_send(&b.ipc, 5, 0, -1, "bye", 3);
	ipc_flush(&b.ipc);
	ipc_close(&b.ipc);
	turn();
	assert_int_equal(a.n, 1);
	assert_string_equal(a.last, "bye");
	assert_int_equal(a.gone, 1);
	/* Nothing is kept for one who is gone, descriptors neither. */
	ipc_send(&a.ipc, 5, 0, dup(STDIN_FILENO), NULL, 0);
	assert_int_equal(ipc_queued(&a.ipc), 0);
	ipc_flush(&a.ipc);
	turn();
	assert_int_equal(a.gone, 1);
}

/* A write that fails must not hide what the peer said before it went. */
static void
test_last_words(void **state)
{
	(void)state;
	ipc_send(&b.ipc, 6, 0, -1, "why", 3);
	ipc_flush(&b.ipc);
	ipc_close(&b.ipc);
	ipc_send(&a.ipc, 1, 0, -1, "lost", 4);
	ipc_flush(&a.ipc);
	assert_int_equal(a.gone, 0);
	turn();
	assert_int_equal(a.n, 1);
	assert_string_equal(a.last, "why");
	assert_int_equal(a.gone, 1);
}

static void
test_garbage(void **state)
{
	char	junk[64];

	(void)state;
	memset(junk, 0xff, sizeof(junk));
	assert_int_equal(write(a.ipc.ibuf.fd, junk, sizeof(junk)),
	    sizeof(junk));
	turn();
	assert_int_equal(b.n, 0);
	assert_int_equal(b.gone, 1);
}

/* A good message before the garbage is still dispatched, once. */
static void
test_good_then_garbage(void **state)
{
	char	junk[64];

	(void)state;
	memset(junk, 0, sizeof(junk));
	ipc_send(&a.ipc, 5, 0, -1, "ok", 2);
	ipc_flush(&a.ipc);
	assert_int_equal(write(a.ipc.ibuf.fd, junk, sizeof(junk)),
	    sizeof(junk));
	turn();
	assert_int_equal(b.n, 1);
	assert_string_equal(b.last, "ok");
	assert_int_equal(b.gone, 1);
}

/* Nobody reads: the flush gives up in time and keeps what is left. */
static void
test_flush_is_bounded(void **state)
{
	static char	payload[16000];
	uint64_t	start, took;
	int		i;

	(void)state;
	for (i = 0; i < 200; i++)
		ipc_send(&a.ipc, 1, 0, -1, payload, sizeof(payload));
	start = now_ms();
	ipc_flush(&a.ipc);
	took = now_ms() - start;
	assert_in_range(took, 1500, 5000);
	assert_true(ipc_queued(&a.ipc) > 0);
}

static void
test_close_twice(void **state)
{
	(void)state;
	ipc_close(&a.ipc);
	ipc_close(&a.ipc);
	turn();
	assert_int_equal(a.gone, 0);
	assert_int_equal(b.gone, 1);
}

static void
on_sized(struct ipc *ipc, struct imsg *imsg)
{
	uint64_t	value;

	(void)ipc;
	ipc_data(imsg, &value, sizeof(value));
	_exit(value == 0x1122334455667788 ? 0 : 2);
}

/* At the end by fatal(), so that a leak check doesn't look at a fork. */
static void
exit_now(void)
{
	_exit(1);
}

/* The exit code of a process that gets LEN bytes for 8. */
static int
sized(size_t len)
{
	uint64_t	value[2] = { 0x1122334455667788, 0 };
	int		fds[2], status;
	pid_t		pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		struct event_base	*eb = event_base_new();
		struct ipc		 in, out;
		int			 null;

		if ((null = open("/dev/null", O_WRONLY)) == -1 ||
		    dup2(null, STDERR_FILENO) == -1)
			_exit(3);
		ipc_init(&in, eb, fds[0], on_sized, on_gone, NULL);
		ipc_init(&out, eb, fds[1], on_message, on_gone, NULL);
		ipc_send(&out, 1, 0, -1, value, len);
		if (atexit(exit_now) != 0)
			_exit(3);
		event_base_dispatch(eb);
		_exit(4);
	}
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return (WEXITSTATUS(status));
}

static void
test_data_length(void **state)
{
	(void)state;
	assert_int_equal(sized(8), 0);
	assert_int_equal(sized(7), 1);
	assert_int_equal(sized(9), 1);
	assert_int_equal(sized(0), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_ways, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_two_parts, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_descriptor, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_in_dispatch, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_words, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_good_then_garbage, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_flush_is_bounded, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_close_twice, setup,
		    teardown),
		cmocka_unit_test(test_data_length),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
