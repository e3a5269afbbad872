/*
 * The counters and their page for Prometheus: a table of names for what is one
 * number, a few functions for what has labels.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "lookup.h"
#include "metrics.h"
#include "version.h"

#define PAGE_START	16384

struct metrics	metrics;

/* What is timed is timed in milliseconds. */
static const double	hist_bounds[HIST_BUCKETS] = {
	0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5
};

static const char *const	close_names[CLOSE_REASONS] = {
	[CLOSE_CLIENT]		= "client",
	[CLOSE_EOF]		= "eof",
	[CLOSE_ERROR]		= "error",
	[CLOSE_PROTOCOL]	= "protocol",
	[CLOSE_BAD_DATA]	= "bad_data",
	[CLOSE_TOO_BIG]		= "too_big",
	[CLOSE_PONG_TIMEOUT]	= "pong_timeout",
	[CLOSE_SLOW]		= "slow",
	[CLOSE_MEMORY]		= "memory",
	[CLOSE_KICK]		= "kick",
	[CLOSE_TOKEN]		= "token",
	[CLOSE_DRAIN]		= "drain",
	[CLOSE_SHUTDOWN]	= "shutdown",
};

static const char *const	refuse_names[REFUSE_REASONS] = {
	[REFUSE_MISSING_TOKEN]	= "missing_token",
	[REFUSE_INVALID_TOKEN]	= "invalid_token",
	[REFUSE_SERVER_TOKEN]	= "server_token",
	[REFUSE_PLAYER_CONNS]	= "player_connections",
	[REFUSE_CONNS]		= "connections",
	[REFUSE_ADDRESS]	= "address",
	[REFUSE_HANDSHAKES]	= "handshakes",
	[REFUSE_HANDSHAKE_RATE]	= "handshake_rate",
	[REFUSE_MEMORY]		= "memory",
	[REFUSE_DESCRIPTORS]	= "descriptors",
	[REFUSE_METHOD]		= "method",
	[REFUSE_POST_ONLY]	= "post_only",
	[REFUSE_HANDSHAKE]	= "handshake",
	[REFUSE_VERSION]	= "version",
	[REFUSE_ORIGIN]		= "origin",
	[REFUSE_RATE]		= "rate",
	[REFUSE_BODY]		= "body",
	[REFUSE_TOO_LARGE]	= "too_large",
	[REFUSE_HTTP]		= "http",
	[REFUSE_HEADER]		= "header",
	[REFUSE_TIMEOUT]	= "timeout",
	[REFUSE_NOT_FOUND]	= "not_found",
	[REFUSE_STORE]		= "store",
	[REFUSE_LOOKUPS]	= "lookups",
	[REFUSE_DRAINING]	= "draining",
	[REFUSE_UNTRUSTED]	= "untrusted",
	[REFUSE_PROXY]		= "proxy",
};

static const char *const	publish_names[PUBLISH_RESULTS] = {
	[PUBLISH_DELIVERED]	= "delivered",
	[PUBLISH_QUEUED]	= "queued",
	[PUBLISH_LOST]		= "lost",
	[PUBLISH_BROADCAST]	= "broadcast",
};

static const char *const	drop_names[DROP_REASONS] = {
	[DROP_QUEUE_FULL]	= "queue_full",
	[DROP_QUEUE_TOTAL]	= "queue_total",
	[DROP_NO_QUEUE]		= "no_queue",
	[DROP_MEMORY]		= "memory",
	[DROP_CLOSED]		= "closed",
};

enum family_kind {
	COUNTER,
	GAUGE
};

struct family {
	const char		*name;
	enum family_kind	 kind;
	size_t			 offset;	/* of a uint64_t in metrics */
	const char		*help;
};

#define FIELD(f)	offsetof(struct metrics, f)

static const struct family	families[] = {
	{ "ws_active_connections", GAUGE, FIELD(connections),
	    "WebSockets that are open." },
	{ "ws_messages_published_total", COUNTER, FIELD(published),
	    "Messages taken from servers and from ws-gatewayctl." },
	{ "ws_messages_delivered_total", COUNTER, FIELD(delivered),
	    "Messages written to a WebSocket, one for each connection." },
	{ "ws_players", GAUGE, FIELD(players),
	    "Players with a connection." },
	{ "ws_connections_opened_total", COUNTER, FIELD(opened),
	    "WebSockets opened." },
	{ "ws_http_connections", GAUGE, FIELD(http_connections),
	    "Open connections that are not WebSockets." },
	{ "ws_accepted_total", COUNTER, FIELD(accepted),
	    "Connections accepted, of any kind." },
	{ "ws_accept_errors_total", COUNTER, FIELD(accept_errors),
	    "Connections that could not be accepted." },
	{ "ws_http_requests_total", COUNTER, FIELD(requests),
	    "HTTP requests." },
	{ "ws_messages_received_total", COUNTER, FIELD(received),
	    "Messages that players sent." },
	{ "ws_compressed_connections", GAUGE, FIELD(compressing),
	    "WebSockets that are open and speak permessage-deflate." },
	{ "ws_messages_compressed_total", COUNTER, FIELD(deflated),
	    "Messages compressed, once for all connections." },
	{ "ws_compress_input_bytes_total", COUNTER, FIELD(deflate_in),
	    "Bytes of those messages before." },
	{ "ws_compress_output_bytes_total", COUNTER, FIELD(deflate_out),
	    "Bytes of those messages after." },
	{ "ws_decompress_input_bytes_total", COUNTER, FIELD(inflate_in),
	    "Bytes of players' compressed messages." },
	{ "ws_decompress_output_bytes_total", COUNTER, FIELD(inflate_out),
	    "Bytes that came out of them." },
	{ "ws_messages_queued_total", COUNTER, FIELD(queued),
	    "Messages put into the queue of a player who was away." },
	{ "ws_messages_flushed_total", COUNTER, FIELD(queue_flushed),
	    "Queued messages given to a player who came back." },
	{ "ws_messages_expired_total", COUNTER, FIELD(queue_expired),
	    "Queued messages whose time to live ran out." },
	{ "ws_queue_messages", GAUGE, FIELD(queue_messages),
	    "Messages that wait in the offline queues." },
	{ "ws_queue_bytes", GAUGE, FIELD(queue_bytes),
	    "Bytes that wait in the offline queues." },
	{ "ws_queue_players", GAUGE, FIELD(queue_players),
	    "Players with an offline queue." },
	{ "ws_send_queue_bytes", GAUGE, FIELD(sendq_bytes),
	    "Bytes that wait for the sockets of all connections." },
	{ "ws_memory_bytes", GAUGE, FIELD(memory_bytes),
	    "Bytes of connections, messages and queues, of the budget." },
	{ "ws_handshakes", GAUGE, FIELD(handshakes),
	    "WebSocket handshakes in progress." },
	{ "ws_tls_handshakes_total", COUNTER, FIELD(tls_handshakes),
	    "TLS handshakes that were completed." },
	{ "ws_tls_handshakes_failed_total", COUNTER,
	    FIELD(tls_handshakes_failed),
	    "TLS handshakes that failed, or were not completed in time." },
	{ "ws_tls_handshakes_pending", GAUGE, FIELD(tls_handshakes_pending),
	    "TLS handshakes in progress." },
	{ "ws_tls_signatures_total", COUNTER, FIELD(tls_signatures),
	    "Signatures that the keys process made." },
	{ "ws_tls_signatures_failed_total", COUNTER,
	    FIELD(tls_signatures_failed),
	    "Signatures that the keys process did not make, or not in time." },
	{ "ws_token_lookups_total", COUNTER, FIELD(lookups),
	    "Token lookups asked for." },
	{ "ws_token_lookup_errors_total", COUNTER, FIELD(lookup_errors),
	    "Token lookups that the database did not answer in time." },
	{ "ws_token_lookups_pending", GAUGE, FIELD(lookups_pending),
	    "Token lookups that await their answer." },
	{ "ws_token_cache_hits_total", COUNTER, FIELD(cache_hits),
	    "Server tokens that were found in the cache." },
	{ "ws_token_revalidations_total", COUNTER, FIELD(revalidated),
	    "Tokens of open connections that were looked up again." },
	{ "ws_connections_limit", GAUGE, FIELD(limit_connections),
	    "Open connections that there may be, of any kind." },
	{ "ws_memory_limit_bytes", GAUGE, FIELD(limit_memory),
	    "The budget that ws_memory_bytes is of." },
	{ "ws_queue_limit_messages", GAUGE, FIELD(limit_queue_messages),
	    "Messages that the offline queues may hold." },
	{ "ws_queue_limit_bytes", GAUGE, FIELD(limit_queue_bytes),
	    "Bytes that the offline queues may hold." },
	{ "ws_queue_limit_players", GAUGE, FIELD(limit_queue_players),
	    "Players who may have an offline queue." },
	{ "ws_handshakes_limit", GAUGE, FIELD(limit_handshakes),
	    "WebSocket handshakes that may be in progress." },
	{ "ws_token_lookups_limit", GAUGE, FIELD(limit_lookups),
	    "Token lookups that may await their answer." },
	{ "ws_control_clients", GAUGE, FIELD(control_clients),
	    "Connections of ws-gatewayctl." },
	{ "ws_monitor_events_lost_total", COUNTER, FIELD(monitor_lost),
	    "Events that a slow ws-gatewayctl monitor did not get." },
	{ "ws_log_lines_lost_total", COUNTER, FIELD(log_lost),
	    "Log lines that the parent could not take." },
	{ "ws_store_lookups_total", COUNTER, FIELD(store.lookups),
	    "Tokens that the store has looked up." },
	{ "ws_store_queries_total", COUNTER, FIELD(store.batches),
	    "Queries that the store has run for lookups." },
	{ "ws_store_errors_total", COUNTER, FIELD(store.errors),
	    "Queries of the store that failed." },
};
#define NFAMILIES	(sizeof(families) / sizeof(families[0]))

struct page {
	char	*buf;
	size_t	 len;
	size_t	 size;
};

static void	put(struct page *, const char *, ...)
		    __attribute__((__format__(printf, 2, 3)));

static void
put(struct page *p, const char *fmt, ...)
{
	va_list	ap;
	char	*buf;
	size_t	size;
	int	n;

	for (;;) {
		va_start(ap, fmt);
		n = vsnprintf(p->buf + p->len, p->size - p->len, fmt, ap);
		va_end(ap);
		if (n < 0)
			fatalx("metrics: %s", fmt);
		if ((size_t)n < p->size - p->len)
			break;
		size = p->size * 2 + (size_t)n;
		if ((buf = realloc(p->buf, size)) == NULL)
			fatal("metrics");
		p->buf = buf;
		p->size = size;
	}
	p->len += (size_t)n;
}

static void
put_head(struct page *p, const char *name, const char *type, const char *help)
{
	put(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
put_families(struct page *p)
{
	const struct family	*f;
	uint64_t		 v;
	size_t			 i;

	for (i = 0; i < NFAMILIES; i++) {
		f = &families[i];
		memcpy(&v, (const char *)&metrics + f->offset, sizeof(v));
		put_head(p, f->name, f->kind == COUNTER ? "counter" : "gauge",
		    f->help);
		put(p, "%s %" PRIu64 "\n", f->name, v);
	}
}

/* A counter for each value of one label. */
static void
put_labelled(struct page *p, const char *name, const char *help,
    const char *label, const char *const *values, const uint64_t *v, size_t n)
{
	size_t	i;

	put_head(p, name, "counter", help);
	for (i = 0; i < n; i++)
		put(p, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, values[i],
		    v[i]);
}

static void
put_histogram(struct page *p, const char *name, const char *help,
    const struct histogram *h)
{
	uint64_t	total = 0;
	int		i;

	put_head(p, name, "histogram", help);
	for (i = 0; i < HIST_BUCKETS; i++) {
		total += h->count[i];
		put(p, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
		    hist_bounds[i], total);
	}
	total += h->count[HIST_BUCKETS];
	put(p, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, total);
	put(p, "%s_sum %.15g\n%s_count %" PRIu64 "\n", name, h->sum, name,
	    total);
}

static void
put_gauge(struct page *p, const char *name, const char *help, double v)
{
	put_head(p, name, "gauge", help);
	put(p, "%s %.15g\n", name, v);
}

static double
proc_value(const struct procstat *st, int field)
{
	switch (field) {
	case 0:
		return (st->cpu_seconds);
	case 1:
		return ((double)st->resident_bytes);
	case 2:
		return ((double)st->virtual_bytes);
	case 3:
		return ((double)st->open_fds);
	case 4:
		return ((double)st->max_fds);
	default:
		return (st->start_time);
	}
}

/* What a process has not reported, or can't know, is left out. */
static void
put_processes(struct page *p)
{
	static const struct {
		const char	*name;
		const char	*type;
		const char	*help;
	} f[] = {
		{ "process_cpu_seconds_total", "counter",
		    "User and system CPU time spent, in seconds." },
		{ "process_resident_memory_bytes", "gauge",
		    "Resident memory size in bytes." },
		{ "process_virtual_memory_bytes", "gauge",
		    "Virtual memory size in bytes." },
		{ "process_open_fds", "gauge",
		    "Number of open file descriptors." },
		{ "process_max_fds", "gauge",
		    "Maximum number of open file descriptors." },
		{ "process_start_time_seconds", "gauge",
		    "Start time since the Unix epoch, in seconds." },
	};
	double	v;
	size_t	i;
	int	id;

	for (i = 0; i < sizeof(f) / sizeof(f[0]); i++) {
		put_head(p, f[i].name, f[i].type, f[i].help);
		for (id = 0; id < PROC_COUNT; id++) {
			v = proc_value(&metrics.proc[id], (int)i);
			if (v > 0)
				put(p, "%s{process=\"%s\"} %.15g\n", f[i].name,
				    proc_name(id), v);
		}
	}
}

static void
put_states(struct page *p, uint64_t uptime, int draining)
{
	put_head(p, "ws_build_info", "gauge",
	    "Always 1; the label says which version runs.");
	put(p, "ws_build_info{version=\"%s\"} 1\n", WSG_VERSION);
	put_gauge(p, "ws_uptime_seconds", "Time since the start, in seconds.",
	    (double)uptime / 1000);
	put_gauge(p, "ws_draining",
	    "Whether new WebSockets are refused (1) or not (0).",
	    draining != 0);
	put_gauge(p, "ws_store_up", "Whether the token database answers.",
	    metrics.store.up && !lookup_silent());
	put_gauge(p, "ws_store_lookups_pending",
	    "Token lookups that wait in the store.", metrics.store.pending);
}

char *
metrics_render(uint64_t uptime, int draining, size_t *len)
{
	struct page	p = { NULL, 0, PAGE_START };

	if ((p.buf = malloc(p.size)) == NULL)
		fatal("metrics");
	procstat_read(&metrics.proc[PROC_ENGINE]);
	put_families(&p);
	put_labelled(&p, "ws_connections_closed_total",
	    "WebSockets closed, and why.", "reason", close_names,
	    metrics.closed, CLOSE_REASONS);
	put_labelled(&p, "ws_refused_total",
	    "Requests and connections refused, and why.", "reason",
	    refuse_names, metrics.refused, REFUSE_REASONS);
	put_labelled(&p, "ws_publishes_total",
	    "What became of the published messages.", "result", publish_names,
	    metrics.publish, PUBLISH_RESULTS);
	put_labelled(&p, "ws_messages_dropped_total",
	    "Messages taken that did not reach a connection, and why.",
	    "reason", drop_names, metrics.dropped, DROP_REASONS);
	put_histogram(&p, "ws_fanout_duration_seconds",
	    "Time until a message was written to its last connection.",
	    &metrics.fanout);
	put_histogram(&p, "ws_token_lookup_duration_seconds",
	    "Time until the answer to a token lookup.", &metrics.lookup);
	put_states(&p, uptime, draining);
	put_processes(&p);
	*len = p.len;
	return (p.buf);
}

void
hist_observe(struct histogram *h, double seconds)
{
	int	i;

	for (i = 0; i < HIST_BUCKETS && seconds > hist_bounds[i]; i++)
		continue;
	h->count[i]++;
	h->sum += seconds;
}

const char *
close_reason_name(enum close_reason reason)
{
	return (reason < CLOSE_REASONS ? close_names[reason] : "?");
}

const char *
refuse_reason_name(enum refuse_reason reason)
{
	return (reason < REFUSE_REASONS ? refuse_names[reason] : "?");
}

const char *
drop_reason_name(enum drop_reason reason)
{
	return (reason < DROP_REASONS ? drop_names[reason] : "?");
}
