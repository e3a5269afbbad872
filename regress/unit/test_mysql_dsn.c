/* DSNs as the MySQL driver for Go reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mysql_dsn.h"

#define NITEMS(x)	(sizeof(x) / sizeof((x)[0]))

static struct mysql_dsn	dsn;
static char		err[256];

static void
good(const char *text)
{
	memset(&dsn, 0xff, sizeof(dsn));
	if (mysql_dsn_parse(text, &dsn, err, sizeof(err)) == -1)
		fail_msg("%s: %s", text, err);
	assert_int_equal(mysql_dsn_check(text, err, sizeof(err)), 0);
}

/* Refused in words that hold none of what is secret. */
static void
bad(const char *text, const char *why)
{
	struct mysql_dsn	none;

	err[0] = '\0';
	if (mysql_dsn_parse(text, &dsn, err, sizeof(err)) != -1)
		fail_msg("%s: accepted", text);
	if (strstr(err, why) == NULL)
		fail_msg("%s: \"%s\" has no \"%s\"", text, err, why);
	assert_null(strstr(err, "s3cret"));
	memset(&none, 0, sizeof(none));
	assert_memory_equal(&dsn, &none, sizeof(dsn));
	assert_int_equal(mysql_dsn_check(text, err, sizeof(err)), -1);
}

static void
tcp(const char *text, const char *host, unsigned int port)
{
	good(text);
	assert_string_equal(dsn.host, host);
	assert_int_equal(dsn.port, port);
	assert_string_equal(dsn.socket, "");
}

static void
test_forms(void **state)
{
	(void)state;
	good("user:s3cret@tcp(db1:3307)/echoCTF?timeout=1s");
	assert_string_equal(dsn.user, "user");
	assert_string_equal(dsn.password, "s3cret");
	assert_string_equal(dsn.host, "db1");
	assert_int_equal(dsn.port, 3307);
	assert_string_equal(dsn.database, "echoCTF");
	assert_int_equal(dsn.connect_timeout, 1000);
	assert_int_equal(dsn.read_timeout, MYSQL_DSN_TIMEOUT);
	assert_int_equal(dsn.write_timeout, MYSQL_DSN_TIMEOUT);
	assert_int_equal(dsn.tls, MYSQL_TLS_OFF);
	assert_string_equal(dsn.unknown, "");

	tcp("root@/echoCTF", "127.0.0.1", 3306);
	assert_string_equal(dsn.user, "root");
	assert_string_equal(dsn.password, "");
	tcp("@/db", "127.0.0.1", 3306);
	assert_string_equal(dsn.user, "");
	tcp("/db", "127.0.0.1", 3306);
	tcp("u@tcp/db", "127.0.0.1", 3306);
	tcp("u@tcp()/db", "127.0.0.1", 3306);
	tcp("u@()/db", "127.0.0.1", 3306);
	tcp("u@(h)/db", "h", 3306);
	tcp("u@(h:1)/db", "h", 1);
	tcp("tcp(h:65535)/db", "h", 65535);
	tcp("u@tcp(:3307)/db", "127.0.0.1", 3307);
	tcp("u@tcp(10.0.0.1)/db", "10.0.0.1", 3306);

	good("u:p@unix(/run/mysqld/mysqld.sock)/db");
	assert_string_equal(dsn.socket, "/run/mysqld/mysqld.sock");
	assert_string_equal(dsn.host, "");
	good("u@unix/db");
	assert_string_equal(dsn.socket, "/tmp/mysql.sock");
	good("u@unix(/a(b)c)/db");
	assert_string_equal(dsn.socket, "/a(b)c");
}

static void
test_ipv6(void **state)
{
	(void)state;
	tcp("u@tcp([::1]:3307)/db", "::1", 3307);
	tcp("u@tcp([2001:db8::1])/db", "2001:db8::1", 3306);
	tcp("u@tcp(::1)/db", "::1", 3306);
	tcp("u@tcp([fe80::1%eth0]:1)/db", "fe80::1%eth0", 1);
	bad("u@tcp([::1:3307)/db", "not closed");
	bad("u@tcp([]:3307)/db", "[host]:port");
	bad("u@tcp([::1]3307)/db", "[host]:port");
	bad("u@tcp([::1]:)/db", "port");
}

/* The last '/' and the last '@' before it decide; nothing is decoded. */
static void
test_password(void **state)
{
	static const char *const	passwords[] = {
		"p", "p@ss", "p/w", "a:b", "@", "/", ":", "%41", "a?b=c",
		"tcp(x)/y", "(", ")", "a b", "\xc3\xa9", "@tcp(h)/d", "#&="
	};
	char				text[256];
	size_t				i;

	(void)state;
	for (i = 0; i < NITEMS(passwords); i++) {
		snprintf(text, sizeof(text), "u:%s@tcp(h:1)/d", passwords[i]);
		tcp(text, "h", 1);
		assert_string_equal(dsn.user, "u");
		assert_string_equal(dsn.password, passwords[i]);
		assert_string_equal(dsn.database, "d");
	}
	good("u@x@tcp(h)/d");
	assert_string_equal(dsn.user, "u@x");
	good(":p@tcp(h)/d");
	assert_string_equal(dsn.user, "");
	assert_string_equal(dsn.password, "p");
}

static void
test_database(void **state)
{
	(void)state;
	good("u@/a%2Fb%3f%25c");
	assert_string_equal(dsn.database, "a/b?%c");
	good("u@/a+b");
	assert_string_equal(dsn.database, "a+b");
	bad("u@/", "names no database");
	bad("u@/?tls=true", "names no database");
	bad("u@/a%", "%-escape");
	bad("u@/a%4", "%-escape");
	bad("u@/a%zz", "%-escape");
	bad("u@/a%00b", "%-escape");
	bad("u@/a%0ab", "%-escape");
}

static void
test_address(void **state)
{
	(void)state;
	bad("", "of the form");
	bad("user:s3cret@tcp(h)", "of the form");
	bad("u:s3cret@h/db", "of the form");
	bad("u:s3cret@udp(h)/db", "of the form");
	bad("u:s3cret@TCP(h)/db", "of the form");
	bad("u:s3cret@tcp(h/db", "\")\"");
	bad("u:s3cret@tcp(h)x/db", "\")\"");
	bad("u:s3cret@tcp(h:x)/db", "port");
	bad("u:s3cret@tcp(h:0)/db", "port");
	bad("u:s3cret@tcp(h:65536)/db", "port");
	bad("u:s3cret@tcp(h:99999999999999999999)/db", "port");
	bad("u:s3cret@tcp(h:)/db", "port");
	bad("u:s3cret@tcp(h:-1)/db", "port");
	bad("u:s3cret@tcp(h: 1)/db", "port");
	bad("u:s3cret@unix(sock)/db", "start with");
	bad("file:ws_tokens.db?cache=shared", "of the form");
	bad("/var/lib/x.db/y", "of the form");
}

static void
test_params(void **state)
{
	(void)state;
	good("u@/d?timeout=300ms&readTimeout=1m30s&writeTimeout=2s");
	assert_int_equal(dsn.connect_timeout, 300);
	assert_int_equal(dsn.read_timeout, 90000);
	assert_int_equal(dsn.write_timeout, 2000);
	/* For ever is as long as we wait without a word. */
	good("u@/d?timeout=0&readTimeout=0s");
	assert_int_equal(dsn.connect_timeout, MYSQL_DSN_TIMEOUT);
	assert_int_equal(dsn.read_timeout, MYSQL_DSN_TIMEOUT);
	good("u@/d?timeout=1ns");
	assert_int_equal(dsn.connect_timeout, 1);
	bad("u@/d?timeout=10", "timeout must be a duration");
	bad("u@/d?timeout=-1s", "timeout must be a duration");
	bad("u@/d?timeout=s3cret", "timeout must be a duration");
	bad("u@/d?readTimeout=", "readTimeout must be a duration");
	bad("u@/d?writeTimeout=11m", "at most 10m");

	good("u@/d?tls=true");
	assert_int_equal(dsn.tls, MYSQL_TLS_VERIFY);
	good("u@/d?tls=1");
	assert_int_equal(dsn.tls, MYSQL_TLS_VERIFY);
	good("u@/d?tls=skip-verify");
	assert_int_equal(dsn.tls, MYSQL_TLS_UNCHECKED);
	good("u@/d?tls=preferred");
	assert_int_equal(dsn.tls, MYSQL_TLS_PREFERRED);
	good("u@/d?tls=true&tls=FALSE");
	assert_int_equal(dsn.tls, MYSQL_TLS_OFF);
	bad("u@/d?tls=s3cret", "tls must be");
	bad("u@/d?tls=", "tls must be");

	good("u@/d?time_zone=%27Europe%2FAthens%27");
	assert_string_equal(dsn.time_zone, "Europe/Athens");
	good("u@/d?time_zone=%27%2B00%3A00%27");
	assert_string_equal(dsn.time_zone, "+00:00");
	bad("u@/d?time_zone=UTC", "time_zone");
	bad("u@/d?time_zone=%27%27", "time_zone");
	bad("u@/d?time_zone=%27a%27%3Bb%27", "time_zone");
	bad("u@/d?time_zone=%27a%5C%27", "time_zone");
	bad("u@/d?time_zone=%27a+b%27", "time_zone");
}

static void
test_other_params(void **state)
{
	(void)state;
	good("u@/d?charset=utf8mb4,utf8&collation=utf8mb4_bin&"
	    "loc=Europe%2FAthens&parseTime=true&interpolateParams=true&"
	    "maxAllowedPacket=0&multiStatements=false&"
	    "allowNativePasswords=true&checkConnLiveness=true&"
	    "connectionAttributes=a:b&clientFoundRows=true&"
	    "columnsWithAlias=true&rejectReadOnly=true&timeTruncate=1us");
	assert_string_equal(dsn.unknown, "");
	good("u@/d?foo=s3cret&parsetime=1&&bar&=x&sql_mode=%27ANSI%27");
	assert_string_equal(dsn.unknown, "foo, parsetime, sql_mode");
	good("u@/d?aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaa=1&b=2");
	assert_int_equal(strlen(dsn.unknown), sizeof(dsn.unknown) - 1);
	assert_non_null(strstr(dsn.unknown, "..."));
}

/* Each part has a bound, and one more byte is refused. */
static void
test_bounds(void **state)
{
	static const struct {
		const char	*form;
		size_t		 max;
		const char	*why;
	} parts[] = {
		{ "%s@/d", sizeof(dsn.user) - 1, "user" },
		{ "u:%s@/d", sizeof(dsn.password) - 1, "password" },
		{ "u@tcp(%s:1)/d", sizeof(dsn.host) - 1, "host" },
		{ "u@unix(/%s)/d", sizeof(dsn.socket) - 2, "socket" },
		{ "u@/%s", sizeof(dsn.database) - 1, "database" },
	};
	char	part[2048], text[4096];
	size_t	i;

	(void)state;
	for (i = 0; i < NITEMS(parts); i++) {
		memset(part, 'x', sizeof(part));
		part[parts[i].max] = '\0';
		snprintf(text, sizeof(text), parts[i].form, part);
		good(text);
		part[parts[i].max] = 'x';
		part[parts[i].max + 1] = '\0';
		snprintf(text, sizeof(text), parts[i].form, part);
		bad(text, parts[i].why);
		part[parts[i].max + 1] = 'x';
		part[sizeof(part) - 1] = '\0';
		snprintf(text, sizeof(text), parts[i].form, part);
		bad(text, parts[i].why);
	}
}

static void
test_make(void **state)
{
	struct mysql_parts	parts;
	char			text[512];

	(void)state;
	memset(&parts, 0, sizeof(parts));
	parts.database = "a/b?c%d";
	assert_int_equal(mysql_dsn_make(&parts, text, sizeof(text), err,
	    sizeof(err)), 0);
	good(text);
	assert_string_equal(dsn.database, "a/b?c%d");
	parts.user = "u@v";
	parts.password = "p@/:(x)";
	parts.host = "2001:db8::1";
	parts.port = "3307";
	parts.tls = "true";
	assert_int_equal(mysql_dsn_make(&parts, text, sizeof(text), err,
	    sizeof(err)), 0);
	tcp(text, "2001:db8::1", 3307);
	assert_string_equal(dsn.user, "u@v");
	assert_string_equal(dsn.password, "p@/:(x)");
	assert_int_equal(dsn.tls, MYSQL_TLS_VERIFY);
	parts.host = NULL;
	parts.port = NULL;
	parts.socket = "/run/x.sock";
	assert_int_equal(mysql_dsn_make(&parts, text, sizeof(text), err,
	    sizeof(err)), 0);
	good(text);
	assert_string_equal(dsn.socket, "/run/x.sock");
	parts.user = "a:b";
	assert_int_equal(mysql_dsn_make(&parts, text, sizeof(text), err,
	    sizeof(err)), -1);
	parts.user = "u";
	assert_int_equal(mysql_dsn_make(&parts, text, 12, err, sizeof(err)),
	    -1);
}

/* Every beginning of one, and every byte in every place. */
static void
test_cuts(void **state)
{
	static const char	text[] = "u:s3cret@tcp([::1]:33)/d%41?tls=true&"
				    "timeout=1s&x=y";
	char			copy[sizeof(text)];
	size_t			i;
	int			c;

	(void)state;
	for (i = 0; i < sizeof(text); i++) {
		memcpy(copy, text, sizeof(text));
		copy[i] = '\0';
		if (mysql_dsn_parse(copy, &dsn, err, sizeof(err)) == -1)
			assert_null(strstr(err, "s3cret"));
		for (c = 1; c < 256; c++) {
			memcpy(copy, text, sizeof(text));
			if (i < sizeof(text) - 1)
				copy[i] = (char)c;
			if (mysql_dsn_parse(copy, &dsn, err, sizeof(err)) ==
			    -1)
				assert_true(strlen(err) > 0);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_password),
		cmocka_unit_test(test_database),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_params),
		cmocka_unit_test(test_other_params),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_cuts),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
