/* What answers at which path, and the answers for those who watch. */
#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "engine.h"
#include "lookup.h"
#include "request.h"

static int
endpoint_get_only(struct conn *c, const struct request *r)
{
	if (r->http.method == HTTP_GET || r->http.method == HTTP_HEAD)
		return (1);
	reply_refuse(c, REFUSE_METHOD);
	return (0);
}

/* A graph wants to know how much is left, which a reload may change. */
static void
metrics_limits(void)
{
	metrics.limit_connections = engine.max_connections;
	metrics.limit_memory = engine.conf.memory_limit;
	metrics.limit_queue_messages = engine.conf.queue_total_messages;
	metrics.limit_queue_bytes = engine.conf.queue_total_bytes;
	metrics.limit_queue_players = engine.conf.queue_total_players;
	metrics.limit_handshakes = engine.conf.max_handshakes;
	metrics.limit_lookups = engine.conf.max_lookups;
}

static void
metrics_head(struct conn *c, struct request *r, const char *head)
{
	char	*text;
	size_t	 len;

	(void)head;
	if (!endpoint_get_only(c, r))
		return;
	metrics.log_lost = proc_log_lost();
	metrics_limits();
	text = metrics_render(now_ms() - engine.started, engine.draining,
	    &len);
	reply(c, 200, "text/plain; version=0.0.4; charset=utf-8", "", text,
	    len);
	free(text);
}

static void
health_line(struct conn *c, int status, const char *text)
{
	char	 line[384];
	int	 n;

	n = snprintf(line, sizeof(line), "%s\n", text);
	reply(c, status, "text/plain; charset=utf-8",
	    status == 200 ? "" : "Retry-After: 2\r\n", line, (size_t)n);
}

static void
healthz_head(struct conn *c, struct request *r, const char *head)
{
	(void)head;
	if (endpoint_get_only(c, r))
		health_line(c, 200, "ok");
}

static void
readyz_head(struct conn *c, struct request *r, const char *head)
{
	(void)head;
	if (!endpoint_get_only(c, r))
		return;
	if (engine.stopping)
		health_line(c, 503, "stopping");
	else if (engine.draining)
		health_line(c, 503, "draining");
	else if (!listener_open())
		health_line(c, 503, "no listener is open");
	else if (!metrics.store.up)
		/* Why is not for everybody: the log and ctl have it. */
		health_line(c, 503, "token database unavailable");
	else if (lookup_silent())
		health_line(c, 503, "token database unavailable: the store "
		    "does not answer");
	else
		health_line(c, 200, "ready");
}

static const struct endpoint	endpoints[] = {
	{ "/ws",	ROLE_PLAYER,	handshake_head,	NULL },
	{ "/publish",	ROLE_PUBLISH,	publish_head,	publish_body },
	{ "/broadcast",	ROLE_PUBLISH,	publish_head,	broadcast_body },
	{ "/metrics",	ROLE_METRICS,	metrics_head,	NULL },
	{ "/healthz",	ROLE_METRICS,	healthz_head,	NULL },
	{ "/readyz",	ROLE_METRICS,	readyz_head,	NULL },
};

const struct endpoint *
endpoint_find(const char *path, size_t len, int roles)
{
	size_t	 i;

	for (i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
		if ((endpoints[i].role & roles) != 0 &&
		    strlen(endpoints[i].path) == len &&
		    memcmp(endpoints[i].path, path, len) == 0)
			return (&endpoints[i]);
	}
	return (NULL);
}
