/*
 * What each role can no longer do, and what it still can.  Every case runs in a
 * child that confines itself; the parent looks at how it ended.
 */
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"
#include "sandbox.h"

/* The run time of the sanitizers keeps a few calls: see the sandbox's file. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED	1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED	1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED	0
#else
#include <sanitizer/lsan_interface.h>
#endif

#define NOBODY		65534
#define ENTER_GETEVENTS	1		/* IORING_ENTER_GETEVENTS */
#define NITEMS(x)	(sizeof(x) / sizeof((x)[0]))

/* In a child: what is not so ends it with the number of the line. */
#define MUST(cond) do {							\
	if (!(cond)) {							\
		dprintf(STDERR_FILENO, "%s:%d: %s: %s\n", __func__,	\
		    __LINE__, #cond, strerror(errno));			\
		_exit(99);						\
	}								\
} while (0)

enum outcome {
	KILLED,
	REFUSED,
	ALLOWED
};

static const enum sandbox_role roles[] = {
	SANDBOX_PARENT, SANDBOX_ENGINE, SANDBOX_STORE, SANDBOX_CTL,
	SANDBOX_STORE_NET
};
static const char *const role_names[] = { "parent", "engine", "store", "ctl",
	"store-net" };

static char	dir[64];		/* the one that the roles keep */
static char	jail[80];		/* an empty one to chroot to */
static int	logged[2] = { -1, -1 };	/* what a child has logged */

static void
sink(enum log_level level, const char *line, size_t len, const char *msg)
{
	(void)line;
	(void)len;
	if (level >= LOGL_WARN)
		dprintf(logged[1] == -1 ? STDERR_FILENO : logged[1], "%s\n",
		    msg);
}

static void
logged_open(void)
{
	assert_int_equal(pipe(logged), 0);
}

static void
logged_close(void)
{
	close(logged[0]);
	close(logged[1]);
	logged[0] = logged[1] = -1;
}

static int
run(void (*fn)(void *), void *arg)
{
	pid_t	 pid;
	int	 status;

	fflush(NULL);
	if ((pid = fork()) == -1)
		fail_msg("fork: %s", strerror(errno));
	if (pid == 0) {
		alarm(20);
		log_init("test", sink);
		fn(arg);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) == -1)
		assert_int_equal(errno, EINTR);
	return (status);
}

static void
assert_ok(int status)
{
	if (sandbox_violation(status))
		fail_msg("killed by the sandbox");
	if (WIFSIGNALED(status))
		fail_msg("killed by signal %d", WTERMSIG(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int
is_root(void)
{
	return (geteuid() == 0);
}

/* The way of the daemon: the children of a parent that is root drop it. */
static void
confine(enum sandbox_role role, int drop)
{
	struct sandbox_path	 paths[] = { { dir, "rwc" }, { NULL, NULL } };

	sandbox_early();
	if (drop)
		sandbox_drop("nobody", NOBODY, NOBODY,
		    role == SANDBOX_ENGINE ? jail : NULL);
	sandbox_enter(role, SANDBOX_REQUIRE,
	    role == SANDBOX_PARENT || role == SANDBOX_STORE ? paths : NULL);
}

static int
setup(void **state)
{
	(void)state;
	strlcpy(dir, "/tmp/test_sandbox.XXXXXXXXXX", sizeof(dir));
	if (mkdtemp(dir) == NULL)
		return (-1);
	snprintf(jail, sizeof(jail), "%s/jail", dir);
	if (mkdir(jail, 0755) == -1)
		return (-1);
	if (is_root() && chown(dir, NOBODY, NOBODY) == -1)
		return (-1);
	return (0);
}

static int
teardown(void **state)
{
	DIR		*folder;
	struct dirent	*entry;

	(void)state;
	rmdir(jail);
	if ((folder = opendir(dir)) == NULL)
		return (-1);
	while ((entry = readdir(folder)) != NULL)
		unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
	return (rmdir(dir));
}

/*
 * The probes
 */

struct probe_case {
	enum sandbox_role	 role;
	const char		*name;
	int			 drop;
};

static void
probe_child(void *arg)
{
	struct probe_case	*c = arg;

	sandbox_keep_port(3306);
	confine(c->role, c->drop);
	_exit(sandbox_probe(c->name));
}

static enum outcome
probe_expected(enum sandbox_role role, const char *name)
{
	int	 path, net;

	path = strcmp(name, "open") == 0 || strcmp(name, "create") == 0 ||
	    strcmp(name, "unlink") == 0 || strcmp(name, "readdir") == 0;
	net = strcmp(name, "socket") == 0 || strcmp(name, "connect") == 0 ||
	    strcmp(name, "bind") == 0 || strcmp(name, "udp") == 0 ||
	    strcmp(name, "unix") == 0;
	/* It makes sockets, for one port: not for that of the probe. */
	if (role == SANDBOX_STORE_NET && strcmp(name, "socket") == 0)
		return (ALLOWED);
	if (role == SANDBOX_STORE_NET && (strcmp(name, "connect") == 0 ||
	    strcmp(name, "udp") == 0 || strcmp(name, "open") == 0 || strcmp(name, "create") == 0 ||
	    strcmp(name, "readdir") == 0))
		return (REFUSED);
	if (role == SANDBOX_PARENT && net)
		return (REFUSED);
	if (path && (role == SANDBOX_PARENT || role == SANDBOX_STORE))
		return (REFUSED);
	/* To name what a report is about, the sanitizers open files. */
	if (SANITIZED && (strcmp(name, "open") == 0 ||
	    strcmp(name, "readdir") == 0))
		return (REFUSED);
	return (KILLED);
}

static void
check_probe(struct probe_case *c)
{
	enum outcome	 want, got = ALLOWED;
	int		 status;

	status = run(probe_child, c);
	if (sandbox_violation(status))
		got = KILLED;
	else if (WIFEXITED(status) && WEXITSTATUS(status) <= 1)
		got = WEXITSTATUS(status) == 0 ? REFUSED : ALLOWED;
	else
		fail_msg("%s, %s: odd status 0x%x", role_names[c->role],
		    c->name, status);
	want = probe_expected(c->role, c->name);
	if (got != want)
		fail_msg("%s, %s%s: outcome %d instead of %d",
		    role_names[c->role], c->name, c->drop ? " (dropped)" : "",
		    got, want);
}

static void
test_probes(void **state)
{
	struct probe_case	 c;
	const char *const	*names;
	size_t			 i;

	(void)state;
	for (i = 0; i < NITEMS(roles); i++) {
		c.role = roles[i];
		for (names = sandbox_probe_names(); *names != NULL; names++) {
			c.name = *names;
			c.drop = 0;
			check_probe(&c);
			if (!is_root() || c.role == SANDBOX_PARENT)
				continue;
			c.drop = 1;
			check_probe(&c);
		}
	}
}

static void
unconfined_child(void *arg)
{
	static const char *const	 names[] = {
		"open", "readdir", "socket", "connect", "bind", "udp", "unix",
		"fork", "ptrace", "kill", "kill-group", "setuid", "mmap-exec"
	};
	size_t				 i;

	(void)arg;
	for (i = 0; i < NITEMS(names); i++) {
		if (sandbox_probe(names[i]) != 1) {
			dprintf(STDERR_FILENO, "probe %s proves nothing\n",
			    names[i]);
			_exit(1);
		}
	}
}

static void
exec_child(void *arg)
{
	(void)arg;
	_exit(sandbox_probe("exec") == 1 ? 50 : 51);
}

/* A probe that fails where nothing is confined would prove nothing. */
static void
test_probes_unconfined(void **state)
{
	int	 status;

	(void)state;
	assert_ok(run(unconfined_child, NULL));
	status = run(exec_child, NULL);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void
unknown_probe_child(void *arg)
{
	(void)arg;
	sandbox_probe("no such thing");
}

static void
test_probe_unknown(void **state)
{
	int	 status;

	(void)state;
	logged_open();
	status = run(unknown_probe_child, NULL);
	logged_close();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

/*
 * System calls that nobody has a use for, or only with other arguments
 */

struct call_case {
	enum sandbox_role	 role;
	long			 nr;
	unsigned long		 arg[6];
};

static void
call_child(void *arg)
{
	struct call_case	*c = arg;

	confine(c->role, 0);
	syscall(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4],
	    c->arg[5]);
}

/* What the client of a server does, or is refused without being killed. */
static int
net_knows(long nr)
{
	static const long	nrs[] = { SYS_connect, SYS_socket,
				    SYS_setsockopt, SYS_getsockopt,
				    SYS_shutdown, SYS_getsockname,
				    SYS_getpeername, SYS_open, SYS_openat,
				    SYS_stat, SYS_lstat, SYS_access,
				    SYS_faccessat, SYS_readlink,
				    SYS_newfstatat, SYS_statx };
	size_t			i;

	for (i = 0; i < NITEMS(nrs); i++)
		if (nrs[i] == nr)
			return (1);
	return (0);
}

static void
assert_call_kills(const struct call_case *c)
{
	struct call_case	 copy = *c;
	size_t			 i;

	for (i = 0; i < NITEMS(roles); i++) {
		copy.role = roles[i];
		if (copy.role == SANDBOX_STORE_NET && net_knows(c->nr))
			continue;
		if (!sandbox_violation(run(call_child, &copy)))
			fail_msg("%s: system call %ld(0x%lx, 0x%lx, 0x%lx)",
			    role_names[i], c->nr, c->arg[0], c->arg[1],
			    c->arg[2]);
	}
}

static void
test_calls_killed(void **state)
{
	static const long	 calls[] = {
		SYS_execve, SYS_execveat, SYS_clone3, SYS_connect, SYS_bind,
		SYS_listen, SYS_socketpair, SYS_process_vm_readv,
		SYS_process_vm_writev, SYS_pidfd_open, SYS_pidfd_getfd,
		SYS_bpf, SYS_perf_event_open, SYS_userfaultfd,
		SYS_io_uring_setup, SYS_io_uring_enter,
		SYS_io_uring_register, SYS_keyctl, SYS_add_key, SYS_mount,
		SYS_unshare, SYS_setns, SYS_pivot_root, SYS_init_module,
		SYS_personality, SYS_memfd_create, SYS_shmget, SYS_mknodat,
		SYS_symlinkat, SYS_linkat, SYS_renameat2, SYS_mkdirat,
		SYS_fchmodat, SYS_fchownat, SYS_truncate, SYS_setxattr,
		SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_capset,
		SYS_setrlimit, SYS_setsid, SYS_reboot, SYS_swapon,
		SYS_open_by_handle_at, SYS_splice, SYS_vmsplice, SYS_seccomp,
		SYS_landlock_create_ruleset, SYS_pkey_mprotect,
		SYS_inotify_init1, SYS_timer_create, SYS_epoll_create1,
		SYS_chdir, SYS_fchdir, SYS_dup3, SYS_tgkill, SYS_tkill,
		SYS_rt_sigqueueinfo, SYS_accept, SYS_readv, SYS_fsync,
		SYS_fchown, SYS_sysinfo, SYS_waitid, SYS_dup,
		SYS_timerfd_create, SYS_eventfd2, SYS_sendmmsg,
	};
	struct call_case	 c;
	size_t			 i;

	(void)state;
	for (i = 0; i < NITEMS(calls); i++) {
		memset(&c, 0, sizeof(c));
		c.nr = calls[i];
		/* The parent of the child, for what takes a process. */
		c.arg[0] = getpid();
		c.arg[1] = getpid();
		assert_call_kills(&c);
	}
}

static void
test_arguments_killed(void **state)
{
	static const struct call_case	 cases[] = {
		{ 0, SYS_mmap, { 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1UL, 0 } },
		{ 0, SYS_mprotect, { 0, 4096, PROT_EXEC, 0, 0, 0 } },
		{ 0, SYS_fcntl, { 0, F_SETOWN, 1, 0, 0, 0 } },
		{ 0, SYS_kill, { 0, 0, 0, 0, 0, 0 } },
		{ 0, SYS_kill, { 1, SIGTERM, 0, 0, 0, 0 } },
		{ 0, SYS_fcntl, { 0, F_DUPFD, 0, 0, 0, 0 } },
		{ 0, SYS_ioctl, { 0, TIOCSTI, 0, 0, 0, 0 } },
		{ 0, SYS_ioctl, { 1, TCSETS, 0, 0, 0, 0 } },
		{ 0, SYS_clone, { SIGCHLD, 0, 0, 0, 0, 0 } },
		{ 0, SYS_setsockopt, { 0, IPPROTO_IP, 64, 0, 0, 0 } },
		{ 0, SYS_prlimit64, { 0, RLIMIT_NOFILE, 1, 0, 0, 0 } },
		{ 0, SYS_prlimit64, { 1, RLIMIT_NOFILE, 0, 0, 0, 0 } },
		{ 0, SYS_kill, { 1, SIGSTOP, 0, 0, 0, 0 } },
		{ 0, SYS_io_uring_enter, { -1UL, 0, 0, ENTER_GETEVENTS, 0, 0 } },
		{ 0, SYS_prctl, { PR_SET_NAME, 0, 0, 0, 0, 0 } },
		{ 0, SYS_prctl, { PR_SET_SECCOMP, 0, 0, 0, 0, 0 } },
		{ 0, SYS_ptrace, { PTRACE_ATTACH, 1, 0, 0, 0, 0 } },
#ifdef __x86_64__
		/* getpid(2) of the x32 ABI */
		{ 0, 0x40000000L | SYS_getpid, { 0, 0, 0, 0, 0, 0 } },
#endif
	};
	size_t				 i;

	(void)state;
	for (i = 0; i < NITEMS(cases); i++)
		assert_call_kills(&cases[i]);
}

/*
 * What a C library does behind one's back
 */

static void
library_child(void *arg)
{
	struct probe_case	*c = arg;
	struct pollfd		 pfd;
	struct msghdr		 msg;
	struct iovec		 iov;
	struct rlimit		 rl;
	struct tm		 tm;
	time_t			 now;
	char			*p, buf[64] = "x";
	int			 pair[2], i;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	confine(c->role, c->drop);

	MUST((p = malloc(64)) != NULL);
	for (i = 7; i < 27; i++)
		MUST((p = realloc(p, (size_t)1 << i)) != NULL);
	memset(p, 1, 1 << 20);
	free(p);
	MUST(time(&now) != -1);
	MUST(localtime_r(&now, &tm) != NULL && gmtime_r(&now, &tm) != NULL);
	MUST(strftime(buf, sizeof(buf), "%Y %Z", &tm) != 0);
	memset(&msg, 0, sizeof(msg));
	iov.iov_base = buf;
	iov.iov_len = 1;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	MUST(sendmsg(pair[0], &msg, 0) == 1);
	MUST(recvmsg(pair[1], &msg, 0) == 1);
	fprintf(stderr, "%s", "");
	fflush(NULL);
	if (c->role == SANDBOX_CTL)
		return;
	MUST(sendmsg(pair[0], &msg, 0) == 1);
	pfd.fd = pair[1];
	pfd.events = POLLIN;
	MUST(poll(&pfd, 1, 1000) == 1);
	MUST(getrlimit(RLIMIT_NOFILE, &rl) == 0);
	MUST(sysconf(_SC_OPEN_MAX) > 0);
	MUST(close(pair[0]) == 0);
}

static void
test_library(void **state)
{
	struct probe_case	 c = { 0, NULL, 0 };
	size_t			 i;

	(void)state;
	for (i = 0; i < NITEMS(roles); i++) {
		c.role = roles[i];
		c.drop = is_root() && c.role != SANDBOX_PARENT;
		assert_ok(run(library_child, &c));
	}
}

static void
abort_child(void *arg)
{
	struct probe_case	*c = arg;

	confine(c->role, c->drop);
	abort();
}

/* An assertion that failed must not look like a violation. */
static void
test_abort(void **state)
{
	struct probe_case	 c = { 0, NULL, 0 };
	size_t			 i;
	int			 status;

	(void)state;
	for (i = 0; i < NITEMS(roles); i++) {
		c.role = roles[i];
		status = run(abort_child, &c);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
		assert_false(sandbox_violation(status));
	}
}

static void
early_child(void *arg)
{
	struct rlimit	 rl;

	(void)arg;
	confine(SANDBOX_PARENT, 0);
	MUST(getrlimit(RLIMIT_CORE, &rl) == 0 && rl.rlim_max == 0);
}

static void
dumpable_child(void *arg)
{
	(void)arg;
	sandbox_early();
	MUST(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	if (is_root())
		sandbox_drop("nobody", NOBODY, NOBODY, NULL);
	sandbox_enter(SANDBOX_ENGINE, SANDBOX_OFF, NULL);
	MUST(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	MUST(strcmp(sandbox_describe(), "none") == 0);
}

static void
test_early(void **state)
{
	(void)state;
	assert_ok(run(dumpable_child, NULL));
	assert_ok(run(early_child, NULL));
}

/*
 * What each role is for
 */

static void
must_sql(sqlite3 *db, const char *sql)
{
	char	*error = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK) {
		dprintf(STDERR_FILENO, "%s: %s\n", sql, error);
		_exit(98);
	}
}

struct store_case {
	const char	*name;
	const char	*mode;
};

static void
store_child(void *arg)
{
	struct store_case	*c = arg;
	sqlite3			*writer, *reader;
	char			 path[160], sql[80];

	snprintf(path, sizeof(path), "%s/%s", dir, c->name);
	confine(SANDBOX_STORE, is_root());

	MUST(sqlite3_open(path, &writer) == SQLITE_OK);
	snprintf(sql, sizeof(sql), "PRAGMA journal_mode=%s", c->mode);
	must_sql(writer, sql);
	must_sql(writer, "PRAGMA temp_store=MEMORY");
	must_sql(writer, "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)");
	must_sql(writer, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT "
	    "i + 1 FROM n WHERE i < 20000) INSERT INTO t SELECT i, "
	    "hex(randomblob(40)) FROM n");
	MUST(sqlite3_open_v2(path, &reader, SQLITE_OPEN_READONLY, NULL) ==
	    SQLITE_OK);
	must_sql(reader, "PRAGMA temp_store=MEMORY");
	must_sql(reader, "SELECT b FROM t ORDER BY b");
	must_sql(writer, "CREATE INDEX i ON t (b)");
	must_sql(reader, "SELECT a FROM t WHERE b = 'x'");
	must_sql(writer, "DELETE FROM t WHERE a > 10");
	must_sql(writer, "VACUUM");
	must_sql(writer, "PRAGMA wal_checkpoint(TRUNCATE)");
	/* One waits for the other, and gives up. */
	sqlite3_busy_timeout(reader, 20);
	must_sql(writer, "BEGIN EXCLUSIVE");
	must_sql(writer, "DELETE FROM t");
	sqlite3_exec(reader, "SELECT b FROM t", NULL, NULL, NULL);
	must_sql(writer, "ROLLBACK");
	must_sql(reader, "PRAGMA integrity_check");
	MUST(sqlite3_close(reader) == SQLITE_OK);
	MUST(sqlite3_close(writer) == SQLITE_OK);
}

static void
test_store(void **state)
{
	struct store_case	 wal = { "wal.db", "WAL" };
	struct store_case	 rollback = { "rollback.db", "DELETE" };

	(void)state;
	assert_ok(run(store_child, &wal));
	assert_ok(run(store_child, &rollback));
}

static void
engine_read(evutil_socket_t fd, short what, void *arg)
{
	struct event_base	*base = arg;
	char			 buf[64];
	ssize_t			 n;

	(void)what;
	MUST((n = read(fd, buf, sizeof(buf))) != -1);
	if (n > 0) {
		MUST(send(fd, buf, (size_t)n, MSG_NOSIGNAL) == n);
		return;
	}
	MUST(shutdown(fd, SHUT_RDWR) == 0 || errno == ENOTCONN);
	MUST(close(fd) == 0);
	event_base_loopbreak(base);
}

static void
engine_accept(evutil_socket_t listener, short what, void *arg)
{
	static struct event	 client;
	struct event_base	*base = arg;
	int			 fd;

	(void)what;
	MUST((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK |
	    SOCK_CLOEXEC)) != -1);
	MUST(event_assign(&client, base, fd, EV_READ | EV_PERSIST,
	    engine_read, base) == 0);
	MUST(event_add(&client, NULL) == 0);
}

static void
engine_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	++*(int *)arg;
}

/* An echo server on a listener that was there before. */
static void
engine_child(void *arg)
{
	struct event_base	*base;
	struct event		*listener, *timer;
	struct timeval		 tv = { 0, 1000 };
	int			 ticks = 0;

	MUST((base = event_base_new()) != NULL);
	confine(SANDBOX_ENGINE, is_root());
	MUST((listener = event_new(base, *(int *)arg, EV_READ | EV_PERSIST,
	    engine_accept, base)) != NULL && event_add(listener, NULL) == 0);
	MUST((timer = event_new(base, -1, EV_PERSIST, engine_timeout,
	    &ticks)) != NULL && event_add(timer, &tv) == 0);
	MUST(event_base_dispatch(base) == 0);
	MUST(ticks > 0);
}

static void
test_engine(void **state)
{
	struct sockaddr_in	 sin;
	socklen_t		 len = sizeof(sin);
	char			 buf[16];
	pid_t			 pid;
	int			 listener, s, status;

	(void)state;
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_not_equal(listener, -1);
	assert_int_equal(bind(listener, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(listener, 5), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sin, &len),
	    0);

	/* A client beside it, since run() waits. */
	assert_int_not_equal(pid = fork(), -1);
	if (pid == 0) {
		MUST((s = socket(AF_INET, SOCK_STREAM, 0)) != -1);
		MUST(connect(s, (struct sockaddr *)&sin, len) == 0);
		MUST(send(s, "hello", 5, 0) == 5);
		MUST(recv(s, buf, 5, MSG_WAITALL) == 5);
		MUST(memcmp(buf, "hello", 5) == 0);
		usleep(20000);
		close(s);
		_exit(0);
	}
	assert_ok(run(engine_child, &listener));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_ok(status);
	close(listener);
}

/* One that keeps a ring may use it, in one way, and not make another. */
static void
ring_child(void *arg)
{
	struct call_case	*c = arg;

	sandbox_keep_ring();
	call_child(c);
	MUST(c->role == SANDBOX_ENGINE && errno == EBADF);
}

static void
test_engine_ring(void **state)
{
	struct call_case	 c = { SANDBOX_ENGINE, SYS_io_uring_enter,
				    { -1UL, 1, 1, ENTER_GETEVENTS, 0, 0 } };
	size_t			 i;

	(void)state;
	assert_ok(run(ring_child, &c));
	c.arg[3] = 0;
	assert_true(sandbox_violation(run(ring_child, &c)));
	c.arg[3] = ENTER_GETEVENTS | 2;
	assert_true(sandbox_violation(run(ring_child, &c)));
	c.nr = SYS_io_uring_register;
	assert_true(sandbox_violation(run(ring_child, &c)));
	c.nr = SYS_io_uring_setup;
	assert_true(sandbox_violation(run(ring_child, &c)));
	c.nr = SYS_io_uring_enter;
	c.arg[3] = ENTER_GETEVENTS;
	for (i = 0; i < NITEMS(roles); i++) {
		c.role = roles[i];
		if (c.role != SANDBOX_ENGINE)
			assert_true(sandbox_violation(run(ring_child, &c)));
	}
}

static void
net_child(void *arg)
{
	struct sockaddr_in	*sin = arg;
	char			 buf[2];
	int			 s;

	sandbox_keep_port(ntohs(sin->sin_port));
	confine(SANDBOX_STORE_NET, 0);
	MUST((s = socket(AF_INET, SOCK_STREAM, 0)) != -1);
	MUST(connect(s, (struct sockaddr *)sin, sizeof(*sin)) == 0);
	MUST(send(s, "x", 1, 0) == 1);
	MUST(recv(s, buf, sizeof(buf), MSG_DONTWAIT) == -1);
	MUST(close(s) == 0);
	/* Another port, and files. */
	sin->sin_port = htons(ntohs(sin->sin_port) == 9 ? 10 : 9);
	MUST((s = socket(AF_INET, SOCK_STREAM, 0)) != -1);
	MUST(connect(s, (struct sockaddr *)sin, sizeof(*sin)) == -1 &&
	    errno == EACCES);
	MUST(open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES);
}

struct socket_case {
	int	port;
	int	family;
	int	type;
};

static void
socket_child(void *arg)
{
	struct socket_case	*c = arg;

	sandbox_keep_port((uint16_t)c->port);
	confine(SANDBOX_STORE_NET, 0);
	_exit(socket(c->family, c->type | SOCK_CLOEXEC, 0) == -1);
}

static void
test_store_net_sockets(void **state)
{
	struct socket_case	 good[] = {
		{ 3306, AF_INET, SOCK_STREAM }, { 3306, AF_INET6, SOCK_STREAM },
		{ 0, AF_UNIX, SOCK_STREAM },
	}, bad[] = {
		{ 3306, AF_UNIX, SOCK_STREAM }, { 0, AF_INET, SOCK_STREAM },
		{ 0, AF_INET6, SOCK_STREAM }, { 3306, AF_NETLINK, SOCK_RAW },
		{ 3306, AF_INET, SOCK_RAW }, { 3306, AF_PACKET, SOCK_RAW },
	}, refused[] = {
		{ 3306, AF_INET, SOCK_DGRAM }, { 3306, AF_INET6, SOCK_DGRAM },
		{ 0, AF_UNIX, SOCK_DGRAM },
	};
	size_t			 i;
	int			 status;

	(void)state;
	for (i = 0; i < NITEMS(good); i++)
		assert_ok(run(socket_child, &good[i]));
	for (i = 0; i < NITEMS(bad); i++)
		assert_true(sandbox_violation(run(socket_child, &bad[i])));
	for (i = 0; i < NITEMS(refused); i++) {
		status = run(socket_child, &refused[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	}
}

/* The store of a database server reaches its one port. */
static void
test_store_net(void **state)
{
	struct sockaddr_in	 sin;
	socklen_t		 len = sizeof(sin);
	int			 listener;

	(void)state;
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_not_equal(listener, -1);
	assert_int_equal(bind(listener, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(listener, 5), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sin, &len),
	    0);
	assert_ok(run(net_child, &sin));
	close(listener);
}

/* Over a socketpair: the message and a descriptor. */
static void
pass_fd(int s, int fd)
{
	struct msghdr	 msg;
	struct iovec	 iov;
	struct cmsghdr	*cmsg;
	char		 byte = 'f';
	union {
		struct cmsghdr	 hdr;
		char		 buf[CMSG_SPACE(sizeof(int))];
	}		 control;

	memset(&msg, 0, sizeof(msg));
	memset(&control, 0, sizeof(control));
	iov.iov_base = &byte;
	iov.iov_len = 1;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = control.buf;
	msg.msg_controllen = sizeof(control.buf);
	cmsg = CMSG_FIRSTHDR(&msg);
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	MUST(sendmsg(s, &msg, 0) == 1);
	MUST(recvmsg(s, &msg, MSG_DONTWAIT) == -1 && errno == EAGAIN);
}

static void
parent_child(void *arg)
{
	struct event_base	*base;
	FILE			*fp;
	char			 path[160], line[32];
	pid_t			 pid;
	int			 pair[2], fd, status;

	(void)arg;
	snprintf(path, sizeof(path), "%s/log", dir);
	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	MUST((pid = fork()) != -1);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	MUST((base = event_base_new()) != NULL);
	openlog("test_sandbox", LOG_NDELAY, LOG_DAEMON);
	confine(SANDBOX_PARENT, 0);

	MUST((fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
	    0640)) != -1);
	MUST(write(fd, "line\n", 5) == 5);
	pass_fd(pair[0], fd);
	MUST(close(fd) == 0);
	MUST((fp = fopen(path, "re")) != NULL);
	MUST(fgets(line, sizeof(line), fp) != NULL);
	MUST(strcmp(line, "line\n") == 0);
	MUST(fclose(fp) == 0);
	MUST(unlink(path) == 0);
	MUST(open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES);
	MUST(event_base_loop(base, EVLOOP_NONBLOCK) != -1);
	/* With no syslog daemon, or one that was restarted, it goes on. */
	syslog(LOG_DEBUG, "test");
	syslog(LOG_DEBUG, "test");
	MUST(kill(pid, SIGKILL) == 0);
	MUST(waitpid(pid, &status, 0) == pid);
	MUST(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	event_base_free(base);
}

static void
test_parent(void **state)
{
	(void)state;
	assert_ok(run(parent_child, NULL));
}

static void
ctl_child(void *arg)
{
	struct winsize	 ws;
	struct msghdr	 msg;
	struct iovec	 iov;
	char		 buf[8];
	int		*pair = arg;

	confine(SANDBOX_CTL, 0);
	MUST(ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) == 0 || errno == ENOTTY);
	MUST(isatty(pair[1]) == 0);
	/* The terminal's mode, and its keys. */
	MUST(ioctl(STDIN_FILENO, TCSETS, NULL) == -1);
	MUST(read(STDIN_FILENO, buf, 0) == 0 || errno == EBADF);
	MUST(poll(NULL, 0, 0) == 0);
	MUST(write(pair[1], "show", 4) == 4);
	memset(&msg, 0, sizeof(msg));
	iov.iov_base = buf;
	iov.iov_len = 2;
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	MUST(recvmsg(pair[1], &msg, 0) == 2);
	MUST(dprintf(pair[1], "%s", "table") == 5);
	exit(0);
}

static void
test_ctl(void **state)
{
	char	 buf[16];
	int	 pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(write(pair[0], "ok", 2), 2);
	assert_ok(run(ctl_child, pair));
	assert_int_equal(read(pair[0], buf, sizeof(buf)), 9);
	close(pair[0]);
	close(pair[1]);
}

/*
 * Paths and permissions
 */

static int
opens(const char *name, int flags)
{
	char	 path[160];
	int	 fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((fd = open(path, flags | O_CLOEXEC, 0600)) == -1) {
		MUST(errno == EACCES);
		return (0);
	}
	close(fd);
	return (1);
}

static void
perm_child(void *arg)
{
	struct sandbox_path	 paths[2];
	const char		*perm = arg;

	memset(paths, 0, sizeof(paths));
	paths[0].path = dir;
	paths[0].perm = perm;
	sandbox_early();
	sandbox_enter(SANDBOX_STORE, SANDBOX_REQUIRE, paths);
	MUST(opens("one", O_RDONLY) == (strchr(perm, 'r') != NULL));
	MUST(opens("one", O_WRONLY) == (strchr(perm, 'w') != NULL));
	MUST(opens(".", O_RDONLY | O_DIRECTORY) ==
	    (strchr(perm, 'r') != NULL));
	if (strcmp(perm, "r") == 0 || strcmp(perm, "rw") == 0) {
		MUST(opens("new", O_WRONLY | O_CREAT) == 0);
		MUST(unlinkat(AT_FDCWD, dir, 0) == -1 && errno == EACCES);
	} else if (strcmp(perm, "rwc") == 0) {
		MUST(opens("new", O_WRONLY | O_CREAT) == 1);
	}
}

/* One file is kept for reading, its neighbour is not there at all. */
static void
file_child(void *arg)
{
	struct sandbox_path	 paths[2];
	char			 path[160];

	(void)arg;
	snprintf(path, sizeof(path), "%s/one", dir);
	memset(paths, 0, sizeof(paths));
	paths[0].path = path;
	paths[0].perm = "rc";
	sandbox_early();
	sandbox_enter(SANDBOX_STORE, SANDBOX_REQUIRE, paths);
	MUST(opens("one", O_RDONLY) == 1);
	MUST(opens("one", O_WRONLY) == 0);
	MUST(opens("one", O_RDONLY | O_TRUNC) == 0);
	MUST(opens("two", O_RDONLY) == 0);
	MUST(unlink(path) == -1 && errno == EACCES);
}

static void
bad_path_child(void *arg)
{
	struct sandbox_path	 paths[2];

	memset(paths, 0, sizeof(paths));
	paths[0] = *(struct sandbox_path *)arg;
	sandbox_early();
	sandbox_enter(SANDBOX_STORE, SANDBOX_REQUIRE, paths);
}

static void
touch(const char *name)
{
	char	 path[160];
	int	 fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_not_equal(fd = open(path, O_WRONLY | O_CREAT, 0644), -1);
	close(fd);
}

static void
test_paths(void **state)
{
	struct sandbox_path	 missing = { "/nonexistent/ws", "r" };
	struct sandbox_path	 bad = { "/", "rz" };
	char			 r[] = "r", rw[] = "rw", rwc[] = "rwc";
	char			 w[] = "w";
	int			 status;

	(void)state;
	touch("one");
	touch("two");
	assert_ok(run(perm_child, r));
	assert_ok(run(perm_child, w));
	assert_ok(run(perm_child, rw));
	assert_ok(run(perm_child, rwc));
	assert_ok(run(file_child, NULL));
	logged_open();
	status = run(bad_path_child, &missing);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	status = run(bad_path_child, &bad);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	logged_close();
}

/*
 * A kernel that lacks a part: simulated by a filter around it
 */

struct lack_case {
	int			 nr;
	int			 error;
	enum sandbox_mode	 mode;
	const char		*described;
};

static void
lack_child(void *arg)
{
	struct lack_case	*c = arg;
	scmp_filter_ctx		 ctx;

	sandbox_early();
	MUST((ctx = seccomp_init(SCMP_ACT_ALLOW)) != NULL);
	MUST(seccomp_rule_add(ctx, SCMP_ACT_ERRNO(c->error), c->nr, 0) == 0);
	MUST(seccomp_load(ctx) == 0);
	seccomp_release(ctx);
	sandbox_enter(SANDBOX_ENGINE, c->mode, NULL);
	if (strstr(sandbox_describe(), c->described) == NULL) {
		dprintf(STDERR_FILENO, "described as %s\n",
		    sandbox_describe());
		_exit(97);
	}
}

static void
check_lack(int nr, int error, const char *part, const char *described)
{
	struct lack_case	 c;
	char			 buf[512];
	ssize_t			 n;
	int			 status;

	c.nr = nr;
	c.error = error;
	c.described = described;
	logged_open();

	c.mode = SANDBOX_PREFER;
	assert_ok(run(lack_child, &c));
	assert_true((n = read(logged[0], buf, sizeof(buf) - 1)) > 0);
	buf[n] = '\0';
	assert_non_null(strstr(buf, part));
	assert_non_null(strstr(buf, strerror(error)));
	assert_non_null(strstr(buf, "running without it"));

	c.mode = SANDBOX_REQUIRE;
	status = run(lack_child, &c);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_true((n = read(logged[0], buf, sizeof(buf) - 1)) > 0);
	buf[n] = '\0';
	assert_non_null(strstr(buf, part));
	assert_non_null(strstr(buf, "requires it"));

	logged_close();
}

static void
test_lacking(void **state)
{
	(void)state;
	check_lack(SCMP_SYS(landlock_create_ruleset), ENOSYS, "Landlock",
	    "seccomp");
	check_lack(SCMP_SYS(landlock_create_ruleset), EOPNOTSUPP, "Landlock",
	    "seccomp");
	check_lack(SCMP_SYS(landlock_restrict_self), EPERM, "Landlock",
	    "seccomp");
	check_lack(SCMP_SYS(seccomp), ENOSYS, "seccomp", "landlock");
	check_lack(SCMP_SYS(seccomp), EPERM, "seccomp", "landlock");
}

static void
odd_child(void *arg)
{
	(void)arg;
	confine(SANDBOX_ENGINE, 0);
	MUST(strstr(sandbox_describe(), "landlock ") != NULL);
	MUST(strstr(sandbox_describe(), "seccomp") != NULL);
	MUST(strstr(sandbox_describe(), "no_new_privs") != NULL);
}

/* Anything else that goes wrong is fatal, whatever the mode. */
static void
test_odd_error(void **state)
{
	struct lack_case	 c = { SCMP_SYS(landlock_create_ruleset),
	    ENOMEM, SANDBOX_PREFER, "" };
	int			 status;

	(void)state;
	assert_ok(run(odd_child, NULL));
	logged_open();
	status = run(lack_child, &c);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	logged_close();
}

/*
 * The search for leaks, which has to work in there
 */

#if SANITIZED
static void *volatile	leaked;

static void
leak_child(void *arg)
{
	struct probe_case	*c = arg;
	int			 null;

	MUST((null = open("/dev/null", O_WRONLY | O_CLOEXEC)) != -1);
	sandbox_early();
	if (c->drop)
		sandbox_drop("nobody", NOBODY, NOBODY, NULL);
	sandbox_enter(c->role, SANDBOX_REQUIRE, NULL);
	MUST(__lsan_do_recoverable_leak_check() == 0);
	if (c->name != NULL) {
		leaked = malloc(1234);
		leaked = NULL;
		/* The report itself is of no interest. */
		__sanitizer_set_report_fd((void *)(intptr_t)null);
		_exit(__lsan_do_recoverable_leak_check() != 0);
	}
}

static void
test_leak(void **state)
{
	struct probe_case	 c;
	const char		*options = getenv("ASAN_OPTIONS");
	size_t			 i;
	int			 status;

	(void)state;
	if (options != NULL && strstr(options, "detect_leaks=0") != NULL)
		skip();
	for (i = 0; i < NITEMS(roles); i++) {
		c.role = roles[i];
		c.drop = is_root() && c.role != SANDBOX_PARENT;
		c.name = NULL;
		assert_ok(run(leak_child, &c));
		c.name = "leak";
		status = run(leak_child, &c);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 1);
	}
}
#endif

/*
 * To drop root
 */

static void
drop_child(void *arg)
{
	gid_t	 groups[8];

	sandbox_drop("nobody", NOBODY, NOBODY, arg);
	MUST(getuid() == NOBODY && geteuid() == NOBODY);
	MUST(getgid() == NOBODY && getegid() == NOBODY);
	MUST(getgroups(8, groups) == 1 && groups[0] == NOBODY);
	MUST(setuid(0) == -1 && setgid(0) == -1);
	MUST(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
	if (arg != NULL)
		MUST(access("/etc/passwd", F_OK) == -1 && errno == ENOENT);
}

static void
drop_bad_child(void *arg)
{
	if (strcmp(arg, "root") == 0)
		sandbox_drop("root", 0, 0, NULL);
	else
		sandbox_drop("nobody", NOBODY, NOBODY, arg);
}

static void
test_drop(void **state)
{
	char	 root[] = "root", missing[] = "/nonexistent/jail";
	int	 status;

	(void)state;
	if (!is_root())
		skip();
	assert_ok(run(drop_child, NULL));
	assert_ok(run(drop_child, jail));
	logged_open();
	status = run(drop_bad_child, root);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	status = run(drop_bad_child, missing);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	logged_close();
}

static void
test_violation(void **state)
{
	(void)state;
	assert_false(sandbox_violation(0));
	assert_false(sandbox_violation(1 << 8));
	assert_false(sandbox_violation(SIGKILL));
	assert_true(sandbox_violation(SIGSYS));
}

int
main(void)
{
	const struct CMUnitTest	 tests[] = {
		cmocka_unit_test(test_violation),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_probes_unconfined),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_probe_unknown),
		cmocka_unit_test(test_calls_killed),
		cmocka_unit_test(test_arguments_killed),
		cmocka_unit_test(test_library),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_parent),
		cmocka_unit_test(test_engine),
		cmocka_unit_test(test_engine_ring),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_store_net),
		cmocka_unit_test(test_store_net_sockets),
		cmocka_unit_test(test_ctl),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_lacking),
		cmocka_unit_test(test_odd_error),
		cmocka_unit_test(test_drop),
#if SANITIZED
		cmocka_unit_test(test_leak),
#endif
	};

	return (cmocka_run_group_tests(tests, setup, teardown));
}
