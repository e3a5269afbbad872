/* Durations parse as Go's do, exactly, and what is written parses back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "duration.h"

#define US	INT64_C(1000)
#define MS	(1000 * US)
#define S	(1000 * MS)
#define M	(60 * S)
#define H	(60 * M)

static void
good_durations(void **state)
{
	static const struct {
		const char	*text;
		int64_t		 ns;
	} cases[] = {
		{ "0", 0 }, { "+0", 0 }, { "-0", 0 }, { "0s", 0 },
		{ "0.0h", 0 }, { "5s", 5 * S }, { "30s", 30 * S },
		{ "1478s", 1478 * S }, { "-5s", -5 * S }, { "+5s", 5 * S },
		{ "5.0s", 5 * S }, { "5.6s", 5 * S + 600 * MS },
		{ "5.s", 5 * S }, { ".5s", 500 * MS }, { "-.5s", -500 * MS },
		{ "1.0s", S }, { "1.00s", S }, { "1.004s", S + 4 * MS },
		{ "1.0040s", S + 4 * MS }, { "100.00100s", 100 * S + MS },
		{ "10ns", 10 }, { "11us", 11 * US },
		{ "12\302\265s", 12 * US }, { "12\316\274s", 12 * US },
		{ "13ms", 13 * MS }, { "14s", 14 * S }, { "15m", 15 * M },
		{ "16h", 16 * H }, { "1.5h", 90 * M }, { "300ms", 300 * MS },
		{ "1m30s", 90 * S }, { "2h", 2 * H },
		{ "3h30m", 3 * H + 30 * M },
		{ "1h15m30.918s", H + 15 * M + 30 * S + 918 * MS },
		{ "10.5s4m", 4 * M + 10 * S + 500 * MS },
		{ "-2m3.4s", -(2 * M + 3 * S + 400 * MS) },
		{ "1h2m3s4ms5us6ns", H + 2 * M + 3 * S + 4 * MS + 5 * US + 6 },
		{ "39h9m14.425s", 39 * H + 9 * M + 14 * S + 425 * MS },
		{ "52763797000ns", INT64_C(52763797000) },
		{ "0.3333333333333333333h", INT64_C(1199999999999) },
		/* Exactly a third of an hour and a bit: a long way to go. */
		{ "0.33333333333333333333333333333333334h",
		    INT64_C(1200000000000) },
		{ "0.9999999999999999999999999999999999999ns", 0 },
		{ "0.1ns", 0 }, { "1.9999999999ns", 1 },
		{ "0.830103483285477580700h", INT64_C(2988372539827) },
		{ "9007199254740993ns", INT64_C(9007199254740993) },
		{ "9223372036854775807ns", INT64_MAX },
		{ "9223372036854775.807us", INT64_MAX },
		{ "9223372036s854ms775us807ns", INT64_MAX },
		{ "-9223372036854775808ns", INT64_MIN },
		{ "-9223372036854775.808us", INT64_MIN },
		{ "-2562047h47m16.854775808s", INT64_MIN },
		{ "0000000000000000000000000000000000000001s", S },
		{ "1s1s", 2 * S }
	};
	int64_t	ns;
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ns = 42;
		if (duration_parse(cases[i].text, &ns) != 0)
			fail_msg("%s is refused", cases[i].text);
		if (ns != cases[i].ns)
			fail_msg("%s is %" PRId64, cases[i].text, ns);
	}
}

static void
bad_durations(void **state)
{
	static const char *const cases[] = {
		"", "+", "-", "10", "1", "00", "0.0", ".0", "s", ".", "-.",
		"+.s", ".s", "..5s", "1..5s", "1.5.5s", "1 s", " 1s", "1s ",
		"1x", "1d", "1S", "1H", "1Ms", "1s2", "1s.", "1s-1s", "--1s",
		"+-1s", "1e3s", "0x1s", "1,5s", "1\302s", "1\265s", "1sm1",
		"m1s", "inf", "1\ns", "9223372036854775808ns",
		"9223372036854775.808us", "-9223372036854775809ns",
		"-9223372036854775.809us", "2562048h", "-2562048h",
		"9223372036854775807ns1ns", "9223372036854775807ns5ns",
		"2562047h2562047h", "-2562047h2562047h2562047h",
		"9999999999999999999999999s",
		"18446744073709551616ns", "18446744073709551617ns",
		"18446744073709551616h", "5124095h34m33.709551616s",
		"9223372036855ms", "2562047h47m16.854775808s"
	};
	int64_t	ns;
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (duration_parse(cases[i], &ns) != -1)
			fail_msg("\"%s\" is %" PRId64, cases[i], ns);
}

static void
written_durations(void **state)
{
	static const struct {
		int64_t		 ns;
		const char	*text;
	} cases[] = {
		{ 0, "0" }, { 1, "1ns" }, { 999, "999ns" }, { US, "1us" },
		{ 1500, "1.5us" }, { 1001, "1.001us" }, { 300 * MS, "300ms" },
		{ 2 * MS + 2, "2.000002ms" }, { 999999999, "999.999999ms" },
		{ S, "1s" }, { 10 * S, "10s" }, { 1500 * MS, "1.5s" },
		{ 90 * S, "1m30s" }, { M, "1m" }, { H, "1h" },
		{ H + S, "1h1s" }, { H + 1, "1h0.000000001s" },
		{ M + 500 * MS, "1m0.5s" }, { 90 * M, "1h30m" },
		{ 720 * H, "720h" }, { -90 * S, "-1m30s" }, { -1, "-1ns" },
		{ INT64_MAX, "2562047h47m16.854775807s" },
		{ INT64_MIN, "-2562047h47m16.854775808s" }
	};
	char	buf[64];
	int64_t	ns;
	size_t	i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ptr_equal(duration_format(cases[i].ns, buf,
		    sizeof(buf)), buf);
		assert_string_equal(buf, cases[i].text);
		assert_int_equal(duration_parse(buf, &ns), 0);
		assert_int_equal(ns, cases[i].ns);
	}
	assert_string_equal(duration_format(90 * S, buf, 3), "1m");
}

static void
durations_come_back(void **state)
{
	uint64_t	x;
	int64_t		ns, back;
	char		buf[64];
	int		i;

	(void)state;
	x = 88172645463325252ULL;
	for (i = 0; i < 200000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		ns = (int64_t)(x >> (i % 64));
		if (i & 1 && ns > 0)
			ns = -ns;
		duration_format(ns, buf, sizeof(buf));
		if (duration_parse(buf, &back) == -1 || back != ns)
			fail_msg("%" PRId64 " is written %s", ns, buf);
	}
}

static void
good_sizes(void **state)
{
	static const struct {
		const char	*text;
		uint64_t	 size;
	} cases[] = {
		{ "0", 0 }, { "0K", 0 }, { "1", 1 }, { "65536", 65536 },
		{ "64K", 65536 }, { "64k", 65536 }, { "1M", 1048576 },
		{ "2G", UINT64_C(2147483648) }, { "2g", UINT64_C(2147483648) },
		{ "3T", UINT64_C(3298534883328) }, { "007", 7 },
		{ "18446744073709551615", UINT64_MAX },
		{ "16777215T", UINT64_C(16777215) << 40 }
	};
	uint64_t	v;
	size_t		i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		v = 42;
		assert_int_equal(size_parse(cases[i].text, &v), 0);
		if (v != cases[i].size)
			fail_msg("%s is %" PRIu64, cases[i].text, v);
	}
}

static void
bad_sizes(void **state)
{
	static const char *const cases[] = {
		"", "K", "-1", "+1", " 1", "1 ", "1 K", "1KB", "1KK", "1B",
		"1.5K", "1P", "0x10", "1e3", "18446744073709551616",
		"99999999999999999999999", "16777216T", "18014398509481984K"
	};
	uint64_t	v;
	size_t		i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (size_parse(cases[i], &v) != -1)
			fail_msg("\"%s\" is %" PRIu64, cases[i], v);
}

static void
written_sizes(void **state)
{
	static const struct {
		uint64_t	 size;
		const char	*text;
	} cases[] = {
		{ 0, "0" }, { 1, "1" }, { 1023, "1023" }, { 1024, "1K" },
		{ 1025, "1025" }, { 1536, "1536" }, { 65536, "64K" },
		{ 1048576, "1M" }, { 1572864, "1536K" },
		{ UINT64_C(1) << 31, "2G" }, { UINT64_C(1) << 40, "1T" },
		{ UINT64_C(1) << 50, "1024T" },
		{ UINT64_MAX, "18446744073709551615" }
	};
	char		buf[32];
	uint64_t	v;
	size_t		i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ptr_equal(size_format(cases[i].size, buf,
		    sizeof(buf)), buf);
		assert_string_equal(buf, cases[i].text);
		assert_int_equal(size_parse(buf, &v), 0);
		assert_true(v == cases[i].size);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_durations),
		cmocka_unit_test(bad_durations),
		cmocka_unit_test(written_durations),
		cmocka_unit_test(durations_come_back),
		cmocka_unit_test(good_sizes),
		cmocka_unit_test(bad_sizes),
		cmocka_unit_test(written_sizes)
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
