/* Networks as they are written, what lies in them, and addresses of proxies. */
#include <sys/types.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "network.h"
#include "random.h"

static struct conn_addr
address(const char *text)
{
	struct conn_addr	a;

	memset(&a, 0, sizeof(a));
	if (strcmp(text, "unix") == 0)
		a.family = AF_UNIX;
	else {
		a.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
		assert_int_equal(inet_pton(a.family, text, a.ip), 1);
	}
	return (a);
}

static int
matches(const char *net, const char *addr)
{
	struct network		 n;
	struct conn_addr	 a = address(addr);
	const char		*reason;

	assert_int_equal(network_parse(net, &n, &reason), 0);
	return (network_match(&n, 1, &a));
}

static void
test_format(void **state)
{
	static const char *const	same[] = {
		"unix", "127.0.0.1", "192.0.2.0/24", "10.0.0.0/8",
		"128.0.0.0/1", "2001:db8::/32", "::1", "fe80::/10", "8000::/1"
	};
	static const char *const	other[][2] = {
		{ "192.0.2.1/32", "192.0.2.1" },
		{ "2001:DB8:0:0::1/128", "2001:db8::1" },
		{ "::ffff:192.0.2.0/120", "192.0.2.0/24" },
		{ "::ffff:192.0.2.1", "192.0.2.1" }
	};
	struct network	 n;
	const char	*reason;
	char		 buf[NETWORK_MAXTEXT];
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		assert_int_equal(network_parse(same[i], &n, &reason), 0);
		assert_string_equal(network_format(&n, buf, sizeof(buf)),
		    same[i]);
	}
	for (i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		assert_int_equal(network_parse(other[i][0], &n, &reason), 0);
		assert_string_equal(network_format(&n, buf, sizeof(buf)),
		    other[i][1]);
	}
}

static void
test_bad(void **state)
{
	static const char *const	bad[] = {
		"", "/", "/8", "unix/8", "Unix", "unix:", "localhost", "*",
		"192.0.2", "192.0.2.0.1", "192.0.2.256", "192.0.2.1 ",
		"192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/+8",
		"192.0.2.0/024", "192.0.2.0/ 24", "192.0.2.0/24/",
		"192.0.2.0/255.255.255.0", "192.0.2.1/24", "0.0.0.0/0",
		"::/0", "2001:db8::1/32", "2001:db8::/129", "[::1]", "::1%lo",
		":::", "192.0.2.0/99999999999999999999", "::ffff:0.0.0.0/96",
		"2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0"
	};
	struct network	 n;
	const char	*reason;
	size_t		 i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		reason = NULL;
		if (network_parse(bad[i], &n, &reason) != -1)
			fail_msg("\"%s\" is taken", bad[i]);
		assert_non_null(reason);
	}
}

static void
test_match(void **state)
{
	(void)state;
	assert_true(matches("192.0.2.0/24", "192.0.2.0"));
	assert_true(matches("192.0.2.0/24", "192.0.2.255"));
	assert_false(matches("192.0.2.0/24", "192.0.3.0"));
	assert_false(matches("192.0.2.0/24", "192.0.1.255"));
	assert_true(matches("192.0.2.128/25", "192.0.2.128"));
	assert_false(matches("192.0.2.128/25", "192.0.2.127"));
	assert_true(matches("192.0.2.1", "192.0.2.1"));
	assert_false(matches("192.0.2.1", "192.0.2.0"));
	assert_true(matches("128.0.0.0/1", "255.0.0.1"));
	assert_false(matches("128.0.0.0/1", "127.0.0.1"));
	assert_true(matches("2001:db8::/32", "2001:db8:ffff::1"));
	assert_false(matches("2001:db8::/32", "2001:db9::1"));
	assert_true(matches("2001:db8::8000/113", "2001:db8::ffff"));
	assert_false(matches("2001:db8::8000/113", "2001:db8::7fff"));
	assert_true(matches("::1", "::1"));
	assert_false(matches("::1", "::"));
	/* One address, two ways to write it. */
	assert_true(matches("192.0.2.0/24", "::ffff:192.0.2.7"));
	assert_true(matches("::ffff:192.0.2.0/120", "192.0.2.7"));
	assert_true(matches("::ffff:192.0.2.0/120", "::ffff:192.0.2.7"));
	assert_false(matches("192.0.2.0/24", "::192.0.2.7"));
	/* Of another family. */
	assert_true(matches("unix", "unix"));
	assert_false(matches("unix", "127.0.0.1"));
	assert_false(matches("128.0.0.0/1", "8000::1"));
	assert_false(matches("8000::/1", "128.0.0.1"));
	assert_false(matches("127.0.0.1", "unix"));
}

static void
test_match_many(void **state)
{
	struct network		 n[2];
	struct conn_addr	 a = address("10.1.1.1");
	const char		*reason;

	(void)state;
	assert_int_equal(network_parse("::1", &n[0], &reason), 0);
	assert_int_equal(network_parse("10.0.0.0/8", &n[1], &reason), 0);
	assert_true(network_match(n, 2, &a));
	assert_false(network_match(n, 1, &a));
	assert_false(network_match(NULL, 0, &a));
}

/* Bit by bit, against a plain loop. */
static void
test_match_random(void **state)
{
	struct network		 n;
	struct conn_addr	 a;
	unsigned		 i, j, bit, same;

	(void)state;
	for (i = 0; i < 20000; i++) {
		memset(&n, 0, sizeof(n));
		memset(&a, 0, sizeof(a));
		n.family = a.family = AF_INET6;
		n.bits = (uint8_t)(1 + random32() % 128);
		for (j = 0; j < 16; j++)
			n.ip[j] = a.ip[j] = (uint8_t)random32();
		bit = random32() % 128;
		a.ip[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		same = bit >= n.bits;
		assert_int_equal(network_match(&n, 1, &a), same);
	}
}

static void
test_node(void **state)
{
	static const struct {
		const char	*text;
		const char	*ip;
		uint16_t	 port;
	} good[] = {
		{ "192.0.2.1", "192.0.2.1", 0 },
		{ "192.0.2.1:80", "192.0.2.1", 80 },
		{ "192.0.2.1:65535", "192.0.2.1", 65535 },
		{ "192.0.2.1:_gazonk", "192.0.2.1", 0 },
		{ "2001:db8::1", "2001:db8::1", 0 },
		{ "[2001:db8::1]", "2001:db8::1", 0 },
		{ "[2001:db8::1]:4711", "2001:db8::1", 4711 },
		{ "[2001:db8::1]:_x", "2001:db8::1", 0 },
		{ "::ffff:192.0.2.1", "192.0.2.1", 0 },
		{ "[::ffff:192.0.2.1]:8", "192.0.2.1", 8 }
	};
	static const char *const	bad[] = {
		"", ":", ":80", "unknown", "_hidden", "unix:", "localhost",
		"192.0.2.1:", "192.0.2.1:_", "192.0.2.1:65536",
		"192.0.2.1:123456", "192.0.2.1:8a", "192.0.2.1:-1",
		"[192.0.2.1]", "[192.0.2.1]:80", "[2001:db8::1",
		"[2001:db8::1]x", "[2001:db8::1]:", "[]", "[", "]", "[]:80",
		"2001:db8::1]:80", "fe80::1%eth0", "192.0.2.1 ", " 192.0.2.1",
		"192.0.2.01", "0x7f.1", "127.1", "192.0.2.1/32",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"
	};
	struct conn_addr	 a, want;
	char			 nul[] = "192.0.2.1\0:80";
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(network_node(good[i].text,
		    strlen(good[i].text), &a), 0);
		want = address(good[i].ip);
		want.port = good[i].port;
		assert_memory_equal(&a, &want, sizeof(a));
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (network_node(bad[i], strlen(bad[i]), &a) != -1)
			fail_msg("\"%s\" is taken", bad[i]);
	assert_int_equal(network_node(nul, sizeof(nul) - 1, &a), -1);
	/* Not a byte beyond its length is looked at. */
	assert_int_equal(network_node("192.0.2.19", 9, &a), 0);
	want = address("192.0.2.1");
	assert_memory_equal(&a, &want, sizeof(a));
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_match_many),
		cmocka_unit_test(test_match_random),
		cmocka_unit_test(test_node)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
