/* Plain sockets, and TLS by libtls on them. */
#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <tls.h>

#include "conn.h"
#include "log.h"
#include "memory.h"
#include "metrics.h"
#include "tls_context.h"
#include "transport.h"

#define RECORD		16384		/* bytes that one record can hold */
/* What the library needs for a connection, about: regress/bench/tls.py. */
#define TLS_MEMORY	28672

/* A connection that speaks TLS is longer. */
struct conn_tls {
	struct conn		 conn;
	struct tls		*tls;
	struct tls_context	*context;	/* until the handshake is done */
	int			 deaf;		/* nothing is read */
	int			 ended;		/* the client sends no more */
};

static struct conn_tls *
conn_tls(const struct conn *c)
{
	union {
		const struct conn	*in;
		struct conn_tls		*out;
	} u = { .in = c };

	return (u.out);
}

/* Our own, since libssl's use other system calls, which raise SIGPIPE, too. */
static ssize_t
tls_result(ssize_t n, ssize_t again)
{
	if (n == -1 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS))
		return (again);
	return (n);
}

static ssize_t
tls_recv(struct tls *tls, void *buf, size_t len, void *arg)
{
	struct conn_tls	*ct = arg;
	ssize_t		 n;

	(void)tls;
	if (ct->deaf)
		return (TLS_WANT_POLLIN);
	if ((n = recv(ct->conn.fd, buf, len, 0)) == 0)
		ct->ended = 1;
	return (tls_result(n, TLS_WANT_POLLIN));
}

static ssize_t
tls_send(struct tls *tls, const void *buf, size_t len, void *arg)
{
	const struct conn_tls	*ct = arg;

	(void)tls;
	return (tls_result(send(ct->conn.fd, buf, len, MSG_NOSIGNAL),
	    TLS_WANT_POLLOUT));
}

struct conn *
transport_new(struct tls_context *context)
{
	struct conn_tls	*ct;
	struct conn	*c;

	if (context == NULL) {
		if ((c = calloc(1, sizeof(*c))) == NULL)
			fatal("connection");
		memory_take(transport_size(c));
		return (c);
	}
	if ((ct = calloc(1, sizeof(*ct))) == NULL)
		fatal("connection");
	c = &ct->conn;
	c->tls = 1;
	ct->context = context;
	if (tls_accept_cbs(tls_context_server(context), &ct->tls, tls_recv,
	    tls_send, ct) == -1)
		fatalx("tls: %s", tls_error(tls_context_server(context)));
	metrics.tls_handshakes_pending++;
	memory_take(transport_size(c));
	return (c);
}

size_t
transport_size(const struct conn *c)
{
	return (c->tls ? sizeof(struct conn_tls) + TLS_MEMORY : sizeof(*c));
}

/* Nothing of the handshake is needed any more. */
static void
handshake_over(struct conn_tls *ct)
{
	if (ct->context == NULL)
		return;
	tls_context_release(ct->context);
	ct->context = NULL;
	metrics.tls_handshakes_pending--;
}

void
transport_free(struct conn *c)
{
	memory_give(transport_size(c));
	if (c->tls) {
		if (conn_tls(c)->context != NULL)
			metrics.tls_handshakes_failed++;
		handshake_over(conn_tls(c));
		tls_free(conn_tls(c)->tls);
	}
	free(c);
}

/*
 * A client who says good-bye in the middle has libtls return 0 as well.  It
 * would go on with such a handshake, for want of bytes to no end, while it
 * refuses to do anything to one that is complete.
 */
static int
handshake_complete(struct conn_tls *ct)
{
	int	 rv;

	ct->deaf = 1;
	rv = tls_handshake(ct->tls);
	ct->deaf = 0;
	return (rv == -1);
}

enum transport_result
transport_handshake(struct conn *c)
{
	struct conn_tls	*ct = conn_tls(c);

	switch (tls_handshake(ct->tls)) {
	case 0:
		if (!handshake_complete(ct))
			return (TRANSPORT_FAILED);
		handshake_over(ct);
		metrics.tls_handshakes++;
		return (TRANSPORT_DONE);
	case TLS_WANT_POLLIN:
		return (TRANSPORT_READ);
	case TLS_WANT_POLLOUT:
		return (TRANSPORT_WRITE);
	default:
		return (TRANSPORT_FAILED);
	}
}

const char *
transport_error(const struct conn *c)
{
	const char	*error = tls_error(conn_tls(c)->tls);

	return (error != NULL ? error : "the client has ended it");
}

const char *
transport_subject(const struct conn *c)
{
	struct tls	*tls = conn_tls(c)->tls;

	return (tls_peer_cert_provided(tls) ? tls_peer_cert_subject(tls) :
	    NULL);
}

ssize_t
transport_read(struct conn *c, void *buf, size_t len)
{
	ssize_t	 n;

	/* Nobody looks at what still comes: it need not be deciphered. */
	if (!c->tls || c->state == CONN_LINGER)
		return (recv(c->fd, buf, len, 0));
	n = tls_read(conn_tls(c)->tls, buf, len);
	if (n >= 0)
		return (n);
	/* Most go without a close_notify, and it makes no difference here. */
	if (conn_tls(c)->ended)
		return (0);
	errno = n == TLS_WANT_POLLIN || n == TLS_WANT_POLLOUT ? EAGAIN : EIO;
	return (-1);
}

static ssize_t
plain_writev(struct conn *c, const struct iovec *iov, unsigned n)
{
	ssize_t	 r;

	do {
		r = n == 1 ?
		    send(c->fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL) :
		    writev(c->fd, iov, (int)n);
	} while (r == -1 && errno == EINTR);
	return (r);
}

/* The next record's worth of IOV, from OFF bytes of its first on. */
static size_t
gather(uint8_t *buf, size_t size, const struct iovec *iov, unsigned n,
    size_t off)
{
	size_t		 len, got = 0;
	unsigned	 i;

	for (i = 0; i < n && got < size; i++, off = 0) {
		len = iov[i].iov_len - off;
		if (len > size - got)
			len = size - got;
		memcpy(buf + got, (const uint8_t *)iov[i].iov_base + off, len);
		got += len;
	}
	return (got);
}

/*
 * Small frames share a record.  A record that the socket did not take whole is
 * kept by libssl, which wants the same bytes at the next call: they are, since
 * what waits for a connection is written in the order that it came in.
 */
static ssize_t
tls_writev(struct conn *c, const struct iovec *iov, unsigned n)
{
	static uint8_t	 buf[RECORD];
	size_t		 len, off = 0;
	ssize_t		 r, total = 0;

	while (n > 0) {
		len = gather(buf, sizeof(buf), iov, n, off);
		/* 0: it failed, and the client had said good-bye before. */
		if ((r = tls_write(conn_tls(c)->tls, buf, len)) <= 0)
			break;
		total += r;
		for (off += (size_t)r; n > 0 && off >= iov->iov_len; n--)
			off -= iov++->iov_len;
	}
	if (n == 0 || total > 0)
		return (total);
	errno = r == TLS_WANT_POLLOUT ? EAGAIN : EIO;
	return (-1);
}

ssize_t
transport_writev(struct conn *c, const struct iovec *iov, unsigned n)
{
	return (c->tls ? tls_writev(c, iov, n) : plain_writev(c, iov, n));
}

int
transport_shutdown(struct conn *c)
{
	/* When the socket has no room for that, its end will have to do. */
	if (c->tls && conn_tls(c)->context == NULL)
		(void)tls_close(conn_tls(c)->tls);
	return (shutdown(c->fd, SHUT_WR));
}
