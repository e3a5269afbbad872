/* Answers for people: tables, and one line for what was done. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "format.h"
#include "print.h"
#include "table.h"

#define LINE_MAXTEXT	1024

static const char *const	players_heads[] = { "PLAYER", ">CONNECTIONS",
				    ">SINCE", ">SENT", ">QUEUED", NULL };
static const char *const	queue_heads[] = { "PLAYER", ">MESSAGES",
				    ">BYTES", ">OLDEST", ">NEXT EXPIRY", NULL };
static const char *const	conn_heads[] = { ">CONNECTION", "ADDRESS",
				    "SUBJECT", ">SINCE", ">SENT",
				    ">BYTES SENT", ">WAITING",
				    ">BYTES WAITING", ">RECEIVED",
				    ">TOKEN EXPIRES", NULL };
static const char *const	token_heads[] = { "TOKEN", "KIND", "IDENTITY",
				    "SUBJECT", ">EXPIRES", NULL };

static void
cell_number(uint64_t n)
{
	char	buf[FORMAT_NUMBER];

	table_cell(format_number(n, buf, sizeof(buf)));
}

static void
cell_size(const struct command *cmd, uint64_t n)
{
	char	buf[FORMAT_NUMBER];

	table_cell(format_size(n, cmd->raw, buf, sizeof(buf)));
}

static void
cell_age(const struct command *cmd, uint64_t ms)
{
	char	buf[FORMAT_NUMBER];

	table_cell(format_age(ms, cmd->raw, buf, sizeof(buf)));
}

static void
cell_id(const struct ctl_id *id)
{
	char	buf[FORMAT_ID];

	table_cell(id->len > 0 ? format_id(id, buf, sizeof(buf)) : "-");
}

static void
cell_expiry(const struct command *cmd, int64_t ms)
{
	if (ms > 0)
		cell_age(cmd, (uint64_t)ms);
	else
		table_cell("expired");
}

static void
print_player(const struct command *cmd, const struct ctl_player *p)
{
	char	id[FORMAT_ID], age[FORMAT_NUMBER];

	if (cmd->action == ACTION_SHOW_PLAYERS) {
		cell_id(&p->player);
		cell_number(p->connections);
		cell_age(cmd, p->since);
		cell_number(p->sent);
		cell_number(p->queued);
		return;
	}
	printf("player %s: ", format_id(&p->player, id, sizeof(id)));
	if (p->connections == 0)
		printf("not connected\n");
	else
		printf("%" PRIu64 " connection%s, the oldest for %s%s\n",
		    p->connections, p->connections == 1 ? "" : "s",
		    format_age(p->since, cmd->raw, age, sizeof(age)),
		    cmd->raw ? " s" : "");
}

static void
print_conn(const struct command *cmd, const struct ctl_conn *c)
{
	char	text[FORMAT_ID];

	cell_number(c->conn);
	table_cell(format_text(c->address, strlen(c->address), text,
	    sizeof(text)));
	cell_id(&c->subject);
	cell_age(cmd, c->since);
	cell_number(c->sent);
	cell_size(cmd, c->sent_bytes);
	cell_number(c->sendq);
	cell_size(cmd, c->sendq_bytes);
	cell_number(c->received);
	cell_expiry(cmd, c->ttl);
}

static void
print_queued(const struct command *cmd, const struct ctl_queued *q)
{
	cell_id(&q->player);
	cell_number(q->messages);
	cell_size(cmd, q->bytes);
	cell_age(cmd, q->oldest);
	cell_age(cmd, q->next_expiry);
}

static void
print_token(const struct command *cmd, const struct ctl_token_row *t)
{
	char	text[4 * sizeof(t->token) + sizeof("...")];

	format_text(t->token, t->token_len, text, sizeof(text));
	if (cmd->action == ACTION_TOKEN_ADD) {
		printf("%s\n", text);
		return;
	}
	strlcat(text, "...", sizeof(text));
	table_cell(text);
	table_cell(t->kind == 0 ? "player" : "server");
	cell_id(&t->identity);
	cell_id(&t->subject);
	cell_expiry(cmd, t->ttl);
}

static void
print_store(const struct ctl_stats *st)
{
	char	text[4 * CTL_MAXTEXT + 1];

	printf("store        %s, %s; %" PRIu64 " lookups (%" PRIu64
	    " failed, %" PRIu64 " pending), %" PRIu64 " from the cache\n",
	    st->store_backend[0] != '\0' ? format_text(st->store_backend,
	    strlen(st->store_backend), text, sizeof(text)) : "unknown",
	    st->store_up ? "up" : "down", st->lookups, st->lookup_errors,
	    st->lookups_pending, st->cache_hits);
	if (!st->store_up && st->store_error[0] != '\0')
		printf("             %s\n", format_text(st->store_error,
		    strlen(st->store_error), text, sizeof(text)));
}

static void
print_stats(const struct command *cmd, const struct ctl_stats *st)
{
	static const char *const	names[CTL_PROCS] = { "parent",
					    "engine", "store", "keys" };
	char				a[FORMAT_NUMBER];
	char				version[4 * sizeof(st->version) + 1];
	int				i;

	printf("daemon       ws-gatewayd %s, up %s%s%s\n",
	    format_text(st->version, strlen(st->version), version,
	    sizeof(version)), format_age(st->uptime, cmd->raw, a, sizeof(a)),
	    cmd->raw ? " s" : "", st->draining ? ", draining" : "");
	printf("connections  %" PRIu64 " of %" PRIu64 " players, %" PRIu64
	    " other", st->connections, st->players, st->http);
	if (st->max_connections > 0)
		printf("; %" PRIu64 " at the most", st->max_connections);
	printf("\n             %" PRIu64 " opened, %" PRIu64 " closed (%" PRIu64
	    " too slow), %" PRIu64 " refused\n", st->opened, st->closed,
	    st->slow_closed, st->refused);
	printf("messages     %" PRIu64 " published, %" PRIu64 " delivered, %"
	    PRIu64 " queued, %" PRIu64 " expired, %" PRIu64 " dropped\n",
	    st->published, st->delivered, st->queued, st->expired,
	    st->dropped);
	printf("queue        %" PRIu64 " messages of %" PRIu64 " players, %s "
	    "bytes\n", st->queue_messages, st->queue_players,
	    format_size(st->queue_bytes, cmd->raw, a, sizeof(a)));
	printf("send queues  %s bytes\n", format_size(st->sendq_bytes,
	    cmd->raw, a, sizeof(a)));
	print_store(st);
	for (i = 0; i < CTL_PROCS; i++) {
		/* There are keys only where there is TLS. */
		if (st->resident[i] == 0)
			continue;
		printf("%-12s %s bytes of memory, %.2f s of CPU\n", names[i],
		    format_size(st->resident[i], cmd->raw, a, sizeof(a)),
		    st->cpu[i]);
	}
	printf("control      %" PRIu64 " clients\n", st->control_clients);
}

static void
print_database(const struct command *cmd, const struct ctl_store *st)
{
	char	text[4 * CTL_MAXTEXT + 1], a[FORMAT_NUMBER];

	printf("backend      %s\n", st->backend[0] != '\0' ?
	    format_text(st->backend, strlen(st->backend), text,
	    sizeof(text)) : "unknown");
	printf("state        %s for %s%s\n", st->up ? "up" : "down",
	    format_age(st->since, cmd->raw, a, sizeof(a)),
	    cmd->raw ? " s" : "");
	if (!st->up && st->error[0] != '\0')
		printf("             %s\n", format_text(st->error,
		    strlen(st->error), text, sizeof(text)));
	printf("lookups      %" PRIu64 " in %" PRIu64 " queries, %" PRIu32
	    " pending, %" PRIu64 " without an answer\n", st->lookups,
	    st->batches, st->pending, st->timeouts);
	printf("latency      median %.2f ms, 99%% within %.2f ms\n",
	    (double)st->median_us / 1000.0, (double)st->p99_us / 1000.0);
	printf("errors       %" PRIu64 "\n", st->errors);
	if (st->last_error[0] != '\0')
		printf("last error   %s\n", format_text(st->last_error,
		    strlen(st->last_error), text, sizeof(text)));
	printf("cache hits   %" PRIu64 "\n", st->cache_hits);
}

static void
print_time(uint64_t ms)
{
	time_t		t = (time_t)(ms / 1000);
	struct tm	tm;
	char		text[32] = "?";

	if (localtime_r(&t, &tm) != NULL)
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	printf("%s.%03u", text, (unsigned int)(ms % 1000));
}

static void
print_event(const struct ctl_event *ev)
{
	char	text[4 * CTL_MAXID + 1];

	if (ev->lost > 0) {
		print_time(ev->time);
		printf(" %" PRIu32 " events were lost here: they came faster "
		    "than they were read\n", ev->lost);
	}
	if (ev->kind == 0)
		return;
	print_time(ev->time);
	printf(" %-10s", command_kind_name(ev->kind));
	if (ev->player.len > 0)
		printf(" player=%s", format_id(&ev->player, text,
		    sizeof(text)));
	if (ev->conn != 0)
		printf(" connection=%" PRIu64, ev->conn);
	if (ev->event.len > 0)
		printf(" event=%s", format_id(&ev->event, text, sizeof(text)));
	if (ev->bytes > 0)
		printf(" bytes=%" PRIu64, ev->bytes);
	if ((ev->kind & (CTL_EV_PUBLISH | CTL_EV_BROADCAST)) != 0)
		printf(" delivered=%" PRIu64, ev->count);
	if (ev->detail[0] != '\0')
		printf(" %s", format_text(ev->detail, strlen(ev->detail), text,
		    sizeof(text)));
	printf("\n");
}

/* What a reload warns of is no result; a configuration is printed as it is. */
static void
print_line(const struct command *cmd, const char *line, size_t len)
{
	FILE	*out = cmd->action == ACTION_SHOW_CONFIG ? stdout : stderr;
	size_t	 i;

	for (i = 0; i < len; i++) {
		if ((uint8_t)line[i] >= 0x20 || line[i] == '\t' ||
		    line[i] == '\n')
			fputc(line[i], out);
		else
			fprintf(out, "\\x%02x", (uint8_t)line[i]);
	}
	fputc('\n', out);
}

/* A table begins with its first row, or without one at the end. */
static void
begin(const struct command *cmd, uint32_t type)
{
	static uint32_t	current;

	if (current == type || cmd->action == ACTION_TOKEN_ADD)
		return;
	if (current == CTL_CONN) {
		table_print();
		printf("offline queue:\n");
	}
	current = type;
	switch (type) {
	case CTL_PLAYER:
		if (cmd->action == ACTION_SHOW_PLAYERS)
			table_begin(players_heads);
		break;
	case CTL_CONN:
		table_begin(conn_heads);
		break;
	case CTL_QUEUED:
		table_begin(queue_heads);
		break;
	case CTL_TOKEN:
		table_begin(token_heads);
		break;
	}
}

void
print_record(const struct command *cmd, const struct record *r)
{
	begin(cmd, r->type);
	switch (r->type) {
	case CTL_STATS:
		print_stats(cmd, &r->u.stats);
		break;
	case CTL_STORE:
		print_database(cmd, &r->u.store);
		break;
	case CTL_PLAYER:
		print_player(cmd, &r->u.player);
		break;
	case CTL_CONN:
		print_conn(cmd, &r->u.conn);
		break;
	case CTL_QUEUED:
		print_queued(cmd, &r->u.queued);
		break;
	case CTL_TOKEN:
		print_token(cmd, &r->u.token);
		break;
	case CTL_EVENT:
		print_event(&r->u.event);
		break;
	case CTL_LINE:
		print_line(cmd, r->u.line, r->len);
		break;
	}
}

static void
print_published(const struct ctl_ok *ok)
{
	if (ok->queued)
		printf("queued: the player is not connected\n");
	else
		printf("delivered to %" PRIu64 " connection%s\n", ok->count,
		    ok->count == 1 ? "" : "s");
}

/* For a person who looks on: standard output has the token alone. */
static void
print_added(const struct command *cmd)
{
	struct ctl_id	id;
	char		text[FORMAT_ID], age[FORMAT_NUMBER];

	if (!isatty(STDERR_FILENO))
		return;
	id.len = cmd->token.len;
	memcpy(id.id, cmd->token.value, sizeof(id.id));
	fprintf(stderr, "a token of %s %s, good for %s\n",
	    cmd->token.kind == 0 ? "player" : "server",
	    format_id(&id, text, sizeof(text)),
	    format_age(cmd->token.ttl, 0, age, sizeof(age)));
}

void
print_done(const struct command *cmd, const struct ctl_ok *ok)
{
	char	age[FORMAT_NUMBER];

	switch (cmd->action) {
	case ACTION_SHOW_PLAYERS:
		begin(cmd, CTL_PLAYER);
		table_print();
		break;
	case ACTION_SHOW_QUEUE:
		begin(cmd, CTL_QUEUED);
		table_print();
		break;
	case ACTION_SHOW_PLAYER:
		table_print();
		break;
	case ACTION_TOKEN_LIST:
		begin(cmd, CTL_TOKEN);
		table_print();
		break;
	case ACTION_TOKEN_ADD:
		print_added(cmd);
		break;
	case ACTION_KICK_PLAYER:
	case ACTION_KICK_CONN:
		printf("%" PRIu64 " connection%s kicked\n", ok->count,
		    ok->count == 1 ? "" : "s");
		break;
	case ACTION_PUBLISH:
	case ACTION_BROADCAST:
		print_published(ok);
		break;
	case ACTION_RELOAD:
		printf("configuration reloaded\n");
		break;
	case ACTION_LOG:
		printf("log level is %s\n", command_level_name(cmd->number));
		break;
	case ACTION_DRAIN:
		printf("draining: %" PRIu64 " connection%s to close within "
		    "%s\n", ok->count, ok->count == 1 ? "" : "s",
		    format_age(cmd->number, 0, age, sizeof(age)));
		break;
	case ACTION_STOP:
		printf("stopping\n");
		break;
	case ACTION_TOKEN_REVOKE:
		printf("%" PRIu64 " token%s revoked\n", ok->count,
		    ok->count == 1 ? "" : "s");
		break;
	default:
		break;
	}
}
