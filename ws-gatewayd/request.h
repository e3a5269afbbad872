/*
 * An HTTP request in progress, from its first byte to the end of its body.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "http.h"
#include "metrics.h"
#include "network.h"
#include "proc.h"
#include "ws.h"
#include "ws_extension.h"

struct conn;
struct request;

enum request_phase {
	REQUEST_HEAD,
	REQUEST_LOOKUP,		/* awaits the store; the connection is paused */
	REQUEST_BODY
};

/* What answers at a path. */
struct endpoint {
	const char	*path;
	int		 role;		/* of a listener that has it */
	/* The head is whole: answer, or ask for the body by request_body(). */
	void		(*head)(struct conn *, struct request *,
			    const char *head);
	/* The body is whole. */
	void		(*body)(struct conn *, struct request *,
			    const char *body, size_t len);
};

struct request {
	enum request_phase	 phase;
	const struct endpoint	*endpoint;
	uint8_t			 answered;	/* what is left is discarded */
	uint8_t			 continued;	/* 100 was sent */
	char			*body;		/* as far as it was kept */
	size_t			 nbody;
	size_t			 body_size;
	uint64_t		 discarded;
	struct conn_addr	 client;	/* by a proxy; AF_UNSPEC: none */

	uint8_t			 token_len;	/* or TOKEN_TOO_LONG */
	uint8_t			 token[TOKEN_MAX];

	/* handshake.c: what the head said, until the token is known */
	int			 refuse;	/* enum refuse_reason, or -1 */
	uint8_t			 handshake;	/* counted as in progress */
	uint8_t			 bearer;	/* select that subprotocol */
	char			 accept[WS_ACCEPTLEN];
	struct ws_deflate	 deflate;

	/* publish.c: the server whose token was good */
	uint8_t			 subject_len;
	uint8_t			 subject[SUBJECT_MAX];

	struct http_parser	 http;
};

/* The endpoint of a path on a listener of those ROLES, or NULL. */
const struct endpoint *endpoint_find(const char *path, size_t len, int roles);

/* Accept the body: a 100 goes out when it is awaited. */
void	request_body(struct conn *, struct request *);
/* Look the request's token up; DONE finds the request in c->req. */
void	request_lookup(struct conn *, enum token_kind,
	    void (*done)(struct conn *, enum store_status,
	    const struct store_result *));
/* Back from a lookup: what was read meanwhile is looked at. */
void	request_continue(struct conn *);

/*
 * The token of an "Authorization: Bearer TOKEN" header; returns 0 when there is
 * none.  One over TOKEN_MAX gives the length TOKEN_TOO_LONG.
 */
#define TOKEN_TOO_LONG	(TOKEN_MAX + 1)
int	request_bearer(struct request *, const char *head);
/* Remember a token, or that it is too long. */
void	request_token(struct request *, const void *, size_t);

/*
 * reply.c: the answer to the request in progress, once.  EXTRA are whole
 * header lines or "".  Every answer but the last one of a connection leaves it
 * open for the next request.
 */
void	reply(struct conn *, int status, const char *type, const char *extra,
	    const void *body, size_t len);
/* A line of text, counted as a refusal. */
void	reply_refuse(struct conn *, enum refuse_reason);
/* The same with a line of its own. */
void	reply_refuse_text(struct conn *, enum refuse_reason, const char *text);
/* 429 with Retry-After. */
void	reply_rate(struct conn *, unsigned seconds);
/* What can't be read on: counted under its reason, STATUS and a line, the end. */
void	reply_error(struct conn *, enum refuse_reason, int status,
	    const char *text);
/* 101: from now on it is a WebSocket. */
void	reply_upgrade(struct conn *, const struct request *);

/* handshake.c, publish.c */
void	handshake_head(struct conn *, struct request *, const char *);
void	publish_head(struct conn *, struct request *, const char *);
void	publish_body(struct conn *, struct request *, const char *, size_t);
void	broadcast_body(struct conn *, struct request *, const char *, size_t);

#endif /* REQUEST_H */
