/*
 * GET /ws: from an HTTP request to a player's WebSocket (RFC 6455, 4.2).
 *
 * The head is judged at once, but the refusals have an order, and those of the
 * token and of the number of connections come first.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <netinet/in.h>

#include <string.h>

#include "client.h"
#include "conn.h"
#include "engine.h"
#include "hub.h"
#include "log.h"
#include "queue.h"
#include "rate.h"
#include "request.h"

static int
span_is(const char *head, const struct http_span *s, const char *text)
{
	return (s->len == strlen(text) && memcmp(head + s->off, text,
	    s->len) == 0);
}

/* One item, from 0, of the list that all lines of that header make, or NULL. */
static const char *
protocol_item(const struct http_parser *p, const char *head, int item,
    size_t *len)
{
	const struct http_header	*h = NULL;
	const char			*s, *end, *comma;

	while ((h = http_next(p, head, "Sec-WebSocket-Protocol", h)) != NULL) {
		s = head + h->value.off;
		end = s + h->value.len;
		while (s < end) {
			if (*s == ',' || *s == ' ' || *s == '\t') {
				s++;
				continue;
			}
			comma = memchr(s, ',', (size_t)(end - s));
			*len = (size_t)((comma != NULL ? comma : end) - s);
			while (s[*len - 1] == ' ' || s[*len - 1] == '\t')
				(*len)--;
			if (item-- == 0)
				return (s);
			s += *len;
		}
	}
	return (NULL);
}

/*
 * "Sec-WebSocket-Protocol: bearer, TOKEN" keeps a token out of the URL for
 * browsers, which can't set another header.  Returns whether it was so; the
 * token counts unless the request has one.
 */
static int
handshake_protocol(struct request *r, const char *head)
{
	const struct http_parser	*p = &r->http;
	static const char		 bearer[] = "bearer";
	const char			*s;
	size_t				 len;

	if ((s = protocol_item(p, head, 0, &len)) == NULL ||
	    len != sizeof(bearer) - 1 || memcmp(s, bearer, len) != 0 ||
	    (s = protocol_item(p, head, 1, &len)) == NULL)
		return (0);
	if (r->token_len == 0)
		request_token(r, s, len);
	return (1);
}

static void
handshake_token(struct request *r, const char *head)
{
	const struct http_parser	*p = &r->http;
	uint8_t				 token[TOKEN_MAX];
	long				 n;

	n = http_query_param(head + p->query.off, p->query.len, "token", token,
	    sizeof(token));
	if (n > 0)
		request_token(r, token, (size_t)n);
	else
		(void)request_bearer(r, head);
	r->bearer = handshake_protocol(r, head) & 1;
	explicit_bzero(token, sizeof(token));
}

/*
 * The first offer of permessage-deflate that will do, of all lines.  Returns
 * -1 when one of them is not as it must be (RFC 6455, 9.1).
 */
static int
handshake_extensions(struct request *r, const char *head)
{
	const struct http_header	*h = NULL;

	if (!engine.conf.compress)
		return (0);
	while ((h = http_next(&r->http, head, "Sec-WebSocket-Extensions",
	    h)) != NULL) {
		if (ws_extension_parse(&r->deflate, head + h->value.off,
		    h->value.len) == -1)
			return (-1);
	}
	return (0);
}

static int
handshake_origin_ok(const struct http_parser *p, const char *head)
{
	const struct http_header	*h;
	struct conf_string		*o;
	char				 origin[CONF_MAXORIGIN];

	if (TAILQ_EMPTY(&engine.origins))
		return (1);
	if (http_count(p, head, "Origin") != 1)
		return (0);
	h = http_find(p, head, "Origin");
	if (origin_normalise(head + h->value.off, h->value.len, origin,
	    sizeof(origin)) == -1)
		return (0);
	TAILQ_FOREACH(o, &engine.origins, entry) {
		if (strcmp(o->s, origin) == 0)
			return (1);
	}
	return (0);
}

/* What is wrong with the head, apart from the token: a reason or -1. */
static int
handshake_check(struct request *r, const char *head)
{
	const struct http_parser	*p = &r->http;
	const struct http_header	*key, *version;

	if (p->method != HTTP_GET)
		return (REFUSE_METHOD);
	key = http_find(p, head, "Sec-WebSocket-Key");
	version = http_find(p, head, "Sec-WebSocket-Version");
	if (p->minor != 1 || p->chunked || p->length > 0 ||
	    !http_has_token(p, head, "Upgrade", "websocket") ||
	    !http_has_token(p, head, "Connection", "Upgrade") ||
	    http_count(p, head, "Sec-WebSocket-Key") != 1 ||
	    !ws_key_ok(head + key->value.off, key->value.len) ||
	    http_count(p, head, "Sec-WebSocket-Version") != 1 ||
	    handshake_extensions(r, head) == -1)
		return (REFUSE_HANDSHAKE);
	if (!span_is(head, &version->value, "13"))
		return (REFUSE_VERSION);
	if (!handshake_origin_ok(p, head))
		return (REFUSE_ORIGIN);
	ws_accept(head + key->value.off, key->value.len, r->accept);
	return (-1);
}

static void
handshake_full(struct conn *c, const struct store_result *res, uint32_t n)
{
	static struct log_limit	 limit;
	char			 ip[INET6_ADDRSTRLEN];

	if (log_limit(&limit, 10, now_ms()) &&
	    log_begin(LOGL_WARN, "too many connections")) {
		log_bytes("player_id", res->identity, res->identity_len);
		log_bytes("subject_id", res->subject, res->subject_len);
		log_str("ip", conn_ip(c, ip, sizeof(ip)));
		log_int("limit", (int64_t)engine.conf.max_conns);
		log_int("current", n);
		log_end();
	}
	reply_refuse(c, REFUSE_PLAYER_CONNS);
}

/* The token is good. */
static void
handshake_accept(struct conn *c, const struct store_result *res)
{
	struct request	*r = c->req;
	struct player	*p;
	int		 deflate;

	p = hub_find(res->identity, res->identity_len);
	if (p != NULL && p->nconns >= engine.conf.max_conns) {
		handshake_full(c, res, p->nconns);
		return;
	}
	if (r->refuse != -1) {
		reply_refuse(c, (enum refuse_reason)r->refuse);
		return;
	}
	if (engine.draining || engine.stopping) {
		reply_refuse(c, REFUSE_DRAINING);
		return;
	}
	if (hub_join(c, res->identity, res->identity_len) == -1)
		fatalx("hub_join after its check");
	conn_identify(c, r->token, r->token_len, res);
	reply_upgrade(c, r);
	deflate = r->deflate.agreed;
	client_keep(c);
	request_free(c);
	session_start(c, res, deflate);
	queue_flush(c->player, c);
}

static void
handshake_done(struct conn *c, enum store_status status,
    const struct store_result *res)
{
	switch (status) {
	case STORE_VALID:
		handshake_accept(c, res);
		break;
	case STORE_INVALID:
		reply_refuse(c, REFUSE_INVALID_TOKEN);
		break;
	case STORE_ERROR:
		reply_refuse(c, REFUSE_STORE);
		break;
	}
	request_continue(c);
}

void
handshake_head(struct conn *c, struct request *r, const char *head)
{
	static uint64_t	 full_at;

	handshake_token(r, head);
	if (r->token_len == 0) {
		reply_refuse(c, REFUSE_MISSING_TOKEN);
		return;
	}
	if (r->token_len == TOKEN_TOO_LONG) {
		reply_refuse(c, REFUSE_INVALID_TOKEN);
		return;
	}
	if (metrics.handshakes >= engine.conf.max_handshakes) {
		reply_refuse(c, REFUSE_HANDSHAKES);
		return;
	}
	if (engine.conf.handshake_rate != 0 && rate_take(&full_at,
	    engine.conf.handshake_rate, 1000, engine.conf.handshake_burst) >
	    0) {
		reply_refuse(c, REFUSE_HANDSHAKE_RATE);
		return;
	}
	r->handshake = 1;
	metrics.handshakes++;
	r->refuse = handshake_check(r, head);
	request_lookup(c, TOKEN_PLAYER, handshake_done);
}
