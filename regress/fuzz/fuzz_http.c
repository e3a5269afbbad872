/*
 * Fuzz the HTTP parser: a stream in one piece and the same stream in pieces
 * must give the same events, and every span must lie within what was given.
 *
 * Input: one byte that chooses the limits, one byte N, N bytes that are sizes
 * of pieces (used in turn), then the stream.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

struct events {
	char	*buf;
	size_t	 len;
	size_t	 size;
};

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct {
	uint32_t	 line;
	uint32_t	 head;
} limits[] = {
	{ 8192, 8192 },
	{ 64, 256 },
	{ 16, 24 },
	{ UINT32_MAX, UINT32_MAX }
};

static void
check(int ok, const char *what)
{
	if (!ok) {
		warnx("%s", what);
		abort();
	}
}

static void
add(struct events *e, const void *p, size_t len)
{
	if (e->size - e->len < len) {
		e->size = (e->len + len) * 2;
		if ((e->buf = realloc(e->buf, e->size)) == NULL)
			err(1, "realloc");
	}
	if (len > 0)
		memcpy(e->buf + e->len, p, len);
	e->len += len;
}

static void
add_number(struct events *e, uint64_t n)
{
	add(e, &n, sizeof(n));
}

static void
add_span(struct events *e, const struct http_parser *p,
    const struct http_span *s)
{
	check((uint32_t)s->off + s->len <= p->head_len, "span out of the head");
	add_number(e, s->off);
	add_number(e, s->len);
}

static void
add_head(struct events *e, const struct http_parser *p, const char *head)
{
	uint8_t		 out[32];
	long		 n;
	int		 i;

	check(p->minor == 0 || p->minor == 1, "minor");
	check(!(p->chunked && p->has_length), "two lengths");
	check(!p->expect_continue || p->chunked || p->length > 0, "expect");
	check(p->minor == 0 ? !p->chunked && http_count(p, head, "host") < 2 :
	    http_count(p, head, "host") == 1, "Host or coding");
	check(p->has_length == http_count(p, head, "content-length"),
	    "Content-Length");
	check(p->chunked == http_count(p, head, "transfer-encoding"),
	    "Transfer-Encoding");
	check(memchr(head, '\0', p->head_len) == NULL, "NUL in a head");
	check(memcmp(head + p->head_len - 4, "\r\n\r\n", 4) == 0, "head end");
	add_span(e, p, &p->method_name);
	add_span(e, p, &p->target);
	add_span(e, p, &p->path);
	add_span(e, p, &p->query);
	add_number(e, p->method);
	add_number(e, p->minor);
	add_number(e, p->keepalive);
	add_number(e, p->expect_continue);
	add_number(e, p->chunked);
	add_number(e, p->has_length);
	add_number(e, p->length);
	add_number(e, p->head_len);
	for (i = 0; i < p->nheaders; i++) {
		add_span(e, p, &p->headers[i].name);
		add_span(e, p, &p->headers[i].value);
	}
	add_number(e, http_has_token(p, head, "connection", "upgrade"));
	n = http_query_param(head + p->query.off, p->query.len, "t", out,
	    sizeof(out));
	check(n >= -1 && n <= p->query.len, "query parameter");
	if (n > 0)
		add(e, out, (size_t)n < sizeof(out) ? (size_t)n : sizeof(out));
}

static void
add_error(struct events *e, const struct http_parser *p, size_t at)
{
	check(p->status >= 400 && p->status <= 505, "status");
	check(p->reason != NULL, "no reason");
	add_number(e, at);
	add_number(e, p->status);
	add(e, p->reason, strlen(p->reason));
}

/* A block of exactly that size: ASan sees a read past it. */
static char *
copy(const char *s, size_t len)
{
	char		*p;

	if ((p = malloc(len > 0 ? len : 1)) == NULL)
		err(1, "malloc");
	if (len > 0)
		memcpy(p, s, len);
	return (p);
}

struct pieces {
	const uint8_t	*sizes;
	size_t		 n;
	size_t		 i;
};

static size_t
next_piece(struct pieces *c, size_t left)
{
	size_t		 n;

	if (c->n == 0)
		return (left);
	n = (size_t)c->sizes[c->i++ % c->n] + 1;
	return (n < left ? n : left);
}

static size_t
run_head(struct events *e, struct http_parser *p, const char *s, size_t len,
    struct pieces *c)
{
	enum http_result	 r;
	char			*head;
	size_t			 have = 0;

	do {
		have += next_piece(c, len - have);
		head = copy(s, have);
		r = http_head(p, head, have);
		if (r == HTTP_OK) {
			check(p->head_len <= have, "head longer than given");
			add_head(e, p, head);
		}
		free(head);
	} while (r == HTTP_AGAIN && have < len);
	add_number(e, r);
	if (r == HTTP_ERROR)
		add_error(e, p, p->pos);
	return (r == HTTP_OK ? p->head_len : 0);
}

/* Where the body ended; past the end when there is no next request. */
static size_t
run_body(struct events *e, struct http_parser *p, const char *s, size_t len,
    struct pieces *c)
{
	enum http_result	 r;
	const char		*data;
	char			*buf;
	uint64_t		 total = 0;
	size_t			 n, ndata, off = 0, used;

	for (n = 0;; n = next_piece(c, len - off)) {
		buf = copy(s + off, n);
		r = http_body(p, buf, n, &used, &data, &ndata);
		check(used <= n && ndata <= used, "more than given");
		check(ndata == 0 || (data >= buf && data + ndata <= buf + used),
		    "content out of the buffer");
		check(r != HTTP_AGAIN || ndata > 0 || used == n, "no progress");
		add(e, data, ndata);
		free(buf);
		total += ndata;
		off += used;
		if (r != HTTP_AGAIN || off == len)
			break;
	}
	check(!p->has_length || total <= p->length, "body too long");
	check(r != HTTP_OK || p->chunked || total == p->length, "body length");
	add_number(e, r);
	add_number(e, total);
	if (r == HTTP_ERROR)
		add_error(e, p, off);
	return (r == HTTP_OK ? off : len + 1);
}

static void
run(struct events *e, const char *s, size_t len, int limit, struct pieces *c)
{
	struct http_parser	 p;
	size_t			 n;

	e->len = 0;
	for (;;) {
		http_init(&p, limits[limit].line, limits[limit].head);
		if (len == 0 || (n = run_head(e, &p, s, len, c)) == 0)
			return;
		s += n;
		len -= n;
		if ((n = run_body(e, &p, s, len, c)) > len)
			return;
		s += n;
		len -= n;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t len)
{
	static struct events	 one, other;
	struct pieces		 cut, whole = { NULL, 0, 0 };
	const char		*s;
	int			 limit;

	if (len < 2 || len - 2 < in[1])
		return (0);
	limit = in[0] % 4;
	cut.n = in[1];
	cut.sizes = in + 2;
	cut.i = 0;
	s = (const char *)in + 2 + cut.n;
	len -= 2 + cut.n;
	run(&one, s, len, limit, &whole);
	run(&other, s, len, limit, &cut);
	check(one.len == other.len, "cuts give other events");
	check(one.len == 0 || memcmp(one.buf, other.buf, one.len) == 0,
	    "cuts give other events");
	return (0);
}
