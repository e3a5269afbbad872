/*
 * The HTTP parser by tables.  Each input runs in one piece, byte by byte and
 * in random cuts, and must come out the same; each refusal must come at the
 * first byte that can't be right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "random.h"

#define MAXLINE		512
#define MAXHEAD		4096
#define CUTS		50
#define TRACE		262144

/* What the parser said, as text: two runs are compared by it. */
struct trace {
	char	 buf[TRACE];
	size_t	 len;
};

/* How much of the input the parser is shown at a time. */
enum plan { WHOLE, BYTES, RANDOM };

static struct trace	one, other;

static size_t
next_piece(enum plan plan, size_t left)
{
	size_t		 n;

	switch (plan) {
	case BYTES:
		return (1);
	case RANDOM:
		/* Few and large ones as well as many and small ones. */
		n = 1 + random32() % (1U << (1 + random32() % 9));
		return (n < left ? n : left);
	default:
		return (left);
	}
}

static void
put(struct trace *t, const char *s, size_t len)
{
	assert_true(len <= sizeof(t->buf) - t->len - 1);
	memcpy(t->buf + t->len, s, len);
	t->len += len;
	t->buf[t->len] = '\0';
}

static void __attribute__((__format__(printf, 2, 3)))
putf(struct trace *t, const char *fmt, ...)
{
	char		 buf[128];
	va_list		 ap;
	int		 n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	assert_in_range(n, 0, sizeof(buf) - 1);
	put(t, buf, n);
}

static void
put_span(struct trace *t, const struct http_parser *p, const char *head,
    const struct http_span *s)
{
	assert_true((uint32_t)s->off + s->len <= p->head_len);
	put(t, head + s->off, s->len);
}

/* METHOD path|query minor flags name=value ... */
static void
put_head(struct trace *t, const struct http_parser *p, const char *head)
{
	int		 i;

	put_span(t, p, head, &p->method_name);
	putf(t, "%d ", p->method);
	put_span(t, p, head, &p->path);
	put(t, "|", 1);
	put_span(t, p, head, &p->query);
	putf(t, " %d %s%s", p->minor, p->keepalive ? "keep" : "close",
	    p->expect_continue ? " expect" : "");
	if (p->chunked)
		putf(t, " chunked");
	if (p->has_length)
		putf(t, " %llu", (unsigned long long)p->length);
	else
		assert_int_equal(p->length, 0);
	for (i = 0; i < p->nheaders; i++) {
		put(t, "\n", 1);
		put_span(t, p, head, &p->headers[i].name);
		put(t, "=[", 2);
		put_span(t, p, head, &p->headers[i].value);
		put(t, "]", 1);
	}
	put(t, "\n", 1);
}

static void
put_error(struct trace *t, struct http_parser *p, size_t at)
{
	size_t		 ndata, used;
	const char	*data;

	assert_non_null(p->reason);
	assert_null(strchr(p->reason, '\n'));
	putf(t, "!%d %s @%zu\n", p->status, p->reason, at);

	/* An error is for good. */
	assert_int_equal(http_head(p, "GET / HTTP/1.0\r\n\r\n", 18),
	    HTTP_ERROR);
	assert_int_equal(http_body(p, "0\r\n\r\n", 5, &used, &data, &ndata),
	    HTTP_ERROR);
	assert_int_equal(used, 0);
	assert_int_equal(ndata, 0);
}

/* A copy of exactly that size, so that a sanitizer sees a read past it. */
static char *
copy(const char *s, size_t len)
{
	char		*p;

	p = malloc(len > 0 ? len : 1);
	assert_non_null(p);
	memcpy(p, s, len);
	return (p);
}

/* One head; returns its length, or 0 when there was none. */
static size_t
run_head(struct trace *t, struct http_parser *p, const char *in, size_t len,
    size_t off, enum plan plan)
{
	enum http_result	 r;
	char			*head;
	size_t			 have = 0;

	do {
		have += next_piece(plan, len - off - have);
		head = copy(in + off, have);
		r = http_head(p, head, have);
		if (r == HTTP_OK) {
			assert_in_range(p->head_len, 1, have);
			put_head(t, p, head);
		}
		free(head);
	} while (r == HTTP_AGAIN && off + have < len);
	if (r == HTTP_OK)
		return (p->head_len);
	if (r == HTTP_ERROR)
		put_error(t, p, off + p->pos);
	else
		putf(t, "...\n");
	return (0);
}

/* One body; returns where it ended, or 0. */
static size_t
run_body(struct trace *t, struct http_parser *p, const char *in, size_t len,
    size_t off, enum plan plan)
{
	enum http_result	 r;
	const char		*data;
	char			*buf;
	size_t			 n, ndata, used;

	put(t, "<", 1);
	for (n = 0;; n = next_piece(plan, len - off)) {
		buf = copy(in + off, n);
		r = http_body(p, buf, n, &used, &data, &ndata);
		assert_true(used <= n);
		assert_true(ndata <= used);
		if (ndata > 0) {
			assert_true(data >= buf && data + ndata <= buf + used);
			put(t, data, ndata);
		} else if (r == HTTP_AGAIN)
			assert_int_equal(used, n);
		free(buf);
		off += used;
		if (r != HTTP_AGAIN || off == len)
			break;
	}
	put(t, ">\n", 2);
	if (r == HTTP_OK)
		return (off);
	if (r == HTTP_ERROR)
		put_error(t, p, off);
	else
		putf(t, "...\n");
	return (0);
}

/* Pipelined requests until the input ends, or an error. */
static void
run(struct trace *t, const char *in, size_t len, enum plan plan)
{
	struct http_parser	 p;
	size_t			 n, off = 0;

	t->len = 0;
	t->buf[0] = '\0';
	while (off < len) {
		http_init(&p, MAXLINE, MAXHEAD);
		if ((n = run_head(t, &p, in, len, off, plan)) == 0)
			return;
		if ((off = run_body(t, &p, in, len, off + n, plan)) == 0)
			return;
	}
}

static void
check_same(const char *in, size_t len)
{
	int		 i;

	run(&one, in, len, WHOLE);
	for (i = 0; i <= CUTS; i++) {
		run(&other, in, len, i == 0 ? BYTES : RANDOM);
		if (one.len != other.len ||
		    memcmp(one.buf, other.buf, one.len) != 0) {
			print_error("input:\n%.*s\nwhole:\n%s\ncut:\n%s\n",
			    (int)len, in, one.buf, other.buf);
			fail();
		}
	}
}

struct accept {
	const char	*in;
	size_t		 len;
	const char	*want;
};

struct reject {
	int		 status;
	const char	*good;		/* can still become a request */
	size_t		 ngood;
	const char	*bad;		/* its first byte can't be right */
	size_t		 nbad;
};

#define A(in, want)	{ in, sizeof(in) - 1, want }
#define R(status, good, bad)						\
	{ status, good, sizeof(good) - 1, bad, sizeof(bad) - 1 }

#define GET		"GET / HTTP/1.1\r\n"
#define POST		"POST /p HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED		POST "Transfer-Encoding: chunked\r\n\r\n"
#define END		"\r\n\r\n"
#define HOST		"Host: a\r\n"
#define W_GET		"GET0 /| 1 keep\nHost=[a]\n"
#define W_CHUNKED	"POST2 /p| 1 keep chunked\nHost=[a]\n"	\
			"Transfer-Encoding=[chunked]\n"

static void
accept_table(const struct accept *a, size_t n)
{
	size_t		 i;

	for (i = 0; i < n; i++) {
		check_same(a[i].in, a[i].len);
		if (strcmp(one.buf, a[i].want) != 0) {
			print_error("input:\n%s\ngot:\n%s\nwanted:\n%s\n",
			    a[i].in, one.buf, a[i].want);
			fail();
		}
	}
}

static void
reject_table(const struct reject *r, size_t n)
{
	char		*in, *error, want[32];
	size_t		 i, len;

	for (i = 0; i < n; i++) {
		len = r[i].ngood + r[i].nbad;
		in = malloc(len);
		assert_non_null(in);
		memcpy(in, r[i].good, r[i].ngood);
		memcpy(in + r[i].ngood, r[i].bad, r[i].nbad);
		check_same(in, len);
		(void)snprintf(want, sizeof(want), "!%d ", r[i].status);
		error = strrchr(one.buf, '!');
		if (error == NULL || strncmp(error, want, 5) != 0) {
			print_error("%s<*>%s: wanted %d, got:\n%s\n",
			    r[i].good, r[i].bad, r[i].status, one.buf);
			fail();
		}
		(void)snprintf(want, sizeof(want), " @%zu\n", r[i].ngood);
		if (strcmp(strrchr(error, ' '), want) != 0) {
			print_error("%s<*>%s: wanted%s, got:\n%s\n",
			    r[i].good, r[i].bad, want, one.buf);
			fail();
		}
		/* A cut anywhere in the good part is no error yet. */
		check_same(in, r[i].ngood);
		assert_null(strchr(one.buf, '@'));
		free(in);
	}
}

#define N(table)	(sizeof(table) / sizeof((table)[0]))

static void
test_line_accept(void **state)
{
	static const struct accept table[] = {
		A("GET / HTTP/1.1\r\nHost: a" END, W_GET "<>\n"),
		A("HEAD /x HTTP/1.0" END, "HEAD1 /x| 0 close\n<>\n"),
		A("POST /x HTTP/1.0" END, "POST2 /x| 0 close\n<>\n"),
		A("get /x HTTP/1.0" END, "get3 /x| 0 close\n<>\n"),
		A("GETT /x HTTP/1.0" END, "GETT3 /x| 0 close\n<>\n"),
		A("M!#$%&'*+-.^_`|~09 /x HTTP/1.0" END,
		    "M!#$%&'*+-.^_`|~093 /x| 0 close\n<>\n"),
		A("AAAAAAAAAABBBBBBBBBBCCCCCCCCCC32 / HTTP/1.0" END,
		    "AAAAAAAAAABBBBBBBBBBCCCCCCCCCC323 /| 0 close\n<>\n"),
		A("GET /ws?token=x HTTP/1.0" END,
		    "GET0 /ws|token=x 0 close\n<>\n"),
		A("GET /ws? HTTP/1.0" END, "GET0 /ws| 0 close\n<>\n"),
		A("GET /a?b?c=d&e HTTP/1.0" END,
		    "GET0 /a|b?c=d&e 0 close\n<>\n"),
		A("GET /?/ HTTP/1.0" END, "GET0 /|/ 0 close\n<>\n"),
		A("GET //evil/..//%2e HTTP/1.0" END,
		    "GET0 //evil/..//%2e| 0 close\n<>\n"),
		A("GET /\"<>\\^`{|}*:@[] HTTP/1.0" END,
		    "GET0 /\"<>\\^`{|}*:@[]| 0 close\n<>\n"),
		A("GET http://h/p?q HTTP/1.0" END,
		    "GET0 /p|q 0 close\n<>\n"),
		A("GET HTTPS://h:80/p HTTP/1.0" END,
		    "GET0 /p| 0 close\n<>\n"),
		A("GET http://h HTTP/1.0" END, "GET0 | 0 close\n<>\n"),
		A("GET http://h:1?q HTTP/1.0" END,
		    "GET0 |q 0 close\n<>\n"),
		A("GET http://[::1]:8080/ HTTP/1.0" END,
		    "GET0 /| 0 close\n<>\n"),
		A("GET http://[::1]/?x HTTP/1.0" END,
		    "GET0 /|x 0 close\n<>\n"),
		A("GET http://a%41b./ HTTP/1.0" END,
		    "GET0 /| 0 close\n<>\n"),
		A("OPTIONS * HTTP/1.0" END, "OPTIONS3 *| 0 close\n<>\n"),
		A("OPTIONS /x HTTP/1.0" END, "OPTIONS3 /x| 0 close\n<>\n"),
		A("CONNECT h:443 HTTP/1.0" END,
		    "CONNECT3 h:443| 0 close\n<>\n"),
		A("CONNECT [::1]:443 HTTP/1.0" END,
		    "CONNECT3 [::1]:443| 0 close\n<>\n"),
		A("\r\nGET / HTTP/1.0" END, "GET0 /| 0 close\n<>\n"),
		A("\r\n\r\n\r\n\r\nGET / HTTP/1.0" END,
		    "GET0 /| 0 close\n<>\n"),
		/* Not the end yet. */
		A("G", "...\n"),
		A("\r", "...\n"),
		A("GET / HTTP/1.1\r\nHost: a\r\n\r", "...\n"),
		A("GET / HTTP/2.0", "...\n")
	};

	(void)state;
	accept_table(table, N(table));
}

static void
test_line_reject(void **state)
{
	static const struct reject table[] = {
		R(400, "", " GET / HTTP/1.1" END),
		R(400, "", "\tGET / HTTP/1.1" END),
		R(400, "", "\nGET / HTTP/1.1" END),
		R(400, "\r", "GET / HTTP/1.1" END),
		R(400, "\r", "\r\nGET / HTTP/1.1" END),
		R(400, "\r\n", "\nGET / HTTP/1.1" END),
		R(400, "\r\n", " GET / HTTP/1.1" END),
		R(400, "\r\n\r\n\r\n\r\n", "\r\nGET / HTTP/1.1" END),
		R(400, "", "\0GET / HTTP/1.1" END),
		R(400, "", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
		R(400, "", "\x80GET / HTTP/1.1" END),
		R(400, "", "(GET) / HTTP/1.1" END),
		R(400, "", "{}" END),
		R(400, "G", "\0ET / HTTP/1.1" END),
		R(400, "G", "\"ET / HTTP/1.1" END),
		R(400, "GET", "\t/ HTTP/1.1" END),
		R(400, "GET", "/ HTTP/1.1" END),
		R(400, "GET", "\r\n"),
		R(400, "GET", "\n"),
		R(400, "GET", ":/ HTTP/1.1" END),
		R(501, "AAAAAAAAAABBBBBBBBBBCCCCCCCCCC32", "3 / HTTP/1.1"),
		R(400, "GET ", " / HTTP/1.1" END),
		R(400, "GET ", " HTTP/1.1" END),
		R(400, "GET ", "\t/ HTTP/1.1" END),
		R(400, "GET ", "\r\n\r\n"),
		R(400, "GET /", "\r\n\r\n"),
		R(400, "GET /", "\n\n"),
		R(400, "GET /", "\t HTTP/1.1" END),
		R(400, "GET /", "\0 HTTP/1.1" END),
		R(400, "GET /", "\x01 HTTP/1.1" END),
		R(400, "GET /", "\x7f HTTP/1.1" END),
		R(400, "GET /", "\x80 HTTP/1.1" END),
		R(400, "GET /", "\xff HTTP/1.1" END),
		R(400, "GET /", "\xc3\xa9 HTTP/1.1" END),
		R(400, "GET /", "\x0b HTTP/1.1" END),
		R(400, "GET /", "# HTTP/1.1" END),
		R(400, "GET /?q", "#frag HTTP/1.1" END),
		R(400, "GET /?q", "\0 HTTP/1.1" END),
		R(400, "GET ", "x HTTP/1.1" END),
		R(400, "GET ", "?q HTTP/1.1" END),
		R(400, "GET ", "\\x HTTP/1.1" END),
		R(400, "GET ", "* HTTP/1.1" END),
		R(400, "GET ", "example.com:80 HTTP/1.1" END),
		R(400, "GET h", "ost:80 HTTP/1.1" END),
		R(400, "OPTIONS *", "/ HTTP/1.1" END),
		R(400, "OPTIONS *", "? HTTP/1.1" END),
		R(400, "CONNECT ", "/ HTTP/1.1" END),
		R(400, "CONNECT h", " HTTP/1.1" END),
		R(400, "CONNECT h:", " HTTP/1.1" END),
		R(400, "CONNECT h:4", "x HTTP/1.1" END),
		R(400, "CONNECT h", "/x HTTP/1.1" END),
		R(400, "CONNECT ", ":80 HTTP/1.1" END),
		R(400, "CONNECT http:", "//h HTTP/1.1" END),
		R(400, "GET ", "ftp://h/ HTTP/1.1" END),
		R(400, "GET ", "ws://h/ HTTP/1.1" END),
		R(400, "GET http", " HTTP/1.1" END),
		R(400, "GET https", "s://h/ HTTP/1.1" END),
		R(400, "GET http:", "h/ HTTP/1.1" END),
		R(400, "GET http:/", "h/ HTTP/1.1" END),
		R(400, "GET http://", "/ HTTP/1.1" END),
		R(400, "GET http://", " HTTP/1.1" END),
		R(400, "GET http://", "?q HTTP/1.1" END),
		R(400, "GET http://", ":80/ HTTP/1.1" END),
		R(400, "GET http://u", "@h/ HTTP/1.1" END),
		R(400, "GET http://u:", "p@h/ HTTP/1.1" END),
		R(400, "GET http://u:1", "@h/ HTTP/1.1" END),
		R(400, "GET http://h", "\\/ HTTP/1.1" END),
		R(400, "GET http://a", ",b/ HTTP/1.1" END),
		R(400, "GET http://[::1", "/ HTTP/1.1" END),
		R(400, "GET http://[::1", "%25eth0]/ HTTP/1.1" END),
		R(400, "GET http://[::1]", "x/ HTTP/1.1" END),
		R(400, "GET http://a%4", "/ HTTP/1.1" END),
		R(400, "GET http://h", "#f HTTP/1.1" END),
		R(400, "GET / ", " HTTP/1.1" END),
		R(400, "GET / ", "\tHTTP/1.1" END),
		R(400, "GET / ", "\r\n\r\n"),
		R(400, "GET / ", "http/1.1" END),
		R(400, "GET / ", "x HTTP/1.1" END),
		R(400, "GET / HTTP", " /1.1" END),
		R(400, "GET / HTTP/", "x.1" END),
		R(400, "GET / HTTP/", " 1.1" END),
		R(400, "GET / HTTP/", "-1.1" END),
		R(400, "GET / HTTP/1", "\r\n"),
		R(400, "GET / HTTP/1", "1.1" END),
		R(400, "GET / HTTP/0", "1.1" END),
		R(400, "GET / HTTP/1", ",1" END),
		R(400, "GET / HTTP/1.", "\r\n"),
		R(400, "GET / HTTP/1.", " 1" END),
		R(400, "GET / HTTP/1.1", "1" END),
		R(400, "GET / HTTP/1.1", " " END),
		R(400, "GET / HTTP/1.1", "\t" END),
		R(400, "GET / HTTP/1.1", "\nHost: a" END),
		R(400, "GET / HTTP/1.1", "\0" END),
		R(400, "GET / HTTP/1.1", " x" END),
		R(400, "GET / HTTP/1.1\r", "Host: a" END),
		R(400, "GET / HTTP/1.1\r", "\r\n"),
		R(505, "GET / HTTP/2.0", "\r\n\r\n"),
		R(505, "PRI /* HTTP/2.0", "\r\n\r\nSM\r\n\r\n"),
		R(400, "PRI ", "* HTTP/2.0\r\n\r\nSM\r\n\r\n"),
		R(505, "GET / HTTP/0.9", "\r\n\r\n"),
		R(505, "GET / HTTP/1.2", "\r\n\r\n"),
		R(505, "GET / HTTP/1.9", "\r\n\r\n"),
		R(505, "GET / HTTP/3.1", "\r\n\r\n"),
		R(400, "GET / HTTP/2.0", "\n\n"),
		R(400, "GET / HTTP/2", "\r\n")
	};

	(void)state;
	reject_table(table, N(table));
}

static void
test_header_accept(void **state)
{
	static const struct accept table[] = {
		A(GET HOST "A:b" END, "GET0 /| 1 keep\nHost=[a]\nA=[b]\n<>\n"),
		A(GET HOST "A:" END, "GET0 /| 1 keep\nHost=[a]\nA=[]\n<>\n"),
		A(GET HOST "A: \t " END,
		    "GET0 /| 1 keep\nHost=[a]\nA=[]\n<>\n"),
		A(GET HOST "A: \t b \t c\t " END,
		    "GET0 /| 1 keep\nHost=[a]\nA=[b \t c]\n<>\n"),
		A(GET HOST "!#$%&'*+-.^_`|~0: :\x80\xff\"" END,
		    "GET0 /| 1 keep\nHost=[a]\n!#$%&'*+-.^_`|~0=[:\x80\xff\"]"
		    "\n<>\n"),
		A(GET "hOST:" END, "GET0 /| 1 keep\nhOST=[]\n<>\n"),
		A(GET "Host:  " END, "GET0 /| 1 keep\nHost=[]\n<>\n"),
		A(GET "Host: a-b.c_d~:8080 \t" END,
		    "GET0 /| 1 keep\nHost=[a-b.c_d~:8080]\n<>\n"),
		A(GET "Host: h:" END, "GET0 /| 1 keep\nHost=[h:]\n<>\n"),
		A(GET "Host: [::1]" END, "GET0 /| 1 keep\nHost=[[::1]]\n<>\n"),
		A(GET "Host: [::ffff:1.2.3.4]:80" END,
		    "GET0 /| 1 keep\nHost=[[::ffff:1.2.3.4]:80]\n<>\n"),
		A(GET "Host: %41%fF.x" END,
		    "GET0 /| 1 keep\nHost=[%41%fF.x]\n<>\n"),
		A("GET / HTTP/1.0\r\nHost: x" END,
		    "GET0 /| 0 close\nHost=[x]\n<>\n"),

		/* Connection */
		A(GET HOST "Connection: close" END,
		    "GET0 /| 1 close\nHost=[a]\nConnection=[close]\n<>\n"),
		A(GET HOST "Connection: , CLOSE\t," END,
		    "GET0 /| 1 close\nHost=[a]\nConnection=[, CLOSE\t,]\n"
		    "<>\n"),
		A(GET HOST "Connection: closed, xclose, clo se" END,
		    "GET0 /| 1 keep\nHost=[a]\n"
		    "Connection=[closed, xclose, clo se]\n<>\n"),
		A(GET "Connection: x\r\n" HOST "connection:y,close" END,
		    "GET0 /| 1 close\nConnection=[x]\nHost=[a]\n"
		    "connection=[y,close]\n<>\n"),
		A("GET / HTTP/1.0\r\nConnection: Keep-Alive" END,
		    "GET0 /| 0 keep\nConnection=[Keep-Alive]\n<>\n"),
		A("GET / HTTP/1.0\r\nConnection: keep-alive, close" END,
		    "GET0 /| 0 close\nConnection=[keep-alive, close]\n<>\n"),
		A("GET / HTTP/1.0\r\nConnection: x" END,
		    "GET0 /| 0 close\nConnection=[x]\n<>\n"),

		/* Expect */
		A(GET HOST "Expect: 100-continue" END,
		    "GET0 /| 1 keep\nHost=[a]\nExpect=[100-continue]\n<>\n"),
		A(POST "Expect: 100-Continue \r\nContent-Length: 1" END "x",
		    "POST2 /p| 1 keep expect 1\nHost=[a]\n"
		    "Expect=[100-Continue]\nContent-Length=[1]\n<x>\n"),
		A(POST "Content-Length: 0\r\nExpect: 100-continue" END,
		    "POST2 /p| 1 keep 0\nHost=[a]\nContent-Length=[0]\n"
		    "Expect=[100-continue]\n<>\n"),
		A(POST "Expect: 100-continue\r\nTransfer-Encoding: chunked"
		    END "0" END,
		    "POST2 /p| 1 keep expect chunked\nHost=[a]\n"
		    "Expect=[100-continue]\nTransfer-Encoding=[chunked]\n"
		    "<>\n"),
		A("POST / HTTP/1.0\r\nExpect: 100-continue\r\n"
		    "Content-Length: 1" END "x",
		    "POST2 /| 0 close 1\nExpect=[100-continue]\n"
		    "Content-Length=[1]\n<x>\n"),

		/* Neighbours of the framing fields that are none of them. */
		A(POST "Content_Length: 5\r\nTransfer_Encoding: chunked\r\n"
		    "Content-Length-: 1\r\nXContent-Length: 2\r\n"
		    "TE: trailers\r\nTransfer-Encodin: x" END,
		    "POST2 /p| 1 keep\nHost=[a]\nContent_Length=[5]\n"
		    "Transfer_Encoding=[chunked]\nContent-Length-=[1]\n"
		    "XContent-Length=[2]\nTE=[trailers]\n"
		    "Transfer-Encodin=[x]\n<>\n")
	};

	(void)state;
	accept_table(table, N(table));
}

static void
test_header_reject(void **state)
{
	static const struct reject table[] = {
		/* Line ends. */
		R(400, GET "Host: a", "\n\r\n"),
		R(400, GET "Host: a", "\nX: y" END),
		R(400, GET "Host: a\r", "X: y" END),
		R(400, GET "Host: a\r", "\r\n\r\n"),
		R(400, GET HOST "X: a\r", "b" END),
		R(400, GET HOST "X: a\r", "Transfer-Encoding: chunked" END),
		R(400, GET HOST, "\n"),
		R(400, GET HOST "\r", "\r\n"),
		R(400, GET HOST "\r", "X: y" END),
		R(400, GET HOST "X:", "\n\r\n"),
		R(400, GET HOST "X: ", "\n\r\n"),
		R(400, GET HOST "X: y\r\n", "\nGET / HTTP/1.1" END),
		R(400, GET HOST "X: y", "\nTransfer-Encoding: chunked" END),

		/* Names. */
		R(400, GET HOST, ": x" END),
		R(400, GET HOST "X", " : y" END),
		R(400, GET HOST "X", "\t: y" END),
		R(400, GET HOST "X", "\r\n\r\n"),
		R(400, GET HOST "X", "\n: y" END),
		R(400, GET HOST "X", "\0: y" END),
		R(400, GET HOST "X", "\x0b: y" END),
		R(400, GET HOST "X", "\x7f: y" END),
		R(400, GET HOST "X", "\x80: y" END),
		R(400, GET HOST "X", "(: y" END),
		R(400, GET HOST "X", "[1]: y" END),
		R(400, GET HOST "X", "=y" END),
		R(400, GET HOST "X", "/: y" END),
		R(400, GET HOST, "\"X\": y" END),
		R(400, GET HOST, "\0X: y" END),
		R(400, GET HOST, "\x0bX: y" END),
		R(400, GET HOST, "\x80X: y" END),
		R(400, GET HOST, "\xef\xbb\xbfX: y" END)
	};
	static const struct reject folds[] = {
		R(400, GET, " Host: a" END),
		R(400, GET, "\tHost: a" END),
		R(400, GET, " \r\nHost: a" END),
		R(400, GET HOST "X: a\r\n", " b" END),
		R(400, GET HOST "X: a\r\n", "\tb" END),
		R(400, GET HOST "X:\r\n", " b" END),
		R(400, GET HOST "X: a\r\n", " \r\n\r\n"),
		R(400, GET HOST "X: a\r\n", " Content-Length: 5" END),
		R(400, POST "Transfer-Encoding: chunked\r\n", " , x" END),
		R(400, POST "Content-Length: 1\r\n", " 1" END)
	};
	static const struct reject values[] = {
		R(400, GET HOST "X: ", "\0" END),
		R(400, GET HOST "X: a", "\0b" END),
		R(400, GET HOST "X: a", "\x01" END),
		R(400, GET HOST "X: a", "\x08" END),
		R(400, GET HOST "X: a", "\x0b" END),
		R(400, GET HOST "X: a", "\x0c" END),
		R(400, GET HOST "X: a", "\x1f" END),
		R(400, GET HOST "X: a", "\x7f" END),
		R(400, GET HOST "X:", "\x0b" "a" END),
		R(417, GET HOST "Expect: ", "x" END),
		R(417, GET HOST "Expect: 100-c", "x" END),
		R(417, GET HOST "Expect: 100-continue", "d" END),
		R(417, GET HOST "Expect: 100-continue", ", x" END),
		R(417, GET HOST "Expect: 100-continue ", "x" END),
		R(417, GET HOST "Expect: 100-continue", ";q=1" END),
		R(417, GET HOST "Expect: 100", " -continue" END),
		R(417, GET HOST "Expect: 100-", "\r\n"),
		R(417, GET HOST "Expect:", "\r\n"),
		R(417, "GET / HTTP/1.0\r\nExpect: ", "200-ok" END)
	};

	(void)state;
	reject_table(table, N(table));
	reject_table(folds, N(folds));
	reject_table(values, N(values));
}

static void
test_host_reject(void **state)
{
	static const struct reject table[] = {
		R(400, GET "\r", "\n"),
		R(400, GET "X: y\r\n\r", "\n"),
		R(400, GET HOST "Host", ": a" END),
		R(400, GET HOST "hOsT", ": b" END),
		R(400, GET "Host:\r\nHost", ":" END),
		R(400, "GET / HTTP/1.0\r\nHost: a\r\nHost", ": a" END),
		R(400, GET "Host: a", "/b" END),
		R(400, GET "Host: a", "?b" END),
		R(400, GET "Host: a", "#b" END),
		R(400, GET "Host: a", "@b" END),
		R(400, GET "Host: a", ",b" END),
		R(400, GET "Host: a", "\\b" END),
		R(400, GET "Host: a", "\"" END),
		R(400, GET "Host: a", "<" END),
		R(400, GET "Host: a", "\x80" END),
		R(400, GET "Host: a", "\0" END),
		R(400, GET "Host: a ", "b" END),
		R(400, GET "Host: a\t", ":80" END),
		R(400, GET "Host: a \t ", "@" END),
		R(400, GET "Host: a:", "b" END),
		R(400, GET "Host: a:", "-1" END),
		R(400, GET "Host: a:80", ":80" END),
		R(400, GET "Host: a:80 ", "0" END),
		R(400, GET "Host: a:8", "x" END),
		R(400, GET "Host: ", ":80" END),
		R(400, GET "Host: %", "g1" END),
		R(400, GET "Host: %1", "\r\n"),
		R(400, GET "Host: %1", " " END),
		R(400, GET "Host: [::1", "\r\n"),
		R(400, GET "Host: [::", "g]" END),
		R(400, GET "Host: [::1]", "a" END),
		R(400, GET "Host: [::1]:", "a" END),
		R(400, GET "Host: a", "[::1]" END),
		R(400, GET "Host: http:", "//a" END),
		R(400, GET "Host: u:", "p@h" END)
	};

	(void)state;
	reject_table(table, N(table));
}

static void
test_length(void **state)
{
	static const struct accept good[] = {
		A(POST "Content-Length: 5" END "hello",
		    "POST2 /p| 1 keep 5\nHost=[a]\nContent-Length=[5]\n"
		    "<hello>\n"),
		A(POST "CONTENT-LENGTH:\t 005 \t" END "hello",
		    "POST2 /p| 1 keep 5\nHost=[a]\nCONTENT-LENGTH=[005]\n"
		    "<hello>\n"),
		A("GET / HTTP/1.1\r\nContent-Length: 3\r\n" HOST "\r\n\r\n\n",
		    "GET0 /| 1 keep 3\nContent-Length=[3]\nHost=[a]\n"
		    "<\r\n\n>\n"),
		A("OPTIONS * HTTP/1.0\r\nContent-Length: 1" END "x",
		    "OPTIONS3 *| 0 close 1\nContent-Length=[1]\n<x>\n"),
		A(POST "Content-Length: 6" END "hello",
		    "POST2 /p| 1 keep 6\nHost=[a]\nContent-Length=[6]\n"
		    "<hello>\n...\n"),
		A(POST "Content-Length: 9007199254740992" END "x",
		    "POST2 /p| 1 keep 9007199254740992\nHost=[a]\n"
		    "Content-Length=[9007199254740992]\n<x>\n...\n"),
		A(POST "Content-Length: 0" END GET HOST "\r\n",
		    "POST2 /p| 1 keep 0\nHost=[a]\nContent-Length=[0]\n<>\n"
		    W_GET "<>\n"),
		A(POST "Content-Length: 3" END "abc\r\n" GET HOST "\r\n",
		    "POST2 /p| 1 keep 3\nHost=[a]\nContent-Length=[3]\n"
		    "<abc>\n" W_GET "<>\n")
	};
	static const struct reject bad[] = {
		R(400, POST "Content-Length:", "\r\n\r\n"),
		R(400, POST "Content-Length: ", "\r\n\r\n"),
		R(400, POST "Content-Length: ", "+5" END "hello"),
		R(400, POST "Content-Length: ", "-1" END),
		R(400, POST "Content-Length: ", "-0" END),
		R(400, POST "Content-Length: 0", "x5" END "hello"),
		R(400, POST "Content-Length: 0", "o5" END "hello"),
		R(400, POST "Content-Length: 5 ", "5" END),
		R(400, POST "Content-Length:  5\t", "5" END),
		R(400, POST "Content-Length: 5", ",5" END "hello"),
		R(400, POST "Content-Length: 5", ", 5" END "hello"),
		R(400, POST "Content-Length: 5", ",6" END "hello"),
		R(400, POST "Content-Length: 5 ", ",5" END "hello"),
		R(400, POST "Content-Length: ", ",5" END "hello"),
		R(400, POST "Content-Length: 5", "." END),
		R(400, POST "Content-Length: 5", ".0" END),
		R(400, POST "Content-Length: 1", "e1" END),
		R(400, POST "Content-Length: 1", "_0" END),
		R(400, POST "Content-Length: 5", ";" END),
		R(400, POST "Content-Length: ", "\"5\"" END),
		R(400, POST "Content-Length: ", "five" END),
		R(400, POST "Content-Length: ", "NaN" END),
		R(400, POST "Content-Length: ", "\x0b" "5" END),
		R(400, POST "Content-Length: 5", "\x0b" END),
		R(400, POST "Content-Length: 5", "\0" END),
		R(400, POST "Content-Length: 5", "\n\r\n"),
		R(400, POST "Content-Length: 5\r", "6" END),
		R(400, POST "Content-Length: ", "\xd9\xa5" END),
		R(400, POST "Content-Length: ", "\xef\xbc\x95" END),
		R(400, POST "Content-Length: 900719925474099", "3" END),
		R(400, POST "Content-Length: 1844674407370955", "1616" END),
		R(400, POST "Content-Length: 999999999999999", "9" END),
		R(400, POST "Content-Length", " : 5" END "hello"),
		R(400, POST "Content-Length", "\t: 5" END "hello"),
		R(400, POST "Content", " Length: 5" END "hello"),
		R(400, POST, " Content-Length: 5" END "hello"),
		R(400, POST "Content-Length: 5\r\nContent-Length",
		    ": 5" END "hello"),
		R(400, POST "Content-Length: 5\r\ncontent-length",
		    ": 6" END "hello"),
		R(400, POST "Content-Length: 0\r\nX: y\r\nContent-Length",
		    ": 44" END),
		R(400, "POST / HTTP/1.0\r\nContent-Length: 0\r\n"
		    "Content-Length", ": 0" END),
		/* A body longer than it says is the next request. */
		R(400, POST "Content-Length: 1" END "x", "\ny")
	};

	(void)state;
	accept_table(good, N(good));
	reject_table(bad, N(bad));
}

static void
test_coding(void **state)
{
	static const struct accept good[] = {
		A(CHUNKED "0" END, W_CHUNKED "<>\n"),
		A(POST "tRANSFER-eNCODING:cHUNKED" END "0" END,
		    "POST2 /p| 1 keep chunked\nHost=[a]\n"
		    "tRANSFER-eNCODING=[cHUNKED]\n<>\n"),
		A(POST "Transfer-Encoding:\t chunked \t" END "0" END,
		    W_CHUNKED "<>\n"),
		A("GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked" END
		    "1\r\nx\r\n0" END,
		    "GET0 /| 1 keep chunked\nHost=[a]\n"
		    "Transfer-Encoding=[chunked]\n<x>\n")
	};
	static const struct reject bad[] = {
		/* Both lengths: CL.TE and TE.CL. */
		R(400, POST "Content-Length: 6\r\nTransfer-Encoding",
		    ": chunked" END "0" END "G"),
		R(400, POST "Transfer-Encoding: chunked\r\nContent-Length",
		    ": 3" END "8\r\nSMUGGLED\r\n0" END),
		R(400, POST "Content-Length: 0\r\nTransfer-Encoding",
		    ": identity" END),
		R(400, POST "Transfer-Encoding: chunked\r\nX: y\r\n"
		    "CONTENT-LENGTH", ":" END),

		/* TE.TE */
		R(400, POST "Transfer-Encoding: chunked\r\n"
		    "Transfer-Encoding", ": chunked" END),
		R(400, POST "Transfer-Encoding: chunked\r\n"
		    "Transfer-encoding", ": cow" END),
		R(501, POST "Transfer-Encoding: cow", "\r\n"
		    "Transfer-Encoding: chunked" END),
		R(501, POST "Transfer-Encoding: xchunked", "\r\n\r\n"),
		R(501, POST "Transfer-Encoding: chunkedx", "\r\n\r\n"),
		R(501, POST "Transfer-Encoding: chunke", "\r\n\r\n"),
		R(501, POST "Transfer-Encoding: identity", "\r\n\r\n"),
		R(501, POST "Transfer-Encoding: gzip, chunked", "\r\n\r\n"),
		R(501, POST "Transfer-Encoding: gzip ,\t chunked ", "\r\n"),
		R(501, POST "Transfer-Encoding: gzip;a=b, chunked", "\r\n"),
		R(501, POST "Transfer-Encoding: x ; a=\"b,\\\"c\" ;d = e",
		    "\r\n"),
		R(501, POST "Transfer-Encoding: x;a=\"b\", chunked", "\r\n"),
		R(501, POST "Transfer-Encoding: x;a=\"b\"", "\r\n"),
		R(501, POST "Transfer-Encoding: chunk-ed", "\r\n"),
		R(501, POST "Transfer-Encoding: 'chunked'", "\r\n"),
		R(400, POST "Transfer-Encoding: chunked", ", gzip" END),
		R(400, POST "Transfer-Encoding: chunked", ",chunked" END),
		R(400, POST "Transfer-Encoding: chunked ", ", identity" END),
		R(400, POST "Transfer-Encoding: chunked", "," END),
		R(400, POST "Transfer-Encoding: gzip, chunked", ",x" END),
		R(400, POST "Transfer-Encoding: ", ", chunked" END),
		R(400, POST "Transfer-Encoding: gzip,", ",chunked" END),
		R(400, POST "Transfer-Encoding: gzip,", "\r\n"),
		R(400, POST "Transfer-Encoding: chunked", ";a=b" END),
		R(400, POST "Transfer-Encoding: chunked ", ";a=b" END),
		R(400, POST "Transfer-Encoding: chunked", "; " END),
		R(400, POST "Transfer-Encoding: chunked", "=1" END),
		R(400, POST "Transfer-Encoding: chunked ", "x" END),
		R(400, POST "Transfer-Encoding: x ", "chunked" END),
		R(400, POST "Transfer-Encoding: x;", ",chunked" END),
		R(400, POST "Transfer-Encoding: x;a", ",chunked" END),
		R(400, POST "Transfer-Encoding: x;a=", ",chunked" END),
		R(400, POST "Transfer-Encoding: x;a=\"", "\r\n"),
		R(400, POST "Transfer-Encoding:", "\r\n\r\n"),
		R(400, POST "Transfer-Encoding: \t", "\r\n\r\n"),
		R(400, POST "Transfer-Encoding: ", "\"chunked\"" END),
		R(400, POST "Transfer-Encoding: ", "[chunked]" END),
		R(400, POST "Transfer-Encoding: ", ":chunked" END),
		R(400, POST "Transfer-Encoding: ", "\x0b" "chunked" END),
		R(400, POST "Transfer-Encoding:", "\x0c" "chunked" END),
		R(400, POST "Transfer-Encoding: ", "\0chunked" END),
		R(400, POST "Transfer-Encoding: chunked", "\0" END),
		R(400, POST "Transfer-Encoding: chunked", "\x0b" END),
		R(400, POST "Transfer-Encoding: ", "\xa0" "chunked" END),
		R(400, POST "Transfer-Encoding: chunked", "\x85" END),
		R(400, POST "Transfer-Encoding: chunk", "\xeb" "d" END),
		R(400, POST "Transfer-Encoding: chunked\r", "\r\n\r\n"),
		R(400, POST "Transfer-Encoding: chunked", "\n\r\n0" END),
		R(400, POST "Transfer-Encoding:", "\r\n chunked" END),
		R(400, POST "Transfer-Encoding", " : chunked" END),
		R(400, POST "Transfer-Encoding", "\t: chunked" END),
		R(400, POST "Transfer-Encoding", "\r\n : chunked" END),
		R(400, POST "Transfer-Encoding", "\0: chunked" END),
		R(400, POST "Transfer-Encoding", "\x0b: chunked" END),
		R(400, POST "Transfer", " Encoding: chunked" END),
		R(400, POST, " Transfer-Encoding: chunked" END),
		R(400, POST, "\x0bTransfer-Encoding: chunked" END),
		R(400, POST "Transfer-Encoding:", "\n chunked" END),
		R(400, POST "X: X", "\nTransfer-Encoding: chunked" END),
		R(400, POST "X: X\r", "Transfer-Encoding: chunked" END),

		R(400, "POST / HTTP/1.0\r\nTransfer-Encoding",
		    ": chunked" END "0" END),
		R(400, "POST / HTTP/1.0\r\nTransfer-Encoding", ": x" END)
	};

	(void)state;
	accept_table(good, N(good));
	reject_table(bad, N(bad));
}

static void
test_chunked_accept(void **state)
{
	static const struct accept table[] = {
		A(CHUNKED "5\r\nhello\r\n0" END, W_CHUNKED "<hello>\n"),
		A(CHUNKED "5\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0" END,
		    W_CHUNKED "<hello, world>\n"),
		A(CHUNKED "a\r\n0123456789\r\nA\r\nabcdefghij\r\n000" END,
		    W_CHUNKED "<0123456789abcdefghij>\n"),
		A(CHUNKED "0000000000000004\r\n\r\n0\r\r\n0000000000000000" END,
		    W_CHUNKED "<\r\n0\r>\n"),
		A(CHUNKED "7\r\n0\r\n\r\nGE\r\n0" END,
		    W_CHUNKED "<0\r\n\r\nGE>\n"),
		A(CHUNKED "1;a\r\nx\r\n0;b=c" END, W_CHUNKED "<x>\n"),
		A(CHUNKED "1 ;\ta =\tb ; c=\"d;\\\"\\\x80 \t\" ;e\r\nx\r\n"
		    "0" END,
		    W_CHUNKED "<x>\n"),
		A(CHUNKED "1;a;bc=de;f\r\nx\r\n0;a=\"\"" END,
		    W_CHUNKED "<x>\n"),
		A(CHUNKED "0\r\nX: y" END, W_CHUNKED "<>\n"),
		A(CHUNKED "1\r\nx\r\n0\r\nX:\r\nY: \x80\t z \r\nX:a" END,
		    W_CHUNKED "<x>\n"),
		A(CHUNKED "0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n"
		    "Host: b" END GET HOST "\r\n",
		    W_CHUNKED "<>\n" W_GET "<>\n"),
		A(CHUNKED "ffffffffffffffff\r\nabc",
		    W_CHUNKED "<abc>\n...\n"),
		A(CHUNKED "5\r\nhello", W_CHUNKED "<hello>\n...\n"),
		A(CHUNKED "5\r\nhello\r\n0\r\n\r", W_CHUNKED "<hello>\n...\n"),
		A(CHUNKED, W_CHUNKED "<>\n...\n")
	};

	(void)state;
	accept_table(table, N(table));
}

static void
test_chunked_reject(void **state)
{
	static const struct reject table[] = {
		/* Sizes. */
		R(400, CHUNKED, "\r\n\r\n"),
		R(400, CHUNKED, "\n"),
		R(400, CHUNKED, " 5\r\nhello\r\n0" END),
		R(400, CHUNKED, "\t5\r\nhello\r\n0" END),
		R(400, CHUNKED, "\x0b" "5\r\nhello\r\n0" END),
		R(400, CHUNKED, "+5\r\nhello\r\n0" END),
		R(400, CHUNKED, "-5\r\nhello\r\n0" END),
		R(400, CHUNKED, "-0" END),
		R(400, CHUNKED, "x5\r\nhello\r\n0" END),
		R(400, CHUNKED "0", "x5\r\nhello\r\n0" END),
		R(400, CHUNKED "0", "X5\r\nhello\r\n0" END),
		R(400, CHUNKED "0", "_0" END),
		R(400, CHUNKED "5", "h\r\nhello\r\n0" END),
		R(400, CHUNKED "5", "g" END),
		R(400, CHUNKED "5", ".0" END),
		R(400, CHUNKED "5", ",5" END),
		R(400, CHUNKED "5", "\0\r\nhello\r\n0" END),
		R(400, CHUNKED "5 ", "5\r\nhello\r\n0" END),
		R(400, CHUNKED "5 ", "\r\nhello\r\n0" END),
		R(400, CHUNKED "5\t ", "\r\nhello\r\n0" END),
		R(400, CHUNKED "5", "\nhello\r\n0" END),
		R(400, CHUNKED "5\r", "hello\r\n0" END),
		R(400, CHUNKED "5\r", "\r\nhello\r\n0" END),
		R(400, CHUNKED, ";a\r\n"),
		R(400, CHUNKED, "hello"),
		R(400, CHUNKED, "\xef\xbc\x95\r\nhello"),
		R(400, CHUNKED, "\0"),
		R(400, CHUNKED "0000000000000005", "5\r\n"),
		R(400, CHUNKED "0000000000000000", "0" END),
		R(400, CHUNKED "1000000000000000", "0\r\n"),
		R(400, CHUNKED "ffffffffffffffff", "f\r\n"),

		/* Extensions. */
		R(400, CHUNKED "5;", "\r\nhello\r\n0" END),
		R(400, CHUNKED "5;", "\nhello\r\n0" END),
		R(400, CHUNKED "2;", "\nxx\r\n4c\r\n0\r\n\r\nGET /admin"),
		R(400, CHUNKED "5;a", "\nhello\r\n0" END),
		R(400, CHUNKED "5;a\r", "b\r\nhello\r\n0" END),
		R(400, CHUNKED "5;a\r", "\r\nhello\r\n0" END),
		R(400, CHUNKED "5;a", "\0\r\nhello"),
		R(400, CHUNKED "5;a=\"", "\0\"\r\nhello"),
		R(400, CHUNKED "5;a=\"", "\r\n\"\r\nhello"),
		R(400, CHUNKED "5;a=\"", "\n\"\r\nhello"),
		R(400, CHUNKED "5;a=\"", "\x7f\"\r\nhello"),
		R(400, CHUNKED "5;a=\"\\", "\r\n"),
		R(400, CHUNKED "5;a=\"\\", "\0"),
		R(400, CHUNKED "5;a=\"b\"", "c\r\n"),
		R(400, CHUNKED "5;a=\"b", "\r\n"),
		R(400, CHUNKED "5;a=", "\r\n"),
		R(400, CHUNKED "5;", "=b\r\n"),
		R(400, CHUNKED "5;", ";b\r\n"),
		R(400, CHUNKED "5;a", "[b\r\n"),
		R(400, CHUNKED "5;a", ",b\r\n"),
		R(400, CHUNKED "5;a ", "b\r\n"),
		R(400, CHUNKED "5;a ", "\r\n"),
		R(400, CHUNKED "5;a=b ", "\r\n"),
		R(400, CHUNKED "5;a=b ", "c\r\n"),
		R(400, CHUNKED "5;a=b", "=c\r\n"),
		R(400, CHUNKED "5 ", "a\r\n"),

		/* Data. */
		R(400, CHUNKED "5\r\nhello", "0" END),
		R(400, CHUNKED "5\r\nhello", "\n0" END),
		R(400, CHUNKED "5\r\nhello", "\0" END),
		R(400, CHUNKED "5\r\nhello\r", "0" END),
		R(400, CHUNKED "5\r\nhello\r", "\r\n0" END),
		R(400, CHUNKED "5\r\nhello", "xx\r\n0" END),
		R(400, CHUNKED "5\r\nhello", " \r\n0" END),
		R(400, CHUNKED "5\r\nhello\r\n", "\r\n0" END),
		R(400, CHUNKED "5\r\nhello\r\n", " 0" END),
		R(400, CHUNKED "1\r\nZ\r\n", "\r\n\r\n" GET HOST "\r\n"),
		R(400, CHUNKED "3\r\nabc", "def\r\n0" END),

		/* The end and the trailer. */
		R(400, CHUNKED "0\r\n", "\n"),
		R(400, CHUNKED "0", "\n\n"),
		R(400, CHUNKED "0\r", "\r\n"),
		R(400, CHUNKED "0\r\n\r", "\r\n"),
		R(400, CHUNKED "0\r\n\r", "X"),
		R(400, CHUNKED "0\r\n", " X: y" END),
		R(400, CHUNKED "0\r\n", ": y" END),
		R(400, CHUNKED "0\r\n", "\0: y" END),
		R(400, CHUNKED "0\r\nX", " : y" END),
		R(400, CHUNKED "0\r\nX", "\r\n\r\n"),
		R(400, CHUNKED "0\r\nX", "\n\r\n"),
		R(400, CHUNKED "0\r\nX: y", "\n\r\n"),
		R(400, CHUNKED "0\r\nX: y\r", "Z: a" END),
		R(400, CHUNKED "0\r\nX: y\r\n", " z" END),
		R(400, CHUNKED "0\r\nX: y\r\n", "\n"),
		R(400, CHUNKED "0\r\nX: ", "\0" END),
		R(400, CHUNKED "0\r\nX: ", "\x7f" END),
		R(400, CHUNKED "0\r\nGET", " / HTTP/1.1\r\n" HOST "\r\n")
	};

	(void)state;
	reject_table(table, N(table));
}

static void
test_pipeline(void **state)
{
	static const struct accept table[] = {
		A(GET HOST "\r\n" GET HOST "\r\n" GET HOST "\r\n",
		    W_GET "<>\n" W_GET "<>\n" W_GET "<>\n"),
		A(CHUNKED "3\r\nabc\r\n0\r\nT: x" END
		    POST "Content-Length: 2" END "de"
		    GET HOST "\r\n" CHUNKED "1\r\nf\r\n0" END "\r\nGET",
		    W_CHUNKED "<abc>\n"
		    "POST2 /p| 1 keep 2\nHost=[a]\nContent-Length=[2]\n<de>\n"
		    W_GET "<>\n" W_CHUNKED "<f>\n...\n")
	};

	(void)state;
	accept_table(table, N(table));
}

/* Every prefix of good input asks for more, or ends between requests. */
static void
test_prefixes(void **state)
{
	static const char	 in[] = "\r\n" CHUNKED
	    "3;a=\"b\"\r\nabc\r\n0\r\nT: x" END
	    "GET http://h:80/a?b HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
	    "Content-Length: 2" END "de" GET HOST "\r\n";
	size_t			 i;
	int			 between = 0;

	(void)state;
	for (i = 1; i < sizeof(in); i++) {
		check_same(in, i);
		assert_null(strchr(one.buf, '!'));
		if (strcmp(one.buf + one.len - 4, "...\n") != 0)
			between++;
	}
	assert_int_equal(between, 3);
}

static size_t
fill(char *buf, const char *before, int c, size_t n, const char *after)
{
	size_t		 len = strlen(before);

	memcpy(buf, before, len);
	memset(buf + len, c, n);
	memcpy(buf + len + n, after, strlen(after));
	return (len + n + strlen(after));
}

static void
expect_end(const char *in, size_t len, const char *want)
{
	check_same(in, len);
	if (one.len < strlen(want) ||
	    strcmp(one.buf + one.len - strlen(want), want) != 0) {
		print_error("wanted %s, got ...%s", want,
		    one.len > 80 ? one.buf + one.len - 80 : one.buf);
		fail();
	}
}

static void
test_limit_line(void **state)
{
	char		 in[2048];
	size_t		 n;

	(void)state;
	n = fill(in, "GET /", 'x', MAXLINE - 14, " HTTP/1.0\r\n\r\n");
	expect_end(in, n, "| 0 close\n<>\n");
	n = fill(in, "GET /", 'x', MAXLINE - 13, " HTTP/1.0\r\n\r\n");
	expect_end(in, n, "!414 request line too long @512\n");
	n = fill(in, "GET /", 'x', MAXLINE, "");
	expect_end(in, n, "!414 request line too long @512\n");
	n = fill(in, "GET /", 'x', MAXLINE - 5, "");
	expect_end(in, n, "...\n");
	/* Empty lines before it do not count. */
	n = fill(in, "\r\n\r\nGET /", 'x', MAXLINE - 14, " HTTP/1.0\r\n\r\n");
	expect_end(in, n, "| 0 close\n<>\n");
	n = fill(in, "\r\n\r\nGET /", 'x', MAXLINE - 13, " HTTP/1.0\r\n\r\n");
	expect_end(in, n, "!414 request line too long @516\n");
}

static void
test_limit_head(void **state)
{
	static const char	 before[] = "GET / HTTP/1.0\r\nX: ";
	char			 in[MAXHEAD + 64];
	size_t			 n, room;

	(void)state;
	room = MAXHEAD - (sizeof(before) - 1) - 4;
	n = fill(in, before, 'x', room, "\r\n\r\n");
	assert_int_equal(n, MAXHEAD);
	expect_end(in, n, "x]\n<>\n");
	/* Known once the limit is reached, not a byte later. */
	n = fill(in, before, 'x', room + 1, "\r\n\r\n");
	expect_end(in, n, "!431 request head too large @4096\n");
	expect_end(in, MAXHEAD, "!431 request head too large @4096\n");
	expect_end(in, MAXHEAD - 1, "...\n");
	n = fill(in, "\r\nGET / HTTP/1.0\r\nX: ", 'x', room - 1, "\r\n\r\n");
	expect_end(in, n, "!431 request head too large @4096\n");
	n = fill(in, "GET / HTTP/1.0\r\n", 'x', MAXHEAD, "");
	expect_end(in, n, "!431 request head too large @4096\n");
}

/* Offsets have 16 bits: the largest head must fit them. */
static void
test_limit_largest(void **state)
{
	struct http_parser	 p;
	const struct http_header *h;
	char			*in;
	size_t			 n;

	(void)state;
	in = malloc(HTTP_MAXHEAD + 64);
	assert_non_null(in);
	n = fill(in, "GET / HTTP/1.0\r\nX: ", 'x', HTTP_MAXHEAD - 23,
	    "\r\n\r\n");
	assert_int_equal(n, HTTP_MAXHEAD);
	http_init(&p, UINT32_MAX, UINT32_MAX);
	assert_int_equal(http_head(&p, in, n), HTTP_OK);
	assert_int_equal(p.head_len, HTTP_MAXHEAD);
	h = http_find(&p, in, "x");
	assert_non_null(h);
	assert_int_equal(h->value.off, 19);
	assert_int_equal(h->value.len, HTTP_MAXHEAD - 23);

	n = fill(in, "GET / HTTP/1.0\r\nX: ", 'x', HTTP_MAXHEAD - 22,
	    "\r\n\r\n");
	http_init(&p, UINT32_MAX, UINT32_MAX);
	assert_int_equal(http_head(&p, in, n), HTTP_ERROR);
	assert_int_equal(p.status, 431);

	n = fill(in, "GET /", 'x', HTTP_MAXHEAD, "");
	http_init(&p, UINT32_MAX, UINT32_MAX);
	assert_int_equal(http_head(&p, in, n), HTTP_ERROR);
	assert_int_equal(p.status, 414);

	http_init(&p, 0, 0);
	assert_int_equal(http_head(&p, in, 0), HTTP_ERROR);
	assert_int_equal(p.status, 431);
	free(in);
}

static void
test_limit_headers(void **state)
{
	char		 in[2048], want[64];
	size_t		 n;
	int		 i;

	(void)state;
	n = fill(in, "GET / HTTP/1.0\r\n", 0, 0, "");
	for (i = 0; i < HTTP_MAXHEADERS; i++)
		n += fill(in + n, "X:y\r\n", 0, 0, "");
	fill(in + n, "\r\n", 0, 0, "");
	expect_end(in, n + 2, "X=[y]\n<>\n");
	fill(in + n, "X:y\r\n\r\n", 0, 0, "");
	(void)snprintf(want, sizeof(want), "!431 too many header lines @%zu\n",
	    n);
	expect_end(in, n + 7, want);
}

static void
test_limit_chunk_line(void **state)
{
	char		 in[1024], want[64];
	size_t		 n;

	(void)state;
	(void)snprintf(want, sizeof(want), "!400 chunk extension too long "
	    "@%zu\n", sizeof(CHUNKED) - 1 + 256);
	n = fill(in, CHUNKED "1;", 'x', 254, "\r\nx\r\n0\r\n\r\n");
	expect_end(in, n, "<x>\n");
	n = fill(in, CHUNKED "1;", 'x', 255, "\r\nx\r\n0\r\n\r\n");
	expect_end(in, n, want);
	n = fill(in, CHUNKED "1", ' ', 256, ";a\r\nx\r\n0\r\n\r\n");
	expect_end(in, n, want);
	n = fill(in, CHUNKED "0;", 'x', 254, "\r\n\r\n");
	expect_end(in, n, "<>\n");
}

static void
test_limit_trailer(void **state)
{
	char		*in, want[64];
	size_t		 n;
	int		 i;

	(void)state;
	in = malloc(16384);
	assert_non_null(in);
	n = fill(in, CHUNKED "0\r\n", 0, 0, "");
	for (i = 0; i < 16; i++)
		n += fill(in + n, "X:y\r\n", 0, 0, "");
	fill(in + n, "\r\n", 0, 0, "");
	expect_end(in, n + 2, "<>\n");
	fill(in + n, "X:y\r\n\r\n", 0, 0, "");
	(void)snprintf(want, sizeof(want), "!431 too many trailer lines @%zu\n",
	    n);
	expect_end(in, n + 7, want);

	n = fill(in, CHUNKED "0\r\nX:", 'x', 8192 - 6, "\r\n\r\n");
	expect_end(in, n, "<>\n");
	n = fill(in, CHUNKED "0\r\nX:", 'x', 8192 - 5, "\r\n\r\n");
	(void)snprintf(want, sizeof(want), "!431 trailer too large @%zu\n",
	    n - 1);
	expect_end(in, n, want);
	free(in);
}

/* Each byte value at each place where it may, or may not, stand. */
static void
test_every_byte(void **state)
{
	static const char	 token[] = "!#$%&'*+-.^_`|~0123456789"
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char			 in[256];
	size_t			 n;
	int			 c, istoken;

	(void)state;
	for (c = 0; c < 256; c++) {
		istoken = c != 0 && strchr(token, c) != NULL;

		n = fill(in, "A", c, 1, " / HTTP/1.0\r\n\r\n");
		check_same(in, n);
		if (c != ' ')
			assert_int_equal(one.buf[0] != '!', istoken);

		n = fill(in, GET HOST "X", c, 1, "y: z\r\n\r\n");
		check_same(in, n);
		assert_int_equal(one.buf[0] != '!', istoken || c == ':');

		n = fill(in, GET HOST "X: y", c, 1, "z\r\n\r\n");
		check_same(in, n);
		assert_int_equal(one.buf[0] != '!',
		    c == '\t' || (c >= 0x20 && c != 0x7f));

		n = fill(in, "GET /", c, 1, "x HTTP/1.0\r\n\r\n");
		check_same(in, n);
		assert_int_equal(one.buf[0] != '!',
		    c > 0x20 && c < 0x7f && c != '#');

		/* A digit makes the size another one. */
		n = fill(in, CHUNKED "1", c, 1, "\r\nx\r\n0\r\n\r\n");
		check_same(in, n);
		if (c == 0 || strchr("0123456789abcdefABCDEF", c) == NULL)
			assert_non_null(strchr(one.buf, '!'));
	}
}

static void
test_misuse(void **state)
{
	struct http_parser	 p;
	const char		*data;
	size_t			 ndata, used;

	(void)state;
	http_init(&p, MAXLINE, MAXHEAD);
	assert_int_equal(http_body(&p, "", 0, &used, &data, &ndata),
	    HTTP_ERROR);
	assert_int_equal(p.status, 500);

	/* What is over stays over. */
	http_init(&p, MAXLINE, MAXHEAD);
	assert_int_equal(http_head(&p, "GET / HTTP/1.0\r\n\r\n", 18), HTTP_OK);
	assert_int_equal(http_head(&p, "GET / HTTP/1.0\r\n\r\n", 18), HTTP_OK);
	assert_int_equal(http_body(&p, NULL, 0, &used, &data, &ndata),
	    HTTP_OK);
	assert_int_equal(http_body(&p, "abc", 3, &used, &data, &ndata),
	    HTTP_OK);
	assert_int_equal(used, 0);
	assert_int_equal(ndata, 0);
}

static void
test_lookup(void **state)
{
	static const char	 in[] = GET HOST
	    "Connection: keep-alive, Upgrade\r\nX-Empty:\r\n"
	    "connection:\t,, TE ,\r\nUpgrade: websocket\r\n"
	    "X: , , ,\r\nSpaced: a b,c" END;
	struct http_parser	 p;
	const struct http_header *h;

	(void)state;
	http_init(&p, MAXLINE, MAXHEAD);
	assert_int_equal(http_head(&p, in, sizeof(in) - 1), HTTP_OK);
	assert_int_equal(p.nheaders, 7);

	h = http_find(&p, in, "CONNECTION");
	assert_ptr_equal(h, &p.headers[1]);
	assert_int_equal(h->value.len, strlen("keep-alive, Upgrade"));
	assert_memory_equal(in + h->value.off, "keep-alive, Upgrade", 19);
	h = http_find(&p, in, "X-Empty");
	assert_non_null(h);
	assert_int_equal(h->value.len, 0);
	assert_null(http_find(&p, in, "Connectio"));
	assert_null(http_find(&p, in, "Connections"));
	assert_null(http_find(&p, in, ""));

	assert_int_equal(http_count(&p, in, "connection"), 2);
	assert_int_equal(http_count(&p, in, "host"), 1);
	assert_int_equal(http_count(&p, in, "none"), 0);

	assert_true(http_has_token(&p, in, "Connection", "upgrade"));
	assert_true(http_has_token(&p, in, "connection", "KEEP-ALIVE"));
	assert_true(http_has_token(&p, in, "connection", "te"));
	assert_false(http_has_token(&p, in, "connection", "keep"));
	assert_false(http_has_token(&p, in, "connection", "alive"));
	assert_false(http_has_token(&p, in, "connection", "upgraded"));
	assert_false(http_has_token(&p, in, "connection", ""));
	assert_false(http_has_token(&p, in, "x-empty", ""));
	assert_false(http_has_token(&p, in, "x-empty", "a"));
	assert_false(http_has_token(&p, in, "x", "x"));
	assert_true(http_has_token(&p, in, "upgrade", "WebSocket"));
	assert_true(http_has_token(&p, in, "spaced", "c"));
	assert_false(http_has_token(&p, in, "spaced", "a"));
	assert_false(http_has_token(&p, in, "spaced", "b"));
	assert_false(http_has_token(&p, in, "none", "x"));
}

static void
test_query(void **state)
{
	static const struct {
		const char	*query;
		size_t		 len;
		long		 want;
		const char	*value;
	} table[] = {
#define Q(query, want, value)	{ query, sizeof(query) - 1, want, value }
		Q("", -1, ""),
		Q("&", -1, ""),
		Q("&&&", -1, ""),
		Q("token", 0, ""),
		Q("token=", 0, ""),
		Q("token&token=a", 0, ""),
		Q("token=abc", 3, "abc"),
		Q("a=b&token=abc", 3, "abc"),
		Q("a=b&&token=abc&c", 3, "abc"),
		Q("token=a&token=b", 1, "a"),
		Q("atoken=x&tokenb=y&toke=z", -1, ""),
		Q("Token=x", -1, ""),
		Q("=token", -1, ""),
		Q("a=token=b", -1, ""),
		Q("token=a=b", 3, "a=b"),
		Q("token=a;b", 3, "a;b"),
		Q("token=%41", 1, "A"),
		Q("token=%4a%4A", 2, "JJ"),
		Q("token=a+b%2B", 4, "a b+"),
		Q("token=%00a%00", 3, "\0a\0"),
		Q("token=%", 1, "%"),
		Q("token=%4", 2, "%4"),
		Q("token=%4&x", 2, "%4"),
		Q("token=%&41", 1, "%"),
		Q("token=%g1%1g", 6, "%g1%1g"),
		Q("token=%%41", 2, "%A"),
		Q("token=%4%41", 3, "%4A"),
		Q("token=%ff%80", 2, "\xff\x80"),
		Q("token=%26%3D", 2, "&="),
		Q("token=?/", 2, "?/"),
		Q("%74oken=x", 1, "x"),
		Q("to%6Be%6e=x", 1, "x"),
		Q("token%00=x", -1, ""),
		Q("token%=x", -1, ""),
		Q("%74oken", 0, ""),
		Q("token%3D=x", -1, ""),
		Q("token%3Dx", -1, ""),
		Q("+token=x", -1, ""),
		Q("token=0123456789", 10, "01234567")
#undef Q
	};
	char		*query;
	uint8_t		 out[9];
	size_t		 i, n;

	(void)state;
	for (i = 0; i < N(table); i++) {
		query = copy(table[i].query, table[i].len);
		memset(out, 0xee, sizeof(out));
		assert_int_equal(http_query_param(query, table[i].len, "token",
		    out, 8), table[i].want);
		n = table[i].want < 0 ? 0 : table[i].want < 8 ?
		    (size_t)table[i].want : 8;
		assert_memory_equal(out, table[i].value, n);
		assert_int_equal(out[n], 0xee);
		assert_int_equal(http_query_param(query, table[i].len, "token",
		    NULL, 0), table[i].want);
		free(query);
	}
	assert_int_equal(http_query_param(NULL, 0, "x", NULL, 0), -1);
	assert_int_equal(http_query_param("a+b=1", 5, "a b", out, 8), 1);
	assert_int_equal(http_query_param("a\0b=1", 5, "a", out, 8), -1);
}

static void
test_reason(void **state)
{
	static const int	 ours[] = { 400, 414, 417, 431, 501, 505 };
	size_t			 i;

	(void)state;
	assert_string_equal(http_reason(101), "Switching Protocols");
	assert_string_equal(http_reason(200), "OK");
	assert_string_equal(http_reason(426), "Upgrade Required");
	assert_string_equal(http_reason(503), "Service Unavailable");
	assert_string_equal(http_reason(299), "Unknown");
	assert_string_equal(http_reason(-1), "Unknown");
	for (i = 0; i < N(ours); i++)
		assert_string_not_equal(http_reason(ours[i]), "Unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line_accept),
		cmocka_unit_test(test_line_reject),
		cmocka_unit_test(test_header_accept),
		cmocka_unit_test(test_header_reject),
		cmocka_unit_test(test_host_reject),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_coding),
		cmocka_unit_test(test_chunked_accept),
		cmocka_unit_test(test_chunked_reject),
		cmocka_unit_test(test_pipeline),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_limit_line),
		cmocka_unit_test(test_limit_head),
		cmocka_unit_test(test_limit_largest),
		cmocka_unit_test(test_limit_headers),
		cmocka_unit_test(test_limit_chunk_line),
		cmocka_unit_test(test_limit_trailer),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_reason)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
