/*
 * The scanner against tables of texts by the classes of RFC 8259, what it
 * finds of an object's members, and the way of strings there and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "utf8.h"

struct text {
	const char	*s;
	size_t		 len;
};

#define T(s)	{ (s), sizeof(s) - 1 }

static const struct text	accepted[] = {
	/* One value of each kind, and white space. */
	T("null"), T("true"), T("false"), T("0"), T("\"\""), T("[]"), T("{}"),
	T(" null"), T("null "), T("\t\n\r null \t\n\r"), T(" [ ] "), T(" { } "),
	T("[\n]"), T("{\r\n}"),
	/* Numbers. */
	T("-0"), T("-1"), T("1"), T("9"), T("10"), T("1234567890"),
	T("0.0"), T("0.5"), T("-0.5"), T("10.01"), T("0e0"), T("0E0"),
	T("0e+0"), T("0e-0"), T("1e007"), T("-1.5E+10"), T("1.0e-28"),
	T("123456789012345678901234567890123456789012345678901234567890"),
	T("1e400"), T("-1e-400"), T("0.1000000000000000055511151231257827"),
	T("[0]"), T("[0,1]"), T("[-0,0.1,1e1]"), T("[1 ]"), T("[ 1]"),
	/* Strings. */
	T("\"a\""), T("\" \""), T("\"\x7f\""), T("\"'\""), T("\"/\""),
	T("\"\\\"\""), T("\"\\\\\""), T("\"\\/\""), T("\"\\b\\f\\n\\r\\t\""),
	T("\"\\u0000\""), T("\"\\u001f\""), T("\"\\uABCD\\uabcd\\u0aF9\""),
	T("\"\\ud83d\\ude00\""), T("\"\\ud83d\""), T("\"\\ude00\""),
	T("\"\\ud83d\\ud83d\""), T("\"\\ude00\\ud83d\""), T("\"\\ud83dx\""),
	T("\"\\ud83d\\n\""), T("\"\\\\u12\""), T("\"\\\\\\\"\""),
	T("\"\xc2\x80\""), T("\"\xdf\xbf\""), T("\"\xe0\xa0\x80\""),
	T("\"\xed\x9f\xbf\""), T("\"\xee\x80\x80\""), T("\"\xef\xbf\xbf\""),
	T("\"\xf0\x90\x80\x80\""), T("\"\xf4\x8f\xbf\xbf\""),
	T("\"\xef\xbb\xbf\""), T("\"\xe2\x80\xa8\xe2\x80\xa9\""),
	T("\"a long string of ASCII, then \xe2\x82\xac and so on, \\n\""),
	/* Arrays. */
	T("[[]]"), T("[[],[]]"), T("[null,true,false]"), T("[\"a\",{}]"),
	T("[ 1 , 2 , 3 ]"), T("[[[[[[[[]]]]]]]]"), T("[{},[],\"\",0,null]"),
	T("[[1,[2,[3]],4],5]"),
	/* Objects. */
	T("{\"\":0}"), T("{\"a\":1}"), T("{\"a\":1,\"b\":2}"),
	T("{\"a\":1,\"a\":2}"), T("{\"a\":{\"a\":{\"a\":{}}}}"),
	T(" { \"a\" : 1 , \"b\" : [ ] } "), T("{\"\\u0061\":[{\"b\":{}}]}"),
	T("{\"a\":[],\"b\":{},\"c\":\"\",\"d\":-1.0,\"e\":null}"),
	T("[{\"a\":[{\"a\":[{}]}]},{\"a\":0}]"),
};

static const struct text	refused[] = {
	/* Nothing. */
	T(""), T(" "), T("\n"), T("\0"),
	/* A byte order mark, and other encodings. */
	T("\xef\xbb\xbf"), T("\xef\xbb\xbf{}"), T(" \xef\xbb\xbf{}"),
	T("\xef\xbb"), T("\xff\xfe[\0]\0"), T("\0[\0]"),
	/* Literals. */
	T("n"), T("nul"), T("nulL"), T("NULL"), T("nulll"), T("True"),
	T("tru"), T("truE"), T("fals"), T("False"), T("falsey"),
	T("undefined"), T("NaN"), T("Infinity"), T("-Infinity"), T("nan"),
	T("[nul]"), T("[tru,1]"), T("\xe2\x9c\x93"),
	/* Numbers. */
	T("-"), T("+"), T("+1"), T("--1"), T("- 1"), T("01"), T("-01"),
	T("00"), T("-00"), T("1."), T("-1."), T(".5"), T("-.5"), T("1.e1"),
	T("1.+1"), T("0e"), T("0E"), T("0e+"), T("0e-"), T("1e"), T("1e1.5"),
	T("1e 1"), T("1 e1"), T("1.2.3"), T("1e1e1"), T("0x10"), T("0x"),
	T("1a"), T("1_000"), T("1,000"), T("1 000"), T("1."), T("0.-1"),
	T("[1.]"), T("[01]"), T("[-]"), T("[1e]"), T("[+1]"), T("[.1]"),
	T("1\0"), T("[1\0]"), T("\xef\xbc\x91"), T("-a"), T("1/2"), T("1:"),
	/* Strings. */
	T("\""), T("\"a"), T("a\""), T("'a'"), T("\"\\"), T("\"\\\""),
	T("\"\\a\""), T("\"\\v\""), T("\"\\0\""), T("\"\\'\""), T("\"\\x41\""),
	T("\"\\ \""), T("\"\\U0041\""), T("\"\\\n\""), T("\"\\\0\""),
	T("\"\\u\""), T("\"\\u0\""), T("\"\\u00\""), T("\"\\u000\""),
	T("\"\\u000g\""), T("\"\\u00G0\""), T("\"\\u 000\""),
	T("\"\\u+000\""), T("\"\\u-000\""), T("\"\\u0x00\""), T("\"\\u004"),
	T("\"\\ud83d\\u\""), T("\"\\ud83d\\udeg0\""), T("\"\\\xc3\xa9\""),
	T("\"\t\""), T("\"\n\""), T("\"\r\""), T("\"\0\""), T("\"\x1f\""),
	T("\"a\0b\""), T("\"a line\nand one\""), T("\"a\\\"\"b\""),
	T("\"\" \"\""), T("\"a\"b"), T("\\u0022\""), T("[\"a]"),
	/* UTF-8. */
	T("\"\x80\""), T("\"\xbf\""), T("\"\xc0\x80\""), T("\"\xc0\xaf\""),
	T("\"\xc1\xbf\""), T("\"\xc3\""), T("\"\xc3(\""), T("\"\xe2\x82\""),
	T("\"\xe0\x80\x80\""), T("\"\xe0\x9f\xbf\""), T("\"\xed\xa0\x80\""),
	T("\"\xed\xa0\xbd\xed\xb8\x80\""), T("\"\xed\xbf\xbf\""),
	T("\"\xf0\x80\x80\x80\""), T("\"\xf0\x8f\xbf\xbf\""),
	T("\"\xf4\x90\x80\x80\""), T("\"\xf5\x80\x80\x80\""), T("\"\xfe\""),
	T("\"\xff\""), T("\"\xf0\x9f\x98\""), T("\"\xf0\x9f\x98\\n\""),
	T("\"\xe9t\xe9\""), T("\"\xc3\\u00a9\""), T("\xc3\xa9"), T("\xff"),
	T("\"12345678\xc3\xa9 12345678 12345678\xc3\""), T("\"\xc3"),
	/* White space that is none. */
	T("\x0b" "1"), T("\x0c" "1"), T("1\x0b"), T("\xc2\xa0" "1"),
	T("\xe2\x80\xa8" "1"), T("[\x0c]"), T("\xe2\x81\xa0" "1"),
	/* Comments. */
	T("/**/1"), T("1//"), T("1#"), T("[1/**/]"), T("{/**/}"),
	/* Arrays. */
	T("["), T("]"), T("[1"), T("[1,"), T("[,"), T("[,]"), T("[1,]"),
	T("[,1]"), T("[1,,2]"), T("[1 2]"), T("[1;2]"), T("[1:2]"), T("[1}"),
	T("[]]"), T("[[]"), T("[][]"), T("[\"a\":1]"), T("[a]"), T("[1,\n"),
	T("[\"a\" \"b\"]"), T("[[[]]"), T("[{]}"), T("[1]x"), T("[]{}"),
	/* Objects. */
	T("{"), T("}"), T("{\"a\""), T("{\"a\":"), T("{\"a\":1"),
	T("{\"a\":1,"), T("{\"a\":1,}"), T("{,}"), T("{,\"a\":1}"),
	T("{\"a\"}"), T("{\"a\":}"), T("{\"a\",1}"), T("{\"a\" 1}"),
	T("{\"a\"::1}"), T("{\"a\":1:2}"), T("{\"a\":1 \"b\":2}"),
	T("{\"a\":1,,\"b\":2}"), T("{\"a\":1;\"b\":2}"), T("{a:1}"),
	T("{'a':1}"), T("{1:1}"), T("{null:1}"), T("{[]:1}"), T("{{}:1}"),
	T("{\"a\":1]"), T("{]"), T("{}}"), T("{{}}"), T("{[]}"),
	T("{\"a\":1}1"),
	T("{\"a\":1}{"), T("{}{}"), T("{}\0"), T("{} x"), T("{\"a\":b}"),
	T("{\"a\\q\":1}"), T("{\"\xff\":1}"), T("{\"a\":\"\xff\"}"),
	T("{\"a\":1}\xef\xbb\xbf"), T("{=1}"), T("{\"a\"=1}"), T("{:1}"),
	T("{\"a\":1,1}"), T("{\"a\":1,\"b\"}"), T("{\"a\":1,\"b\":}"),
	T("<null>"), T("*"), T("{\"a\":/\"b\"}"), T("\xf0\x9f\x98\x80"),
};

/*
 * The verdict on a text in memory of just its size: as it is, with white space
 * around it, in an array and as a member.  They must all agree.
 */
static int
verdict(const char *s, size_t len)
{
	static const struct {
		const char	*before, *after;
	} around[] = {
		{ "", "" }, { " \n", "\t " }, { "[", "]" }, { "[[],", " ,1]" },
		{ "{\"a\": ", "}" },
	};
	struct json_value	 v;
	const char		*error;
	char			*text;
	size_t			 at, i, n;
	int			 ok = 0;

	for (i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		n = strlen(around[i].before);
		text = malloc(n + len + strlen(around[i].after) + 1);
		assert_non_null(text);
		memcpy(text, around[i].before, n);
		memcpy(text + n, s, len);
		n += len;
		memcpy(text + n, around[i].after, strlen(around[i].after));
		n += strlen(around[i].after);
		text = realloc(text, n == 0 ? 1 : n);
		assert_non_null(text);
		if (json_value(text, n, &v, &error, &at) == 0) {
			assert_null(error);
			assert_int_not_equal(v.type, JSON_ABSENT);
			ok++;
		} else {
			assert_non_null(error);
			assert_int_equal(v.type, JSON_ABSENT);
			assert_in_range(at, 0, n);
		}
		free(text);
	}
	return (ok == 0 ? 0 : ok == (int)i ? 1 : -1);
}

static void
test_accept(void **state)
{
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		if (verdict(accepted[i].s, accepted[i].len) != 1)
			fail_msg("refused: %s", accepted[i].s);
	}
}

/* Some texts are no value by themselves and yet make one in an array. */
static void
test_refuse(void **state)
{
	struct json_value	 v;
	char			*text;
	size_t			 i;

	(void)state;
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		text = malloc(refused[i].len + 1);
		assert_non_null(text);
		memcpy(text, refused[i].s, refused[i].len);
		text = realloc(text, refused[i].len + !refused[i].len);
		assert_non_null(text);
		if (json_value(text, refused[i].len, &v, NULL, NULL) != -1)
			fail_msg("accepted: %s", refused[i].s);
		free(text);
	}
	assert_int_equal(verdict("01", 2), 0);
	assert_int_equal(verdict("\"\xff\"", 3), 0);
	assert_int_equal(verdict("nul", 3), 0);
}

/* No proper part of these from their start is a text. */
static void
test_truncated(void **state)
{
	static const char	 text[] = "{\"a\":[1.5e+3,true,null,\"\\u00e9"
				    "\xe2\x82\xac\\n\"],\"b\":{\"c\":{}}}";
	struct json_value	 v;
	const char		*error;
	char			*part;
	size_t			 at, len;

	(void)state;
	assert_int_equal(json_value(text, strlen(text), &v, NULL, NULL), 0);
	for (len = 0; len < strlen(text); len++) {
		part = malloc(len + !len);
		assert_non_null(part);
		memcpy(part, text, len);
		assert_int_equal(json_value(part, len, &v, &error, &at), -1);
		assert_string_equal(error, len == 0 ? "empty text" :
		    "text ends early");
		assert_int_equal(at, len);
		assert_int_equal(json_scan(part, len, NULL, 0, &error, &at),
		    -1);
		assert_int_equal(at, len);
		free(part);
	}
}

static void
test_errors(void **state)
{
	static const struct {
		struct text	 text;
		size_t		 at;
		const char	*error;
	} t[] = {
		{ T(""), 0, "empty text" },
		{ T(" \n "), 3, "empty text" },
		{ T("\xef\xbb\xbf{}"), 0, "byte order mark" },
		{ T("[]"), 0, "not an object" },
		{ T("  1"), 2, "not an object" },
		{ T("\"{}\""), 0, "not an object" },
		{ T("{} {}"), 3, "something follows the value" },
		{ T("{}\0"), 2, "something follows the value" },
		{ T("{"), 1, "text ends early" },
		{ T("{a:1}"), 1, "string expected" },
		{ T("{\"a\":1,}"), 7, "string expected" },
		{ T("{\"a\" 1}"), 5, "':' expected" },
		{ T("{\"a\":}"), 5, "value expected" },
		{ T("{\"a\":trux}"), 8, "value expected" },
		{ T("{\"a\":01}"), 6, "',' or '}' expected" },
		{ T("{\"a\":1]"), 6, "',' or '}' expected" },
		{ T("{\"a\":[1}"), 7, "',' or ']' expected" },
		{ T("{\"a\":[1,]}"), 8, "value expected" },
		{ T("{\"a\":-}"), 6, "digit expected" },
		{ T("{\"a\":1.}"), 7, "digit expected" },
		{ T("{\"a\":1e+}"), 8, "digit expected" },
		{ T("{\"a\":\"\\q\"}"), 7, "unknown escape" },
		{ T("{\"a\":\"\\u00x0\"}"), 10,
		    "hexadecimal digit expected" },
		{ T("{\"a\":\"b\n\"}"), 7, "control character in a string" },
		{ T("{\"a\":\"b\0\"}"), 7, "control character in a string" },
		{ T("{\"a\":\"12345678901234567890\x1f\"}"), 26,
		    "control character in a string" },
		{ T("{\"a\":\"b\xff\"}"), 7, "invalid UTF-8" },
		{ T("{\"a\":\"1234567890123456\xe2\x82\xac\xc0 1234567\"}"),
		    25, "invalid UTF-8" },
		{ T("{\"a\":\"\xe0\x80\x80\"}"), 7, "invalid UTF-8" },
		{ T("{\"a\":\"\xe2\x82\"}"), 8, "invalid UTF-8" },
		{ T("{\"\xe2\x82\\n\":1}"), 4, "invalid UTF-8" },
	};
	struct json_member	 m = { .name = "a" };
	const char		*error;
	size_t			 at, i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		m.value.type = JSON_NULL;
		assert_int_equal(json_scan(t[i].text.s, t[i].text.len, &m, 1,
		    &error, &at), -1);
		assert_string_equal(error, t[i].error);
		assert_int_equal(at, t[i].at);
		assert_int_equal(m.value.type, JSON_ABSENT);
		assert_int_equal(json_scan(t[i].text.s, t[i].text.len, &m, 1,
		    NULL, NULL), -1);
	}
	/* What was found before the error is not handed out. */
	assert_int_equal(json_scan("{\"a\":1,}", 8, &m, 1, NULL, NULL), -1);
	assert_int_equal(m.value.type, JSON_ABSENT);
}

/* A special byte at each place of a long string: words must not hide it. */
static void
test_words(void **state)
{
	static const struct {
		char		 c;
		const char	*error;
	} t[] = {
		{ '\0', "control character in a string" },
		{ '\x1f', "control character in a string" },
		{ '\x80', "invalid UTF-8" },
		{ '\xff', "invalid UTF-8" },
		{ '\xa2', "invalid UTF-8" },		/* a quote's, a */
		{ '\xdc', "invalid UTF-8" },		/* backslash's, with */
		{ '\x9f', "invalid UTF-8" },		/* the top bit */
		{ '"', "something follows the value" },
		{ '\\', "unknown escape" },
		{ ' ', NULL }, { '!', NULL }, { '#', NULL }, { '[', NULL },
		{ ']', NULL }, { '\x7f', NULL },
	};
	struct json_value	 v;
	const char		*error;
	char			 s[64];
	size_t			 at, i, j, from;

	(void)state;
	for (from = 0; from < 8; from++) {
		for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
			for (j = from + 1; j < sizeof(s) - 1; j++) {
				memset(s, 'x', sizeof(s));
				s[from] = s[sizeof(s) - 1] = '"';
				s[j] = t[i].c;
				if (t[i].c == '\\' && j == sizeof(s) - 2)
					continue;
				json_value(s + from, sizeof(s) - from, &v,
				    &error, &at);
				if (t[i].error == NULL) {
					assert_null(error);
					continue;
				}
				assert_string_equal(error, t[i].error);
				assert_int_equal(at, j - from + (t[i].c == '"'
				    || t[i].c == '\\' || t[i].c == '\xdc'));
			}
		}
	}
}

/* N arrays, or objects, or both by turns, around nothing. */
static char *
nested(int n, int kind, size_t *len)
{
	char	*s = malloc((size_t)n * 6);
	int	 i;

	assert_non_null(s);
	*len = 0;
	for (i = 0; i < n; i++) {
		if (kind == 0 || (kind == 2 && i % 2 == 1))
			s[(*len)++] = '[';
		else {
			memcpy(s + *len, "{\"\":", 4);
			*len += i == n - 1 ? 1 : 4;
		}
	}
	while (i-- > 0)
		s[(*len)++] = kind == 0 || (kind == 2 && i % 2 == 1) ?
		    ']' : '}';
	return (s);
}

static void
test_depth(void **state)
{
	static const int	 depths[] = { 1, 2, 63, 64, 65, 127, 128, 129,
				    JSON_MAXDEPTH - 1, JSON_MAXDEPTH };
	struct json_value	 v;
	struct json_member	 m = { .name = "a" };
	const char		*error;
	char			*s, *whole;
	size_t			 at, i, len;
	int			 kind;

	(void)state;
	for (kind = 0; kind < 3; kind++) {
		for (i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
			s = nested(depths[i], kind, &len);
			assert_int_equal(json_value(s, len, &v, NULL, NULL),
			    0);
			assert_int_equal(v.len, len);
			/* Each level must know its own kind on the way out. */
			s[len - 1] ^= ']' ^ '}';
			assert_int_equal(json_value(s, len, &v, &error, &at),
			    -1);
			assert_int_equal(at, len - 1);
			free(s);
		}
		s = nested(JSON_MAXDEPTH + 1, kind, &len);
		assert_int_equal(json_value(s, len, &v, &error, &at), -1);
		assert_string_equal(error, "nested too deeply");
		free(s);
	}
	/* Depth is what is open at once, not what there is. */
	s = nested(JSON_MAXDEPTH - 1, 0, &len);
	whole = malloc(2 * len + 20);
	assert_non_null(whole);
	at = (size_t)sprintf(whole, "{\"a\":%.*s,\"b\":%.*s}", (int)len, s,
	    (int)len, s);
	assert_int_equal(json_scan(whole, at, &m, 1, NULL, NULL), 0);
	assert_int_equal(m.value.len, len);
	free(whole);
	free(s);

	s = nested(100000, 2, &len);
	assert_int_equal(json_value(s, len, &v, NULL, NULL), -1);
	assert_int_equal(json_scan(s, len, &m, 1, NULL, NULL), -1);
	free(s);
}

static void
check_value(const char *text, enum json_type type, const char *raw,
    int integer)
{
	struct json_value	 v;

	assert_int_equal(json_value(text, strlen(text), &v, NULL, NULL), 0);
	assert_int_equal(v.type, type);
	assert_int_equal(v.integer, integer);
	assert_int_equal(v.len, strlen(raw));
	assert_memory_equal(v.raw, raw, v.len);
	assert_ptr_equal(v.raw, strstr(text, raw));
}

static void
test_value(void **state)
{
	(void)state;
	check_value("null", JSON_NULL, "null", 0);
	check_value(" true ", JSON_BOOL, "true", 0);
	check_value("\nfalse", JSON_BOOL, "false", 0);
	check_value(" 0 ", JSON_NUMBER, "0", 1);
	check_value("-12", JSON_NUMBER, "-12", 1);
	check_value("9007199254740993 ", JSON_NUMBER, "9007199254740993", 1);
	check_value("1.0", JSON_NUMBER, "1.0", 0);
	check_value("1e2", JSON_NUMBER, "1e2", 0);
	check_value(" \"a b\"\t", JSON_STRING, "\"a b\"", 0);
	check_value(" [ 1 , 2 ] ", JSON_ARRAY, "[ 1 , 2 ]", 0);
	check_value(" { \"a\" : 2 } ", JSON_OBJECT, "{ \"a\" : 2 }", 0);
}

/* Scan for the members a, b and player_id; absent ones are "". */
static void
check_members(const char *text, const char *a, const char *b,
    const char *player)
{
	struct json_member	 m[] = {
		{ .name = "a" }, { .name = "b" }, { .name = "player_id" },
	};
	const char		*want[3], *error;
	size_t			 at;
	int			 i;

	want[0] = a;
	want[1] = b;
	want[2] = player;
	assert_int_equal(json_scan(text, strlen(text), m, 3, &error, &at), 0);
	assert_null(error);
	assert_int_equal(at, strlen(text));
	for (i = 0; i < 3; i++) {
		assert_int_equal(m[i].value.len, strlen(want[i]));
		if (*want[i] == '\0') {
			assert_int_equal(m[i].value.type, JSON_ABSENT);
			continue;
		}
		assert_int_not_equal(m[i].value.type, JSON_ABSENT);
		assert_memory_equal(m[i].value.raw, want[i], m[i].value.len);
		assert_true(m[i].value.raw > text &&
		    m[i].value.raw < text + strlen(text));
	}
}

static void
test_members(void **state)
{
	(void)state;
	check_members("{}", "", "", "");
	check_members("{\"a\":1}", "1", "", "");
	check_members("{\"b\":2,\"a\":1}", "1", "2", "");
	check_members(" { \"a\" : [ 1 ] , \"b\" : { } } ", "[ 1 ]", "{ }", "");
	check_members("{\"c\":1,\"ab\":2,\"\":3,\"aa\":4}", "", "", "");
	check_members("{\"a\":9007199254740993,\"b\":1.10}",
	    "9007199254740993", "1.10", "");
	check_members("{\"a\":null,\"b\":\"\"}", "null", "\"\"", "");
	check_members("{\"player_id\":\"21\"}", "", "", "\"21\"");

	/* The last of a repeated one. */
	check_members("{\"a\":1,\"a\":2}", "2", "", "");
	check_members("{\"a\":1,\"b\":0,\"A\":null}", "null", "0", "");
	check_members("{\"a\":1,\"\\u0061\":3,\"c\":4}", "3", "", "");

	/* Case, of ASCII only. */
	check_members("{\"A\":1,\"B\":2,\"Player_ID\":3}", "1", "2", "3");
	check_members("{\"PLAYER_ID\":3}", "", "", "3");
	check_members("{\"player\xc5\xbfid\":3}", "", "", "");
	check_members("{\"PLAYER\x7fID\":3}", "", "", "");
	check_members("{\"player@id\":3,\"`\":1,\"\\u0001\":2}", "", "", "");

	/* Escaped names. */
	check_members("{\"\\u0061\":1,\"\\u0042\":2}", "1", "2", "");
	check_members("{\"pl\\u0061yer\\u005fid\":3}", "", "", "3");
	check_members("{\"\\u00e1\":1,\"\\u0161\":2}", "", "", "");
	check_members("{\"\\ud835\\udc4e\":1,\"\\ud861\":2}", "", "", "");

	/* An escaped NUL is not the end of a name. */
	check_members("{\"a\\u0000\":1,\"\\u0000a\":1}", "", "", "");
	check_members("{\"player_id\\u0000x\":1,\"player_i\":2,"
	    "\"player_idx\":3,\"xplayer_id\":4}", "", "", "");

	/* The outer object's only. */
	check_members("{\"c\":{\"a\":1,\"b\":2},\"d\":[{\"a\":3}]}", "", "",
	    "");
	check_members("{\"a\":{\"a\":1,\"b\":{\"a\":4}},\"d\":{\"b\":5}}",
	    "{\"a\":1,\"b\":{\"a\":4}}", "", "");
	check_members("{\"c\":{\"b\":1},\"b\":2,\"d\":{\"b\":3}}", "", "2", "");
	/* A name in a value, a value in a name. */
	check_members("{\"c\":\"a\",\"d\":[\"b\"],\"\\\"a\\\":1\":4}", "", "",
	    "");
}

static void
test_no_members(void **state)
{
	size_t	 at;

	(void)state;
	assert_int_equal(json_scan("{\"a\":1} ", 8, NULL, 0, NULL, &at), 0);
	assert_int_equal(at, 8);
	assert_int_equal(json_scan(NULL, 0, NULL, 0, NULL, &at), -1);
}

static void
check_decode(const char *text, const char *want, size_t len)
{
	struct json_value	 v;
	char			*out;
	size_t			 i;

	assert_int_equal(json_value(text, strlen(text), &v, NULL, NULL), 0);
	assert_int_equal(v.type, JSON_STRING);
	assert_int_equal(json_decode(&v, NULL, 0), len);
	/* Every size of the buffer, from too small to large enough. */
	for (i = 0; i <= len + 1; i++) {
		out = malloc(i + 1);
		assert_non_null(out);
		memset(out, 'x', i + 1);
		assert_int_equal(json_decode(&v, out, i), len);
		assert_memory_equal(out, want, i < len ? i : len);
		assert_int_equal(out[i < len ? i : len], 'x');
		free(out);
	}
}

static void
test_decode(void **state)
{
	(void)state;
	check_decode("\"\"", "", 0);
	check_decode("\"abc\"", "abc", 3);
	check_decode("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
	check_decode("\"\\u0000\\u0041\\u007f\"", "\0A\x7f", 3);
	check_decode("\"\\u0080\\u07ff\"", "\xc2\x80\xdf\xbf", 4);
	check_decode("\"\\u0800\\uFFFF\\uffff\"",
	    "\xe0\xa0\x80\xef\xbf\xbf\xef\xbf\xbf", 9);
	check_decode("\"\\ud800\\udc00\\uDBFF\\uDFFF\"",
	    "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8);
	check_decode("\"x\\ud83d\\ude00y\"", "x\xf0\x9f\x98\x80y", 6);
	check_decode("\"\xe2\x82\xac\\u20ac\"", "\xe2\x82\xac\xe2\x82\xac", 6);

	/* Halves of surrogate pairs. */
	check_decode("\"\\ud83d\"", "\xef\xbf\xbd", 3);
	check_decode("\"\\ude00\"", "\xef\xbf\xbd", 3);
	check_decode("\"\\ud83dx\"", "\xef\xbf\xbdx", 4);
	check_decode("\"\\ud83d\\n\"", "\xef\xbf\xbd\n", 4);
	check_decode("\"\\ud83d\\u0041\"", "\xef\xbf\xbd" "A", 4);
	check_decode("\"\\ud83d\\ud83d\\ude00\"",
	    "\xef\xbf\xbd\xf0\x9f\x98\x80", 7);
	check_decode("\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd", 6);
	check_decode("\"\\ud83d\\\\ude00\"", "\xef\xbf\xbd\\ude00", 9);
}

static void
check_encode(const char *bytes, size_t len, const char *want)
{
	struct json_value	 v;
	char			*out;
	size_t			 i, n = strlen(want);

	assert_int_equal(json_encode(bytes, len, NULL, 0), n);
	for (i = 0; i <= n + 1; i++) {
		out = malloc(i + 1);
		assert_non_null(out);
		memset(out, 'x', i + 1);
		assert_int_equal(json_encode(bytes, len, out, i), n);
		assert_memory_equal(out, want, i < n ? i : n);
		assert_int_equal(out[i < n ? i : n], 'x');
		if (i >= n) {
			assert_int_equal(json_value(out, n, &v, NULL, NULL),
			    0);
			assert_int_equal(v.type, JSON_STRING);
		}
		free(out);
	}
}

static void
test_encode(void **state)
{
	(void)state;
	check_encode("", 0, "\"\"");
	check_encode("abc /", 5, "\"abc /\"");
	check_encode("\"\\", 2, "\"\\\"\\\\\"");
	check_encode("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
	check_encode("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\\u007f\"");
	check_encode("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", 8,
	    "\"\\u0080\\u009b\\u009f\xc2\xa0\"");
	check_encode("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
	    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	check_encode("\xc3\x9b", 2, "\"\xc3\x9b\"");

	check_encode("a\xff" "b", 3, "\"a\xef\xbf\xbd" "b\"");
	check_encode("\x80\xbf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	check_encode("\xe2\x82", 2, "\"\xef\xbf\xbd\"");
	check_encode("\xe2\x82x", 3, "\"\xef\xbf\xbdx\"");
	check_encode("\xe2\x82\xc3\xa9", 4, "\"\xef\xbf\xbd\xc3\xa9\"");
	check_encode("\xed\xa0\x80", 3,
	    "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	check_encode("\xc3\"", 2, "\"\xef\xbf\xbd\\\"\"");
	check_encode("\xf0\x9f\x98\n", 4, "\"\xef\xbf\xbd\\n\"");
}

/* What is UTF-8 comes back as it was, and what isn't comes back as UTF-8. */
static void
test_there_and_back(void **state)
{
	struct json_value	 v;
	uint8_t			 in[16];
	char			 json[128], out[64];
	uint32_t		 seed = 1;
	size_t			 i, len, n;
	int			 round, whole = 0;

	(void)state;
	for (round = 0; round < 100000; round++) {
		len = (size_t)round % sizeof(in);
		for (i = 0; i < len; i++) {
			seed = seed * 1664525 + 1013904223;
			in[i] = (uint8_t)(seed >> 24);
			if (round & 1)
				in[i] &= 0x7f;
		}
		n = json_encode(in, len, json, sizeof(json));
		assert_in_range(n, 2, sizeof(json));
		assert_int_equal(json_value(json, n, &v, NULL, NULL), 0);
		assert_int_equal(v.len, n);
		n = json_decode(&v, out, sizeof(out));
		assert_in_range(n, 0, sizeof(out));
		assert_true(utf8_ok(out, n));
		if (!utf8_ok(in, len))
			continue;
		whole++;
		assert_int_equal(n, len);
		assert_memory_equal(out, in, len);
	}
	assert_in_range(whole, 50000, 99999);
}

static void
test_is(void **state)
{
	struct json_value	 v;

	(void)state;
	assert_int_equal(json_value("\"R\\u0065ady\"", 12, &v, NULL, NULL), 0);
	assert_true(json_is(&v, "ready"));
	assert_true(json_is(&v, "READY"));
	assert_false(json_is(&v, "read"));
	assert_false(json_is(&v, "readyy"));
	assert_false(json_is(&v, ""));
	assert_int_equal(json_value("\"\"", 2, &v, NULL, NULL), 0);
	assert_true(json_is(&v, ""));
	assert_false(json_is(&v, "a"));
	assert_int_equal(json_value("\"\\u0000\"", 8, &v, NULL, NULL), 0);
	assert_false(json_is(&v, ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_value),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_no_members),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_is),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
