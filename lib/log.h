/*
 * Logging as JSON lines: {"time":...,"level":...,"msg":...,fields}.  Where a
 * line goes is the caller's sink: the parent's writes, a child's sends it to
 * the parent.
 */
#ifndef LOG_H
#define LOG_H

#include <sys/cdefs.h>

#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOGL_TRACE,
	LOGL_DEBUG,
	LOGL_INFO,
	LOGL_WARN,
	LOGL_ERROR,
	LOGL_FATAL
};

#define LOG_MAXLINE	4096		/* longer values are cut, marked "..." */

/*
 * LINE is one JSON object without a newline, LEN bytes; MSG its message alone
 * as plain text with a NUL.
 */
void	log_init(const char *process,
	    void (*sink)(enum log_level, const char *line, size_t len,
	    const char *msg));
void	log_set_level(enum log_level);
enum log_level log_get_level(void);

/* -1 when the name is no level. */
int	log_level_parse(const char *);
const char *log_level_name(enum log_level);

/* warn adds ": " and strerror(errno), warnx does not. */
void	log_warn(const char *, ...) __attribute__((__format__(printf, 1, 2)));
void	log_warnx(const char *, ...) __attribute__((__format__(printf, 1, 2)));
void	log_error(const char *, ...) __attribute__((__format__(printf, 1, 2)));
void	log_info(const char *, ...) __attribute__((__format__(printf, 1, 2)));
void	log_debug(const char *, ...) __attribute__((__format__(printf, 1, 2)));
/* Log at LOGL_FATAL and exit(1). */
void	fatal(const char *, ...)
	    __attribute__((__noreturn__, __format__(printf, 1, 2)));
void	fatalx(const char *, ...)
	    __attribute__((__noreturn__, __format__(printf, 1, 2)));

/*
 * A line with fields: log_begin() says whether the level is on (0: skip the
 * rest), then fields, then log_end().  One line at a time.  Strings are bytes:
 * what is not UTF-8 is replaced, controls are escaped.
 */
int	log_begin(enum log_level, const char *msg);
void	log_str(const char *key, const char *value);
void	log_bytes(const char *key, const void *value, size_t len);
void	log_int(const char *key, int64_t value);
void	log_end(void);

/*
 * The lines of one kind that a stranger can cause: at most BURST in a second,
 * what was left out is counted and said when the next one is let through
 * (field "suppressed").  Returns whether to log now.  To be used before
 * log_begin(); NOW in ms, monotonic.
 */
struct log_limit {
	uint64_t	since;		/* ms */
	uint32_t	count;
	uint32_t	suppressed;
};
int	log_limit(struct log_limit *, uint32_t burst, uint64_t now);

#endif /* LOG_H */
