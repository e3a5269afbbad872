/* Durations and sizes as people write them. */
#ifndef DURATION_H
#define DURATION_H

#include <stddef.h>
#include <stdint.h>

/*
 * A Go duration: "300ms", "1m30s", "2h", "1.5h", "0"; units ns us µs ms s m h.
 * A bare number other than 0 is no duration.  Gives nanoseconds.  Returns 0,
 * or -1 when the text is none or is out of range; a sign is parsed.
 */
int	duration_parse(const char *, int64_t *ns);

/* The shortest of the same form: 90000000000 is "1m30s". Returns buf. */
char	*duration_format(int64_t ns, char *buf, size_t);

/* Bytes: "65536", "64K", "1M", "2G" (powers of 1024). Returns 0 or -1. */
int	size_parse(const char *, uint64_t *);
char	*size_format(uint64_t, char *buf, size_t);	/* exact: "64K" */

#endif /* DURATION_H */
