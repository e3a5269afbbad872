/*
 * In the place of ws-gatewayd's session_data.c, for the tests of the protocol:
 * a player's messages come back to it, each as one unfragmented frame, and
 * compressed if it came so.
 */
#include <sys/types.h>
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "frame.h"
#include "log.h"
#include "metrics.h"

/* A message that has begun; the parser bounds its length. */
struct message {
	LIST_ENTRY(message)	 entry;
	uint64_t		 id;		/* of the connection */
	uint8_t			*data;
	size_t			 len;
	size_t			 size;		/* of what is allocated */
};

static LIST_HEAD(, message)	 messages = LIST_HEAD_INITIALIZER(messages);

static void
message_free(struct message *m)
{
	LIST_REMOVE(m, entry);
	free(m->data);
	free(m);
}

/* A connection that went amid a message has left its pieces here. */
static void
messages_clean(void)
{
	struct message	*m, *next;

	for (m = LIST_FIRST(&messages); m != NULL; m = next) {
		next = LIST_NEXT(m, entry);
		if (conn_by_id(m->id) == NULL)
			message_free(m);
	}
}

static struct message *
message_of(const struct conn *c)
{
	struct message	*m;

	LIST_FOREACH(m, &messages, entry) {
		if (m->id == c->id)
			return (m);
	}
	messages_clean();
	if ((m = calloc(1, sizeof(*m))) == NULL)
		fatal("message");
	m->id = c->id;
	LIST_INSERT_HEAD(&messages, m, entry);
	return (m);
}

static void
message_append(struct message *m, const uint8_t *data, size_t len)
{
	if (len == 0)
		return;
	if (m->len + len > m->size) {
		m->size = 2 * m->size + len;
		if ((m->data = realloc(m->data, m->size)) == NULL)
			fatal("message of %zu bytes", m->size);
	}
	memcpy(m->data + m->len, data, len);
	m->len += len;
}

void
session_data(struct conn *c, const struct ws_parser *ws)
{
	struct message	*m = message_of(c);
	struct frame	*f;

	message_append(m, ws->data, ws->len);
	if (!ws->fin)
		return;
	c->received++;
	metrics.received++;
	f = frame_control(ws->opcode, m->data, m->len);
	message_free(m);
	if (ws->compressed)
		frame_deflate(f);
	if (c->state == CONN_WS)
		conn_send(c, f, 0);
	frame_unref(f);
}
