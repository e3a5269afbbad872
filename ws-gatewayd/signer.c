/* The engine's questions to the keys process, one at a time. */
#include <sys/types.h>

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "imsg.h"
#include "log.h"
#include "metrics.h"
#include "proc.h"
#include "signer.h"

static struct imsgbuf	ibuf;
static uint32_t		serial;
static int		overdue;	/* an answer is still to come */
static uint64_t		timeout;	/* ms */

void
signer_init(int fd)
{
	if (imsgbuf_init(&ibuf, fd) == -1)
		fatal("signer");
	key_method_init();
}

void
signer_set_timeout(uint64_t ms)
{
	timeout = ms;
}

/* Until the socket is ready; 0 when the time is over. */
static int
signer_wait(short events, uint64_t end)
{
	struct pollfd	pfd = { .fd = ibuf.fd, .events = events };
	uint64_t	now;
	int		n;

	do {
		/* Anew each time: signals must not make it longer. */
		now = now_ms();
		n = poll(&pfd, 1, now < end ? (int)(end - now) : 0);
	} while (n == -1 && errno == EINTR);
	if (n == -1)
		fatal("signer: poll");
	return (n > 0);
}

/* What is not sent at once is so soon: the socket holds several of them. */
static int
signer_flush(uint64_t end)
{
	for (;;) {
		if (imsgbuf_write(&ibuf) == -1)
			fatalx("the keys process is gone");
		if (imsgbuf_queuelen(&ibuf) == 0)
			return (1);
		/* The kernel may say that there is room, and have no memory. */
		if (!signer_wait(POLLOUT, end) || now_ms() >= end)
			return (0);
	}
}

/*
 * 1: the answer to the last question; 0: time is over.  There can be no other:
 * nothing is asked while an answer is overdue.
 */
static int
signer_receive(struct key_answer *answer, uint64_t end)
{
	struct imsg	 imsg;
	int		 n;

	for (;;) {
		if ((n = imsgbuf_get(&ibuf, &imsg)) == 1) {
			if (imsg_get_type(&imsg) != IMSG_KEYS_SIGNED)
				fatalx("message %u from the keys process",
				    imsg_get_type(&imsg));
			ipc_data(&imsg, answer, sizeof(*answer));
			imsg_free(&imsg);
			if (answer->serial != serial)
				fatalx("the keys process answers what was not "
				    "asked");
			return (1);
		}
		if (n == -1 && errno == ENOMEM)
			fatal("an answer of the keys process");
		if (n == -1)
			fatalx("the keys process talks nonsense");
		if (!signer_wait(POLLIN, end))
			return (0);
		if ((n = imsgbuf_read(&ibuf)) == 0 ||
		    (n == -1 && errno != EAGAIN && errno != EINTR))
			fatalx("the keys process is gone");
	}
}

static int
signer_fail(const char *why)
{
	static struct log_limit	 limit;

	metrics.tls_signatures_failed++;
	if (log_limit(&limit, 1, now_ms()))
		log_warnx("tls: no signature: %s", why);
	return (-1);
}

int
signer_ask(enum key_op op, const uint8_t key[KEY_ID_LEN], int padding,
    const uint8_t *data, size_t len, uint8_t *out)
{
	struct key_request	 req;
	struct key_answer	 answer;
	uint64_t		 end = now_ms() + timeout;

	if (len > sizeof(req.data))
		return (signer_fail("it is too long"));
	if (overdue && (!signer_flush(0) || !signer_receive(&answer, 0)))
		return (signer_fail("the keys process does not answer"));
	overdue = 0;
	memset(&req, 0, sizeof(req));
	req.serial = ++serial;
	req.op = op;
	req.padding = padding;
	req.len = (uint32_t)len;
	memcpy(req.key, key, sizeof(req.key));
	memcpy(req.data, data, len);
	if (imsg_compose(&ibuf, IMSG_KEYS_SIGN, 0, 0, -1, &req,
	    sizeof(req)) == -1)
		fatal("signer");
	if (!signer_flush(end) || !signer_receive(&answer, end)) {
		overdue = 1;
		return (signer_fail("it took too long"));
	}
	if (answer.status == KEY_UNKNOWN)
		return (signer_fail("there is no such key"));
	if (answer.status != KEY_OK || answer.len > sizeof(answer.data))
		return (signer_fail("the key did not do it"));
	metrics.tls_signatures++;
	memcpy(out, answer.data, answer.len);
	return ((int)answer.len);
}
