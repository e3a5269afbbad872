/*
 * Head of a request: the header fields (RFC 9112, 5 and 6).
 *
 * One state machine, one byte a step but where bytes mean nothing.  What a
 * field means is judged while its bytes come, so that nothing waits for the end
 * of the head but what only the whole head can tell.
 */
#include <string.h>

#include "http_parse.h"
#include "word.h"

#define MAXLENGTH	(1ULL << 53)

/* Fields that the parser itself must understand. */
enum {
	F_OTHER		= 0x00,
	F_HOST		= 0x01,
	F_LENGTH	= 0x02,
	F_CODING	= 0x04,
	F_EXPECT	= 0x08,

	/* Of Transfer-Encoding: what codings there were. */
	F_CHUNKED	= 0x10,
	F_UNKNOWN	= 0x20
};

/* States within Transfer-Encoding, besides those of enum http_ext. */
#define CODING_FIRST	(HTTP_EXT_MAX + 1)
#define CODING_NAME	(HTTP_EXT_MAX + 2)

#define CONTINUE	"100-continue"
#define CONTINUE_LEN	(sizeof(CONTINUE) - 1)

/* The colon: what field it is, and whether it may be here. */
static int
name_end(struct http_parser *p, const char *head)
{
	struct http_span	*name = &p->headers[p->nheaders].name;

	name->len = p->pos - name->off;
	p->field = F_OTHER;
	p->sub = 0;
	if (http_span_is(head, name, "Host"))
		p->field = F_HOST;
	else if (http_span_is(head, name, "Content-Length"))
		p->field = F_LENGTH;
	else if (http_span_is(head, name, "Transfer-Encoding"))
		p->field = F_CODING;
	else if (http_span_is(head, name, "Expect"))
		p->field = F_EXPECT;

	if (p->field != F_EXPECT && p->field & p->seen)
		return (http_fail(p, 400, p->field == F_HOST ?
		    "more than one Host" : p->field == F_LENGTH ?
		    "more than one Content-Length" :
		    "more than one Transfer-Encoding"));
	p->seen |= p->field;
	if ((p->seen & (F_LENGTH | F_CODING)) == (F_LENGTH | F_CODING))
		return (http_fail(p, 400,
		    "both Content-Length and Transfer-Encoding"));
	if (p->field == F_CODING) {
		if (p->minor == 0)
			return (http_fail(p, 400,
			    "Transfer-Encoding in HTTP/1.0"));
		p->sub = CODING_FIRST;
	}
	p->state = HTTP_S_OWS;
	return (0);
}

static int
host_byte(struct http_parser *p, unsigned char c)
{
	/* After the host there may be white space, and nothing after it. */
	if (http_isws(c) && http_host_complete(p->sub))
		p->mark = 1;
	else if (p->mark || http_host_byte(&p->sub, c) == -1)
		return (http_fail(p, 400, "bad Host"));
	return (0);
}

static int
length_byte(struct http_parser *p, unsigned char c)
{
	/* After the number there may be white space, and nothing after it. */
	if (http_isws(c)) {
		p->sub = 1;
		return (0);
	}
	if (p->sub != 0 || c < '0' || c > '9')
		return (http_fail(p, 400, "bad Content-Length"));
	p->has_length = 1;
	p->length = p->length * 10 + (c - '0');
	if (p->length > MAXLENGTH)
		return (http_fail(p, 400, "Content-Length too large"));
	return (0);
}

static void
coding_name_end(struct http_parser *p, const char *head)
{
	struct http_span	 name;

	name.off = p->mark;
	name.len = p->pos - p->mark;
	p->seen |= http_span_is(head, &name, "chunked") ? F_CHUNKED :
	    F_UNKNOWN;
	p->sub = HTTP_EXT_WS;
}

/*
 * A list of codings, of which we know chunked only.  Where chunked is not the
 * last one, nobody could tell the length of the body.
 */
static int
coding_byte(struct http_parser *p, const char *head, unsigned char c)
{
	switch (p->sub) {
	case CODING_FIRST:
		if (http_isws(c))
			return (0);
		if (!http_istoken(c))
			return (http_fail(p, 400, "bad Transfer-Encoding"));
		p->mark = p->pos;
		p->sub = CODING_NAME;
		return (0);
	case CODING_NAME:
		if (http_istoken(c))
			return (0);
		coding_name_end(p, head);
		break;
	}
	if (c == ',' && p->seen & F_CHUNKED)
		return (http_fail(p, 400, "chunked is not the last coding"));
	if (c == ',' && (p->sub == HTTP_EXT_WS || p->sub == HTTP_EXT_VALUE ||
	    p->sub == HTTP_EXT_QUOTED_END)) {
		p->sub = CODING_FIRST;
		return (0);
	}
	/* It takes no parameters either (RFC 9112, 7.1). */
	if (p->seen & F_CHUNKED && !http_isws(c))
		return (http_fail(p, 400, "bad Transfer-Encoding"));
	if (http_ext_byte(&p->sub, c) == -1)
		return (http_fail(p, 400, "bad Transfer-Encoding"));
	return (0);
}

static int
coding_end(struct http_parser *p, const char *head)
{
	if (p->sub == CODING_NAME)
		coding_name_end(p, head);
	if (p->sub != HTTP_EXT_WS && p->sub != HTTP_EXT_VALUE &&
	    p->sub != HTTP_EXT_QUOTED_END)
		return (http_fail(p, 400, "bad Transfer-Encoding"));
	if (p->seen & F_UNKNOWN)
		return (http_fail(p, 501, "transfer coding not supported"));
	p->chunked = 1;
	return (0);
}

static int
expect_byte(struct http_parser *p, unsigned char c)
{
	/* One past the length: in the white space after it. */
	if (http_isws(c) && p->sub >= (int)CONTINUE_LEN) {
		p->sub = CONTINUE_LEN + 1;
		return (0);
	}
	if (p->sub >= (int)CONTINUE_LEN || http_lower(c) != CONTINUE[p->sub])
		return (http_fail(p, 417, "unknown expectation"));
	p->sub++;
	return (0);
}

static int
value_byte(struct http_parser *p, const char *head, unsigned char c)
{
	struct http_span	*value = &p->headers[p->nheaders].value;

	if (!http_istext(c))
		return (http_fail(p, 400, "bad byte in a header value"));
	if (!http_isws(c))
		value->len = p->pos + 1 - value->off;
	switch (p->field) {
	case F_HOST:
		return (host_byte(p, c));
	case F_LENGTH:
		return (length_byte(p, c));
	case F_CODING:
		return (coding_byte(p, head, c));
	case F_EXPECT:
		return (expect_byte(p, c));
	}
	return (0);
}

static int
value_end(struct http_parser *p, const char *head)
{
	switch (p->field) {
	case F_HOST:
		if (p->sub != HTTP_HOST_START && !http_host_complete(p->sub))
			return (http_fail(p, 400, "bad Host"));
		break;
	case F_LENGTH:
		if (!p->has_length)
			return (http_fail(p, 400, "empty Content-Length"));
		break;
	case F_CODING:
		if (coding_end(p, head) == -1)
			return (-1);
		break;
	case F_EXPECT:
		if (p->sub < (int)CONTINUE_LEN)
			return (http_fail(p, 417, "unknown expectation"));
		break;
	}
	p->nheaders++;
	p->state = HTTP_S_LINE_LF;
	return (0);
}

/* Said as soon as it is sure: the caller's buffer may be full. */
static enum http_result
too_large(struct http_parser *p)
{
	if (p->state >= HTTP_S_METHOD && p->state <= HTTP_S_VERSION)
		http_fail(p, 414, "request line too long");
	else
		http_fail(p, 431, "request head too large");
	return (HTTP_ERROR);
}

/* What only the whole head can tell. */
static int
head_end(struct http_parser *p, const char *head)
{
	int		 closing;

	if (p->minor == 1 && !(p->seen & F_HOST))
		return (http_fail(p, 400, "no Host"));
	closing = http_has_token(p, head, "Connection", "close");
	p->keepalive = !closing && (p->minor == 1 ||
	    http_has_token(p, head, "Connection", "keep-alive"));
	p->expect_continue = p->minor == 1 && p->seen & F_EXPECT &&
	    (p->chunked || p->length > 0);
	p->head_len = p->pos + 1;
	p->left = p->length;
	p->state = p->chunked ? HTTP_S_SIZE_FIRST : p->length > 0 ?
	    HTTP_S_LENGTH : HTTP_S_DONE;
	return (0);
}

/* The first byte of a header line. */
static int
header_first(struct http_parser *p, unsigned char c)
{
	if (c == '\r') {
		p->state = HTTP_S_END_LF;
		return (0);
	}
	if (http_isws(c))
		return (http_fail(p, 400, "folded header line"));
	if (!http_istoken(c))
		return (http_fail(p, 400, "bad header name"));
	if (p->nheaders == HTTP_MAXHEADERS)
		return (http_fail(p, 431, "too many header lines"));
	p->headers[p->nheaders].name.off = p->pos;
	p->state = HTTP_S_NAME;
	return (0);
}

static int
header_byte(struct http_parser *p, const char *head, unsigned char c)
{
	switch (p->state) {
	case HTTP_S_LINE_LF:
		return (http_newline(p, c, HTTP_S_LINE));
	case HTTP_S_LINE:
		return (header_first(p, c));
	case HTTP_S_NAME:
		if (c == ':')
			return (name_end(p, head));
		if (http_isws(c))
			return (http_fail(p, 400,
			    "white space before the colon"));
		if (!http_istoken(c))
			return (http_fail(p, 400, "bad header name"));
		return (0);
	case HTTP_S_OWS:
		if (http_isws(c))
			return (0);
		p->headers[p->nheaders].value.off = p->pos;
		p->headers[p->nheaders].value.len = 0;
		p->mark = 0;
		p->state = HTTP_S_VALUE;
		/* FALLTHROUGH */
	case HTTP_S_VALUE:
		if (c == '\r')
			return (value_end(p, head));
		return (value_byte(p, head, c));
	default:
		if (c != '\n')
			return (http_fail(p, 400, "CR without LF"));
		return (head_end(p, head));
	}
}

void
http_init(struct http_parser *p, uint32_t maxline, uint32_t maxhead)
{
	memset(p, 0, offsetof(struct http_parser, headers));
	p->maxline = maxline < HTTP_MAXHEAD ? maxline : HTTP_MAXHEAD;
	p->maxhead = maxhead < HTTP_MAXHEAD ? maxhead : HTTP_MAXHEAD;
}

/* A host's name, once it has begun. */
static uint32_t
skip_host(struct http_parser *p, const char *head, uint32_t end)
{
	struct http_span	*value = &p->headers[p->nheaders].value;
	uint32_t		 pos = p->pos;

	if (p->sub != HTTP_HOST_NAME || p->mark)
		return (pos);
	while (pos < end && http_isregname((unsigned char)head[pos]))
		pos++;
	value->len = (uint16_t)(pos - value->off);
	return (pos);
}

/* Marks the bytes that no field value has, and the tab. */
static uint64_t
special(uint64_t word)
{
	return (word_below(word, 0x20) | word_equal(word, 0x7f));
}

/* A value that is not judged; white space at its end is no part of it. */
static uint32_t
skip_value(struct http_span *value, const char *head, uint32_t pos,
    uint32_t end)
{
	uint64_t	 marks = 0;
	uint32_t	 text, from = pos;

	while (marks == 0 && end - pos >= sizeof(marks)) {
		marks = special(word_load(head + pos));
		pos += marks == 0 ? (uint32_t)sizeof(marks) :
		    word_first(marks);
	}
	while (pos < end && http_istext((unsigned char)head[pos]))
		pos++;
	for (text = pos; text > from; text--)
		if (!http_isws((unsigned char)head[text - 1])) {
			value->len = (uint16_t)(text - value->off);
			break;
		}
	return (pos);
}

/*
 * Most bytes of a head change nothing: those of targets, names and hosts, and
 * of values that are not judged.  END is where the bytes, or what they may be,
 * end.
 */
static uint32_t
skip_run(struct http_parser *p, const char *head, uint32_t end)
{
	uint32_t	 pos = p->pos;

	if (p->state < HTTP_S_LINE_LF)
		return (http_line_skip(p, head, end));
	switch (p->state) {
	case HTTP_S_NAME:
		while (pos < end && http_istoken((unsigned char)head[pos]))
			pos++;
		return (pos);
	case HTTP_S_VALUE:
		if (p->field == F_OTHER)
			return (skip_value(&p->headers[p->nheaders].value,
			    head, pos, end));
		if (p->field == F_HOST)
			return (skip_host(p, head, end));
		return (pos);
	default:
		return (pos);
	}
}

enum http_result
http_head(struct http_parser *p, const char *head, size_t len)
{
	uint32_t	 end = len < p->maxhead ? (uint32_t)len : p->maxhead;
	int		 error;

	if (p->state == HTTP_S_FAILED)
		return (HTTP_ERROR);
	while (p->state < HTTP_S_LENGTH) {
		p->pos = skip_run(p, head, end);
		if (p->pos >= p->maxhead)
			return (too_large(p));
		if (p->pos >= len)
			return (HTTP_AGAIN);
		if (p->state < HTTP_S_LINE_LF)
			error = http_line_byte(p, head, head[p->pos]);
		else
			error = header_byte(p, head, head[p->pos]);
		if (error == -1)
			return (HTTP_ERROR);
		p->pos++;
	}
	return (HTTP_OK);
}
