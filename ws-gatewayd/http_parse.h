/*
 * What the parts of the HTTP parser share among themselves: the states, and
 * the small grammars that occur in more than one place.  The classes of
 * characters are for those, too, who read what is in a header.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include <string.h>
#include <strings.h>

#include "http.h"

/* The order counts: see http_head() and http_body(). */
enum http_state {
	/* Before the request line. */
	HTTP_S_START,
	HTTP_S_START_LF,

	/* The request line. */
	HTTP_S_METHOD,
	HTTP_S_TARGET,
	HTTP_S_STAR,
	HTTP_S_CONNECT,
	HTTP_S_SCHEME,
	HTTP_S_AUTHORITY,
	HTTP_S_PATH,
	HTTP_S_QUERY,
	HTTP_S_VERSION,

	/* The header. */
	HTTP_S_LINE_LF,
	HTTP_S_LINE,
	HTTP_S_NAME,
	HTTP_S_OWS,
	HTTP_S_VALUE,
	HTTP_S_END_LF,

	/* The head is whole: the body. */
	HTTP_S_LENGTH,
	HTTP_S_SIZE_FIRST,
	HTTP_S_SIZE,
	HTTP_S_EXT,
	HTTP_S_SIZE_LF,
	HTTP_S_DATA,
	HTTP_S_DATA_CR,
	HTTP_S_DATA_LF,
	HTTP_S_TRAILER,
	HTTP_S_TRAILER_NAME,
	HTTP_S_TRAILER_VALUE,
	HTTP_S_TRAILER_LF,
	HTTP_S_LAST_LF,
	HTTP_S_DONE,

	HTTP_S_FAILED
};

/* host [ ":" port ], RFC 3986, 3.2 */
enum http_host {
	HTTP_HOST_START,
	HTTP_HOST_NAME,
	HTTP_HOST_PCT,
	HTTP_HOST_PCT2,
	HTTP_HOST_V6,
	HTTP_HOST_V6_END,
	HTTP_HOST_COLON,
	HTTP_HOST_PORT
};

/* *( OWS ";" OWS name [ OWS "=" OWS ( token / quoted-string ) ] ) */
enum http_ext {
	HTTP_EXT_WS,
	HTTP_EXT_NAME_FIRST,
	HTTP_EXT_NAME,
	HTTP_EXT_NAME_WS,
	HTTP_EXT_VALUE_FIRST,
	HTTP_EXT_VALUE,
	HTTP_EXT_QUOTED,
	HTTP_EXT_PAIR,
	HTTP_EXT_QUOTED_END,
	HTTP_EXT_MAX
};

/* What a byte may be part of; one byte may be of several kinds. */
extern const uint8_t	 http_class[256];

#define HTTP_TOKEN	0x01		/* tchar, RFC 9110, 5.6.2 */
#define HTTP_REGNAME	0x02		/* of a host's name */
#define HTTP_PATH	0x04		/* all of a target but '?', which ends it */
#define HTTP_QUERY	0x08		/* all that a target may have */

static inline int
http_istoken(unsigned char c)
{
	return (http_class[c] & HTTP_TOKEN);
}

static inline int
http_isregname(unsigned char c)
{
	return (http_class[c] & HTTP_REGNAME);
}

/* SP or HTAB */
static inline int
http_isws(unsigned char c)
{
	return (c == ' ' || c == '\t');
}

/* A byte of a field value. */
static inline int
http_istext(unsigned char c)
{
	return (c == '\t' || (c >= 0x20 && c != 0x7f));
}

/* ASCII only, no locale. */
static inline int
http_lower(unsigned char c)
{
	return (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* Whether it is that name, in any case. */
static inline int
http_span_is(const char *head, const struct http_span *span, const char *name)
{
	return (strlen(name) == span->len &&
	    strncasecmp(head + span->off, name, span->len) == 0);
}

/* Put the parser into its error state, for good.  Returns -1. */
int		 http_fail(struct http_parser *, int status, const char *);

/* Those that take a byte return -1 when it can't stand there. */
int		 http_line_byte(struct http_parser *, const char *,
		    unsigned char);

/* After CR: only LF may follow. */
int		 http_newline(struct http_parser *, unsigned char, int next);

/* Past what of the request line changes nothing, END at most. */
uint32_t	 http_line_skip(struct http_parser *, const char *,
		    uint32_t end);

int		 http_hexdigit(unsigned char);	/* its value, or -1 */

int		 http_host_byte(int *, unsigned char);
int		 http_host_complete(int);	/* may end here, not empty */
int		 http_ext_byte(int *, unsigned char);

#endif /* HTTP_PARSE_H */
