/*
 * The engine's side of the control socket, with a real socket and a hub of its
 * own: the order of the protocol, every kind of malformed message, answers in
 * pieces while players come and go, clients that do not read, monitors that
 * are too slow, answers of the parent and the store.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/tree.h>
#include <sys/un.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "control.h"
#include "engine.h"
#include "frame.h"
#include "hub.h"
#include "imsg.h"
#include "json.h"
#include "log.h"
#include "metrics.h"
#include "monitor.h"
#include "publish.h"
#include "queue.h"
#include "utf8.h"
#include "version.h"

#define MAXTIMERS	64
#define TURNS		20

/* What control.c calls is here, and remembers. */
struct engine		engine;
struct ipc		proc_parent;
struct player_tree	hub_players = RB_INITIALIZER(&hub_players);
struct conn_list	hub_conns = TAILQ_HEAD_INITIALIZER(hub_conns);

RB_GENERATE(player_tree, player, entry, player_cmp)

static char		 dir[] = "/tmp/test_control.XXXXXX";
static struct sockaddr_un sun;
static int		 listener = -1;
static uint64_t		 clock_ms = 1000000;
static struct timer	*timers[MAXTIMERS];

static struct {
	int		 n;
	struct ipc	*ipc;
	uint32_t	 type;
	uint32_t	 id;
	uint8_t		 data[256];
	size_t		 len;
} sent;

static struct {
	int		 n;
	char		 event[256];
	char		 payload[256];
	char		 player[CTL_MAXID + 1];
	int		 broadcast;
	struct hub_result result;
	int		 full;		/* there is no room */
} published;

static struct {
	int		 n;
	uint64_t	 id;
	uint16_t	 code;
	char		 text[128];
	enum close_reason reason;
} closed;

static uint64_t		 drained;

uint64_t
now_ms(void)
{
	return (clock_ms);
}

void
procstat_read(struct procstat *st)
{
	st->resident_bytes = 4096;
}

int
lookup_silent(void)
{
	return (0);
}

const char *
proc_name(enum proc_id id)
{
	return (id == PROC_ENGINE ? "engine" : "other");
}

void
timer_set(struct timer *t, uint64_t delay, void (*fire)(struct timer *))
{
	int	i;

	timer_cancel(t);
	for (i = 0; timers[i] != NULL; i++)
		assert_true(i + 1 < MAXTIMERS);
	timers[i] = t;
	t->deadline = clock_ms + delay;
	t->fire = fire;
}

void
timer_cancel(struct timer *t)
{
	int	i;

	for (i = 0; i < MAXTIMERS; i++) {
		if (timers[i] == t)
			timers[i] = NULL;
	}
	t->deadline = 0;
}

/* Let time pass. */
static void
advance(uint64_t ms)
{
	struct timer	*t;
	int		 i;

	clock_ms += ms;
	for (i = 0; i < MAXTIMERS; i++) {
		if ((t = timers[i]) == NULL || t->deadline > clock_ms)
			continue;
		timers[i] = NULL;
		t->fire(t);
	}
}

void
ipc_send(struct ipc *ipc, uint32_t type, uint32_t id, int fd, const void *data,
    size_t len)
{
	assert_int_equal(fd, -1);
	assert_true(len <= sizeof(sent.data));
	sent.n++;
	sent.ipc = ipc;
	sent.type = type;
	sent.id = id;
	sent.len = len;
	if (len > 0)
		memcpy(sent.data, data, len);
}

int
player_cmp(const struct player *a, const struct player *b)
{
	if (a->len != b->len)
		return (a->len < b->len ? -1 : 1);
	return (memcmp(a->id, b->id, a->len));
}

struct player *
hub_find(const void *id, size_t len)
{
	struct player	*p;

	RB_FOREACH(p, player_tree, &hub_players) {
		if (p->len == len && memcmp(p->id, id, len) == 0)
			return (p);
	}
	return (NULL);
}

const char *
conn_address(const struct conn *c, char *buf, size_t size)
{
	snprintf(buf, size, "192.0.2.1:%u", c->addr.port);
	return (buf);
}

const uint8_t *
conn_subject(const struct conn *c)
{
	return (c->who->bytes + c->who->token_len);
}

struct conn *
conn_by_id(uint64_t id)
{
	struct conn	*c;

	TAILQ_FOREACH(c, &hub_conns, entry) {
		if (c->id == id)
			return (c);
	}
	return (NULL);
}

void
session_close(struct conn *c, uint16_t code, const char *text,
    enum close_reason reason)
{
	closed.n++;
	closed.id = c->id;
	closed.code = code;
	strlcpy(closed.text, text, sizeof(closed.text));
	closed.reason = reason;
	c->state = CONN_CLOSING;
}

void
engine_drain(uint64_t spread)
{
	drained = spread;
}

int
publish_room(size_t len, int broadcast, const struct conn *from)
{
	assert_true(len > 0);
	assert_null(from);
	published.broadcast = broadcast;
	return (published.full ? -1 : 0);
}

struct hub_result
publish_message(const void *player, size_t plen, int broadcast,
    const char *event, size_t elen, const char *payload, size_t paylen,
    const void *subject, size_t slen)
{
	assert_int_equal(slen, strlen("ws-gatewayctl"));
	assert_memory_equal(subject, "ws-gatewayctl", slen);
	published.n++;
	published.broadcast = broadcast;
	snprintf(published.event, sizeof(published.event), "%.*s", (int)elen,
	    event);
	snprintf(published.payload, sizeof(published.payload), "%.*s",
	    payload == NULL ? 7 : (int)paylen, payload == NULL ? "nothing" :
	    payload);
	snprintf(published.player, sizeof(published.player), "%.*s",
	    player == NULL ? 8 : (int)plen, player == NULL ? "everyone" :
	    (const char *)player);
	return (published.result);
}

/* Players and connections. */
static struct player *
add_player(const char *id)
{
	struct player	*p;
	size_t		 len = strlen(id);

	p = calloc(1, PLAYER_SIZE(len));
	assert_non_null(p);
	TAILQ_INIT(&p->conns);
	p->len = (uint8_t)len;
	memcpy(p->id, id, len);
	assert_null(RB_INSERT(player_tree, &hub_players, p));
	return (p);
}

static struct conn *
add_conn(struct player *p, uint64_t id)
{
	struct conn	*c;

	c = calloc(1, sizeof(*c));
	assert_non_null(c);
	c->id = id;
	c->state = CONN_WS;
	c->player = p;
	c->since = clock_ms - 5000 + id;
	c->sent = 3;
	c->expires = clock_ms + 60000;
	c->addr.port = (uint16_t)id;
	c->who = calloc(1, sizeof(*c->who) + 3);
	assert_non_null(c->who);
	c->who->subject_len = 3;
	memcpy(c->who->bytes, "sub", 3);
	TAILQ_INSERT_TAIL(&p->conns, c, siblings);
	TAILQ_INSERT_TAIL(&hub_conns, c, entry);
	p->nconns++;
	return (c);
}

static void
remove_conn(struct conn *c)
{
	TAILQ_REMOVE(&c->player->conns, c, siblings);
	TAILQ_REMOVE(&hub_conns, c, entry);
	c->player->nconns--;
	free(c->who);
	free(c);
}

static void
remove_player(struct player *p)
{
	struct queued	*q;

	while (!TAILQ_EMPTY(&p->conns))
		remove_conn(TAILQ_FIRST(&p->conns));
	while (p->offline != NULL &&
	    (q = TAILQ_FIRST(&p->offline->queue)) != NULL) {
		TAILQ_REMOVE(&p->offline->queue, q, entry);
		free(q);
	}
	free(p->offline);
	RB_REMOVE(player_tree, &hub_players, p);
	free(p);
}

/* The client's end. */
struct peer {
	int		fd;
	struct imsgbuf	ibuf;
	uint32_t	type;		/* of the last message */
	size_t		len;
	uint8_t		data[MAX_IMSGSIZE];
};

static void
turn(void)
{
	assert_int_not_equal(event_base_loop(engine.base, EVLOOP_NONBLOCK),
	    -1);
}

static void
peer_open(struct peer *p)
{
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_not_equal(p->fd, -1);
	assert_int_equal(connect(p->fd, (struct sockaddr *)&sun, sizeof(sun)),
	    0);
	assert_int_equal(fcntl(p->fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(imsgbuf_init(&p->ibuf, p->fd), 0);
	turn();
}

static void
peer_close(struct peer *p)
{
	imsgbuf_clear(&p->ibuf);
	close(p->fd);
	turn();
}

static void
peer_send(struct peer *p, uint32_t type, const void *data, size_t len)
{
	assert_int_equal(imsg_compose(&p->ibuf, type, 0, 0, -1, data, len), 1);
	assert_int_equal(imsgbuf_write(&p->ibuf), 0);
	turn();
}

/* The next message; 0: there is none; -1: the engine has hung up. */
static int
peer_get(struct peer *p)
{
	struct imsg	imsg;
	int		i, n;

	for (i = 0; i < TURNS; i++) {
		if ((n = imsgbuf_get(&p->ibuf, &imsg)) == 1) {
			p->type = imsg_get_type(&imsg);
			p->len = imsg_get_len(&imsg);
			if (p->len > 0)
				assert_int_equal(imsg_get_data(&imsg, p->data,
				    p->len), 0);
			imsg_free(&imsg);
			return (1);
		}
		assert_int_equal(n, 0);
		turn();
		if ((n = imsgbuf_read(&p->ibuf)) != 1)
			return (-1);
	}
	return (0);
}

static void
expect(struct peer *p, uint32_t type, size_t len)
{
	assert_int_equal(peer_get(p), 1);
	if (p->type == CTL_FAIL && type != CTL_FAIL)
		fail_msg("%s", ((struct ctl_fail *)(void *)p->data)->text);
	assert_int_equal(p->type, type);
	assert_int_equal(p->len, len);
}

static void
expect_ok(struct peer *p, uint64_t count, uint64_t queued)
{
	struct ctl_ok	ok;

	expect(p, CTL_OK, sizeof(ok));
	memcpy(&ok, p->data, sizeof(ok));
	assert_int_equal(ok.count, count);
	assert_int_equal(ok.queued, queued);
}

static void
expect_fail(struct peer *p, enum ctl_error error, const char *text)
{
	struct ctl_fail	fail;

	expect(p, CTL_FAIL, sizeof(fail));
	memcpy(&fail, p->data, sizeof(fail));
	assert_int_equal(fail.error, error);
	assert_non_null(memchr(fail.text, '\0', sizeof(fail.text)));
	if (strstr(fail.text, text) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", text, fail.text);
}

static void
expect_end(struct peer *p)
{
	assert_int_equal(peer_get(p), -1);
}

static void
hello_version(struct peer *p, uint32_t version)
{
	struct ctl_hello	h;

	memset(&h, 0, sizeof(h));
	h.version = version;
	peer_send(p, CTL_HELLO, &h, sizeof(h));
}

static void
peer_ready(struct peer *p)
{
	struct ctl_hello	h;

	peer_open(p);
	hello_version(p, CTL_VERSION);
	expect(p, CTL_HELLO, sizeof(h));
	memcpy(&h, p->data, sizeof(h));
	assert_int_equal(h.version, CTL_VERSION);
	assert_string_equal(h.build, WSG_VERSION);
}

static int
setup(void **state)
{
	(void)state;
	memset(&metrics, 0, sizeof(metrics));
	memset(&sent, 0, sizeof(sent));
	memset(&published, 0, sizeof(published));
	memset(&closed, 0, sizeof(closed));
	engine.conf.max_control = 4;
	engine.conf.max_body = 100000;
	return (0);
}

static int
teardown(void **state)
{
	struct player	*p, *next;
	struct conf_string *line;
	int		 i;

	(void)state;
	for (i = 0; i < TURNS; i++)
		turn();
	assert_int_equal(metrics.control_clients, 0);
	assert_int_equal(monitor_kinds, 0);
	for (i = 0; i < MAXTIMERS; i++)
		assert_null(timers[i]);
	RB_FOREACH_SAFE(p, player_tree, &hub_players, next)
		remove_player(p);
	while ((line = TAILQ_FIRST(&engine.lines)) != NULL) {
		TAILQ_REMOVE(&engine.lines, line, entry);
		free(line->s);
		free(line);
	}
	return (0);
}

static void
set_id(struct ctl_id *id, const char *s)
{
	memset(id, 0, sizeof(*id));
	id->len = (uint32_t)strlen(s);
	memcpy(id->id, s, id->len);
}

static void
test_hello(void **state)
{
	struct peer	a, b;

	(void)state;
	peer_ready(&a);
	assert_int_equal(metrics.control_clients, 1);
	/* Once is enough. */
	hello_version(&a, CTL_VERSION);
	expect_fail(&a, CTL_ERR_REQUEST, "not expected");
	expect_end(&a);
	peer_close(&a);

	peer_open(&b);
	hello_version(&b, CTL_VERSION + 1);
	expect_fail(&b, CTL_ERR_VERSION, "version 2 of the control protocol");
	expect_end(&b);
	peer_close(&b);

	peer_open(&b);
	peer_send(&b, CTL_SHOW_STATS, NULL, 0);
	expect_fail(&b, CTL_ERR_REQUEST, "not expected");
	expect_end(&b);
	peer_close(&b);
}

static void
test_malformed(void **state)
{
	static const struct {
		uint32_t	type;
		size_t		len;
	} bad[] = {
		{ 0, 0 }, { 1, 4 }, { CTL_OK, sizeof(struct ctl_ok) },
		{ CTL_SHOW_STATS, 1 }, { CTL_SHOW_PLAYER, 0 },
		{ CTL_SHOW_PLAYER, sizeof(struct ctl_id) - 1 },
		{ CTL_KICK_PLAYER, sizeof(struct ctl_kick) + 1 },
		{ CTL_PUBLISH_DATA, 10 }, { CTL_PUBLISH_END, 0 },
		{ CTL_MONITOR, 0 }, { CTL_LOG_LEVEL, 4 },
		{ CTL_TOKEN_ADD, 1 }, { CTL_TOKEN, 16000 },
		{ UINT32_MAX, 16 },
	};
	static const uint8_t	zeros[MAX_IMSGSIZE];
	struct peer		p;
	struct imsg_hdr		hdr = { CTL_SHOW_STATS, 5, 0, 0 };
	size_t			i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		peer_ready(&p);
		peer_send(&p, bad[i].type, zeros, bad[i].len);
		expect_fail(&p, CTL_ERR_REQUEST, "not expected");
		expect_end(&p);
		peer_close(&p);
	}
	/* A header that no message can have. */
	for (i = 0; i < 2; i++) {
		peer_ready(&p);
		hdr.len = i == 0 ? 5 : MAX_IMSGSIZE + 1;
		assert_int_equal(write(p.fd, &hdr, sizeof(hdr)), sizeof(hdr));
		turn();
		expect_fail(&p, CTL_ERR_REQUEST, "not expected");
		expect_end(&p);
		peer_close(&p);
	}
	/* Half a message and gone; nothing and gone. */
	peer_ready(&p);
	hdr.len = 100;
	assert_int_equal(write(p.fd, &hdr, sizeof(hdr)), sizeof(hdr));
	peer_close(&p);
	peer_open(&p);
	peer_close(&p);
}

static void
test_one_at_a_time(void **state)
{
	struct peer	p;

	(void)state;
	peer_ready(&p);
	assert_int_equal(imsg_compose(&p.ibuf, CTL_SHOW_STATS, 0, 0, -1, NULL,
	    0), 1);
	peer_send(&p, CTL_SHOW_STATS, NULL, 0);
	expect(&p, CTL_STATS, sizeof(struct ctl_stats));
	expect_ok(&p, 1, 0);
	expect_fail(&p, CTL_ERR_REQUEST, "not expected");
	expect_end(&p);
	peer_close(&p);

	peer_ready(&p);
	peer_send(&p, CTL_SHOW_STATS, NULL, 0);
	expect(&p, CTL_STATS, sizeof(struct ctl_stats));
	expect_ok(&p, 1, 0);
	peer_send(&p, CTL_SHOW_CONFIG, NULL, 0);
	expect_ok(&p, 0, 0);
	peer_close(&p);
}

static void
test_busy(void **state)
{
	struct peer	p[5];
	int		i;

	(void)state;
	for (i = 0; i < 4; i++)
		peer_ready(&p[i]);
	peer_open(&p[4]);
	expect_fail(&p[4], CTL_ERR_BUSY, "4 control clients");
	expect_end(&p[4]);
	peer_close(&p[4]);
	peer_close(&p[0]);
	peer_ready(&p[0]);
	for (i = 0; i < 4; i++)
		peer_close(&p[i]);
}

static void
test_patience(void **state)
{
	struct peer	p;

	(void)state;
	/* Nothing at all. */
	peer_open(&p);
	advance(9999);
	assert_int_equal(metrics.control_clients, 1);
	advance(1);
	assert_int_equal(metrics.control_clients, 0);
	expect_end(&p);
	peer_close(&p);
	/* After hello, and after an answer. */
	peer_ready(&p);
	advance(9000);
	peer_send(&p, CTL_SHOW_CONFIG, NULL, 0);
	expect_ok(&p, 0, 0);
	advance(9000);
	assert_int_equal(metrics.control_clients, 1);
	advance(1000);
	expect_end(&p);
	peer_close(&p);
}

static void
test_stats(void **state)
{
	struct peer		p;
	struct ctl_stats	st;

	(void)state;
	engine.started = clock_ms - 7000;
	metrics.connections = 5;
	metrics.closed[CLOSE_SLOW] = 2;
	metrics.closed[CLOSE_KICK] = 1;
	metrics.refused[REFUSE_RATE] = 4;
	metrics.dropped[DROP_NO_QUEUE] = 6;
	metrics.proc[PROC_STORE].cpu_seconds = 0.5;
	metrics.store.up = 1;
	strlcpy(metrics.store.backend, "sqlite", sizeof(metrics.store.backend));
	peer_ready(&p);
	peer_send(&p, CTL_SHOW_STATS, NULL, 0);
	expect(&p, CTL_STATS, sizeof(st));
	memcpy(&st, p.data, sizeof(st));
	assert_string_equal(st.version, WSG_VERSION);
	assert_int_equal(st.uptime, 7000);
	assert_int_equal(st.connections, 5);
	assert_int_equal(st.closed, 3);
	assert_int_equal(st.slow_closed, 2);
	assert_int_equal(st.refused, 4);
	assert_int_equal(st.dropped, 6);
	assert_int_equal(st.resident[PROC_ENGINE], 4096);
	assert_true(st.cpu[PROC_STORE] > 0.4 && st.cpu[PROC_STORE] < 0.6);
	assert_string_equal(st.store_backend, "sqlite");
	assert_int_equal(st.control_clients, 1);
	expect_ok(&p, 1, 0);
	peer_close(&p);
}

static void
test_config(void **state)
{
	static const char *const	lines[] = { "listen on \":8080\"", "",
					    "offline { ttl 10s }" };
	struct conf_string		*s;
	struct peer			 p;
	size_t				 i;

	(void)state;
	for (i = 0; i < 3; i++) {
		s = calloc(1, sizeof(*s));
		assert_non_null(s);
		s->s = strdup(lines[i]);
		TAILQ_INSERT_TAIL(&engine.lines, s, entry);
	}
	peer_ready(&p);
	peer_send(&p, CTL_SHOW_CONFIG, NULL, 0);
	for (i = 0; i < 3; i++) {
		expect(&p, CTL_LINE, strlen(lines[i]));
		assert_memory_equal(p.data, lines[i], p.len);
	}
	expect_ok(&p, 3, 0);
	peer_close(&p);
}

/*
 * Ten thousand players, read slowly while every player that was shown goes and
 * others come: each that stays is shown once, in order.
 */
static void
test_players_in_pieces(void **state)
{
	struct peer		 p;
	struct ctl_player	 rec;
	struct player		*player;
	char			 id[16];
	int			 i, n = 0, come = 0;

	(void)state;
	for (i = 0; i < 10000; i++) {
		snprintf(id, sizeof(id), "%05d", i);
		player = add_player(id);
		/* Every third has a queue only, and is not shown. */
		if (i % 3 != 0)
			add_conn(player, (uint64_t)i + 1);
	}
	peer_ready(&p);
	peer_send(&p, CTL_SHOW_PLAYERS, NULL, 0);
	for (;;) {
		assert_int_equal(peer_get(&p), 1);
		if (p.type != CTL_PLAYER)
			break;
		assert_int_equal(p.len, sizeof(rec));
		memcpy(&rec, p.data, sizeof(rec));
		snprintf(id, sizeof(id), "%05d", n / 2 * 3 + 1 + n % 2);
		assert_int_equal(rec.player.len, 5);
		assert_memory_equal(rec.player.id, id, 5);
		assert_int_equal(rec.connections, 1);
		assert_int_equal(rec.sent, 3);
		n++;
		player = hub_find(rec.player.id, rec.player.len);
		assert_non_null(player);
		remove_player(player);
		/* One that is behind the place is not shown any more. */
		if (n % 100 == 0) {
			snprintf(id, sizeof(id), "%04d", come++);
			add_conn(add_player(id), 20000 + (uint64_t)come);
		}
	}
	assert_int_equal(n, 6666);
	assert_int_equal(p.type, CTL_OK);
	peer_close(&p);
}

/* The client does not read: what waits for it is bounded, and it is closed. */
static void
test_slow_reader(void **state)
{
	struct peer	p;
	char		id[16];
	int		i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		snprintf(id, sizeof(id), "%05d", i);
		add_conn(add_player(id), (uint64_t)i + 1);
	}
	peer_ready(&p);
	peer_send(&p, CTL_SHOW_PLAYERS, NULL, 0);
	for (i = 0; i < 200; i++)
		turn();
	advance(9999);
	for (i = 0; i < 200; i++)
		turn();
	assert_int_equal(metrics.control_clients, 1);
	advance(1);
	assert_int_equal(metrics.control_clients, 0);
	for (i = 0; peer_get(&p) == 1; i++)
		assert_int_equal(p.type, CTL_PLAYER);
	assert_true(i > 0 && i < 20000);
	peer_close(&p);
}

static void
add_queued(struct player *player, uint64_t since, uint64_t expires)
{
	struct queued	*q;

	q = calloc(1, sizeof(*q));
	assert_non_null(q);
	q->player = player;
	q->since = since;
	q->expires = expires;
	if (player->offline == NULL) {
		player->offline = calloc(1, sizeof(*player->offline));
		assert_non_null(player->offline);
		TAILQ_INIT(&player->offline->queue);
	}
	TAILQ_INSERT_TAIL(&player->offline->queue, q, entry);
	player->offline->n++;
	player->offline->bytes += 100;
}

static void
test_player_and_queue(void **state)
{
	struct peer		 p;
	struct player		*player;
	struct ctl_id		 id;
	struct ctl_player	 rec;
	struct ctl_conn		 conn;
	struct ctl_queued	 queued;

	(void)state;
	player = add_player("21");
	add_conn(player, 7);
	add_conn(player, 8)->state = CONN_DEAD;
	add_conn(player, 9)->state = CONN_CLOSING;
	add_queued(player, clock_ms - 300, clock_ms + 700);
	add_queued(player, clock_ms - 200, clock_ms + 800);
	peer_ready(&p);
	set_id(&id, "21");
	peer_send(&p, CTL_SHOW_PLAYER, &id, sizeof(id));
	expect(&p, CTL_PLAYER, sizeof(rec));
	memcpy(&rec, p.data, sizeof(rec));
	assert_int_equal(rec.connections, 2);
	assert_int_equal(rec.since, 4993);
	assert_int_equal(rec.queued, 2);
	expect(&p, CTL_CONN, sizeof(conn));
	memcpy(&conn, p.data, sizeof(conn));
	assert_int_equal(conn.conn, 7);
	assert_string_equal(conn.address, "192.0.2.1:7");
	assert_int_equal(conn.ttl, 60000);
	assert_int_equal(conn.subject.len, 3);
	expect(&p, CTL_CONN, sizeof(conn));
	memcpy(&conn, p.data, sizeof(conn));
	assert_int_equal(conn.conn, 9);
	expect(&p, CTL_QUEUED, sizeof(queued));
	memcpy(&queued, p.data, sizeof(queued));
	assert_int_equal(queued.messages, 2);
	assert_int_equal(queued.bytes, 200);
	assert_int_equal(queued.oldest, 300);
	assert_int_equal(queued.next_expiry, 700);
	expect_ok(&p, 2, 0);

	peer_send(&p, CTL_SHOW_QUEUE, NULL, 0);
	expect(&p, CTL_QUEUED, sizeof(queued));
	expect_ok(&p, 1, 0);

	set_id(&id, "22");
	peer_send(&p, CTL_SHOW_PLAYER, &id, sizeof(id));
	expect_fail(&p, CTL_ERR_NOTFOUND, "neither");
	id.len = 0;
	peer_send(&p, CTL_SHOW_PLAYER, &id, sizeof(id));
	expect_fail(&p, CTL_ERR_REQUEST, "identity");
	id.len = CTL_MAXID + 1;
	peer_send(&p, CTL_SHOW_PLAYER, &id, sizeof(id));
	expect_fail(&p, CTL_ERR_REQUEST, "identity");
	peer_close(&p);
}

/* More connections than fit into one piece; the last shown one goes. */
static void
test_many_connections(void **state)
{
	struct peer	 p;
	struct player	*player;
	struct ctl_id	 id;
	struct ctl_conn	 rec;
	uint64_t	 i, n = 0;

	(void)state;
	player = add_player("21");
	for (i = 1; i <= 2000; i++)
		add_conn(player, i);
	peer_ready(&p);
	set_id(&id, "21");
	peer_send(&p, CTL_SHOW_PLAYER, &id, sizeof(id));
	expect(&p, CTL_PLAYER, sizeof(struct ctl_player));
	for (;;) {
		assert_int_equal(peer_get(&p), 1);
		if (p.type != CTL_CONN)
			break;
		memcpy(&rec, p.data, sizeof(rec));
		assert_int_equal(rec.conn, ++n);
		remove_conn(conn_by_id(n));
	}
	assert_int_equal(n, 2000);
	assert_int_equal(p.type, CTL_OK);
	peer_close(&p);
}

static struct ctl_event
get_event(struct peer *p)
{
	struct ctl_event	ev;

	expect(p, CTL_EVENT, sizeof(ev));
	memcpy(&ev, p->data, sizeof(ev));
	return (ev);
}

static void
watch(struct peer *p, uint32_t kinds, const char *player)
{
	struct ctl_monitor	m;

	memset(&m, 0, sizeof(m));
	m.kinds = kinds;
	if (player != NULL)
		set_id(&m.player, player);
	peer_ready(p);
	peer_send(p, CTL_MONITOR, &m, sizeof(m));
}

static void
test_kick(void **state)
{
	struct peer	 p, m;
	struct player	*player;
	struct ctl_kick	 kick;
	struct ctl_event ev;

	(void)state;
	player = add_player("21");
	add_conn(player, 7);
	add_conn(player, 8);
	add_conn(player, 9)->state = CONN_CLOSING;
	add_player("22");
	peer_ready(&p);
	memset(&kick, 0, sizeof(kick));
	set_id(&kick.player, "21");
	strlcpy(kick.reason, "be kind", sizeof(kick.reason));
	watch(&m, CTL_EV_KICK, NULL);
	peer_send(&p, CTL_KICK_PLAYER, &kick, sizeof(kick));
	expect_ok(&p, 2, 0);
	assert_int_equal(closed.n, 2);
	assert_int_equal(closed.code, 1008);
	assert_string_equal(closed.text, "be kind");
	ev = get_event(&m);
	assert_int_equal(ev.conn, 7);
	assert_string_equal(ev.detail, "be kind");
	assert_int_equal(get_event(&m).conn, 8);
	peer_close(&m);
	assert_int_equal(closed.reason, CLOSE_KICK);
	peer_send(&p, CTL_KICK_PLAYER, &kick, sizeof(kick));
	expect_fail(&p, CTL_ERR_NOTFOUND, "no connection");
	set_id(&kick.player, "22");
	peer_send(&p, CTL_KICK_PLAYER, &kick, sizeof(kick));
	expect_fail(&p, CTL_ERR_NOTFOUND, "no connection");
	set_id(&kick.player, "23");
	peer_send(&p, CTL_KICK_PLAYER, &kick, sizeof(kick));
	expect_fail(&p, CTL_ERR_NOTFOUND, "no connection");

	add_conn(player, 10);
	kick.conn = 10;
	kick.reason[0] = '\0';
	peer_send(&p, CTL_KICK_CONN, &kick, sizeof(kick));
	expect_ok(&p, 1, 0);
	assert_int_equal(closed.id, 10);
	assert_string_equal(closed.text, "kicked");
	kick.conn = 11;
	peer_send(&p, CTL_KICK_CONN, &kick, sizeof(kick));
	expect_fail(&p, CTL_ERR_NOTFOUND, "no such connection");
	memset(kick.reason, 'x', sizeof(kick.reason));
	peer_send(&p, CTL_KICK_CONN, &kick, sizeof(kick));
	expect_fail(&p, CTL_ERR_REQUEST, "UTF-8");
	strlcpy(kick.reason, "\xff", sizeof(kick.reason));
	peer_send(&p, CTL_KICK_CONN, &kick, sizeof(kick));
	expect_fail(&p, CTL_ERR_REQUEST, "UTF-8");
	assert_int_equal(closed.n, 3);
	peer_close(&p);
}

static void
upload(struct peer *p, const char *player, const char *event,
    const char *payload)
{
	struct ctl_publish	pub;
	size_t			n;

	memset(&pub, 0, sizeof(pub));
	pub.broadcast = player == NULL;
	if (player != NULL)
		set_id(&pub.player, player);
	pub.event_len = (uint32_t)strlen(event);
	pub.payload_len = (uint32_t)strlen(payload);
	peer_send(p, CTL_PUBLISH_BEGIN, &pub, sizeof(pub));
	peer_send(p, CTL_PUBLISH_DATA, event, pub.event_len);
	for (; *payload != '\0'; payload += n) {
		n = strlen(payload) < 5 ? strlen(payload) : 5;
		peer_send(p, CTL_PUBLISH_DATA, payload, n);
	}
	peer_send(p, CTL_PUBLISH_END, NULL, 0);
}

static void
test_publish(void **state)
{
	struct peer	p;

	(void)state;
	peer_ready(&p);
	published.result.delivered = 2;
	upload(&p, "21", "target", " {\"x\": 9007199254740993}\n");
	expect_ok(&p, 2, 0);
	assert_string_equal(published.player, "21");
	assert_int_equal(published.broadcast, 0);
	assert_string_equal(published.event, "\"target\"");
	assert_string_equal(published.payload, "{\"x\": 9007199254740993}");
	published.result.delivered = 0;
	published.result.queued = 1;
	upload(&p, "21", "say \"hi\"\n", "");
	expect_ok(&p, 0, 1);
	assert_string_equal(published.event, "\"say \\\"hi\\\"\\n\"");
	assert_string_equal(published.payload, "nothing");
	upload(&p, NULL, "news", "null");
	expect_ok(&p, 0, 1);
	assert_string_equal(published.player, "everyone");
	assert_int_equal(published.broadcast, 1);
	assert_string_equal(published.payload, "null");

	/* Wrong, but whole: the client may try again. */
	upload(&p, "21", "target", "{\"x\":01}");
	expect_fail(&p, CTL_ERR_REQUEST, "not JSON: ',' or '}' expected at "
	    "byte 7");
	upload(&p, "21", "\xff", "1");
	expect_fail(&p, CTL_ERR_REQUEST, "event is not UTF-8");
	upload(&p, "21", "target", "\"\xff\"");
	expect_fail(&p, CTL_ERR_REQUEST, "invalid UTF-8");
	upload(&p, "21", "target", "1");
	expect_ok(&p, 0, 1);
	assert_int_equal(published.n, 4);
	published.full = 1;
	upload(&p, NULL, "news", "1");
	expect_fail(&p, CTL_ERR_FAILED, "memory budget");
	assert_int_equal(published.n, 4);
	published.full = 0;
	upload(&p, NULL, "news", "1");
	expect_ok(&p, 0, 1);
	peer_close(&p);
}

static void
begin_bad(uint32_t idlen, uint32_t elen, uint32_t plen, const char *error)
{
	struct ctl_publish	pub;
	struct peer		p;

	memset(&pub, 0, sizeof(pub));
	pub.player.len = idlen;
	pub.event_len = elen;
	pub.payload_len = plen;
	peer_ready(&p);
	peer_send(&p, CTL_PUBLISH_BEGIN, &pub, sizeof(pub));
	expect_fail(&p, CTL_ERR_REQUEST, error);
	expect_end(&p);
	peer_close(&p);
}

static void
test_publish_limits(void **state)
{
	struct ctl_publish	pub;
	struct peer		p;
	static char		bytes[1000];

	(void)state;
	begin_bad(0, 1, 1, "identity");
	begin_bad(CTL_MAXID + 1, 1, 1, "identity");
	begin_bad(1, 0, 1, "no name");
	begin_bad(1, 1, 100000, "100001 bytes, over the limit of 100000");
	begin_bad(1, UINT32_MAX, UINT32_MAX, "over the limit");

	memset(&pub, 0, sizeof(pub));
	pub.broadcast = 1;
	pub.event_len = 1;
	pub.payload_len = 998;
	peer_ready(&p);
	peer_send(&p, CTL_PUBLISH_BEGIN, &pub, sizeof(pub));
	peer_send(&p, CTL_PUBLISH_DATA, bytes, sizeof(bytes));
	expect_fail(&p, CTL_ERR_REQUEST, "longer");
	expect_end(&p);
	peer_close(&p);
	peer_ready(&p);
	peer_send(&p, CTL_PUBLISH_BEGIN, &pub, sizeof(pub));
	peer_send(&p, CTL_PUBLISH_DATA, bytes, 998);
	peer_send(&p, CTL_PUBLISH_END, NULL, 0);
	expect_fail(&p, CTL_ERR_REQUEST, "shorter");
	expect_end(&p);
	peer_close(&p);
	/* Begun and abandoned. */
	peer_ready(&p);
	peer_send(&p, CTL_PUBLISH_BEGIN, &pub, sizeof(pub));
	peer_send(&p, CTL_PUBLISH_DATA, bytes, 998);
	advance(10000);
	expect_end(&p);
	peer_close(&p);
	assert_int_equal(published.n, 0);
}

static void
test_parent(void **state)
{
	struct peer		a, b;
	struct ctl_number	n = { LOGL_DEBUG };
	uint32_t		level, first, second;
	char			text[1000];

	(void)state;
	peer_ready(&a);
	peer_ready(&b);
	peer_send(&a, CTL_RELOAD, NULL, 0);
	assert_ptr_equal(sent.ipc, &proc_parent);
	assert_int_equal(sent.type, IMSG_CTL_RELOAD);
	first = sent.id;
	peer_send(&b, CTL_RELOAD, NULL, 0);
	second = sent.id;
	assert_true(first != 0 && second != 0 && first != second);
	assert_int_equal(peer_get(&a), 0);
	/* It may take its time. */
	advance(60000);
	assert_int_equal(metrics.control_clients, 2);
	control_reloaded(second, "a reload is under way", 21);
	expect_fail(&b, CTL_ERR_FAILED, "under way");
	assert_int_equal(peer_get(&a), 0);
	/* The store is changed by one: they still wait. */
	control_store_changed();
	assert_int_equal(peer_get(&a), 0);
	control_reloaded(first, "", 0);
	expect_ok(&a, 1, 0);
	control_reloaded(first, "", 0);
	control_reloaded(0, "", 0);
	assert_int_equal(peer_get(&a), 0);
	assert_int_equal(peer_get(&b), 0);

	peer_send(&a, CTL_RELOAD, NULL, 0);
	control_reloaded(sent.id, "warning: listen has changed", 27);
	expect(&a, CTL_LINE, 27);
	expect_ok(&a, 1, 0);
	peer_send(&a, CTL_RELOAD, NULL, 0);
	control_reloaded(sent.id, "line 3: syntax error", 20);
	expect_fail(&a, CTL_ERR_FAILED, "line 3: syntax error");
	peer_send(&a, CTL_RELOAD, NULL, 0);
	memset(text, 'x', sizeof(text));
	control_reloaded(sent.id, text, sizeof(text));
	expect(&a, CTL_LINE, sizeof(text));
	expect_fail(&a, CTL_ERR_FAILED, "old configuration");

	peer_send(&a, CTL_LOG_LEVEL, &n, sizeof(n));
	expect_ok(&a, 1, 0);
	assert_int_equal(sent.type, IMSG_CTL_LOG_LEVEL);
	assert_int_equal(sent.len, sizeof(level));
	memcpy(&level, sent.data, sizeof(level));
	assert_int_equal(level, LOGL_DEBUG);
	n.n = LOGL_FATAL + 1;
	peer_send(&a, CTL_LOG_LEVEL, &n, sizeof(n));
	expect_fail(&a, CTL_ERR_REQUEST, "log level");
	metrics.connections = 9;
	n.n = 5000;
	peer_send(&a, CTL_DRAIN, &n, sizeof(n));
	expect_ok(&a, 9, 0);
	assert_int_equal(drained, 5000);
	n.n = CTL_MAXDRAIN + 1;
	peer_send(&a, CTL_DRAIN, &n, sizeof(n));
	expect_fail(&a, CTL_ERR_REQUEST, "a day");
	peer_send(&a, CTL_STOP, NULL, 0);
	expect_ok(&a, 1, 0);
	assert_int_equal(sent.type, IMSG_CTL_STOP);
	peer_close(&a);
	peer_close(&b);
}

static void
test_tokens(void **state)
{
	struct peer		p;
	struct ctl_token	token;
	struct ctl_token_row	rec;
	struct token_request	req;
	struct token_row	row;
	struct token_done	done;

	(void)state;
	peer_ready(&p);
	memset(&token, 0, sizeof(token));
	memset(&row, 0, sizeof(row));
	memset(&done, 0, sizeof(done));
	token.len = 2;
	memcpy(token.value, "21", 2);
	token.ttl = 60000;
	peer_send(&p, CTL_TOKEN_ADD, &token, sizeof(token));
	assert_ptr_equal(sent.ipc, &engine.store);
	assert_int_equal(sent.type, IMSG_STORE_TOKEN_ADD);
	assert_int_equal(sent.len, sizeof(req));
	memcpy(&req, sent.data, sizeof(req));
	assert_int_equal(req.id, sent.id);
	assert_int_equal(req.len, 2);
	assert_int_equal(req.ttl, 60000);
	row.id = done.id = req.id;
	row.token_len = 32;
	memset(row.token, 'k', 32);
	row.identity_len = 2;
	memcpy(row.identity, "21", 2);
	row.ttl = 60000;
	control_token(&row);
	done.count = 1;
	control_done(&done);
	expect(&p, CTL_TOKEN, sizeof(rec));
	memcpy(&rec, p.data, sizeof(rec));
	assert_int_equal(rec.token_len, 32);
	assert_int_equal(rec.identity.len, 2);
	expect_ok(&p, 1, 0);
	/* Too late, or of nobody. */
	control_token(&row);
	control_done(&done);
	assert_int_equal(peer_get(&p), 0);

	peer_send(&p, CTL_TOKEN_LIST, NULL, 0);
	assert_int_equal(sent.type, IMSG_STORE_TOKEN_LIST);
	assert_int_equal(sent.len, 0);
	row.id = done.id = sent.id;
	control_token(&row);
	control_token(&row);
	done.count = 2;
	control_done(&done);
	expect(&p, CTL_TOKEN, sizeof(rec));
	expect(&p, CTL_TOKEN, sizeof(rec));
	expect_ok(&p, 2, 0);

	token.by = CTL_BY_PLAYER;
	peer_send(&p, CTL_TOKEN_REVOKE, &token, sizeof(token));
	assert_int_equal(sent.type, IMSG_STORE_TOKEN_REVOKE);
	done.id = sent.id;
	done.count = 0;
	control_done(&done);
	expect_fail(&p, CTL_ERR_NOTFOUND, "no such token");
	peer_send(&p, CTL_TOKEN_REVOKE, &token, sizeof(token));
	done.id = sent.id;
	strlcpy(done.error, "database is locked", sizeof(done.error));
	control_done(&done);
	expect_fail(&p, CTL_ERR_FAILED, "database is locked");

	token.len = 0;
	peer_send(&p, CTL_TOKEN_ADD, &token, sizeof(token));
	expect_fail(&p, CTL_ERR_REQUEST, "about tokens");
	token.len = SUBJECT_MAX + 1;
	peer_send(&p, CTL_TOKEN_ADD, &token, sizeof(token));
	expect_fail(&p, CTL_ERR_REQUEST, "about tokens");
	token.len = 1;
	token.kind = 2;
	peer_send(&p, CTL_TOKEN_ADD, &token, sizeof(token));
	expect_fail(&p, CTL_ERR_REQUEST, "about tokens");
	token.kind = 0;
	token.ttl = 0;
	peer_send(&p, CTL_TOKEN_ADD, &token, sizeof(token));
	expect_fail(&p, CTL_ERR_REQUEST, "no time");
	token.ttl = UINT64_MAX;
	peer_send(&p, CTL_TOKEN_ADD, &token, sizeof(token));
	expect_fail(&p, CTL_ERR_REQUEST, "too long");
	/* It asks and goes. */
	peer_send(&p, CTL_TOKEN_LIST, NULL, 0);
	row.id = done.id = sent.id;
	peer_close(&p);
	control_token(&row);
	control_done(&done);
}

static struct frame *
make_frame(const char *event)
{
	struct frame	*f;
	size_t		 len = strlen(event);

	f = calloc(1, sizeof(*f) + len + 20);
	assert_non_null(f);
	f->event_off = 10;
	f->event_len = (uint32_t)len;
	f->len = (uint32_t)len + 20;
	memcpy(f->data + 10, event, len);
	return (f);
}

static void
test_monitor(void **state)
{
	struct peer		 all, one, kicks;
	struct player		*player = add_player("21");
	struct conn		*conn = add_conn(player, 7);
	struct frame		*f = make_frame("\"tar\\u0067et\"");
	struct ctl_event	 ev;

	(void)state;
	monitor_event(CTL_EV_PUBLISH, "21", 2, NULL, f, 1, NULL);
	watch(&all, 0, NULL);
	assert_int_equal(monitor_kinds, CTL_EV_ALL);
	watch(&one, 0, "21");
	watch(&kicks, CTL_EV_KICK, NULL);

	monitor_event(CTL_EV_PUBLISH, "21", 2, NULL, f, 1, NULL);
	ev = get_event(&all);
	assert_int_equal(ev.kind, CTL_EV_PUBLISH);
	assert_int_equal(ev.lost, 0);
	assert_int_equal(ev.count, 1);
	assert_int_equal(ev.bytes, f->len);
	assert_int_equal(ev.event.len, 6);
	assert_memory_equal(ev.event.id, "target", 6);
	assert_int_equal(get_event(&one).kind, CTL_EV_PUBLISH);

	monitor_event(CTL_EV_PUBLISH, "22", 2, NULL, f, 1, NULL);
	assert_int_equal(get_event(&all).player.len, 2);
	/* It reaches 21 as well. */
	monitor_event(CTL_EV_BROADCAST, NULL, 0, NULL, f, 9, NULL);
	assert_int_equal(get_event(&all).kind, CTL_EV_BROADCAST);
	assert_int_equal(get_event(&one).kind, CTL_EV_BROADCAST);
	monitor_event(CTL_EV_REFUSE, NULL, 0, NULL, NULL, 0, "invalid_token");
	assert_string_equal(get_event(&all).detail, "invalid_token");
	monitor_event(CTL_EV_KICK, NULL, 0, conn, NULL, 0, NULL);
	ev = get_event(&kicks);
	assert_int_equal(ev.conn, 7);
	assert_int_equal(ev.player.len, 2);
	assert_string_equal(ev.detail, "192.0.2.1:7");
	assert_int_equal(get_event(&all).kind, CTL_EV_KICK);
	assert_int_equal(get_event(&one).kind, CTL_EV_KICK);
	assert_int_equal(peer_get(&one), 0);
	assert_int_equal(peer_get(&kicks), 0);

	/* A monitor may be quiet for as long as it likes. */
	advance(100000);
	assert_int_equal(metrics.control_clients, 3);
	peer_close(&all);
	peer_close(&one);
	assert_int_equal(monitor_kinds, CTL_EV_KICK);
	/* It has nothing more to say. */
	peer_send(&kicks, CTL_SHOW_STATS, NULL, 0);
	expect_fail(&kicks, CTL_ERR_REQUEST, "not expected");
	assert_int_equal(monitor_kinds, 0);
	expect_end(&kicks);
	peer_close(&kicks);
	free(f);
}

/* A long name is cut between characters, a bad filter refused. */
static void
test_monitor_bounds(void **state)
{
	struct peer		 p;
	struct ctl_monitor	 m;
	struct ctl_event	 ev;
	struct frame		*f;
	char			 event[256];
	int			 i;

	(void)state;
	memset(&m, 0, sizeof(m));
	peer_ready(&p);
	m.kinds = CTL_EV_ALL + 1;
	peer_send(&p, CTL_MONITOR, &m, sizeof(m));
	expect_fail(&p, CTL_ERR_REQUEST, "no such kind");
	m.kinds = 0;
	m.player.len = CTL_MAXID + 1;
	peer_send(&p, CTL_MONITOR, &m, sizeof(m));
	expect_fail(&p, CTL_ERR_REQUEST, "no such kind");
	peer_close(&p);

	watch(&p, 0, NULL);
	for (i = 0; i < 4; i++) {
		snprintf(event, sizeof(event), "\"%.*s%s\"", i, "aaa",
		    "\360\237\230\200\360\237\230\200\360\237\230\200"
		    "\360\237\230\200\360\237\230\200\360\237\230\200"
		    "\360\237\230\200\360\237\230\200\360\237\230\200"
		    "\360\237\230\200\360\237\230\200\360\237\230\200"
		    "\360\237\230\200\360\237\230\200\360\237\230\200"
		    "\360\237\230\200\360\237\230\200");
		f = make_frame(event);
		monitor_event(CTL_EV_DROP, NULL, 0, NULL, f, 0, event);
		ev = get_event(&p);
		/* 61 bytes have room before the dots, of a name of 4s. */
		assert_int_equal(ev.event.len, 61 - (61 - i) % 4 + 3);
		assert_memory_equal(ev.event.id + ev.event.len - 3, "...", 3);
		assert_true(utf8_ok(ev.event.id, ev.event.len));
		assert_true(utf8_ok(ev.detail, strlen(ev.detail)));
		free(f);
	}
	peer_close(&p);
}

static void
test_monitor_slow(void **state)
{
	struct peer		p;
	struct ctl_event	ev;
	uint64_t		seen = 0, lost = 0;
	int			i;

	(void)state;
	watch(&p, 0, NULL);
	for (i = 0; i < 20000; i++) {
		monitor_event(CTL_EV_CONNECT, "21", 2, NULL, NULL, 0, "x");
		if (i % 100 == 0)
			turn();
	}
	assert_true(metrics.monitor_lost > 10000);
	advance(100000);
	assert_int_equal(metrics.control_clients, 1);
	while (peer_get(&p) == 1) {
		assert_int_equal(p.type, CTL_EVENT);
		memcpy(&ev, p.data, sizeof(ev));
		lost += ev.lost;
		seen += ev.kind != 0;
	}
	/* The last word is about what was lost, though nothing follows. */
	assert_int_equal(ev.kind, 0);
	assert_int_equal(seen + lost, 20000);
	assert_int_equal(lost, metrics.monitor_lost);
	monitor_event(CTL_EV_CONNECT, "21", 2, NULL, NULL, 0, "x");
	assert_int_equal(get_event(&p).lost, 0);
	peer_close(&p);
}

static void
quiet(enum log_level level, const char *line, size_t len, const char *msg)
{
	(void)level;
	(void)msg;
	/* Tokens are made of k here. */
	assert_null(memmem(line, len, "kkkk", 4));
}

static int
group_setup(void **state)
{
	(void)state;
	log_init("test", quiet);
	log_set_level(LOGL_TRACE);
	TAILQ_INIT(&engine.lines);
	if (mkdtemp(dir) == NULL)
		return (-1);
	sun.sun_family = AF_UNIX;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/s", dir);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (listener == -1 || bind(listener, (struct sockaddr *)&sun,
	    sizeof(sun)) == -1 || listen(listener, 16) == -1)
		return (-1);
	if ((engine.base = event_base_new()) == NULL)
		return (-1);
	control_init(listener);
	return (0);
}

static int
group_teardown(void **state)
{
	(void)state;
	event_base_free(engine.base);
	libevent_global_shutdown();
	close(listener);
	unlink(sun.sun_path);
	return (rmdir(dir));
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		TEST(test_hello),
		TEST(test_malformed),
		TEST(test_one_at_a_time),
		TEST(test_busy),
		TEST(test_patience),
		TEST(test_stats),
		TEST(test_config),
		TEST(test_players_in_pieces),
		TEST(test_slow_reader),
		TEST(test_player_and_queue),
		TEST(test_many_connections),
		TEST(test_kick),
		TEST(test_publish),
		TEST(test_publish_limits),
		TEST(test_parent),
		TEST(test_tokens),
		TEST(test_monitor),
		TEST(test_monitor_bounds),
		TEST(test_monitor_slow),
	};

	return (cmocka_run_group_tests(tests, group_setup, group_teardown));
}
