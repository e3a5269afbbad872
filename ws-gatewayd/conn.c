/* A connection's life: socket, reading, ending. */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <arpa/inet.h>

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "conn.h"
#include "engine.h"
#include "hub.h"
#include "log.h"
#include "memory.h"
#include "peer.h"
#include "request.h"
#include "transport.h"
#include "watch.h"

/*
 * A step of a TLS handshake may take a millisecond, most of it for a signature:
 * so few of them before players have their turn.
 */
#define SHAKES_MAX	8

/*
 * One receive buffer for all: what is kept of a connection's bytes is put in
 * front of what it reads, so no connection ever keeps more than this.
 */
static uint8_t			 rbuf[131072];
static struct conn_list		 dead = TAILQ_HEAD_INITIALIZER(dead);
static uint64_t			 last_id;
static int			 watch;		/* the sockets of all */
static unsigned			 shakes;	/* of TLS, in this turn */

struct conn_list	conn_others = TAILQ_HEAD_INITIALIZER(conn_others);

static void	conn_poll(evutil_socket_t, short, void *);

/* The way is clear for the first request. */
static void
conn_speak(struct conn *c)
{
	c->state = CONN_HTTP;
	request_idle(c);
}

void
conn_init(struct event_base *base)
{
	static struct event	 ev;

	if ((watch = watch_open()) == -1)
		fatal("connections");
	if (event_assign(&ev, base, watch, EV_READ | EV_PERSIST, conn_poll,
	    NULL) == -1 || event_add(&ev, NULL) == -1)
		fatalx("connections: event");
}

static void
conn_set_addr(struct conn *c, const struct sockaddr *sa)
{
	static const uint8_t		 mapped[12] = { [10] = 0xff, 0xff };
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
		/* IPv4, by a passed socket that is for both. */
		if (memcmp(c->addr.ip, mapped, sizeof(mapped)) == 0) {
			c->addr.family = AF_INET;
			memmove(c->addr.ip, c->addr.ip + sizeof(mapped), 4);
		}
		break;
	}
}

int
conn_new(int fd, const struct sockaddr *sa, uint8_t listener,
    struct tls_context *context)
{
	struct conn	*c = transport_new(context);
	int		 proxied;

	c->fd = fd;
	c->listener = listener;
	c->id = ++last_id;
	c->since = now_ms();
	c->reason = CLOSE_EOF;
	conn_set_addr(c, sa);
	/* A proxy is not counted, its client is. */
	proxied = listener_proxied(listener);
	if (!proxied && peer_join(&c->addr) == -1) {
		transport_free(c);
		return (-1);
	}
	conn_watch(c, WATCH_READ);
	conn_count(c);
	metrics.accepted++;
	if (proxied)
		client_start(c);
	else
		conn_begin(c);
	return (0);
}

void
conn_begin(struct conn *c)
{
	if (c->tls) {
		c->state = CONN_TLS;
		request_shaking(c);
	} else
		conn_speak(c);
}

void
conn_watch(struct conn *c, int what)
{
	if (watch_set(watch, c->fd, c, c->watched, what) == -1)
		fatal("connection: watch");
	c->watched = (uint8_t)(what & (WATCH_READ | WATCH_WRITE));
}

void
conn_pause(struct conn *c)
{
	/* Most go on before anything comes: conn_ready() stops those that don't. */
	c->paused = 1;
}

void
conn_resume(struct conn *c)
{
	if (!c->paused || c->state == CONN_DEAD)
		return;
	c->paused = 0;
	if (!(c->watched & WATCH_READ))
		conn_watch(c, c->watched | WATCH_READ);
	/* What was read already will not be announced by the socket. */
	if (c->part != NULL || c->tls) {
		c->look = 1;
		output_turn(c);
	}
}

void
conn_identify(struct conn *c, const uint8_t *token, size_t len,
    const struct store_result *res)
{
	struct conn_who	*w;
	size_t		 size = sizeof(*w) + len + res->subject_len;

	if (c->who != NULL)
		fatalx("a connection is somebody already");
	if ((w = malloc(size)) == NULL)
		fatal("connection: its token");
	memory_take(size);
	w->token_len = (uint8_t)len;
	w->subject_len = res->subject_len;
	memcpy(w->bytes, token, len);
	memcpy(w->bytes + len, res->subject, res->subject_len);
	c->who = w;
}

const uint8_t *
conn_subject(const struct conn *c)
{
	return (c->who->bytes + c->who->token_len);
}

static void
conn_forget_who(struct conn *c)
{
	struct conn_who	*w = c->who;
	size_t		 size;

	if (w == NULL)
		return;
	size = sizeof(*w) + w->token_len + w->subject_len;
	explicit_bzero(w, size);
	memory_give(size);
	free(w);
	c->who = NULL;
}

static size_t
conn_kept(const struct conn *c)
{
	return (c->part != NULL ? c->part->n : 0);
}

static void
conn_forget_part(struct conn *c)
{
	if (c->part == NULL)
		return;
	memory_give(sizeof(*c->part) + c->part->n);
	free(c->part);
	c->part = NULL;
}

void
conn_keep(struct conn *c, const uint8_t *data, size_t n)
{
	conn_forget_part(c);
	if (n == 0)
		return;
	if ((c->part = malloc(sizeof(*c->part) + n)) == NULL)
		fatal("connection: %zu bytes", n);
	memory_take(sizeof(*c->part) + n);
	c->part->n = n;
	memcpy(c->part->bytes, data, n);
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
	size_t	 have = conn_kept(c), used;
	ssize_t	 n = 0;

	if (fresh && have < sizeof(rbuf)) {
		n = transport_read(c, rbuf + have, sizeof(rbuf) - have);
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
		memcpy(rbuf, c->part->bytes, have);
	/* What TLS has deciphered already is not announced by the socket. */
	if (c->tls && (size_t)n == sizeof(rbuf) - have) {
		c->look = 1;
		output_turn(c);
	}
	have += (size_t)n;
	used = conn_input(c, rbuf, have);
	if (c->state == CONN_DEAD)
		return;
	if (used > 0 || n > 0)
		conn_keep(c, rbuf + used, have - used);
}

void
conn_again(struct conn *c)
{
	if (!c->look)
		return;
	c->look = 0;
	if (c->state != CONN_DEAD && !c->paused)
		conn_read(c, 0);
	/* More may have been deciphered, which no socket tells of. */
	if (c->tls && c->state != CONN_DEAD && !c->paused)
		conn_read(c, 1);
}

/* A client who has to prove who he is does so but once. */
static void
conn_log_subject(const struct conn *c)
{
	const char	*subject = transport_subject(c);
	char		 addr[64];

	if (subject == NULL || !log_begin(LOGL_INFO, "client certificate"))
		return;
	log_int("conn", (int64_t)c->id);
	log_str("address", conn_address(c, addr, sizeof(addr)));
	log_str("subject", subject);
	log_end();
}

static void
conn_shake(struct conn *c)
{
	char	 addr[64];

	switch (transport_handshake(c)) {
	case TRANSPORT_READ:
		conn_watch(c, WATCH_READ);
		break;
	case TRANSPORT_WRITE:
		conn_watch(c, WATCH_WRITE);
		break;
	case TRANSPORT_FAILED:
		log_debug("tls: %s: %s", conn_address(c, addr, sizeof(addr)),
		    transport_error(c));
		conn_drop(c, CLOSE_ERROR);
		break;
	case TRANSPORT_DONE:
		conn_log_subject(c);
		conn_watch(c, WATCH_READ);
		conn_speak(c);
		break;
	}
}

/* WHAT it is watched for has come. */
static void
conn_ready(struct conn *c, int what)
{
	if (c->state == CONN_DEAD)
		return;
	if (c->state == CONN_PROXY) {
		client_read(c);
		return;
	}
	if (c->state == CONN_TLS) {
		/* The others are told of again. */
		if (shakes++ < SHAKES_MAX)
			conn_shake(c);
		return;
	}
	if (what & c->watched & WATCH_WRITE)
		conn_flush(c);
	/* What was kept comes first: an end of file would hide it. */
	if (c->state == CONN_DEAD || c->look ||
	    !(what & c->watched & WATCH_READ))
		return;
	if (c->paused)
		conn_watch(c, c->watched & ~WATCH_READ);
	else
		conn_read(c, 1);
}

static void
conn_poll(evutil_socket_t fd, short what, void *arg)
{
	static struct watch_ready	 ready[WATCH_BATCH];
	int				 i, n;

	(void)what;
	(void)arg;

	shakes = 0;
	if ((n = watch_ready(fd, ready, WATCH_BATCH)) == -1 && errno != EINTR)
		fatal("connections");
	for (i = 0; i < n; i++)
		conn_ready(ready[i].arg, ready[i].what);
}

void
conn_linger(struct conn *c)
{
	if (c->state == CONN_DEAD || c->state == CONN_LINGER)
		return;
	c->state = CONN_LINGER;
	conn_resume(c);
	session_end(c);
	if (!output_pending(c) && transport_shutdown(c) == -1)
		conn_drop(c, c->reason);
}

void
conn_drop(struct conn *c, enum close_reason reason)
{
	if (c->state == CONN_DEAD)
		return;
	c->state = CONN_DEAD;
	c->reason = (uint8_t)reason;
	if (c->inhub)
		hub_lost();
	timer_cancel(&c->timer);
	lookup_cancel(c);
	revalidate_remove(c);
	output_forget(c);
	if (c->deflate)
		session_inflate_end(c);
	else
		request_free(c);
	conn_forget_part(c);
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
		conn_forget_who(c);
		transport_free(c);
	}
}

void
conn_count(struct conn *c)
{
	TAILQ_INSERT_TAIL(&conn_others, c, entry);
	metrics.http_connections++;
}

void
conn_discount(struct conn *c)
{
	TAILQ_REMOVE(&conn_others, c, entry);
	metrics.http_connections--;
}

void
conn_stop_others(void)
{
	struct conn	*c;

	TAILQ_FOREACH(c, &conn_others, entry) {
		if (c->state == CONN_PROXY || c->state == CONN_TLS)
			conn_drop(c, CLOSE_SHUTDOWN);
		/* A request in progress is answered, and closed by that. */
		if (c->state != CONN_HTTP || c->req != NULL)
			continue;
		if (output_pending(c))
			c->closeafter = 1;
		else
			conn_drop(c, CLOSE_SHUTDOWN);
	}
}

uint64_t
conn_held(const struct conn *c)
{
	uint64_t	 held = conn_kept(c) + session_inflate_size(c);

	if (c->out != NULL && (c->watched & WATCH_WRITE))
		held += c->out->bytes + c->out->size * sizeof(*c->out->ring);
	if (!c->deflate && c->req != NULL)
		held += c->req->body_size;
	return (held);
}

static const struct conn_addr *
conn_client(const struct conn *c)
{
	if (!c->deflate && c->req != NULL &&
	    c->req->client.family != AF_UNSPEC)
		return (&c->req->client);
	return (&c->addr);
}

const char *
conn_ip(const struct conn *c, char *buf, size_t size)
{
	const struct conn_addr	*a = conn_client(c);

	if (a->family == AF_UNIX ||
	    inet_ntop(a->family, a->ip, buf, (socklen_t)size) == NULL)
		return ("unix");
	return (buf);
}

const char *
conn_address(const struct conn *c, char *buf, size_t size)
{
	const struct conn_addr	*a = conn_client(c);
	char			 ipbuf[INET6_ADDRSTRLEN];
	const char		*ip = conn_ip(c, ipbuf, sizeof(ipbuf));

	if (a->family == AF_UNIX)
		return ("unix");
	snprintf(buf, size, a->family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip,
	    a->port);
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
