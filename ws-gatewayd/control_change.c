/* Requests that change something: kick, reload, log level, drain, stop. */
#include <sys/queue.h>

#include <string.h>

#include "conn.h"
#include "control_client.h"
#include "engine.h"
#include "hub.h"
#include "log.h"
#include "metrics.h"
#include "monitor.h"
#include "utf8.h"
#include "ws.h"

static const char	kick_default[] = "kicked";
static const char	reload_warning[] = "warning: ";

static void
kick(struct conn *conn, const char *reason)
{
	monitor_event(CTL_EV_KICK, NULL, 0, conn, NULL, 0, reason);
	session_close(conn, WS_CLOSE_POLICY, reason, CLOSE_KICK);
}

/* The reason goes into a close frame, which takes only text. */
static int
kick_read(struct client *c, struct ctl_kick *req, const void *data, size_t len)
{
	memcpy(req, data, len);
	if (!client_text_ok(req->reason, sizeof(req->reason)) ||
	    !utf8_ok(req->reason, strlen(req->reason))) {
		client_fail(c, CTL_ERR_REQUEST, "the reason is not UTF-8");
		return (-1);
	}
	if (req->reason[0] == '\0')
		strlcpy(req->reason, kick_default, sizeof(req->reason));
	return (0);
}

void
change_kick_player(struct client *c, const void *data, size_t len)
{
	struct ctl_kick	 req;
	struct player	*p;
	struct conn	*conn, *next;
	uint64_t	 n = 0;

	if (kick_read(c, &req, data, len) == -1)
		return;
	if (!client_id_ok(&req.player)) {
		client_fail(c, CTL_ERR_REQUEST, "no such identity");
		return;
	}
	p = hub_find(req.player.id, req.player.len);
	if (p != NULL) {
		TAILQ_FOREACH_SAFE(conn, &p->conns, siblings, next) {
			if (conn->state != CONN_WS)
				continue;
			kick(conn, req.reason);
			n++;
		}
	}
	if (n == 0) {
		client_fail(c, CTL_ERR_NOTFOUND, "the player has no "
		    "connection");
		return;
	}
	if (client_log(c, "kick player")) {
		log_bytes("player_id", req.player.id, req.player.len);
		log_int("connections", (int64_t)n);
		log_str("reason", req.reason);
		log_end();
	}
	client_ok(c, n, 0);
}

void
change_kick_conn(struct client *c, const void *data, size_t len)
{
	struct ctl_kick	 req;
	struct conn	*conn;

	if (kick_read(c, &req, data, len) == -1)
		return;
	conn = conn_by_id(req.conn);
	if (conn == NULL || conn->state != CONN_WS) {
		client_fail(c, CTL_ERR_NOTFOUND, "no such connection");
		return;
	}
	if (client_log(c, "kick connection")) {
		log_bytes("player_id", conn->player->id, conn->player->len);
		log_int("connection", (int64_t)conn->id);
		log_str("reason", req.reason);
		log_end();
	}
	kick(conn, req.reason);
	client_ok(c, 1, 0);
}

void
change_reload(struct client *c, const void *data, size_t len)
{
	(void)data;
	(void)len;
	if (client_log(c, "reload"))
		log_end();
	ipc_send(&proc_parent, IMSG_CTL_RELOAD, client_wait(c), -1, NULL, 0);
}

static void
reload_answer(struct client *c, const char *text, size_t len)
{
	static const size_t	max = MAX_IMSGSIZE - IMSG_HEADER_SIZE;
	size_t			prefix = sizeof(reload_warning) - 1;

	if (len == 0) {
		client_ok(c, 1, 0);
	} else if (len > prefix && memcmp(text, reload_warning, prefix) == 0) {
		client_send(c, CTL_LINE, text, len < max ? len : max);
		client_ok(c, 1, 0);
	} else if (len < CTL_MAXTEXT) {
		client_fail(c, CTL_ERR_FAILED, "%.*s", (int)len, text);
	} else {
		client_send(c, CTL_LINE, text, len < max ? len : max);
		client_fail(c, CTL_ERR_FAILED, "the old configuration stays "
		    "in force");
	}
}

void
control_reloaded(uint32_t id, const char *text, size_t len)
{
	struct client	*c;

	if ((c = client_waiting(id)) != NULL)
		reload_answer(c, text, len);
}

void
change_log_level(struct client *c, const void *data, size_t len)
{
	struct ctl_number	number;
	uint32_t		level;

	memcpy(&number, data, len);
	if (number.n > LOGL_FATAL) {
		client_fail(c, CTL_ERR_REQUEST, "no such log level");
		return;
	}
	level = (uint32_t)number.n;
	if (client_log(c, "log")) {
		log_str("to", log_level_name(level));
		log_end();
	}
	ipc_send(&proc_parent, IMSG_CTL_LOG_LEVEL, 0, -1, &level,
	    sizeof(level));
	client_ok(c, 1, 0);
}

void
change_drain(struct client *c, const void *data, size_t len)
{
	struct ctl_number	number;
	uint64_t		n = metrics.connections;

	memcpy(&number, data, len);
	if (number.n > CTL_MAXDRAIN) {
		client_fail(c, CTL_ERR_REQUEST, "a drain takes a day at the "
		    "most");
		return;
	}
	if (client_log(c, "drain")) {
		log_int("ms", (int64_t)number.n);
		log_int("connections", (int64_t)n);
		log_end();
	}
	engine_drain(number.n);
	client_ok(c, n, 0);
}

void
change_stop(struct client *c, const void *data, size_t len)
{
	(void)data;
	(void)len;
	if (client_log(c, "stop"))
		log_end();
	ipc_send(&proc_parent, IMSG_CTL_STOP, 0, -1, NULL, 0);
	client_ok(c, 1, 0);
}
