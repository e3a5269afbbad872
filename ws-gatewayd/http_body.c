/*
 * Body of a request: by Content-Length or chunked (RFC 9112, 6 and 7.1).
 */
#include "http_parse.h"

#define MAXSIZE		16		/* digits of a chunk size */
#define MAXCHUNKLINE	256		/* bytes, without CRLF */
#define MAXTRAILERS	16		/* lines */
#define MAXTRAILER	8192		/* bytes, with the empty line */

static int
size_first(struct http_parser *p, unsigned char c)
{
	int		 digit;

	if ((digit = http_hexdigit(c)) == -1)
		return (http_fail(p, 400, "bad chunk size"));
	p->left = digit;
	p->nline = 1;
	p->state = HTTP_S_SIZE;
	return (0);
}

static int
size_byte(struct http_parser *p, unsigned char c)
{
	int		 digit;

	if (c == '\r') {
		p->state = HTTP_S_SIZE_LF;
		return (0);
	}
	p->nline++;
	if ((digit = http_hexdigit(c)) != -1) {
		if (p->nline > MAXSIZE)
			return (http_fail(p, 400, "chunk size too long"));
		p->left = p->left << 4 | digit;
		return (0);
	}
	p->sub = HTTP_EXT_WS;
	p->state = HTTP_S_EXT;
	if (http_ext_byte(&p->sub, c) == -1)
		return (http_fail(p, 400, "bad chunk size"));
	return (0);
}

static int
ext_byte(struct http_parser *p, unsigned char c)
{
	if (c == '\r') {
		if (p->sub != HTTP_EXT_NAME && p->sub != HTTP_EXT_VALUE &&
		    p->sub != HTTP_EXT_QUOTED_END)
			return (http_fail(p, 400, "bad chunk extension"));
		p->state = HTTP_S_SIZE_LF;
		return (0);
	}
	if (++p->nline > MAXCHUNKLINE)
		return (http_fail(p, 400, "chunk extension too long"));
	if (http_ext_byte(&p->sub, c) == -1)
		return (http_fail(p, 400, "bad chunk extension"));
	return (0);
}

static int
chunk_byte(struct http_parser *p, unsigned char c)
{
	switch (p->state) {
	case HTTP_S_SIZE_FIRST:
		return (size_first(p, c));
	case HTTP_S_SIZE:
		return (size_byte(p, c));
	case HTTP_S_EXT:
		return (ext_byte(p, c));
	case HTTP_S_SIZE_LF:
		p->nline = 0;
		return (http_newline(p, c, p->left == 0 ? HTTP_S_TRAILER :
		    HTTP_S_DATA));
	case HTTP_S_DATA_CR:
		if (c != '\r')
			return (http_fail(p, 400, "no CRLF after a chunk"));
		p->state = HTTP_S_DATA_LF;
		return (0);
	default:
		return (http_newline(p, c, HTTP_S_SIZE_FIRST));
	}
}

/* Trailer fields must be well-formed, and mean nothing here. */
static int
trailer_byte(struct http_parser *p, unsigned char c)
{
	if (++p->nline > MAXTRAILER)
		return (http_fail(p, 431, "trailer too large"));
	switch (p->state) {
	case HTTP_S_TRAILER:
		if (c == '\r') {
			p->state = HTTP_S_LAST_LF;
			return (0);
		}
		if (!http_istoken(c))
			return (http_fail(p, 400, "bad trailer name"));
		if (++p->trailers > MAXTRAILERS)
			return (http_fail(p, 431, "too many trailer lines"));
		p->state = HTTP_S_TRAILER_NAME;
		return (0);
	case HTTP_S_TRAILER_NAME:
		if (c == ':')
			p->state = HTTP_S_TRAILER_VALUE;
		else if (!http_istoken(c))
			return (http_fail(p, 400, "bad trailer name"));
		return (0);
	case HTTP_S_TRAILER_VALUE:
		if (c == '\r')
			p->state = HTTP_S_TRAILER_LF;
		else if (!http_istext(c))
			return (http_fail(p, 400, "bad trailer value"));
		return (0);
	case HTTP_S_TRAILER_LF:
		return (http_newline(p, c, HTTP_S_TRAILER));
	default:
		return (http_newline(p, c, HTTP_S_DONE));
	}
}

/* As much content as there is; what follows it is left to the next call. */
static size_t
content(struct http_parser *p, size_t len)
{
	size_t		 n;

	n = p->left < len ? (size_t)p->left : len;
	p->left -= n;
	if (p->left == 0)
		p->state = p->state == HTTP_S_LENGTH ? HTTP_S_DONE :
		    HTTP_S_DATA_CR;
	return (n);
}

enum http_result
http_body(struct http_parser *p, const char *buf, size_t len, size_t *used,
    const char **data, size_t *ndata)
{
	size_t		 i = 0;
	int		 error;

	*used = 0;
	*data = buf;
	*ndata = 0;
	if (p->state == HTTP_S_FAILED)
		return (HTTP_ERROR);
	if (p->state < HTTP_S_LENGTH) {
		http_fail(p, 500, "body asked for before the head");
		return (HTTP_ERROR);
	}
	while (i < len && p->state != HTTP_S_DONE) {
		if (p->state == HTTP_S_LENGTH || p->state == HTTP_S_DATA) {
			*data = buf + i;
			*ndata = content(p, len - i);
			i += *ndata;
			break;
		}
		if (p->state < HTTP_S_TRAILER)
			error = chunk_byte(p, buf[i]);
		else
			error = trailer_byte(p, buf[i]);
		if (error == -1) {
			*used = i;
			return (HTTP_ERROR);
		}
		i++;
	}
	*used = i;
	return (p->state == HTTP_S_DONE ? HTTP_OK : HTTP_AGAIN);
}
