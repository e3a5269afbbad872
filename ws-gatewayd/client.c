/*
 * Whose connection, and whose request.  Proxies share connections among their
 * clients, so what a header says holds for its request alone; a WebSocket is
 * its client's as long as it lives.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <string.h>

#include "client.h"
#include "conn.h"
#include "engine.h"
#include "forwarded.h"
#include "http_parse.h"
#include "log.h"
#include "monitor.h"
#include "peer.h"
#include "proxy_protocol.h"
#include "request.h"

int
client_trusted(const struct conn_addr *addr)
{
	return (network_match(engine.proxies, engine.nproxies, addr));
}

/* There is nobody to say it to: who gets no header right won't read HTTP. */
static void
client_refuse(struct conn *c, enum refuse_reason reason, const char *detail)
{
	static struct log_limit	 limits[REFUSE_REASONS];
	char			 ip[INET6_ADDRSTRLEN];

	metrics.refused[reason]++;
	if (log_limit(&limits[reason], 1, now_ms()) &&
	    log_begin(LOGL_WARN, "connection refused")) {
		log_str("reason", refuse_reason_name(reason));
		log_str("ip", conn_ip(c, ip, sizeof(ip)));
		log_str("error", detail);
		log_end();
	}
	if (monitor_on(CTL_EV_REFUSE))
		monitor_event(CTL_EV_REFUSE, NULL, 0, c, NULL, 0,
		    refuse_reason_name(reason));
	conn_drop(c, CLOSE_EOF);
}

void
client_start(struct conn *c)
{
	c->state = CONN_PROXY;
	request_idle(c);
	if (!client_trusted(&c->addr))
		client_refuse(c, REFUSE_UNTRUSTED, "its address is none of "
		    "the proxies");
}

void
client_late(struct conn *c)
{
	client_refuse(c, REFUSE_TIMEOUT, "no PROXY header in time");
}

/* The header is whole and has been read. */
static void
client_known(struct conn *c, const struct conn_addr *addr)
{
	conn_keep(c, NULL, 0);
	if (addr->family != AF_UNSPEC) {
		c->addr = *addr;
		if (peer_join(&c->addr) == -1) {
			listener_say(c->fd, c->tls, REFUSE_ADDRESS);
			conn_linger(c);
			return;
		}
	}
	conn_begin(c);
}

/*
 * What follows the header is left in the socket, since it may be TLS's.  So it
 * is looked at first, and only then read as far as is ours.
 */
void
client_read(struct conn *c)
{
	static uint8_t		 buf[PROXY_V2_MAX];
	struct proxy_header	 h;
	enum proxy_result	 res;
	size_t			 have = 0, want;
	ssize_t			 n;

	if (c->part != NULL) {
		have = c->part->n;
		memcpy(buf, c->part->bytes, have);
	}
	n = recv(c->fd, buf + have, sizeof(buf) - have, MSG_PEEK);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_drop(c, n == 0 ? CLOSE_EOF : CLOSE_ERROR);
		return;
	}
	res = proxy_protocol(buf, have + (size_t)n, &h);
	if (res == PROXY_ERROR) {
		client_refuse(c, REFUSE_PROXY, h.reason);
		return;
	}
	want = res == PROXY_OK ? h.used - have : (size_t)n;
	if (recv(c->fd, buf + have, want, 0) != (ssize_t)want)
		conn_drop(c, CLOSE_ERROR);
	else if (res == PROXY_AGAIN)
		conn_keep(c, buf, have + want);
	else
		client_known(c, &h.addr);
}

int
client_find(struct conn *c, struct request *r, const char *head)
{
	const struct http_header	*h;
	const char			*name;
	struct forwarded		 f;
	enum forwarded_kind		 kind;
	int				 more = 1;

	if (!client_trusted(&c->addr))
		return (0);
	kind = (enum forwarded_kind)engine.conf.forwarded;
	name = kind == FORWARDED_X ? "X-Forwarded-For" : "Forwarded";
	forwarded_init(&f, kind, engine.proxies, engine.nproxies, &c->addr);
	for (h = r->http.headers + r->http.nheaders;
	    more && kind != FORWARDED_NONE && h > r->http.headers; h--)
		if (http_span_is(head, &h[-1].name, name))
			more = forwarded_line(&f, head + h[-1].value.off,
			    h[-1].value.len);
	r->client = f.addr;
	return (peer_join(&r->client));
}

void
client_keep(struct conn *c)
{
	struct request	*r = c->req;

	if (r->client.family == AF_UNSPEC)
		return;
	peer_leave(&c->addr);
	c->addr = r->client;
	r->client.counted = 0;
}
