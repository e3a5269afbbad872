/*
 * Live events for those who watch.  Nobody waits for a slow one: it loses
 * events, and is told how many.
 */
#include <string.h>
#include <time.h>

#include "conn.h"
#include "control_client.h"
#include "frame.h"
#include "hub.h"
#include "json.h"
#include "metrics.h"
#include "monitor.h"
#include "utf8.h"

uint32_t	monitor_kinds;

void
monitor_update(void)
{
	struct client	*c;

	monitor_kinds = 0;
	TAILQ_FOREACH(c, &control_clients, entry) {
		if (c->state == CLIENT_MONITOR)
			monitor_kinds |= c->monitor.kinds;
	}
}

void
monitor_start(struct client *c, const void *data, size_t len)
{
	memcpy(&c->monitor, data, len);
	if (c->monitor.kinds == 0)
		c->monitor.kinds = CTL_EV_ALL;
	if ((c->monitor.kinds & ~(uint32_t)CTL_EV_ALL) != 0 ||
	    (c->monitor.player.len != 0 && !client_id_ok(&c->monitor.player))) {
		client_fail(c, CTL_ERR_REQUEST, "no such kind or player");
		return;
	}
	c->state = CLIENT_MONITOR;
	monitor_update();
}

/* A broadcast reaches every player, so it concerns each that is watched. */
static int
monitor_wants(const struct client *c, const struct ctl_event *ev)
{
	const struct ctl_id	*id = &c->monitor.player;

	if (c->state != CLIENT_MONITOR || (c->monitor.kinds & ev->kind) == 0)
		return (0);
	if (id->len == 0)
		return (1);
	if (ev->player.len == 0)
		return (ev->kind == CTL_EV_BROADCAST);
	return (ev->player.len == id->len &&
	    memcmp(ev->player.id, id->id, id->len) == 0);
}

static void
monitor_put(struct client *c, struct ctl_event *ev)
{
	if (client_queued(c) >= CLIENT_HIGH) {
		c->lost++;
		metrics.monitor_lost++;
		return;
	}
	ev->lost = c->lost;
	c->lost = 0;
	client_send(c, CTL_EVENT, ev, sizeof(*ev));
}

static uint64_t
epoch_ms(void)
{
	struct timespec	ts = { 0, 0 };

	clock_gettime(CLOCK_REALTIME, &ts);
	return ((uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000);
}

/* The event may be the last for a long time: don't keep the loss for one. */
void
monitor_room(struct client *c)
{
	struct ctl_event	ev;

	if (c->lost == 0 || client_queued(c) > 0)
		return;
	memset(&ev, 0, sizeof(ev));
	ev.time = epoch_ms();
	monitor_put(c, &ev);
}

/* The last place in S, not over MAX, that is between two characters. */
static size_t
utf8_cut(const uint8_t *s, size_t max)
{
	while (max > 0 && (s[max] & 0xc0) == 0x80)
		max--;
	return (max);
}

/* The event's name out of the frame; the decoder says how long it is. */
static void
set_event(struct ctl_id *id, const struct frame *f)
{
	static const char	 dots[] = "...";
	struct json_value	 v;
	size_t			 len;

	memset(&v, 0, sizeof(v));
	v.raw = (const char *)f->data + f->event_off;
	v.len = f->event_len;
	v.type = JSON_STRING;
	len = json_decode(&v, (char *)id->id, sizeof(id->id));
	if (len > sizeof(id->id)) {
		len = utf8_cut(id->id, sizeof(id->id) - (sizeof(dots) - 1));
		memcpy(id->id + len, dots, sizeof(dots) - 1);
		len += sizeof(dots) - 1;
		memset(id->id + len, 0, sizeof(id->id) - len);
	}
	id->len = (uint32_t)len;
}

static void
set_detail(struct ctl_event *ev, const char *detail, const struct conn *conn)
{
	char	buf[CTL_MAXADDR];

	if (detail == NULL && conn != NULL)
		detail = conn_address(conn, buf, sizeof(buf));
	if (detail != NULL && strlcpy(ev->detail, detail,
	    sizeof(ev->detail)) >= sizeof(ev->detail))
		ev->detail[utf8_cut((const uint8_t *)detail,
		    sizeof(ev->detail) - 1)] = '\0';
}

void
monitor_event(enum ctl_kind kind, const void *player_id, size_t len,
    const struct conn *conn, const struct frame *f, uint64_t count,
    const char *detail)
{
	struct ctl_event	 ev;
	struct client		*c;

	if (!monitor_on(kind))
		return;
	memset(&ev, 0, sizeof(ev));
	ev.time = epoch_ms();
	ev.kind = kind;
	ev.count = count;
	if (conn != NULL) {
		ev.conn = conn->id;
		if (player_id == NULL && conn->player != NULL) {
			player_id = conn->player->id;
			len = conn->player->len;
		}
	}
	if (player_id != NULL)
		client_set_id(&ev.player, player_id, len);
	if (f != NULL) {
		ev.bytes = f->len;
		if (f->event_len >= 2)
			set_event(&ev.event, f);
	}
	set_detail(&ev, detail, conn);
	TAILQ_FOREACH(c, &control_clients, entry) {
		if (monitor_wants(c, &ev))
			monitor_put(c, &ev);
	}
}
