/*
 * wsload: a load generator for WebSocket message gateways; wsload.md has its
 * modes and options.  One thread, epoll, libc only, loopback only, and every
 * run ends by itself.  This file has the options and the modes.
 */
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wsload.h"

struct options o = {
	.host = "127.0.0.1", .port = 8080, .path = "/ws?token=p%d",
	.src = "127.0.0.2", .label = "-",
	.ramp = 256, .conns = 100, .msgs = 1000, .inflight = 1, .payload = 128,
	.hold = 2, .stall = 2, .timeout = 120
};

static const struct {
	const char	*name;
	char		 type;
	void		*at;
} options[] = {
	{ "host", 's', &o.host }, { "port", 'u', &o.port },
	{ "path", 's', &o.path }, { "conns", 'u', &o.conns },
	{ "msgs", 'u', &o.msgs }, { "warmup", 'u', &o.warmup },
	{ "seconds", 'd', &o.seconds }, { "inflight", 'u', &o.inflight },
	{ "pub-conns", 'u', &o.pubs }, { "pub", 's', &o.pub },
	{ "body", 's', &o.body }, { "header", 'h', o.header },
	{ "payload", 'u', &o.payload }, { "rate", 'd', &o.rate },
	{ "ramp", 'u', &o.ramp }, { "src", 's', &o.src },
	{ "pid", 'u', &o.pid }, { "hold", 'd', &o.hold },
	{ "settle", 'd', &o.settle }, { "stall", 'd', &o.stall },
	{ "timeout", 'd', &o.timeout }, { "label", 's', &o.label },
	{ "first", 'u', &o.first }, { "announce", 'f', &o.announce },
	{ "spin", 'f', &o.spin }, { "json", 'f', &o.json },
	{ "deflate", 'f', &o.deflate }, { "text", 'f', &o.text },
	{ "core", 'u', &o.core }
};

enum mode	 mode;
struct client	*clients;
struct pub	*pubs;
uint32_t	 nopen, nfailed, nclosed, npending;

void
die(const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	fputs("wsload: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(2);
}

void *
zalloc(size_t n, size_t size)
{
	void	*p;

	if ((p = calloc(n == 0 ? 1 : n, size)) == NULL)
		die("out of memory");
	return (p);
}

/* Opens all clients, at most o.ramp of them awaiting their 101 at a time. */
static double
ramp_up(void)
{
	uint64_t	 start = now_ns();
	uint32_t	 next = 0;

	while (next < o.conns || npending != 0) {
		while (next < o.conns && npending < o.ramp)
			client_connect(&clients[next++]);
		if (nfailed >= 100 && nopen == 0)
			die("100 handshakes failed and none succeeded");
		turn(100 * MS);
	}
	return (since(start));
}

/* When message seq is due; with no rate that is at once. */
static uint64_t
due(uint64_t start, uint32_t seq)
{
	if (o.rate <= 0)
		return (now_ns());
	return (start + (uint64_t)(seq * 1e9 / o.rate));
}

/* How long to sleep: on a schedule until the next message, at most. */
static uint64_t
pause_ns(uint64_t next)
{
	uint64_t	 now = now_ns();

	if (o.rate <= 0 || next > now + 100 * MS)
		return (100 * MS);
	return (next > now ? next - now : 0);
}

/* Sends the messages up to number end and waits until each has settled. */
static uint32_t
run_messages(uint32_t end, double seconds)
{
	static char	 pay[MAX_PAYLOAD + 64];
	uint64_t	 start = now_ns(), moved_at = start, moved = 0, ts;
	uint32_t	 first = messages_begun(), seq;
	int		 busy;

	count.last = start;
	while (messages_settled() < end) {
		if (seconds > 0 && since(start) >= seconds)
			end = messages_begun();
		busy = 0;
		while ((ts = due(start, messages_begun() - first)) <=
		    now_ns() && !busy) {
			if (!message_next(end, &seq))
				busy = 1;
			else if (mode == ECHOES)
				client_send(&clients[message_target(seq) -
				    o.first], 1, pay,
				    message_payload(pay, seq, ts));
			else
				pub_message(seq, ts);
		}
		pub_flush_all();
		turn(messages_settled() >= end ? 0 : busy ? 100 * MS :
		    pause_ns(ts));
		if (moved != count.last + count.responses) {
			moved = count.last + count.responses;
			moved_at = now_ns();
		} else if (messages_under_way() != 0 &&
		    since(moved_at) > o.stall) {
			/* Nothing comes any more: it is lost, go on. */
			count.stalls++;
			messages_give_up();
			pub_reset_waiting();
			moved_at = now_ns();
		}
	}
	return (messages_begun() - first);
}

static void
report_latencies(void)
{
	report(" lat_p50_us=%.1f lat_p99_us=%.1f lat_p999_us=%.1f "
	    "lat_max_us=%.1f", hist_us(&lat, 0.5), hist_us(&lat, 0.99),
	    hist_us(&lat, 0.999), (double)lat.max / 1000);
	if (to_everyone())
		report(" full_p50_us=%.1f full_p99_us=%.1f",
		    hist_us(&full, 0.5), hist_us(&full, 0.99));
}

static void
run_load(void)
{
	static const char	*units[] = { "deliveries", "pubs", "",
				    "echoes", "deliveries" };
	struct usage		 a, b;
	double			 secs;
	uint64_t		 want, start;
	uint32_t		 total;

	if (o.warmup != 0) {
		measured = o.warmup;
		run_messages(o.warmup, 0);
		memset(&count, 0, sizeof(count));
	}
	a = usage_now(1);
	start = now_ns();
	total = run_messages(o.warmup + o.msgs, o.seconds);
	secs = count.last > start ? (double)(count.last - start) / 1e9 : 1e-9;
	b = usage_now(1);
	want = (uint64_t)total * (to_everyone() ? o.conns : 1);
	report(" msgs=%u payload=%u inflight=%u pub_conns=%u secs=%.3f "
	    "msgs_per_s=%.1f %s_per_s=%.0f", total, o.payload, o.inflight,
	    o.pubs, secs, total / secs, units[mode],
	    (double)count.frames / secs);
	report_cpu(&a, &b, secs, (double)count.frames, units[mode]);
	report_latencies();
	report(" delivered=%ju lost=%jd dup=%ju reordered=%ju misrouted=%ju "
	    "other_frames=%ju pub_errors=%ju stalls=%ju closed=%u "
	    "bytes=%ju",
	    (uintmax_t)count.frames, (intmax_t)(want - count.frames),
	    (uintmax_t)count.dups, (uintmax_t)count.reorders,
	    (uintmax_t)count.misrouted, (uintmax_t)count.others,
	    (uintmax_t)count.pub_err, (uintmax_t)count.stalls, nclosed,
	    (uintmax_t)count.bytes);
	/* "before" is with all clients connected. */
	report(" srv_rss_mib=%.1f srv_high_before_mib=%.1f srv_high_mib=%.1f"
	    " srv_priv_mib=%.1f", b.rss / 1048576, a.high / 1048576,
	    b.high / 1048576, b.priv / 1048576);
}

/* Memory per connection; a was taken before the ramp, which took t seconds. */
static void
run_idle(const struct usage *a, double t)
{
	struct usage	 b = usage_now(0), c;
	uint64_t	 start = now_ns();
	uint32_t	 i;

	while (since(start) < o.hold)
		turn(50 * MS);
	c = usage_now(1);
	report(" handshakes_per_s=%.0f", nopen / t);
	report_cpu(a, &b, t, nopen, "handshakes");
	report(" rss_per_conn=%.0f pss_per_conn=%.0f priv_per_conn=%.0f "
	    "priv_before=%.0f priv=%.0f rss_mib=%.1f idle_cpu=%.4f",
	    (c.rss - a->rss) / nopen, (c.pss - a->pss) / nopen,
	    (c.priv - a->priv) / nopen, a->priv, c.priv, c.rss / 1048576,
	    o.hold > 0 ? (c.srv_cpu - b.srv_cpu) / o.hold : 0);
	/* Both ends live on this machine: these figures are for the pair. */
	report(" slab_per_pair=%.0f tcpmem_per_pair=%.0f closed=%u",
	    (c.slab - a->slab) / nopen, (c.tcp_mem - a->tcp_mem) / nopen,
	    nclosed);
	if (o.settle <= 0)
		return;
	for (i = 0; i < o.conns; i++)
		if (clients[i].state == CLIENT_OPEN)
			client_close(&clients[i]);
	usleep((useconds_t)(o.settle * 1e6));
	report(" rss_after_close_mib=%.1f", usage_now(1).rss / 1048576);
}

/* Sends a frame to every client and awaits as many answers. */
static double
ask_everyone(int opcode, const char *data, size_t len, const uint64_t *answers)
{
	uint64_t	 start = now_ns(), moved_at = start, moved = 0;
	uint64_t	 want = 0;
	uint32_t	 i;

	for (i = 0; i < o.conns; i++) {
		if (clients[i].state != CLIENT_OPEN)
			continue;
		client_send(&clients[i], opcode, data, len);
		clients[i].closing = opcode == 8;
		want++;
		if (i % 256 == 255)
			turn(0);
	}
	while (*answers < want && since(moved_at) < o.stall) {
		if (moved != *answers) {
			moved = *answers;
			moved_at = now_ns();
		}
		turn(100 * MS);
	}
	return (since(start));
}

/* Opened already: ping, broadcast, close; anything missing is a loss. */
static void
run_life(double opened)
{
	double	 pinged, closed;

	pinged = ask_everyone(9, "life", 4, &count.pongs);
	report(" pongs=%ju", (uintmax_t)count.pongs);
	run_load();
	closed = ask_everyone(8, "\003\350", 2, &count.clean);
	report(" clean_closes=%ju open_s=%.2f ping_s=%.2f close_s=%.2f",
	    (uintmax_t)count.clean, opened, pinged, closed);
}

static void
parse_options(int argc, char *argv[])
{
	size_t	 k, n = sizeof(options) / sizeof(options[0]);
	int	 i;

	for (i = 2; i < argc; i++) {
		for (k = 0; k < n; k++)
			if (strncmp(argv[i], "--", 2) == 0 &&
			    strcmp(argv[i] + 2, options[k].name) == 0)
				break;
		if (k == n || (options[k].type != 'f' && i + 1 == argc))
			die("bad option %s", argv[i]);
		switch (options[k].type) {
		case 'f':
			*(uint32_t *)options[k].at = 1;
			break;
		case 'u':
			*(uint32_t *)options[k].at =
			    (uint32_t)strtoul(argv[++i], NULL, 10);
			break;
		case 'd':
			*(double *)options[k].at = atof(argv[++i]);
			break;
		case 's':
			*(const char **)options[k].at = argv[++i];
			break;
		default:
			if (strlen(o.header) + strlen(argv[++i]) + 3 >
			    sizeof(o.header))
				die("headers too long");
			strcat(strcat(o.header, argv[i]), "\r\n");
			break;
		}
	}
}

static void
check_options(void)
{
	if (o.conns == 0 || o.msgs == 0 || o.inflight == 0 || o.ramp == 0)
		die("conns, msgs, inflight and ramp must be positive");
	if (o.payload > (mode == ECHOES ? 60000 : MAX_PAYLOAD))
		die("the payload is too large");
	if (mode == IDLE || mode == ECHOES)
		o.pubs = 0;
	else if (o.pubs == 0 || o.pubs > o.inflight)
		o.pubs = o.inflight < 64 ? o.inflight : 64;
	if (o.pub == NULL)
		o.pub = to_everyone() ? "/broadcast" : "/publish";
	if (o.body == NULL)
		o.body = to_everyone() ? "{\"event\":\"e\",\"payload\":%p}" :
		    "{\"player_id\":\"%d\",\"event\":\"e\",\"payload\":%p}";
}

int
main(int argc, char *argv[])
{
	static const char	*modes[] = { "fanout", "unicast", "idle",
				    "echo", "life" };
	struct usage		 before;
	struct rlimit		 rl;
	double			 t;
	uint32_t		 i;

	for (i = 0; i < 5 && argc > 1; i++)
		if (strcmp(argv[1], modes[i]) == 0)
			break;
	if (argc < 2 || i == 5)
		die("usage: wsload fanout|unicast|idle|echo|life [options]");
	mode = (enum mode)i;
	parse_options(argc, argv);
	check_options();
	/* The last resort: nothing runs for ever. */
	alarm((unsigned int)o.timeout + 1);
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
	prctl(PR_SET_TIMERSLACK, 1);	/* schedules are kept by sleeping */
	ep = epoll_create1(EPOLL_CLOEXEC);
	clients = zalloc(o.conns, sizeof(*clients));
	pubs = zalloc(o.pubs, sizeof(*pubs));
	for (i = 0; i < o.conns; i++)
		clients[i].id = o.first + i;
	before = usage_now(1);
	t = ramp_up();
	if (nopen < o.conns && mode != IDLE)
		die("only %u of %u clients connected", nopen, o.conns);
	if (o.announce)
		fprintf(stderr, "open\n");
	report("label=%s mode=%s conns=%u failed=%u", o.label, modes[mode],
	    nopen, nfailed);
	if (mode == IDLE)
		run_idle(&before, t);
	else {
		messages_setup();
		pub_setup();
		if (mode == LIFE)
			run_life(t);
		else
			run_load();
	}
	report_print();
	return (0);
}
