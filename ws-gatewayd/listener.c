/* Listening sockets: accept in batches, rest when there is no descriptor. */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "engine.h"
#include "log.h"
#include "memory.h"
#include "tls_context.h"

#define ACCEPT_BATCH	64	/* before other events have their turn */
#define ACCEPT_REST	200	/* ms, when descriptors have run out */
#define MEMORY_ROOM	4096	/* what a new connection needs at once */
#define MEMORY_ROOM_TLS	65536

/* One that was closed keeps its settings, for the connections it has had. */
struct listener {
	TAILQ_ENTRY(listener)	 entry;		/* while it is open */
	struct event		 ev;
	int			 fd;
	uint8_t			 id;
	int			 accepting;	/* it has been configured */
	struct conf_listener	 conf;
	struct conf_listener	 next;		/* id 0: there is none */
};
TAILQ_HEAD(listener_list, listener);

static struct listener_list	listeners = TAILQ_HEAD_INITIALIZER(listeners);
static struct listener		*by_id[LISTENER_MAX + 1];
static struct timer		rest;
static int			reserve = -1;	/* a descriptor */

static void
listener_resume(struct timer *t)
{
	struct listener	*l;

	(void)t;
	TAILQ_FOREACH(l, &listeners, entry) {
		if (reserve == -1)
			reserve = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
		if (event_add(&l->ev, NULL) == -1)
			fatalx("listener: event_add");
	}
}

static void
listener_pause(void)
{
	struct listener	*l;

	TAILQ_FOREACH(l, &listeners, entry)
		event_del(&l->ev);
	timer_set(&rest, ACCEPT_REST, listener_resume);
}

static uint64_t
refuse_limit(enum refuse_reason reason)
{
	switch (reason) {
	case REFUSE_ADDRESS:
		return (engine.conf.max_per_address);
	case REFUSE_HANDSHAKES:
		return (engine.conf.max_tls_handshakes);
	case REFUSE_MEMORY:
		return (engine.conf.memory_limit);
	default:
		return (engine.max_connections);
	}
}

void
listener_say(int fd, int tls, enum refuse_reason reason)
{
	static const char	 busy[] =
	    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n"
	    "Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Length: 21\r\n\r\ntoo many connections\n";
	static const char	 many[] =
	    "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\n"
	    "Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Length: 39\r\n\r\n"
	    "too many connections from this address\n";
	static struct log_limit	 limits[REFUSE_REASONS];
	const char		*text = reason == REFUSE_ADDRESS ? many : busy;

	metrics.refused[reason]++;
	if (log_limit(&limits[reason], 1, now_ms()) &&
	    log_begin(LOGL_WARN, "connection refused")) {
		log_str("reason", refuse_reason_name(reason));
		log_int("limit", (int64_t)refuse_limit(reason));
		log_end();
	}
	/*
	 * A fresh socket has room for it; if not, closing says enough.  So it
	 * must to one who expects TLS.
	 */
	if (!tls && send(fd, text, strlen(text), MSG_NOSIGNAL) == -1)
		log_debug("refuse: %s", strerror(errno));
}

/* A connection that can't be had: say so and close. */
static void
listener_refuse(const struct listener *l, int fd, enum refuse_reason reason)
{
	listener_say(fd, l->conf.tls != 0, reason);
	close(fd);
}

/*
 * Out of descriptors: the one in reserve lets a client be told so.  Then all
 * listeners rest, since accept(2) would fail at once again.
 */
static void
listener_exhausted(const struct listener *l)
{
	static struct log_limit	 limit;
	int			 error = errno, s;

	metrics.accept_errors++;
	if (log_limit(&limit, 1, now_ms()))
		log_warnx("accept: %s", strerror(error));
	if ((error == EMFILE || error == ENFILE) && reserve != -1) {
		close(reserve);
		s = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (s != -1)
			listener_refuse(l, s, REFUSE_DESCRIPTORS);
		reserve = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
	}
	listener_pause();
}

static void
listener_new(const struct listener *l, int fd, const struct sockaddr *sa)
{
	/* Those who were dropped just now count no more. */
	conn_reap();
	if (metrics.connections + metrics.http_connections >=
	    engine.max_connections)
		listener_refuse(l, fd, REFUSE_CONNS);
	else if (l->conf.tls != 0 && metrics.tls_handshakes_pending >=
	    engine.conf.max_tls_handshakes)
		listener_refuse(l, fd, REFUSE_HANDSHAKES);
	else if (memory_reserve(l->conf.tls != 0 ? MEMORY_ROOM_TLS :
	    MEMORY_ROOM, NULL) == -1)
		listener_refuse(l, fd, REFUSE_MEMORY);
	else if (conn_new(fd, sa, l->id, l->conf.tls != 0 ?
	    tls_context_hold(l->conf.tls) : NULL) == -1)
		listener_refuse(l, fd, REFUSE_ADDRESS);
}

static void
listener_accept(evutil_socket_t fd, short what, void *arg)
{
	struct sockaddr_storage	 ss;
	socklen_t		 len;
	int			 i, s;

	(void)what;

	for (i = 0; i < ACCEPT_BATCH; i++) {
		len = sizeof(ss);
		/* An unnamed unix peer has no address at all. */
		ss.ss_family = AF_UNIX;
		s = accept4(fd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (s == -1) {
			if (errno == EAGAIN)
				return;
			/* The client has given up already: the next one. */
			if (errno == ECONNABORTED || errno == EINTR)
				continue;
			listener_exhausted(arg);
			return;
		}
		listener_new(arg, s, (struct sockaddr *)&ss);
	}
}

void
listener_add(uint32_t id, int fd)
{
	struct listener	*l;

	if (id == 0 || id > LISTENER_MAX || by_id[id] != NULL)
		fatalx("listener: number %u", id);
	if ((l = calloc(1, sizeof(*l))) == NULL)
		fatal("listener");
	l->fd = fd;
	l->id = (uint8_t)id;
	if (event_assign(&l->ev, engine.base, fd, EV_READ | EV_PERSIST,
	    listener_accept, l) == -1)
		fatalx("listener: event");
	by_id[id] = l;
	TAILQ_INSERT_TAIL(&listeners, l, entry);
	if (reserve == -1 && (reserve = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1)
		log_warn("a descriptor in reserve");
}

void
listener_conf(const struct conf_listener *conf)
{
	if (conf->id == 0 || conf->id > LISTENER_MAX || by_id[conf->id] == NULL)
		fatalx("listener: settings of number %u", conf->id);
	by_id[conf->id]->next = *conf;
}

static void
listener_close(struct listener *l)
{
	TAILQ_REMOVE(&listeners, l, entry);
	event_del(&l->ev);
	close(l->fd);
	l->fd = -1;
}

void
listener_conf_end(void)
{
	struct listener	*l, *tmp;

	TAILQ_FOREACH_SAFE(l, &listeners, entry, tmp) {
		if (l->next.id == 0) {
			listener_close(l);
			continue;
		}
		l->conf = l->next;
		l->next.id = 0;
		if (l->accepting)
			continue;
		if (event_add(&l->ev, NULL) == -1)
			fatalx("listener: event");
		l->accepting = 1;
		log_debug("accepting on %s", l->conf.address);
	}
}

int
listener_proxied(uint8_t id)
{
	return (by_id[id]->conf.proxy_protocol != 0);
}

int
listener_roles(uint8_t id)
{
	return ((int)by_id[id]->conf.roles);
}

void
listener_close_all(void)
{
	struct listener	*l;

	timer_cancel(&rest);
	while ((l = TAILQ_FIRST(&listeners)) != NULL)
		listener_close(l);
}

int
listener_open(void)
{
	return (!TAILQ_EMPTY(&listeners));
}
