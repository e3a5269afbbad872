/* Log lines: valid JSON whatever is put into them, cut where it must be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/time.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define BAD	"\357\277\275"		/* U+FFFD */

static char		got[LOG_MAXLINE + 1];
static size_t		got_len;
static char		got_msg[LOG_MAXLINE];
static enum log_level	got_level;
static int		lines;
static int		sink_logs;
static int64_t		fake_sec = -1;
static long		fake_nsec;

int	clock_gettime(clockid_t, struct timespec *);

/* The program's definition goes before libc's: time stands where we put it. */
int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	struct timeval	tv;

	(void)clock;
	if (fake_sec == -1) {
		gettimeofday(&tv, NULL);
		TIMEVAL_TO_TIMESPEC(&tv, ts);
	} else {
		ts->tv_sec = fake_sec;
		ts->tv_nsec = fake_nsec;
	}
	return (0);
}

static void
sink(enum log_level level, const char *text, size_t len, const char *msg)
{
	assert_true(len < LOG_MAXLINE);
	memcpy(got, text, len);
	got[len] = '\0';
	got_len = len;
	got_level = level;
	assert_true(strlcpy(got_msg, msg, sizeof(got_msg)) < sizeof(got_msg));
	lines++;
	if (sink_logs) {
		log_warnx("from the sink");
		assert_int_equal(log_begin(LOGL_FATAL, "from the sink"), 0);
		log_str("a", "b");
		log_end();
	}
	errno = ENOTTY;
}

static int
setup(void **state)
{
	(void)state;
	log_init("engine", sink);
	log_set_level(LOGL_TRACE);
	fake_sec = 1735689600;		/* 2025-01-01 */
	fake_nsec = 123456789;
	lines = sink_logs = 0;
	return (0);
}

#define HEAD(level, msg)						\
	"{\"time\":\"2025-01-01T00:00:00.123Z\",\"level\":\"" level	\
	"\",\"msg\":\"" msg "\",\"process\":\"engine\""

/* A strict reader of what a line may be: a flat object, RFC 8259 strings. */
static const char *
skip_string(const char *p)
{
	size_t	n;

	assert_int_equal(*p++, '"');
	while (*p != '"') {
		assert_true((uint8_t)*p >= 0x20 && *p != 0x7f);
		if (*p == '\\') {
			p++;
			if (*p == 'u') {
				n = strspn(p + 1, "0123456789abcdef");
				assert_true(n >= 4);
				p += 5;
			} else {
				assert_non_null(strchr("\"\\bfnrt", *p));
				p++;
			}
		} else
			p++;
	}
	return (p + 1);
}

static void
assert_utf8(const char *text)
{
	const uint8_t	*p;
	uint32_t	 c;
	int		 i, n;

	for (p = (const uint8_t *)text; *p != 0; p += n) {
		n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
		assert_true(*p < 0x80 || (*p >= 0xc2 && *p <= 0xf4));
		c = n == 1 ? *p : *p & (0x7f >> n);
		for (i = 1; i < n; i++) {
			assert_int_equal(p[i] & 0xc0, 0x80);
			c = c << 6 | (p[i] & 0x3f);
		}
		assert_true(n < 3 || c >= 0x800);
		assert_true(n < 4 || c >= 0x10000);
		assert_true(c <= 0x10ffff && (c < 0xd800 || c > 0xdfff));
		assert_true(c < 0x80 || c > 0x9f);
	}
}

static void
assert_line(void)
{
	const char	*p;

	assert_int_equal(strlen(got), got_len);
	assert_utf8(got);
	assert_utf8(got_msg);
	p = got;
	assert_int_equal(*p++, '{');
	for (;;) {
		p = skip_string(p);
		assert_int_equal(*p++, ':');
		if (*p == '"')
			p = skip_string(p);
		else if (strncmp(p, "null", 4) == 0 ||
		    strncmp(p, "true", 4) == 0)
			p += 4;
		else {
			p += *p == '-';
			assert_true(*p >= '0' && *p <= '9');
			p += strspn(p, "0123456789");
		}
		if (*p != ',')
			break;
		p++;
	}
	assert_string_equal(p, "}");
}

static void
plain_lines(void **state)
{
	(void)state;
	log_info("hello %d %s", 42, "world");
	assert_string_equal(got, HEAD("info", "hello 42 world") "}");
	assert_string_equal(got_msg, "hello 42 world");
	assert_int_equal(got_level, LOGL_INFO);
	errno = ENOENT;
	log_warn("open %s", "x");
	assert_string_equal(got,
	    HEAD("warn", "open x: No such file or directory") "}");
	assert_int_equal(errno, ENOENT);
	log_warnx("no errno");
	assert_string_equal(got, HEAD("warn", "no errno") "}");
	assert_int_equal(errno, ENOENT);
	log_error("bad");
	assert_string_equal(got, HEAD("error", "bad") "}");
	assert_int_equal(got_level, LOGL_ERROR);
	log_debug("%s", "");
	assert_string_equal(got, HEAD("debug", "") "}");
	log_init(NULL, sink);
	log_info("x");
	assert_string_equal(got, "{\"time\":\"2025-01-01T00:00:00.123Z\","
	    "\"level\":\"info\",\"msg\":\"x\"}");
}

static void
fields(void **state)
{
	(void)state;
	assert_int_equal(log_begin(LOGL_INFO, "connected"), 1);
	log_str("player_id", "p\"1\\");
	log_int("connections", 3);
	errno = ENOENT;
	log_int("min", INT64_MIN);
	log_int("max", INT64_MAX);
	log_str("none", NULL);
	log_str("empty", "");
	log_bytes("bytes", "a\0b", 3);
	log_str("k\"\n", "v");
	log_end();
	assert_int_equal(errno, ENOENT);
	assert_string_equal(got, HEAD("info", "connected")
	    ",\"player_id\":\"p\\\"1\\\\\",\"connections\":3"
	    ",\"min\":-9223372036854775808,\"max\":9223372036854775807"
	    ",\"none\":null,\"empty\":\"\",\"bytes\":\"a\\u0000b\""
	    ",\"k\\\"\\n\":\"v\"}");
	assert_line();
	assert_string_equal(got_msg, "connected");
	assert_int_equal(lines, 1);
	/* Behind the end there is no line to add to. */
	log_str("late", "x");
	log_int("late", 1);
	log_end();
	assert_int_equal(lines, 1);
	/* What is begun while one is open ends that one. */
	log_begin(LOGL_INFO, "first");
	log_str("a", "b");
	log_warnx("second");
	log_str("c", "d");
	log_end();
	assert_int_equal(lines, 3);
	assert_string_equal(got, HEAD("warn", "second") "}");
}

static void
levels(void **state)
{
	static const char *const names[] = {
		"trace", "debug", "info", "warn", "error", "fatal"
	};
	int	i;

	(void)state;
	for (i = LOGL_TRACE; i <= LOGL_FATAL; i++) {
		assert_int_equal(log_level_parse(names[i]), i);
		assert_string_equal(log_level_name(i), names[i]);
	}
	assert_int_equal(log_level_parse("INFO"), -1);
	assert_int_equal(log_level_parse(""), -1);
	assert_int_equal(log_level_parse("warning"), -1);
	log_set_level(LOGL_WARN);
	assert_int_equal(log_get_level(), LOGL_WARN);
	log_info("no");
	log_debug("no");
	assert_int_equal(log_begin(LOGL_TRACE, "no"), 0);
	log_str("a", "b");
	log_end();
	assert_int_equal(lines, 0);
	log_warnx("yes");
	log_error("yes");
	assert_int_equal(lines, 2);
	log_set_level(LOGL_FATAL);
	log_error("no");
	assert_int_equal(lines, 2);
	assert_int_equal(log_begin(LOGL_FATAL, "yes"), 1);
	log_end();
	assert_int_equal(lines, 3);
}

static void
escapes(void **state)
{
	static const struct {
		const char	*in;
		const char	*out;
	} cases[] = {
		{ "\b\f\n\r\t\"\\/", "\\b\\f\\n\\r\\t\\\"\\\\/" },
		{ "\001\037\033[31m", "\\u0001\\u001f\\u001b[31m" },
		{ "\177", "\\u007f" }, { "\302\233x", "\\u009bx" },
		{ "\302\240", "\302\240" }, { "\303\274", "\303\274" },
		{ "\342\202\254", "\342\202\254" },
		{ "\360\237\230\200", "\360\237\230\200" },
		{ "\364\217\277\277", "\364\217\277\277" },
		{ "a\200b", "a" BAD "b" }, { "\377\376", BAD BAD },
		{ "\300\257", BAD BAD }, { "\340\237\277", BAD BAD BAD },
		{ "\355\240\200", BAD BAD BAD },
		{ "\355\237\277", "\355\237\277" },
		{ "\364\220\200\200", BAD BAD BAD BAD },
		{ "\365\200", BAD BAD }, { "\360\217\277\277",
		    BAD BAD BAD BAD }, { "\303", BAD }, { "\342\202", BAD BAD },
		{ "\360\237\230", BAD BAD BAD }, { "\303a", BAD "a" },
		{ "\342\202a", BAD BAD "a" }
	};
	char	want[256];
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		log_begin(LOGL_INFO, "m");
		log_str("v", cases[i].in);
		log_end();
		snprintf(want, sizeof(want), HEAD("info", "m")
		    ",\"v\":\"%s\"}", cases[i].out);
		assert_string_equal(got, want);
		assert_line();
	}
	log_info("a\nb\033c\302\233d\377e\303\274");
	assert_string_equal(got_msg, "a b c d?e\303\274");
	assert_string_equal(got, HEAD("info",
	    "a\\nb\\u001bc\\u009bd" BAD "e\303\274") "}");
}

static void
cuts(void **state)
{
	static char	 text[20000];
	char		*p;
	size_t		 i, n;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	log_warnx("%s", text);
	assert_line();
	assert_string_equal(strstr(got, "xx..."), "xx...\","
	    "\"process\":\"engine\"}");
	assert_string_equal(strstr(got_msg, "xx..."), "xx...");

	/* A long value doesn't push the next ones out. */
	log_begin(LOGL_INFO, text);
	log_str("long", text);
	log_str("short", "y");
	log_end();
	assert_line();
	assert_non_null(strstr(got, "xx...\",\"short\":\"y\"}"));

	/* More than a line holds: valid, and it says that fields are gone. */
	log_begin(LOGL_INFO, text);
	for (i = 0; i < 10; i++)
		log_str("long", text);
	log_int("n", 1);
	log_end();
	assert_line();
	assert_non_null(strstr(got, "\"truncated\":true}"));
	assert_true(got_len > LOG_MAXLINE - 100);

	/* Never in the midst of a character or of an escape. */
	for (n = 0; n < 8; n++) {
		for (i = 0; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\342\202\254", 3);
		memset(text, 'a', n);
		memmove(text + n, text + n + (3 - n % 3) % 3, 6000);
		text[6000] = '\0';
		log_begin(LOGL_INFO, text);
		log_str("euro", text);
		log_end();
		assert_line();
		assert_null(strstr(got, BAD));
		memset(text + n, '\001', 6000 - n);
		log_begin(LOGL_INFO, text);
		log_str("control", text);
		log_end();
		assert_line();
		p = strstr(got, "...\"");
		assert_non_null(p);
		assert_memory_equal(p - 6, "\\u0001", 6);
	}
}

static void
exact_fits(void **state)
{
	char	text[1100];
	size_t	n;

	(void)state;
	for (n = 1000; n < sizeof(text); n++) {
		memset(text, 'v', n);
		log_begin(LOGL_INFO, "m");
		log_bytes("v", text, n);
		log_end();
		assert_line();
		if (n <= 1024)
			assert_null(strstr(got, "..."));
		else
			assert_non_null(strstr(got, "vvv...\"}"));
	}
}

static void
random_lines(void **state)
{
	static uint8_t	value[5000];
	char		msg[3000], key[100];
	size_t		len, i;
	int		n, round;

	(void)state;
	srandom(1);
	for (round = 0; round < 5000; round++) {
		for (i = 0; i < sizeof(value); i++)
			value[i] = random() & (round % 2 ? 0xff : 0x9f);
		memcpy(msg, value, sizeof(msg));
		msg[random() % sizeof(msg)] = '\0';
		msg[sizeof(msg) - 1] = '\0';
		memcpy(key, value + 1000, sizeof(key));
		key[random() % sizeof(key)] = '\0';
		log_begin(LOGL_INFO, msg);
		for (n = random() % 8; n > 0; n--) {
			len = random() % (random() % 3 ? 40 : sizeof(value));
			log_bytes(n % 2 ? key : "k", value, len);
			log_int("i", random());
		}
		log_end();
		assert_line();
	}
	assert_int_equal(lines, 5000);
}

static void
times(void **state)
{
	char		want[64];
	struct tm	tm;
	time_t		t;
	int		i;

	(void)state;
	srandom(2);
	fake_nsec = 999999999;
	for (i = 0; i < 20000; i++) {
		/* Days around each turn of a year, then anything. */
		fake_sec = i < 2000 ? (int64_t)i * 31556952 / 8 :
		    ((int64_t)random() << 5) % 253402300800;
		t = fake_sec;
		gmtime_r(&t, &tm);
		strftime(want, sizeof(want),
		    "{\"time\":\"%Y-%m-%dT%H:%M:%S.999Z\"", &tm);
		log_info("x");
		assert_memory_equal(got, want, strlen(want));
	}
	fake_nsec = 0;
	fake_sec = 951782400;
	log_info("x");
	assert_memory_equal(got + 9, "2000-02-29T00:00:00.000Z", 24);
	fake_sec = 4107542399;
	log_info("x");
	assert_memory_equal(got + 9, "2100-02-28T23:59:59.000Z", 24);
	fake_sec = -86400 * 365;
	log_info("x");
	assert_memory_equal(got + 9, "1969-01-01T00:00:00.000Z", 24);
}

static void
sink_that_logs(void **state)
{
	(void)state;
	sink_logs = 1;
	log_info("one");
	assert_int_equal(lines, 1);
	assert_string_equal(got, HEAD("info", "one") "}");
	sink_logs = 0;
	log_info("two");
	assert_int_equal(lines, 2);
}

static void
limits(void **state)
{
	struct log_limit	limit = { 0, 0, 0 };
	int			i, logged;

	(void)state;
	logged = 0;
	for (i = 0; i < 100; i++)
		if (log_limit(&limit, 5, 10000 + i)) {
			log_warnx("refused");
			logged++;
		}
	assert_int_equal(logged, 5);
	assert_string_equal(got, HEAD("warn", "refused") "}");
	assert_int_equal(log_limit(&limit, 5, 10999), 0);
	assert_int_equal(log_limit(&limit, 5, 11000), 1);
	log_begin(LOGL_WARN, "refused");
	log_int("n", 1);
	log_end();
	assert_string_equal(got, HEAD("warn", "refused")
	    ",\"suppressed\":96,\"n\":1}");
	log_warnx("refused");
	assert_string_equal(got, HEAD("warn", "refused") "}");
	/* A line that isn't written takes its count with it. */
	limit.suppressed = 7;
	log_set_level(LOGL_ERROR);
	assert_int_equal(log_limit(&limit, 5, 20000), 1);
	log_info("refused");
	log_error("other");
	assert_string_equal(got, HEAD("error", "other") "}");
	limit.suppressed = UINT32_MAX;
	limit.count = 5;
	assert_int_equal(log_limit(&limit, 5, 20001), 0);
	assert_int_equal(limit.suppressed, UINT32_MAX);
}

/* Run in a child, with what it writes on standard error. */
static int
status_of(void (*fn)(void), char *out, size_t size)
{
	size_t	len;
	ssize_t	n;
	pid_t	pid;
	int	fds[2], status;

	assert_int_equal(pipe(fds), 0);
	assert_true((pid = fork()) != -1);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		log_init("engine", NULL);
		fn();
		_exit(99);
	}
	close(fds[1]);
	len = 0;
	while ((n = read(fds[0], out + len, size - 1 - len)) > 0)
		len += n;
	out[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return (WEXITSTATUS(status));
}

static void
die_errno(void)
{
	log_set_level(LOGL_FATAL);
	errno = EACCES;
	fatal("open %s", "f");
}

static void
die(void)
{
	fatalx("no luck");
}

static void
fatal_ends(void **state)
{
	char	out[1000];

	(void)state;
	assert_int_equal(status_of(die_errno, out, sizeof(out)), 1);
	assert_string_equal(out,
	    HEAD("fatal", "open f: Permission denied") "}\n");
	assert_int_equal(status_of(die, out, sizeof(out)), 1);
	assert_string_equal(out, HEAD("fatal", "no luck") "}\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(plain_lines, setup),
		cmocka_unit_test_setup(fields, setup),
		cmocka_unit_test_setup(levels, setup),
		cmocka_unit_test_setup(escapes, setup),
		cmocka_unit_test_setup(cuts, setup),
		cmocka_unit_test_setup(exact_fits, setup),
		cmocka_unit_test_setup(random_lines, setup),
		cmocka_unit_test_setup(times, setup),
		cmocka_unit_test_setup(sink_that_logs, setup),
		cmocka_unit_test_setup(limits, setup),
		cmocka_unit_test_setup(fatal_ends, setup)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
