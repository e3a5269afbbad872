/* A connection's life: socket, reading, ending. */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "engine.h"
#include "hub.h"
#include "log.h"
#include "memory.h"
#include "peer.h"

/*
 * One receive buffer for all: what is kept of a connection's bytes is put in
 * front of what it reads, so no connection ever keeps more than this.
 */
static uint8_t			 rbuf[131072];
static struct event_base	*base;
static struct conn_list		 others = TAILQ_HEAD_INITIALIZER(others);
static struct conn_list		 dead = TAILQ_HEAD_INITIALIZER(dead);
static uint64_t			 last_id;

static void	conn_event(evutil_socket_t, short, void *);

void
conn_init(struct event_base *b)
{
	base = b;
}

static void
conn_set_addr(struct conn *c, const struct sockaddr *sa)
{
	const struct sockaddr_in	*sin;
	const struct sockaddr_in6	*sin6;

	c->addr.family = (uint8_t)sa->sa_family;
	switch (sa->sa_family) {
	case AF_INET:
		sin = (const void *)sa;
		memcpy(c->addr.ip, &sin->sin_addr, 4);
		c->addr.port = ntohs(sin->sin_port);
		break;
	case AF_INET6:
		sin6 = (const void *)sa;
		memcpy(c->addr.ip, &sin6->sin6_addr, 16);
		c->addr.port = ntohs(sin6->sin6_port);
		break;
	}
}

int
conn_new(int fd, const struct sockaddr *sa)
{
	struct conn	*c;
	int		 on = 1;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		fatal("connection");
	memory_take(sizeof(*c));
	c->fd = fd;
	c->id = ++last_id;
	c->since = now_ms();
	c->reason = CLOSE_EOF;
	conn_set_addr(c, sa);
	if (peer_join(&c->addr) == -1) {
		memory_give(sizeof(*c));
		free(c);
		return (-1);
	}
	if (c->addr.family != AF_UNIX && setsockopt(fd, IPPROTO_TCP,
	    TCP_NODELAY, &on, sizeof(on)) == -1)
		log_debug("TCP_NODELAY: %s", strerror(errno));
	if (event_assign(&c->ev, base, fd, EV_READ | EV_PERSIST, conn_event,
	    c) == -1 || event_add(&c->ev, NULL) == -1)
		fatalx("connection: event");
	conn_count(c);
	metrics.accepted++;
	request_idle(c);
	return (0);
}

/* What was read already and kept will not be announced by the socket. */
static void
conn_look(struct conn *c)
{
	if (!c->paused && c->npart > 0)
		event_active(&c->ev, EV_TIMEOUT, 0);
}

void
conn_watch(struct conn *c)
{
	short	 what = EV_PERSIST;

	c->deaf = c->paused;
	if (!c->deaf)
		what |= EV_READ;
	if (c->wantwrite)
		what |= EV_WRITE;
	event_del(&c->ev);
	if (what == EV_PERSIST)
		return;
	if (event_assign(&c->ev, base, c->fd, what, conn_event, c) == -1 ||
	    event_add(&c->ev, NULL) == -1)
		fatalx("connection: event");
	conn_look(c);
}

void
conn_pause(struct conn *c)
{
	/* Most go on before anything comes: conn_event() stops those that don't. */
	c->paused = 1;
}

void
conn_resume(struct conn *c)
{
	if (!c->paused || c->state == CONN_DEAD)
		return;
	c->paused = 0;
	if (c->deaf)
		conn_watch(c);
	else
		conn_look(c);
}

/* Keep what was not used for the next read. */
static void
conn_keep(struct conn *c, const uint8_t *data, size_t n)
{
	uint8_t	*part = NULL;

	if (n > 0) {
		if ((part = malloc(n)) == NULL)
			fatal("connection: %zu bytes", n);
		memcpy(part, data, n);
	}
	memory_take(n);
	memory_give(c->npart);
	free(c->part);
	c->part = part;
	c->npart = (uint32_t)n;
}

/* Hand bytes to whatever the connection speaks now; it may change on the way. */
static size_t
conn_input(struct conn *c, uint8_t *data, size_t len)
{
	size_t	 used = 0, n;
	int	 state;

	do {
		state = c->state;
		switch (state) {
		case CONN_HTTP:
			n = request_input(c, data + used, len - used);
			break;
		case CONN_WS:
		case CONN_CLOSING:
			n = session_input(c, data + used, len - used);
			break;
		default:
			n = len - used;
			break;
		}
		used += n;
	} while (used < len && !c->paused && (n > 0 || state != c->state));
	return (used);
}

static void
conn_eof(struct conn *c)
{
	/* The client of a last request may have shut down its side early. */
	if (c->state == CONN_HTTP && output_pending(c)) {
		c->closeafter = 1;
		conn_pause(c);
		return;
	}
	conn_drop(c, c->reason);
}

static void
conn_read(struct conn *c, int fresh)
{
	size_t	 have = c->npart, used;
	ssize_t	 n = 0;

	if (fresh && have < sizeof(rbuf)) {
		n = read(c->fd, rbuf + have, sizeof(rbuf) - have);
		if (n == -1) {
			if (errno != EAGAIN && errno != EINTR)
				conn_drop(c, CLOSE_ERROR);
			return;
		}
		if (n == 0) {
			conn_eof(c);
			return;
		}
	}
	if (have > 0)
		memcpy(rbuf, c->part, have);
	have += (size_t)n;
	used = conn_input(c, rbuf, have);
	if (c->state == CONN_DEAD)
		return;
	if (used > 0 || n > 0)
		conn_keep(c, rbuf + used, have - used);
}

static void
conn_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn	*c = arg;
	int		 paused = c->paused;

	(void)fd;

	if (what & EV_WRITE)
		conn_flush(c);
	/* What was kept while it was paused comes first, by conn_look(). */
	if (c->state == CONN_DEAD || (paused && !c->paused))
		return;
	if (c->paused) {
		if ((what & EV_READ) && !c->deaf)
			conn_watch(c);
		return;
	}
	/* Nor is more read before that: an end of file would hide it. */
	if (what & EV_TIMEOUT)
		conn_read(c, 0);
	else if (what & EV_READ)
		conn_read(c, 1);
}

void
conn_linger(struct conn *c)
{
	if (c->state == CONN_DEAD || c->state == CONN_LINGER)
		return;
	c->state = CONN_LINGER;
	conn_resume(c);
	session_end(c);
	if (!output_pending(c) && shutdown(c->fd, SHUT_WR) == -1)
		conn_drop(c, c->reason);
}

void
conn_drop(struct conn *c, enum close_reason reason)
{
	if (c->state == CONN_DEAD)
		return;
	c->state = CONN_DEAD;
	c->reason = (uint8_t)reason;
	event_del(&c->ev);
	timer_cancel(&c->timer);
	lookup_cancel(&c->lookup);
	revalidate_remove(c);
	output_forget(c);
	request_free(c);
	if (close(c->fd) == -1)
		log_warn("close");
	TAILQ_INSERT_TAIL(&dead, c, dirty);
	output_wake();
}

/* Free those that have been dropped: nothing in this turn refers to them now. */
void
conn_reap(void)
{
	struct conn	*c;

	while ((c = TAILQ_FIRST(&dead)) != NULL) {
		TAILQ_REMOVE(&dead, c, dirty);
		if (c->inhub)
			session_gone(c);
		else
			conn_discount(c);
		peer_leave(&c->addr);
		explicit_bzero(c->token, sizeof(c->token));
		memory_give(sizeof(*c) + c->npart);
		free(c->part);
		free(c);
	}
}

void
conn_count(struct conn *c)
{
	TAILQ_INSERT_TAIL(&others, c, entry);
	metrics.http_connections++;
}

void
conn_discount(struct conn *c)
{
	TAILQ_REMOVE(&others, c, entry);
	metrics.http_connections--;
}

void
conn_stop_others(void)
{
	struct conn	*c;

	TAILQ_FOREACH(c, &others, entry) {
		/* A request in progress is answered, and closed by that. */
		if (c->state != CONN_HTTP || c->req != NULL)
			continue;
		if (output_pending(c))
			c->closeafter = 1;
		else
			conn_drop(c, CLOSE_SHUTDOWN);
	}
}

static struct conn *
larger(struct conn *best, struct conn *c, const struct conn *except)
{
	if (c == except || c->state == CONN_DEAD || conn_held(c) == 0)
		return (best);
	return (best == NULL || conn_held(c) > conn_held(best) ? c : best);
}

struct conn *
conn_largest(const struct conn *except)
{
	struct conn	*c, *best = NULL;

	TAILQ_FOREACH(c, &hub_conns, entry)
		best = larger(best, c, except);
	TAILQ_FOREACH(c, &others, entry)
		best = larger(best, c, except);
	return (best);
}

uint64_t
conn_held(const struct conn *c)
{
	return (c->out.bytes + c->npart);
}

const char *
conn_ip(const struct conn *c, char *buf, size_t size)
{
	if (c->addr.family == AF_UNIX ||
	    inet_ntop(c->addr.family, c->addr.ip, buf, (socklen_t)size) == NULL)
		return ("unix");
	return (buf);
}

const char *
conn_address(const struct conn *c, char *buf, size_t size)
{
	char		 ipbuf[INET6_ADDRSTRLEN];
	const char	*ip = conn_ip(c, ipbuf, sizeof(ipbuf));

	if (c->addr.family == AF_UNIX)
		return ("unix");
	snprintf(buf, size, c->addr.family == AF_INET6 ? "[%s]:%u" : "%s:%u",
	    ip, c->addr.port);
	return (buf);
}

struct conn *
conn_by_id(uint64_t id)
{
	struct conn	*c;

	TAILQ_FOREACH(c, &hub_conns, entry) {
		if (c->id == id && c->state != CONN_DEAD)
			return (c);
	}
	return (NULL);
}
