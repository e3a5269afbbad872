/* The PROXY protocol's header: good ones, bad ones, in pieces. */
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

#include "proxy_protocol.h"
#include "random.h"

#define V2	"\r\n\r\n\0\r\nQUIT\n"
#define IP4	"\xc0\x00\x02\x01" "\x0a\x00\x00\x01" "\x12\x34" "\x00\x50"
#define SRC6	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
#define DST6	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
#define MAPPED6	"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x09"
#define PORTS	"\x12\x34" "\x01\xbb"

#define BYTES(s)	(s), sizeof(s) - 1

/* IP NULL: the socket's own address counts. */
static void
check(const void *data, size_t len, const char *ip, uint16_t port)
{
	struct proxy_header	 h;
	struct conn_addr	 want;
	uint8_t			*copy;
	size_t			 i;

	memset(&want, 0, sizeof(want));
	if (ip != NULL) {
		want.family = strchr(ip, ':') != NULL ? AF_INET6 : AF_INET;
		assert_int_equal(inet_pton(want.family, ip, want.ip), 1);
		want.port = port;
	}
	/* Byte by byte, and no byte beyond. */
	for (i = 0; i < len; i++) {
		assert_non_null(copy = malloc(i == 0 ? 1 : i));
		memcpy(copy, data, i);
		assert_int_equal(proxy_protocol(copy, i, &h), PROXY_AGAIN);
		free(copy);
	}
	assert_non_null(copy = malloc(len + 9));
	memcpy(copy, data, len);
	memcpy(copy + len, "GET / \r\n", 9);
	for (i = 0; i <= 9; i += 9) {
		assert_int_equal(proxy_protocol(copy, len + i, &h), PROXY_OK);
		assert_int_equal(h.used, len);
		assert_memory_equal(&h.addr, &want, sizeof(want));
	}
	free(copy);
}

static void
test_v1(void **state)
{
	(void)state;
	check(BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n"),
	    "192.0.2.1", 56324);
	check(BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 "
	    "65535\r\n"), "255.255.255.255", 65535);
	check(BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 0 0\r\n"), "192.0.2.1", 0);
	check(BYTES("PROXY TCP6 2001:db8::7 ::1 1 443\r\n"), "2001:db8::7", 1);
	check(BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
	check(BYTES("PROXY TCP6 ::ffff:192.0.2.9 ::1 1 443\r\n"),
	    "192.0.2.9", 1);
}

static void
test_v1_unknown(void **state)
{
	(void)state;
	check(BYTES("PROXY UNKNOWN\r\n"), NULL, 0);
	check(BYTES("PROXY UNKNOWN \r\n"), NULL, 0);
	check(BYTES("PROXY UNKNOWN whatever  there may be\r\n"), NULL, 0);
	/* The longest line that there is: 107 bytes. */
	check(BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
	    NULL, 0);
}

static void
test_v2(void **state)
{
	(void)state;
	check(BYTES(V2 "\x21\x11\0\x0c" IP4), "192.0.2.1", 0x1234);
	check(BYTES(V2 "\x21\x21\0\x24" SRC6 DST6 PORTS), "2001:db8::7",
	    0x1234);
	check(BYTES(V2 "\x21\x21\0\x24" MAPPED6 DST6 PORTS), "192.0.2.9",
	    0x1234);
	/* With what follows the addresses: two TLVs; and no TLV at all. */
	check(BYTES(V2 "\x21\x11\0\x17" IP4 "\x04\0\x02xx\x05\0\x03idn"),
	    "192.0.2.1", 0x1234);
	check(BYTES(V2 "\x21\x11\0\x0d" IP4 "\xff"), "192.0.2.1", 0x1234);
	check(BYTES(V2 "\x21\x21\0\x28" SRC6 DST6 PORTS "\x04\0\x01x"),
	    "2001:db8::7", 0x1234);
}

static void
test_v2_no_address(void **state)
{
	static uint8_t	buf[PROXY_V2_MAX];

	(void)state;
	/* LOCAL, whatever its family is said to be. */
	check(BYTES(V2 "\x20\x00\0\0"), NULL, 0);
	check(BYTES(V2 "\x20\x11\0\x0c" IP4), NULL, 0);
	check(BYTES(V2 "\x20\xff\0\x04tlvs"), NULL, 0);
	/* Unspecified, and what a TCP connection is no relay of. */
	check(BYTES(V2 "\x21\x00\0\0"), NULL, 0);
	check(BYTES(V2 "\x21\x00\0\x05hello"), NULL, 0);
	check(BYTES(V2 "\x21\x01\0\0"), NULL, 0);
	check(BYTES(V2 "\x21\x10\0\x0c" IP4), NULL, 0);
	check(BYTES(V2 "\x21\x12\0\x0c" IP4), NULL, 0);
	check(BYTES(V2 "\x21\x22\0\0"), NULL, 0);
	/* Unix sockets. */
	memcpy(buf, V2 "\x21\x31\0\xd8", 16);
	check(buf, 16 + 216, NULL, 0);
	/* The longest that there may be. */
	memcpy(buf, V2 "\x20\0\x10\0", 16);
	check(buf, sizeof(buf), NULL, 0);
}

static void
test_bad(void **state)
{
	static const struct {
		const char	*data;
		size_t		 len;
	} bad[] = {
		/* Other protocols. */
		{ BYTES("GET / HTTP/1.1\r\n") },
		{ BYTES("POST /publish") },
		{ BYTES("P O") },
		{ BYTES("\x16\x03\x01\x02\0\x01") },
		{ BYTES("proxy TCP4") },
		{ BYTES("PROXY\t") },
		{ BYTES("PROXY\r\n") },
		{ BYTES("PROXYTCP4") },
		{ BYTES(" PROXY TCP4") },
		{ BYTES("\r\nPROXY TCP4") },
		{ BYTES("\0") },
		/* Lines. */
		{ BYTES("PROXY \r\n") },
		{ BYTES("PROXY TCP4\r\n") },
		{ BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 1 2\n") },
		{ BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 1 2\r ") },
		{ BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 1 2\r\r\n") },
		{ BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 1 \0002\r\n") },
		{ BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 1\r\n") },
		{ BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 1 2 3\r\n") },
		{ BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 1 2 \r\n") },
		{ BYTES("PROXY TCP4  192.0.2.1 10.0.0.1 1 2\r\n") },
		{ BYTES("PROXY TCP4 192.0.2.1  10.0.0.1 1 2\r\n") },
		{ BYTES("PROXY  TCP4 192.0.2.1 10.0.0.1 1 2\r\n") },
		{ BYTES("PROXY TCP4\t192.0.2.1 10.0.0.1 1 2\r\n") },
		{ BYTES("PROXY tcp4 192.0.2.1 10.0.0.1 1 2\r\n") },
		{ BYTES("PROXY TCP5 192.0.2.1 10.0.0.1 1 2\r\n") },
		{ BYTES("PROXY UDP4 192.0.2.1 10.0.0.1 1 2\r\n") },
		{ BYTES("PROXY UNKNOWN2\r\n") },
		{ BYTES("PROXY TCP4 2001:db8::1 10.0.0.1 1 2\r\n") },
		{ BYTES("PROXY TCP6 192.0.2.1 ::1 1 2\r\n") },
		{ BYTES("PROXY TCP4 192.0.2.1 nowhere 1 2\r\n") },
		{ BYTES("PROXY TCP4 192.0.2.256 10.0.0.1 1 2\r\n") },
		{ BYTES("PROXY TCP4 192.0.2.01 10.0.0.1 1 2\r\n") },
		{ BYTES("PROXY TCP4 192.0.2 10.0.0.1 1 2\r\n") },
		{ BYTES("PROXY TCP6 ::1%lo ::1 1 2\r\n") },
		{ BYTES("PROXY TCP6 [::1] ::1 1 2\r\n") },
		{ BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 65536 2\r\n") },
		{ BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 1 100000\r\n") },
		{ BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 01 2\r\n") },
		{ BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 -1 2\r\n") },
		{ BYTES("PROXY TCP4 192.0.2.1 10.0.0.1 1 0x2\r\n") },
		/* 108 bytes, and no end in sight. */
		{ BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
		    "655350\r\n") },
		{ BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
		    "6553500") },
		/* Version 2. */
		{ BYTES("\r\n\r\n\0\r\nQUIT\r") },
		{ BYTES("\r\n\r\nGET") },
		{ BYTES(V2 "\x11") },
		{ BYTES(V2 "\x31") },
		{ BYTES(V2 "\x22") },
		{ BYTES(V2 "\x2f") },
		{ BYTES(V2 "\x21\x41") },
		{ BYTES(V2 "\x21\x13") },
		{ BYTES(V2 "\x21\x1f") },
		{ BYTES(V2 "\x21\xf1") },
		{ BYTES(V2 "\x21\x11\x10\x01") },
		{ BYTES(V2 "\x20\x00\xff\xff") },
		{ BYTES(V2 "\x21\x11\0\0") },
		{ BYTES(V2 "\x21\x11\0\x0b" "12345678901") },
		{ BYTES(V2 "\x21\x21\0\x0c" IP4) },
		{ BYTES(V2 "\x21\x21\0\x23" SRC6 DST6 "abc") }
	};
	struct proxy_header	 h;
	size_t			 i, n;
	int			 failed;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		/* Once it is wrong, more bytes don't make it right. */
		for (n = 0, failed = 0; n <= bad[i].len; n++) {
			switch (proxy_protocol((const uint8_t *)bad[i].data, n,
			    &h)) {
			case PROXY_AGAIN:
				assert_false(failed);
				break;
			case PROXY_OK:
				fail_msg("number %zu is taken", i);
				break;
			case PROXY_ERROR:
				assert_non_null(h.reason);
				failed = 1;
				break;
			}
		}
		if (!failed)
			fail_msg("number %zu is waited for", i);
	}
}

/* What isn't one is known at its first byte. */
static void
test_first_byte(void **state)
{
	struct proxy_header	 h;
	uint8_t			 c;
	unsigned		 i;

	(void)state;
	for (i = 0; i < 256; i++) {
		c = (uint8_t)i;
		assert_int_equal(proxy_protocol(&c, 1, &h),
		    c == 'P' || c == '\r' ? PROXY_AGAIN : PROXY_ERROR);
	}
}

/* A good one with a byte changed: an end is found within its bounds. */
static void
test_mutations(void **state)
{
	static const char	v1[] =
	    "PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n";
	static const char	v2[] = V2 "\x21\x11\0\x0c" IP4;
	static uint8_t		buf[PROXY_V2_MAX];
	struct proxy_header	h;
	unsigned		i;
	size_t			n;

	(void)state;
	for (i = 0; i < 20000; i++) {
		memset(buf, 'x', sizeof(buf));
		n = i % 2 ? sizeof(v1) - 1 : sizeof(v2) - 1;
		memcpy(buf, i % 2 ? v1 : v2, n);
		buf[random32() % n] = (uint8_t)random32();
		assert_int_not_equal(proxy_protocol(buf, sizeof(buf), &h),
		    PROXY_AGAIN);
		assert_true(h.used <= sizeof(buf));
	}
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_v1),
		cmocka_unit_test(test_v1_unknown),
		cmocka_unit_test(test_v2),
		cmocka_unit_test(test_v2_no_address),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_first_byte),
		cmocka_unit_test(test_mutations)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
