/* Values as people write them on the command line. */
#ifndef VALUES_H
#define VALUES_H

#include <stddef.h>
#include <stdint.h>

/*
 * All return NULL, or what is wrong with the text.
 */

/*
 * An identity: bytes, where \xHH is the byte of that number and \\ a
 * backslash, as the tables show what can't be printed.
 */
const char	*value_id(const char *, uint8_t *, size_t max, uint32_t *len);

const char	*value_number(const char *, uint64_t *);

/* A Go duration, and days (d) and weeks (w) besides; in ms, MAX at the most. */
const char	*value_duration(const char *, uint64_t max, uint64_t *ms);

#endif /* VALUES_H */
