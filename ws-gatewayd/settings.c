/*
 * The scalar settings: one row each, with everything that the file, the
 * command line, the usage and -nv need to know of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conf_set.h"
#include "duration.h"
#include "forwarded.h"
#include "http.h"
#include "log.h"
#include "sandbox.h"

#define MS		UINT64_C(1)
#define SECOND		(1000 * MS)
#define MINUTE		(60 * SECOND)
#define HOUR		(60 * MINUTE)
#define DAY		(24 * HOUR)

#define KB		UINT64_C(1024)
#define MB		(1024 * KB)
#define GB		(1024 * MB)

#define NS_PER_MS	1000000

#define COUNT(block, name, flag, field, def, min, max, help)		\
	{ block, name, flag, SETTING_COUNT,				\
	    offsetof(struct settings, field), def, min, max, help }
#define DURATION(block, name, flag, field, def, min, max, help)		\
	{ block, name, flag, SETTING_DURATION,				\
	    offsetof(struct settings, field), def, min, max, help }
#define SIZE(block, name, flag, field, def, min, max, help)		\
	{ block, name, flag, SETTING_SIZE,				\
	    offsetof(struct settings, field), def, min, max, help }

#define SWITCH(block, name, flag, field, def, help)			\
	{ block, name, flag, SETTING_SWITCH,				\
	    offsetof(struct settings, field), def, 0, 1, help }

/* Rows of a block stand together: printconf.c prints them as they come. */
const struct setting settings_table[] = {
	{ "log", "level", "log-level", SETTING_LEVEL,
	    offsetof(struct settings, log_level),
	    LOGL_INFO, LOGL_TRACE, LOGL_FATAL,
	    "trace, debug, info, warn, error or fatal" },
	{ "", "sandbox", NULL, SETTING_SANDBOX,
	    offsetof(struct settings, sandbox),
	    SANDBOX_PREFER, SANDBOX_OFF, SANDBOX_REQUIRE,
	    "off, prefer or require" },

	COUNT("players", "max-connections", "max-conns", max_conns,
	    5, 1, 1000000, "connections of a player"),
	DURATION("players", "revalidate-period", "revalidate-period",
	    revalidate_period, 1 * MINUTE, 1 * MS, 30 * DAY,
	    "how often the tokens in use are checked"),
	DURATION("players", "ping-interval", NULL, ping_interval,
	    30 * SECOND, 10 * MS, 1 * DAY, "between pings"),
	DURATION("players", "pong-timeout", NULL, pong_timeout,
	    60 * SECOND, 10 * MS, 1 * DAY, "without a pong"),
	DURATION("players", "close-timeout", NULL, close_timeout,
	    5 * SECOND, 10 * MS, 1 * HOUR, "for the close handshake"),
	SIZE("players", "max-message", NULL, max_message,
	    64 * KB, 1, 64 * MB, "of a message from a player"),
	COUNT("players", "max-fragments", NULL, max_fragments,
	    1024, 1, 1000000, "of a message from a player"),
	SIZE("players", "send-queue-hard", NULL, sendq_hard,
	    4 * MB, 4 * KB, 1 * GB, "waiting for a player who does not read"),
	SIZE("players", "send-queue-soft", NULL, sendq_soft,
	    1 * MB, 1 * KB, 1 * GB, "the same, for a limited time"),
	DURATION("players", "send-queue-soft-time", NULL, sendq_soft_time,
	    10 * SECOND, 10 * MS, 1 * DAY, "above the soft limit"),
	SWITCH("players", "compress", NULL, compress,
	    0, "messages, for players who offer it"),
	SIZE("players", "compress-min", NULL, compress_min,
	    256, 1, 64 * MB, "of a message that is worth it"),
	COUNT("players", "compress-level", NULL, compress_level,
	    6, 1, 9, "1: fast, 9: small"),

	COUNT("queue", "max-messages", "max-queued", max_queued,
	    100, 0, 1000000,
	    "kept messages of an absent player, 0: none"),
	DURATION("queue", "ttl", "offline-ttl", offline_ttl,
	    10 * SECOND, 1 * MS, 365 * DAY, "how long such a message is kept"),
	COUNT("queue", "total-messages", NULL, queue_total_messages,
	    100000, 1, 100000000, "messages kept for all players"),
	SIZE("queue", "total-bytes", NULL, queue_total_bytes,
	    64 * MB, 4 * KB, 64 * GB, "of all messages kept"),
	COUNT("queue", "total-players", NULL, queue_total_players,
	    100000, 1, 100000000, "players for whom messages are kept"),

	COUNT("publishers", "rate-limit", "rate-limit", rate_limit,
	    10, 0, 1000000, "messages of a server, 0: no limit"),
	DURATION("publishers", "rate-period", "rate-period", rate_period,
	    1 * SECOND, 1 * MS, 30 * DAY,
	    "in which the server may send so many"),
	SIZE("publishers", "max-body", NULL, max_body,
	    1 * MB, 64, 64 * MB, "of a request"),

	SIZE("http", "max-request-line", NULL, max_request_line,
	    4 * KB, 256, HTTP_MAXHEAD, "of a request's first line"),
	SIZE("http", "max-header", NULL, max_header,
	    8 * KB, 256, HTTP_MAXHEAD, "of a request's head"),
	DURATION("http", "request-timeout", NULL, request_timeout,
	    10 * SECOND, 10 * MS, 1 * HOUR, "for a request to be complete"),
	DURATION("http", "keepalive-timeout", NULL, keepalive_timeout,
	    60 * SECOND, 10 * MS, 1 * DAY, "between two requests"),
	COUNT("http", "max-connections", NULL, max_connections,
	    0, 0, 10000000, "connections in all, 0: by the file limit"),
	{ "http", "client-header", NULL, SETTING_FORWARDED,
	    offsetof(struct settings, forwarded),
	    FORWARDED_X, FORWARDED_NONE, FORWARDED_RFC7239,
	    "none, x-forwarded-for or forwarded" },
	{ "http", "output", NULL, SETTING_OUTPUT,
	    offsetof(struct settings, output),
	    OUTPUT_PLAIN, OUTPUT_PLAIN, OUTPUT_URING, "plain or uring" },

	SIZE("limits", "memory", NULL, memory_limit,
	    512 * MB, 1 * MB, 1024 * GB,
	    "of connections, messages and queues together"),
	COUNT("limits", "per-address", NULL, max_per_address,
	    0, 0, 10000000, "connections of an address, 0: no limit"),
	COUNT("limits", "handshakes", NULL, max_handshakes,
	    32768, 1, 1000000, "WebSocket handshakes in progress"),
	COUNT("limits", "handshake-rate", NULL, handshake_rate,
	    10000, 0, 1000000, "handshakes a second, 0: no limit"),
	COUNT("limits", "handshake-burst", NULL, handshake_burst,
	    20000, 1, 1000000, "handshakes that may come at once"),

	DURATION("tokens", "cache", NULL, token_cache,
	    1 * SECOND, 0, 1 * HOUR, "of servers' tokens, 0: off"),
	DURATION("tokens", "grace", NULL, token_grace,
	    30 * SECOND, 0, 1 * DAY,
	    "for servers that were valid when the database went, 0: off"),
	DURATION("tokens", "lookup-timeout", NULL, lookup_timeout,
	    3 * SECOND, 10 * MS, 10 * MINUTE, "of the database"),
	COUNT("tokens", "batch", NULL, lookup_batch,
	    64, 1, 64, "tokens looked up by one query"),
	COUNT("tokens", "max-lookups", NULL, max_lookups,
	    32768, 1, 1000000, "waiting for the database"),

	SWITCH("tls", "key-isolation", NULL, key_isolation, 1,
	    "private keys in a process of their own"),
	DURATION("tls", "handshake-timeout", NULL, tls_handshake_timeout,
	    10 * SECOND, 100 * MS, 1 * HOUR, "for the TLS handshake"),
	COUNT("tls", "max-handshakes", NULL, max_tls_handshakes,
	    4096, 1, 1000000, "TLS handshakes in progress"),
	DURATION("tls", "signature-timeout", NULL, signature_timeout,
	    2 * SECOND, 10 * MS, 1 * MINUTE, "for the keys process to sign"),
	DURATION("tls", "ticket-lifetime", NULL, ticket_lifetime,
	    2 * HOUR, 1 * MINUTE, 1 * DAY, "of session tickets"),

	COUNT("control", "max-clients", NULL, max_control,
	    16, 1, 1024, "control connections")
};
const size_t settings_count =
    sizeof(settings_table) / sizeof(settings_table[0]);

enum reading {
	READ_OK,
	READ_NONE,			/* nothing of its kind */
	READ_LOW,
	READ_HIGH
};

static const char *const	switch_names[] = { "no", "yes", NULL };
static const char *const	sandbox_names[] = {
	[SANDBOX_OFF] = "off",
	[SANDBOX_PREFER] = "prefer",
	[SANDBOX_REQUIRE] = "require",
	NULL
};
static const char *const	output_names[] = {
	[OUTPUT_PLAIN] = "plain",
	[OUTPUT_URING] = "uring",
	NULL
};

static const char *const	forwarded_names[] = {
	[FORWARDED_NONE] = "none",
	[FORWARDED_X] = "x-forwarded-for",
	[FORWARDED_RFC7239] = "forwarded",
	NULL
};

/* The names of the values, from 0 on, of a row that has such. */
static const char *const *
names_of(const struct setting *row)
{
	if (row->kind == SETTING_SWITCH)
		return (switch_names);
	if (row->kind == SETTING_FORWARDED)
		return (forwarded_names);
	return (row->kind == SETTING_SANDBOX ? sandbox_names : output_names);
}

void
setting_put(struct settings *s, const struct setting *row, uint64_t v)
{
	memcpy((char *)s + row->offset, &v, sizeof(v));
}

void
settings_defaults(struct settings *s)
{
	size_t	i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < settings_count; i++)
		setting_put(s, &settings_table[i], settings_table[i].def);
}

const struct setting *
setting_by_name(const char *block, const char *name)
{
	size_t	i;

	for (i = 0; i < settings_count; i++)
		if (strcmp(settings_table[i].block, block) == 0 &&
		    strcmp(settings_table[i].name, name) == 0)
			return (&settings_table[i]);
	return (NULL);
}

const struct setting *
setting_by_flag(const char *flag)
{
	size_t	i;

	for (i = 0; i < settings_count; i++)
		if (settings_table[i].flag != NULL &&
		    strcmp(settings_table[i].flag, flag) == 0)
			return (&settings_table[i]);
	return (NULL);
}

uint64_t
setting_get(const struct settings *s, const struct setting *row)
{
	uint64_t	v;

	memcpy(&v, (const char *)s + row->offset, sizeof(v));
	return (v);
}

/* A leading zero would be octal to the old program: nobody's number here. */
static enum reading
read_count(const char *text, uint64_t *v)
{
	int	negative;

	negative = *text == '-';
	if (*text == '-' || *text == '+')
		text++;
	if (*text == '\0' || text[strspn(text, "0123456789")] != '\0' ||
	    (text[0] == '0' && text[1] != '\0'))
		return (READ_NONE);
	errno = 0;
	*v = strtoull(text, NULL, 10);
	if (negative && *v != 0)
		return (READ_LOW);
	return (errno == ERANGE ? READ_HIGH : READ_OK);
}

/* Rounded up, so that what is not 0 does not become 0, which means off. */
static enum reading
read_duration(const char *text, uint64_t *v)
{
	int64_t	ns;

	if (duration_parse(text, &ns) == -1)
		return (READ_NONE);
	if (ns < 0)
		return (READ_LOW);
	*v = (uint64_t)ns / NS_PER_MS + (ns % NS_PER_MS != 0);
	return (READ_OK);
}

static enum reading
read_name(const struct setting *row, const char *text, uint64_t *v)
{
	const char *const	*names = names_of(row);

	for (*v = 0; names[*v] != NULL; (*v)++)
		if (strcmp(names[*v], text) == 0)
			return (READ_OK);
	return (READ_NONE);
}

static enum reading
read_level(const char *text, uint64_t *v)
{
	int	level;

	if ((level = log_level_parse(text)) == -1)
		return (READ_NONE);
	*v = (uint64_t)level;
	return (READ_OK);
}

static enum reading
read_kind(const struct setting *row, const char *text, uint64_t *v,
    const char **wanted)
{
	switch (row->kind) {
	case SETTING_COUNT:
		*wanted = "is not a number";
		return (read_count(text, v));
	case SETTING_DURATION:
		*wanted = "is not a duration such as \"10s\" or \"1m30s\"";
		return (read_duration(text, v));
	case SETTING_SIZE:
		*wanted = "is not a size such as \"65536\", \"64K\" or \"1M\"";
		return (size_parse(text, v) == 0 ? READ_OK : READ_NONE);
	case SETTING_LEVEL:
		*wanted = "is no log level";
		return (read_level(text, v));
	case SETTING_SWITCH:
	case SETTING_SANDBOX:
	case SETTING_OUTPUT:
	case SETTING_FORWARDED:
		*wanted = "is not known";
		return (read_name(row, text, v));
	}
	*wanted = "is not known";
	return (READ_NONE);
}

/* "1 to 1000000", or the names there are. */
static char *
range(const struct setting *row, char *buf, size_t size)
{
	char	min[64], max[64];

	if (row->kind == SETTING_LEVEL || row->kind == SETTING_SANDBOX ||
	    row->kind == SETTING_OUTPUT || row->kind == SETTING_FORWARDED)
		strlcpy(buf, row->help, size);
	else if (row->kind == SETTING_SWITCH)
		strlcpy(buf, "yes or no", size);
	else
		snprintf(buf, size, "%s to %s",
		    setting_format(row, row->min, min, sizeof(min)),
		    setting_format(row, row->max, max, sizeof(max)));
	return (buf);
}

int
setting_parse(const struct setting *row, const char *text, uint64_t *v,
    struct why *why)
{
	const char	*wrong;
	char		 show[CONF_MAXSHOW], bounds[160];
	uint64_t	 n;
	enum reading	 reading;

	n = 0;
	reading = read_kind(row, text, &n, &wrong);
	if (reading == READ_OK && n < row->min)
		reading = READ_LOW;
	if (reading == READ_OK && n > row->max)
		reading = READ_HIGH;
	if (reading == READ_OK) {
		*v = n;
		return (0);
	}
	if (reading == READ_LOW)
		wrong = "is too small";
	if (reading == READ_HIGH)
		wrong = "is too large";
	return (why_set(why, "\"%s\" %s (%s)", conf_show(text, show), wrong,
	    range(row, bounds, sizeof(bounds))));
}

int
setting_set(struct settings *s, const struct setting *row, const char *text,
    char *err, size_t errsize)
{
	struct why	why;
	uint64_t	v = 0;

	if (setting_parse(row, text, &v, &why) == 0) {
		setting_put(s, row, v);
		return (0);
	}
	snprintf(err, errsize, "%s%s%s: %s", row->block,
	    *row->block != '\0' ? " " : "", row->name, why.text);
	return (-1);
}

char *
setting_format(const struct setting *row, uint64_t v, char *buf, size_t size)
{
	switch (row->kind) {
	case SETTING_COUNT:
		snprintf(buf, size, "%" PRIu64, v);
		break;
	case SETTING_DURATION:
		duration_format((int64_t)v * NS_PER_MS, buf, size);
		break;
	case SETTING_SIZE:
		size_format(v, buf, size);
		break;
	case SETTING_LEVEL:
		strlcpy(buf, log_level_name((enum log_level)v), size);
		break;
	case SETTING_SWITCH:
	case SETTING_SANDBOX:
	case SETTING_OUTPUT:
	case SETTING_FORWARDED:
		strlcpy(buf, v <= row->max ? names_of(row)[v] : "?", size);
		break;
	}
	return (buf);
}
