/*
 * Requests, one after the other on a connection: head, token, body, answer.
 */
#include <sys/types.h>

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client.h"
#include "conn.h"
#include "engine.h"
#include "frame.h"
#include "log.h"
#include "memory.h"
#include "peer.h"
#include "request.h"

#define MAXOUT		262144	/* of answers that nobody reads: wait */
#define BODY_FIRST	4096	/* first allocation of a chunked body */

static void	request_timer(struct timer *);

static struct conn *
timer_conn(struct timer *t)
{
	return ((struct conn *)((char *)t - offsetof(struct conn, timer)));
}

/* A deadline that moves away costs nothing: the timer finds out. */
static void
request_deadline(struct conn *c, uint64_t delay)
{
	c->deadline = now_ms() + delay;
	if (c->timer.deadline == 0 || c->timer.deadline > c->deadline)
		timer_set(&c->timer, delay, request_timer);
}

static void
request_timer(struct timer *t)
{
	struct conn	*c = timer_conn(t);
	uint64_t	 now = now_ms();

	/* In each state before that of a WebSocket. */
	if (c->state <= CONN_HTTP && now < c->deadline) {
		timer_set(t, c->deadline - now, request_timer);
		return;
	}
	if (c->state == CONN_PROXY) {
		client_late(c);
		return;
	}
	lookup_cancel(c);
	if (c->state == CONN_HTTP && c->req != NULL && !c->req->answered &&
	    !output_pending(c)) {
		reply_error(c, REFUSE_TIMEOUT, 408, "request timeout");
		/* Whether or not anybody reads that. */
		request_deadline(c, engine.conf.close_timeout);
		return;
	}
	conn_drop(c, CLOSE_EOF);
}

void
request_shaking(struct conn *c)
{
	request_deadline(c, engine.conf.tls_handshake_timeout);
}

void
request_idle(struct conn *c)
{
	if (c->req != NULL) {
		if (c->req->phase != REQUEST_LOOKUP)
			conn_resume(c);
		return;
	}
	/* A client that has not asked for anything yet is about to. */
	request_deadline(c, c->served ? engine.conf.keepalive_timeout :
	    engine.conf.request_timeout);
	conn_resume(c);
}

void
request_free(struct conn *c)
{
	struct request	*r = c->req;

	if (r == NULL)
		return;
	c->req = NULL;
	peer_leave(&r->client);
	if (r->handshake)
		metrics.handshakes--;
	memory_give(sizeof(*r) + r->body_size);
	free(r->body);
	explicit_bzero(r->token, sizeof(r->token));
	free(r);
}

static struct request *
request_new(struct conn *c)
{
	struct request	*r;

	if ((r = malloc(sizeof(*r))) == NULL)
		fatal("request");
	memory_take(sizeof(*r));
	memset(r, 0, offsetof(struct request, http));
	http_init(&r->http, (uint32_t)engine.conf.max_request_line,
	    (uint32_t)engine.conf.max_header);
	r->refuse = -1;
	c->req = r;
	metrics.requests++;
	return (r);
}

static size_t
request_head(struct conn *c, struct request *r, const char *data, size_t len)
{
	struct http_parser	*p = &r->http;

	switch (http_head(p, data, len)) {
	case HTTP_AGAIN:
		return (0);
	case HTTP_ERROR:
		reply_error(c, p->status == 414 || p->status == 431 ?
		    REFUSE_HEADER : REFUSE_HTTP, p->status, p->reason);
		return (len);
	case HTTP_OK:
		break;
	}
	r->phase = REQUEST_BODY;
	r->endpoint = endpoint_find(data + p->path.off, p->path.len,
	    listener_roles(c->listener));
	if (client_find(c, r, data) == -1)
		reply_refuse(c, REFUSE_ADDRESS);
	else if (r->endpoint == NULL)
		reply_refuse(c, REFUSE_NOT_FOUND);
	else
		r->endpoint->head(c, r, data);
	return (p->head_len);
}

void
request_body(struct conn *c, struct request *r)
{
	static const char	 more[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct frame		*f;

	if (!r->http.chunked && !r->http.has_length) {
		reply_error(c, REFUSE_BODY, 411, "length required");
		return;
	}
	if (r->http.length > engine.conf.max_body) {
		reply_refuse(c, REFUSE_TOO_LARGE);
		return;
	}
	if (r->http.expect_continue) {
		r->continued = 1;
		f = frame_bytes(more, sizeof(more) - 1);
		conn_send(c, f, 1);
		frame_unref(f);
	}
}

/* Keep a piece of the body until the rest is there; -1: there is no room. */
static int
body_append(struct conn *c, struct request *r, const char *data, size_t n)
{
	char	*body;
	size_t	 size;

	if (r->nbody + n > r->body_size) {
		size = r->body_size == 0 ? BODY_FIRST : r->body_size * 2;
		if (size < r->nbody + n)
			size = r->nbody + n;
		if (size < r->http.length)
			size = (size_t)r->http.length;
		if (memory_reserve(size - r->body_size, c) == -1)
			return (-1);
		if ((body = realloc(r->body, size)) == NULL)
			fatal("body of %zu bytes", size);
		memory_take(size - r->body_size);
		r->body = body;
		r->body_size = size;
	}
	memcpy(r->body + r->nbody, data, n);
	r->nbody += n;
	return (0);
}

/* The request has been read whole and is answered. */
static void
request_done(struct conn *c)
{
	request_free(c);
	c->served = 1;
	if (output_pending(c))
		request_deadline(c, engine.conf.request_timeout);
	else
		request_idle(c);
}

/* The connection is of no more use, once its answer is out. */
static void
request_close(struct conn *c)
{
	c->closeafter = 1;
	if (!output_pending(c))
		conn_linger(c);
}

/* A piece of the body came; LAST when it is whole. */
static void
request_piece(struct conn *c, struct request *r, const char *data, size_t n,
    int last)
{
	if (r->answered) {
		r->discarded += n;
		if (r->discarded > engine.conf.max_body)
			request_close(c);
	} else if (r->nbody + n > engine.conf.max_body) {
		reply_refuse(c, REFUSE_TOO_LARGE);
	} else if (last && r->nbody == 0) {
		r->endpoint->body(c, r, data, n);
	} else if (body_append(c, r, data, n) == -1) {
		reply_refuse(c, REFUSE_MEMORY);
	} else if (last)
		r->endpoint->body(c, r, r->body, r->nbody);
}

static size_t
request_read_body(struct conn *c, struct request *r, const char *buf,
    size_t len)
{
	enum http_result	 res;
	const char		*data;
	size_t			 used = 0, n, ndata;

	do {
		res = http_body(&r->http, buf + used, len - used, &n, &data,
		    &ndata);
		used += n;
		if (res == HTTP_ERROR) {
			if (!r->answered)
				reply_error(c, REFUSE_HTTP, r->http.status,
				    r->http.reason);
			else
				request_close(c);
			return (len);
		}
		if (ndata > 0 || res == HTTP_OK)
			request_piece(c, r, data, ndata, res == HTTP_OK);
		if (c->state != CONN_HTTP || c->closeafter)
			break;
	} while (res == HTTP_AGAIN && n > 0);
	if (res == HTTP_OK && c->state == CONN_HTTP)
		request_done(c);
	return (used);
}

static size_t
request_step(struct conn *c, struct request *r, const char *text, size_t len)
{
	size_t	 used = 0;

	if (r->phase == REQUEST_HEAD) {
		used = request_head(c, r, text, len);
		if (used == 0 || c->state != CONN_HTTP || c->req != r)
			return (used);
	}
	if (r->phase == REQUEST_BODY && !c->closeafter)
		used += request_read_body(c, r, text + used, len - used);
	return (used);
}

size_t
request_input(struct conn *c, uint8_t *data, size_t len)
{
	size_t	 used;
	int	 fresh = c->req == NULL;

	if (c->closeafter)
		return (len);
	if (c->out != NULL && c->out->bytes > MAXOUT) {
		conn_pause(c);
		return (0);
	}
	used = request_step(c, fresh ? request_new(c) : c->req,
	    (const char *)data, len);
	/* Most are whole at once; the others have their time from here on. */
	if (fresh && c->state == CONN_HTTP && c->req != NULL)
		request_deadline(c, engine.conf.request_timeout);
	return (used);
}

void
request_token(struct request *r, const void *token, size_t len)
{
	if (len > TOKEN_MAX) {
		r->token_len = TOKEN_TOO_LONG;
		return;
	}
	r->token_len = (uint8_t)len;
	memcpy(r->token, token, len);
}

int
request_bearer(struct request *r, const char *head)
{
	static const char		 scheme[] = "Bearer ";
	const struct http_header	*h;
	const char			*value;
	size_t				 len;

	if ((h = http_find(&r->http, head, "Authorization")) == NULL)
		return (0);
	value = head + h->value.off;
	len = h->value.len;
	if (len < sizeof(scheme) - 1 ||
	    strncasecmp(value, scheme, sizeof(scheme) - 1) != 0)
		return (0);
	value += sizeof(scheme) - 1;
	len -= sizeof(scheme) - 1;
	while (len > 0 && *value == ' ') {
		value++;
		len--;
	}
	if (len == 0)
		return (0);
	request_token(r, value, len);
	return (1);
}

void
request_lookup(struct conn *c, enum token_kind kind,
    void (*done)(struct conn *, enum store_status,
    const struct store_result *))
{
	struct request	*r = c->req;

	if (lookup_start(c, kind, r->token, r->token_len, done) == -1) {
		reply_refuse(c, REFUSE_LOOKUPS);
		return;
	}
	r->phase = REQUEST_LOOKUP;
	conn_pause(c);
}

void
request_continue(struct conn *c)
{
	if (c->state == CONN_DEAD)
		return;
	if (!c->deflate && c->req != NULL && !c->closeafter) {
		c->req->phase = REQUEST_BODY;
		/* A body of no bytes is whole without another read. */
		(void)request_read_body(c, c->req, "", 0);
	}
	conn_resume(c);
}
