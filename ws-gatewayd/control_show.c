/*
 * What the engine knows, as records.  Lists go out in pieces as the client
 * reads them; between two pieces anything may come and go, so that the place
 * is kept as the last identity shown, never as a pointer.
 */
#include <sys/queue.h>
#include <sys/tree.h>

#include <stddef.h>
#include <string.h>

#include "conn.h"
#include "control_client.h"
#include "engine.h"
#include "hub.h"
#include "metrics.h"
#include "queue.h"
#include "version.h"

#define PIECE_LOOKS	1024	/* players or connections looked at a turn */

static uint64_t
ago(uint64_t since, uint64_t now)
{
	return (now > since ? now - since : 0);
}

static uint64_t
sum(const uint64_t *n, size_t count)
{
	uint64_t	total = 0;
	size_t		i;

	for (i = 0; i < count; i++)
		total += n[i];
	return (total);
}

static void
stats_processes(struct ctl_stats *st)
{
	int	i;

	procstat_read(&metrics.proc[PROC_ENGINE]);
	for (i = 0; i < CTL_PROCS; i++) {
		st->resident[i] = metrics.proc[i].resident_bytes;
		st->cpu[i] = metrics.proc[i].cpu_seconds;
	}
}

void
show_stats(struct client *c, const void *data, size_t len)
{
	struct ctl_stats	st;

	(void)data;
	(void)len;
	memset(&st, 0, sizeof(st));
	strlcpy(st.version, WSG_VERSION, sizeof(st.version));
	st.uptime = ago(engine.started, now_ms());
	st.connections = metrics.connections;
	st.max_connections = engine.max_connections;
	st.players = metrics.players;
	st.http = metrics.http_connections;
	st.opened = metrics.opened;
	st.closed = sum(metrics.closed, CLOSE_REASONS);
	st.refused = sum(metrics.refused, REFUSE_REASONS);
	st.published = metrics.published;
	st.delivered = metrics.delivered;
	st.queued = metrics.queued;
	st.expired = metrics.queue_expired;
	st.dropped = sum(metrics.dropped, DROP_REASONS);
	st.queue_messages = metrics.queue_messages;
	st.queue_bytes = metrics.queue_bytes;
	st.queue_players = metrics.queue_players;
	st.sendq_bytes = metrics.sendq_bytes;
	st.slow_closed = metrics.closed[CLOSE_SLOW];
	st.lookups = metrics.lookups;
	st.lookup_errors = metrics.lookup_errors;
	st.lookups_pending = metrics.lookups_pending;
	st.cache_hits = metrics.cache_hits;
	st.control_clients = metrics.control_clients;
	st.draining = (uint64_t)engine.draining;
	st.store_up = metrics.store.up && !lookup_silent();
	stats_processes(&st);
	strlcpy(st.store_backend, metrics.store.backend,
	    sizeof(st.store_backend));
	strlcpy(st.store_error, metrics.store.error, sizeof(st.store_error));
	client_send(c, CTL_STATS, &st, sizeof(st));
	client_ok(c, 1, 0);
}

void
show_store(struct client *c, const void *data, size_t len)
{
	const struct store_state	*state = &metrics.store;
	struct ctl_store		 st;

	(void)data;
	(void)len;
	memset(&st, 0, sizeof(st));
	strlcpy(st.backend, state->backend, sizeof(st.backend));
	st.up = state->up;
	st.pending = state->pending;
	st.since = ago(state->since, now_ms());
	st.lookups = state->lookups;
	st.batches = state->batches;
	st.median_us = state->median_us;
	st.p99_us = state->p99_us;
	st.errors = state->errors;
	st.cache_hits = metrics.cache_hits;
	st.timeouts = metrics.lookup_errors;
	strlcpy(st.error, state->error, sizeof(st.error));
	strlcpy(st.last_error, state->last_error, sizeof(st.last_error));
	client_send(c, CTL_STORE, &st, sizeof(st));
	client_ok(c, 1, 0);
}

static void
cursor_start(struct client *c, void (*more)(struct client *))
{
	memset(&c->cursor, 0, sizeof(c->cursor));
	c->more = more;
	more(c);
}

/* The first player after the last one that was looked at. */
static struct player *
cursor_player(const struct client_cursor *cur)
{
	union {
		struct player	 player;
		uint8_t		 room[sizeof(struct player) + SUBJECT_MAX];
	}		 key;
	struct player	*p;

	if (cur->player.len == 0)
		return (RB_MIN(player_tree, &hub_players));
	key.player.len = (uint8_t)cur->player.len;
	memcpy(key.room + offsetof(struct player, id), cur->player.id,
	    cur->player.len);
	p = RB_NFIND(player_tree, &hub_players, &key.player);
	if (p != NULL && player_cmp(p, &key.player) == 0)
		p = RB_NEXT(player_tree, &hub_players, p);
	return (p);
}

/* A piece of the tree of players: SHOW returns whether it made a record. */
static void
more_players(struct client *c,
    int (*show)(struct client *, struct player *, uint64_t now))
{
	struct client_cursor	*cur = &c->cursor;
	struct player		*p, *last = NULL;
	uint64_t		 now = now_ms();
	int			 looks = 0;

	for (p = cursor_player(cur); p != NULL;
	    p = RB_NEXT(player_tree, &hub_players, p)) {
		if (looks++ >= PIECE_LOOKS || client_queued(c) >= CLIENT_HIGH)
			break;
		if (show(c, p, now))
			cur->count++;
		last = p;
	}
	if (p == NULL)
		client_ok(c, cur->count, 0);
	else if (last != NULL)
		client_set_id(&cur->player, last->id, last->len);
}

static void
send_player(struct client *c, struct player *p, uint64_t now)
{
	struct ctl_player	 rec;
	struct conn		*conn;

	memset(&rec, 0, sizeof(rec));
	client_set_id(&rec.player, p->id, p->len);
	rec.queued = p->offline != NULL ? p->offline->n : 0;
	TAILQ_FOREACH(conn, &p->conns, siblings) {
		if (conn->state == CONN_DEAD)
			continue;
		rec.connections++;
		rec.sent += conn->sent;
		if (ago(conn->since, now) > rec.since)
			rec.since = ago(conn->since, now);
	}
	client_send(c, CTL_PLAYER, &rec, sizeof(rec));
}

static int
show_one_player(struct client *c, struct player *p, uint64_t now)
{
	if (p->nconns == 0)
		return (0);
	send_player(c, p, now);
	return (1);
}

static int
show_one_queue(struct client *c, struct player *p, uint64_t now)
{
	struct ctl_queued	 rec;
	struct offline		*o = p->offline;
	struct queued		*q;

	if (o == NULL)
		return (0);
	q = TAILQ_FIRST(&o->queue);
	memset(&rec, 0, sizeof(rec));
	client_set_id(&rec.player, p->id, p->len);
	rec.messages = o->n;
	rec.bytes = o->bytes;
	rec.oldest = ago(q->since, now);
	rec.next_expiry = ago(now, q->expires);
	client_send(c, CTL_QUEUED, &rec, sizeof(rec));
	return (1);
}

static void
more_all_players(struct client *c)
{
	more_players(c, show_one_player);
}

static void
more_queues(struct client *c)
{
	more_players(c, show_one_queue);
}

void
show_players(struct client *c, const void *data, size_t len)
{
	(void)data;
	(void)len;
	cursor_start(c, more_all_players);
}

void
show_queue(struct client *c, const void *data, size_t len)
{
	(void)data;
	(void)len;
	cursor_start(c, more_queues);
}

static void
send_conn(struct client *c, const struct conn *conn, uint64_t now)
{
	struct ctl_conn	rec;
	char		buf[CTL_MAXADDR];

	memset(&rec, 0, sizeof(rec));
	rec.conn = conn->id;
	client_set_id(&rec.player, conn->player->id, conn->player->len);
	client_set_id(&rec.subject, conn_subject(conn),
	    conn->who->subject_len);
	strlcpy(rec.address, conn_address(conn, buf, sizeof(buf)),
	    sizeof(rec.address));
	rec.since = ago(conn->since, now);
	rec.sent = conn->sent;
	rec.sent_bytes = conn->sent_bytes;
	if (conn->out != NULL) {
		rec.sendq = conn->out->nmessages;
		rec.sendq_bytes = conn->out->bytes;
	}
	rec.received = conn->received;
	rec.ttl = (int64_t)(conn->expires - now);
	client_send(c, CTL_CONN, &rec, sizeof(rec));
}

/*
 * The connection to go on with: after the last one shown, or, when that one
 * has gone meanwhile, the first that is as young as it was.
 */
static struct conn *
cursor_conn(const struct client_cursor *cur, struct player *p)
{
	struct conn	*conn;

	if (cur->conn == 0)
		return (TAILQ_FIRST(&p->conns));
	TAILQ_FOREACH(conn, &p->conns, siblings) {
		if (conn->id == cur->conn)
			return (TAILQ_NEXT(conn, siblings));
	}
	TAILQ_FOREACH(conn, &p->conns, siblings) {
		if (conn->since >= cur->since)
			break;
	}
	return (conn);
}

static void
more_conns(struct client *c)
{
	struct client_cursor	*cur = &c->cursor;
	struct player		*p;
	struct conn		*conn = NULL;
	uint64_t		 now = now_ms();

	if ((p = hub_find(cur->player.id, cur->player.len)) != NULL)
		conn = cursor_conn(cur, p);
	for (; conn != NULL && client_queued(c) < CLIENT_HIGH;
	    conn = TAILQ_NEXT(conn, siblings)) {
		if (conn->state == CONN_DEAD)
			continue;
		send_conn(c, conn, now);
		cur->conn = conn->id;
		cur->since = conn->since;
		cur->count++;
	}
	if (conn != NULL)
		return;
	if (p != NULL)
		show_one_queue(c, p, now);
	client_ok(c, cur->count, 0);
}

void
show_player(struct client *c, const void *data, size_t len)
{
	struct ctl_id	 id;
	struct player	*p;

	memcpy(&id, data, len);
	if (!client_id_ok(&id)) {
		client_fail(c, CTL_ERR_REQUEST, "no such identity");
		return;
	}
	if ((p = hub_find(id.id, id.len)) == NULL) {
		client_fail(c, CTL_ERR_NOTFOUND, "the player has neither a "
		    "connection nor a queued message");
		return;
	}
	send_player(c, p, now_ms());
	memset(&c->cursor, 0, sizeof(c->cursor));
	c->cursor.player = id;
	c->more = more_conns;
	more_conns(c);
}

/* As long as the configuration file, which its owner can read as well. */
void
show_config(struct client *c, const void *data, size_t len)
{
	struct conf_string	*line;
	uint64_t		 n = 0;
	size_t			 max = MAX_IMSGSIZE - IMSG_HEADER_SIZE;

	(void)data;
	(void)len;
	TAILQ_FOREACH(line, &engine.lines, entry) {
		len = strlen(line->s);
		client_send(c, CTL_LINE, line->s, len < max ? len : max);
		n++;
	}
	client_ok(c, n, 0);
}
