/*
 * What the clients of the control socket send, to the engine as it is: only
 * the clock, the timers, the parent and the store are made here.  Up to four
 * clients, each of which may be slow, rude or gone, while players come and go.
 *
 * Every script runs twice, with its messages whole and in pieces: all that
 * clients, players, parent and store get must be the same, unless a client
 * sent the next before it had the answer, or did not read.  What comes must be
 * well-formed, and after it all nothing may be left.
 *
 * Input: one byte N, N mod 8 sizes of pieces, then steps: a byte whose low
 * four bits are the step, two the client, and two are flags, then what the
 * step takes.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/tree.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "control.h"
#include "control_client.h"
#include "engine.h"
#include "hub.h"
#include "imsg.h"
#include "json.h"
#include "log.h"
#include "lookup.h"
#include "metrics.h"
#include "monitor.h"
#include "publish.h"
#include "record.h"
#include "utf8.h"

#define CLIENTS		4
#define PLAYERS		4
#define CLIENT_BOUND	3		/* the fourth is refused */
#define CROWD		400
#define MAXSTEPS	64
#define ALL		(CROWD + PLAYERS + MAXSTEPS)	/* who there can be */
#define MAXINPUT	4096
#define MAXFD		64		/* none that leaks is beyond */
#define QUIET		2		/* turns in which nothing happens */
#define MAXTURNS	20000
#define START		1000000		/* ms */
#define FAR_AHEAD	1000000000	/* ms: everything has expired */

#define CHECK(x)	do { if (!(x)) abort(); } while (0)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct input {
	const uint8_t	*p;
	size_t		 left;
};

/* All that one of them was told, in order. */
struct heard {
	uint8_t		*buf;
	size_t		 len;
	size_t		 size;
};

struct peer {
	int		 fd;		/* -1: not connected */
	int		 ended;		/* by the engine */
	int		 stalled;	/* does not read */
	struct imsgbuf	 ibuf;
};

struct run {
	struct heard	 client[CLIENTS];
	struct heard	 player[PLAYERS];
	struct heard	 others;	/* parent and store */
	int		 comparable;
};

struct engine		 engine;
struct ipc		 proc_parent;

static struct run	 whole, cut, *run;
static struct peer	 peers[CLIENTS];
static int		 players[PLAYERS];
static const uint8_t	*sizes;		/* of pieces; NULL: whole */
static size_t		 nsizes, nextsize;
static uint64_t		 clock_ms = START;
static uint64_t		 nconns, base_id;	/* connections ever */
static uint64_t		 memory;	/* of the budget, when nobody is there */
static LIST_HEAD(, timer) timers = LIST_HEAD_INITIALIZER(timers);
static uint32_t		 token_ids[CLIENTS];	/* the store was asked last */
static uint32_t		 reload_ids[CLIENTS];	/* the parent was */
static unsigned int	 ntokens, nreloads, rows;
static struct store_lookup asked[PLAYERS];
static size_t		 nasked;
static int		 listener, null, loop[2];
static struct imsgbuf	 store_out, store_in;
static struct sockaddr_un sun;
static const char	 the_end[] = "end";
static char		 dir[] = "/tmp/fuzz_control.XXXXXX";

static void
record(struct heard *r, const void *p, size_t len)
{
	if (r->size - r->len < len) {
		r->size = (r->len + len) * 2;
		CHECK((r->buf = realloc(r->buf, r->size)) != NULL);
	}
	if (len > 0)
		memcpy(r->buf + r->len, p, len);
	r->len += len;
}

static void
record_message(struct heard *r, uint32_t type, const void *p, size_t len)
{
	uint64_t	head[2] = { type, len };

	record(r, head, sizeof(head));
	record(r, p, len);
}

/* The clock and the timers. */
uint64_t
now_ms(void)
{
	return (clock_ms);
}

void
timer_set(struct timer *t, uint64_t delay, void (*fire)(struct timer *))
{
	timer_cancel(t);
	t->deadline = clock_ms + delay;
	t->fire = fire;
	LIST_INSERT_HEAD(&timers, t, entry);
}

void
timer_cancel(struct timer *t)
{
	if (t->deadline != 0)
		LIST_REMOVE(t, entry);
	t->deadline = 0;
}

/* The parent and the store. */
const char *
proc_name(enum proc_id id)
{
	return (id == PROC_ENGINE ? "engine" : "other");
}

uint64_t
proc_log_lost(void)
{
	return (0);
}

void
procstat_read(struct procstat *st)
{
	st->resident_bytes = 4096;
}

void
ipc_data(struct imsg *imsg, void *data, size_t len)
{
	CHECK(imsg_get_data(imsg, data, len) == 0);
}

uint32_t
ipc_queued(struct ipc *ipc)
{
	(void)ipc;
	return (0);
}

void
ipc_send(struct ipc *ipc, uint32_t type, uint32_t id, int fd, const void *data,
    size_t len)
{
	struct token_request	req;

	CHECK(fd == -1);
	switch (type) {
	case IMSG_STORE_LOOKUP:
		CHECK(ipc == &engine.store && len % sizeof(asked[0]) == 0);
		CHECK(len <= sizeof(asked) - nasked * sizeof(asked[0]));
		memcpy(asked + nasked, data, len);
		nasked += len / sizeof(asked[0]);
		return;
	case IMSG_STORE_TOKEN_ADD:
	case IMSG_STORE_TOKEN_REVOKE:
		CHECK(ipc == &engine.store && len == sizeof(req));
		memcpy(&req, data, len);
		CHECK(req.id == id && req.len > 0 &&
		    req.len <= sizeof(req.value));
		CHECK(type != IMSG_STORE_TOKEN_ADD || req.ttl > 0);
		req.id = 0;
		record_message(&run->others, type, &req, sizeof(req));
		break;
	case IMSG_STORE_TOKEN_LIST:
		CHECK(ipc == &engine.store && len == 0);
		record_message(&run->others, type, NULL, 0);
		break;
	default:
		CHECK(ipc == &proc_parent && (type == IMSG_CTL_RELOAD ||
		    type == IMSG_CTL_LOG_LEVEL || type == IMSG_CTL_STOP));
		CHECK(len == (type == IMSG_CTL_LOG_LEVEL ? sizeof(uint32_t) :
		    0));
		record_message(&run->others, type, data, len);
		CHECK((id != 0) == (type == IMSG_CTL_RELOAD));
		if (type == IMSG_CTL_RELOAD)
			reload_ids[nreloads++ % CLIENTS] = id;
		return;
	}
	CHECK(id != 0);
	token_ids[ntokens++ % CLIENTS] = id;
}

void
engine_drain(uint64_t spread)
{
	CHECK(spread <= CTL_MAXDRAIN);
	engine.draining = 1;
	record_message(&run->others, CTL_DRAIN, &spread, sizeof(spread));
}

/* Two connections have the same identity, and one is not text. */
static void
store_answer(void)
{
	static const char	*names[PLAYERS] = { "alice", "alice", "42",
				    "b\xff\"\\" };
	struct store_result	 res;
	struct imsg		 imsg;
	size_t			 i, n;

	for (i = 0; i < nasked; i++) {
		CHECK(asked[i].len == 1);
		n = (size_t)(asked[i].token[0] - '0');
		CHECK(n < PLAYERS);
		memset(&res, 0, sizeof(res));
		res.id = asked[i].id;
		res.status = STORE_VALID;
		res.ttl = FAR_AHEAD / 2;
		res.identity_len = (uint8_t)strlen(names[n]);
		memcpy(res.identity, names[n], res.identity_len);
		res.subject_len = res.identity_len;
		memcpy(res.subject, res.identity, sizeof(res.subject));
		CHECK(imsg_compose(&store_out, IMSG_STORE_RESULT, 0, 0, -1,
		    &res, sizeof(res)) == 1);
		CHECK(imsgbuf_write(&store_out) == 0);
		CHECK(imsgbuf_read(&store_in) == 1);
		CHECK(imsgbuf_get(&store_in, &imsg) == 1);
		lookup_result(&imsg);
		imsg_free(&imsg);
	}
	nasked = 0;
}

/* What the engine writes to the log must be JSON whatever was asked. */
static void
log_line(enum log_level level, const char *line, size_t len, const char *msg)
{
	struct json_value	 v;

	(void)level;
	CHECK(msg != NULL);
	CHECK(json_value(line, len, &v, NULL, NULL) == 0);
	CHECK(v.type == JSON_OBJECT && memchr(line, '\n', len) == NULL);
}

/* What a message of the engine must be. */
static void
check_id(const struct ctl_id *id)
{
	CHECK(id->len <= sizeof(id->id));
}

static void
check_text(const char *s, size_t size)
{
	CHECK(memchr(s, '\0', size) != NULL);
}

static void
check_conn(struct ctl_conn *rec)
{
	check_id(&rec->player);
	check_id(&rec->subject);
	check_text(rec->address, sizeof(rec->address));
	CHECK(rec->conn > base_id && rec->conn <= nconns);
	rec->conn -= base_id;
}

static void
check_event(struct ctl_event *ev)
{
	check_id(&ev->player);
	check_id(&ev->event);
	check_text(ev->detail, sizeof(ev->detail));
	CHECK(utf8_ok(ev->event.id, ev->event.len));
	CHECK((ev->kind & ~(uint32_t)CTL_EV_ALL) == 0);
	CHECK(ev->kind != 0 || ev->lost > 0);
	CHECK(ev->time != 0);
	ev->time = 0;
	if (ev->conn != 0) {
		CHECK(ev->conn > base_id && ev->conn <= nconns);
		ev->conn -= base_id;
	}
}

static void
check_answer(struct heard *r, struct imsg *imsg)
{
	union {
		uint8_t			 bytes[MAX_IMSGSIZE];
		struct ctl_hello	 hello;
		struct ctl_fail		 fail;
		struct ctl_player	 player;
		struct ctl_conn		 conn;
		struct ctl_queued	 queued;
		struct ctl_event	 event;
		struct ctl_token_row	 token;
	}		 u;
	uint32_t	 type = imsg_get_type(imsg);
	size_t		 len = imsg_get_len(imsg);

	CHECK(type == CTL_LINE || (len > 0 && len == record_len(type)));
	CHECK(imsg_get_fd(imsg) == -1);
	if (len > 0)
		CHECK(imsg_get_data(imsg, u.bytes, len) == 0);
	switch (type) {
	case CTL_HELLO:
		CHECK(u.hello.version == CTL_VERSION);
		check_text(u.hello.build, sizeof(u.hello.build));
		break;
	case CTL_FAIL:
		CHECK(u.fail.error <= CTL_ERR_FAILED && u.fail.text[0] != '\0');
		check_text(u.fail.text, sizeof(u.fail.text));
		break;
	case CTL_PLAYER:
		check_id(&u.player.player);
		break;
	case CTL_CONN:
		check_conn(&u.conn);
		break;
	case CTL_QUEUED:
		check_id(&u.queued.player);
		CHECK(u.queued.messages > 0 && u.queued.bytes > 0);
		break;
	case CTL_EVENT:
		check_event(&u.event);
		break;
	case CTL_TOKEN:
		check_id(&u.token.identity);
		check_id(&u.token.subject);
		CHECK(u.token.token_len <= sizeof(u.token.token));
		break;
	}
	record_message(r, type, u.bytes, len);
}

static void
peer_read(int i)
{
	struct peer	*p = &peers[i];
	struct imsg	 imsg;
	int		 n;

	n = imsgbuf_read(&p->ibuf);
	while (imsgbuf_get(&p->ibuf, &imsg) == 1) {
		check_answer(&run->client[i], &imsg);
		imsg_free(&imsg);
	}
	if (n != 1) {
		p->ended = 1;
		record(&run->client[i], the_end, sizeof(the_end));
	}
}

static void
player_read(int i)
{
	static const char	 refused[] = "HTTP/1.1 503";
	uint8_t			 buf[8192];
	ssize_t			 n;

	if ((n = read(players[i], buf, sizeof(buf))) > 0) {
		/* The rest tells the time of day. */
		if ((size_t)n >= sizeof(refused) - 1 &&
		    memcmp(buf, refused, sizeof(refused) - 1) == 0)
			n = sizeof(refused) - 1;
		record(&run->player[i], buf, (size_t)n);
		return;
	}
	record(&run->player[i], the_end, sizeof(the_end));
	close(players[i]);
	players[i] = -1;
}

static void
watch(struct pollfd *pfd, int fd, short events)
{
	pfd->fd = events != 0 ? fd : -1;
	pfd->events = events;
	pfd->revents = 0;
}

/*
 * Read what has come; returns whether the loop has still something to do for a
 * control client, or something was read.
 */
static int
busy(void)
{
	struct pollfd	 pfd[CLIENTS + PLAYERS + 1 + CLIENT_BOUND];
	struct client	*c;
	struct peer	*p;
	nfds_t		 n = 0;
	int		 i, rv;

	for (i = 0; i < CLIENTS; i++) {
		p = &peers[i];
		watch(&pfd[n++], p->fd, p->ended || p->stalled ? 0 : POLLIN);
	}
	for (i = 0; i < PLAYERS; i++)
		watch(&pfd[n++], players[i], POLLIN);
	watch(&pfd[n++], listener, POLLIN);
	TAILQ_FOREACH(c, &control_clients, entry) {
		/* The records of one turn, and of what has no bounds here. */
		CHECK(client_queued(c) <= CLIENT_HIGH + 8 + rows);
		CHECK(n < sizeof(pfd) / sizeof(pfd[0]));
		watch(&pfd[n++], c->ibuf.fd,
		    (event_pending(&c->ev_read, EV_READ, NULL) ? POLLIN : 0) |
		    (event_pending(&c->ev_write, EV_WRITE, NULL) ? POLLOUT :
		    0));
	}
	rv = poll(pfd, n, 0);
	for (i = 0; i < CLIENTS; i++) {
		if (pfd[i].revents != 0)
			peer_read(i);
	}
	for (i = 0; i < PLAYERS; i++) {
		if (pfd[CLIENTS + i].revents != 0)
			player_read(i);
	}
	return (rv > 0);
}

static void
turn(void)
{
	CHECK(event_base_loop(engine.base, EVLOOP_NONBLOCK) != -1);
}

/* Until nothing moves any more. */
static void
settle(void)
{
	int	moved, turns, quiet = 0;

	for (turns = 0; quiet < QUIET; turns++) {
		CHECK(turns < MAXTURNS);
		turn();
		moved = nasked > 0;
		store_answer();
		quiet = busy() || moved ? 0 : quiet + 1;
	}
}

static void
advance(uint64_t ms)
{
	uint64_t	 end = clock_ms + ms;
	struct timer	*t, *first;

	for (;;) {
		first = NULL;
		LIST_FOREACH(t, &timers, entry) {
			if (t->deadline <= end &&
			    (first == NULL || t->deadline < first->deadline))
				first = t;
		}
		if (first == NULL)
			break;
		if (first->deadline > clock_ms)
			clock_ms = first->deadline;
		timer_cancel(first);
		first->fire(first);
		settle();
	}
	clock_ms = end;
}

/* The clients. */
static void
peer_close(int i)
{
	struct peer	*p = &peers[i];

	if (p->fd == -1)
		return;
	imsgbuf_clear(&p->ibuf);
	close(p->fd);
	p->fd = -1;
	settle();
}

static void
peer_open(int i)
{
	struct peer	*p = &peers[i];

	peer_close(i);
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(p->fd != -1);
	CHECK(connect(p->fd, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	CHECK(fcntl(p->fd, F_SETFL, O_NONBLOCK) == 0);
	CHECK(imsgbuf_init(&p->ibuf, p->fd) == 0);
	p->ended = p->stalled = 0;
	settle();
}

/* Returns how many bytes the socket took, -1 when it is closed. */
static ssize_t
send_piece(int s, const uint8_t *data, size_t len, int passed)
{
	union {
		struct cmsghdr	hdr;
		char		buf[CMSG_SPACE(sizeof(int))];
	}		 control;
	struct msghdr	 mh;
	struct cmsghdr	*cmsg;
	struct iovec	 iov;
	uint8_t		 buf[MAX_IMSGSIZE];

	CHECK(len <= sizeof(buf));
	memcpy(buf, data, len);
	memset(&mh, 0, sizeof(mh));
	memset(&control, 0, sizeof(control));
	iov.iov_base = buf;
	iov.iov_len = len;
	mh.msg_iov = &iov;
	mh.msg_iovlen = 1;
	if (passed != -1) {
		mh.msg_control = &control;
		mh.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&mh);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &passed, sizeof(int));
	}
	return (sendmsg(s, &mh, MSG_NOSIGNAL));
}

static void
peer_write(int i, const uint8_t *data, size_t len, int passed)
{
	struct peer	*p = &peers[i];
	size_t		 n;
	ssize_t		 sent;

	while (len > 0) {
		n = len;
		if (sizes != NULL && nsizes > 0)
			n = (size_t)sizes[nextsize++ % nsizes] + 1;
		if (n > len)
			n = len;
		if ((sent = send_piece(p->fd, data, n, passed)) == -1)
			break;
		data += sent;
		len -= (size_t)sent;
		turn();
	}
	settle();
}

static void
peer_send(int i, uint32_t type, const void *data, size_t len, int passed)
{
	uint8_t		buf[MAX_IMSGSIZE];
	struct imsg_hdr	hdr;

	CHECK(len <= sizeof(buf) - sizeof(hdr));
	memset(&hdr, 0, sizeof(hdr));
	hdr.type = type;
	hdr.len = (uint32_t)(sizeof(hdr) + len);
	memcpy(buf, &hdr, sizeof(hdr));
	if (len > 0)
		memcpy(buf + sizeof(hdr), data, len);
	peer_write(i, buf, sizeof(hdr) + len, passed);
}

static void
peer_ready(int i)
{
	struct ctl_hello	hello;

	if (peers[i].fd != -1)
		return;
	peer_open(i);
	memset(&hello, 0, sizeof(hello));
	hello.version = CTL_VERSION;
	peer_send(i, CTL_HELLO, &hello, sizeof(hello), -1);
}

/* The players. */
static void
player_leave(int i)
{
	if (players[i] == -1)
		return;
	close(players[i]);
	players[i] = -1;
	settle();
}

/* Who asks for a path is asked through which listener.  Nobody comes by it. */
static void
add_listener(void)
{
	struct conf_listener	conf = { .id = 1, .roles = ROLE_ALL };
	int			sv[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) == 0);
	listener_add(1, sv[0]);
	listener_conf(&conf);
	listener_conf_end();
}

static void
player_join(int i)
{
	struct sockaddr_un	from = { .sun_family = AF_UNIX };
	char			req[256];
	int			n, sv[2];

	player_leave(i);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0, sv) == 0);
	players[i] = sv[1];
	nconns++;
	CHECK(conn_new(sv[0], (struct sockaddr *)&from, 1, NULL) == 0);
	n = snprintf(req, sizeof(req), "GET /ws?token=%d HTTP/1.1\r\n"
	    "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", i);
	CHECK(write(players[i], req, (size_t)n) == n);
	settle();
}

/* Messages for many who are not there. */
static void
crowd(int size)
{
	char	name[16];
	int	i, n;

	for (i = 0; i < size; i++) {
		n = snprintf(name, sizeof(name), "%d", 1000 + i);
		publish_message(name, (size_t)n, 0, "\"e\"", 3, "1", 1, "s", 1);
	}
	settle();
}

/* The script. */
static unsigned int
take_byte(struct input *in)
{
	if (in->left == 0)
		return (0);
	in->left--;
	return (*in->p++);
}

/* As many bytes, or what is left. */
static const uint8_t *
take(struct input *in, size_t want, size_t *len)
{
	const uint8_t	*p = in->p;

	*len = want < in->left ? want : in->left;
	in->p += *len;
	in->left -= *len;
	return (p);
}

/* A length and bytes; *LEN says how many there were. */
static const uint8_t *
take_bytes(struct input *in, size_t max, size_t *len)
{
	size_t	want = take_byte(in);

	return (take(in, want < max ? want : max, len));
}

static size_t
request_size(uint32_t type)
{
	switch (type) {
	case CTL_HELLO:
		return (sizeof(struct ctl_hello));
	case CTL_SHOW_PLAYER:
		return (sizeof(struct ctl_id));
	case CTL_KICK_PLAYER:
	case CTL_KICK_CONN:
		return (sizeof(struct ctl_kick));
	case CTL_PUBLISH_BEGIN:
		return (sizeof(struct ctl_publish));
	case CTL_MONITOR:
		return (sizeof(struct ctl_monitor));
	case CTL_LOG_LEVEL:
	case CTL_DRAIN:
		return (sizeof(struct ctl_number));
	case CTL_TOKEN_ADD:
	case CTL_TOKEN_REVOKE:
		return (sizeof(struct ctl_token));
	}
	return (0);
}

/*
 * Type, length, bytes; the top bit of the length asks for zeros up to the size
 * that such a request must have.
 */
static void
step_message(struct input *in, int i, int passed)
{
	uint8_t		 data[512];
	const uint8_t	*p;
	uint64_t	 conn;
	uint32_t	 type;
	unsigned int	 n;
	size_t		 len;

	type = take_byte(in);
	type = type == UINT8_MAX ? UINT32_MAX : CTL_HELLO + type % 32;
	n = take_byte(in);
	memset(data, 0, sizeof(data));
	p = take(in, n & 0x7f, &len);
	memcpy(data, p, len);
	if (n & 0x80)
		len = request_size(type);
	if (type == CTL_KICK_CONN && len >= sizeof(conn)) {
		conn = base_id + data[0] % 8;
		memcpy(data, &conn, sizeof(conn));
	}
	peer_ready(i);
	peer_send(i, type, data, len, passed);
}

/* A player (none: all), an event, a payload: as ws-gatewayctl sends them. */
static void
step_upload(struct input *in, int i)
{
	struct ctl_publish	 pub;
	const uint8_t		*id, *event, *payload;
	size_t			 ilen, elen, plen;

	memset(&pub, 0, sizeof(pub));
	id = take_bytes(in, sizeof(pub.player.id), &ilen);
	memcpy(pub.player.id, id, ilen);
	pub.player.len = (uint32_t)ilen;
	pub.broadcast = ilen == 0;
	event = take_bytes(in, UINT8_MAX, &elen);
	pub.event_len = (uint32_t)elen;
	payload = take_bytes(in, UINT8_MAX, &plen);
	pub.payload_len = (uint32_t)plen;
	peer_ready(i);
	peer_send(i, CTL_PUBLISH_BEGIN, &pub, sizeof(pub), -1);
	peer_send(i, CTL_PUBLISH_DATA, event, elen, -1);
	if (plen > 0)
		peer_send(i, CTL_PUBLISH_DATA, payload, plen, -1);
	peer_send(i, CTL_PUBLISH_END, NULL, 0, -1);
}

static void
step_raw(struct input *in, int i)
{
	const uint8_t	*p;
	size_t		 len;

	p = take_bytes(in, UINT8_MAX, &len);
	peer_ready(i);
	run->comparable = 0;
	peer_write(i, p, len, -1);
}

/* From here on it reads nothing, and its socket has little room. */
static void
step_stall(int i)
{
	struct client	*c;
	int		 small = 1;

	peer_ready(i);
	run->comparable = 0;
	peers[i].stalled = !peers[i].stalled;
	TAILQ_FOREACH(c, &control_clients, entry)
		CHECK(setsockopt(c->ibuf.fd, SOL_SOCKET, SO_SNDBUF, &small,
		    sizeof(small)) == 0);
	settle();
}

/* A message that did not come through the control socket. */
static void
step_publish(struct input *in, int to_all)
{
	const uint8_t	*p;
	char		*event;
	size_t		 len, elen;

	p = take_bytes(in, UINT8_MAX, &len);
	elen = json_encode(p, len, NULL, 0);
	CHECK((event = malloc(elen)) != NULL);
	CHECK(json_encode(p, len, event, elen) == elen);
	publish_message(to_all ? NULL : "alice", to_all ? 0 : 5, to_all,
	    event, elen, "[]", 2, "s", 1);
	free(event);
	settle();
}

static void
step_reloaded(struct input *in, int prefixed, int i)
{
	static const char	 prefix[] = "warning: ";
	const uint8_t		*p;
	char			 text[512];
	size_t			 len, off;

	/* Text, which may be longer than what a failure holds. */
	off = prefixed ? strlcpy(text, prefix, sizeof(text)) : 0;
	p = take_bytes(in, UINT8_MAX, &len);
	len = strnlen((const char *)p, len);
	memcpy(text + off, p, len);
	if (prefixed > 1) {
		memcpy(text + off + len, p, len < 200 ? len : 200);
		len += len < 200 ? len : 200;
	}
	control_reloaded(reload_ids[i], text, off + len);
	settle();
}

static void
step_row(struct input *in, int i, int many)
{
	struct token_row	 row;
	const uint8_t		*p;
	size_t			 len;

	memset(&row, 0, sizeof(row));
	p = take_bytes(in, sizeof(row) - sizeof(row.id), &len);
	memcpy((uint8_t *)&row + sizeof(row.id), p, len);
	row.id = token_ids[i];
	for (many = many * 100 + 1; many > 0; many--, rows++)
		control_token(&row);
	settle();
}

static void
step_done(struct input *in, int i, int count)
{
	struct token_done	 done;
	const uint8_t		*p;
	size_t			 len;

	memset(&done, 0, sizeof(done));
	p = take_bytes(in, sizeof(done.error) - 1, &len);
	memcpy(done.error, p, len);
	done.id = token_ids[i];
	done.count = (uint32_t)count;
	control_done(&done);
	settle();
}

static void
step(struct input *in)
{
	unsigned int	op = take_byte(in);
	int		i = (op >> 4) & 3, flags = (int)(op >> 6);

	switch (op & 0xf) {
	case 0:
	case 1:
		step_message(in, i, flags & 1 ? null : -1);
		break;
	case 2:
		step_upload(in, i);
		break;
	case 3:
		step_raw(in, i);
		break;
	case 4:
		peer_open(i);
		break;
	case 5:
		peer_close(i);
		break;
	case 6:
		if (peers[i].fd != -1 && shutdown(peers[i].fd, SHUT_WR) == -1)
			CHECK(errno == ENOTCONN);
		settle();
		break;
	case 7:
		step_stall(i);
		break;
	case 8:
		player_join(i);
		break;
	case 9:
		player_leave(i);
		break;
	case 10:
		advance((uint64_t)take_byte(in) * 100);
		break;
	case 11:
		if (metrics.queue_players < CROWD)
			crowd(CROWD);
		break;
	case 12:
		step_publish(in, flags & 1);
		break;
	case 13:
		step_reloaded(in, flags, i);
		break;
	case 14:
		step_row(in, i, flags);
		break;
	case 15:
		step_done(in, i, flags);
		break;
	}
}

/* A beginning, in which nothing is left of what was before. */
static void
start(struct run *r)
{
	struct run	*k = r;
	int		 i;

	run = r;
	for (i = 0; i < CLIENTS; i++)
		k->client[i].len = 0;
	for (i = 0; i < PLAYERS; i++)
		k->player[i].len = 0;
	k->others.len = 0;
	k->comparable = 1;
	memset(&metrics, 0, sizeof(metrics));
	metrics.memory_bytes = memory;
	memset(token_ids, 0, sizeof(token_ids));
	memset(reload_ids, 0, sizeof(reload_ids));
	ntokens = nreloads = rows = 0;
	nextsize = 0;
	base_id = nconns;
	clock_ms = START;
	engine.started = START;
	engine.draining = 0;
}

static uint64_t
open_fds(void)
{
	uint64_t	set = 0;
	int		fd;

	for (fd = 0; fd < MAXFD; fd++) {
		if (fcntl(fd, F_GETFD) != -1)
			set |= UINT64_C(1) << fd;
	}
	return (set);
}

static void
run_script(struct run *r, struct input in)
{
	uint64_t	 before = open_fds();
	int		 i;

	start(r);
	for (i = 0; i < MAXSTEPS && in.left > 0; i++)
		step(&in);
	for (i = 0; i < CLIENTS; i++)
		peer_close(i);
	for (i = 0; i < PLAYERS; i++)
		player_leave(i);
	advance(FAR_AHEAD);
	settle();
	CHECK(TAILQ_EMPTY(&control_clients) && metrics.control_clients == 0);
	CHECK(monitor_kinds == 0);
	CHECK(RB_EMPTY(&hub_players) && metrics.players == 0);
	CHECK(metrics.connections == 0 && metrics.http_connections == 0);
	CHECK(metrics.queue_messages == 0 && metrics.queue_bytes == 0);
	CHECK(metrics.lookups_pending == 0);
	CHECK(metrics.memory_bytes == memory);
	CHECK(LIST_EMPTY(&timers));
	CHECK(open_fds() == before);
}

static void
compare(const struct heard *a, const struct heard *b)
{
	CHECK(a->len == b->len);
	CHECK(a->len == 0 || memcmp(a->buf, b->buf, a->len) == 0);
}

static void
unlink_socket(void)
{
	unlink(sun.sun_path);
	rmdir(dir);
}

static void
add_line(const char *s)
{
	struct conf_string	*line;

	CHECK((line = calloc(1, sizeof(*line))) != NULL);
	CHECK((line->s = strdup(s)) != NULL);
	TAILQ_INSERT_TAIL(&engine.lines, line, entry);
}

static void
setup(void)
{
	int	i;

	log_init("fuzz", log_line);
	log_set_level(LOGL_INFO);
	TAILQ_INIT(&engine.origins);
	TAILQ_INIT(&engine.lines);
	add_line("listen on \"127.0.0.1:8080\"");
	add_line("");
	settings_defaults(&engine.conf);
	engine.conf.max_control = CLIENT_BOUND;
	engine.conf.max_body = 400;
	engine.conf.max_queued = 4;
	engine.conf.handshake_rate = 0;
	engine.max_connections = 1000;
	CHECK((engine.base = event_base_new()) != NULL);
	output_init(engine.base);
	conn_init(engine.base);
	add_listener();
	lookup_init(&engine.store);
	CHECK((null = open("/dev/null", O_RDONLY | O_CLOEXEC)) != -1);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, loop) == 0);
	CHECK(imsgbuf_init(&store_out, loop[0]) == 0);
	CHECK(imsgbuf_init(&store_in, loop[1]) == 0);
	CHECK(mkdtemp(dir) != NULL);
	sun.sun_family = AF_UNIX;
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/s", dir);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	CHECK(listener != -1);
	CHECK(bind(listener, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	CHECK(atexit(unlink_socket) == 0);
	CHECK(listen(listener, CLIENTS) == 0);
	control_init(listener);
	for (i = 0; i < CLIENTS; i++)
		peers[i].fd = -1;
	for (i = 0; i < PLAYERS; i++)
		players[i] = -1;
	/* The hub's room for players grows and stays. */
	crowd(ALL);
	advance(FAR_AHEAD);
	memory = metrics.memory_bytes;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input	in;
	const uint8_t	*pieces;
	size_t		 n;
	int		 i;

	if (engine.base == NULL)
		setup();
	if (size < 1 || size > MAXINPUT || size - 1 < data[0] % 8)
		return (0);
	n = data[0] % 8;
	pieces = data + 1;
	in.p = pieces + n;
	in.left = size - 1 - n;
	sizes = NULL;
	run_script(&whole, in);
	sizes = pieces;
	nsizes = n;
	run_script(&cut, in);
	CHECK(whole.comparable == cut.comparable);
	if (!whole.comparable)
		return (0);
	for (i = 0; i < CLIENTS; i++)
		compare(&whole.client[i], &cut.client[i]);
	for (i = 0; i < PLAYERS; i++)
		compare(&whole.player[i], &cut.player[i]);
	compare(&whole.others, &cut.others);
	return (0);
}
