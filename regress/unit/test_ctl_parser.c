/*
 * The command line of ws-gatewayctl: every command, its abbreviations, what is
 * ambiguous, and what an error offers; values and figures, there and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "parser.h"
#include "values.h"

#define MAXARGS	16

static struct command	 cmd;
static char		 line_copy[1024];
static char		*argv_copy[MAXARGS];

/* Parse words that are separated by single spaces; returns what was said. */
static char *
parse(const char *line, int want)
{
	FILE	*err;
	char	*text = NULL, *p, *word;
	size_t	 len;
	int	 argc = 0, r;

	assert_true(strlcpy(line_copy, line, sizeof(line_copy)) <
	    sizeof(line_copy));
	p = line_copy;
	while (*line != '\0' && (word = strsep(&p, " ")) != NULL) {
		assert_true(argc < MAXARGS);
		argv_copy[argc++] = word;
	}
	err = open_memstream(&text, &len);
	assert_non_null(err);
	r = command_parse(&cmd, argc, argv_copy, err);
	assert_int_equal(fclose(err), 0);
	assert_int_equal(r, want);
	if (r == 0)
		assert_string_equal(text, "");
	else
		assert_int_equal(strncmp(text, "ws-gatewayctl: ", 15), 0);
	return (text);
}

static void
good(const char *line, enum action action)
{
	free(parse(line, 0));
	assert_int_equal(cmd.action, action);
}

/* The error's first line is WANT, and the rest offers each of the words. */
static void
bad(const char *line, const char *want, const char *words)
{
	char	*text = parse(line, -1), *offer, *copy, *p, *word;
	char	 item[64];

	offer = strchr(text, '\n');
	assert_non_null(offer);
	*offer++ = '\0';
	assert_string_equal(text + 15, want);
	assert_int_equal(strncmp(offer, "possible here:\n", 15), 0);
	p = copy = strdup(words);
	assert_non_null(copy);
	while ((word = strsep(&p, " ")) != NULL) {
		snprintf(item, sizeof(item), "\n  %-12s ", word);
		assert_non_null(strstr(offer, item));
	}
	free(copy);
	free(text);
}

static void
assert_id(const struct ctl_id *id, const char *s)
{
	assert_int_equal(id->len, strlen(s));
	assert_memory_equal(id->id, s, id->len);
}

static void
test_show(void **state)
{
	(void)state;
	good("show stats", ACTION_SHOW_STATS);
	assert_false(cmd.raw || cmd.json);
	good("show store -j", ACTION_SHOW_STORE);
	assert_true(cmd.json);
	good("show players", ACTION_SHOW_PLAYERS);
	good("show players -n", ACTION_SHOW_PLAYERS);
	assert_true(cmd.raw);
	good("show queue -j -n", ACTION_SHOW_QUEUE);
	assert_true(cmd.raw && cmd.json);
	good("show config", ACTION_SHOW_CONFIG);
	good("show player 21", ACTION_SHOW_PLAYER);
	assert_id(&cmd.player, "21");
	good("show player players -n", ACTION_SHOW_PLAYER);
	assert_id(&cmd.player, "players");
	good("show player -n", ACTION_SHOW_PLAYER);
	assert_id(&cmd.player, "-n");
}

static void
test_abbreviations(void **state)
{
	(void)state;
	good("sh sta", ACTION_SHOW_STATS);
	good("sh sto", ACTION_SHOW_STORE);
	bad("sh st", "sh: \"st\": ambiguous", "stats store");
	good("sh q", ACTION_SHOW_QUEUE);
	good("show c", ACTION_SHOW_CONFIG);
	good("st", ACTION_STOP);
	good("k p 21", ACTION_KICK_PLAYER);
	good("k c 5", ACTION_KICK_CONN);
	good("r", ACTION_RELOAD);
	good("p 21 e", ACTION_PUBLISH);
	good("b e", ACTION_BROADCAST);
	good("d", ACTION_DRAIN);
	good("l v", ACTION_LOG);
	good("m", ACTION_MONITOR);
	good("tok l", ACTION_TOKEN_LIST);
	/* A whole word is itself, even if another begins with it. */
	good("show player 1", ACTION_SHOW_PLAYER);
}

static void
test_ambiguous(void **state)
{
	char	*text;

	(void)state;
	bad("s", "\"s\": ambiguous", "show stop");
	bad("show p", "show: \"p\": ambiguous", "player players");
	bad("show playe", "show: \"playe\": ambiguous", "player players");
	bad("monitor p", "monitor: \"p\": ambiguous", "player publish");
	bad("monitor d", "monitor: \"d\": ambiguous", "disconnect drop");
	/* Only what fits is offered. */
	text = parse("s", -1);
	assert_null(strstr(text, "reload"));
	free(text);
}

static void
test_errors(void **state)
{
	(void)state;
	bad("", "no command", "show kick publish broadcast monitor reload log "
	    "drain stop top token");
	bad("shw", "\"shw\": not understood", "show token");
	bad("show", "show: something is missing", "stats store players player queue "
	    "config");
	bad("show stats now", "show stats: \"now\": not understood", "-n -j");
	bad("show player", "show player: something is missing", "ID");
	bad("show -n", "show: \"-n\": not understood", "stats");
	bad("kick", "kick: something is missing", "player connection");
	bad("kick player", "kick player: something is missing", "ID");
	bad("kick connection x", "kick connection: \"x\": not a number", "N");
	bad("publish 21", "publish 21: something is missing", "EVENT");
	bad("publish 21 e {} more", "publish 21 e {}: \"more\": not "
	    "understood", "");
	bad("reload now", "reload: \"now\": not understood", "");
	bad("log", "log: something is missing", "verbose brief trace debug "
	    "info warn error fatal");
	bad("log loud", "log: \"loud\": not understood", "verbose");
	bad("drain soon", "drain: \"soon\": not a duration; 90s, 1h30m, 7d "
	    "and 2w are", "DURATION");
	bad("drain 25h", "drain: \"25h\": 24h is the most", "DURATION");
	bad("drain -5s", "drain: \"-5s\": a duration is not negative",
	    "DURATION");
	bad("monitor player", "monitor player: something is missing", "ID");
	bad("monitor nothing", "monitor: \"nothing\": not understood",
	    "connect disconnect publish broadcast queue flush drop kick "
	    "refuse player");
	bad("token", "token: something is missing", "add list revoke");
	/* Empty words are not parts of every word. */
	bad(" stats", "\"\": not understood", "show");
	bad("show player ", "show player: \"\": it is empty", "ID");
	bad("publish  e", "publish: \"\": it is empty", "ID");
	bad("broadcast ", "broadcast: \"\": an event has a name", "EVENT");
	bad("broadcast e ", "broadcast e: \"\": empty is no JSON; leave it "
	    "out for null", "PAYLOAD");
}

static void
test_kick(void **state)
{
	char	line[256], *text;

	(void)state;
	good("kick player 21", ACTION_KICK_PLAYER);
	assert_id(&cmd.player, "21");
	assert_string_equal(cmd.reason, "");
	good("kick player 21 be kind -n", ACTION_KICK_PLAYER);
	assert_string_equal(cmd.reason, "be kind -n");
	good("kick connection 18446744073709551615 x", ACTION_KICK_CONN);
	assert_true(cmd.conn == UINT64_MAX);
	assert_string_equal(cmd.reason, "x");
	bad("kick connection 18446744073709551616",
	    "kick connection: \"18446744073709551616\": too big a number",
	    "N");
	snprintf(line, sizeof(line), "kick player 1 %0123d", 0);
	good(line, ACTION_KICK_PLAYER);
	assert_int_equal(strlen(cmd.reason), 123);
	snprintf(line, sizeof(line), "kick player 1 %0124d", 0);
	text = parse(line, -1);
	assert_non_null(strstr(text, "a reason has 123 bytes at the most"));
	free(text);
	snprintf(line, sizeof(line), "kick player 1 %0123d x", 0);
	text = parse(line, -1);
	assert_non_null(strstr(text, "a reason has 123 bytes at the most"));
	free(text);
}

static void
test_publish(void **state)
{
	(void)state;
	good("publish 21 target {\"x\":1}", ACTION_PUBLISH);
	assert_id(&cmd.player, "21");
	assert_string_equal(cmd.event, "target");
	assert_string_equal(cmd.payload, "{\"x\":1}");
	good("publish 21 target", ACTION_PUBLISH);
	assert_null(cmd.payload);
	good("publish 21 target -", ACTION_PUBLISH);
	assert_string_equal(cmd.payload, "-");
	good("publish 21 target -5", ACTION_PUBLISH);
	assert_string_equal(cmd.payload, "-5");
	good("broadcast news true", ACTION_BROADCAST);
	assert_string_equal(cmd.event, "news");
	assert_string_equal(cmd.payload, "true");
}

static void
test_monitor(void **state)
{
	(void)state;
	good("monitor", ACTION_MONITOR);
	assert_int_equal(cmd.kinds, 0);
	assert_int_equal(cmd.player.len, 0);
	good("monitor connect drop", ACTION_MONITOR);
	assert_int_equal(cmd.kinds, CTL_EV_CONNECT | CTL_EV_DROP);
	good("mon player 21 k ref player 22 -j", ACTION_MONITOR);
	assert_int_equal(cmd.kinds, CTL_EV_KICK | CTL_EV_REFUSE);
	assert_id(&cmd.player, "22");
	assert_true(cmd.json);
	good("monitor c di pu b q f dr k r", ACTION_MONITOR);
	assert_int_equal(cmd.kinds, CTL_EV_ALL);
}

static void
test_log_and_drain(void **state)
{
	static const char *const	levels[] = { "trace", "debug", "info",
					    "warn", "error", "fatal" };
	char				line[32];
	uint64_t			i;

	(void)state;
	for (i = 0; i < 6; i++) {
		snprintf(line, sizeof(line), "log %s", levels[i]);
		good(line, ACTION_LOG);
		assert_int_equal(cmd.number, i);
		assert_string_equal(command_level_name(i), levels[i]);
	}
	assert_string_equal(command_level_name(6), "?");
	good("log verbose", ACTION_LOG);
	assert_int_equal(cmd.number, 1);
	good("log brief", ACTION_LOG);
	assert_int_equal(cmd.number, 2);
	good("drain", ACTION_DRAIN);
	assert_int_equal(cmd.number, 30000);
	good("drain 0", ACTION_DRAIN);
	assert_int_equal(cmd.number, 0);
	good("drain 1m30s", ACTION_DRAIN);
	assert_int_equal(cmd.number, 90000);
	good("drain 24h", ACTION_DRAIN);
	assert_int_equal(cmd.number, CTL_MAXDRAIN);
	good("stop", ACTION_STOP);
	good("reload", ACTION_RELOAD);
	good("top", ACTION_TOP);
	assert_int_equal(cmd.number, 2000);
	good("top 100ms", ACTION_TOP);
	assert_int_equal(cmd.number, 100);
	good("top -j 9s", ACTION_TOP);
	assert_int_equal(cmd.number, 9000);
	assert_int_equal(cmd.json, 1);
	bad("top 99ms", "top: \"99ms\": from 100ms to 9s", "DURATION");
	bad("top 9001ms", "top: \"9001ms\": from 100ms to 9s", "DURATION");
	bad("to", "\"to\": ambiguous", "top token");
}

#define DAY_MS	86400000ULL

static void
assert_token(uint32_t kind, uint32_t by, const char *value, uint64_t ttl)
{
	assert_int_equal(cmd.token.kind, kind);
	assert_int_equal(cmd.token.by, by);
	assert_int_equal(cmd.token.len, strlen(value));
	assert_memory_equal(cmd.token.value, value, cmd.token.len);
	assert_true(cmd.token.ttl == ttl);
}

static void
test_token(void **state)
{
	(void)state;
	good("token add -p 21", ACTION_TOKEN_ADD);
	assert_token(0, CTL_BY_PLAYER, "21", 30 * DAY_MS);
	good("token add -s web -e 2w1d12h", ACTION_TOKEN_ADD);
	assert_token(1, CTL_BY_SERVER, "web", 15 * DAY_MS + DAY_MS / 2);
	good("tok a -e 90s -p -s -j", ACTION_TOKEN_ADD);
	assert_token(0, CTL_BY_PLAYER, "-s", 90000);
	assert_true(cmd.json);
	good("token list", ACTION_TOKEN_LIST);
	good("token list -j", ACTION_TOKEN_LIST);
	good("token revoke abc", ACTION_TOKEN_REVOKE);
	assert_token(0, CTL_BY_TOKEN, "abc", 30 * DAY_MS);
	good("token revoke -- -p", ACTION_TOKEN_REVOKE);
	assert_token(0, CTL_BY_TOKEN, "-p", 30 * DAY_MS);
	good("token revoke -p 21", ACTION_TOKEN_REVOKE);
	assert_token(0, CTL_BY_PLAYER, "21", 30 * DAY_MS);
	good("token revoke -s web", ACTION_TOKEN_REVOKE);
	assert_token(1, CTL_BY_SERVER, "web", 30 * DAY_MS);

	bad("token add", "token add: whose?", "-p -s -e");
	bad("token add -e 3d", "token add -e 3d: whose?", "-p -s -e");
	bad("token add -p", "token add -p: something is missing", "PLAYER");
	bad("token add 21", "token add: \"21\": not understood", "-p -s");
	bad("token add -p 1 -s 2", "token add -p 1: \"-s\": one of -p, -s and "
	    "TOKEN is enough", "-p -s");
	bad("token add -p 1 -e 0", "token add -p 1 -e: \"0\": a token has to "
	    "live for some time", "DURATION");
	bad("token add -p 1 -e 99999w", "token add -p 1 -e: \"99999w\": "
	    "2562047h47m16.854s is the most", "DURATION");
	bad("token revoke", "token revoke: something is missing",
	    "-p -s -- TOKEN");
	bad("token revoke abc def", "token revoke abc: \"def\": not "
	    "understood", "");
	bad("token revoke 123456789012345678901234567890123",
	    "token revoke: \"123456789012345678901234567890123\": it has more "
	    "than 32 bytes", "TOKEN");
}

static void
test_usage(void **state)
{
	char	*text = NULL;
	size_t	 len;
	FILE	*f;

	(void)state;
	f = open_memstream(&text, &len);
	assert_non_null(f);
	command_usage(f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(strncmp(text, "usage: ws-gatewayctl ", 21), 0);
	assert_non_null(strstr(text, "\n  token "));
	assert_non_null(strstr(text, "\n  monitor "));
	free(text);
	assert_string_equal(command_kind_name(CTL_EV_CONNECT), "connect");
	assert_string_equal(command_kind_name(CTL_EV_REFUSE), "refuse");
	assert_string_equal(command_kind_name(0), "?");
	assert_string_equal(command_kind_name(CTL_EV_ALL), "?");
}

static void
test_identities(void **state)
{
	static const struct {
		const char	*text;
		const char	*bytes;
		size_t		 len;
		const char	*shown;
	} t[] = {
		{ "21", "21", 2, "21" },
		{ "a\\b", "a\\b", 3, "a\\\\b" },
		{ "a\\\\b", "a\\b", 3, "a\\\\b" },
		{ "\\xff\\x00", "\xff\0", 2, "\\xff\\x00" },
		{ "\\xFf", "\xff", 1, "\\xff" },
		{ "\\\\xff", "\\xff", 4, "\\\\xff" },
		{ "\\xg0", "\\xg0", 4, "\\\\xg0" },
		{ "\\", "\\", 1, "\\\\" },
		{ "\303\251", "\303\251", 2, "\303\251" },
		{ "\303", "\303", 1, "\\xc3" },
		{ "\033[31m", "\033[31m", 5, "\\x1b[31m" },
		{ "\302\233", "\302\233", 2, "\\xc2\\x9b" },
		{ "\177", "\177", 1, "\\x7f" },
	};
	struct ctl_id	id, again;
	char		shown[FORMAT_ID];
	size_t		i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_null(value_id(t[i].text, id.id, sizeof(id.id),
		    &id.len));
		assert_int_equal(id.len, t[i].len);
		assert_memory_equal(id.id, t[i].bytes, t[i].len);
		assert_string_equal(format_id(&id, shown, sizeof(shown)),
		    t[i].shown);
		/* What is shown can be typed. */
		assert_null(value_id(shown, again.id, sizeof(again.id),
		    &again.len));
		assert_int_equal(again.len, id.len);
		assert_memory_equal(again.id, id.id, id.len);
	}
	memset(shown, 'a', 65);
	shown[65] = '\0';
	assert_string_equal(value_id(shown, id.id, sizeof(id.id), &id.len),
	    "it has more than 64 bytes");
	shown[64] = '\0';
	assert_null(value_id(shown, id.id, sizeof(id.id), &id.len));
	assert_int_equal(id.len, 64);

	memset(id.id, 0xff, sizeof(id.id));
	format_id(&id, shown, sizeof(shown));
	assert_int_equal(strlen(shown), 256);
	assert_string_equal(format_text("ab\xff", 3, shown, 5), "ab");
	assert_true(format_is_plain("a\\b\303\251", 5));
	assert_false(format_is_plain("a\0b", 3));
	assert_true(format_is_plain("", 0));
}

static void
test_figures(void **state)
{
	static const struct {
		uint64_t	 n;
		const char	*size;
		const char	*age;
	} t[] = {
		{ 0, "0", "0s" },
		{ 999, "999", "0s" },
		{ 1023, "1023", "1s" },
		{ 1024, "1.00K", "1s" },
		{ 10229, "9.99K", "10s" },
		{ 12595, "12.3K", "12s" },
		{ 102300, "99.9K", "1m42s" },
		{ 1047000, "1022K", "17m27s" },
		{ 1048575, "1.00M", "17m28s" },
		{ 7500000, "7.15M", "2h05m" },
		{ 273600000, "261M", "3d04h" },
		{ UINT64_MAX, "16.0E", "213503982334d14h" },
	};
	char	buf[FORMAT_NUMBER], plain[FORMAT_NUMBER];
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		assert_string_equal(format_size(t[i].n, 0, buf, sizeof(buf)),
		    t[i].size);
		assert_string_equal(format_age(t[i].n, 0, buf, sizeof(buf)),
		    t[i].age);
		snprintf(plain, sizeof(plain), "%llu",
		    (unsigned long long)t[i].n);
		assert_string_equal(format_size(t[i].n, 1, buf, sizeof(buf)),
		    plain);
		snprintf(plain, sizeof(plain), "%llu",
		    (unsigned long long)t[i].n / 1000);
		assert_string_equal(format_age(t[i].n, 1, buf, sizeof(buf)),
		    plain);
	}
}

static void
test_durations(void **state)
{
	uint64_t	ms;

	(void)state;
	assert_null(value_duration("1d", UINT32_MAX, &ms));
	assert_int_equal(ms, DAY_MS);
	assert_null(value_duration("1w", UINT32_MAX, &ms));
	assert_int_equal(ms, 7 * DAY_MS);
	assert_null(value_duration("1w1d1h1ms", UINT32_MAX, &ms));
	assert_int_equal(ms, 8 * DAY_MS + 3600001);
	assert_null(value_duration("1.5h", UINT32_MAX, &ms));
	assert_int_equal(ms, 5400000);
	assert_non_null(value_duration("", UINT32_MAX, &ms));
	assert_non_null(value_duration("d", UINT32_MAX, &ms));
	assert_non_null(value_duration("1d1w", UINT32_MAX, &ms));
	assert_non_null(value_duration("1d1d", UINT32_MAX, &ms));
	assert_non_null(value_duration("1d ", UINT32_MAX, &ms));
	assert_non_null(value_duration("1.5d", UINT32_MAX, &ms));
	assert_non_null(value_duration("99999999999999999999w", UINT32_MAX,
	    &ms));
	assert_non_null(value_duration("30", UINT32_MAX, &ms));
	assert_non_null(value_duration("1d-3h", UINT32_MAX, &ms));
	assert_string_equal(value_duration("11s", 10000, &ms),
	    "10s is the most");
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_abbreviations),
		cmocka_unit_test(test_ambiguous),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_kick),
		cmocka_unit_test(test_publish),
		cmocka_unit_test(test_monitor),
		cmocka_unit_test(test_log_and_drain),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_durations),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
