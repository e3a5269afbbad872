/* HTTP responses. */
#include <sys/types.h>

#include <netinet/in.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "conn.h"
#include "engine.h"
#include "frame.h"
#include "log.h"
#include "monitor.h"
#include "request.h"
#include "text.h"

#define MAXHEAD		1024	/* of a response, without the body */

static const struct {
	int		 status;
	const char	*text;
	const char	*extra;
} refusals[REFUSE_REASONS] = {
	[REFUSE_MISSING_TOKEN] = { 401, "missing token",
	    "WWW-Authenticate: Bearer\r\n" },
	[REFUSE_INVALID_TOKEN] = { 401, "invalid token",
	    "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n" },
	[REFUSE_SERVER_TOKEN] = { 403, "invalid server token", "" },
	[REFUSE_PLAYER_CONNS] = { 429, "too many connections",
	    "Retry-After: 5\r\n" },
	[REFUSE_CONNS] = { 503, "too many connections", "Retry-After: 5\r\n" },
	[REFUSE_ADDRESS] = { 429, "too many connections from this address",
	    "Retry-After: 5\r\n" },
	[REFUSE_HANDSHAKES] = { 503, "too many handshakes",
	    "Retry-After: 1\r\n" },
	[REFUSE_HANDSHAKE_RATE] = { 503, "too many handshakes",
	    "Retry-After: 1\r\n" },
	[REFUSE_MEMORY] = { 503, "out of memory", "Retry-After: 2\r\n" },
	[REFUSE_DESCRIPTORS] = { 503, "too many connections",
	    "Retry-After: 5\r\n" },
	[REFUSE_METHOD] = { 405, "method not allowed", "Allow: GET\r\n" },
	[REFUSE_POST_ONLY] = { 405, "method not allowed", "Allow: POST\r\n" },
	[REFUSE_HANDSHAKE] = { 400, "bad handshake", "" },
	[REFUSE_VERSION] = { 426, "unsupported WebSocket version",
	    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" },
	[REFUSE_ORIGIN] = { 403, "origin not allowed", "" },
	[REFUSE_RATE] = { 429, "rate limit", "" },
	[REFUSE_BODY] = { 400, "bad request", "" },
	[REFUSE_TOO_LARGE] = { 413, "body too large", "" },
	[REFUSE_HTTP] = { 400, "bad request", "" },
	[REFUSE_HEADER] = { 431, "header too large", "" },
	[REFUSE_TIMEOUT] = { 408, "request timeout", "" },
	[REFUSE_NOT_FOUND] = { 404, "not found", "" },
	[REFUSE_STORE] = { 503, "token database unavailable",
	    "Retry-After: 2\r\n" },
	[REFUSE_LOOKUPS] = { 503, "too many token lookups",
	    "Retry-After: 2\r\n" },
	[REFUSE_DRAINING] = { 503, "draining", "Retry-After: 5\r\n" },
};

/* "Date: ...\r\n", made anew once a second (RFC 9110, 6.6.1). */
static const char *
reply_date(void)
{
	static char	 line[64];
	static time_t	 last = -1;
	time_t		 now = time(NULL);
	struct tm	 tm;

	if (now != last && gmtime_r(&now, &tm) != NULL) {
		strftime(line, sizeof(line),
		    "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
		last = now;
	}
	return (line);
}

void
reply(struct conn *c, int status, const char *type, const char *extra,
    const void *body, size_t len)
{
	struct request	*r = c->req;
	struct frame	*f;
	char		 head[MAXHEAD];
	struct text	 t = { head, sizeof(head), 0 };
	int		 close;

	/* A body that was announced and not asked for may never come. */
	close = c->closeafter || !r->http.keepalive || engine.stopping ||
	    (r->http.expect_continue && !r->continued) ||
	    r->http.length > engine.conf.max_body;
	text_put(&t, "HTTP/1.1 ");
	text_uint(&t, (uint64_t)status);
	text_put(&t, " ");
	text_put(&t, http_reason(status));
	text_put(&t, "\r\n");
	text_put(&t, reply_date());
	if (close)
		text_put(&t, "Connection: close\r\n");
	else if (r->http.minor == 0)
		text_put(&t, "Connection: keep-alive\r\n");
	text_put(&t, extra);
	text_put(&t, "Content-Type: ");
	text_put(&t, type);
	text_put(&t, "\r\nX-Content-Type-Options: nosniff\r\n"
	    "Content-Length: ");
	text_uint(&t, len);
	text_put(&t, "\r\n\r\n");
	if (r->http.method == HTTP_HEAD)
		len = 0;
	f = frame_room(t.len + len);
	memcpy(f->data, head, t.len);
	if (len > 0)
		memcpy(f->data + t.len, body, len);
	r->answered = 1;
	if (r->handshake) {
		r->handshake = 0;
		metrics.handshakes--;
	}
	conn_send(c, f, 1);
	frame_unref(f);
	if (close)
		c->closeafter = 1;
}

static void
reply_line(struct conn *c, int status, const char *extra, const char *text)
{
	char		 line[256];
	struct text	 t = { line, sizeof(line), 0 };

	text_put(&t, text);
	text_put(&t, "\n");
	reply(c, status, "text/plain; charset=utf-8", extra, line, t.len);
}

static void
reply_count(struct conn *c, enum refuse_reason reason)
{
	static struct log_limit	 limits[REFUSE_REASONS];
	char			 ip[INET6_ADDRSTRLEN];

	metrics.refused[reason]++;
	if (log_get_level() <= LOGL_INFO &&
	    log_limit(&limits[reason], 10, now_ms()) &&
	    log_begin(LOGL_INFO, "refused")) {
		log_str("reason", refuse_reason_name(reason));
		log_str("ip", conn_ip(c, ip, sizeof(ip)));
		log_end();
	}
	if (monitor_on(CTL_EV_REFUSE))
		monitor_event(CTL_EV_REFUSE, NULL, 0, c, NULL, 0,
		    refuse_reason_name(reason));
}

void
reply_refuse_text(struct conn *c, enum refuse_reason reason, const char *text)
{
	reply_count(c, reason);
	if (reason == REFUSE_TOO_LARGE)
		c->closeafter = 1;
	reply_line(c, refusals[reason].status, refusals[reason].extra, text);
}

void
reply_refuse(struct conn *c, enum refuse_reason reason)
{
	reply_refuse_text(c, reason, refusals[reason].text);
}

void
reply_rate(struct conn *c, unsigned seconds)
{
	char	 extra[64];

	reply_count(c, REFUSE_RATE);
	snprintf(extra, sizeof(extra), "Retry-After: %u\r\n", seconds);
	reply_line(c, refusals[REFUSE_RATE].status, extra,
	    refusals[REFUSE_RATE].text);
}

void
reply_error(struct conn *c, enum refuse_reason reason, int status,
    const char *text)
{
	reply_count(c, reason);
	/* Where the next request would start can't be known. */
	c->closeafter = 1;
	reply_line(c, status, "", text);
}

void
reply_upgrade(struct conn *c, const struct request *r)
{
	struct frame	*f;
	char		 head[MAXHEAD];
	struct text	 t = { head, sizeof(head), 0 };

	text_put(&t, "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: ");
	text_bytes(&t, r->accept, WS_ACCEPTLEN);
	text_put(&t, "\r\n");
	if (r->bearer)
		text_put(&t, "Sec-WebSocket-Protocol: bearer\r\n");
	if (r->deflate.agreed) {
		text_put(&t, "Sec-WebSocket-Extensions: permessage-deflate; "
		    "server_no_context_takeover; client_no_context_takeover");
		/* Asked for, it must be said, and 15 is what we do. */
		if (r->deflate.server_bits != 0)
			text_put(&t, "; server_max_window_bits=15");
		text_put(&t, "\r\n");
	}
	text_put(&t, "\r\n");
	f = frame_bytes(head, t.len);
	conn_send(c, f, 1);
	frame_unref(f);
}
