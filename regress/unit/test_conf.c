/*
 * The configuration from inside: the table of settings at each of its bounds,
 * addresses, the forms of a flag, and which of file and command line wins.
 * regress/conf has the language of the file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "conf_set.h"
#include "control.h"
#include "log.h"

#define MAXARGS		32
#define NONE		"-f", "/dev/null"	/* no file */

static char	 reported[65536];	/* lines, each with its newline */
static int	 nreported;

static void
report(const char *line)
{
	assert_null(strchr(line, '\n'));
	strlcat(reported, line, sizeof(reported));
	strlcat(reported, "\n", sizeof(reported));
	nreported++;
}

static void
forget(void)
{
	reported[0] = '\0';
	nreported = 0;
}

static void
collect(const char *line, void *arg)
{
	assert_null(strchr(line, '\n'));
	strlcat(arg, line, 65536);
	strlcat(arg, "\n", 65536);
}

/* Load what a command line says; the arguments end with NULL. */
static struct conf *
load_args(const char *const *args)
{
	static char	 name[] = "ws-gatewayd";
	struct flags	 flags;
	struct conf	*conf;
	char		*argv[MAXARGS];
	int		 argc, i;

	argv[0] = name;
	for (argc = 1; args[argc - 1] != NULL; argc++) {
		assert_in_range(argc, 1, MAXARGS - 1);
		argv[argc] = strdup(args[argc - 1]);
		assert_non_null(argv[argc]);
	}
	flags_parse(&flags, argc, argv);
	/* As setproctitle(3) does. */
	for (i = 1; i < argc; i++) {
		memset(argv[i], 'x', strlen(argv[i]));
		free(argv[i]);
	}
	forget();
	conf = conf_load(&flags, report);
	assert_int_equal(conf == NULL, nreported > 0);
	flags_free(&flags);
	return (conf);
}

#define LOAD(...)	load_args((const char *const []){ __VA_ARGS__, NULL })

/* The command line is refused by conf_load() with such a message. */
#define REFUSED(text, ...) do {						\
	assert_null(LOAD(__VA_ARGS__));					\
	if (strstr(reported, text) == NULL)				\
		fail_msg("\"%s\" is not in: %s", text, reported);	\
} while (0)

static int
parse_text(struct conf *conf, const char *text)
{
	FILE	*fp;
	int	 rv;

	forget();
	fp = tmpfile();
	assert_non_null(fp);
	assert_int_equal(fwrite(text, 1, strlen(text), fp), strlen(text));
	rewind(fp);
	rv = parse_stream(conf, fp, "test.conf", report);
	assert_int_equal(rv == -1, nreported > 0);
	fclose(fp);
	return (rv);
}

/* A file with TEXT in it, whose name is in PATH. */
static void
make_file(char *path, size_t size, const char *text)
{
	int	fd;

	strlcpy(path, "/tmp/test_conf.XXXXXXXXXX", size);
	fd = mkstemp(path);
	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Run flags_parse() in a child; its exit code, and what it wrote. */
static int
run_flags(char *out, size_t size, const char *const *args)
{
	struct flags	 flags;
	static char	 name[] = "ws-gatewayd";
	char		*argv[MAXARGS];
	ssize_t		 n;
	size_t		 len;
	pid_t		 pid;
	int		 argc, fds[2], status;

	argv[0] = name;
	for (argc = 1; args[argc - 1] != NULL; argc++) {
		argv[argc] = strdup(args[argc - 1]);
		assert_non_null(argv[argc]);
	}
	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		close(fds[0]);
		close(fds[1]);
		flags_parse(&flags, argc, argv);
		_exit(99);
	}
	close(fds[1]);
	for (len = 0; len < size - 1; len += (size_t)n) {
		n = read(fds[0], out + len, size - 1 - len);
		assert_int_not_equal(n, -1);
		if (n == 0)
			break;
	}
	out[len] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	while (--argc > 0)
		free(argv[argc]);
	assert_true(WIFEXITED(status));
	return (WEXITSTATUS(status));
}

#define RUN(out, ...)							\
	run_flags(out, sizeof(out), (const char *const []){ __VA_ARGS__, NULL })

static void
test_table(void **state)
{
	const struct setting	*row;
	size_t			 i, j;

	(void)state;
	for (i = 0; i < settings_count; i++) {
		row = &settings_table[i];
		assert_in_range(row->def, row->min, row->max);
		assert_ptr_equal(setting_by_name(row->block, row->name), row);
		if (row->flag != NULL)
			assert_ptr_equal(setting_by_flag(row->flag), row);
		assert_true(row->help[0] != '\0');
		for (j = 0; j < i; j++)
			assert_int_not_equal(row->offset,
			    settings_table[j].offset);
		/* A block's rows stand together. */
		for (j = i + 1; j < settings_count; j++)
			if (strcmp(settings_table[j].block, row->block) == 0)
				assert_string_equal(settings_table[j - 1].block,
				    row->block);
	}
	/* Every member of the struct has its row. */
	assert_int_equal(settings_count * sizeof(uint64_t),
	    sizeof(struct settings));
	assert_null(setting_by_name("players", "ttl"));
	assert_null(setting_by_flag("addr"));
}

static void
test_defaults(void **state)
{
	struct settings	s;

	(void)state;
	settings_defaults(&s);
	assert_int_equal(s.max_conns, 5);
	assert_int_equal(s.revalidate_period, 60000);
	assert_int_equal(s.ping_interval, 30000);
	assert_int_equal(s.pong_timeout, 60000);
	assert_int_equal(s.close_timeout, 5000);
	assert_int_equal(s.max_message, 65536);
	assert_int_equal(s.max_fragments, 1024);
	assert_int_equal(s.sendq_hard, 4 * 1024 * 1024);
	assert_int_equal(s.sendq_soft, 1024 * 1024);
	assert_int_equal(s.sendq_soft_time, 10000);
	assert_int_equal(s.max_queued, 100);
	assert_int_equal(s.offline_ttl, 10000);
	assert_int_equal(s.queue_total_messages, 100000);
	assert_int_equal(s.queue_total_bytes, 64 * 1024 * 1024);
	assert_int_equal(s.rate_limit, 10);
	assert_int_equal(s.rate_period, 1000);
	assert_int_equal(s.max_body, 1024 * 1024);
	assert_int_equal(s.max_request_line, 4096);
	assert_int_equal(s.max_header, 8192);
	assert_int_equal(s.request_timeout, 10000);
	assert_int_equal(s.keepalive_timeout, 60000);
	assert_int_equal(s.max_connections, 0);
	assert_int_equal(s.token_cache, 1000);
	assert_int_equal(s.lookup_timeout, 3000);
	assert_int_equal(s.max_lookups, 32768);
	assert_int_equal(s.max_control, 16);
	assert_int_equal(s.log_level, LOGL_INFO);
	assert_int_equal(s.sandbox, SANDBOX_PREFER);
	assert_int_equal(s.output, OUTPUT_PLAIN);
}

/* VALUE in its row's notation is set, and nothing else is. */
static void
accept(const struct setting *row, uint64_t value)
{
	struct settings	 s, other;
	char		 text[64], err[CONF_MAXWHY];
	size_t		 i;

	settings_defaults(&s);
	other = s;
	setting_format(row, value, text, sizeof(text));
	assert_int_equal(setting_set(&s, row, text, err, sizeof(err)), 0);
	assert_int_equal(setting_get(&s, row), value);
	for (i = 0; i < settings_count; i++)
		if (&settings_table[i] != row)
			assert_int_equal(setting_get(&s, &settings_table[i]),
			    setting_get(&other, &settings_table[i]));
}

/* TEXT is refused with an error that names setting, text and bounds. */
static void
refuse(const struct setting *row, const char *text)
{
	struct settings	 s, other;
	char		 err[CONF_MAXWHY], bound[64];

	settings_defaults(&s);
	other = s;
	err[0] = '\0';
	assert_int_equal(setting_set(&s, row, text, err, sizeof(err)), -1);
	assert_memory_equal(&s, &other, sizeof(s));
	assert_non_null(strstr(err, row->name));
	if (strlen(text) < 40)
		assert_non_null(strstr(err, text));
	assert_non_null(strstr(err, setting_format(row, row->min, bound,
	    sizeof(bound))));
	assert_non_null(strstr(err, setting_format(row, row->max, bound,
	    sizeof(bound))));
}

static void
test_bounds(void **state)
{
	const struct setting	*row;
	char			 text[64];
	size_t			 i;

	(void)state;
	for (i = 0; i < settings_count; i++) {
		row = &settings_table[i];
		accept(row, row->min);
		accept(row, row->def);
		accept(row, row->max);
		refuse(row, "");
		refuse(row, " 1");
		refuse(row, "x");
		refuse(row, "1x");
		refuse(row, "10 s");
		refuse(row, "-5");
		refuse(row, "0x10");
		if (row->kind == SETTING_SWITCH) {
			refuse(row, "1");
			refuse(row, "Yes");
			refuse(row, "nope");
		}
		if (row->kind == SETTING_LEVEL || row->kind == SETTING_SANDBOX ||
		    row->kind == SETTING_SWITCH || row->kind == SETTING_OUTPUT)
			continue;
		refuse(row, setting_format(row, row->max + 1, text,
		    sizeof(text)));
		if (row->min > 0)
			refuse(row, setting_format(row, row->min - 1, text,
			    sizeof(text)));
		refuse(row, "99999999999999999999999999");
	}
}

/* Zero means something only where the help says what. */
static void
test_zero(void **state)
{
	static const char *const	zero[] = { "max-messages", "rate-limit",
					    "cache", "grace",
					    "max-connections", "per-address",
					    "handshake-rate" };
	const struct setting		*row;
	size_t				 i, j;

	(void)state;
	for (i = 0; i < settings_count; i++) {
		row = &settings_table[i];
		if (row->kind == SETTING_LEVEL ||
		    row->kind == SETTING_SANDBOX ||
		    row->kind == SETTING_OUTPUT)
			continue;
		for (j = 0; j < sizeof(zero) / sizeof(zero[0]); j++)
			if (strcmp(row->name, zero[j]) == 0 &&
			    strcmp(row->block, "players") != 0)
				break;
		if (j < sizeof(zero) / sizeof(zero[0]))
			accept(row, 0);
		else
			refuse(row, "0");
	}
}

static void
test_notations(void **state)
{
	const struct setting	*ttl, *count, *size, *level, *cache;
	struct settings		 s;
	char			 err[CONF_MAXWHY];

	(void)state;
	ttl = setting_by_flag("offline-ttl");
	count = setting_by_flag("max-conns");
	level = setting_by_flag("log-level");
	size = setting_by_name("publishers", "max-body");
	cache = setting_by_name("tokens", "cache");
	settings_defaults(&s);
#define SET(row, text)							\
	assert_int_equal(setting_set(&s, row, text, err, sizeof(err)), 0)
	SET(ttl, "300ms");
	assert_int_equal(s.offline_ttl, 300);
	SET(ttl, "1m30s");
	assert_int_equal(s.offline_ttl, 90000);
	SET(ttl, "2h");
	assert_int_equal(s.offline_ttl, 7200000);
	SET(ttl, "1.5s");
	assert_int_equal(s.offline_ttl, 1500);
	SET(ttl, "1ns");
	assert_int_equal(s.offline_ttl, 1);
	SET(cache, "1001us");
	assert_int_equal(s.token_cache, 2);
	SET(cache, "0");
	assert_int_equal(s.token_cache, 0);
	SET(cache, "0s");
	assert_int_equal(s.token_cache, 0);
	SET(count, "+7");
	assert_int_equal(s.max_conns, 7);
	SET(size, "65536");
	assert_int_equal(s.max_body, 65536);
	SET(size, "2M");
	assert_int_equal(s.max_body, 2097152);
	SET(level, "trace");
	assert_int_equal(s.log_level, LOGL_TRACE);
	SET(level, "fatal");
	assert_int_equal(s.log_level, LOGL_FATAL);
#undef SET
	refuse(ttl, "10");
	refuse(ttl, "1d");
	refuse(count, "010");
	refuse(count, "1.0");
	refuse(count, "1_000");
	refuse(size, "1MB");
	refuse(size, "1.5M");
	refuse(level, "INFO");
}

static void
origin(const char *text, const char *expected)
{
	char	out[CONF_MAXORIGIN], again[CONF_MAXORIGIN];
	int	rv;

	rv = origin_normalise(text, strlen(text), out, sizeof(out));
	if (expected == NULL) {
		if (rv != -1)
			fail_msg("\"%s\" became \"%s\"", text, out);
		return;
	}
	assert_int_equal(rv, 0);
	assert_string_equal(out, expected);
	assert_int_equal(origin_normalise(out, strlen(out), again,
	    sizeof(again)), 0);
	assert_string_equal(again, out);
	/* Room for all of it and its NUL, or none. */
	assert_int_equal(origin_normalise(text, strlen(text), again,
	    strlen(expected)), -1);
	assert_int_equal(origin_normalise(text, strlen(text), again,
	    strlen(expected) + 1), 0);
}

static void
test_origins(void **state)
{
	(void)state;
	origin("https://example.org", "https://example.org");
	origin("HTTPS://EXAMPLE.org", "https://example.org");
	origin("https://example.org:443", "https://example.org");
	origin("http://example.org:80", "http://example.org");
	origin("http://example.org:443", "http://example.org:443");
	origin("https://example.org:80", "https://example.org:80");
	origin("http://localhost:3000", "http://localhost:3000");
	origin("http://localhost:03000", "http://localhost:3000");
	origin("http://localhost:65535", "http://localhost:65535");
	origin("http://127.0.0.1:8080", "http://127.0.0.1:8080");
	origin("http://[::1]:8080", "http://[::1]:8080");
	origin("http://[0:0::0001]:80", "http://[::1]");
	origin("http://[2001:DB8::1]", "http://[2001:db8::1]");
	origin("http://a_b.c-d.example.", "http://a_b.c-d.example.");
	origin("http://xn--bcher-kva.example", "http://xn--bcher-kva.example");
	origin("chrome-extension://abcdef", "chrome-extension://abcdef");
	origin("capacitor://localhost", "capacitor://localhost");

	origin("", NULL);
	origin("null", NULL);
	origin("*", NULL);
	origin("example.org", NULL);
	origin("//example.org", NULL);
	origin("://example.org", NULL);
	origin("1http://example.org", NULL);
	origin("ht tp://example.org", NULL);
	origin("https:/example.org", NULL);
	origin("https://", NULL);
	origin("https://:80", NULL);
	origin("https://example.org/", NULL);
	origin("https://example.org/path", NULL);
	origin("https://example.org?x", NULL);
	origin("https://example.org#x", NULL);
	origin("https://user@example.org", NULL);
	origin("https://user:pw@example.org", NULL);
	origin("https://example.org:", NULL);
	origin("https://example.org:0", NULL);
	origin("https://example.org:65536", NULL);
	origin("https://example.org:000080", NULL);
	origin("https://example.org:-1", NULL);
	origin("https://example.org:+80", NULL);
	origin("https://example.org:80x", NULL);
	origin("https://example.org:80:80", NULL);
	origin("https://example.org ", NULL);
	origin(" https://example.org", NULL);
	origin("https://exa mple.org", NULL);
	origin("https://b\303\274cher.example", NULL);
	origin("https://*.example.org", NULL);
	origin("https://[::1", NULL);
	origin("https://[]", NULL);
	origin("https://[::g]", NULL);
	origin("https://[::1]x", NULL);
	origin("https://[::1%25lo]", NULL);
	origin("https://::1", NULL);
	origin("https://a https://b", NULL);
	origin("https://a,https://b", NULL);
}

/* A stranger's header may hold anything, and is not a string. */
static void
test_origin_bytes(void **state)
{
	char	buf[2 * CONF_MAXORIGIN], out[CONF_MAXORIGIN];
	int	c;

	(void)state;
	assert_int_equal(origin_normalise("https://a\0b", 11, out,
	    sizeof(out)), -1);
	assert_int_equal(origin_normalise("https://a\0", 10, out,
	    sizeof(out)), -1);
	assert_int_equal(origin_normalise("https://abc", 9, out,
	    sizeof(out)), 0);
	assert_string_equal(out, "https://a");
	memcpy(buf, "https://a", 9);
	for (c = 0; c < 256; c++) {
		buf[9] = (char)c;
		assert_int_equal(origin_normalise(buf, 10, out, sizeof(out)),
		    (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
		    c == '_' || c == '~' ? 0 : -1);
	}
	memset(buf, 'a', sizeof(buf));
	memcpy(buf, "http://", 7);
	assert_int_equal(origin_normalise(buf, CONF_MAXORIGIN - 1, out,
	    sizeof(out)), 0);
	assert_int_equal(strlen(out), CONF_MAXORIGIN - 1);
	assert_int_equal(origin_normalise(buf, CONF_MAXORIGIN, out,
	    sizeof(out)), -1);
	assert_int_equal(origin_normalise(buf, sizeof(buf), out,
	    sizeof(out)), -1);
	assert_int_equal(origin_normalise(buf, 0, out, sizeof(out)), -1);
}

static void
split(const char *text, const char *host, const char *port)
{
	const char	*reason;
	char		 h[64], s[32];
	int		 rv;

	rv = listen_split(text, h, sizeof(h), s, sizeof(s), &reason);
	if (host == NULL) {
		if (rv != -1)
			fail_msg("\"%s\" was taken", text);
		assert_non_null(reason);
		assert_true(reason[0] != '\0');
		return;
	}
	assert_int_equal(rv, 0);
	assert_null(reason);
	assert_string_equal(h, host);
	assert_string_equal(s, port);
}

static void
test_listen_split(void **state)
{
	const char	*reason;
	char		 h[8], s[4];

	(void)state;
	split(":8080", "", "8080");
	split(":0", "", "0");
	split(":65535", "", "65535");
	split(":http", "", "http");
	split(":http-alt", "", "http-alt");
	split("127.0.0.1:80", "127.0.0.1", "80");
	split("0.0.0.0:80", "0.0.0.0", "80");
	split("localhost:80", "localhost", "80");
	split("gate-1.example.org:80", "gate-1.example.org", "80");
	split("[::]:80", "::", "80");
	split("[::1]:http", "::1", "http");
	split("[fe80::1%eth0]:80", "fe80::1%eth0", "80");
	split("[::ffff:1.2.3.4]:80", "::ffff:1.2.3.4", "80");

	split("", NULL, NULL);
	split("8080", NULL, NULL);
	split("localhost", NULL, NULL);
	split(":", NULL, NULL);
	split("localhost:", NULL, NULL);
	split(":65536", NULL, NULL);
	split(":99999999999", NULL, NULL);
	split(":-1", NULL, NULL);
	split(":+1", NULL, NULL);
	split(": 80", NULL, NULL);
	split(":80 ", NULL, NULL);
	split(":80/tcp", NULL, NULL);
	split("::1:80", NULL, NULL);
	split("::", NULL, NULL);
	split("a:b:80", NULL, NULL);
	split("[::1]", NULL, NULL);
	split("[::1]80", NULL, NULL);
	split("[::1]:", NULL, NULL);
	split("[::1:80", NULL, NULL);
	split("[]:80", NULL, NULL);
	split("[localhost]:80", NULL, NULL);
	split("[127.0.0.1]:80", NULL, NULL);
	split("[fe80::1%]:80", NULL, NULL);
	split("[fe80::1%a b]:80", NULL, NULL);
	split("[::1]:80:80", NULL, NULL);
	split("*:80", NULL, NULL);
	split("1.2.3:80", NULL, NULL);
	split("1.2.3.256:80", NULL, NULL);
	split("80:80", NULL, NULL);
	split("a b:80", NULL, NULL);
	split("a/b:80", NULL, NULL);

	assert_int_equal(listen_split("8080", h, sizeof(h), s, sizeof(s),
	    &reason), -1);
	assert_non_null(strstr(reason, "\":8080\""));
	assert_int_equal(listen_split("abcdefg:abc", h, sizeof(h), s,
	    sizeof(s), &reason), 0);
	assert_int_equal(listen_split("abcdefgh:abc", h, sizeof(h), s,
	    sizeof(s), &reason), -1);
	assert_int_equal(listen_split("abcdefg:abcd", h, sizeof(h), s,
	    sizeof(s), &reason), -1);
}

static void
test_conf_new(void **state)
{
	struct conf		*conf;
	struct conf_listen	*l;
	char			 path[PATH_MAX];

	(void)state;
	conf = conf_new();
	assert_non_null(conf);
	l = TAILQ_FIRST(&conf->listens);
	assert_non_null(l);
	assert_string_equal(l->text, ":8080");
	assert_null(TAILQ_NEXT(l, entry));
	assert_true(TAILQ_EMPTY(&conf->origins));
	assert_int_equal(conf->db, DB_SQLITE);
	assert_string_equal(conf->dsn, "file:ws_tokens.db?cache=shared");
	assert_int_equal(conf->db_create, 0);
	assert_string_equal(conf->user, "_wsgateway");
	assert_int_equal(conf->user_set, 0);
	assert_string_equal(conf->chroot, "/var/empty");
	assert_string_equal(conf->log_file, "");
	assert_string_equal(conf->pid_file, "");
	assert_string_equal(conf->control,
	    control_default_path(path, sizeof(path)));
	assert_int_equal(conf->control_set, 0);
	assert_int_equal(conf->control_mode, 0660);
	assert_string_equal(conf->control_group, "");
	assert_int_equal(conf->daemonize, 0);
	conf_free(conf);
	conf_free(NULL);
}

/* Every flag of the old program, in every form. */
static void
test_flags_old(void **state)
{
	struct conf		*conf;
	struct conf_listen	*l;
	struct conf_string	*o;

	(void)state;
	conf = LOAD(NONE, "-addr", "127.0.0.1:1", "--addr=[::1]:2",
	    "-db=sqlite", "--dsn", "/x/a=b.db", "-origins",
	    " https://A.example , http://b.example:80,,", "-log-file", "l",
	    "-log-level=warn", "-pid-file", "p", "-max-conns", "1",
	    "-max-queued=0", "--offline-ttl", "1m30s", "-rate-limit", "0",
	    "-rate-period", "2s", "-revalidate-period", "300ms", "-daemon");
	assert_non_null(conf);
	l = TAILQ_FIRST(&conf->listens);
	assert_string_equal(l->text, "127.0.0.1:1");
	l = TAILQ_NEXT(l, entry);
	assert_string_equal(l->text, "[::1]:2");
	assert_null(TAILQ_NEXT(l, entry));
	assert_string_equal(conf->dsn, "/x/a=b.db");
	o = TAILQ_FIRST(&conf->origins);
	assert_string_equal(o->s, "https://a.example");
	o = TAILQ_NEXT(o, entry);
	assert_string_equal(o->s, "http://b.example");
	assert_null(TAILQ_NEXT(o, entry));
	assert_string_equal(conf->log_file, "l");
	assert_string_equal(conf->pid_file, "p");
	assert_int_equal(conf->s.log_level, LOGL_WARN);
	assert_int_equal(conf->s.max_conns, 1);
	assert_int_equal(conf->s.max_queued, 0);
	assert_int_equal(conf->s.offline_ttl, 90000);
	assert_int_equal(conf->s.rate_limit, 0);
	assert_int_equal(conf->s.rate_period, 2000);
	assert_int_equal(conf->s.revalidate_period, 300);
	assert_int_equal(conf->daemonize, 1);
	conf_free(conf);

	/* The last one counts; nothing is what it was without. */
	conf = LOAD(NONE, "-max-conns", "1", "-max-conns", "3", "-origins",
	    "https://a.example", "-origins", "", "-log-file", "l",
	    "-log-file", "", "-pid-file=", "-addr", "unix:/run/x.sock");
	assert_non_null(conf);
	assert_int_equal(conf->s.max_conns, 3);
	assert_true(TAILQ_EMPTY(&conf->origins));
	assert_string_equal(conf->log_file, "");
	assert_string_equal(conf->pid_file, "");
	l = TAILQ_FIRST(&conf->listens);
	assert_string_equal(l->text, "unix:/run/x.sock");
	assert_int_equal(l->mode, 0660);
	conf_free(conf);
}

static void
daemonized(int expected, const char *form)
{
	struct conf	*conf;

	conf = LOAD(NONE, form);
	assert_non_null(conf);
	assert_int_equal(conf->daemonize, expected);
	conf_free(conf);
}

static void
test_flags_bool(void **state)
{
	(void)state;
	daemonized(1, "-daemon");
	daemonized(1, "--daemon");
	daemonized(1, "-daemon=true");
	daemonized(1, "-daemon=TRUE");
	daemonized(1, "-daemon=True");
	daemonized(1, "-daemon=t");
	daemonized(1, "-daemon=T");
	daemonized(1, "-daemon=1");
	daemonized(0, "-daemon=false");
	daemonized(0, "-daemon=FALSE");
	daemonized(0, "-daemon=False");
	daemonized(0, "--daemon=f");
	daemonized(0, "-daemon=F");
	daemonized(0, "-daemon=0");
	REFUSED("-daemon: \"yes\"", NONE, "-daemon=yes");
	REFUSED("-daemon: \"\"", NONE, "-daemon=");
	REFUSED("-daemon: \"tRUE\"", NONE, "-daemon=tRUE");
}

static void
test_flags_ours(void **state)
{
	static char	 name[] = "ws-gatewayd", nvv[] = "-nvv", c[] = "-C",
			 dfile[] = "-df", file[] = "a.conf", v[] = "--v",
			 end[] = "--";
	char		*argv[] = { name, nvv, c, dfile, file, v, end };
	struct flags	 flags;
	struct conf	*conf;

	(void)state;
	flags_parse(&flags, 7, argv);
	assert_int_equal(flags.check, 1);
	assert_int_equal(flags.verbose, 3);
	assert_int_equal(flags.create, 1);
	assert_int_equal(flags.foreground, 1);
	assert_string_equal(flags.file, "a.conf");
	flags_free(&flags);
	flags_parse(&flags, 1, argv);
	assert_int_equal(flags.check, 0);
	assert_int_equal(flags.verbose, 0);
	assert_null(flags.file);
	assert_true(TAILQ_EMPTY(&flags.values));
	flags_free(&flags);

	conf = LOAD(NONE, "-daemon", "-d", "-C");
	assert_non_null(conf);
	assert_int_equal(conf->daemonize, 0);
	assert_int_equal(conf->db_create, 1);
	conf_free(conf);
}

static void
test_flags_wrong(void **state)
{
	char	out[8192];

	(void)state;
#define WRONG(text, ...) do {						\
	assert_int_equal(RUN(out, __VA_ARGS__), 1);			\
	if (strstr(out, text) == NULL)					\
		fail_msg("\"%s\" is not in: %s", text, out);		\
	/* One line. */							\
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);	\
} while (0)
	WRONG("unknown flag -foo (see ", "-foo");
	WRONG("unknown flag -foo", "--foo");
	WRONG("unknown flag -foo", "-foo=1");
	WRONG("unknown flag -Addr", "-Addr", ":1");
	WRONG("unknown flag -nx", "-nx");
	WRONG("unknown flag -fn", "-fn", "x");
	WRONG("unknown flag -nv=1", "-nv=1");
	WRONG("flag -addr needs a value", "-n", "-addr");
	WRONG("flag -f needs a value", "-nf");
	WRONG("flag -max-conns needs a value", "--max-conns");
	WRONG("unexpected argument \"x\"", "x");
	WRONG("unexpected argument \"x\"", "-n", "x", "-v");
	WRONG("unexpected argument \"-n\"", "--", "-n");
	WRONG("unexpected argument \"-\"", "-");
	WRONG("unexpected argument \"\"", "");
	/* A boolean takes no value behind a space. */
	WRONG("unexpected argument \"true\"", "-daemon", "true");
	WRONG("bad flag ---n", "---n");
	WRONG("bad flag -=x", "-=x");
	WRONG("bad flag --=x", "--=x");
	WRONG("-n: \"maybe\"", "-n=maybe");
	WRONG("unknown flag -********@tcp(h)/x", "-dsnroot:pw@tcp(h)/x");
	assert_null(strstr(out, "pw"));
#undef WRONG
	assert_int_equal(RUN(out, "-f", "x", "-n"), 99);
	assert_string_equal(out, "");
}

static void
test_flags_usage(void **state)
{
	static const char *const	forms[] = { "-h", "--h", "-help",
					    "--help", "-nh" };
	char				 out[16384], *line, *next;
	size_t				 i;

	(void)state;
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert_int_equal(RUN(out, forms[i], "-foo"), 0);
		assert_non_null(strstr(out, "usage:"));
		assert_non_null(strstr(out, "  -revalidate-period duration  "));
		assert_non_null(strstr(out, "[1m]\n"));
		assert_non_null(strstr(out, "[file:ws_tokens.db?"));
		for (next = out; (line = strsep(&next, "\n")) != NULL;)
			assert_in_range(strlen(line), 0, 79);
	}
}

static void
test_flags_values(void **state)
{
	(void)state;
	REFUSED("-max-conns: \"0\" is too small (1 to ", NONE, "-max-conns",
	    "0");
	REFUSED("-max-conns: \"-3\" is too small", NONE, "-max-conns", "-3");
	REFUSED("-max-conns: \"x\" is not a number", NONE, "-max-conns=x");
	REFUSED("-max-queued: \"-1\"", NONE, "-max-queued", "-1");
	REFUSED("-offline-ttl: \"10\" is not a duration", NONE,
	    "-offline-ttl", "10");
	REFUSED("-offline-ttl: \"0s\" is too small", NONE, "-offline-ttl=0s");
	REFUSED("-rate-period: \"-1s\"", NONE, "-rate-period", "-1s");
	REFUSED("-revalidate-period: \"0\"", NONE, "-revalidate-period", "0");
	REFUSED("-log-level: \"loud\" is no log level (trace, debug", NONE,
	    "-log-level", "loud");
	REFUSED("-addr: \"8080\"", NONE, "-addr", "8080");
	REFUSED("\":8080\"", NONE, "-addr", "8080");
	REFUSED("given twice", NONE, "-addr", ":1", "-addr", ":1");
	REFUSED("-addr: the path \"x\"", NONE, "-addr", "unix:x");
	REFUSED("-db: \"postgres\"", NONE, "-db", "postgres");
	REFUSED("-dsn: the DSN is empty", NONE, "-dsn", "");
	REFUSED("-log-file: control characters", NONE, "-log-file", "a\nb");
	REFUSED("-origins: \"https://a/\"", NONE, "-origins", "https://a/");
	REFUSED("give no list", NONE, "-origins", "*");
	REFUSED("-origins: no origin in the list", NONE, "-origins", " , ,");
	REFUSED("-origins: \"https://a https://b\"", NONE, "-origins",
	    "https://a https://b");
	REFUSED("log file and pid file", NONE, "-log-file", "x", "-pid-file",
	    "x");
	/* All that is wrong is said. */
	assert_null(LOAD(NONE, "-max-conns", "0", "-db", "x", "-addr", "1"));
	assert_int_equal(nreported, 3);
}

static void
test_too_long(void **state)
{
	struct sockaddr_un	sun;
	char			path[CONF_MAXDSN + 64];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[CONF_MAXDSN] = '\0';
	REFUSED("-dsn: too long", NONE, "-dsn", path);
	path[CONF_MAXDSN - 1] = '\0';
	conf_free(LOAD(NONE, "-dsn", path));
	assert_int_equal(nreported, 0);
	memcpy(path, "unix:/", 6);
	path[5 + sizeof(sun.sun_path)] = '\0';
	REFUSED("too long", NONE, "-addr", path);
	path[5 + sizeof(sun.sun_path) - 1] = '\0';
	conf_free(LOAD(NONE, "-addr", path));
	assert_int_equal(nreported, 0);
}

static void
test_flag_wins(void **state)
{
	struct conf		*conf;
	struct conf_listen	*l;
	struct conf_string	*o;
	char			 path[64];

	(void)state;
	make_file(path, sizeof(path),
	    "listen on \":1\"\nlisten on \":2\"\n"
	    "origins { \"https://file.example\" }\n"
	    "players { max-connections 7; revalidate-period 7s }\n"
	    "log level debug\nlog file \"/file.log\"\ndaemonize yes\n"
	    "no control\nuser \"other\"\n");
	conf = LOAD("-f", path);
	assert_non_null(conf);
	assert_string_equal(TAILQ_FIRST(&conf->listens)->text, ":1");
	assert_int_equal(conf->s.max_conns, 7);
	assert_int_equal(conf->s.log_level, LOGL_DEBUG);
	assert_int_equal(conf->daemonize, 1);
	assert_int_equal(conf->user_set, 1);
	assert_int_equal(conf->control_set, 1);
	assert_string_equal(conf->control, "");
	conf_free(conf);

	conf = LOAD("-addr", ":3", "-max-conns", "8", "-log-level", "error",
	    "-origins", "https://flag.example", "-daemon=false", "-f", path);
	assert_non_null(conf);
	l = TAILQ_FIRST(&conf->listens);
	assert_string_equal(l->text, ":3");
	assert_null(TAILQ_NEXT(l, entry));
	o = TAILQ_FIRST(&conf->origins);
	assert_string_equal(o->s, "https://flag.example");
	assert_null(TAILQ_NEXT(o, entry));
	assert_int_equal(conf->s.max_conns, 8);
	assert_int_equal(conf->s.revalidate_period, 7000);
	assert_int_equal(conf->s.log_level, LOGL_ERROR);
	assert_string_equal(conf->log_file, "/file.log");
	assert_int_equal(conf->daemonize, 0);
	conf_free(conf);
	unlink(path);

	REFUSED(": No such file or directory", "-f", path);
	REFUSED("-max-conns", "-f", path, "-max-conns", "0");
	assert_int_equal(nreported, 2);
}

static void
test_database_flags(void **state)
{
	static const char	dsn[] = "u:pw@tcp(db:3306)/site";
	struct conf		*conf;
	char			 my[64], lite[64];

	(void)state;
	make_file(my, sizeof(my), "database mysql \"f:pw@tcp(file)/d\"\n");
	make_file(lite, sizeof(lite), "database sqlite \"/file.db\" create\n");
#define DATABASE(kind, text, made, ...) do {				\
	conf = LOAD(__VA_ARGS__);					\
	assert_non_null(conf);						\
	assert_int_equal(conf->db, kind);				\
	assert_string_equal(conf->dsn, text);				\
	assert_int_equal(conf->db_create, made);			\
	conf_free(conf);						\
} while (0)
	DATABASE(DB_MYSQL, dsn, 0, NONE, "-db", "mysql", "-dsn", dsn);
	DATABASE(DB_MYSQL, dsn, 0, NONE, "-dsn", dsn, "-db", "mysql");
	/* -dsn alone keeps the kind of the file. */
	DATABASE(DB_MYSQL, dsn, 0, "-f", my, "-dsn", dsn);
	DATABASE(DB_SQLITE, "/x.db", 1, "-f", lite, "-dsn", "/x.db");
	/* -db alone keeps what fits it. */
	DATABASE(DB_MYSQL, "f:pw@tcp(file)/d", 0, "-f", my, "-db", "mysql");
	DATABASE(DB_SQLITE, "/file.db", 1, "-f", lite, "-db", "sqlite");
	DATABASE(DB_SQLITE, "file:ws_tokens.db?cache=shared", 0, "-f", my,
	    "-db", "sqlite");
	DATABASE(DB_SQLITE, "/x.db", 1, "-f", my, "-db", "sqlite", "-dsn",
	    "/x.db", "-C");
	DATABASE(DB_MYSQL, dsn, 0, "-f", lite, "-db", "mysql", "-dsn", dsn);
	DATABASE(DB_MYSQL, "root@/db", 0, NONE, "-db", "mysql", "-dsn",
	    "root@/db");
	DATABASE(DB_MYSQL, "u@unix(/run/my.sock)/db", 0, NONE, "-db", "mysql",
	    "-dsn", "u@unix(/run/my.sock)/db");
	DATABASE(DB_SQLITE, "./a@tcp(b)/c", 0, NONE, "-dsn", "./a@tcp(b)/c");
#undef DATABASE
	REFUSED("-dsn", NONE, "-db", "mysql");
	REFUSED("-dsn", "-f", lite, "-db", "mysql");
	REFUSED("-db mysql", NONE, "-dsn", dsn);
	REFUSED("-db mysql", "-f", lite, "-dsn", dsn);
	REFUSED("of the form", NONE, "-db", "mysql", "-dsn", "/var/x.db");
	REFUSED("of the form", NONE, "-db", "mysql", "-dsn", "u:pw@tcp(h)");
	assert_null(strstr(reported, "pw@tcp(h)"));
	REFUSED("of the form", NONE, "-db", "mysql", "-dsn", "u:pw@udp(h)/x");
	assert_null(strstr(reported, "udp"));
	REFUSED("-C", "-f", my, "-C");
	unlink(my);
	unlink(lite);
}

static void
masked(const char *dsn, const char *expected)
{
	char	buf[CONF_MAXDSN + 16];

	assert_true(dsn_is_mysql(dsn));
	dsn_mask(dsn, buf, sizeof(buf));
	assert_string_equal(buf, expected);
}

static void
test_secrets(void **state)
{
	static char	 out[65536];
	struct conf	*conf;

	(void)state;
	masked("u:pw@tcp(h:1)/d", "u:********@tcp(h:1)/d");
	masked("u:p:w@tcp(h:1)/d", "u:********@tcp(h:1)/d");
	masked("u:p@/w@tcp(h:1)/d?x=y", "u:********@tcp(h:1)/d?x=y");
	masked("u:@/d", "u:********@/d");
	masked("u@tcp(h:1)/d", "u@tcp(h:1)/d");
	masked("u@unix(/a:b)/d", "u@unix(/a:b)/d");
	masked("tcp(h:1)/d", "tcp(h:1)/d");
	masked("/d", "/d");
	assert_false(dsn_is_mysql(""));
	assert_false(dsn_is_mysql("d"));
	assert_false(dsn_is_mysql("u:pw@tcp(h:1)"));
	/* The password's slash would be taken for the last one. */
	assert_false(dsn_is_mysql("u:a@b/c@tcp(h)"));

	conf = LOAD(NONE, "-db", "mysql", "-dsn", "u:s3c\"r\\t@tcp(h)/d");
	assert_non_null(conf);
	out[0] = '\0';
	conf_print(conf, 0, collect, out);
	assert_null(strstr(out, "s3c"));
	assert_non_null(strstr(out, "\"u:********@tcp(h)/d\"\n"));
	out[0] = '\0';
	conf_print(conf, 1, collect, out);
	assert_non_null(strstr(out, "\"u:s3c\\\"r\\\\t@tcp(h)/d\"\n"));
	conf_free(conf);
}

/* What is printed is read as the same, to the last field. */
static void
test_print(void **state)
{
	static char	 out[65536], again[65536];
	struct conf	*conf, *copy;
	char		 path[64], dsn[CONF_MAXDSN];
	int		 c;

	(void)state;
	for (c = 0; c < (int)sizeof(dsn) - 1; c++)
		dsn[c] = (char)(c % 3 == 0 ? '"' : c % 3 == 1 ? '\\' :
		    ' ' + c % 95);
	dsn[c] = '\0';
	conf = LOAD(NONE, "-dsn", dsn, "-addr", "unix:/a\"b\\", "-addr", ":1",
	    "-origins", "https://a,https://b", "-max-conns", "9",
	    "-offline-ttl", "1h1ms", "-log-file", "a $b # c", "-C");
	assert_non_null(conf);
	out[0] = again[0] = '\0';
	conf_print(conf, 1, collect, out);
	make_file(path, sizeof(path), out);
	copy = LOAD("-f", path);
	assert_non_null(copy);
	unlink(path);
	conf_print(copy, 1, collect, again);
	assert_string_equal(out, again);
	assert_memory_equal(&conf->s, &copy->s, sizeof(conf->s));
	assert_string_equal(conf->dsn, copy->dsn);
	assert_string_equal(conf->log_file, copy->log_file);
	assert_string_equal(conf->control, copy->control);
	assert_int_equal(conf->db_create, copy->db_create);
	assert_int_equal(conf->user_set, copy->user_set);
	assert_int_equal(conf->control_set, copy->control_set);
	assert_string_equal(TAILQ_FIRST(&copy->listens)->text, "unix:/a\"b\\");
	conf_free(conf);
	conf_free(copy);
}

static void
test_cross(void **state)
{
	char	path[64];

	(void)state;
#define FILE_REFUSED(text, content) do {				\
	make_file(path, sizeof(path), content);				\
	REFUSED(text, "-f", path);					\
	assert_int_equal(nreported, 1);					\
	unlink(path);							\
} while (0)
	FILE_REFUSED("send-queue-hard (2M) must not be below players "
	    "send-queue-soft (3M)",
	    "players { send-queue-hard 2M; send-queue-soft 3M }\n");
	FILE_REFUSED("must not be below publishers max-body (8M)",
	    "publishers { max-body 8M }\n");
	FILE_REFUSED("pong-timeout (1s) must not be below",
	    "players { pong-timeout 1s }\n");
	FILE_REFUSED("max-header (1K) must not be below",
	    "http { max-header 1K }\n");
	FILE_REFUSED("total-bytes (512K) must not be below",
	    "queue { total-bytes 512K }\n");
	FILE_REFUSED("same socket",
	    "listen on \"unix:/a\"\ncontrol \"/a\"\n");
#undef FILE_REFUSED
	/* Without an offline queue its size does not matter. */
	make_file(path, sizeof(path),
	    "queue { total-bytes 512K; max-messages 0 }\n");
	conf_free(LOAD("-f", path));
	assert_int_equal(nreported, 0);
	unlink(path);
}

/* The parser starts afresh each time, and leaves nothing after an error. */
static void
test_parse_again(void **state)
{
	struct conf	*conf;
	int		 i;

	(void)state;
	for (i = 0; i < 3; i++) {
		conf = conf_new();
		assert_int_equal(parse_text(conf, "m = \"a\"\nuser $m\n"), 0);
		assert_string_equal(conf->user, "a");
		conf_free(conf);

		conf = conf_new();
		assert_int_equal(parse_text(conf, "user $m\nqueue {\n"), -1);
		assert_string_equal(reported,
		    "test.conf:1: the macro \"m\" is not defined\n"
		    "test.conf:3: the \"{\" of line 2 is not closed\n");
		conf_free(conf);
	}
}

/* Every prefix of a file is either right or refused in words. */
static void
test_parse_cuts(void **state)
{
	static const char	text[] =
	    "m = \"x\" # c\nlisten on unix:/a mode 0600 group 'g'\n"
	    "database sqlite \"a\\\"b\" create\nno control\n"
	    "origins { https://a, \"https://b\"\n https://c; }\n"
	    "players { max-connections \\\n 5; max-message 1M\n}\n"
	    "control { max-clients 3 }\nuser $m\npid file y\nlog level info\n";
	struct conf		*conf;
	char			 cut[sizeof(text)];
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(text); i++) {
		memcpy(cut, text, i);
		cut[i] = '\0';
		conf = conf_new();
		parse_text(conf, cut);
		conf_free(conf);
	}
	conf = conf_new();
	assert_int_equal(parse_text(conf, text), 0);
	assert_string_equal(conf->user, "x");
	conf_free(conf);
}

static void
test_parse_noise(void **state)
{
	static const char *const	words[] = { "listen", "on", "{", "}",
					    "\n", ",", ";", "=", "$m", "m",
					    "\"s\"", "#", "\\", "\\\n",
					    "players", "max-connections", "5",
					    "origins", "https://a", "control",
					    "no", "mode", "include", "'", " ",
					    "database", "sqlite", "\t" };
	struct conf			*conf;
	char				 text[1024];
	uint32_t			 seed;
	int				 i, j;

	(void)state;
	seed = 1;
	for (i = 0; i < 3000; i++) {
		text[0] = '\0';
		for (j = 0; j < 40; j++) {
			seed = seed * 1103515245 + 12345;
			strlcat(text, words[(seed >> 16) % (sizeof(words) /
			    sizeof(words[0]))], sizeof(text));
			if (seed & 1 << 30)
				strlcat(text, " ", sizeof(text));
		}
		conf = conf_new();
		parse_text(conf, text);
		assert_in_range(nreported, 0, 21);
		conf_free(conf);
	}
}

static void
test_bounded(void **state)
{
	struct conf	*conf;
	char		*text;
	size_t		 size, n;
	int		 i;

	(void)state;
	size = 4 * 1024 * 1024;
	text = malloc(size);
	assert_non_null(text);
	for (n = 0; n + 8 < size; n += 7)
		memcpy(text + n, "m = xy\n", 8);
	conf = conf_new();
	assert_int_equal(parse_text(conf, text), -1);
	assert_non_null(strstr(reported, "too large"));
	assert_int_equal(nreported, 1);
	conf_free(conf);

	n = 0;
	for (i = 0; i <= CONF_MAXORIGINS; i++)
		n += (size_t)snprintf(text + n, size - n,
		    "origins { http://a:%d }\n", i + 1);
	conf = conf_new();
	assert_int_equal(parse_text(conf, text), -1);
	assert_non_null(strstr(reported, "too many origins (at most 1024)"));
	conf_free(conf);

	n = 0;
	for (i = 0; i <= CONF_MAXLISTEN; i++)
		n += (size_t)snprintf(text + n, size - n, "listen on :%d\n", i);
	conf = conf_new();
	assert_int_equal(parse_text(conf, text), -1);
	assert_non_null(strstr(reported, "too many addresses (at most 64)"));
	conf_free(conf);
	free(text);
}

/* Files that include each other in a row, and one that includes very many. */
static void
test_include_bounds(void **state)
{
	struct conf	*conf;
	FILE		*fp;
	char		 dir[] = "/tmp/test_conf.XXXXXXXXXX", path[64];
	int		 i;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "%s/%d", dir, i);
		fp = fopen(path, "w");
		assert_non_null(fp);
		if (i < 19)
			fprintf(fp, "include \"%d\"\n", i + 1);
		else
			fprintf(fp, "user \"deep\"");
		assert_int_equal(fclose(fp), 0);
	}
	/* 16 below the first, and 17. */
	conf = conf_new();
	snprintf(path, sizeof(path), "%s/3", dir);
	forget();
	assert_int_equal(parse_config(conf, path, report), 0);
	assert_string_equal(conf->user, "deep");
	conf_free(conf);
	conf = conf_new();
	snprintf(path, sizeof(path), "%s/2", dir);
	assert_int_equal(parse_config(conf, path, report), -1);
	assert_int_equal(nreported, 1);
	assert_non_null(strstr(reported, "too deeply (at most 16)"));
	assert_string_equal(conf->user, "_wsgateway");
	conf_free(conf);

	snprintf(path, sizeof(path), "%s/19", dir);
	fp = fopen(path, "w");
	assert_non_null(fp);
	assert_int_equal(fclose(fp), 0);
	snprintf(path, sizeof(path), "%s/0", dir);
	fp = fopen(path, "w");
	assert_non_null(fp);
	for (i = 0; i < 257; i++)
		fprintf(fp, "include \"19\"\n");
	assert_int_equal(fclose(fp), 0);
	conf = conf_new();
	forget();
	assert_int_equal(parse_config(conf, path, report), -1);
	assert_int_equal(nreported, 1);
	assert_non_null(strstr(reported, "/0:257: include: too many files"));
	conf_free(conf);

	for (i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "%s/%d", dir, i);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void
test_show(void **state)
{
	char	buf[CONF_MAXSHOW], text[200];

	(void)state;
	assert_string_equal(conf_show("abc", buf), "abc");
	assert_string_equal(conf_show("a\n\033b\177", buf), "a??b?");
	assert_string_equal(conf_show("u:p@w@h", buf), "********@h");
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	conf_show(text, buf);
	assert_in_range(strlen(buf), 70, CONF_MAXSHOW - 1);
	assert_string_equal(buf + strlen(buf) - 3, "...");
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_zero),
		cmocka_unit_test(test_notations),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_origin_bytes),
		cmocka_unit_test(test_listen_split),
		cmocka_unit_test(test_conf_new),
		cmocka_unit_test(test_flags_old),
		cmocka_unit_test(test_flags_bool),
		cmocka_unit_test(test_flags_ours),
		cmocka_unit_test(test_flags_wrong),
		cmocka_unit_test(test_flags_usage),
		cmocka_unit_test(test_flags_values),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_flag_wins),
		cmocka_unit_test(test_database_flags),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_cross),
		cmocka_unit_test(test_parse_again),
		cmocka_unit_test(test_parse_cuts),
		cmocka_unit_test(test_parse_noise),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_include_bounds),
		cmocka_unit_test(test_show)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
