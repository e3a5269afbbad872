/* A command as messages to the daemon. */
#include <err.h>
#include <string.h>

#include "ctl_request.h"

#define PIECE	15000		/* of a payload in a message */

static int	broken;		/* the daemon doesn't read any more */

/*
 * The daemon may have hung up in the midst of a long message, because of its
 * beginning; what it said about that is still to be read.
 */
void
request_send(struct imsgbuf *ibuf, uint32_t type, const void *data, size_t len)
{
	if (broken)
		return;
	if (imsg_compose(ibuf, type, 0, 0, -1, data, len) == -1)
		err(1, "message to the daemon");
	if (imsgbuf_flush(ibuf) == -1)
		broken = 1;
}

static void
request_kick(struct imsgbuf *ibuf, const struct command *cmd, uint32_t type)
{
	struct ctl_kick	kick;

	memset(&kick, 0, sizeof(kick));
	kick.conn = cmd->conn;
	kick.player = cmd->player;
	strlcpy(kick.reason, cmd->reason, sizeof(kick.reason));
	request_send(ibuf, type, &kick, sizeof(kick));
}

static void
request_bytes(struct imsgbuf *ibuf, const char *data, size_t len)
{
	size_t	n;

	for (; len > 0; data += n, len -= n) {
		n = len < PIECE ? len : PIECE;
		request_send(ibuf, CTL_PUBLISH_DATA, data, n);
	}
}

static void
request_publish(struct imsgbuf *ibuf, const struct command *cmd,
    const struct payload *payload)
{
	struct ctl_publish	pub;

	memset(&pub, 0, sizeof(pub));
	pub.broadcast = cmd->action == ACTION_BROADCAST;
	pub.player = cmd->player;
	pub.event_len = (uint32_t)strlen(cmd->event);
	pub.payload_len = (uint32_t)payload->len;
	request_send(ibuf, CTL_PUBLISH_BEGIN, &pub, sizeof(pub));
	request_bytes(ibuf, cmd->event, pub.event_len);
	request_bytes(ibuf, payload->data, payload->len);
	request_send(ibuf, CTL_PUBLISH_END, NULL, 0);
}

static void
request_monitor(struct imsgbuf *ibuf, const struct command *cmd)
{
	struct ctl_monitor	monitor;

	memset(&monitor, 0, sizeof(monitor));
	monitor.kinds = cmd->kinds;
	monitor.player = cmd->player;
	request_send(ibuf, CTL_MONITOR, &monitor, sizeof(monitor));
}

static void
request_number(struct imsgbuf *ibuf, const struct command *cmd, uint32_t type)
{
	struct ctl_number	number = { cmd->number };

	request_send(ibuf, type, &number, sizeof(number));
}

/* The requests that are their type alone. */
static uint32_t
request_plain(enum action action)
{
	switch (action) {
	case ACTION_SHOW_STATS:
		return (CTL_SHOW_STATS);
	case ACTION_SHOW_STORE:
		return (CTL_SHOW_STORE);
	case ACTION_SHOW_PLAYERS:
		return (CTL_SHOW_PLAYERS);
	case ACTION_SHOW_QUEUE:
		return (CTL_SHOW_QUEUE);
	case ACTION_SHOW_CONFIG:
		return (CTL_SHOW_CONFIG);
	case ACTION_RELOAD:
		return (CTL_RELOAD);
	case ACTION_STOP:
		return (CTL_STOP);
	case ACTION_TOKEN_LIST:
		return (CTL_TOKEN_LIST);
	default:
		errx(1, "no such command");
	}
}

void
request_command(struct imsgbuf *ibuf, const struct command *cmd,
    const struct payload *payload)
{
	switch (cmd->action) {
	case ACTION_SHOW_PLAYER:
		request_send(ibuf, CTL_SHOW_PLAYER, &cmd->player,
		    sizeof(cmd->player));
		break;
	case ACTION_KICK_PLAYER:
		request_kick(ibuf, cmd, CTL_KICK_PLAYER);
		break;
	case ACTION_KICK_CONN:
		request_kick(ibuf, cmd, CTL_KICK_CONN);
		break;
	case ACTION_PUBLISH:
	case ACTION_BROADCAST:
		request_publish(ibuf, cmd, payload);
		break;
	case ACTION_MONITOR:
		request_monitor(ibuf, cmd);
		break;
	case ACTION_LOG:
		request_number(ibuf, cmd, CTL_LOG_LEVEL);
		break;
	case ACTION_DRAIN:
		request_number(ibuf, cmd, CTL_DRAIN);
		break;
	case ACTION_TOKEN_ADD:
		request_send(ibuf, CTL_TOKEN_ADD, &cmd->token,
		    sizeof(cmd->token));
		break;
	case ACTION_TOKEN_REVOKE:
		request_send(ibuf, CTL_TOKEN_REVOKE, &cmd->token,
		    sizeof(cmd->token));
		break;
	default:
		request_send(ibuf, request_plain(cmd->action), NULL, 0);
		break;
	}
}
