/*
 * What the scanner says of a text must hold of its parts: a member's span is a
 * value of the same kind, a string decodes to UTF-8 and encodes to itself, and
 * any bytes encode to a string.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "utf8.h"

#define CHECK(x)	do { if (!(x)) abort(); } while (0)

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Bytes in memory of just their size. */
static char *
copy(const void *s, size_t len)
{
	char	*p = malloc(len + (len == 0));

	CHECK(p != NULL);
	if (len > 0)
		memcpy(p, s, len);
	return (p);
}

static char *
decode(const struct json_value *v, size_t *len)
{
	char	*out;

	*len = json_decode(v, NULL, 0);
	CHECK(*len <= v->len);
	out = malloc(*len + (*len == 0));
	CHECK(out != NULL);
	CHECK(json_decode(v, out, *len) == *len);
	CHECK(utf8_ok(out, *len));
	return (out);
}

/* Bytes to a JSON string and back: UTF-8 must come back as it was. */
static void
encode(const void *s, size_t len)
{
	struct json_value	 v;
	char			*json, *back;
	size_t			 n, m;

	n = json_encode(s, len, NULL, 0);
	json = malloc(n);
	CHECK(json != NULL);
	CHECK(json_encode(s, len, json, n) == n);
	CHECK(json_value(json, n, &v, NULL, NULL) == 0);
	CHECK(v.type == JSON_STRING && v.raw == json && v.len == n);
	back = decode(&v, &m);
	if (utf8_ok(s, len))
		CHECK(m == len && (len == 0 || memcmp(s, back, len) == 0));
	free(back);
	free(json);
}

static void
check_value(const char *text, size_t len, const struct json_value *v)
{
	struct json_value	 again;
	char			*raw, *out;
	size_t			 n;

	CHECK(v->type != JSON_ABSENT);
	CHECK(v->len > 0 && v->raw >= text && v->raw + v->len <= text + len);
	raw = copy(v->raw, v->len);
	CHECK(json_value(raw, v->len, &again, NULL, NULL) == 0);
	CHECK(again.raw == raw && again.len == v->len);
	CHECK(again.type == v->type && again.integer == v->integer);
	if (v->type == JSON_STRING) {
		out = decode(&again, &n);
		encode(out, n);
		free(out);
	}
	free(raw);
}

static void
check_error(const char *error, size_t at, size_t len)
{
	CHECK(error != NULL);
	CHECK(at <= len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t len)
{
	struct json_member	 m[] = {
		{ .name = "a" }, { .name = "event" }, { .name = "player_id" },
	};
	struct json_value	 v;
	const char		*error;
	char			*text = copy(input, len);
	size_t			 at, i, n = sizeof(m) / sizeof(m[0]);
	int			 is_value, is_object;

	is_value = json_value(text, len, &v, &error, &at) == 0;
	if (is_value) {
		CHECK(error == NULL && at == len);
		CHECK(utf8_ok(text, len));
		CHECK(memchr(text, '\0', len) == NULL);
		check_value(text, len, &v);
	} else {
		check_error(error, at, len);
		CHECK(v.type == JSON_ABSENT);
	}

	is_object = json_scan(text, len, m, (int)n, &error, &at) == 0;
	CHECK(is_object == (is_value && v.type == JSON_OBJECT));
	if (!is_object)
		check_error(error, at, len);
	for (i = 0; i < n; i++) {
		if (m[i].value.type != JSON_ABSENT) {
			CHECK(is_object);
			check_value(text, len, &m[i].value);
		}
	}

	encode(text, len);
	free(text);
	return (0);
}
