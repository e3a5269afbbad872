/* Of all that is in a header, only what proxies of ours wrote counts. */
#include <sys/types.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forwarded.h"

#define PROXY	"10.0.0.1"
#define CLIENT	"192.0.2.7"

static struct network	trusted[3];

static int
setup(void **state)
{
	const char	*reason;

	(void)state;
	return (network_parse("10.0.0.0/8", &trusted[0], &reason) |
	    network_parse("fd00::/8", &trusted[1], &reason) |
	    network_parse("unix", &trusted[2], &reason));
}

/* PORT 0: none was said. */
static void
check_lines(enum forwarded_kind kind, const char *peer,
    const char *const *lines, size_t n, const char *want, uint16_t port)
{
	struct conn_addr	 a;
	struct forwarded	 f;
	char			*copy, buf[INET6_ADDRSTRLEN];
	size_t			 len;
	int			 more = 1;

	assert_int_equal(network_node(peer, strlen(peer), &a), 0);
	forwarded_init(&f, kind, trusted, 3, &a);
	while (n-- > 0 && more) {
		/* No byte beyond its length may be looked at. */
		len = strlen(lines[n]);
		assert_non_null(copy = malloc(len == 0 ? 1 : len));
		memcpy(copy, lines[n], len);
		more = forwarded_line(&f, copy, len);
		free(copy);
	}
	assert_non_null(inet_ntop(f.addr.family, f.addr.ip, buf, sizeof(buf)));
	assert_string_equal(buf, want);
	assert_int_equal(f.addr.port, port);
}

static void
check(enum forwarded_kind kind, const char *line, const char *want,
    uint16_t port)
{
	check_lines(kind, PROXY, &line, 1, want, port);
}

static void
test_x(void **state)
{
	static const struct {
		const char	*line;
		const char	*want;
		uint16_t	 port;
	} cases[] = {
		{ CLIENT, CLIENT, 0 },
		{ "  " CLIENT "\t", CLIENT, 0 },
		{ CLIENT ":4711", CLIENT, 4711 },
		{ "2001:db8::7", "2001:db8::7", 0 },
		{ "[2001:db8::7]", "2001:db8::7", 0 },
		{ "[2001:db8::7]:80", "2001:db8::7", 80 },
		{ "::ffff:" CLIENT, CLIENT, 0 },
		/* What the client made up has no say. */
		{ "203.0.113.1, " CLIENT, CLIENT, 0 },
		{ "10.0.0.9, " CLIENT, CLIENT, 0 },
		{ "\", " CLIENT, CLIENT, 0 },
		{ "rubbish,,,\x01\xff," CLIENT, CLIENT, 0 },
		/* Proxies behind proxies. */
		{ CLIENT ", 10.0.0.3", CLIENT, 0 },
		{ "203.0.113.1, " CLIENT ",10.0.0.3 , fd00::5", CLIENT, 0 },
		{ "10.0.0.2, 10.0.0.3", "10.0.0.2", 0 },
		/* Empty elements are none. */
		{ "", PROXY, 0 },
		{ " , ,\t, ", PROXY, 0 },
		{ CLIENT ", , 10.0.0.3,", CLIENT, 0 },
		/* What can't be read ends it, with the last proxy known. */
		{ "unknown", PROXY, 0 },
		{ "unix:", PROXY, 0 },
		{ CLIENT ", unknown", PROXY, 0 },
		{ CLIENT ", unknown, 10.0.0.3", "10.0.0.3", 0 },
		{ CLIENT " 10.0.0.3", PROXY, 0 },
		{ CLIENT ";", PROXY, 0 },
		{ "for=" CLIENT, PROXY, 0 },
		{ "\"" CLIENT "\"", PROXY, 0 },
		{ CLIENT ":", PROXY, 0 }
	};
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(FORWARDED_X, cases[i].line, cases[i].want,
		    cases[i].port);
}

static void
test_rfc7239(void **state)
{
	static const struct {
		const char	*line;
		const char	*want;
		uint16_t	 port;
	} cases[] = {
		{ "for=" CLIENT, CLIENT, 0 },
		{ "For=\"" CLIENT "\"", CLIENT, 0 },
		{ "FOR=\"" CLIENT ":4711\"", CLIENT, 4711 },
		{ "for=\"[2001:db8::7]\"", "2001:db8::7", 0 },
		{ "for=\"[2001:db8::7]:4711\"", "2001:db8::7", 4711 },
		{ "for=\"[2001:db8::7]:_port\"", "2001:db8::7", 0 },
		{ "for=\"\\1\\92.0.2.7\"", CLIENT, 0 },
		{ "for=" CLIENT ";proto=https;by=10.0.0.1", CLIENT, 0 },
		{ "by=10.0.0.1;for=" CLIENT " ; host=\"a,b;\\\"c\"", CLIENT,
		    0 },
		{ ";;for=" CLIENT ";", CLIENT, 0 },
		{ "for=203.0.113.1, for=" CLIENT, CLIENT, 0 },
		{ "for=" CLIENT ", for=10.0.0.3;proto=http", CLIENT, 0 },
		{ "for=" CLIENT ";host=\"x, for=203.0.113.1\"", CLIENT, 0 },
		/* What the client made up has no say: open quotes neither. */
		{ "for=\", for=" CLIENT, CLIENT, 0 },
		{ "for=\"\\, for=" CLIENT, CLIENT, 0 },
		{ "for=\"x, for=" CLIENT ", for=10.0.0.3", CLIENT, 0 },
		{ "\\\\\\\"\"\", for=\"" CLIENT "\"", CLIENT, 0 },
		/* What can't be read, and what says nothing. */
		{ "for=unknown", PROXY, 0 },
		{ "for=_secret", PROXY, 0 },
		{ "for=" CLIENT ", for=unknown", PROXY, 0 },
		{ "for=" CLIENT ", for=_hidden, for=10.0.0.3", "10.0.0.3", 0 },
		{ "proto=https", PROXY, 0 },
		{ "for=" CLIENT ", proto=https", PROXY, 0 },
		{ "for=[2001:db8::7]", PROXY, 0 },
		{ "for=" CLIENT ":80", PROXY, 0 },
		{ "for=", PROXY, 0 },
		{ "for=\"\"", PROXY, 0 },
		{ "for", PROXY, 0 },
		{ "=" CLIENT, PROXY, 0 },
		{ CLIENT, PROXY, 0 },
		{ "for =" CLIENT, PROXY, 0 },
		{ "for= " CLIENT, PROXY, 0 },
		{ "for=" CLIENT " proto=http", PROXY, 0 },
		{ "for=" CLIENT ";proto", PROXY, 0 },
		{ "for=" CLIENT ";for=203.0.113.1", PROXY, 0 },
		{ "for=\"" CLIENT, PROXY, 0 },
		{ "for=\"" CLIENT "\\\"", PROXY, 0 },
		{ "for=" CLIENT "\"", PROXY, 0 },
		{ "for=\"" CLIENT "\"x", PROXY, 0 },
		{ "for=\"" CLIENT "                                           "
		    "                    \"", PROXY, 0 },
		{ "", PROXY, 0 },
		{ ", ,", PROXY, 0 }
	};
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(FORWARDED_RFC7239, cases[i].line, cases[i].want,
		    cases[i].port);
}

static void
test_lines(void **state)
{
	static const char *const	last[] = { "203.0.113.1", CLIENT };
	static const char *const	chain[] = {
		"203.0.113.1", CLIENT, "10.0.0.2, 10.0.0.3", ""
	};
	static const char *const	broken[] = {
		"203.0.113.1", "10.0.0.2, unknown, 10.0.0.3"
	};
	static const char *const	quotes[] = {
		"for=\"", "for=" CLIENT, "for=\"10.0.0.3\""
	};

	(void)state;
	check_lines(FORWARDED_X, PROXY, last, 2, CLIENT, 0);
	check_lines(FORWARDED_X, PROXY, chain, 4, CLIENT, 0);
	check_lines(FORWARDED_X, PROXY, broken, 2, "10.0.0.3", 0);
	check_lines(FORWARDED_RFC7239, PROXY, quotes, 3, CLIENT, 0);
	check_lines(FORWARDED_X, PROXY, NULL, 0, PROXY, 0);
}

static void
test_strangers(void **state)
{
	static const char *const	line[] = { CLIENT };
	struct conn_addr		 unixpeer = { .family = AF_UNIX };
	struct forwarded		 f;

	(void)state;
	check_lines(FORWARDED_X, "203.0.113.5", line, 1, "203.0.113.5", 0);
	check_lines(FORWARDED_X, "203.0.113.5:80", line, 1, "203.0.113.5", 80);
	check_lines(FORWARDED_NONE, PROXY, line, 1, PROXY, 0);
	check_lines(FORWARDED_X, "fd00::1", line, 1, CLIENT, 0);
	forwarded_init(&f, FORWARDED_X, trusted, 3, &unixpeer);
	assert_int_equal(forwarded_line(&f, CLIENT, strlen(CLIENT)), 0);
	assert_int_equal(f.addr.family, AF_INET);
	forwarded_init(&f, FORWARDED_X, trusted, 2, &unixpeer);
	assert_int_equal(forwarded_line(&f, CLIENT, strlen(CLIENT)), 0);
	assert_int_equal(f.addr.family, AF_UNIX);
}

/* The client is there, but behind more than are looked at. */
static void
test_bound(void **state)
{
	char	line[32 * (FORWARDED_MAX + 2)];
	size_t	n;
	int	proxies, i;

	(void)state;
	for (proxies = 0; proxies < FORWARDED_MAX + 2; proxies++) {
		n = (size_t)snprintf(line, sizeof(line), CLIENT);
		for (i = proxies; i > 0; i--)
			n += (size_t)snprintf(line + n, sizeof(line) - n,
			    ", 10.0.0.%d", 100 + i);
		check(FORWARDED_X, line, proxies < FORWARDED_MAX ? CLIENT :
		    "10.0.0.164", 0);
	}
	/* Empty ones count, too. */
	n = (size_t)snprintf(line, sizeof(line), CLIENT);
	memset(line + n, ',', FORWARDED_MAX);
	line[n + FORWARDED_MAX] = '\0';
	check(FORWARDED_X, line, PROXY, 0);
	line[n + FORWARDED_MAX - 1] = '\0';
	check(FORWARDED_X, line, CLIENT, 0);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_x),
		cmocka_unit_test(test_rfc7239),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_bound)
	};

	return (cmocka_run_group_tests(tests, setup, NULL));
}
