/*
 * Offers of permessage-deflate: which is taken, which is declined, and what is
 * against the grammar.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "ws_extension.h"

#define D	"permessage-deflate"
#define SN	"server_no_context_takeover"
#define CN	"client_no_context_takeover"
#define SB	"server_max_window_bits"
#define CB	"client_max_window_bits"

#define NONE	0
#define TAKEN	1
#define BITS	15		/* taken, and the window is to be said */
#define BAD	(-1)

/* A line in memory of just its size. */
static int
parse(struct ws_deflate *d, const char *line)
{
	size_t	 len = strlen(line);
	char	*s = malloc(len > 0 ? len : 1);
	int	 rv;

	assert_non_null(s);
	memcpy(s, line, len);
	rv = ws_extension_parse(d, s, len);
	free(s);
	return (rv);
}

static void
check(const char *line, int want)
{
	struct ws_deflate	 d = { 0, 0 };

	if (want == BAD) {
		if (parse(&d, line) != -1)
			fail_msg("taken: %s", line);
		return;
	}
	if (parse(&d, line) != 0)
		fail_msg("against the grammar: %s", line);
	if (d.agreed != (want != NONE) ||
	    d.server_bits != (want == BITS ? 15 : 0))
		fail_msg("agreed %u, bits %u: %s", d.agreed, d.server_bits,
		    line);
}

static void
test_taken(void **state)
{
	static const struct {
		const char	*line;
		int		 want;
	} t[] = {
		{ D, TAKEN },
		{ " \t" D "\t ", TAKEN },
		{ D "; " CB, TAKEN },
		{ D ";" CB "=8", TAKEN },
		{ D "; " CB "=15", TAKEN },
		{ D "; " CB " = \"10\"", TAKEN },
		{ D "; " SN, TAKEN },
		{ D "; " CN, TAKEN },
		{ D "; " SN "; " CN "; " CB, TAKEN },
		{ D "; " SB "=15", BITS },
		{ D "; " SB "=\"15\"", BITS },
		{ D "; " SB "=\"1\\5\"", BITS },
		{ D "; " CB "; " SB "=15; " CN "; " SN, BITS },
		/* The first that will do. */
		{ "x-webkit-deflate-frame, " D, TAKEN },
		{ D "; " SB "=10, " D, TAKEN },
		{ D "; " SB "=10," D ";" SB "=15," D, BITS },
		{ D ", " D "; " SB "=15", TAKEN },
		{ D "; unknown, " D, TAKEN },
		{ "foo; a; b=c; d=\"e\", " D, TAKEN },
		{ "foo; a=1; a=1, " D, TAKEN },
		/* Empty elements. */
		{ ", ," D, TAKEN },
		{ D ", ,", TAKEN },
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		check(t[i].line, t[i].want);
}

static void
test_declined(void **state)
{
	static const char *const	 t[] = {
		"", " ", ",", "foo", "foo; bar=1",
		"permessage-bzip2", "PERMESSAGE-DEFLATE", "permessage-deflat",
		D "x", "x" D,
		D "; unknown", D "; unknown=1", D "; " SN "; foo",
		D "; Server_no_context_takeover", D "; " SN "x",
		/* Twice. */
		D "; " SN "; " SN, D "; " CN "; " CN, D "; " CB "; " CB,
		D "; " CB "=10; " CB, D "; " SB "=15; " SB "=15",
		/* A value that must not be, or must. */
		D "; " SN "=1", D "; " SN "=true", D "; " CN "=\"x\"",
		D "; " SB,
		/* Values. */
		D "; " SB "=7", D "; " SB "=16", D "; " SB "=0",
		D "; " SB "=-15", D "; " SB "=015", D "; " SB "=+15",
		D "; " SB "=\"015\"", D "; " SB "=15x", D "; " SB "=150",
		D "; " SB "=4294967311", D "; " SB "=1.5",
		D "; " SB "=18446744073709551631",
		D "; " CB "=7", D "; " CB "=16", D "; " CB "=08",
		D "; " CB "=x", D "; " CB "=\"7\"", D "; " CB "=99999999999",
		/* A window that we don't make. */
		D "; " SB "=8", D "; " SB "=14", D "; " SB "=\"9\""
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		check(t[i], NONE);
}

static void
test_grammar(void **state)
{
	static const char *const	 t[] = {
		";", "=", "\"" D "\"", D ";", D "; ", D ";;" SN, D " " SN,
		D "; " SN " " CN, D "=1", D "; " SB "=", D "; " SB "=,",
		D "; " SB "=\"", D "; " SB "=\"15", D "; " SB "=\"\"",
		D "; " SB "=\"15\\", D "; " SB "=\"15\\\"", D "; " SB "=\"1 5\"",
		D "; " SB "=\"15\"x", D "; " SB "=15=15", D "; =15",
		D "; " SB "=(15)", D "/1", "a@b", "f\xc3\xb6o", D ", ;",
		/* Behind a good offer, too. */
		D ", foo bar", D ", foo;", D "; " CB ", \"x\""
	};
	size_t	 i;

	(void)state;
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		check(t[i], BAD);
}

/* Several lines are one list. */
static void
test_lines(void **state)
{
	struct ws_deflate	 d = { 0, 0 };

	(void)state;
	assert_int_equal(parse(&d, "foo"), 0);
	assert_int_equal(parse(&d, D "; " SB "=9"), 0);
	assert_int_equal(d.agreed, 0);
	assert_int_equal(parse(&d, D "; " CB), 0);
	assert_int_equal(d.agreed, 1);
	assert_int_equal(parse(&d, D "; " SB "=15"), 0);
	assert_int_equal(d.agreed, 1);
	assert_int_equal(d.server_bits, 0);
	assert_int_equal(parse(&d, D ";"), -1);
}

/* No line makes it read beyond its end, whatever is cut off. */
static void
test_cut(void **state)
{
	static const char	 line[] = "foo; a=\"b\", " D "; " SB
				    "=\"1\\5\"; " CB "=10; " SN " , " D;
	struct ws_deflate	 d;
	char			*s;
	size_t			 len;

	(void)state;
	for (len = 0; len < sizeof(line); len++) {
		s = malloc(len > 0 ? len : 1);
		assert_non_null(s);
		memcpy(s, line, len);
		memset(&d, 0, sizeof(d));
		if (ws_extension_parse(&d, s, len) == 0 && d.agreed)
			assert_in_range(len, strlen("foo; a=\"b\", " D),
			    sizeof(line));
		free(s);
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_declined),
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_cut)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
