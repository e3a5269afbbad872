/*
 * HTTP/1.1 request parser (RFC 9110, RFC 9112): bytes in, events out.
 *
 * No I/O, no clock, no allocation.  The caller owns every byte; the parser
 * keeps offsets.  A request is parsed in two steps: http_head() until the
 * head is whole, then http_body() until the body is.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stddef.h>
#include <stdint.h>

#define HTTP_MAXHEADERS	64		/* header lines of one request */
#define HTTP_MAXHEAD	65535		/* what a limit may be set to */

enum http_result {
	HTTP_AGAIN,			/* needs more bytes */
	HTTP_OK,			/* the head, or the body, is whole */
	HTTP_ERROR			/* see status and reason; must close */
};

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_OTHER			/* any other token */
};

/* A part of the head: offset from its first byte, and length. */
struct http_span {
	uint16_t	off;
	uint16_t	len;
};

struct http_header {
	struct http_span	name;
	struct http_span	value;	/* without the white space around it */
};

struct http_parser {
	/* Set by http_init(). */
	uint32_t		 maxline;	/* request line, bytes */
	uint32_t		 maxhead;	/* whole head, bytes */

	/* Results; those of the head are valid after HTTP_OK. */
	enum http_method	 method;
	struct http_span	 method_name;
	struct http_span	 target;	/* as sent */

	/*
	 * Of the target, without the query.  Empty where the target has none
	 * (http://host), which means "/"; the whole target of CONNECT, and of
	 * "OPTIONS *".
	 */
	struct http_span	 path;
	struct http_span	 query;		/* after '?', may be empty */
	int			 minor;		/* HTTP/1.minor: 0 or 1 */
	int			 keepalive;
	int			 expect_continue;
	int			 chunked;
	int			 has_length;
	uint64_t		 length;	/* Content-Length or 0 */
	uint32_t		 head_len;	/* with the empty line */
	int			 nheaders;

	/* After HTTP_ERROR. */
	int			 status;	/* 400, 414, 431, 501, ... */
	const char		*reason;	/* one line, static */

	/* The parser's own. */
	int			 state;
	uint32_t		 pos;		/* head bytes looked at */
	uint32_t		 mark;
	uint64_t		 left;		/* of the body or the chunk */
	uint32_t		 nline;		/* chunk line or trailer */
	int			 trailers;
	int			 field;		/* what the header line is */
	int			 seen;		/* those that were before it */
	int			 sub;		/* state within a value */

	struct http_header	 headers[HTTP_MAXHEADERS];	/* results */
};

/* Get ready for a new request; limits in bytes, at most HTTP_MAXHEAD. */
void		 http_init(struct http_parser *, uint32_t maxline,
		    uint32_t maxhead);

/*
 * Parse the head.  HEAD points to its first byte, LEN counts all of its bytes
 * that have come so far: call again with the same bytes and more.  Bytes
 * already looked at are not looked at again.  An error is found at the first
 * byte that can't be right.  HTTP_OK: head_len bytes were the head, what
 * follows is body.  Empty lines before the request line are part of the head
 * (RFC 9112, 2.2) and bounded.
 */
enum http_result http_head(struct http_parser *, const char *head, size_t len);

/*
 * Take body bytes.  *USED says how many bytes of BUF were consumed, DATA and
 * NDATA what of them was content (a span of BUF, possibly empty).  HTTP_AGAIN
 * with NDATA > 0 may leave bytes unused: call again with the rest.  HTTP_OK:
 * the body ended after *USED bytes (content may come with it).  To be called
 * also with LEN 0: a request without a body is HTTP_OK at once.
 */
enum http_result http_body(struct http_parser *, const char *buf, size_t len,
		    size_t *used, const char **data, size_t *ndata);

/*
 * The next header of that name (any case) behind AFTER, or the first when that
 * is NULL; NULL when there is none.
 */
const struct http_header *
		 http_next(const struct http_parser *, const char *head,
		    const char *name, const struct http_header *after);

/* The first header of that name, or NULL. */
const struct http_header *
		 http_find(const struct http_parser *, const char *head,
		    const char *name);

/* How many headers have that name. */
int		 http_count(const struct http_parser *, const char *head,
		    const char *name);

/*
 * Whether a comma-separated list header (all lines of that name) holds the
 * token, in any case: "Connection: keep-alive, Upgrade".
 */
int		 http_has_token(const struct http_parser *, const char *head,
		    const char *name, const char *token);

/*
 * The first parameter NAME of an application/x-www-form-urlencoded query,
 * decoded ('+' is a space, %00 is a byte like others; a '%' without two hex
 * digits stands for itself) into OUT.  Returns its full decoded length, which
 * may exceed OUTSIZE (then only OUTSIZE bytes were written, no NUL is added),
 * or -1 when there is no such parameter.
 */
long		 http_query_param(const char *query, size_t len,
		    const char *name, uint8_t *out, size_t outsize);

/* The standard reason phrase of a status code. */
const char	*http_reason(int status);

#endif /* HTTP_H */
