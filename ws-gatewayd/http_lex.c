/*
 * Characters of HTTP, and the small grammars that are fed byte by byte.
 */
#include "http_parse.h"

#define TARGET	(HTTP_PATH | HTTP_QUERY)
#define TOKEN	(HTTP_TOKEN | TARGET)
#define HOST	(HTTP_REGNAME | TARGET)
#define BOTH	(TOKEN | HOST)

/*
 * tchar of RFC 9110, unreserved and sub-delims of RFC 3986 for a host, but no
 * comma: no host has one, and two Host lines that somebody has joined do.
 */
const uint8_t	 http_class[256] = {
	['A' ... 'Z'] = BOTH, ['a' ... 'z'] = BOTH, ['0' ... '9'] = BOTH,
	['!'] = BOTH, ['"'] = TARGET, ['#'] = HTTP_TOKEN, ['$'] = BOTH,
	['%'] = TOKEN, ['&'] = BOTH, ['\''] = BOTH, ['('] = HOST, [')'] = HOST,
	['*'] = BOTH, ['+'] = BOTH, [','] = TARGET, ['-'] = BOTH, ['.'] = BOTH,
	['/'] = TARGET, [':'] = TARGET, [';'] = HOST, ['<'] = TARGET,
	['='] = HOST, ['>'] = TARGET, ['?'] = HTTP_QUERY, ['@'] = TARGET,
	['['] = TARGET, ['\\'] = TARGET, [']'] = TARGET, ['^'] = TOKEN,
	['_'] = BOTH, ['`'] = TOKEN, ['{'] = TARGET, ['|'] = TOKEN,
	['}'] = TARGET, ['~'] = BOTH
};

int
http_fail(struct http_parser *p, int status, const char *reason)
{
	p->state = HTTP_S_FAILED;
	p->status = status;
	p->reason = reason;
	return (-1);
}

/* CR has been seen: only LF may follow it. */
int
http_newline(struct http_parser *p, unsigned char c, int next)
{
	if (c != '\n')
		return (http_fail(p, 400, "CR without LF"));
	p->state = next;
	return (0);
}

int
http_hexdigit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (c - 'A' + 10);
	return (-1);
}

int
http_host_byte(int *state, unsigned char c)
{
	switch (*state) {
	case HTTP_HOST_START:
		if (c == '[') {
			*state = HTTP_HOST_V6;
			return (0);
		}
		if (c == ':')
			return (-1);
		*state = HTTP_HOST_NAME;
		/* FALLTHROUGH */
	case HTTP_HOST_NAME:
		if (c == '%')
			*state = HTTP_HOST_PCT;
		else if (c == ':')
			*state = HTTP_HOST_COLON;
		else if (!http_isregname(c))
			return (-1);
		return (0);
	case HTTP_HOST_PCT:
	case HTTP_HOST_PCT2:
		if (http_hexdigit(c) == -1)
			return (-1);
		*state = *state == HTTP_HOST_PCT ? HTTP_HOST_PCT2 :
		    HTTP_HOST_NAME;
		return (0);
	case HTTP_HOST_V6:
		if (c == ']')
			*state = HTTP_HOST_V6_END;
		else if (http_hexdigit(c) == -1 && c != ':' && c != '.')
			return (-1);
		return (0);
	case HTTP_HOST_V6_END:
		if (c != ':')
			return (-1);
		*state = HTTP_HOST_COLON;
		return (0);
	default:
		/* After the colon. */
		if (c < '0' || c > '9')
			return (-1);
		*state = HTTP_HOST_PORT;
		return (0);
	}
}

/* Whether a host may end here; an empty one is another question. */
int
http_host_complete(int sub)
{
	return (sub == HTTP_HOST_NAME || sub == HTTP_HOST_V6_END ||
	    sub == HTTP_HOST_COLON || sub == HTTP_HOST_PORT);
}

/* Where a name or a value has ended. */
static int
ext_next(int *state, unsigned char c, int ws)
{
	if (http_isws(c))
		*state = ws;
	else if (c == ';')
		*state = HTTP_EXT_NAME_FIRST;
	else
		return (-1);
	return (0);
}

int
http_ext_byte(int *state, unsigned char c)
{
	switch (*state) {
	case HTTP_EXT_WS:
	case HTTP_EXT_QUOTED_END:
		return (ext_next(state, c, HTTP_EXT_WS));
	case HTTP_EXT_NAME_FIRST:
		if (http_isws(c))
			return (0);
		*state = HTTP_EXT_NAME;
		return (http_istoken(c) ? 0 : -1);
	case HTTP_EXT_NAME:
		if (http_istoken(c))
			return (0);
		/* FALLTHROUGH */
	case HTTP_EXT_NAME_WS:
		if (c != '=')
			return (ext_next(state, c, HTTP_EXT_NAME_WS));
		*state = HTTP_EXT_VALUE_FIRST;
		return (0);
	case HTTP_EXT_VALUE_FIRST:
		if (http_isws(c))
			return (0);
		*state = c == '"' ? HTTP_EXT_QUOTED : HTTP_EXT_VALUE;
		return (c == '"' || http_istoken(c) ? 0 : -1);
	case HTTP_EXT_VALUE:
		if (http_istoken(c))
			return (0);
		return (ext_next(state, c, HTTP_EXT_WS));
	case HTTP_EXT_QUOTED:
		if (c == '"')
			*state = HTTP_EXT_QUOTED_END;
		else if (c == '\\')
			*state = HTTP_EXT_PAIR;
		return (http_istext(c) ? 0 : -1);
	default:
		/* After a backslash. */
		*state = HTTP_EXT_QUOTED;
		return (http_istext(c) ? 0 : -1);
	}
}
