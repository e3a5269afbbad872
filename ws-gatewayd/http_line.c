/*
 * Request line: method, target, version (RFC 9112, 3).
 */
#include <string.h>

#include "http_parse.h"

#define MAXEMPTY	4		/* empty lines before it */
#define MAXMETHOD	32

static int
span_is(const char *head, const struct http_span *span, const char *s)
{
	return (strlen(s) == span->len &&
	    memcmp(head + span->off, s, span->len) == 0);
}

static int
start_byte(struct http_parser *p, unsigned char c)
{
	if (p->state == HTTP_S_START_LF)
		return (http_newline(p, c, HTTP_S_START));
	if (c == '\r' && p->nline < MAXEMPTY) {
		p->nline++;
		p->state = HTTP_S_START_LF;
		return (0);
	}
	if (!http_istoken(c))
		return (http_fail(p, 400, "bad method"));
	p->method_name.off = p->pos;
	p->state = HTTP_S_METHOD;
	return (0);
}

static int
method_byte(struct http_parser *p, const char *head, unsigned char c)
{
	struct http_span	*m = &p->method_name;

	if (http_istoken(c)) {
		if (p->pos - m->off >= MAXMETHOD)
			return (http_fail(p, 501, "method too long"));
		return (0);
	}
	if (c != ' ')
		return (http_fail(p, 400, "bad method"));
	m->len = p->pos - m->off;
	if (span_is(head, m, "GET"))
		p->method = HTTP_GET;
	else if (span_is(head, m, "HEAD"))
		p->method = HTTP_HEAD;
	else if (span_is(head, m, "POST"))
		p->method = HTTP_POST;
	else
		p->method = HTTP_OTHER;
	p->state = HTTP_S_TARGET;
	return (0);
}

/* The space after the target. */
static int
target_end(struct http_parser *p)
{
	p->target.len = p->pos - p->target.off;
	switch (p->state) {
	case HTTP_S_STAR:
	case HTTP_S_CONNECT:
		p->path = p->target;
		break;
	case HTTP_S_PATH:
		p->path.len = p->pos - p->path.off;
		break;
	case HTTP_S_QUERY:
		p->query.len = p->pos - p->query.off;
		break;
	default:
		p->path.off = p->pos;
		break;
	}
	if (p->state != HTTP_S_QUERY)
		p->query.off = p->pos;
	p->state = HTTP_S_VERSION;
	p->sub = 0;
	return (0);
}

/* The first byte of the target tells its form (RFC 9112, 3.2). */
static int
target_first(struct http_parser *p, const char *head, unsigned char c)
{
	p->target.off = p->path.off = p->pos;
	p->sub = 0;
	if (span_is(head, &p->method_name, "CONNECT")) {
		p->state = HTTP_S_CONNECT;
		if (http_host_byte(&p->sub, c) == 0)
			return (0);
	} else if (c == '/') {
		p->state = HTTP_S_PATH;
		return (0);
	} else if (c == '*' && span_is(head, &p->method_name, "OPTIONS")) {
		p->state = HTTP_S_STAR;
		return (0);
	} else if (http_lower(c) == 'h') {
		p->state = HTTP_S_SCHEME;
		p->sub = 1;
		return (0);
	}
	return (http_fail(p, 400, "bad request target"));
}

static int
scheme_byte(struct http_parser *p, unsigned char c)
{
	static const char	 scheme[] = "https://";

	if (p->sub == 4 && c == ':')
		p->sub++;
	if (http_lower(c) != scheme[p->sub])
		return (http_fail(p, 400, "bad request target"));
	if (scheme[++p->sub] == '\0') {
		p->state = HTTP_S_AUTHORITY;
		p->sub = HTTP_HOST_START;
	}
	return (0);
}

static int
authority_byte(struct http_parser *p, unsigned char c)
{
	if (p->state == HTTP_S_CONNECT) {
		if (c == ' ' && p->sub == HTTP_HOST_PORT)
			return (target_end(p));
	} else if (http_host_complete(p->sub)) {
		switch (c) {
		case ' ':
			return (target_end(p));
		case '/':
		case '?':
			p->path.off = p->pos;
			p->query.off = p->pos + 1;
			p->state = c == '/' ? HTTP_S_PATH : HTTP_S_QUERY;
			return (0);
		}
	}
	if (http_host_byte(&p->sub, c) == -1)
		return (http_fail(p, 400, "bad host in the request target"));
	return (0);
}

static int
target_byte(struct http_parser *p, const char *head, unsigned char c)
{
	if (c != ' ' && !(http_class[c] & HTTP_QUERY))
		return (http_fail(p, 400, "bad byte in the request target"));
	switch (p->state) {
	case HTTP_S_TARGET:
		return (target_first(p, head, c));
	case HTTP_S_STAR:
		if (c == ' ')
			return (target_end(p));
		return (http_fail(p, 400, "bad request target"));
	case HTTP_S_SCHEME:
		return (scheme_byte(p, c));
	case HTTP_S_CONNECT:
	case HTTP_S_AUTHORITY:
		return (authority_byte(p, c));
	}
	if (c == ' ')
		return (target_end(p));
	if (c == '?' && p->state == HTTP_S_PATH) {
		p->path.len = p->pos - p->path.off;
		p->query.off = p->pos + 1;
		p->state = HTTP_S_QUERY;
	}
	return (0);
}

static int
version_byte(struct http_parser *p, unsigned char c)
{
	static const char	 version[] = "HTTP/0.0\r";

	if (version[p->sub] == '0' ? c < '0' || c > '9' :
	    c != (unsigned char)version[p->sub])
		return (http_fail(p, 400, "bad HTTP version"));
	switch (p->sub++) {
	case 5:
		p->mark = c - '0';
		break;
	case 7:
		p->minor = c - '0';
		break;
	case 8:
		if (p->mark != 1 || p->minor > 1)
			return (http_fail(p, 505,
			    "HTTP version not supported"));
		p->state = HTTP_S_LINE_LF;
		break;
	}
	return (0);
}

/* The version that nearly everybody speaks. */
static uint32_t
version_skip(struct http_parser *p, const char *head, uint32_t end)
{
	static const char	 version[] = "HTTP/1.1";
	uint32_t		 len = sizeof(version) - 1;

	if (p->sub != 0 || p->pos + len > end ||
	    memcmp(head + p->pos, version, len) != 0)
		return (p->pos);
	p->mark = p->minor = 1;
	p->sub = (int)len;
	return (p->pos + len);
}

uint32_t
http_line_skip(struct http_parser *p, const char *head, uint32_t end)
{
	uint32_t	 most = p->method_name.off + p->maxline, pos = p->pos;
	uint8_t		 class;

	if (end > most)
		end = most;
	switch (p->state) {
	case HTTP_S_PATH:
		class = HTTP_PATH;
		break;
	case HTTP_S_QUERY:
		class = HTTP_QUERY;
		break;
	case HTTP_S_VERSION:
		return (version_skip(p, head, end));
	default:
		return (pos);
	}
	while (pos < end && http_class[(unsigned char)head[pos]] & class)
		pos++;
	return (pos);
}

int
http_line_byte(struct http_parser *p, const char *head, unsigned char c)
{
	switch (p->state) {
	case HTTP_S_START:
	case HTTP_S_START_LF:
		return (start_byte(p, c));
	}
	if (p->pos - p->method_name.off >= p->maxline && c != '\r')
		return (http_fail(p, 414, "request line too long"));
	switch (p->state) {
	case HTTP_S_METHOD:
		return (method_byte(p, head, c));
	case HTTP_S_VERSION:
		return (version_byte(p, c));
	default:
		return (target_byte(p, head, c));
	}
}
