/*
 * A message from ws-gatewayctl: announced with its lengths, sent in pieces,
 * checked as strictly as one that came over HTTP, then handed to the hub.
 */
#include <stdlib.h>
#include <string.h>

#include "control_client.h"
#include "engine.h"
#include "json.h"
#include "log.h"
#include "publish.h"
#include "utf8.h"

static const char	publisher[] = "ws-gatewayctl";

/* The pieces that are still on their way would not be understood. */
#define upload_refuse(c, ...) do {					\
	client_fail(c, CTL_ERR_REQUEST, __VA_ARGS__);			\
	client_end(c);							\
} while (0)

void
upload_begin(struct client *c, const void *data, size_t len)
{
	struct ctl_publish	*pub = &c->publish;
	uint64_t		 total;

	memcpy(pub, data, len);
	total = (uint64_t)pub->event_len + pub->payload_len;
	if (!pub->broadcast && !client_id_ok(&pub->player)) {
		upload_refuse(c, "no such identity");
		return;
	}
	if (pub->event_len == 0) {
		upload_refuse(c, "the event has no name");
		return;
	}
	if (total > engine.conf.max_body) {
		upload_refuse(c, "event and payload have %llu bytes, over the "
		    "limit of %llu", (unsigned long long)total,
		    (unsigned long long)engine.conf.max_body);
		return;
	}
	if ((c->upload = malloc(total)) == NULL) {
		log_warn("control client: message of %llu bytes",
		    (unsigned long long)total);
		upload_refuse(c, "out of memory");
		return;
	}
	c->uploaded = 0;
	c->state = CLIENT_UPLOAD;
}

static size_t
upload_size(const struct client *c)
{
	return ((size_t)c->publish.event_len + c->publish.payload_len);
}

void
upload_data(struct client *c, const void *data, size_t len)
{
	if (len == 0 || len > upload_size(c) - c->uploaded) {
		upload_refuse(c, "the message is longer than announced");
		return;
	}
	memcpy(c->upload + c->uploaded, data, len);
	c->uploaded += len;
}

/* The event as a JSON string, or NULL with the client told why not. */
static char *
upload_event(struct client *c, size_t *len)
{
	char	*event;
	size_t	 elen = c->publish.event_len;

	if (!utf8_ok(c->upload, elen)) {
		client_fail(c, CTL_ERR_REQUEST, "the event is not UTF-8");
		return (NULL);
	}
	*len = json_encode(c->upload, elen, NULL, 0);
	if ((event = malloc(*len)) == NULL) {
		log_warn("control client: event of %zu bytes", *len);
		client_fail(c, CTL_ERR_FAILED, "out of memory");
		return (NULL);
	}
	json_encode(c->upload, elen, event, *len);
	return (event);
}

static void
upload_publish(struct client *c)
{
	const struct ctl_publish	*pub = &c->publish;
	struct json_value		 v = { .raw = NULL, .len = 0 };
	struct hub_result		 res;
	const char			*error, *payload;
	char				*event;
	size_t				 at, len;

	payload = c->upload + pub->event_len;
	if (pub->payload_len > 0 && json_value(payload, pub->payload_len, &v,
	    &error, &at) == -1) {
		client_fail(c, CTL_ERR_REQUEST, "the payload is not JSON: %s "
		    "at byte %zu", error, at + 1);
		return;
	}
	if ((event = upload_event(c, &len)) == NULL)
		return;
	if (publish_room(len + v.len, pub->broadcast != 0, NULL) == -1) {
		free(event);
		client_fail(c, CTL_ERR_FAILED, "the memory budget has no room");
		return;
	}
	res = publish_message(pub->broadcast ? NULL : pub->player.id,
	    pub->broadcast ? 0 : pub->player.len, pub->broadcast != 0, event,
	    len, v.raw, v.len, publisher, sizeof(publisher) - 1);
	free(event);
	if (client_log(c, pub->broadcast ? "broadcast" : "publish")) {
		if (!pub->broadcast)
			log_bytes("player_id", pub->player.id, pub->player.len);
		log_bytes("event", c->upload, pub->event_len);
		log_int("delivered", (int64_t)res.delivered);
		log_int("queued", res.queued);
		log_end();
	}
	client_ok(c, res.delivered, (uint64_t)res.queued);
}

void
upload_end(struct client *c, const void *data, size_t len)
{
	(void)data;
	(void)len;
	if (c->uploaded < upload_size(c)) {
		upload_refuse(c, "the message is shorter than announced");
		return;
	}
	upload_publish(c);
	free(c->upload);
	c->upload = NULL;
}
