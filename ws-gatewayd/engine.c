/*
 * The engine process: what comes from the parent and the store, draining and
 * stopping.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/resource.h>

#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "control.h"
#include "engine.h"
#include "frame.h"
#include "hub.h"
#include "log.h"
#include "metrics.h"
#include "procstat.h"
#include "publisher.h"
#include "sandbox.h"
#include "signer.h"
#include "tls_context.h"

#define STOP_TIME	3000	/* ms for the close handshakes of a stop */
#define DRAIN_TICK	100	/* ms */
#define KEYS_START	20000	/* ms for a first signature */
#define GONE_GRACE	2000	/* ms for the parent, when the store has gone */

struct engine	engine;

static struct conf_process	process;
static struct conf_strings	new_origins, new_lines;
static struct network		new_proxies[CONF_MAXPROXIES];
static size_t			new_nproxies;
static struct settings		new_conf;
static int			confined, store_known, control_fd = -1;
static struct settings		tls_conf;	/* of the set that comes */
static struct timer		drain_timer, stop_timer, gone_timer;
static uint64_t			drain_end;

static void
strings_free(struct conf_strings *list)
{
	struct conf_string	*s;

	while ((s = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, s, entry);
		free(s->s);
		free(s);
	}
}

static void
strings_add(struct conf_strings *list, struct imsg *imsg)
{
	struct conf_string	*s;
	size_t			 len = imsg_get_len(imsg);

	if ((s = calloc(1, sizeof(*s))) == NULL ||
	    (s->s = calloc(1, len + 1)) == NULL)
		fatal("configuration");
	if (len > 0)
		ipc_data(imsg, s->s, len);
	TAILQ_INSERT_TAIL(list, s, entry);
}

/* Connections in all: as set, or as many as the limit of open files allows. */
static void
engine_set_limits(void)
{
	struct rlimit	 rl;
	uint64_t	 max, wanted = engine.conf.max_connections;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		fatal("getrlimit");
	max = proc_max_connections(rl.rlim_cur);
	if (wanted > max && !confined)
		proc_refuse("http max-connections %llu needs a limit of %llu "
		    "open files, and it can't be raised over %llu: raise the "
		    "hard limit (ulimit -Hn, LimitNOFILE) or set less",
		    (unsigned long long)wanted,
		    (unsigned long long)(wanted + rl.rlim_cur - max),
		    (unsigned long long)rl.rlim_max);
	engine.max_connections = wanted == 0 || wanted > max ? max : wanted;
}

/* Not before the store has told of itself: what is started is ready, too. */
static void
engine_ready(void)
{
	if (confined && store_known)
		ipc_send(&proc_parent, IMSG_READY, 0, -1, NULL, 0);
}

/* The first configuration is there: confine, then look at the network. */
static void
engine_confine(void)
{
	if (engine.conf.output == OUTPUT_URING)
		output_use_ring();
	proc_confine(SANDBOX_ENGINE, &process,
	    (enum sandbox_mode)engine.conf.sandbox, NULL);
	confined = 1;
	revalidate_init();
	if (control_fd != -1)
		control_init(control_fd);
	engine_ready();
}

/* PATIENCE is with the keys process; ms. */
static int
engine_build_tls(uint64_t patience, char *err, size_t size)
{
	int	 rv;

	signer_set_timeout(patience);
	rv = tls_context_build(tls_conf.key_isolation != 0 ? TLS_ISOLATED :
	    TLS_WITH_KEYS, tls_conf.ticket_lifetime, err, size);
	signer_set_timeout(engine.conf.signature_timeout);
	return (rv);
}

/* At a reload they have been built already, to see whether they can be. */
static void
engine_adopt_tls(void)
{
	char	 err[512];

	/* The process with the keys may not have begun yet. */
	if (!confined && engine_build_tls(KEYS_START, err, sizeof(err)) == -1)
		proc_refuse("%s", err);
	signer_set_timeout(engine.conf.signature_timeout);
	tls_context_adopt();
}

static void
engine_check_tls(void)
{
	char	 err[512] = "";

	/* What is wrong is the answer; the set is forgotten with it. */
	(void)engine_build_tls(tls_conf.signature_timeout, err, sizeof(err));
	ipc_send(&proc_parent, IMSG_CONF_TLS_CHECKED, 0, -1, err, strlen(err));
}

/* One that was refused for another reason is there until then. */
static void
engine_tls_reset(struct imsg *imsg)
{
	ipc_data(imsg, &tls_conf, sizeof(tls_conf));
	if (!confined) {
		if (tls_conf.key_isolation == 0)
			key_memory_init();
		tls_context_init();
	}
	tls_context_forget();
}

static void
engine_keys(struct imsg *imsg)
{
	int	 fd = imsg_get_fd(imsg);

	if (fd == -1)
		fatalx("parent: no socket to the keys");
	signer_init(fd);
}

static void
engine_tls_begin(struct imsg *imsg)
{
	struct conf_tls_context	 conf;

	ipc_data(imsg, &conf, sizeof(conf));
	tls_context_begin(&conf);
}

static void
engine_tls_piece(struct imsg *imsg)
{
	uint8_t	 buf[MAX_IMSGSIZE];
	size_t	 len = imsg_get_len(imsg);

	ipc_data(imsg, buf, len);
	tls_context_piece(imsg_get_type(imsg), buf, len);
	explicit_bzero(buf, len);
}

static void
engine_tls_keypair(struct imsg *imsg)
{
	char	 name[PATH_MAX] = "";
	size_t	 len = imsg_get_len(imsg);

	if (len >= sizeof(name))
		fatalx("the name of a key pair is too long");
	ipc_data(imsg, name, len);
	tls_context_keypair(name);
}

static void
engine_conf_end(void)
{
	engine.conf = new_conf;
	strings_free(&engine.origins);
	TAILQ_CONCAT(&engine.origins, &new_origins, entry);
	strings_free(&engine.lines);
	TAILQ_CONCAT(&engine.lines, &new_lines, entry);
	memcpy(engine.proxies, new_proxies, sizeof(engine.proxies));
	engine.nproxies = new_nproxies;
	engine_set_limits();
	engine_adopt_tls();
	if (!confined)
		engine_confine();
	listener_conf_end();
}

static void
engine_listener(struct imsg *imsg)
{
	int	 fd = imsg_get_fd(imsg);

	if (confined || fd == -1)
		fatalx("a listener that can't be");
	listener_add(imsg_get_id(imsg), fd);
}

static void
engine_conf_proxy(struct imsg *imsg)
{
	if (new_nproxies == CONF_MAXPROXIES)
		fatalx("too many proxies");
	ipc_data(imsg, &new_proxies[new_nproxies++], sizeof(new_proxies[0]));
}

static void
engine_conf_listener(struct imsg *imsg)
{
	struct conf_listener	 conf;

	ipc_data(imsg, &conf, sizeof(conf));
	conf.address[sizeof(conf.address) - 1] = '\0';
	listener_conf(&conf);
}

/* Players whose slice of the drain has come are sent away. */
static void
drain_tick(struct timer *t)
{
	struct conn	*c, *tmp;
	uint64_t	 now = now_ms(), left, n;

	left = drain_end > now ? (drain_end - now) / DRAIN_TICK + 1 : 1;
	n = (metrics.connections + left - 1) / left;
	TAILQ_FOREACH_SAFE(c, &hub_conns, entry, tmp) {
		if (n-- == 0)
			break;
		session_close(c, WS_CLOSE_RESTART, "draining", CLOSE_DRAIN);
	}
	if (metrics.connections > 0)
		timer_set(t, DRAIN_TICK, drain_tick);
}

void
engine_drain(uint64_t spread)
{
	log_info("draining: %llu players leave within %llu ms",
	    (unsigned long long)metrics.connections,
	    (unsigned long long)spread);
	engine.draining = 1;
	drain_end = now_ms() + spread;
	timer_set(&drain_timer, 0, drain_tick);
}

static void
stop_tick(struct timer *t)
{
	static uint64_t	 since;
	uint64_t	 now = now_ms();

	if (since == 0)
		since = now;
	if (metrics.connections + metrics.http_connections == 0 ||
	    now - since >= STOP_TIME) {
		ipc_flush(&proc_parent);
		exit(0);
	}
	timer_set(t, 20, stop_tick);
}

static void
engine_stop(void)
{
	struct conn	*c, *tmp;

	if (engine.stopping)
		return;
	engine.stopping = 1;
	listener_close_all();
	timer_cancel(&drain_timer);
	TAILQ_FOREACH_SAFE(c, &hub_conns, entry, tmp)
		session_close(c, WS_CLOSE_GOING_AWAY, "going away",
		    CLOSE_SHUTDOWN);
	conn_stop_others();
	timer_set(&stop_timer, 0, stop_tick);
}

static void
engine_usage(struct imsg *imsg)
{
	struct proc_usage	 usage;

	ipc_data(imsg, &usage, sizeof(usage));
	if (usage.proc >= PROC_COUNT)
		fatalx("usage of a process that can't be");
	metrics.proc[usage.proc] = usage.stat;
}

static void
store_state(struct imsg *imsg)
{
	struct store_state	 st;

	ipc_data(imsg, &st, sizeof(st));
	st.backend[sizeof(st.backend) - 1] = '\0';
	st.error[sizeof(st.error) - 1] = '\0';
	metrics.store = st;
	if (!store_known) {
		store_known = 1;
		engine_ready();
	}
}

static void
store_revoked(struct imsg *imsg)
{
	struct store_lookup	 tokens[MAX_IMSGSIZE /
				    sizeof(struct store_lookup)];
	size_t			 len = imsg_get_len(imsg);

	if (len == 0 || len % sizeof(tokens[0]) != 0)
		fatalx("store: revoked tokens of %zu bytes", len);
	ipc_data(imsg, tokens, len);
	revalidate_revoked(tokens, len / sizeof(tokens[0]));
	explicit_bzero(tokens, len);
}

static void
store_dispatch(struct ipc *ipc, struct imsg *imsg)
{
	struct token_row	 row;
	struct token_done	 done;

	(void)ipc;
	switch (imsg_get_type(imsg)) {
	case IMSG_STORE_RESULT:
		lookup_result(imsg);
		break;
	case IMSG_STORE_STATE:
		store_state(imsg);
		break;
	case IMSG_STORE_TOKEN:
		ipc_data(imsg, &row, sizeof(row));
		control_token(&row);
		explicit_bzero(&row, sizeof(row));
		break;
	case IMSG_STORE_REVOKED:
		store_revoked(imsg);
		break;
	case IMSG_STORE_DONE:
		ipc_data(imsg, &done, sizeof(done));
		done.error[sizeof(done.error) - 1] = '\0';
		control_done(&done);
		break;
	case IMSG_PROCSTAT:
		engine_usage(imsg);
		break;
	default:
		fatalx("store: message %u", imsg_get_type(imsg));
	}
}

static void
store_gone_late(struct timer *t)
{
	(void)t;
	fatalx("the store has gone");
}

/*
 * The parent knows what ended it: our own end must not be the first that it
 * hears of.  It tells us to say good-bye to the players.
 */
static void
store_gone(struct ipc *ipc)
{
	ipc_close(ipc);
	lookup_store_gone();
	timer_set(&gone_timer, GONE_GRACE, store_gone_late);
}

/* The first store, or one that takes the place of another. */
static void
engine_peer(struct imsg *imsg)
{
	static int	 had_one;
	int		 fd;

	if ((fd = imsg_get_fd(imsg)) == -1)
		fatalx("parent: no socket to the store");
	if (had_one) {
		ipc_close(&engine.store);
		timer_cancel(&gone_timer);
	}
	ipc_init(&engine.store, engine.base, fd, store_dispatch, store_gone,
	    NULL);
	lookup_init(&engine.store);
	if (had_one) {
		publisher_doubt_all();
		control_store_changed();
		ipc_send(&proc_parent, IMSG_STORE_TAKEN, 0, -1, NULL, 0);
	}
	had_one = 1;
}

static void
engine_reloaded(struct imsg *imsg)
{
	char	 text[MAX_IMSGSIZE] = "";
	size_t	 len = imsg_get_len(imsg);

	if (len > 0)
		ipc_data(imsg, text, len);
	control_reloaded(imsg_get_id(imsg), text, len);
}

static void
engine_answer(void)
{
	struct engine_state	 st;

	memset(&st, 0, sizeof(st));
	st.players = metrics.players;
	st.connections = metrics.connections;
	st.queued = metrics.queue_messages;
	st.draining = (uint32_t)engine.draining;
	ipc_send(&proc_parent, IMSG_PONG, 0, -1, &st, sizeof(st));
}

static void
parent_dispatch(struct ipc *ipc, struct imsg *imsg)
{
	(void)ipc;
	switch (imsg_get_type(imsg)) {
	case IMSG_CONF_BEGIN:
		ipc_data(imsg, &new_conf, sizeof(new_conf));
		strings_free(&new_origins);
		strings_free(&new_lines);
		new_nproxies = 0;
		break;
	case IMSG_CONF_ORIGIN:
		strings_add(&new_origins, imsg);
		break;
	case IMSG_CONF_PROXY:
		engine_conf_proxy(imsg);
		break;
	case IMSG_CONF_LINE:
		strings_add(&new_lines, imsg);
		break;
	case IMSG_CONF_LISTENER:
		engine_conf_listener(imsg);
		break;
	case IMSG_CONF_TLS_RESET:
		engine_tls_reset(imsg);
		break;
	case IMSG_CONF_TLS_BEGIN:
		engine_tls_begin(imsg);
		break;
	case IMSG_CONF_TLS_CA:
	case IMSG_CONF_TLS_CERT:
	case IMSG_CONF_TLS_KEY:
	case IMSG_CONF_TLS_OCSP:
		engine_tls_piece(imsg);
		break;
	case IMSG_CONF_TLS_KEYPAIR:
		engine_tls_keypair(imsg);
		break;
	case IMSG_CONF_TLS_CHECK:
		engine_check_tls();
		break;
	case IMSG_KEYS_PEER:
		engine_keys(imsg);
		break;
	case IMSG_CONF_PROCESS:
		ipc_data(imsg, &process, sizeof(process));
		break;
	case IMSG_CONF_END:
		engine_conf_end();
		break;
	case IMSG_PEER:
		engine_peer(imsg);
		break;
	case IMSG_LISTENER:
		engine_listener(imsg);
		break;
	case IMSG_CONTROL:
		if ((control_fd = imsg_get_fd(imsg)) == -1)
			fatalx("parent: no control socket");
		break;
	case IMSG_PING:
		engine_answer();
		break;
	case IMSG_SHUTDOWN:
		engine_stop();
		break;
	case IMSG_CTL_RELOADED:
		engine_reloaded(imsg);
		break;
	case IMSG_PROCSTAT:
		engine_usage(imsg);
		break;
	default:
		fatalx("parent: message %u", imsg_get_type(imsg));
	}
}

void
engine_main(void)
{
	TAILQ_INIT(&engine.origins);
	TAILQ_INIT(&engine.lines);
	TAILQ_INIT(&new_origins);
	TAILQ_INIT(&new_lines);
	engine.base = proc_child_init("engine", parent_dispatch);
	engine.started = now_ms();
	timer_wheel_init(engine.base);
	output_init(engine.base);
	conn_init(engine.base);
	proc_child_loop(engine.base);
}
