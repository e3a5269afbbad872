/*
 * WebSocket clients.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wsload.h"

#define PER_SOURCE	5000	/* of an address: ports are found fast */
#define LARGE		65536	/* a frame above is looked into, not kept */
#define MARKER_WITHIN	256	/* first bytes of a message, with its marker */

static char	 buf[READ_BUFFER];

void
client_close(struct client *c)
{
	if (c->state == CLIENT_OPEN) {
		nclosed++;
		nopen--;
	} else if (c->state == CLIENT_UPGRADING) {
		nfailed++;
		npending--;
	}
	c->state = CLIENT_CLOSED;
	close(c->fd);
	free(c->part);
	c->part = NULL;
	c->npart = 0;
}

void
client_connect(struct client *c)
{
	char	 req[4096], path[2048];
	int	 n;

	message_expand(path, o.path, c->id, "", 0);
	n = snprintf(req, sizeof(req), "GET %s HTTP/1.1\r\nHost: %s:%u\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	    "Sec-WebSocket-Version: 13\r\n%s\r\n", path, o.host, o.port,
	    o.deflate ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" :
	    "");
	c->fd = tcp_connect(o.src, c->id / PER_SOURCE, c);
	npending++;
	if (send_now(c->fd, req, (size_t)n) != n)
		client_close(c);
}

/*
 * Sends one masked frame; a client whose socket can't take it is dropped.
 * After a close frame nothing is sent, not even a pong: it could meet a socket
 * that the server has closed, and the reset would eat the server's close frame.
 */
void
client_send(struct client *c, int opcode, const char *p, size_t n)
{
	static const unsigned char	 key[4] = { 0x37, 0xfa, 0x21, 0x3d };
	static unsigned char		 f[LARGE + 16];
	size_t				 i, h = n < 126 ? 2 : 4;

	if (c->state != CLIENT_OPEN || c->closing)
		return;
	if (n > LARGE - 1)
		die("a client can't send so much");
	f[0] = (unsigned char)(0x80 | opcode);
	f[1] = (unsigned char)(0x80 | (n < 126 ? n : 126));
	if (h == 4) {
		f[2] = (unsigned char)(n >> 8);
		f[3] = (unsigned char)n;
	}
	memcpy(f + h, key, 4);
	for (i = 0; i < n; i++)
		f[h + 4 + i] = (unsigned char)p[i] ^ key[i & 3];
	if (send_now(c->fd, f, h + 4 + n) != (ssize_t)(h + 4 + n))
		client_close(c);
}

/* Handles the upgrade response at the start of the buffer: its length. */
static size_t
upgraded(struct client *c, size_t n)
{
	char	*end;

	if ((end = memmem(buf, n, "\r\n\r\n", 4)) == NULL)
		return (0);
	if (n > 12 && memcmp(buf, "HTTP/1.1 101", 12) == 0) {
		c->state = CLIENT_OPEN;
		nopen++;
		npending--;
	} else {
		if (nfailed == 0)
			fprintf(stderr, "wsload: upgrade refused: %.*s\n",
			    (int)strcspn(buf, "\r\n"), buf);
		client_close(c);
	}
	return ((size_t)(end - buf) + 4);
}

static void
on_frame(struct client *c, int opcode, const char *p, size_t len, uint64_t now)
{
	uint64_t	 ts;
	uint32_t	 seq;

	switch (opcode) {
	case 1:
	case 2:
		if (message_marker(p, len, &seq, &ts))
			message_delivered(c, seq, ts, now);
		else
			count.others++;
		break;
	case 8:
		if (c->closing)
			count.clean++;
		client_close(c);
		break;
	case 9:
		client_send(c, 10, p, len);
		break;
	case 10:
		count.pongs++;
		break;
	default:
		die("client %u: opcode %d", c->id, opcode);
	}
}

/* The rest of a large frame, of which there are n bytes: how many it takes. */
static size_t
skip(struct client *c, size_t n, uint64_t now)
{
	if (n > c->skip)
		n = (size_t)c->skip;
	c->skip -= n;
	count.last = now;
	if (c->skip == 0) {
		if (c->marked)
			message_delivered(c, c->seq, c->sent, now);
		else
			count.others++;
	}
	return (n);
}

/* The beginning of a message of n bytes, as it was before compression. */
static size_t
beginning(const unsigned char *h, const char **p, size_t n)
{
	static char	 plain[MARKER_WITHIN];

	if (!(h[0] & 0x40))		/* RSV1 */
		return (n);
	n = message_peek(*p, n, plain, sizeof(plain));
	*p = plain;
	return (n);
}

/* One frame at p, of n bytes: how many it takes; 0 when it isn't complete. */
static size_t
frame(struct client *c, const char *p, size_t n, uint64_t now)
{
	const unsigned char	*h = (const unsigned char *)p;
	uint64_t		 len = h[1];
	const char		*q;
	size_t			 i, nq, hl = 2;

	if (len >= 126)
		hl = len == 127 ? 10 : 4;
	if (h[1] & 128)
		die("client %u: a masked frame", c->id);
	if (n < hl)
		return (0);
	for (i = 2; i < hl; i++)
		len = (i == 2 ? 0 : len << 8) | h[i];
	if (len > 2 * MAX_PAYLOAD)
		die("client %u: a frame of %ju bytes", c->id, (uintmax_t)len);
	if (n - hl < len && len > LARGE && n - hl >= MARKER_WITHIN) {
		q = p + hl;
		nq = beginning(h, &q, MARKER_WITHIN);
		c->marked = (uint8_t)message_marker(q, nq, &c->seq, &c->sent);
		c->skip = len - (n - hl);
		return (n);
	}
	if (n - hl < len)
		return (0);
	q = p + hl;
	nq = beginning(h, &q, (size_t)len);
	on_frame(c, h[0] & 15, q, nq, now);
	return (hl + (size_t)len);
}

void
client_read(struct client *c)
{
	size_t		 n = c->npart, off = 0, used;
	ssize_t		 r;
	uint64_t	 now;

	if (n != 0)
		memcpy(buf, c->part, n);
	r = recv_now(c->fd, buf + n, sizeof(buf) - n);
	if (r < 0)
		client_close(c);
	if (r <= 0)
		return;
	now = now_ns();
	count.bytes += (uint64_t)r;
	n += (size_t)r;
	if (c->state == CLIENT_UPGRADING)
		off = upgraded(c, n);
	if (c->skip != 0)
		off = skip(c, n, now);
	while (c->state == CLIENT_OPEN && n - off >= 2) {
		if ((used = frame(c, buf + off, n - off, now)) == 0)
			break;
		off += used;
	}
	if (c->state == CLIENT_CLOSED)
		return;
	n -= off;			/* keep the incomplete rest: rare */
	if (n > c->npart && (c->part = realloc(c->part, n)) == NULL)
		die("out of memory");
	if (n != 0)
		memcpy(c->part, buf + off, n);
	else {
		free(c->part);
		c->part = NULL;
	}
	c->npart = (uint32_t)n;
}
