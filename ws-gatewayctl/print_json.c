/*
 * Answers for programs: one JSON text a command, or one a line for what has no
 * end.  Long lists are printed an element at a time.
 */
#include <cjson/cJSON.h>
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format.h"
#include "print.h"
#include "utf8.h"

static cJSON	*answer;	/* in progress */
static uint64_t	 elements;	/* of a list, printed */

/* cJSON says NULL for want of memory, and there is nothing to do without. */
static void *
need(void *p)
{
	if (p == NULL)
		errx(1, "out of memory");
	return (p);
}

/* All digits, which a double would not keep. */
static void
add_number(cJSON *o, const char *name, uint64_t n)
{
	char	buf[FORMAT_NUMBER];

	need(cJSON_AddRawToObject(o, name, format_number(n, buf,
	    sizeof(buf))));
}

static void
add_signed(cJSON *o, const char *name, int64_t n)
{
	char	buf[FORMAT_NUMBER];

	snprintf(buf, sizeof(buf), "%" PRId64, n);
	need(cJSON_AddRawToObject(o, name, buf));
}

static void
add_bool(cJSON *o, const char *name, int b)
{
	need(cJSON_AddBoolToObject(o, name, b != 0));
}

static void
add_string(cJSON *o, const char *name, const char *s)
{
	need(cJSON_AddStringToObject(o, name, s));
}

/*
 * Bytes as a string: as they are when they are printable text; otherwise as
 * the tables show them, and beside it in hexadecimal.
 */
static void
add_bytes(cJSON *o, const char *name, const void *bytes, size_t len)
{
	const uint8_t	*s = bytes;
	char		*buf, *hexname;
	size_t		 i;

	buf = need(malloc(4 * len + 1));
	if (format_is_plain(bytes, len)) {
		memcpy(buf, bytes, len);
		buf[len] = '\0';
		add_string(o, name, buf);
	} else {
		add_string(o, name, format_text(bytes, len, buf, 4 * len + 1));
		for (i = 0; i < len; i++)
			snprintf(buf + 2 * i, 3, "%02x", s[i]);
		if (asprintf(&hexname, "%s_hex", name) == -1)
			err(1, NULL);
		add_string(o, hexname, buf);
		free(hexname);
	}
	free(buf);
}

static void
add_id(cJSON *o, const char *name, const struct ctl_id *id)
{
	add_bytes(o, name, id->id, id->len);
}

static void
add_text(cJSON *o, const char *name, const char *text)
{
	add_bytes(o, name, text, strlen(text));
}

static cJSON *
object(void)
{
	return (need(cJSON_CreateObject()));
}

/* Print a value and forget it. */
static void
print(cJSON *o, const char *end)
{
	char	*text = need(cJSON_PrintUnformatted(o));

	printf("%s%s", text, end);
	cJSON_free(text);
	cJSON_Delete(o);
}

static void
print_element(cJSON *o)
{
	printf("%s", elements++ == 0 ? "[" : ",\n ");
	print(o, "");
}

static cJSON *
json_player(const struct ctl_player *p)
{
	cJSON	*o = object();

	add_id(o, "player", &p->player);
	add_number(o, "connections", p->connections);
	add_number(o, "since_ms", p->since);
	add_number(o, "sent", p->sent);
	add_number(o, "queued", p->queued);
	return (o);
}

static cJSON *
json_queued(const struct ctl_queued *q)
{
	cJSON	*o = object();

	add_id(o, "player", &q->player);
	add_number(o, "messages", q->messages);
	add_number(o, "bytes", q->bytes);
	add_number(o, "oldest_ms", q->oldest);
	add_number(o, "next_expiry_ms", q->next_expiry);
	return (o);
}

static cJSON *
json_token(const struct ctl_token_row *t)
{
	cJSON	*o = object();

	add_bytes(o, "token", t->token, t->token_len);
	add_string(o, "kind", t->kind == 0 ? "player" : "server");
	add_id(o, "identity", &t->identity);
	add_id(o, "subject", &t->subject);
	add_signed(o, "ttl_ms", t->ttl);
	return (o);
}

static cJSON *
json_conn(const struct ctl_conn *c)
{
	cJSON	*o = object();

	add_number(o, "connection", c->conn);
	add_text(o, "address", c->address);
	add_id(o, "subject", &c->subject);
	add_number(o, "since_ms", c->since);
	add_number(o, "sent", c->sent);
	add_number(o, "sent_bytes", c->sent_bytes);
	add_number(o, "send_queue", c->sendq);
	add_number(o, "send_queue_bytes", c->sendq_bytes);
	add_number(o, "received", c->received);
	add_signed(o, "token_ttl_ms", c->ttl);
	return (o);
}

/* "show player": the player, with its connections and its queue in it. */
static void
player_part(const struct record *r)
{
	cJSON	*conns;

	switch (r->type) {
	case CTL_PLAYER:
		cJSON_Delete(answer);
		answer = object();
		add_id(answer, "player", &r->u.player.player);
		need(cJSON_AddArrayToObject(answer, "connections"));
		need(cJSON_AddNullToObject(answer, "queue"));
		break;
	case CTL_CONN:
		conns = cJSON_GetObjectItemCaseSensitive(answer,
		    "connections");
		if (conns != NULL)
			cJSON_AddItemToArray(conns, json_conn(&r->u.conn));
		break;
	case CTL_QUEUED:
		if (answer != NULL)
			cJSON_ReplaceItemInObjectCaseSensitive(answer, "queue",
			    json_queued(&r->u.queued));
		break;
	}
}

static void
stats_processes(cJSON *o, const struct ctl_stats *st)
{
	static const char *const	names[] = { "parent", "engine",
					    "store", "keys" };
	cJSON				*all, *one;
	int				i;

	all = need(cJSON_AddObjectToObject(o, "processes"));
	for (i = 0; i < CTL_PROCS; i++) {
		if (st->resident[i] == 0)
			continue;
		one = need(cJSON_AddObjectToObject(all, names[i]));
		add_number(one, "resident_bytes", st->resident[i]);
		need(cJSON_AddNumberToObject(one, "cpu_seconds", st->cpu[i]));
	}
}

static void
json_stats(const struct ctl_stats *st)
{
	cJSON	*o = object();

	add_text(o, "version", st->version);
	add_number(o, "uptime_ms", st->uptime);
	add_bool(o, "draining", st->draining != 0);
	add_number(o, "connections", st->connections);
	add_number(o, "max_connections", st->max_connections);
	add_number(o, "players", st->players);
	add_number(o, "http_connections", st->http);
	add_number(o, "opened", st->opened);
	add_number(o, "closed", st->closed);
	add_number(o, "slow_closed", st->slow_closed);
	add_number(o, "refused", st->refused);
	add_number(o, "published", st->published);
	add_number(o, "delivered", st->delivered);
	add_number(o, "queued", st->queued);
	add_number(o, "expired", st->expired);
	add_number(o, "dropped", st->dropped);
	add_number(o, "queue_messages", st->queue_messages);
	add_number(o, "queue_bytes", st->queue_bytes);
	add_number(o, "queue_players", st->queue_players);
	add_number(o, "send_queue_bytes", st->sendq_bytes);
	add_number(o, "lookups", st->lookups);
	add_number(o, "lookup_errors", st->lookup_errors);
	add_number(o, "lookups_pending", st->lookups_pending);
	add_number(o, "cache_hits", st->cache_hits);
	add_number(o, "control_clients", st->control_clients);
	add_bool(o, "store_up", st->store_up != 0);
	add_text(o, "store_backend", st->store_backend);
	add_text(o, "store_error", st->store_error);
	stats_processes(o, st);
	print(o, "\n");
}

static void
json_store(const struct ctl_store *st)
{
	cJSON	*o = object();

	add_text(o, "backend", st->backend);
	add_bool(o, "up", st->up != 0);
	add_number(o, "since_ms", st->since);
	add_number(o, "pending", st->pending);
	add_number(o, "lookups", st->lookups);
	add_number(o, "batches", st->batches);
	add_number(o, "median_us", st->median_us);
	add_number(o, "p99_us", st->p99_us);
	add_number(o, "errors", st->errors);
	add_number(o, "unanswered", st->timeouts);
	add_number(o, "cache_hits", st->cache_hits);
	add_text(o, "error", st->error);
	add_text(o, "last_error", st->last_error);
	print(o, "\n");
}

static void
json_event(const struct ctl_event *ev)
{
	cJSON		*o = object();
	time_t		 t = (time_t)(ev->time / 1000);
	struct tm	 tm;
	char		 text[64], date[32];

	if (gmtime_r(&t, &tm) != NULL &&
	    strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm) > 0) {
		snprintf(text, sizeof(text), "%s.%03uZ", date,
		    (unsigned int)(ev->time % 1000));
		add_string(o, "time", text);
	}
	add_string(o, "kind", ev->kind == 0 ? "lost" :
	    command_kind_name(ev->kind));
	if (ev->lost > 0)
		add_number(o, "lost", ev->lost);
	if (ev->player.len > 0)
		add_id(o, "player", &ev->player);
	if (ev->conn != 0)
		add_number(o, "connection", ev->conn);
	if (ev->event.len > 0)
		add_id(o, "event", &ev->event);
	if (ev->bytes > 0)
		add_number(o, "bytes", ev->bytes);
	if ((ev->kind & (CTL_EV_PUBLISH | CTL_EV_BROADCAST)) != 0)
		add_number(o, "delivered", ev->count);
	if (ev->detail[0] != '\0')
		add_text(o, "detail", ev->detail);
	print(o, "\n");
}

static void
json_line(const struct command *cmd, const char *line, size_t len)
{
	const char	*name;
	char		*text = need(malloc(4 * len + 1));
	cJSON		*lines;

	name = cmd->action == ACTION_SHOW_CONFIG ? "config" : "messages";
	if (answer == NULL)
		answer = object();
	lines = cJSON_GetObjectItemCaseSensitive(answer, name);
	if (lines == NULL)
		lines = need(cJSON_AddArrayToObject(answer, name));
	/* Tabs are part of it. */
	if (utf8_ok(line, len) && memchr(line, '\0', len) == NULL) {
		memcpy(text, line, len);
		text[len] = '\0';
	} else
		format_text(line, len, text, 4 * len + 1);
	cJSON_AddItemToArray(lines, need(cJSON_CreateString(text)));
	free(text);
}

void
json_record(const struct command *cmd, const struct record *r)
{
	if (cmd->action == ACTION_SHOW_PLAYER) {
		player_part(r);
		return;
	}
	switch (r->type) {
	case CTL_STATS:
		json_stats(&r->u.stats);
		break;
	case CTL_STORE:
		json_store(&r->u.store);
		break;
	case CTL_PLAYER:
		print_element(json_player(&r->u.player));
		break;
	case CTL_QUEUED:
		print_element(json_queued(&r->u.queued));
		break;
	case CTL_TOKEN:
		if (cmd->action == ACTION_TOKEN_ADD)
			print(json_token(&r->u.token), "\n");
		else
			print_element(json_token(&r->u.token));
		break;
	case CTL_EVENT:
		json_event(&r->u.event);
		break;
	case CTL_LINE:
		json_line(cmd, r->u.line, r->len);
		break;
	}
}

static void
done_members(const struct command *cmd, const struct ctl_ok *ok)
{
	switch (cmd->action) {
	case ACTION_KICK_PLAYER:
	case ACTION_KICK_CONN:
		add_number(answer, "kicked", ok->count);
		break;
	case ACTION_PUBLISH:
	case ACTION_BROADCAST:
		add_number(answer, "delivered", ok->count);
		add_number(answer, "queued", ok->queued);
		break;
	case ACTION_RELOAD:
		add_bool(answer, "reloaded", 1);
		break;
	case ACTION_LOG:
		add_string(answer, "level", command_level_name(cmd->number));
		break;
	case ACTION_DRAIN:
		add_number(answer, "connections", ok->count);
		add_number(answer, "over_ms", cmd->number);
		break;
	case ACTION_STOP:
		add_bool(answer, "stopping", 1);
		break;
	case ACTION_TOKEN_REVOKE:
		add_number(answer, "revoked", ok->count);
		break;
	default:
		break;
	}
}

void
json_done(const struct command *cmd, const struct ctl_ok *ok)
{
	switch (cmd->action) {
	case ACTION_SHOW_STATS:
	case ACTION_SHOW_STORE:
	case ACTION_TOKEN_ADD:
		return;
	case ACTION_SHOW_PLAYERS:
	case ACTION_SHOW_QUEUE:
	case ACTION_TOKEN_LIST:
		printf("%s]\n", elements == 0 ? "[" : "");
		return;
	default:
		break;
	}
	if (answer == NULL)
		answer = object();
	done_members(cmd, ok);
	print(answer, "\n");
	answer = NULL;
}
