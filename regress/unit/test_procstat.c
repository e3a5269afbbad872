/* The figures of a process, before and after it is confined. */
#include <sys/types.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "procstat.h"
#include "sandbox.h"

#define NOBODY		65534
#define CHUNK		(16U << 20)

/* In a child: what is not so ends it. */
#define MUST(cond) do {							\
	if (!(cond)) {							\
		dprintf(STDERR_FILENO, "%s:%d: %s: %s\n", __func__,	\
		    __LINE__, #cond, strerror(errno));			\
		_exit(99);						\
	}								\
} while (0)

static char	jail[64];

static int
setup(void **state)
{
	(void)state;
	strlcpy(jail, "/tmp/test_procstat.XXXXXXXXXX", sizeof(jail));
	if (mkdtemp(jail) == NULL)
		return (-1);
	return (chmod(jail, 0755));
}

static int
teardown(void **state)
{
	(void)state;
	return (rmdir(jail));
}

static void
spin(void)
{
	struct timespec	 start, now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	do {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec -
	    start.tv_nsec < 60000000L);
}

static void
test_unread(void **state)
{
	struct procstat	 ps;

	(void)state;
	memset(&ps, 0xff, sizeof(ps));
	procstat_read(&ps);
	assert_int_equal(ps.resident_bytes, 0);
	assert_int_equal(ps.virtual_bytes, 0);
	assert_int_equal(ps.open_fds, 0);
	assert_true(ps.start_time == 0);
}

static void
test_plain(void **state)
{
	struct procstat	 before, after;
	struct rlimit	 rl;
	double		 now = (double)time(NULL);
	char		*p;
	int		 fds[3], i;

	(void)state;
	procstat_init();
	procstat_read(&before);
	assert_true(before.start_time > now - 600);
	assert_true(before.start_time <= now + 2);
	assert_true(before.resident_bytes >= 1 << 18);
	assert_true(before.virtual_bytes > before.resident_bytes);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	assert_int_equal(before.max_fds, rl.rlim_cur);
	assert_in_range(before.open_fds, 3, 100);

	for (i = 0; i < 3; i++)
		assert_int_not_equal(fds[i] = dup(0), -1);
	p = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p != MAP_FAILED);
	memset(p, 1, CHUNK);
	spin();
	procstat_read(&after);
	assert_int_equal(after.open_fds, before.open_fds + 3);
	assert_true(after.resident_bytes >= before.resident_bytes +
	    CHUNK / 2);
	assert_true(after.virtual_bytes >= before.virtual_bytes + CHUNK);
	assert_true(after.cpu_seconds >= before.cpu_seconds + 0.05);
	assert_true(after.start_time == before.start_time);
	munmap(p, CHUNK);
	for (i = 0; i < 3; i++)
		close(fds[i]);
	procstat_read(&after);
	assert_int_equal(after.open_fds, before.open_fds);
}

/* Asked for again, it leaks no descriptor. */
static void
test_again(void **state)
{
	struct procstat	 one, two;

	(void)state;
	procstat_init();
	procstat_read(&one);
	procstat_init();
	procstat_read(&two);
	assert_int_equal(one.open_fds, two.open_fds);
}

/* What is kept open must not lead out of a chroot. */
static void
test_no_folder(void **state)
{
	struct procstat	 ps;
	struct stat	 st;
	int		 fd, before, after = 0, folders = 0;

	(void)state;
	procstat_init();
	procstat_read(&ps);
	before = (int)ps.open_fds;
	for (fd = 0; fd < 1024; fd++) {
		if (fstat(fd, &st) == -1)
			continue;
		after++;
		folders += S_ISDIR(st.st_mode);
	}
	assert_int_equal(folders, 0);
	assert_int_equal(before, after);
}

/* With numbers that are over a limit which was lowered later. */
static void
test_low_limit(void **state)
{
	struct procstat	 before, after;
	struct rlimit	 old, low;
	int		 fds[100], i;

	(void)state;
	procstat_init();
	for (i = 0; i < 100; i++)
		assert_int_not_equal(fds[i] = dup(0), -1);
	procstat_read(&before);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 7;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	procstat_read(&after);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	for (i = 0; i < 100; i++)
		close(fds[i]);
	assert_int_equal(after.open_fds, before.open_fds);
	assert_int_equal(after.max_fds, 7);
}

/* More than one system call looks at. */
static void
test_many(void **state)
{
	struct procstat	 before, after;
	int		 fds[900], i;

	(void)state;
	procstat_init();
	procstat_read(&before);
	for (i = 0; i < 900; i++)
		assert_int_not_equal(fds[i] = dup(0), -1);
	procstat_read(&after);
	for (i = 0; i < 900; i++)
		close(fds[i]);
	assert_int_equal(after.open_fds, before.open_fds + 900);
}

static void
confined_child(enum sandbox_role role, int drop)
{
	struct procstat	 before, one, two;
	int		 fd;

	MUST((fd = fcntl(0, F_DUPFD_CLOEXEC, 0)) != -1);
	/* Those of the test itself are of another process. */
	procstat_init();
	sandbox_early();
	procstat_read(&before);
	if (drop)
		sandbox_drop("nobody", NOBODY, NOBODY,
		    role == SANDBOX_ENGINE ? jail : NULL);
	sandbox_enter(role, SANDBOX_REQUIRE, NULL);
	procstat_read(&one);
	MUST(one.start_time == before.start_time && one.start_time > 0);
	MUST(one.resident_bytes > 0 && one.virtual_bytes > 0);
	MUST(one.open_fds == before.open_fds);
	MUST(one.max_fds == before.max_fds && one.max_fds > 0);
	spin();
	MUST(close(fd) == 0);
	procstat_read(&two);
	MUST(two.open_fds == one.open_fds - 1);
	MUST(two.cpu_seconds > one.cpu_seconds);
	_exit(0);
}

static void
test_confined(void **state)
{
	static const enum sandbox_role	 roles[] = {
		SANDBOX_PARENT, SANDBOX_ENGINE, SANDBOX_STORE
	};
	size_t				 i;
	pid_t				 pid;
	int				 status;

	(void)state;
	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		assert_int_not_equal(pid = fork(), -1);
		if (pid == 0)
			confined_child(roles[i], geteuid() == 0 &&
			    roles[i] != SANDBOX_PARENT);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_false(sandbox_violation(status));
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_no_folder),
		cmocka_unit_test(test_low_limit),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_confined),
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
