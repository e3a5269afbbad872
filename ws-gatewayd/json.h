/*
 * A strict RFC 8259 scanner in valid UTF-8.  It finds the members of the outer
 * object and hands their exact bytes on; it builds nothing.
 */
#ifndef JSON_H
#define JSON_H

#include <stddef.h>
#include <stdint.h>

#define JSON_MAXDEPTH	1000		/* nested arrays and objects; a bit each */

enum json_type {
	JSON_ABSENT,
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT
};

struct json_value {
	const char	*raw;		/* in the text, no white space around */
	size_t		 len;
	enum json_type	 type;
	int		 integer;	/* a number without fraction, exponent */
};

/* A member that the caller looks for, and what was found. */
struct json_member {
	const char		*name;	/* ASCII */
	struct json_value	 value;	/* JSON_ABSENT when not there */
};

/*
 * Scan TEXT, which must be one object with nothing but white space around it.
 * Members are matched by name, decoded, without regard to ASCII case; the last
 * of a repeated one counts; others are checked and ignored.  Returns 0, or -1
 * with *ERROR a static text and *AT the offset (either may be NULL).  A valid
 * text that is not an object is an error, too.
 */
int	json_scan(const char *text, size_t len, struct json_member *, int n,
	    const char **error, size_t *at);

/*
 * Scan any one JSON value with white space around it; returns its span in
 * *VALUE, and as above.
 */
int	json_value(const char *text, size_t len, struct json_value *value,
	    const char **error, size_t *at);

/*
 * Decode a JSON_STRING value (raw bytes with the quotes) into UTF-8 without a
 * NUL at the end; a lone surrogate becomes U+FFFD.  Returns its full length,
 * of which at most OUTSIZE bytes were written.
 */
size_t	json_decode(const struct json_value *, char *out, size_t outsize);

/*
 * Whether a JSON_STRING value, decoded, is this ASCII word without regard to
 * case.
 */
int	json_is(const struct json_value *, const char *word);

/*
 * Write bytes as a JSON string with its quotes: what is not valid UTF-8
 * becomes U+FFFD, control characters are escaped.  Returns the full length
 * (snprintf's way); writes at most OUTSIZE bytes, no NUL.
 */
size_t	json_encode(const void *, size_t, char *out, size_t outsize);

#endif /* JSON_H */
