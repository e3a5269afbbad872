/*
 * A handshake in memory: whether a certificate and its key, wherever that is
 * kept, do what a client will ask of them.
 */
#include <sys/types.h>

#include <stdio.h>
#include <string.h>
#include <tls.h>

#include "log.h"
#include "tls_context.h"

#define TURNS	16		/* flights of both sides; four will do */

/* What one side has said and the other has not read. */
struct pipe_buf {
	size_t	 len;
	uint8_t	 data[65536];
};

static struct pipe_buf	to_server, to_client;

static ssize_t
pipe_take(struct pipe_buf *p, void *buf, size_t len)
{
	if (p->len == 0)
		return (TLS_WANT_POLLIN);
	if (len > p->len)
		len = p->len;
	memcpy(buf, p->data, len);
	memmove(p->data, p->data + len, p->len - len);
	p->len -= len;
	return ((ssize_t)len);
}

static ssize_t
pipe_put(struct pipe_buf *p, const void *buf, size_t len)
{
	if (len > sizeof(p->data) - p->len)
		len = sizeof(p->data) - p->len;
	if (len == 0)
		return (TLS_WANT_POLLOUT);
	memcpy(p->data + p->len, buf, len);
	p->len += len;
	return ((ssize_t)len);
}

/* One end: what it reads from, and writes to. */
struct end {
	struct pipe_buf	*in;
	struct pipe_buf	*out;
};

static ssize_t
end_read(struct tls *tls, void *buf, size_t len, void *arg)
{
	struct end	*end = arg;

	(void)tls;
	return (pipe_take(end->in, buf, len));
}

static ssize_t
end_write(struct tls *tls, const void *buf, size_t len, void *arg)
{
	struct end	*end = arg;

	(void)tls;
	return (pipe_put(end->out, buf, len));
}

static int
fail(struct tls *tls, char *err, size_t size)
{
	snprintf(err, size, "%s", tls_error(tls) != NULL ? tls_error(tls) :
	    "the handshake comes to no end");
	return (-1);
}

/* Turn by turn, until both are done. */
static int
shake(struct tls *client, struct tls *server, char *err, size_t size)
{
	int	 c = TLS_WANT_POLLIN, i, s = TLS_WANT_POLLIN;

	for (i = 0; i < TURNS && (c != 0 || s != 0); i++) {
		if (c != 0 && (c = tls_handshake(client)) == -1)
			return (fail(client, err, size));
		if (s != 0 && (s = tls_handshake(server)) == -1)
			return (fail(server, err, size));
	}
	return (c == 0 && s == 0 ? 0 : fail(client, err, size));
}

/* A client who takes any certificate, but no signature that is not right. */
static struct tls *
client_new(struct end *end)
{
	struct tls_config	*config;
	struct tls		*client;

	if ((config = tls_config_new()) == NULL ||
	    (client = tls_client()) == NULL)
		fatalx("tls: no memory for a self-test");
	tls_config_insecure_noverifycert(config);
	tls_config_insecure_noverifyname(config);
	tls_config_insecure_noverifytime(config);
	if (tls_configure(client, config) == -1 ||
	    tls_connect_cbs(client, end_read, end_write, end, NULL) == -1)
		fatalx("tls: self-test: %s", tls_error(client));
	tls_config_free(config);
	return (client);
}

int
tls_selftest(struct tls_config *config, char *err, size_t size)
{
	struct end	 server_end = { &to_server, &to_client };
	struct end	 client_end = { &to_client, &to_server };
	struct tls	*server, *conn = NULL, *client;
	int		 rv;

	to_server.len = to_client.len = 0;
	if ((server = tls_server()) == NULL)
		fatalx("tls: no memory for a self-test");
	if (tls_configure(server, config) == -1 ||
	    tls_accept_cbs(server, &conn, end_read, end_write,
	    &server_end) == -1) {
		rv = fail(server, err, size);
		tls_free(server);
		return (rv);
	}
	client = client_new(&client_end);
	rv = shake(client, conn, err, size);
	tls_free(client);
	tls_free(conn);
	tls_free(server);
	return (rv);
}
