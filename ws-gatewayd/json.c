/*
 * JSON to the letter of RFC 8259, without a tree and without recursion: what
 * the scanner must remember of a place is one bit for each level around it.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "json.h"
#include "utf8.h"
#include "word.h"

struct scan {
	const char	*text;
	size_t		 at;
	size_t		 len;
	const char	*error;
	int		 integer;	/* of the last number */
	struct json_value name;		/* of the last member */
	size_t		 depth;
	uint64_t	 object[JSON_MAXDEPTH / 64 + 1];	/* not array */
};

static const struct json_value	absent = { .type = JSON_ABSENT };

static void
scan_init(struct scan *s, const char *text, size_t len)
{
	s->text = text;
	s->at = 0;
	s->len = len;
	s->error = NULL;
	s->integer = 0;
	s->name = absent;
	s->depth = 0;
	memset(s->object, 0, sizeof(s->object));
}

static int
fail(struct scan *s, const char *error)
{
	s->error = s->at < s->len ? error : "text ends early";
	return (-1);
}

/* The next byte; at the end one that is no part of JSON's own syntax. */
static int
peek(const struct scan *s)
{
	return (s->at < s->len ? (uint8_t)s->text[s->at] : '\0');
}

static void
space(struct scan *s)
{
	while (s->at < s->len && (s->text[s->at] == ' ' ||
	    s->text[s->at] == '\n' || s->text[s->at] == '\r' ||
	    s->text[s->at] == '\t'))
		s->at++;
}

static int
digits(struct scan *s)
{
	if (peek(s) < '0' || peek(s) > '9')
		return (fail(s, "digit expected"));
	while (peek(s) >= '0' && peek(s) <= '9')
		s->at++;
	return (0);
}

static int
number(struct scan *s)
{
	s->integer = 1;
	if (peek(s) == '-')
		s->at++;
	if (peek(s) == '0')
		s->at++;
	else if (digits(s) == -1)
		return (-1);
	if (peek(s) == '.') {
		s->integer = 0;
		s->at++;
		if (digits(s) == -1)
			return (-1);
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->integer = 0;
		s->at++;
		if (peek(s) == '+' || peek(s) == '-')
			s->at++;
		if (digits(s) == -1)
			return (-1);
	}
	return (0);
}

static int
literal(struct scan *s, const char *word)
{
	for (; *word != '\0'; word++, s->at++) {
		if (peek(s) != *word)
			return (fail(s, "value expected"));
	}
	return (0);
}

static int
is_hex(int c)
{
	return ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	    (c >= 'A' && c <= 'F'));
}

static int
escape(struct scan *s)
{
	int	 i;

	s->at++;
	switch (peek(s)) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		s->at++;
		return (0);
	case 'u':
		s->at++;
		break;
	default:
		return (fail(s, "unknown escape"));
	}
	for (i = 0; i < 4; i++, s->at++) {
		if (!is_hex(peek(s)))
			return (fail(s, "hexadecimal digit expected"));
	}
	return (0);
}

/* Marks a quote, a backslash and control characters. */
static uint64_t
special(uint64_t word)
{
	return (word_below(word, 0x20) | word_equal(word, '"') |
	    word_equal(word, '\\'));
}

/* Skip what stands for itself in a string; returns whether it is ASCII. */
static int
plain(struct scan *s)
{
	uint64_t	 word, marks, bits = 0;
	uint8_t		 c;

	while (s->len - s->at >= sizeof(word)) {
		word = word_load(s->text + s->at);
		if ((marks = special(word)) != 0) {
			bits |= word_head(word, word_first(marks));
			s->at += word_first(marks);
			return ((bits & WORD_TOPS) == 0);
		}
		bits |= word;
		s->at += sizeof(word);
	}
	for (; s->at < s->len; s->at++) {
		c = (uint8_t)s->text[s->at];
		if (c < 0x20 || c == '"' || c == '\\')
			break;
		bits |= c;
	}
	return ((bits & WORD_TOPS) == 0);
}

/* Fail at the byte between FROM and here that is not UTF-8, if there is one. */
static int
check_utf8(struct scan *s, size_t from)
{
	uint32_t	 state = UTF8_START;
	uint8_t		 c;

	if (utf8_ok(s->text + from, s->at - from))
		return (0);
	for (; from < s->at; from++) {
		c = (uint8_t)s->text[from];
		if (utf8_feed(&state, &c, 1) == -1)
			break;
	}
	s->at = from;
	return (fail(s, "invalid UTF-8"));
}

static int
string(struct scan *s)
{
	size_t	 from;

	if (peek(s) != '"')
		return (fail(s, "string expected"));
	s->at++;
	for (;;) {
		from = s->at;
		if (!plain(s) && check_utf8(s, from) == -1)
			return (-1);
		switch (peek(s)) {
		case '"':
			s->at++;
			return (0);
		case '\\':
			if (escape(s) == -1)
				return (-1);
			break;
		default:
			return (fail(s, "control character in a string"));
		}
	}
}

static int
in_object(const struct scan *s)
{
	return (s->object[s->depth / 64] >> s->depth % 64 & 1);
}

static int
enter(struct scan *s, int object)
{
	uint64_t	 bit;

	if (s->depth == JSON_MAXDEPTH)
		return (fail(s, "nested too deeply"));
	s->depth++;
	bit = 1ULL << s->depth % 64;
	if (object)
		s->object[s->depth / 64] |= bit;
	else
		s->object[s->depth / 64] &= ~bit;
	s->at++;
	space(s);
	return (0);
}

static void
leave(struct scan *s)
{
	s->depth--;
	s->at++;
}

/* A member's name and its colon. */
static int
name(struct scan *s)
{
	size_t	 from = s->at;

	if (string(s) == -1)
		return (-1);
	s->name.raw = s->text + from;
	s->name.len = s->at - from;
	s->name.type = JSON_STRING;
	space(s);
	if (peek(s) != ':')
		return (fail(s, "':' expected"));
	s->at++;
	space(s);
	return (0);
}

/*
 * The start of a value.  Returns 1 when it was an opening and another value
 * must follow, 0 when the value is complete, -1 on error.
 */
static int
start(struct scan *s)
{
	switch (peek(s)) {
	case '{':
		if (enter(s, 1) == -1)
			return (-1);
		if (peek(s) != '}')
			return (name(s) == -1 ? -1 : 1);
		leave(s);
		return (0);
	case '[':
		if (enter(s, 0) == -1)
			return (-1);
		if (peek(s) != ']')
			return (1);
		leave(s);
		return (0);
	case '"':
		return (string(s));
	case 't':
		return (literal(s, "true"));
	case 'f':
		return (literal(s, "false"));
	case 'n':
		return (literal(s, "null"));
	case '-':
	case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		return (number(s));
	default:
		return (fail(s, "value expected"));
	}
}

/*
 * What follows a value inside an array or an object.  Returns 1 when another
 * value must follow, 0 when that array or object is complete, -1 on error.
 */
static int
next(struct scan *s)
{
	space(s);
	if (in_object(s)) {
		if (peek(s) == ',') {
			s->at++;
			space(s);
			return (name(s) == -1 ? -1 : 1);
		}
		if (peek(s) != '}')
			return (fail(s, "',' or '}' expected"));
	} else {
		if (peek(s) == ',') {
			s->at++;
			space(s);
			return (1);
		}
		if (peek(s) != ']')
			return (fail(s, "',' or ']' expected"));
	}
	leave(s);
	return (0);
}

static enum json_type
type_of(char c)
{
	switch (c) {
	case 'n':
		return (JSON_NULL);
	case 't':
	case 'f':
		return (JSON_BOOL);
	case '"':
		return (JSON_STRING);
	case '[':
		return (JSON_ARRAY);
	case '{':
		return (JSON_OBJECT);
	default:
		return (JSON_NUMBER);
	}
}

/* A whole value, however deep, from its first byte to its last. */
static int
value(struct scan *s, struct json_value *v)
{
	size_t	 from = s->at, outside = s->depth;
	int	 more;

	do {
		more = start(s);
		while (more == 0 && s->depth > outside)
			more = next(s);
	} while (more == 1);
	if (more == -1)
		return (-1);

	v->raw = s->text + from;
	v->len = s->at - from;
	v->type = type_of(*v->raw);
	v->integer = v->type == JSON_NUMBER && s->integer;
	return (0);
}

/* The bytes before and after the text's one value. */
static int
before(struct scan *s)
{
	if (s->len >= 3 && memcmp(s->text, "\xef\xbb\xbf", 3) == 0)
		return (fail(s, "byte order mark"));
	space(s);
	if (s->at == s->len) {
		s->error = "empty text";
		return (-1);
	}
	return (0);
}

static int
after(struct scan *s)
{
	space(s);
	if (s->at < s->len)
		return (fail(s, "something follows the value"));
	return (0);
}

static int
scan_end(const struct scan *s, int r, const char **error, size_t *at)
{
	if (error != NULL)
		*error = r == -1 ? s->error : NULL;
	if (at != NULL)
		*at = s->at;
	return (r);
}

/* One object; the names of its own members come by one at a time. */
static int
object(struct scan *s, struct json_member *m, int n)
{
	struct json_value	 key, v;
	int			 i, more;

	if (peek(s) != '{')
		return (fail(s, "not an object"));
	for (more = start(s); more == 1; more = next(s)) {
		key = s->name;
		if (value(s, &v) == -1)
			return (-1);
		for (i = 0; i < n; i++) {
			if (json_is(&key, m[i].name))
				m[i].value = v;
		}
	}
	return (more);
}

int
json_scan(const char *text, size_t len, struct json_member *m, int n,
    const char **error, size_t *at)
{
	struct scan	 s;
	int		 i, r;

	for (i = 0; i < n; i++)
		m[i].value = absent;
	scan_init(&s, text, len);
	r = before(&s) == -1 || object(&s, m, n) == -1 || after(&s) == -1 ?
	    -1 : 0;
	for (i = 0; i < n && r == -1; i++)
		m[i].value = absent;
	return (scan_end(&s, r, error, at));
}

int
json_value(const char *text, size_t len, struct json_value *v,
    const char **error, size_t *at)
{
	struct scan	 s;
	int		 r;

	scan_init(&s, text, len);
	r = before(&s) == -1 || value(&s, v) == -1 || after(&s) == -1 ?
	    -1 : 0;
	if (r == -1)
		*v = absent;
	return (scan_end(&s, r, error, at));
}
