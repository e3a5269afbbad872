/*
 * The page for Prometheus: every counter is on it under its name, its format
 * has nothing that promtool would say, and figures of any size are whole.
 */
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "lookup.h"
#include "metrics.h"
#include "version.h"

/* metrics.c reads the engine's own figures. */
void
procstat_read(struct procstat *st)
{
	st->cpu_seconds = 1.5;
	st->start_time = 1700000000.25;
	st->resident_bytes = 4096;
	st->virtual_bytes = 8192;
	st->open_fds = 7;
	st->max_fds = 1024;
}

int
lookup_silent(void)
{
	return (0);
}

const char *
proc_name(enum proc_id id)
{
	return (id == PROC_PARENT ? "parent" : id == PROC_ENGINE ? "engine" :
	    "store");
}

static char	*page;
static size_t	 page_len;

static void
render(uint64_t uptime, int draining)
{
	char	*raw;

	free(page);
	raw = metrics_render(uptime, draining, &page_len);
	assert_non_null(raw);
	page = calloc(1, page_len + 1);
	assert_non_null(page);
	memcpy(page, raw, page_len);
	free(raw);
	assert_int_equal(strlen(page), page_len);
}

static int
setup(void **state)
{
	(void)state;
	memset(&metrics, 0, sizeof(metrics));
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	free(page);
	page = NULL;
	return (0);
}

static void
assert_line(const char *line)
{
	char	*want;

	assert_true(asprintf(&want, "\n%s\n", line) > 0);
	if (strstr(page, want) == NULL)
		fail_msg("no line \"%s\" in:\n%s", line, page);
	free(want);
}

static void
test_contract(void **state)
{
	(void)state;
	metrics.connections = 12;
	metrics.published = 34;
	metrics.delivered = 56;
	render(90500, 1);
	assert_line("ws_active_connections 12");
	assert_line("# TYPE ws_active_connections gauge");
	assert_line("ws_messages_published_total 34");
	assert_line("# TYPE ws_messages_published_total counter");
	assert_line("ws_messages_delivered_total 56");
	assert_line("# TYPE ws_messages_delivered_total counter");
	assert_line("ws_uptime_seconds 90.5");
	assert_line("ws_draining 1");
	assert_line("ws_build_info{version=\"" WSG_VERSION "\"} 1");
	render(0, 0);
	assert_line("ws_uptime_seconds 0");
	assert_line("ws_draining 0");
}

/* Each field has a value of its own, and each value is on the page once. */
static void
test_every_field(void **state)
{
	static const size_t	first = offsetof(struct metrics, connections);
	static const size_t	last = offsetof(struct metrics, log_lost);
	uint64_t		v;
	size_t			off;
	char			want[40], *at;

	(void)state;
	for (off = first; off <= last; off += sizeof(v)) {
		v = 7000000 + off;
		memcpy((char *)&metrics + off, &v, sizeof(v));
	}
	metrics.store.lookups = 8000001;
	metrics.store.batches = 8000002;
	metrics.store.errors = 8000003;
	metrics.store.pending = 8000004;
	render(1, 0);
	for (off = first; off <= last; off += sizeof(v)) {
		snprintf(want, sizeof(want), " %zu\n", 7000000 + off);
		at = strstr(page, want);
		if (at == NULL || strstr(at + 1, want) != NULL)
			fail_msg("field at %zu is not there once", off);
	}
	assert_line("ws_store_lookups_total 8000001");
	assert_line("ws_store_queries_total 8000002");
	assert_line("ws_store_errors_total 8000003");
	assert_line("ws_store_lookups_pending 8000004");
	assert_line("ws_store_up 0");
	metrics.store.up = 1;
	render(1, 0);
	assert_line("ws_store_up 1");
}

static void
test_labels(void **state)
{
	char	line[128];
	int	i;

	(void)state;
	for (i = 0; i < CLOSE_REASONS; i++)
		metrics.closed[i] = 100 + (uint64_t)i;
	for (i = 0; i < REFUSE_REASONS; i++)
		metrics.refused[i] = 200 + (uint64_t)i;
	for (i = 0; i < DROP_REASONS; i++)
		metrics.dropped[i] = 300 + (uint64_t)i;
	metrics.publish[PUBLISH_QUEUED] = UINT64_MAX;
	render(1, 0);
	for (i = 0; i < CLOSE_REASONS; i++) {
		snprintf(line, sizeof(line), "ws_connections_closed_total"
		    "{reason=\"%s\"} %d", close_reason_name(i), 100 + i);
		assert_line(line);
	}
	for (i = 0; i < REFUSE_REASONS; i++) {
		snprintf(line, sizeof(line), "ws_refused_total{reason=\"%s\"}"
		    " %d", refuse_reason_name(i), 200 + i);
		assert_line(line);
	}
	for (i = 0; i < DROP_REASONS; i++) {
		snprintf(line, sizeof(line), "ws_messages_dropped_total"
		    "{reason=\"%s\"} %d", drop_reason_name(i), 300 + i);
		assert_line(line);
	}
	assert_line("ws_publishes_total{result=\"queued\"} "
	    "18446744073709551615");
	assert_line("ws_publishes_total{result=\"lost\"} 0");
	assert_string_equal(close_reason_name(CLOSE_REASONS), "?");
	assert_string_equal(refuse_reason_name(REFUSE_REASONS), "?");
	assert_string_equal(drop_reason_name(DROP_REASONS), "?");
}

static void
test_histogram(void **state)
{
	(void)state;
	hist_observe(&metrics.fanout, 0);
	hist_observe(&metrics.fanout, 0.001);
	hist_observe(&metrics.fanout, 0.002);
	hist_observe(&metrics.fanout, 5);
	hist_observe(&metrics.fanout, 6.5);
	render(1, 0);
	assert_line("# TYPE ws_fanout_duration_seconds histogram");
	assert_line("ws_fanout_duration_seconds_bucket{le=\"0.001\"} 2");
	assert_line("ws_fanout_duration_seconds_bucket{le=\"0.0025\"} 3");
	assert_line("ws_fanout_duration_seconds_bucket{le=\"2.5\"} 3");
	assert_line("ws_fanout_duration_seconds_bucket{le=\"5\"} 4");
	assert_line("ws_fanout_duration_seconds_bucket{le=\"+Inf\"} 5");
	assert_line("ws_fanout_duration_seconds_sum 11.503");
	assert_line("ws_fanout_duration_seconds_count 5");
	assert_line("ws_token_lookup_duration_seconds_count 0");
	assert_line("ws_token_lookup_duration_seconds_bucket{le=\"+Inf\"} 0");
}

static void
test_processes(void **state)
{
	(void)state;
	metrics.proc[PROC_STORE].resident_bytes = 123456789012;
	metrics.proc[PROC_STORE].start_time = 1;
	render(1, 0);
	assert_line("process_cpu_seconds_total{process=\"engine\"} 1.5");
	assert_line("process_resident_memory_bytes{process=\"engine\"} 4096");
	assert_line("process_resident_memory_bytes{process=\"store\"} "
	    "123456789012");
	assert_line("process_virtual_memory_bytes{process=\"engine\"} 8192");
	assert_line("process_open_fds{process=\"engine\"} 7");
	assert_line("process_max_fds{process=\"engine\"} 1024");
	assert_line("process_start_time_seconds{process=\"engine\"} "
	    "1700000000.25");
	/* What has not reported is not there with zeros. */
	assert_null(strstr(page, "process=\"parent\""));
}

static void
test_promtool(void **state)
{
	FILE	*f;
	int	status, i;

	(void)state;
	if (system("command -v promtool >/dev/null") != 0)
		skip();
	for (i = 0; i < CLOSE_REASONS; i++)
		metrics.closed[i] = UINT64_MAX;
	for (i = 0; i < 20; i++)
		hist_observe(&metrics.lookup, 0.0007 * i * i * i);
	render(123456, 1);
	fflush(stdout);
	/* It prints nothing when there is nothing to say. */
	f = popen("out=$(promtool check metrics 2>&1) && test -z \"$out\" || "
	    "{ echo \"$out\"; exit 1; }", "w");
	assert_non_null(f);
	assert_int_equal(fwrite(page, 1, page_len, f), page_len);
	status = pclose(f);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test_setup_teardown(test_contract, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_every_field, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_labels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_histogram, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_processes, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_promtool, setup,
		    teardown),
	};

	signal(SIGPIPE, SIG_IGN);
	return (cmocka_run_group_tests(tests, NULL, NULL));
}
