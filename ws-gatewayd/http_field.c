/*
 * What a caller asks of a parsed head, and the names of status codes.
 */
#include <string.h>
#include <strings.h>

#include "http_parse.h"

const struct http_header *
http_next(const struct http_parser *p, const char *head, const char *name,
    const struct http_header *after)
{
	const struct http_header	*h;

	for (h = after == NULL ? p->headers : after + 1;
	    h < p->headers + p->nheaders; h++) {
		if (http_span_is(head, &h->name, name))
			return (h);
	}
	return (NULL);
}

const struct http_header *
http_find(const struct http_parser *p, const char *head, const char *name)
{
	return (http_next(p, head, name, NULL));
}

int
http_count(const struct http_parser *p, const char *head, const char *name)
{
	const struct http_header	*h = NULL;
	int				 n = 0;

	while ((h = http_next(p, head, name, h)) != NULL)
		n++;
	return (n);
}

/* Elements may be empty, and have white space around them. */
static int
list_has(const char *s, size_t len, const char *token)
{
	size_t		 elem, end, tlen;

	tlen = strlen(token);
	while (len > 0) {
		if (*s == ',' || http_isws(*s)) {
			s++;
			len--;
			continue;
		}
		for (elem = 0; elem < len && s[elem] != ','; elem++)
			continue;
		for (end = elem; http_isws(s[end - 1]); end--)
			continue;
		if (end == tlen && strncasecmp(s, token, tlen) == 0)
			return (1);
		s += elem;
		len -= elem;
	}
	return (0);
}

int
http_has_token(const struct http_parser *p, const char *head, const char *name,
    const char *token)
{
	const struct http_header	*h = NULL;

	while ((h = http_next(p, head, name, h)) != NULL) {
		if (list_has(head + h->value.off, h->value.len, token))
			return (1);
	}
	return (0);
}

const char *
http_reason(int status)
{
	static const struct {
		int		 status;
		const char	*reason;
	} reasons[] = {
		{ 100, "Continue" },
		{ 101, "Switching Protocols" },
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 301, "Moved Permanently" },
		{ 302, "Found" },
		{ 303, "See Other" },
		{ 304, "Not Modified" },
		{ 307, "Temporary Redirect" },
		{ 308, "Permanent Redirect" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 411, "Length Required" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" },
		{ 421, "Misdirected Request" },
		{ 426, "Upgrade Required" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" }
	};
	size_t		 i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].status == status)
			return (reasons[i].reason);
	}
	return ("Unknown");
}
