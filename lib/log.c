/*
 * One log line at a time, written into a static buffer as JSON that is valid
 * at every moment but for its closing brace.  Nothing is allocated and libc's
 * calendar isn't asked, which would look for /etc/localtime: a line can be
 * written by a confined process in any state.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define LOG_MAXMSG	2048		/* leaves room for the fields */
#define LOG_MAXVALUE	1024
#define LOG_MAXKEY	64
#define LOG_CUT		"..."
#define LOG_DROPPED	",\"truncated\":true"	/* some field had no room */

/* A newline fits behind the longest line, to make it one write of 4096. */
#define LOG_ROOM	(LOG_MAXLINE - 1 - (sizeof(LOG_DROPPED) - 1) - 1)

static const char *const level_names[] = {
	"trace", "debug", "info", "warn", "error", "fatal"
};

static void	log_stderr(enum log_level, const char *, size_t, const char *);

static const char	*log_process;
static void		(*log_sink)(enum log_level, const char *, size_t,
			    const char *) = log_stderr;
static enum log_level	 log_threshold = LOGL_INFO;
static uint32_t		 log_suppressed;	/* for the next line */

static struct {
	char		 buf[LOG_MAXLINE];
	size_t		 len;
	char		 msg[LOG_MAXMSG + 1];
	enum log_level	 level;
	int		 open;		/* between log_begin() and log_end() */
	int		 busy;		/* in the sink */
	int		 dropped;
} line;

/* Before log_init() there is nobody else to tell. */
static void
log_stderr(enum log_level level, const char *text, size_t len, const char *msg)
{
	(void)level;
	(void)msg;
	fprintf(stderr, "%.*s\n", (int)len, text);
}

void
log_init(const char *process, void (*sink)(enum log_level, const char *,
    size_t, const char *))
{
	log_process = process;
	log_sink = sink != NULL ? sink : log_stderr;
}

void
log_set_level(enum log_level level)
{
	log_threshold = level;
}

enum log_level
log_get_level(void)
{
	return (log_threshold);
}

int
log_level_parse(const char *name)
{
	size_t	i;

	for (i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++)
		if (strcmp(level_names[i], name) == 0)
			return (i);
	return (-1);
}

const char *
log_level_name(enum log_level level)
{
	return (level_names[level]);
}

/*
 * The UTF-8 character at P: its length, or 0 when there is none; a lead byte
 * narrows what its second byte may be, which leaves out overlong forms,
 * surrogates and what is over U+10FFFF.
 */
static size_t
utf8_char(const uint8_t *p, size_t len)
{
	uint8_t	low, high;
	size_t	i, n;

	if (p[0] < 0x80)
		return (1);
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return (0);
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len < n)
		return (0);
	low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
	if (p[1] < low || p[1] > high)
		return (0);
	for (i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return (0);
	return (n);
}

/* The control character at P, of N bytes, or -1; C1 ones drive terminals. */
static int
control_char(const uint8_t *p, size_t n)
{
	if (n == 1 && (p[0] < 0x20 || p[0] == 0x7f))
		return (p[0]);
	if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0)
		return (p[1]);
	return (-1);
}

/*
 * How a character of N bytes (0: a byte that belongs to none) is written in a
 * JSON string, and in the plain message.  Both return the length.
 */
static size_t
json_char(const uint8_t *p, size_t n, char out[8])
{
	static const char	 shorts[] = "\bb\tt\nn\ff\rr\"\"\\\\";
	const char		*s;
	int			 c;

	if (n == 0) {
		memcpy(out, "\357\277\275", 3);		/* U+FFFD */
		return (3);
	}
	if (n == 1)
		for (s = shorts; *s != '\0'; s += 2)
			if ((uint8_t)*s == p[0]) {
				out[0] = '\\';
				out[1] = s[1];
				return (2);
			}
	if ((c = control_char(p, n)) != -1)
		return (snprintf(out, 8, "\\u%04x", c));
	memcpy(out, p, n);
	return (n);
}

static size_t
plain_char(const uint8_t *p, size_t n, char out[8])
{
	if (n == 0 || control_char(p, n) != -1) {
		out[0] = n == 0 ? '?' : ' ';
		return (1);
	}
	memcpy(out, p, n);
	return (n);
}

/*
 * Write text into OUT of SIZE bytes, at least 3, between two characters where
 * it must be cut and is marked.  Returns the length, writes no NUL.
 */
static size_t
put_text(const void *text, size_t len, char *out, size_t size,
    size_t (*put_char)(const uint8_t *, size_t, char[8]))
{
	const uint8_t	*p = text;
	char		 c[8];
	size_t		 clen, cut, n, out_len;

	cut = out_len = 0;
	while (len > 0) {
		n = utf8_char(p, len);
		clen = put_char(p, n, c);
		if (clen > size - out_len) {
			memcpy(out + cut, LOG_CUT, sizeof(LOG_CUT) - 1);
			return (cut + sizeof(LOG_CUT) - 1);
		}
		memcpy(out + out_len, c, clen);
		out_len += clen;
		if (out_len + sizeof(LOG_CUT) - 1 <= size)
			cut = out_len;
		if (n == 0)
			n = 1;
		p += n;
		len -= n;
	}
	return (out_len);
}

static void
add(const char *s, size_t len)
{
	memcpy(line.buf + line.len, s, len);
	line.len += len;
}

/* ,"key": when as much and NEED bytes more have room. */
static int
add_key(const char *key, size_t need)
{
	char	name[LOG_MAXKEY];
	size_t	len;

	len = put_text(key, strlen(key), name, sizeof(name), json_char);
	if (line.len + len + 4 + need > LOG_ROOM) {
		line.dropped = 1;
		return (0);
	}
	add(",\"", 2);
	add(name, len);
	add("\":", 2);
	return (1);
}

static void
add_string(const char *key, const void *value, size_t len, size_t max)
{
	size_t	room;

	if (!add_key(key, 2 + sizeof(LOG_CUT) - 1))
		return;
	add("\"", 1);
	room = LOG_ROOM - line.len - 1;
	line.len += put_text(value, len, line.buf + line.len,
	    room < max ? room : max, json_char);
	add("\"", 1);
}

/*
 * The date of a day counted from 1970-01-01.  Years begin with March here, so
 * that the leap day is the last of its year, and go in cycles of 400.
 */
static void
civil(int64_t day, int64_t *year, int *month, int *mday)
{
	int64_t	cycle, yoe;
	int	doe, doy, m;

	day += 719468;			/* from 0000-03-01 */
	cycle = (day >= 0 ? day : day - 146096) / 146097;
	doe = day - cycle * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	m = (5 * doy + 2) / 153;	/* 0 is March */
	*mday = doy - (153 * m + 2) / 5 + 1;
	*month = m < 10 ? m + 3 : m - 9;
	*year = cycle * 400 + yoe + (*month <= 2);
}

static void
add_time(void)
{
	struct timespec	ts;
	int64_t		day, year;
	int		month, mday, n, second;

	if (clock_gettime(CLOCK_REALTIME, &ts) == -1)
		memset(&ts, 0, sizeof(ts));
	day = ts.tv_sec / 86400;
	second = ts.tv_sec % 86400;
	if (second < 0) {
		second += 86400;
		day--;
	}
	civil(day, &year, &month, &mday);
	n = snprintf(line.buf + line.len, LOG_ROOM - line.len,
	    "{\"time\":\"%04" PRId64 "-%02d-%02dT%02d:%02d:%02d.%03dZ\"", year,
	    month, mday, second / 3600, second / 60 % 60, second % 60,
	    (int)(ts.tv_nsec / 1000000));
	line.len += n;
}

int
log_begin(enum log_level level, const char *msg)
{
	uint32_t	suppressed;
	size_t		len;

	suppressed = log_suppressed;
	log_suppressed = 0;
	/* A sink that logs would be called for its own trouble, for ever. */
	if (level < log_threshold || line.busy)
		return (0);
	if (line.open)
		log_end();

	line.len = 0;
	line.dropped = 0;
	line.level = level;
	line.open = 1;
	add_time();
	add_string("level", level_names[level], strlen(level_names[level]),
	    LOG_MAXVALUE);
	len = strlen(msg);
	add_string("msg", msg, len, LOG_MAXMSG);
	len = put_text(msg, len, line.msg, LOG_MAXMSG, plain_char);
	line.msg[len] = '\0';
	if (log_process != NULL)
		log_str("process", log_process);
	if (suppressed > 0)
		log_int("suppressed", suppressed);
	return (1);
}

void
log_bytes(const char *key, const void *value, size_t len)
{
	if (line.open)
		add_string(key, value, len, LOG_MAXVALUE);
}

void
log_str(const char *key, const char *value)
{
	if (value != NULL)
		log_bytes(key, value, strlen(value));
	else if (line.open && add_key(key, 4))
		add("null", 4);
}

void
log_int(const char *key, int64_t value)
{
	char	number[24];
	int	len;

	len = snprintf(number, sizeof(number), "%" PRId64, value);
	if (line.open && add_key(key, len))
		add(number, len);
}

void
log_end(void)
{
	int	saved_errno;

	if (!line.open)
		return;
	if (line.dropped)
		add(LOG_DROPPED, sizeof(LOG_DROPPED) - 1);
	add("}", 1);
	line.open = 0;
	line.busy = 1;
	saved_errno = errno;
	log_sink(line.level, line.buf, line.len, line.msg);
	errno = saved_errno;
	line.busy = 0;
}

/* CODE is an errno to be told, or 0. */
static void
log_v(enum log_level level, int code, const char *fmt, va_list ap)
{
	char	text[LOG_MAXLINE];
	size_t	len;
	int	n, saved_errno;

	saved_errno = errno;
	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		n = snprintf(text, sizeof(text), "%s", fmt);
	len = n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1;
	if (code != 0)
		snprintf(text + len, sizeof(text) - len, ": %s",
		    strerror(code));
	if (log_begin(level, text))
		log_end();
	errno = saved_errno;
}

void
log_warn(const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	log_v(LOGL_WARN, errno, fmt, ap);
	va_end(ap);
}

void
log_warnx(const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	log_v(LOGL_WARN, 0, fmt, ap);
	va_end(ap);
}

void
log_error(const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	log_v(LOGL_ERROR, 0, fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	log_v(LOGL_INFO, 0, fmt, ap);
	va_end(ap);
}

void
log_debug(const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	log_v(LOGL_DEBUG, 0, fmt, ap);
	va_end(ap);
}

void
fatal(const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	log_v(LOGL_FATAL, errno, fmt, ap);
	va_end(ap);
	exit(1);
}

void
fatalx(const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	log_v(LOGL_FATAL, 0, fmt, ap);
	va_end(ap);
	exit(1);
}

int
log_limit(struct log_limit *limit, uint32_t burst, uint64_t now)
{
	if (now - limit->since >= 1000) {
		limit->since = now;
		limit->count = 0;
	}
	if (limit->count >= burst) {
		if (limit->suppressed < UINT32_MAX)
			limit->suppressed++;
		return (0);
	}
	limit->count++;
	log_suppressed = limit->suppressed;
	limit->suppressed = 0;
	return (1);
}
