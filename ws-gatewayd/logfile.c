/*
 * The end of the log.  Lines go through one bounded buffer; a descriptor is
 * written to only when poll(2) says that this doesn't wait, since the standard
 * output's flags are shared with others and can't be changed.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "logfile.h"
#include "platform.h"
#include "proc.h"

#define LOGFILE_KEPT	(256 * 1024)	/* bytes */
#define LOGFILE_PIECE	4096		/* fits a pipe that poll(2) likes */
#define LOGFILE_LAST_MS	200

static struct {
	enum logfile_kind	 kind;
	char			 path[PATH_MAX];
	int			 fd;
	int			 regular;
	int			 starting;
	struct event		*retry;
	uint64_t		 lost;
	char			 buf[LOGFILE_KEPT];
	size_t			 len;
	size_t			 torn;	/* of the first line, rest to come */
} logfile = { .fd = STDOUT_FILENO };

/* Pieces that don't wait: the whole for a file, little for a pipe. */
static int
logfile_ready(size_t *len)
{
	struct pollfd	pfd = { .fd = logfile.fd, .events = POLLOUT };

	if (logfile.regular)
		return (1);
	if (*len > LOGFILE_PIECE)
		*len = LOGFILE_PIECE;
	return (poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLOUT));
}

static void
logfile_consume(size_t n)
{
	const char	*nl;

	nl = memrchr(logfile.buf, '\n', n);
	logfile.torn = nl == NULL ? logfile.torn + n :
	    n - (size_t)(nl - logfile.buf) - 1;
	logfile.len -= n;
	memmove(logfile.buf, logfile.buf + n, logfile.len);
}

/* A line a datagram. */
static int
logfile_write_syslog(void)
{
	static const int	 priority[] = { LOG_DEBUG, LOG_DEBUG, LOG_INFO,
				    LOG_WARNING, LOG_ERR, LOG_CRIT };
	char			*nl;
	int			 n;

	/* The level is the line's first byte here. */
	if ((nl = memchr(logfile.buf, '\n', logfile.len)) == NULL)
		return (-1);
	*nl = '\0';
	n = platform_syslog(priority[logfile.buf[0] - '0'], logfile.buf + 1);
	*nl = '\n';
	if (n == -1)
		return (-1);
	logfile_consume((size_t)(nl - logfile.buf) + 1);
	return (0);
}

static int
logfile_write(void)
{
	size_t	len = logfile.len;
	ssize_t	n;

	if (logfile.kind == LOGFILE_SYSLOG)
		return (logfile_write_syslog());
	if (!logfile_ready(&len))
		return (-1);
	if ((n = write(logfile.fd, logfile.buf, len)) <= 0)
		return (-1);
	logfile_consume((size_t)n);
	return (0);
}

static void
logfile_drain(void)
{
	static const struct timeval	later = { 0, 250000 };

	while (logfile.len > 0)
		if (logfile_write() == -1)
			break;
	if (logfile.retry != NULL && (logfile.len > 0 || logfile.lost > 0))
		event_add(logfile.retry, &later);
}

static void
logfile_on_retry(int fd, short what, void *arg)
{
	uint64_t	n;

	(void)fd;
	(void)what;
	(void)arg;
	logfile_drain();
	if (logfile.len == 0 && logfile.lost > 0) {
		n = logfile.lost;
		logfile.lost = 0;
		log_warnx("%llu log lines were lost", (unsigned long long)n);
	}
}

static void
logfile_add(enum log_level level, const char *line, size_t len, int foreign)
{
	size_t	 i, need;
	char	*p;

	need = len + 1 + (logfile.kind == LOGFILE_SYSLOG ? 1 : 0);
	if (need > sizeof(logfile.buf) - logfile.len) {
		logfile.lost++;
		logfile_drain();
		return;
	}
	p = logfile.buf + logfile.len;
	if (logfile.kind == LOGFILE_SYSLOG)
		*p++ = (char)('0' + level);
	memcpy(p, line, len);
	for (i = 0; foreign && i < len; i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			p[i] = '?';
	p[len] = '\n';
	logfile.len += need;
	logfile_drain();
}

void
logfile_sink(enum log_level level, const char *line, size_t len,
    const char *msg)
{
	if (logfile.starting && level == LOGL_FATAL)
		fprintf(stderr, "ws-gatewayd: %s\n", msg);
	logfile_add(level, line, len, 0);
}

void
logfile_foreign(enum log_level level, const char *line, size_t len)
{
	if (len > LOG_MAXLINE)
		len = LOG_MAXLINE;
	logfile_add(level, line, len, 1);
}

static int
logfile_open_path(const char *path)
{
	struct stat	st;
	int		fd;

	/* A fifo without a reader would wait for one. */
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK,
	    0640);
	if (fd == -1)
		return (-1);
	logfile.regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	return (fd);
}

int
logfile_open(enum logfile_kind kind, const char *path, char *err,
    size_t errsize)
{
	struct stat	st;

	logfile.kind = kind;
	switch (kind) {
	case LOGFILE_STDOUT:
		logfile.fd = STDOUT_FILENO;
		logfile.regular = fstat(logfile.fd, &st) == 0 &&
		    S_ISREG(st.st_mode);
		break;
	case LOGFILE_PATH:
		if ((logfile.fd = logfile_open_path(path)) == -1) {
			snprintf(err, errsize, "log file %s: %s%s", path,
			    strerror(errno), errno == ENOENT ?
			    ": create its folder first" : "");
			return (-1);
		}
		strlcpy(logfile.path, path, sizeof(logfile.path));
		break;
	case LOGFILE_SYSLOG:
		if (platform_syslog_open() == -1) {
			snprintf(err, errsize, "no system log (%s): log lines "
			    "are lost, give a file with -log-file",
			    strerror(errno));
			return (-1);
		}
		break;
	}
	return (0);
}

void
logfile_attach(struct event_base *base)
{
	if ((logfile.retry = evtimer_new(base, logfile_on_retry,
	    NULL)) == NULL)
		fatalx("no memory for the log");
}

/* The rest of a line that was cut by the change of files helps nobody. */
static void
logfile_drop_torn(void)
{
	char	*nl;

	if (logfile.torn == 0)
		return;
	if ((nl = memchr(logfile.buf, '\n', logfile.len)) != NULL)
		logfile_consume((size_t)(nl - logfile.buf) + 1);
	logfile.torn = 0;
	logfile.lost++;
}

/* What waits to be written goes there, too. */
static void
use(int fd)
{
	close(logfile.fd);
	logfile.fd = fd;
	logfile_drop_torn();
}

void
logfile_reopen(void)
{
	int	fd, old_regular = logfile.regular;

	if (logfile.kind != LOGFILE_PATH)
		return;
	if ((fd = logfile_open_path(logfile.path)) == -1) {
		logfile.regular = old_regular;
		log_warn("can't reopen log file %s, going on with the old one",
		    logfile.path);
		return;
	}
	use(fd);
	log_info("log file reopened");
}

int
logfile_move(const char *path)
{
	int	fd, old_regular = logfile.regular;

	if (logfile.kind != LOGFILE_PATH || path[0] == '\0')
		return (-1);
	if ((fd = logfile_open_path(path)) == -1) {
		logfile.regular = old_regular;
		log_warn("can't open log file %s", path);
		return (-1);
	}
	log_info("the log goes on in %s", path);
	use(fd);
	strlcpy(logfile.path, path, sizeof(logfile.path));
	return (0);
}

void
logfile_starting(int on)
{
	logfile.starting = on;
}

void
logfile_flush(void)
{
	struct pollfd	pfd = { .fd = logfile.fd, .events = POLLOUT };
	uint64_t	end = now_ms() + LOGFILE_LAST_MS;

	logfile_drain();
	while (logfile.len > 0 && !logfile.regular &&
	    logfile.kind != LOGFILE_SYSLOG && now_ms() < end) {
		if (poll(&pfd, 1, LOGFILE_LAST_MS) != 1 ||
		    (pfd.revents & POLLOUT) == 0)
			break;
		logfile_drain();
	}
}
