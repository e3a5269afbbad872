/*
 * Where the log lines of all processes end: a file, the standard output, or
 * the system log.  Never waits for a reader and never fails: what can't be
 * written now is kept for a while, then lost and counted.
 */
#ifndef LOGFILE_H
#define LOGFILE_H

#include <event2/event.h>
#include <stddef.h>

#include "log.h"

enum logfile_kind {
	LOGFILE_STDOUT,
	LOGFILE_PATH,
	LOGFILE_SYSLOG
};

/*
 * Open it; PATH is absolute, for LOGFILE_PATH.  Returns 0, or -1 with the
 * reason in ERR.
 */
int	logfile_open(enum logfile_kind, const char *path, char *err,
	    size_t errsize);

/* Retries and the count of lost lines need a loop. */
void	logfile_attach(struct event_base *);

/* As after a rotation; when that fails, says so in the old file. */
void	logfile_reopen(void);
/* To another file from a file; -1 where that can't be. */
int	logfile_move(const char *path);

/* A line of ours, the sink for log_init(). */
void	logfile_sink(enum log_level, const char *line, size_t len,
	    const char *msg);

/* A line from a child, which is not trusted to be one line. */
void	logfile_foreign(enum log_level, const char *line, size_t len);

/*
 * Whether fatal lines are also told on the standard error, as long as someone
 * is waiting for the start.
 */
void	logfile_starting(int);

/* Write what is kept, for a moment, before an exit. */
void	logfile_flush(void);

#endif /* LOGFILE_H */
