/*
 * The daemon's messages into records.  The daemon may be another user's, so
 * that nothing in them is taken on trust.
 */
#include <string.h>

#include "record.h"

#define END_TEXT(a)	((a)[sizeof(a) - 1] = '\0')

static int
check_id(const struct ctl_id *id)
{
	return (id->len <= sizeof(id->id) ? 0 : -1);
}

size_t
record_len(uint32_t type)
{
	switch (type) {
	case CTL_HELLO:
		return (sizeof(struct ctl_hello));
	case CTL_OK:
		return (sizeof(struct ctl_ok));
	case CTL_FAIL:
		return (sizeof(struct ctl_fail));
	case CTL_STATS:
		return (sizeof(struct ctl_stats));
	case CTL_STORE:
		return (sizeof(struct ctl_store));
	case CTL_PLAYER:
		return (sizeof(struct ctl_player));
	case CTL_CONN:
		return (sizeof(struct ctl_conn));
	case CTL_QUEUED:
		return (sizeof(struct ctl_queued));
	case CTL_EVENT:
		return (sizeof(struct ctl_event));
	case CTL_TOKEN:
		return (sizeof(struct ctl_token_row));
	default:
		return (0);
	}
}

static int
record_check(struct record *r)
{
	switch (r->type) {
	case CTL_HELLO:
		END_TEXT(r->u.hello.build);
		return (0);
	case CTL_FAIL:
		END_TEXT(r->u.fail.text);
		return (0);
	case CTL_STATS:
		END_TEXT(r->u.stats.version);
		END_TEXT(r->u.stats.store_backend);
		END_TEXT(r->u.stats.store_error);
		return (0);
	case CTL_STORE:
		END_TEXT(r->u.store.backend);
		END_TEXT(r->u.store.error);
		END_TEXT(r->u.store.last_error);
		return (0);
	case CTL_PLAYER:
		return (check_id(&r->u.player.player));
	case CTL_CONN:
		END_TEXT(r->u.conn.address);
		return (check_id(&r->u.conn.player) == -1 ? -1 :
		    check_id(&r->u.conn.subject));
	case CTL_QUEUED:
		return (check_id(&r->u.queued.player));
	case CTL_EVENT:
		END_TEXT(r->u.event.detail);
		return (check_id(&r->u.event.player) == -1 ? -1 :
		    check_id(&r->u.event.event));
	case CTL_TOKEN:
		if (r->u.token.token_len > sizeof(r->u.token.token))
			return (-1);
		return (check_id(&r->u.token.identity) == -1 ? -1 :
		    check_id(&r->u.token.subject));
	default:
		return (0);
	}
}

int
record_read(struct record *r, struct imsg *imsg)
{
	size_t	len;

	r->type = imsg_get_type(imsg);
	r->len = imsg_get_len(imsg);
	if (r->type == CTL_LINE) {
		if (r->len > sizeof(r->u.line))
			return (-1);
		return (r->len == 0 ? 0 :
		    imsg_get_data(imsg, r->u.line, r->len));
	}
	if ((len = record_len(r->type)) == 0 ||
	    imsg_get_data(imsg, &r->u, len) == -1)
		return (-1);
	return (record_check(r));
}
