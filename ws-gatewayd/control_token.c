/*
 * Requests about tokens: the store carries them out, and its answers find the
 * client by number, if it is still there.
 */
#include <sys/queue.h>

#include <string.h>

#include "control_client.h"
#include "engine.h"
#include "log.h"

#define LIST_MAX	65536	/* rows that wait for a client to read */

static void
token_ask(struct client *c, uint32_t type, struct token_request *req,
    size_t len)
{
	req->id = client_wait(c);
	ipc_send(&engine.store, type, req->id, -1, req, len);
}

static int
token_read(struct client *c, struct token_request *req, const void *data,
    size_t len)
{
	struct ctl_token	token;

	memset(req, 0, sizeof(*req));
	memcpy(&token, data, len);
	if (token.len == 0 || token.len > sizeof(req->value) ||
	    token.kind > TOKEN_SERVER || token.by > TOKEN_BY_SERVER) {
		client_fail(c, CTL_ERR_REQUEST, "not a request about tokens");
		return (-1);
	}
	req->kind = (uint8_t)token.kind;
	req->by = (uint8_t)token.by;
	req->len = (uint8_t)token.len;
	memcpy(req->value, token.value, token.len);
	if (token.ttl > INT64_MAX) {
		client_fail(c, CTL_ERR_REQUEST, "too long a time to live");
		return (-1);
	}
	req->ttl = (int64_t)token.ttl;
	explicit_bzero(&token, sizeof(token));
	return (0);
}

void
token_add(struct client *c, const void *data, size_t len)
{
	struct token_request	req;

	if (token_read(c, &req, data, len) == -1)
		return;
	if (req.ttl == 0) {
		client_fail(c, CTL_ERR_REQUEST, "no time to live");
		return;
	}
	if (client_log(c, "token add")) {
		log_bytes(req.kind == TOKEN_PLAYER ? "player_id" :
		    "subject_id", req.value, req.len);
		log_end();
	}
	token_ask(c, IMSG_STORE_TOKEN_ADD, &req, sizeof(req));
}

void
token_list(struct client *c, const void *data, size_t len)
{
	struct token_request	req;

	(void)data;
	(void)len;
	memset(&req, 0, sizeof(req));
	token_ask(c, IMSG_STORE_TOKEN_LIST, &req, 0);
}

void
token_revoke(struct client *c, const void *data, size_t len)
{
	struct token_request	req;

	if (token_read(c, &req, data, len) == -1)
		return;
	/* The log never gets a token. */
	if (client_log(c, "token revoke")) {
		if (req.by != TOKEN_BY_TOKEN)
			log_bytes(req.by == TOKEN_BY_PLAYER ? "player_id" :
			    "subject_id", req.value, req.len);
		log_end();
	}
	token_ask(c, IMSG_STORE_TOKEN_REVOKE, &req, sizeof(req));
	explicit_bzero(&req, sizeof(req));
}

void
control_token(const struct token_row *row)
{
	struct ctl_token_row	 rec;
	struct client		*c;

	if ((c = client_waiting(row->id)) == NULL)
		return;
	/* The store can't be told to wait. */
	if (client_queued(c) >= LIST_MAX) {
		client_fail(c, CTL_ERR_FAILED, "the list was read too slowly");
		client_end(c);
		return;
	}
	memset(&rec, 0, sizeof(rec));
	rec.kind = row->kind;
	rec.token_len = row->token_len < sizeof(rec.token) ? row->token_len :
	    sizeof(rec.token);
	memcpy(rec.token, row->token, rec.token_len);
	client_set_id(&rec.identity, row->identity, row->identity_len <
	    sizeof(row->identity) ? row->identity_len : sizeof(row->identity));
	client_set_id(&rec.subject, row->subject, row->subject_len <
	    sizeof(row->subject) ? row->subject_len : sizeof(row->subject));
	rec.ttl = row->ttl;
	client_send(c, CTL_TOKEN, &rec, sizeof(rec));
	explicit_bzero(&rec, sizeof(rec));
}

void
control_done(const struct token_done *done)
{
	struct client	*c;

	if ((c = client_waiting(done->id)) == NULL)
		return;
	if (done->error[0] != '\0')
		client_fail(c, CTL_ERR_FAILED, "%.*s",
		    (int)sizeof(done->error), done->error);
	else if (done->count == 0 && c->request == CTL_TOKEN_REVOKE)
		client_fail(c, CTL_ERR_NOTFOUND, "no such token");
	else
		client_ok(c, done->count, 0);
}

/* What became of it nobody knows. */
void
control_store_changed(void)
{
	struct client	*c;

	TAILQ_FOREACH(c, &control_clients, entry) {
		if (c->state == CLIENT_WAITING && c->request != CTL_RELOAD)
			client_fail(c, CTL_ERR_FAILED, "a reload has changed "
			    "the database meanwhile: ask again");
	}
}
