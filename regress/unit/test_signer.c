/*
 * signer.c: questions to a keys process that this test plays, who answers in
 * time, late, in pieces, wrongly, or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "imsg.h"
#include "log.h"
#include "metrics.h"
#include "proc.h"
#include "signer.h"

#define TIMEOUT		60	/* ms */
#define SOON		5000	/* ms; no test may hang, and machines are slow */
#define QUESTION	(IMSG_HEADER_SIZE + sizeof(struct key_request))
#define ANSWER		(IMSG_HEADER_SIZE + sizeof(struct key_answer))

static struct imsgbuf	 peer;		/* the end of the keys process */
static int		 ours = -1;	/* the signer's */
static size_t		 room;		/* bytes that its socket takes yet */
static uint32_t		 serial;	/* of the next question */
static uint8_t		 out[KEY_MAXDATA];
static const uint8_t	 key[KEY_ID_LEN] = "which one";

/* The kernel sends a message of this size whole: so not by chance. */
ssize_t
sendmsg(int fd, const struct msghdr *mh, int flags)
{
	size_t	 n = mh->msg_iov[0].iov_len;
	ssize_t	 sent;

	assert_int_equal(mh->msg_iovlen, 1);
	if (fd == ours && n > room)
		n = room;
	if (n == 0) {
		errno = EAGAIN;
		return (-1);
	}
	if ((sent = send(fd, mh->msg_iov[0].iov_base, n, flags)) > 0 &&
	    fd == ours)
		room -= (size_t)sent;
	return (sent);
}

static void
quiet(enum log_level level, const char *line, size_t len, const char *msg)
{
	(void)level;
	(void)line;
	(void)len;
	(void)msg;
}

static void
connect_signer(void)
{
	int	 fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0, fds), 0);
	ours = fds[0];
	room = SIZE_MAX;
	signer_init(ours);
	signer_set_timeout(TIMEOUT);
	assert_int_equal(imsgbuf_init(&peer, fds[1]), 0);
}

static int
setup(void **state)
{
	(void)state;
	log_init("test", quiet);
	connect_signer();
	serial = 1;
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	close(peer.fd);
	imsgbuf_clear(&peer);
	return (0);
}

/* An answer, N bytes of it from FROM on. */
static void
answer_part(uint32_t number, uint32_t status, const char *text, size_t from,
    size_t n)
{
	struct key_answer	 answer;
	struct imsg_hdr		 hdr = { IMSG_KEYS_SIGNED, ANSWER, 0, 0 };
	uint8_t			 bytes[ANSWER];

	memset(&answer, 0, sizeof(answer));
	answer.serial = number;
	answer.status = status;
	answer.len = (uint32_t)strlen(text);
	memcpy(answer.data, text, strlen(text));
	memcpy(bytes, &hdr, sizeof(hdr));
	memcpy(bytes + sizeof(hdr), &answer, sizeof(answer));
	assert_in_range(n, 1, sizeof(bytes) - from);
	assert_int_equal(send(peer.fd, bytes + from, n, 0), n);
}

static void
answer(uint32_t number, uint32_t status, const char *text)
{
	answer_part(number, status, text, 0, ANSWER);
}

static void
no_more(void)
{
	uint8_t	 byte;

	assert_int_equal(recv(peer.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

/* A question has come, whole: this one, with that text. */
static void
asked(uint32_t number, enum key_op op, int padding, const char *text)
{
	struct key_request	 req;
	struct imsg		 imsg;

	assert_int_equal(imsgbuf_read(&peer), 1);
	assert_int_equal(imsgbuf_get(&peer, &imsg), 1);
	assert_int_equal(imsg_get_type(&imsg), IMSG_KEYS_SIGN);
	assert_int_equal(imsg_get_data(&imsg, &req, sizeof(req)), 0);
	imsg_free(&imsg);
	assert_int_equal(req.serial, number);
	assert_int_equal(req.op, op);
	assert_int_equal(req.padding, padding);
	assert_memory_equal(req.key, key, sizeof(key));
	assert_int_equal(req.len, strlen(text));
	assert_memory_equal(req.data, text, strlen(text));
	assert_int_equal(imsgbuf_get(&peer, &imsg), 0);
	no_more();
}

static int
ask(const char *text)
{
	memset(out, 0, sizeof(out));
	return (signer_ask(KEY_EC_SIGN, key, 0, (const uint8_t *)text,
	    strlen(text), out));
}

/* There is an answer to it already. */
static void
check_ask(const char *text)
{
	uint64_t	 done = metrics.tls_signatures;

	answer(serial, KEY_OK, text);
	assert_int_equal(ask("a digest"), strlen(text));
	assert_memory_equal(out, text, strlen(text));
	asked(serial++, KEY_EC_SIGN, 0, "a digest");
	assert_int_equal(metrics.tls_signatures, done + 1);
}

/* There is no signature; whether the time of one was waited for. */
static void
check_fail(int waits)
{
	uint64_t	 failed = metrics.tls_signatures_failed;
	uint64_t	 begin = now_ms(), took;

	assert_int_equal(ask("a digest"), -1);
	took = now_ms() - begin;
	if (waits)
		assert_in_range(took, TIMEOUT, SOON);
	else
		assert_in_range(took, 0, SOON);
	assert_int_equal(metrics.tls_signatures_failed, failed + 1);
}

static void
test_asked(void **state)
{
	static const uint8_t	 secret[3] = "abc";

	(void)state;
	check_ask("a signature");
	check_ask("");
	answer(serial, KEY_OK, "plain");
	assert_int_equal(signer_ask(KEY_RSA_DECRYPT, key, 3, secret,
	    sizeof(secret), out), 5);
	assert_memory_equal(out, "plain", 5);
	asked(serial++, KEY_RSA_DECRYPT, 3, "abc");
}

static void
test_refused(void **state)
{
	struct key_answer	 long_one;

	(void)state;
	answer(serial, KEY_UNKNOWN, "");
	check_fail(0);
	asked(serial++, KEY_EC_SIGN, 0, "a digest");
	answer(serial, KEY_FAILED, "not this");
	check_fail(0);
	asked(serial++, KEY_EC_SIGN, 0, "a digest");
	answer(serial, 77, "not this");
	check_fail(0);
	asked(serial++, KEY_EC_SIGN, 0, "a digest");
	/* It says that there is more than there can be. */
	memset(&long_one, 0, sizeof(long_one));
	long_one.serial = serial;
	long_one.len = KEY_MAXDATA + 1;
	assert_int_equal(imsg_compose(&peer, IMSG_KEYS_SIGNED, 0, 0, -1,
	    &long_one, sizeof(long_one)), 1);
	assert_int_equal(imsgbuf_flush(&peer), 0);
	check_fail(0);
	asked(serial++, KEY_EC_SIGN, 0, "a digest");
	check_ask("after all that");
}

/* The largest is asked; one byte more is not even a question. */
static void
test_length(void **state)
{
	static const uint8_t	 data[KEY_MAXDATA + 1] = "x";
	struct key_request	 req;
	struct imsg		 imsg;

	(void)state;
	assert_int_equal(signer_ask(KEY_RSA_SIGN, key, 1, data,
	    sizeof(data), out), -1);
	no_more();
	answer(serial++, KEY_OK, "s");
	assert_int_equal(signer_ask(KEY_RSA_SIGN, key, 1, data,
	    sizeof(data) - 1, out), 1);
	assert_int_equal(imsgbuf_read(&peer), 1);
	assert_int_equal(imsgbuf_get(&peer, &imsg), 1);
	assert_int_equal(imsg_get_data(&imsg, &req, sizeof(req)), 0);
	assert_int_equal(req.len, KEY_MAXDATA);
	imsg_free(&imsg);
}

/*
 * An answer that is late is waited for once; then nothing is asked until it
 * has come, in as many pieces as it likes.
 */
static void
test_late(void **state)
{
	uint32_t	 late = serial++;

	(void)state;
	check_fail(1);
	asked(late, KEY_EC_SIGN, 0, "a digest");
	check_fail(0);
	no_more();
	answer_part(late, KEY_OK, "late", 0, 1);
	check_fail(0);
	answer_part(late, KEY_OK, "late", 1, IMSG_HEADER_SIZE + 3);
	check_fail(0);
	answer_part(late, KEY_OK, "late", IMSG_HEADER_SIZE + 4,
	    ANSWER - IMSG_HEADER_SIZE - 4);
	no_more();
	/* It is not taken for the answer to this one. */
	check_ask("in time");
	check_ask("and again");
}

/* That it was late, and then a refusal, is no refusal of the next one. */
static void
test_late_and_bad(void **state)
{
	uint32_t	 late = serial++;

	(void)state;
	check_fail(1);
	asked(late, KEY_EC_SIGN, 0, "a digest");
	answer(late, KEY_UNKNOWN, "");
	check_ask("in time");
}

/* Bytes that the keys process has not read. */
static int
unread(void)
{
	int	 n;

	assert_int_equal(ioctl(peer.fd, FIONREAD, &n), 0);
	return (n);
}

/*
 * At every place: the rest goes before anything else does.  That its socket
 * says that there is room, and takes nothing, makes it wait no longer.
 */
static void
test_sent_in_part(void **state)
{
	static const size_t	 cuts[] = { 0, 1, IMSG_HEADER_SIZE - 1,
				    IMSG_HEADER_SIZE, IMSG_HEADER_SIZE + 1,
				    QUESTION / 2, QUESTION - 1 };
	uint32_t		 late;
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		late = serial++;
		room = cuts[i];
		check_fail(1);
		assert_int_equal(unread(), cuts[i]);
		/* A byte more, and still it is not there. */
		room = i % 2;
		check_fail(0);
		assert_int_equal(unread(), cuts[i] + i % 2);
		room = SIZE_MAX;
		check_fail(0);
		asked(late, KEY_EC_SIGN, 0, "a digest");
		answer(late, KEY_OK, "late");
		check_ask("in time");
	}
}

static volatile sig_atomic_t	 alarms;

static void
on_alarm(int sig)
{
	static const struct itimerval	 off;

	(void)sig;
	/* Or else a wait that begins anew each time would never end. */
	if (++alarms == SOON / 10)
		setitimer(ITIMER_REAL, &off, NULL);
}

static void
test_signals(void **state)
{
	static const struct itimerval	 every = { { 0, 10000 }, { 0, 10000 } };
	static const struct itimerval	 off;
	struct sigaction		 sa;
	uint32_t			 late = serial++;

	(void)state;
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_alarm;
	assert_int_equal(sigaction(SIGALRM, &sa, NULL), 0);
	alarms = 0;
	assert_int_equal(setitimer(ITIMER_REAL, &every, NULL), 0);
	check_fail(1);
	assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
	assert_in_range(alarms, 1, SOON / 10 - 1);
	asked(late, KEY_EC_SIGN, 0, "a digest");
	answer(late, KEY_OK, "late");
	check_ask("in time");
}

/* Drop by drop, more slowly than SOON, until the other end of FD closes. */
static void
drip(uint32_t number, int fd)
{
	struct pollfd	 pfd = { .fd = fd, .events = POLLIN };
	size_t		 i;

	for (i = 0; i < ANSWER - 1 && poll(&pfd, 1, 6) == 0; i++)
		answer_part(number, KEY_OK, "late", i, 1);
	answer_part(number, KEY_OK, "late", i, ANSWER - i);
}

/* The time is that of the whole answer, not of its next byte. */
static void
test_drops(void **state)
{
	uint32_t	 late = serial++;
	pid_t		 pid;
	int		 fds[2], status;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		close(fds[1]);
		drip(late, fds[0]);
		_exit(0);
	}
	close(fds[0]);
	check_fail(1);
	check_fail(0);
	close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	asked(late, KEY_EC_SIGN, 0, "a digest");
	check_ask("in time");
}

/* What ends the process; the last of what it logs comes through a pipe. */

static int	 words = -1;

static void
to_words(enum log_level level, const char *line, size_t len, const char *msg)
{
	(void)line;
	(void)len;
	if (level == LOGL_FATAL &&
	    write(words, msg, strlen(msg)) != (ssize_t)strlen(msg))
		_exit(3);
}

/* Before a leak check looks at a fork. */
static void
exit_now(void)
{
	_exit(1);
}

/* A process that asks, after what BEFORE did at the other end, ends so. */
static void
check_fatal(void (*before)(void), const char *why)
{
	char	 said[256] = "";
	int	 fds[2], status;
	pid_t	 pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		words = fds[1];
		log_init("test", to_words);
		if (atexit(exit_now) != 0)
			_exit(3);
		connect_signer();
		before();
		(void)ask("a digest");
		_exit(4);
	}
	close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(read(fds[0], said, sizeof(said) - 1) >= 0);
	close(fds[0]);
	assert_string_equal(said, why);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void
say(uint32_t type, size_t len)
{
	static const uint8_t	 zeros[2 * sizeof(struct key_answer)];

	if (imsg_compose(&peer, type, 0, 0, -1, zeros, len) != 1 ||
	    imsgbuf_flush(&peer) == -1)
		_exit(3);
}

static void
say_short(void)
{
	say(IMSG_KEYS_SIGNED, sizeof(struct key_answer) - 1);
}

static void
say_long(void)
{
	say(IMSG_KEYS_SIGNED, sizeof(struct key_answer) + 1);
}

static void
say_empty(void)
{
	say(IMSG_KEYS_SIGNED, 0);
}

static void
say_other(void)
{
	say(IMSG_LOG, sizeof(struct key_answer));
}

static void
say_nonsense(void)
{
	static const struct imsg_hdr	 hdr = { IMSG_KEYS_SIGNED, 1, 0, 0 };

	if (send(peer.fd, &hdr, sizeof(hdr), 0) != sizeof(hdr))
		_exit(3);
}

static void
answer_last(void)
{
	answer(serial - 1, KEY_OK, "once more");
}

static void
answer_next(void)
{
	answer(serial + 1, KEY_OK, "too early");
}

static void
be_gone(void)
{
	close(peer.fd);
}

/* It takes the question, and ends. */
static void
be_gone_silently(void)
{
	shutdown(peer.fd, SHUT_WR);
}

static void
be_gone_within(void)
{
	answer_part(serial, KEY_OK, "half of", 0, ANSWER / 2);
	shutdown(peer.fd, SHUT_WR);
}

static void
be_gone_overdue(void)
{
	if (ask("a digest") != -1)
		_exit(3);
	close(peer.fd);
}

static void
be_gone_unasked(void)
{
	room = 5;
	if (ask("a digest") != -1)
		_exit(3);
	room = SIZE_MAX;
	close(peer.fd);
}

static const char *
wrong_length(size_t len)
{
	static char	 text[128];

	snprintf(text, sizeof(text), "message %u from a sibling has %zu bytes, "
	    "not %zu", IMSG_KEYS_SIGNED, len, sizeof(struct key_answer));
	return (text);
}

static void
test_fatal(void **state)
{
	char	 text[128];

	(void)state;
	check_fatal(say_short, wrong_length(sizeof(struct key_answer) - 1));
	check_fatal(say_long, wrong_length(sizeof(struct key_answer) + 1));
	check_fatal(say_empty, wrong_length(0));
	snprintf(text, sizeof(text), "message %u from the keys process",
	    IMSG_LOG);
	check_fatal(say_other, text);
	check_fatal(say_nonsense, "the keys process talks nonsense");
	check_fatal(answer_last, "the keys process answers what was not asked");
	check_fatal(answer_next, "the keys process answers what was not asked");
	check_fatal(be_gone, "the keys process is gone");
	check_fatal(be_gone_silently, "the keys process is gone");
	check_fatal(be_gone_within, "the keys process is gone");
	check_fatal(be_gone_overdue, "the keys process is gone");
	check_fatal(be_gone_unasked, "the keys process is gone");
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_late_and_bad),
		cmocka_unit_test(test_sent_in_part),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_drops),
		cmocka_unit_test(test_fatal)
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
