/*
 * A player's WebSocket: what comes in is checked, pings go out, the close
 * handshake is kept.
 *
 * One timer a connection looks after its deadlines; a deadline that moves away
 * costs nothing, the timer finds out when it fires.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <netinet/in.h>

#include <string.h>

#include "conn.h"
#include "engine.h"
#include "frame.h"
#include "hub.h"
#include "log.h"
#include "monitor.h"

#define MAXPONGS	256	/* frames that wait: pings get no answer */

static void	session_timer(struct timer *);

static struct conn *
timer_conn(struct timer *t)
{
	return ((struct conn *)((char *)t - offsetof(struct conn, timer)));
}

static void
session_log(const struct conn *c, const char *event, const char *msg,
    uint32_t connections)
{
	char	 ip[INET6_ADDRSTRLEN];

	if (!log_begin(LOGL_INFO, msg))
		return;
	log_str("event", event);
	log_bytes("player_id", c->player->id, c->player->len);
	log_bytes("subject_id", conn_subject(c), c->who->subject_len);
	log_str("ip", conn_ip(c, ip, sizeof(ip)));
	log_int("connection", (int64_t)c->id);
	log_int("connections", connections);
}

static uint64_t
min64(uint64_t a, uint64_t b)
{
	return (a < b ? a : b);
}

static uint64_t
soft_deadline(const struct conn *c)
{
	return (c->out != NULL ? c->out->soft_deadline : 0);
}

/* Wake up for the first of the deadlines. */
static void
session_arm(struct conn *c, uint64_t now)
{
	uint64_t	 at = min64(c->deadline, c->pong_deadline);

	if (soft_deadline(c) != 0)
		at = min64(at, soft_deadline(c));
	timer_set(&c->timer, at > now ? at - now : 0, session_timer);
}

void
session_start(struct conn *c, const struct store_result *res, int deflate)
{
	uint64_t	 now = now_ms();

	c->state = CONN_WS;
	c->since = c->checked = now;
	c->expires = now + (uint64_t)(res->ttl > 0 ? res->ttl : 0);
	c->deadline = now + engine.conf.ping_interval;
	c->pong_deadline = now + engine.conf.pong_timeout;
	ws_stream_init(&c->ws);
	c->deflate = c->ws.deflate = deflate & 1;
	metrics.compressing += c->deflate;
	revalidate_add(c);
	session_arm(c, now);
	session_log(c, "ws_connect", "player connected", c->player->nconns);
	log_end();
	if (monitor_on(CTL_EV_CONNECT)) {
		char	 addr[CTL_MAXADDR];

		monitor_event(CTL_EV_CONNECT, NULL, 0, c, NULL,
		    c->player->nconns, conn_address(c, addr, sizeof(addr)));
	}
}

void
session_gone(struct conn *c)
{
	metrics.closed[c->reason]++;
	if (c->deflate) {
		metrics.compressing--;
		session_inflate_end(c);
	}
	session_log(c, "ws_disconnect", "player disconnected",
	    c->player->nconns - 1);
	log_str("reason", close_reason_name(c->reason));
	log_end();
	if (monitor_on(CTL_EV_DISCONNECT))
		monitor_event(CTL_EV_DISCONNECT, NULL, 0, c, NULL,
		    c->player->nconns - 1, close_reason_name(c->reason));
	hub_leave(c);
}

static void
session_timer(struct timer *t)
{
	struct conn	*c = timer_conn(t);
	struct frame	*f;
	uint64_t	 now = now_ms();

	if (c->state != CONN_WS) {
		conn_drop(c, c->reason);
		return;
	}
	if (soft_deadline(c) != 0 && soft_deadline(c) <= now) {
		conn_drop(c, CLOSE_SLOW);
		return;
	}
	if (c->pong_deadline <= now) {
		conn_drop(c, CLOSE_PONG_TIMEOUT);
		return;
	}
	if (c->deadline <= now) {
		f = frame_control(WS_PING, NULL, 0);
		conn_send(c, f, 0);
		frame_unref(f);
		if (c->state == CONN_DEAD)
			return;
		c->deadline = now + engine.conf.ping_interval;
	}
	session_arm(c, now);
}

void
session_watch(struct conn *c)
{
	uint64_t	 now = now_ms();

	c->out->soft_deadline = now + engine.conf.sendq_soft_time;
	session_arm(c, now);
}

void
session_end(struct conn *c)
{
	timer_set(&c->timer, engine.conf.close_timeout, session_timer);
}

/* Send a close frame; for everybody else the player is gone with it. */
static void
session_say_close(struct conn *c, uint16_t code, const char *text,
    enum close_reason reason)
{
	struct frame	*f = frame_close(code, text);

	revalidate_remove(c);
	lookup_cancel(c);
	c->reason = (uint8_t)reason;
	conn_send(c, f, 1);
	frame_unref(f);
	if (c->state == CONN_DEAD)
		return;
	session_gone(c);
	conn_count(c);
}

void
session_close(struct conn *c, uint16_t code, const char *text,
    enum close_reason reason)
{
	if (c->state != CONN_WS)
		return;
	session_say_close(c, code, text, reason);
	if (c->state == CONN_DEAD)
		return;
	c->state = CONN_CLOSING;
	session_end(c);
}

/* The peer's close frame: the answer to ours, or to be echoed (5.5.1). */
static void
session_closed(struct conn *c, const struct ws_parser *ws)
{
	if (c->state == CONN_CLOSING) {
		/* Both have spoken: the server closes first (7.1.1). */
		if (!output_pending(c)) {
			conn_drop(c, c->reason);
			return;
		}
	} else
		session_say_close(c, ws->code, "", CLOSE_CLIENT);
	conn_linger(c);
}

static void
session_error(struct conn *c, const struct ws_parser *ws)
{
	enum close_reason	 reason;

	switch (ws->code) {
	case WS_CLOSE_BAD_DATA:
		reason = CLOSE_BAD_DATA;
		break;
	case WS_CLOSE_TOO_BIG:
		reason = CLOSE_TOO_BIG;
		break;
	default:
		reason = CLOSE_PROTOCOL;
		break;
	}
	if (c->state == CONN_WS)
		session_say_close(c, ws->code, ws->reason, reason);
	/* Nothing after an error can be understood. */
	conn_linger(c);
}

static int
pongs_wait(const struct conn *c)
{
	return (c->out != NULL && c->out->n >= MAXPONGS);
}

static void
session_pong(struct conn *c, const struct ws_parser *ws)
{
	struct frame	*f;

	/* A peer that pings and does not read is not to fill the queue. */
	if (pongs_wait(c))
		conn_flush(c);
	if (c->state != CONN_WS || pongs_wait(c))
		return;
	f = frame_control(WS_PONG, ws->data, ws->len);
	conn_send(c, f, 1);
	frame_unref(f);
}

size_t
session_input(struct conn *c, uint8_t *data, size_t len)
{
	struct ws_parser	 ws;
	size_t			 used = 0, n;

	ws_init(&ws, &c->ws, engine.conf.max_message,
	    (uint32_t)engine.conf.max_fragments);
	while (c->state == CONN_WS || c->state == CONN_CLOSING) {
		switch (ws_parse(&ws, data + used, len - used, &n)) {
		case WS_EV_AGAIN:
			return (used + n);
		case WS_EV_DATA:
			if (!ws.compressed)
				session_data(c, &ws);
			else if (session_inflate(c, &ws) == -1)
				session_error(c, &ws);
			break;
		case WS_EV_PING:
			session_pong(c, &ws);
			break;
		case WS_EV_PONG:
			c->pong_deadline = now_ms() + engine.conf.pong_timeout;
			break;
		case WS_EV_CLOSE:
			session_closed(c, &ws);
			break;
		case WS_EV_ERROR:
			session_error(c, &ws);
			break;
		}
		used += n;
	}
	return (used);
}
