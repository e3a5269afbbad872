/*
 * HTTP publishers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wsload.h"

static uint32_t	 depth;			/* requests of one connection */
static char	 pay[MAX_PAYLOAD + 64], body[MAX_PAYLOAD + 4096];

void
pub_setup(void)
{
	uint32_t	 i;

	if (o.pubs != 0)
		depth = (o.inflight + o.pubs - 1) / o.pubs;
	for (i = 0; i < o.pubs; i++) {
		pubs[i].fifo = zalloc(depth, sizeof(uint32_t));
		pubs[i].fd = tcp_connect("127.0.0.1", 0, &pubs[i]);
	}
}

static void
on_response(struct pub *p, int status)
{
	if (p->head == p->tail)
		die("a response without a request");
	message_answered(p->fifo[p->head++ % depth], status);
}

/* The server closed: what was under way failed; connect again. */
static void
reset(struct pub *p)
{
	while (p->head != p->tail)
		on_response(p, 0);
	close(p->fd);
	p->nout = p->nin = 0;
	p->fd = tcp_connect("127.0.0.1", 0, p);
}

void
pub_reset_waiting(void)
{
	uint32_t	 i;

	for (i = 0; i < o.pubs; i++)
		if (pubs[i].head != pubs[i].tail)
			reset(&pubs[i]);
}

/* Sends what is queued; what a socket can't take waits for the next turn. */
void
pub_flush_all(void)
{
	struct pub	*p;
	ssize_t		 r;
	uint32_t	 i;

	for (i = 0; i < o.pubs; i++) {
		p = &pubs[i];
		if (p->nout == 0)
			continue;
		r = send_now(p->fd, p->out, p->nout);
		if (r == -1 && errno != EAGAIN)
			reset(p);
		else if (r > 0) {
			p->nout -= (size_t)r;
			memmove(p->out, p->out + r, p->nout);
		}
	}
}

void
pub_read(struct pub *p)
{
	ssize_t	 r;
	char	*at = p->in, *end, *s;
	int	 status;

	r = recv_now(p->fd, p->in + p->nin, sizeof(p->in) - 1 - p->nin);
	if (r < 0)
		reset(p);
	if (r <= 0)
		return;
	p->nin += (size_t)r;
	p->in[p->nin] = '\0';
	while ((end = strstr(at, "\r\n\r\n")) != NULL) {
		status = atoi(at + 9);
		*end = '\0';
		s = strcasestr(at, "\r\nContent-Length:");
		if (s == NULL && status != 204)
			die("publish answered without Content-Length: %s", at);
		*end = '\r';
		end += 4 + (s == NULL ? 0 : strtoul(s + 17, NULL, 10));
		if (end > p->in + p->nin)
			break;
		on_response(p, status);
		at = end;
	}
	p->nin -= (size_t)(at - p->in);
	memmove(p->in, at, p->nin);
	if (p->nin == sizeof(p->in) - 1)
		die("publish response too long");
}

/* Writes a POST to q; returns its end. */
static char *
request(char *q, const char *path, uint32_t id, size_t nbody)
{
	q = stpcpy(q, "POST ");
	q += message_expand(q, path, id, "", 0);
	q += sprintf(q, " HTTP/1.1\r\nHost: %s:%u\r\n%s"
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	    o.host, o.port, o.header, nbody);
	return (mempcpy(q, body, nbody));
}

/* Queues the request; the loop flushes it at the end of the turn. */
void
pub_message(uint32_t seq, uint64_t ts)
{
	static uint32_t	 last;
	struct pub	*p;
	size_t		 nbody, need;

	nbody = message_payload(pay, seq, ts);
	nbody = message_expand(body, o.body, message_target(seq), pay, nbody);
	do
		p = &pubs[last++ % o.pubs];
	while (p->tail - p->head >= depth);
	need = p->nout + nbody + strlen(o.pub) + strlen(o.header) + 512;
	if (need > p->outcap) {
		p->outcap = need * 2;
		if ((p->out = realloc(p->out, p->outcap)) == NULL)
			die("out of memory");
	}
	p->nout = (size_t)(request(p->out + p->nout, o.pub,
	    message_target(seq), nbody) - p->out);
	p->fifo[p->tail++ % depth] = seq;
}
