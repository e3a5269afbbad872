/*
 * POST /publish and /broadcast: token, rate, body, hub.
 */
#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "conn.h"
#include "engine.h"
#include "frame.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "monitor.h"
#include "publish.h"
#include "publisher.h"
#include "request.h"
#include "text.h"

#define MESSAGE_ROOM	512	/* of a message beside its two parts */
#define QUEUE_ROOM	sizeof(struct outq)	/* of one whom it is for */
#define MAX_PLAYER_ID	255	/* longer than any identity there can be */

enum member {
	MEMBER_PLAYER,
	MEMBER_EVENT,
	MEMBER_PAYLOAD,
	MEMBERS
};

/* The publisher is known: one message of its rate, then the body. */
static void
publish_admit(struct conn *c, struct publisher *p)
{
	struct request	*r = c->req;
	unsigned	 wait;

	r->subject_len = p->subject_len;
	memcpy(r->subject, p->subject, p->subject_len);
	if ((wait = publisher_take(p)) > 0)
		reply_rate(c, wait);
	else
		request_body(c, r);
}

static void
publish_looked_up(struct conn *c, enum store_status status,
    const struct store_result *res)
{
	struct request		*r = c->req;
	struct publisher	*p;

	switch (status) {
	case STORE_VALID:
		publish_admit(c, publisher_learn(r->token, r->token_len, res));
		break;
	case STORE_INVALID:
		publisher_forget(r->token, r->token_len);
		reply_refuse(c, REFUSE_SERVER_TOKEN);
		break;
	case STORE_ERROR:
		p = publisher_grace(r->token, r->token_len);
		if (p != NULL)
			publish_admit(c, p);
		else
			reply_refuse(c, REFUSE_STORE);
		break;
	}
	request_continue(c);
}

void
publish_head(struct conn *c, struct request *r, const char *head)
{
	struct publisher	*p;

	if (r->http.method != HTTP_POST) {
		reply_refuse(c, REFUSE_POST_ONLY);
		return;
	}
	if (!request_bearer(r, head)) {
		reply_refuse(c, REFUSE_MISSING_TOKEN);
		return;
	}
	if (r->token_len == TOKEN_TOO_LONG) {
		reply_refuse(c, REFUSE_SERVER_TOKEN);
		return;
	}
	if ((p = publisher_find(r->token, r->token_len)) != NULL)
		publish_admit(c, p);
	else
		request_lookup(c, TOKEN_SERVER, publish_looked_up);
}

/* A given, non-null value. */
static int
given(const struct json_value *v)
{
	return (v->type != JSON_ABSENT && v->type != JSON_NULL);
}

/*
 * The player's identity out of a string or an integer; returns its length, 0
 * when there is none, -1 when it is of another kind.
 */
static int
player_id(const struct json_value *v, char *id, size_t size)
{
	size_t	 n;

	if (!given(v))
		return (0);
	if (v->type == JSON_STRING)
		n = json_decode(v, id, size);
	else if (v->type == JSON_NUMBER && v->integer) {
		n = v->len;
		memcpy(id, v->raw, n < size ? n : size);
	} else
		return (-1);
	return (n > size ? -1 : (int)n);
}

int
publish_room(size_t len, int broadcast, const struct conn *from)
{
	uint64_t	 queues = metrics.connections;

	if (!broadcast && queues > engine.conf.max_conns)
		queues = engine.conf.max_conns;
	/* A message may be there twice, as it is and compressed. */
	return (memory_reserve((len + MESSAGE_ROOM) *
	    (metrics.compressing > 0 ? 2 : 1) + queues * QUEUE_ROOM, from));
}

struct hub_result
publish_message(const void *player, size_t plen, int broadcast,
    const char *event, size_t elen, const char *payload, size_t paylen,
    const void *subject, size_t slen)
{
	struct hub_result	 res;
	enum publish_result	 kind;
	struct frame		*f;

	f = frame_message(event, elen, payload, paylen);
	f->fanout = now_ms();
	if (player == NULL)
		res = hub_broadcast(f);
	else if (broadcast)
		res = hub_send(player, plen, f);
	else
		res = hub_publish(player, plen, f);
	if (broadcast)
		kind = PUBLISH_BROADCAST;
	else if (res.queued)
		kind = PUBLISH_QUEUED;
	else
		kind = res.delivered > 0 ? PUBLISH_DELIVERED : PUBLISH_LOST;
	metrics.published++;
	metrics.publish[kind]++;
	if (monitor_on(CTL_EV_PUBLISH | CTL_EV_BROADCAST))
		monitor_event(broadcast ? CTL_EV_BROADCAST : CTL_EV_PUBLISH,
		    player, plen, NULL, f, res.delivered,
		    res.queued ? "queued" : NULL);
	if (log_begin(LOGL_DEBUG, broadcast ? "broadcast" : "publish")) {
		log_bytes("event", event + 1, elen - 2);
		if (player != NULL)
			log_bytes("player_id", player, plen);
		log_bytes("subject_id", subject, slen);
		log_int("delivered", (int64_t)res.delivered);
		log_int("queued", res.queued);
		log_end();
	}
	if (res.delivered == 0)
		f->fanout = 0;
	frame_unref(f);
	return (res);
}

static void
publish_answer(struct conn *c, struct hub_result res)
{
	char		 buf[64];
	struct text	 t = { buf, sizeof(buf), 0 };

	text_put(&t, "{\"delivered\":");
	text_uint(&t, res.delivered);
	text_put(&t, ",\"queued\":");
	text_uint(&t, (uint64_t)res.queued);
	text_put(&t, "}\n");
	reply(c, 200, "application/json", "", buf, t.len);
}

static void
publish_take(struct conn *c, struct request *r, const char *body, size_t len,
    int broadcast)
{
	struct json_member	 m[MEMBERS] = {
		[MEMBER_PLAYER] = { .name = "player_id" },
		[MEMBER_EVENT] = { .name = "event" },
		[MEMBER_PAYLOAD] = { .name = "payload" },
	};
	const struct json_value	*event = &m[MEMBER_EVENT].value;
	const struct json_value	*payload = &m[MEMBER_PAYLOAD].value;
	struct hub_result	 res;
	const char		*error;
	char			 id[MAX_PLAYER_ID], text[128];
	size_t			 at;
	int			 n;

	if (json_scan(body, len, m, MEMBERS, &error, &at) == -1) {
		snprintf(text, sizeof(text), "bad request: %s at byte %zu",
		    error, at);
		reply_refuse_text(c, REFUSE_BODY, text);
		return;
	}
	n = player_id(&m[MEMBER_PLAYER].value, id, sizeof(id));
	if (n == -1)
		error = "bad request: player_id must be a string or an integer"
		    " of at most 255 bytes";
	else if (n == 0 && !broadcast)
		error = "bad request: missing player_id";
	else if (!given(event))
		error = "bad request: missing event";
	else if (event->type != JSON_STRING)
		error = "bad request: event must be a string";
	else if (publish_room(event->len + payload->len, broadcast,
	    c) == -1) {
		reply_refuse(c, REFUSE_MEMORY);
		return;
	} else {
		res = publish_message(n > 0 ? id : NULL, (size_t)n, broadcast,
		    event->raw, event->len, payload->raw, payload->len,
		    r->subject, r->subject_len);
		publish_answer(c, res);
		return;
	}
	reply_refuse_text(c, REFUSE_BODY, error);
}

void
publish_body(struct conn *c, struct request *r, const char *body, size_t len)
{
	publish_take(c, r, body, len, 0);
}

void
broadcast_body(struct conn *c, struct request *r, const char *body, size_t len)
{
	publish_take(c, r, body, len, 1);
}
