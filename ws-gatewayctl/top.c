/*
 * What happens now: on a terminal a screen that is drawn again and again, with
 * the players who get the most; elsewhere a line a look, or a JSON object.
 *
 * A rate is the difference of two looks.  The daemon keeps none for us.
 */
#include <err.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format.h"
#include "screen.h"
#include "table.h"
#include "top.h"

#define FIRST_WAIT	1000	/* ms: before that there are no rates */
#define HEAD_EVERY	20	/* lines */
#define SCREEN_HEAD	8	/* lines above the players, their heads too */

struct row {
	struct ctl_player	player;
	double			rate;	/* messages a second */
};

/* What the daemon said at one time; the players in the order of their names. */
struct look {
	uint64_t		 at;	/* ms, by the daemon's uptime */
	struct ctl_stats	 stats;
	struct row		*rows;
	size_t			 n;
	size_t			 size;
};

static struct look	now, last;
static int		has_last, on_screen;
static uint64_t		lines;

static const char *const	heads[] = { "PLAYER", ">CONNECTIONS",
				    ">SINCE", ">SENT", ">SENT/S", ">QUEUED",
				    NULL };

void
top_open(const struct command *cmd)
{
	on_screen = !cmd->json && screen_open() == 0;
}

int
top_wants_players(void)
{
	return (on_screen);
}

void
top_record(const struct record *r)
{
	struct row	*rows;
	size_t		 size;

	if (r->type == CTL_STATS) {
		now.stats = r->u.stats;
		now.at = r->u.stats.uptime;
		now.n = 0;
	}
	if (r->type != CTL_PLAYER)
		return;
	if (now.n == now.size) {
		size = now.size == 0 ? 64 : now.size * 2;
		rows = recallocarray(now.rows, now.size, size, sizeof(*rows));
		if (rows == NULL)
			err(1, NULL);
		now.rows = rows;
		now.size = size;
	}
	now.rows[now.n].player = r->u.player;
	now.rows[now.n++].rate = 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct ctl_id	*x = &((const struct row *)a)->player.player;
	const struct ctl_id	*y = &((const struct row *)b)->player.player;

	if (x->len != y->len)
		return (x->len < y->len ? -1 : 1);
	return (memcmp(x->id, y->id, x->len));
}

static int
by_rate(const void *a, const void *b)
{
	const struct row	*x = a, *y = b;

	if (x->rate != y->rate)
		return (x->rate > y->rate ? -1 : 1);
	if (x->player.sent != y->player.sent)
		return (x->player.sent > y->player.sent ? -1 : 1);
	return (by_name(a, b));
}

/* There may be no array yet, which qsort(3) must not be given. */
static void
sort_players(int (*compare)(const void *, const void *))
{
	if (now.n > 1)
		qsort(now.rows, now.n, sizeof(*now.rows), compare);
}

/* What was counted anew, by a daemon or a connection, has no difference. */
static double
rate(uint64_t new, uint64_t old)
{
	if (new <= old || now.at <= last.at)
		return (0);
	return ((double)(new - old) * 1000 / (double)(now.at - last.at));
}

#define RATE(field)	rate(now.stats.field, last.stats.field)

/* In percent of one CPU. */
static double
cpu(int i)
{
	double	spent = now.stats.cpu[i] - last.stats.cpu[i];

	if (spent <= 0 || now.at <= last.at)
		return (0);
	return (spent * 100000 / (double)(now.at - last.at));
}

static double
cpu_total(void)
{
	double	sum = 0;
	int	i;

	for (i = 0; i < CTL_PROCS; i++)
		sum += cpu(i);
	return (sum);
}

static void
rate_players(void)
{
	const struct row	*old;
	size_t			 i;

	for (i = 0; i < now.n; i++) {
		old = last.n == 0 ? NULL : bsearch(&now.rows[i], last.rows,
		    last.n, sizeof(*last.rows), by_name);
		now.rows[i].rate = rate(now.rows[i].player.sent,
		    old == NULL ? 0 : old->player.sent);
	}
}

static void
show_players(size_t room)
{
	const struct row	*r;
	char			 id[FORMAT_ID], text[FORMAT_NUMBER];
	size_t			 i;

	table_begin(heads);
	for (i = 0; i < now.n && i < room; i++) {
		r = &now.rows[i];
		table_cell(format_id(&r->player.player, id, sizeof(id)));
		table_cell(format_number(r->player.connections, text,
		    sizeof(text)));
		table_cell(format_age(r->player.since, 0, text,
		    sizeof(text)));
		table_cell(format_number(r->player.sent, text, sizeof(text)));
		snprintf(text, sizeof(text), "%.1f", r->rate);
		table_cell(text);
		table_cell(format_number(r->player.queued, text,
		    sizeof(text)));
	}
	table_print();
}

static void
show_figures(const struct command *cmd)
{
	static const char *const	 names[CTL_PROCS] = { "parent",
					    "engine", "store", "keys" };
	const struct ctl_stats		*st = &now.stats;
	char				 text[4 * sizeof(st->version) + 1];
	char				 a[FORMAT_NUMBER], b[FORMAT_NUMBER];
	int				 i;

	printf("ws-gatewayd %s, up %s%s; each %.1f s; q quits\n",
	    format_text(st->version, strlen(st->version), text, sizeof(text)),
	    format_age(st->uptime, 0, a, sizeof(a)),
	    st->draining ? ", draining" : "", (double)cmd->number / 1000);
	printf("connections  %" PRIu64 " of %" PRIu64 " players, %" PRIu64
	    " other; %.1f opened/s, %.1f closed/s, %.1f refused/s\n",
	    st->connections, st->players, st->http, RATE(opened),
	    RATE(closed), RATE(refused));
	printf("messages     %.1f published/s, %.1f delivered/s, %.1f "
	    "queued/s, %.1f dropped/s\n", RATE(published), RATE(delivered),
	    RATE(queued), RATE(dropped));
	printf("waiting      %" PRIu64 " messages of %" PRIu64 " players, %s "
	    "bytes; %s bytes in send queues\n", st->queue_messages,
	    st->queue_players, format_size(st->queue_bytes, 0, a, sizeof(a)),
	    format_size(st->sendq_bytes, 0, b, sizeof(b)));
	printf("store        %s, %s; %.1f lookups/s, %" PRIu64 " pending\n",
	    format_text(st->store_backend, strlen(st->store_backend), text,
	    sizeof(text)), st->store_up ? "up" : "down", RATE(lookups),
	    st->lookups_pending);
	printf("processes   ");
	for (i = 0; i < CTL_PROCS; i++) {
		/* There are keys only where there is TLS. */
		if (st->resident[i] != 0)
			printf(" %s %.1f%% %s", names[i], cpu(i),
			    format_size(st->resident[i], 0, a, sizeof(a)));
	}
	printf("\n\n");
}

static void
show_screen(const struct command *cmd)
{
	unsigned int	room = screen_clear();

	rate_players();
	sort_players(by_rate);
	show_figures(cmd);
	/* One line stays empty: the cursor's. */
	show_players(room > SCREEN_HEAD + 1 ? room - SCREEN_HEAD - 1 : 0);
}

static void
show_line(const struct command *cmd)
{
	const struct ctl_stats	*st = &now.stats;
	struct tm		 tm;
	char			 when[16] = "";
	time_t			 t = time(NULL);

	if (cmd->json) {
		printf("{\"time\":%" PRId64 "000,\"connections\":%" PRIu64
		    ",\"players\":%" PRIu64 ",\"opened\":%.1f,\"closed\":%.1f,"
		    "\"refused\":%.1f,\"published\":%.1f,\"delivered\":%.1f,"
		    "\"queue_messages\":%" PRIu64 ",\"lookups\":%.1f,"
		    "\"cpu\":%.1f}\n", (int64_t)t, st->connections,
		    st->players, RATE(opened), RATE(closed), RATE(refused),
		    RATE(published), RATE(delivered), st->queue_messages,
		    RATE(lookups), cpu_total());
		return;
	}
	if (lines++ % HEAD_EVERY == 0)
		printf("%-8s %8s %8s %8s %8s %9s %11s %11s %8s %6s\n", "TIME",
		    "CONNS", "PLAYERS", "OPENED/S", "CLOSED/S", "REFUSED/S",
		    "PUBLISHED/S", "DELIVERED/S", "WAITING", "CPU%");
	if (localtime_r(&t, &tm) != NULL)
		strftime(when, sizeof(when), "%H:%M:%S", &tm);
	printf("%-8s %8" PRIu64 " %8" PRIu64 " %8.1f %8.1f %9.1f %11.1f "
	    "%11.1f %8" PRIu64 " %6.1f\n", when, st->connections,
	    st->players, RATE(opened), RATE(closed), RATE(refused),
	    RATE(published), RATE(delivered), st->queue_messages,
	    cpu_total());
}

void
top_show(const struct command *cmd)
{
	struct look	tmp;

	if (on_screen)
		show_screen(cmd);
	else if (has_last)
		show_line(cmd);
	fflush(stdout);
	sort_players(by_name);
	tmp = last;
	last = now;
	now = tmp;
}

int
top_wait(const struct command *cmd)
{
	uint64_t	ms = cmd->number;

	if (!has_last && ms > FIRST_WAIT)
		ms = FIRST_WAIT;
	has_last = 1;
	if (on_screen)
		return (screen_wait(ms));
	(void)poll(NULL, 0, (int)ms);
	return (0);
}
