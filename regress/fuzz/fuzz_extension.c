/*
 * Offers of extensions against another reading of them, by splitting: since
 * what is in quotes must be a token, no separator can be inside.  Input: the
 * lines of a request.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ws_extension.h"

#define CHECK(x)	do { if (!(x)) abort(); } while (0)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Bytes of the input; nothing of it is copied. */
struct span {
	const char	*p;
	size_t		 len;
};

enum value {
	VALUE_NONE,
	VALUE_WINDOW,			/* "8" to "15" */
	VALUE_OTHER
};

static struct span
trim(struct span s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return (s);
}

/* What is before C, and *REST, what is behind; 0 when there is no C. */
static int
split(struct span s, char c, struct span *first, struct span *rest)
{
	const char	*at = s.len > 0 ? memchr(s.p, c, s.len) : NULL;

	*first = s;
	if (at != NULL)
		first->len = (size_t)(at - s.p);
	*first = trim(*first);
	if (at == NULL)
		return (0);
	rest->p = at + 1;
	rest->len = s.len - (size_t)(at + 1 - s.p);
	return (1);
}

static int
is(struct span s, const char *text)
{
	return (s.len == strlen(text) && memcmp(s.p, text, s.len) == 0);
}

/* RFC 9110, 5.6.2 */
static int
is_token(struct span s)
{
	static const char	 chars[] = "!#$%&'*+-.^_`|~0123456789"
				    "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t			 i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] == '\0' || strchr(chars, s.p[i]) == NULL)
			return (0);
	return (s.len > 0);
}

/* A value without quotes and escapes, in OUT; -1 when it is none. */
static int
plain(struct span s, char *out, size_t *len)
{
	size_t	 i;

	*len = 0;
	if (s.len == 0 || s.p[0] != '"') {
		memcpy(out, s.p, s.len);
		*len = s.len;
	} else {
		if (s.len < 2 || s.p[s.len - 1] != '"')
			return (-1);
		for (i = 1; i < s.len - 1; i++) {
			if (s.p[i] == '\\' && ++i == s.len - 1)
				return (-1);
			out[(*len)++] = s.p[i];
		}
	}
	return (is_token((struct span){ out, *len }) ? 0 : -1);
}

static enum value
kind(struct span s, int *bits)
{
	static const char *const	 windows[] = { "8", "9", "10", "11",
					    "12", "13", "14", "15" };
	size_t				 i;

	for (i = 0; i < sizeof(windows) / sizeof(windows[0]); i++)
		if (is(s, windows[i])) {
			*bits = (int)i + 8;
			return (VALUE_WINDOW);
		}
	return (VALUE_OTHER);
}

/* Whether an offer with that parameter will do. */
static int
will_do(struct span name, enum value value, int bits, unsigned *seen)
{
	static const char *const	 names[] = {
		"server_no_context_takeover", "client_no_context_takeover",
		"client_max_window_bits", "server_max_window_bits"
	};
	unsigned			 i;

	for (i = 0; i < 4; i++)
		if (is(name, names[i]))
			break;
	if (i == 4 || (*seen & 1U << i) != 0)
		return (0);
	*seen |= 1U << i;
	if (i < 2)
		return (value == VALUE_NONE);
	if (i == 2)
		return (value != VALUE_OTHER);
	return (value == VALUE_WINDOW && bits == 15);
}

/* -1: against the grammar. */
static int
read_offer(struct span element, struct ws_deflate *d)
{
	struct span	 part, name, value, rest = element;
	enum value	 v;
	unsigned	 seen = 0;
	size_t		 len;
	char		*text;
	int		 bits = 0, more, ok, rv = 0;

	more = split(rest, ';', &part, &rest);
	if (!is_token(part))
		return (-1);
	ok = is(part, "permessage-deflate");
	CHECK((text = malloc(element.len)) != NULL);
	while (more && rv == 0) {
		more = split(rest, ';', &part, &rest);
		v = VALUE_NONE;
		if (split(part, '=', &name, &value)) {
			rv = plain(trim(value), text, &len);
			v = kind((struct span){ text, len }, &bits);
		}
		if (!is_token(name))
			rv = -1;
		ok = will_do(name, v, bits, &seen) && ok;
	}
	free(text);
	if (rv == 0 && ok && !d->agreed) {
		d->agreed = 1;
		d->server_bits = (seen & 1U << 3) != 0 ? 15 : 0;
	}
	return (rv);
}

static int
read_line(struct span line, struct ws_deflate *d)
{
	struct span	 element, rest = line;
	int		 more;

	do {
		more = split(rest, ',', &element, &rest);
		if (element.len > 0 && read_offer(element, d) == -1)
			return (-1);
	} while (more);
	return (0);
}

/* In memory of just its size. */
static int
parse(struct ws_deflate *d, struct span line)
{
	char	*s = malloc(line.len > 0 ? line.len : 1);
	int	 rv;

	CHECK(s != NULL);
	if (line.len > 0)
		memcpy(s, line.p, line.len);
	rv = ws_extension_parse(d, s, line.len);
	free(s);
	return (rv);
}

/* The lines joined by commas say what they say one after the other. */
static void
check_joined(const char *s, size_t len, const struct ws_deflate *want)
{
	struct ws_deflate	 d = { 0, 0 };
	char			*joined = malloc(len > 0 ? len : 1);
	size_t			 i;

	CHECK(joined != NULL);
	for (i = 0; i < len; i++)
		joined[i] = s[i] == '\n' ? ',' : s[i];
	CHECK(parse(&d, (struct span){ joined, len }) == 0);
	CHECK(memcmp(&d, want, sizeof(d)) == 0);
	free(joined);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	struct ws_deflate	 d = { 0, 0 }, want = { 0, 0 };
	struct span		 line, rest;
	const char		*s = (const char *)input;
	const char		*end;
	int			 rv;

	for (rest = (struct span){ s, len };; rest.len -= line.len + 1) {
		end = rest.len > 0 ? memchr(rest.p, '\n', rest.len) : NULL;
		line = rest;
		if (end != NULL)
			line.len = (size_t)(end - rest.p);
		rv = parse(&d, line);
		CHECK(rv == read_line(line, &want));
		/* After an error nobody asks what was agreed on. */
		if (rv == -1)
			return (0);
		CHECK(memcmp(&d, &want, sizeof(d)) == 0);
		CHECK(d.server_bits == 0 || (d.agreed && d.server_bits == 15));
		if (end == NULL)
			break;
		rest.p = end + 1;
	}
	check_joined(s, len, &d);
	return (0);
}
