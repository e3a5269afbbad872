/*
 * Control clients: accept them, take one request at a time from each, and
 * bound what each can hold, whatever it sends or does not read.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control_client.h"
#include "engine.h"
#include "log.h"
#include "metrics.h"
#include "version.h"

#define CLOSED_BURST	10	/* log lines a second about bad clients */
#define ACCEPT_PAUSE	1000	/* ms, when there are no descriptors left */

struct request {
	uint32_t	type;
	size_t		len;			/* of its data */
	enum client_state state;		/* when it may come */
	void		(*handle)(struct client *, const void *, size_t);
};

#define ANY_LENGTH	SIZE_MAX

static void	client_hello(struct client *, const void *, size_t);

static const struct request requests[] = {
	{ CTL_HELLO, sizeof(struct ctl_hello), CLIENT_NEW, client_hello },
	{ CTL_SHOW_STATS, 0, CLIENT_READY, show_stats },
	{ CTL_SHOW_STORE, 0, CLIENT_READY, show_store },
	{ CTL_SHOW_PLAYERS, 0, CLIENT_READY, show_players },
	{ CTL_SHOW_PLAYER, sizeof(struct ctl_id), CLIENT_READY, show_player },
	{ CTL_SHOW_QUEUE, 0, CLIENT_READY, show_queue },
	{ CTL_SHOW_CONFIG, 0, CLIENT_READY, show_config },
	{ CTL_KICK_PLAYER, sizeof(struct ctl_kick), CLIENT_READY,
	    change_kick_player },
	{ CTL_KICK_CONN, sizeof(struct ctl_kick), CLIENT_READY,
	    change_kick_conn },
	{ CTL_PUBLISH_BEGIN, sizeof(struct ctl_publish), CLIENT_READY,
	    upload_begin },
	{ CTL_PUBLISH_DATA, ANY_LENGTH, CLIENT_UPLOAD, upload_data },
	{ CTL_PUBLISH_END, 0, CLIENT_UPLOAD, upload_end },
	{ CTL_MONITOR, sizeof(struct ctl_monitor), CLIENT_READY,
	    monitor_start },
	{ CTL_RELOAD, 0, CLIENT_READY, change_reload },
	{ CTL_LOG_LEVEL, sizeof(struct ctl_number), CLIENT_READY,
	    change_log_level },
	{ CTL_DRAIN, sizeof(struct ctl_number), CLIENT_READY, change_drain },
	{ CTL_STOP, 0, CLIENT_READY, change_stop },
	{ CTL_TOKEN_ADD, sizeof(struct ctl_token), CLIENT_READY, token_add },
	{ CTL_TOKEN_LIST, 0, CLIENT_READY, token_list },
	{ CTL_TOKEN_REVOKE, sizeof(struct ctl_token), CLIENT_READY,
	    token_revoke },
};
#define NREQUESTS	(sizeof(requests) / sizeof(requests[0]))

struct client_list	control_clients =
			    TAILQ_HEAD_INITIALIZER(control_clients);

static struct event	listen_event;
static struct timer	accept_timer;
static struct log_limit	closed_limit;

static void	client_free(struct client *);

/* Whoever can make the next move has so long to make it. */
static void
client_patience(struct timer *timer)
{
	struct client	*c;

	c = (struct client *)(void *)((char *)timer -
	    offsetof(struct client, timer));
	if (log_limit(&closed_limit, CLOSED_BURST, now_ms()))
		log_info("control client of uid %u closed: it %s for %d s",
		    (unsigned int)c->uid, client_queued(c) > 0 ?
		    "has read nothing" : "has sent nothing",
		    CLIENT_PATIENCE / 1000);
	client_free(c);
}

static void
client_touch(struct client *c)
{
	/*
	 * A monitor may be paused by its reader; it costs no more than its
	 * bounded queue then.
	 */
	if (c->state == CLIENT_MONITOR ||
	    (c->state == CLIENT_WAITING && client_queued(c) == 0))
		timer_cancel(&c->timer);
	else
		timer_set(&c->timer, CLIENT_PATIENCE, client_patience);
}

static void
client_free(struct client *c)
{
	event_del(&c->ev_read);
	event_del(&c->ev_write);
	timer_cancel(&c->timer);
	TAILQ_REMOVE(&control_clients, c, entry);
	metrics.control_clients--;
	monitor_update();
	imsgbuf_clear(&c->ibuf);
	close(c->ibuf.fd);
	free(c->upload);
	free(c);
}

uint32_t
client_queued(struct client *c)
{
	return (imsgbuf_queuelen(&c->ibuf));
}

void
client_send(struct client *c, uint32_t type, const void *data, size_t len)
{
	if (c->broken)
		return;
	if (imsg_compose(&c->ibuf, type, 0, 0, -1, data, len) == -1) {
		log_warn("control client: message %u", type);
		/* An answer with a hole in it is none. */
		c->broken = 1;
		event_active(&c->ev_write, EV_WRITE, 0);
		return;
	}
	event_want(&c->ev_write, NULL);
}

void
client_end(struct client *c)
{
	c->state = CLIENT_ENDING;
	monitor_update();
	event_del(&c->ev_read);
	event_want(&c->ev_write, NULL);
	client_touch(c);
}

void
client_ok(struct client *c, uint64_t count, uint64_t queued)
{
	struct ctl_ok	ok = { count, queued };

	c->state = CLIENT_READY;
	c->more = NULL;
	client_send(c, CTL_OK, &ok, sizeof(ok));
	client_touch(c);
}

void
client_fail(struct client *c, enum ctl_error error, const char *fmt, ...)
{
	struct ctl_fail	fail;
	va_list		ap;

	memset(&fail, 0, sizeof(fail));
	fail.error = error;
	va_start(ap, fmt);
	vsnprintf(fail.text, sizeof(fail.text), fmt, ap);
	va_end(ap);
	c->state = CLIENT_READY;
	c->more = NULL;
	client_send(c, CTL_FAIL, &fail, sizeof(fail));
	client_touch(c);
}

uint32_t
client_wait(struct client *c)
{
	static uint32_t	last_id;

	/* 0 stands for nobody. */
	if (++last_id == 0)
		last_id++;
	c->state = CLIENT_WAITING;
	c->wait_id = last_id;
	return (last_id);
}

struct client *
client_waiting(uint32_t id)
{
	struct client	*c;

	TAILQ_FOREACH(c, &control_clients, entry) {
		if (c->state == CLIENT_WAITING && c->wait_id == id)
			return (c);
	}
	return (NULL);
}

int
client_log(const struct client *c, const char *request)
{
	if (!log_begin(LOGL_INFO, "control request"))
		return (0);
	log_str("request", request);
	log_int("uid", c->uid);
	return (1);
}

int
client_text_ok(const char *text, size_t size)
{
	return (memchr(text, '\0', size) != NULL);
}

int
client_id_ok(const struct ctl_id *id)
{
	return (id->len > 0 && id->len <= sizeof(id->id));
}

void
client_set_id(struct ctl_id *id, const void *bytes, size_t len)
{
	if (len > sizeof(id->id))
		len = sizeof(id->id);
	id->len = (uint32_t)len;
	memcpy(id->id, bytes, len);
}

static void
client_hello(struct client *c, const void *data, size_t len)
{
	struct ctl_hello	hello;

	memcpy(&hello, data, len);
	if (hello.version != CTL_VERSION) {
		client_fail(c, CTL_ERR_VERSION, "ws-gatewayd %s speaks "
		    "version %d of the control protocol, ws-gatewayctl "
		    "version %u", WSG_VERSION, CTL_VERSION, hello.version);
		client_end(c);
		return;
	}
	memset(&hello, 0, sizeof(hello));
	hello.version = CTL_VERSION;
	strlcpy(hello.build, WSG_VERSION, sizeof(hello.build));
	client_send(c, CTL_HELLO, &hello, sizeof(hello));
	c->state = CLIENT_READY;
}

static void
client_malformed(struct client *c, uint32_t type, size_t len)
{
	if (log_limit(&closed_limit, CLOSED_BURST, now_ms()))
		log_info("control client of uid %u closed: message %u of %zu "
		    "bytes is not expected", (unsigned int)c->uid, type, len);
	client_fail(c, CTL_ERR_REQUEST, "message %u of %zu bytes is not "
	    "expected", type, len);
	client_end(c);
}

static void
client_dispatch(struct client *c, struct imsg *imsg)
{
	const struct request	*r = NULL;
	uint32_t		 type = imsg_get_type(imsg);
	size_t			 i, len = imsg_get_len(imsg);
	uint8_t			 data[MAX_IMSGSIZE];

	for (i = 0; i < NREQUESTS && r == NULL; i++) {
		if (requests[i].type == type)
			r = &requests[i];
	}
	/* Who sends the next request has not awaited the answer to the last. */
	if (r == NULL || r->state != c->state || client_queued(c) > 0 ||
	    (r->len != ANY_LENGTH && r->len != len) || len > sizeof(data) ||
	    (len > 0 && imsg_get_data(imsg, data, len) == -1)) {
		client_malformed(c, type, len);
		return;
	}
	if (c->state == CLIENT_READY) {
		c->state = CLIENT_BUSY;
		c->request = type;
	}
	r->handle(c, data, len);
	explicit_bzero(data, len);
	client_touch(c);
}

static void
client_on_read(evutil_socket_t fd, short what, void *arg)
{
	struct client	*c = arg;
	struct imsg	 imsg;
	int		 n;

	(void)fd;
	(void)what;
	if (imsgbuf_read(&c->ibuf) != 1) {
		client_free(c);
		return;
	}
	while ((n = imsgbuf_get(&c->ibuf, &imsg)) == 1) {
		client_dispatch(c, &imsg);
		imsg_free(&imsg);
		if (c->state == CLIENT_ENDING)
			return;
	}
	if (n == -1)
		client_malformed(c, 0, 0);
}

static void
client_on_write(evutil_socket_t fd, short what, void *arg)
{
	struct client	*c = arg;
	uint32_t	 before = client_queued(c);

	(void)fd;
	(void)what;
	if (c->broken || imsgbuf_write(&c->ibuf) == -1 ||
	    (c->state == CLIENT_ENDING && client_queued(c) == 0)) {
		client_free(c);
		return;
	}
	if (c->more != NULL && client_queued(c) < CLIENT_LOW)
		c->more(c);
	if (c->state == CLIENT_MONITOR)
		monitor_room(c);
	if (client_queued(c) < before)
		client_touch(c);
	/* Even with an empty queue: the next piece is for the next turn. */
	if (client_queued(c) > 0 || c->more != NULL)
		event_want(&c->ev_write, NULL);
}

/* One too many: say so, as far as the socket takes it. */
static void
refuse_client(int fd)
{
	struct imsgbuf	ibuf;
	struct ctl_fail	fail;

	memset(&fail, 0, sizeof(fail));
	fail.error = CTL_ERR_BUSY;
	snprintf(fail.text, sizeof(fail.text), "%llu control clients are "
	    "connected already, more are not allowed",
	    (unsigned long long)metrics.control_clients);
	if (imsgbuf_init(&ibuf, fd) == 0) {
		if (imsg_compose(&ibuf, CTL_FAIL, 0, 0, -1, &fail,
		    sizeof(fail)) == -1 || imsgbuf_write(&ibuf) == -1)
			log_debug("control client refused: %s",
			    strerror(errno));
		imsgbuf_clear(&ibuf);
	}
	close(fd);
}

static void
client_new(int fd, uid_t uid)
{
	struct client		*c;
	struct event_base	*base = event_get_base(&listen_event);

	if ((c = calloc(1, sizeof(*c))) == NULL ||
	    imsgbuf_init(&c->ibuf, fd) == -1) {
		log_warn("control client");
		free(c);
		close(fd);
		return;
	}
	c->uid = uid;
	c->state = CLIENT_NEW;
	if (event_assign(&c->ev_read, base, fd, EV_READ | EV_PERSIST,
	    client_on_read, c) == -1 ||
	    event_assign(&c->ev_write, base, fd, EV_WRITE, client_on_write,
	    c) == -1 || event_add(&c->ev_read, NULL) == -1)
		fatalx("can't watch a control client's socket");
	TAILQ_INSERT_TAIL(&control_clients, c, entry);
	metrics.control_clients++;
	client_touch(c);
}

static void
accept_again(struct timer *timer)
{
	(void)timer;
	event_want(&listen_event, NULL);
}

static void
control_on_accept(evutil_socket_t s, short what, void *arg)
{
	uid_t	uid;
	gid_t	gid;
	int	fd;

	(void)what;
	(void)arg;
	fd = accept4(s, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd == -1) {
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		log_warn("control socket: accept");
		/* It stays readable, and would be for ever. */
		event_del(&listen_event);
		timer_set(&accept_timer, ACCEPT_PAUSE, accept_again);
		return;
	}
	if (getpeereid(fd, &uid, &gid) == -1) {
		log_warn("control client without credentials");
		close(fd);
		return;
	}
	log_debug("control client of uid %u, gid %u", (unsigned int)uid,
	    (unsigned int)gid);
	if (metrics.control_clients >= engine.conf.max_control)
		refuse_client(fd);
	else
		client_new(fd, uid);
}

void
control_init(int fd)
{
	if (event_assign(&listen_event, engine.base, fd, EV_READ | EV_PERSIST,
	    control_on_accept, NULL) == -1 ||
	    event_add(&listen_event, NULL) == -1)
		fatalx("can't watch the control socket");
}
