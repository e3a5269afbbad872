/* pidfile.c: who is refused, what is taken over, what is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pidfile.h"

static char	folder[64];
static char	path[96];
static char	err[512];

static int
setup(void **state)
{
	(void)state;
	strlcpy(folder, "/tmp/test_pidfile.XXXXXX", sizeof(folder));
	if (mkdtemp(folder) == NULL)
		return (-1);
	snprintf(path, sizeof(path), "%s/pid", folder);
	err[0] = '\0';
	return (0);
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return (rmdir(folder));
}

static void
put(const char *text)
{
	FILE	*fp;

	fp = fopen(path, "w");
	assert_non_null(fp);
	assert_int_not_equal(fputs(text, fp), EOF);
	assert_int_equal(fclose(fp), 0);
}

static void
assert_content(const char *want)
{
	char	 buf[128];
	FILE	*fp;
	size_t	 n;

	fp = fopen(path, "r");
	assert_non_null(fp);
	n = fread(buf, 1, sizeof(buf) - 1, fp);
	buf[n] = '\0';
	fclose(fp);
	assert_string_equal(buf, want);
}

/* A process that lives until its end of the pipe is closed. */
static pid_t
live_process(int *handle)
{
	int	fds[2];
	pid_t	pid;
	char	c;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		close(fds[1]);
		_exit(read(fds[0], &c, 1) == 0 ? 0 : 1);
	}
	close(fds[0]);
	*handle = fds[1];
	return (pid);
}

static pid_t
dead_process(void)
{
	pid_t	pid;

	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return (pid);
}

static void
take_write_remove(const char *want)
{
	struct pidfile	pf;

	assert_int_equal(pidf_claim(&pf, path, err, sizeof(err)), 0);
	assert_int_equal(pidf_write(&pf, err, sizeof(err)), 0);
	assert_content(want);
	pidf_remove(&pf);
	assert_int_equal(pf.fd, -1);
	assert_int_equal(access(path, F_OK), -1);
}

static void
test_fresh(void **state)
{
	char	want[32];

	(void)state;
	snprintf(want, sizeof(want), "%d\n", (int)getpid());
	take_write_remove(want);
}

static void
test_taken_over(void **state)
{
	char	text[8192], want[32], dead[32];
	const char *const stale[] = { "", "\n", "garbage\n", "-1\n", "0\n",
	    "99999999999999999999\n", "12x\n", dead, want };
	size_t	i;

	(void)state;
	snprintf(want, sizeof(want), "%d\n", (int)getpid());
	snprintf(dead, sizeof(dead), "%d\n", (int)dead_process());
	for (i = 0; i < sizeof(stale) / sizeof(stale[0]); i++) {
		put(stale[i]);
		take_write_remove(want);
	}
	/* Longer than what is written over it. */
	memset(text, '7', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	put(text);
	take_write_remove(want);
}

static void
test_live(void **state)
{
	struct pidfile	pf;
	char		text[32], want[64];
	int		handle;
	pid_t		pid;

	(void)state;
	pid = live_process(&handle);
	snprintf(text, sizeof(text), "%d\n", (int)pid);
	snprintf(want, sizeof(want), "process %d is running", (int)pid);
	put(text);
	assert_int_equal(pidf_claim(&pf, path, err, sizeof(err)), -1);
	assert_non_null(strstr(err, want));
	assert_non_null(strstr(err, path));
	assert_content(text);
	pidf_remove(&pf);
	assert_content(text);

	close(handle);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	snprintf(want, sizeof(want), "%d\n", (int)getpid());
	take_write_remove(want);
}

static void
test_two_at_once(void **state)
{
	struct pidfile	first, second;

	(void)state;
	assert_int_equal(pidf_claim(&first, path, err, sizeof(err)), 0);
	assert_int_equal(pidf_claim(&second, path, err, sizeof(err)), -1);
	assert_non_null(strstr(err, path));
	pidf_remove(&second);
	assert_int_equal(access(path, F_OK), 0);
	pidf_remove(&first);
	assert_int_equal(pidf_claim(&second, path, err, sizeof(err)), 0);
	pidf_remove(&second);
}

/* Many at once: exactly one may win. */
static void
test_race(void **state)
{
	struct pidfile	pf;
	int		gate[2], hold[2], i, status, won = 0;
	char		c;

	(void)state;
	assert_int_equal(pipe(gate), 0);
	assert_int_equal(pipe(hold), 0);
	for (i = 0; i < 8; i++) {
		switch (fork()) {
		case -1:
			fail();
			break;
		case 0:
			close(gate[1]);
			close(hold[0]);
			if (read(gate[0], &c, 1) != 0 ||
			    pidf_claim(&pf, path, err, sizeof(err)) == -1)
				_exit(1);
			if (pidf_write(&pf, err, sizeof(err)) == -1)
				_exit(2);
			/* Until all have tried. */
			close(hold[1]);
			usleep(300000);
			_exit(0);
		}
	}
	close(hold[0]);
	close(hold[1]);
	close(gate[0]);
	close(gate[1]);
	for (i = 0; i < 8; i++) {
		assert_int_not_equal(wait(&status), -1);
		assert_true(WIFEXITED(status));
		assert_int_not_equal(WEXITSTATUS(status), 2);
		won += WEXITSTATUS(status) == 0;
	}
	assert_int_equal(won, 1);
}

static void
test_not_ours_any_more(void **state)
{
	struct pidfile	pf;

	(void)state;
	assert_int_equal(pidf_claim(&pf, path, err, sizeof(err)), 0);
	assert_int_equal(pidf_write(&pf, err, sizeof(err)), 0);
	assert_int_equal(unlink(path), 0);
	put("4711\n");
	pidf_remove(&pf);
	assert_content("4711\n");
}

static void
test_odd_files(void **state)
{
	struct pidfile	pf;
	char		sub[128];

	(void)state;
	snprintf(sub, sizeof(sub), "%s/missing/pid", folder);
	assert_int_equal(pidf_claim(&pf, sub, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "create its folder"));

	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(pidf_claim(&pf, path, err, sizeof(err)), -1);
	assert_non_null(strstr(err, "not a regular file"));
	assert_int_equal(unlink(path), 0);

	snprintf(sub, sizeof(sub), "%s/target", folder);
	assert_int_equal(symlink(sub, path), 0);
	assert_int_equal(pidf_claim(&pf, path, err, sizeof(err)), -1);
	assert_int_equal(access(sub, F_OK), -1);
	assert_int_equal(unlink(path), 0);

	assert_int_equal(pidf_claim(&pf, folder, err, sizeof(err)), -1);
	assert_non_null(strstr(err, folder));
}

static void
test_none(void **state)
{
	struct pidfile	pf = { .fd = -1 };

	(void)state;
	assert_int_equal(pidf_write(&pf, err, sizeof(err)), 0);
	pidf_remove(&pf);
	assert_int_equal(access(path, F_OK), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fresh, setup, teardown),
		cmocka_unit_test_setup_teardown(test_taken_over, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_live, setup, teardown),
		cmocka_unit_test_setup_teardown(test_two_at_once, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_race, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_ours_any_more, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_odd_files, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
	};

	return (cmocka_run_group_tests(tests, NULL, NULL));
}
