/*
 * Confinement on Linux: no_new_privs, then Landlock for files, network and
 * signals, then a seccomp list of the system calls that a role makes.  Anything
 * else kills the process.  The lists are for 64-bit machines.
 */
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"
#include "sandbox_linux.h"

/* What the headers of a stable distribution do not know yet. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define FILTER_ROOM	(1024 * 1024)	/* bytes, several times over */
#define LANDLOCK_ACCESS_FS_TRUNCATE		(1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV		(1ULL << 15)
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP		(1ULL << 0)
#define LANDLOCK_ACCESS_NET_CONNECT_TCP		(1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET	(1ULL << 0)
#define LANDLOCK_SCOPE_SIGNAL			(1ULL << 1)
#endif
/* An enumerator where it is known: LANDLOCK_RULE_NET_PORT. */
#define LANDLOCK_RULE_NET_PORT_			2

/*
 * The kernel's struct landlock_ruleset_attr as of ABI 6, in a name of our own
 * since the header's may be shorter.  A kernel that knows less of it is given
 * less of it.
 */
struct ruleset {
	uint64_t	 fs;		/* ABI 1 */
	uint64_t	 net;		/* ABI 4 */
	uint64_t	 scoped;	/* ABI 6 */
};

/* The rights that mean something on what is not a folder. */
#define FS_FILE		(LANDLOCK_ACCESS_FS_EXECUTE |			\
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |	\
    LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

/* A call that is allowed when (argument & mask) == value. */
struct rule {
	int		 nr;
	unsigned int	 arg;
	uint64_t	 mask;
	uint64_t	 value;
};

struct role {
	const char		*name;
	const int		*calls;
	size_t			 ncalls;
	const struct rule	*rules;
	size_t			 nrules;
	uint64_t		 scoped;
};

#define NITEMS(x)	(sizeof(x) / sizeof((x)[0]))
#define INT_ARG		0xffffffffULL	/* the kernel reads an int of it */

/* Memory, time, signals, loop, and descriptors that are there already. */
static const int calls_common[] = {
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
	SCMP_SYS(futex), SCMP_SYS(getrandom),
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getrusage),
	SCMP_SYS(sysinfo),		/* qsort(3) sizes its buffer by it */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev),
	SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(lseek),
	SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static const struct rule rules_common[] = {
	{ SCMP_SYS(mmap), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(mprotect), 2, PROT_EXEC, 0 },
	{ SCMP_SYS(fcntl), 1, INT_ARG, F_GETFL },
	{ SCMP_SYS(fcntl), 1, INT_ARG, F_SETFL },
	{ SCMP_SYS(fcntl), 1, INT_ARG, F_GETFD },
	{ SCMP_SYS(fcntl), 1, INT_ARG, F_SETFD },
	{ SCMP_SYS(fcntl), 1, INT_ARG, F_DUPFD_CLOEXEC },
	{ SCMP_SYS(ioctl), 1, INT_ARG, FIONREAD },
	/* A C library's fstat(3) may be this one. */
	{ SCMP_SYS(newfstatat), 3, AT_EMPTY_PATH, AT_EMPTY_PATH },
	{ SCMP_SYS(statx), 2, AT_EMPTY_PATH, AT_EMPTY_PATH },
};

/*
 * The configuration is read again, the log file opened again, pid file and
 * sockets are removed; children are ended and reaped.  Which files, is for
 * Landlock to say.
 */
static const int calls_parent[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(newfstatat), SCMP_SYS(statx),
	SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	SCMP_SYS(pread64), SCMP_SYS(getdents64),	/* procstat */
	SCMP_SYS(wait4), SCMP_SYS(waitid),
};

static const struct rule rules_parent[] = {
	{ SCMP_SYS(kill), 1, INT_ARG, 0 },
	{ SCMP_SYS(kill), 1, INT_ARG, SIGTERM },
	{ SCMP_SYS(kill), 1, INT_ARG, SIGKILL },
	/* What stdio asks of a standard output that is a terminal. */
	{ SCMP_SYS(ioctl), 1, INT_ARG, TCGETS },
};

/* No call here takes a path, and none makes a socket but accept(2). */
static const int calls_engine[] = {
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(shutdown),
	SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(pread64), SCMP_SYS(getdents64),	/* procstat */
};

static const struct rule rules_engine[] = {
	{ SCMP_SYS(setsockopt), 1, INT_ARG, SOL_SOCKET },
	{ SCMP_SYS(setsockopt), 1, INT_ARG, IPPROTO_TCP },
	{ SCMP_SYS(ioctl), 1, INT_ARG, FIONBIO },
};

/* What SQLite does to a database, its journal and its shared memory. */
static const int calls_store[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(getcwd),
	SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(ftruncate),
	SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	SCMP_SYS(fchmod), SCMP_SYS(fchown),
	SCMP_SYS(getdents64),				/* procstat */
};

static const struct rule rules_store[] = {
	{ SCMP_SYS(fcntl), 1, INT_ARG, F_SETLK },
	{ SCMP_SYS(fcntl), 1, INT_ARG, F_GETLK },
};

/*
 * A client of a database server: it makes sockets, of which Landlock lets it
 * connect to one port only.  What the resolver and the loader of plugins would
 * look for in files fails; what they need was loaded before.
 */
static const int calls_store_net[] = {
	SCMP_SYS(connect), SCMP_SYS(shutdown), SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(pread64), SCMP_SYS(getdents64),	/* procstat */
};

static const struct rule rules_store_net[] = {
	{ SCMP_SYS(socket), 0, INT_ARG, AF_INET },
	{ SCMP_SYS(socket), 0, INT_ARG, AF_INET6 },
	{ SCMP_SYS(socket), 0, INT_ARG, AF_UNIX },
	{ SCMP_SYS(setsockopt), 1, INT_ARG, SOL_SOCKET },
	{ SCMP_SYS(setsockopt), 1, INT_ARG, IPPROTO_TCP },
	{ SCMP_SYS(setsockopt), 1, INT_ARG, IPPROTO_IP },
	{ SCMP_SYS(ioctl), 1, INT_ARG, FIONBIO },
};

static const int calls_refused_net[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(readlink),
};

/* The files of TLS, where there are some to be kept. */
static const int calls_files_net[] = {
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(access),
	SCMP_SYS(faccessat), SCMP_SYS(readlink),
};

/* The socket is connected before; what is left is a terminal. */
static const struct rule rules_ctl[] = {
	{ SCMP_SYS(ioctl), 1, INT_ARG, TCGETS },
	{ SCMP_SYS(ioctl), 1, INT_ARG, TIOCGWINSZ },
};

#define SCOPE_ALL	(LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET |		\
    LANDLOCK_SCOPE_SIGNAL)

static const struct role roles[] = {
	/*
	 * The children are exec'ed before the parent confines itself, so they
	 * are not of its domain: with signals scoped it could not end them.
	 */
	[SANDBOX_PARENT] = { "parent", calls_parent, NITEMS(calls_parent),
	    rules_parent, NITEMS(rules_parent),
	    LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET },
	[SANDBOX_ENGINE] = { "engine", calls_engine, NITEMS(calls_engine),
	    rules_engine, NITEMS(rules_engine), SCOPE_ALL },
	[SANDBOX_STORE] = { "store", calls_store, NITEMS(calls_store),
	    rules_store, NITEMS(rules_store), SCOPE_ALL },
	[SANDBOX_STORE_NET] = { "store", calls_store_net,
	    NITEMS(calls_store_net), rules_store_net, NITEMS(rules_store_net),
	    SCOPE_ALL },
	[SANDBOX_CTL] = { "ctl", NULL, 0,
	    rules_ctl, NITEMS(rules_ctl), SCOPE_ALL },
};

static char		description[64] = "none";
static uint16_t		keep_port;
static int		keeps_files;

static void
describe(const char *part)
{
	if (strcmp(description, "none") == 0)
		description[0] = '\0';
	else
		strlcat(description, ", ", sizeof(description));
	strlcat(description, part, sizeof(description));
}

/*
 * The errors of a kernel that was built, started or wrapped by a container
 * without a part: EACCES is seccomp(2)'s word for "no_new_privs is not set".
 */
static int
is_lacking(int error)
{
	return (error == ENOSYS || error == EOPNOTSUPP || error == EPERM ||
	    error == EACCES);
}

static void
lacking(enum sandbox_mode mode, const char *part, int error)
{
	if (mode == SANDBOX_REQUIRE)
		fatalx("sandbox: the kernel has no %s (%s), and the "
		    "configuration requires it", part, strerror(error));
	log_warnx("sandbox: the kernel has no %s (%s), running without it",
	    part, strerror(error));
}

/*
 * That no_new_privs is in force is for sandbox_enter() to check: at this
 * moment nobody knows yet whether it is required, nor is there a log.
 */
void
sandbox_early(void)
{
	struct rlimit	 none = { 0, 0 };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		fatal("cannot turn off dumping of memory");
	if (setrlimit(RLIMIT_CORE, &none) == -1)
		fatal("cannot turn off core files");
}

static uint64_t
landlock_rights(const struct sandbox_path *path)
{
	uint64_t	 rights = 0;
	const char	*p;

	for (p = path->perm; *p != '\0'; p++) {
		switch (*p) {
		case 'r':
			rights |= LANDLOCK_ACCESS_FS_READ_FILE |
			    LANDLOCK_ACCESS_FS_READ_DIR;
			break;
		case 'w':
			rights |= LANDLOCK_ACCESS_FS_WRITE_FILE |
			    LANDLOCK_ACCESS_FS_TRUNCATE;
			break;
		case 'x':
			rights |= LANDLOCK_ACCESS_FS_EXECUTE;
			break;
		case 'c':
			rights |= LANDLOCK_ACCESS_FS_MAKE_REG |
			    LANDLOCK_ACCESS_FS_REMOVE_FILE;
			break;
		default:
			fatalx("sandbox: bad permission \"%s\" for %s",
			    path->perm, path->path);
		}
	}
	return (rights);
}

static void
landlock_allow(int ruleset, uint64_t handled, const struct sandbox_path *path)
{
	struct landlock_path_beneath_attr	 rule;
	struct stat				 st;

	memset(&rule, 0, sizeof(rule));
	if ((rule.parent_fd = open(path->path, O_PATH | O_CLOEXEC)) == -1)
		fatal("sandbox: cannot keep %s", path->path);
	if (fstat(rule.parent_fd, &st) == -1)
		fatal("sandbox: cannot keep %s", path->path);
	rule.allowed_access = landlock_rights(path) & handled;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_FILE;
	/* To connect to one takes no right that Landlock knows. */
	if (S_ISSOCK(st.st_mode))
		rule.allowed_access = 0;
	/* A rule that allows nothing is an error to the kernel. */
	if (rule.allowed_access != 0 && syscall(SYS_landlock_add_rule, ruleset,
	    LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == -1)
		fatal("sandbox: cannot keep %s", path->path);
	close(rule.parent_fd);
}

/* The kernel's struct landlock_net_port_attr, which has no other name here. */
static void
landlock_allow_port(int ruleset, uint16_t port)
{
	struct {
		uint64_t	allowed_access;
		uint64_t	port;
	}	rule = { LANDLOCK_ACCESS_NET_CONNECT_TCP, port };

	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_NET_PORT_,
	    &rule, 0) == -1)
		fatal("sandbox: cannot keep TCP port %u", port);
}

/* Fill in all that an ABI can forbid; the size of what it understands. */
static size_t
landlock_handled(struct ruleset *set, int abi, uint64_t scoped)
{
	memset(set, 0, sizeof(*set));
	set->fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
	if (abi >= 2)
		set->fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		set->fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 5)
		set->fs |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	if (abi >= 4)
		set->net = LANDLOCK_ACCESS_NET_BIND_TCP |
		    LANDLOCK_ACCESS_NET_CONNECT_TCP;
	if (abi >= 6)
		set->scoped = scoped;

	if (abi >= 6)
		return (sizeof(*set));
	if (abi >= 4)
		return (offsetof(struct ruleset, scoped));
	return (offsetof(struct ruleset, net));
}

static void
landlock_enter(const struct role *role, enum sandbox_mode mode,
    const struct sandbox_path *paths)
{
	const struct sandbox_path	*p;
	struct ruleset			 set;
	char				 part[32];
	size_t				 size;
	int				 abi, fd;

	abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (abi == -1 && is_lacking(errno)) {
		lacking(mode, "Landlock", errno);
		return;
	}
	if (abi == -1)
		fatal("sandbox: Landlock");
	size = landlock_handled(&set, abi, role->scoped);
	if ((fd = syscall(SYS_landlock_create_ruleset, &set, size, 0)) == -1)
		fatal("sandbox: Landlock rules");
	for (p = paths; p != NULL && p->path != NULL; p++)
		landlock_allow(fd, set.fs, p);
	for (p = sandbox_extra_paths(); p->path != NULL; p++)
		landlock_allow(fd, set.fs, p);
	if (role == &roles[SANDBOX_STORE_NET] && keep_port != 0 &&
	    set.net != 0)
		landlock_allow_port(fd, keep_port);
	if (syscall(SYS_landlock_restrict_self, fd, 0) == -1) {
		if (!is_lacking(errno))
			fatal("sandbox: Landlock for the %s", role->name);
		lacking(mode, "Landlock without privileges", errno);
		close(fd);
		return;
	}
	close(fd);
	snprintf(part, sizeof(part), "landlock %d", abi);
	describe(part);
}

static int
filter_add(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t n)
{
	size_t	 i;
	int	 rc;

	for (i = 0; i < n; i++) {
		rc = seccomp_rule_add(ctx, action, calls[i], 0);
		if (rc < 0)
			return (rc);
	}
	return (0);
}

static int
filter_allow(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	return (filter_add(ctx, SCMP_ACT_ALLOW, calls, n));
}

/* These fail with an error instead of ending the process. */
static int
filter_refuse_files(scmp_filter_ctx ctx)
{
	int	 rc;

	rc = filter_add(ctx, SCMP_ACT_ERRNO(EACCES), calls_refused_net,
	    NITEMS(calls_refused_net));
	/* By a path: by a descriptor they are allowed to all. */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES),
		    SCMP_SYS(newfstatat), 1, SCMP_A3(SCMP_CMP_MASKED_EQ,
		    AT_EMPTY_PATH, 0));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES),
		    SCMP_SYS(statx), 1, SCMP_A2(SCMP_CMP_MASKED_EQ,
		    AT_EMPTY_PATH, 0));
	return (rc);
}

static int
filter_allow_rules(scmp_filter_ctx ctx, const struct rule *rules, size_t n)
{
	size_t	 i;
	int	 rc;

	for (i = 0; i < n; i++) {
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, rules[i].nr, 1,
		    SCMP_CMP(rules[i].arg, SCMP_CMP_MASKED_EQ, rules[i].mask,
		    rules[i].value));
		if (rc < 0)
			return (rc);
	}
	return (0);
}

/* What a process may do to itself: abort(3), and look at its limits. */
static int
filter_allow_self(scmp_filter_ctx ctx)
{
	uint64_t	 self = (uint64_t)getpid();
	int		 rc;

	rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, INT_ARG, self));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tkill), 1,
		    SCMP_A0(SCMP_CMP_MASKED_EQ, INT_ARG, self));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64),
		    2, SCMP_A0(SCMP_CMP_MASKED_EQ, INT_ARG, 0),
		    SCMP_A2(SCMP_CMP_EQ, 0, 0));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW,
		    SCMP_SYS(getrlimit), 0);
	return (rc);
}

static int
filter_fill(scmp_filter_ctx ctx, const struct role *role)
{
	int	 rc;

	/* Other ABIs, 32-bit and x32, have numbers that no list is for. */
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_KILL_PROCESS);
	/* The kernel's own error from seccomp_load(). */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (rc == 0)
		rc = filter_allow(ctx, calls_common, NITEMS(calls_common));
	if (rc == 0)
		rc = filter_allow_rules(ctx, rules_common,
		    NITEMS(rules_common));
	if (rc == 0)
		rc = filter_allow_self(ctx);
	if (rc == 0)
		rc = filter_allow(ctx, role->calls, role->ncalls);
	if (rc == 0)
		rc = filter_allow_rules(ctx, role->rules, role->nrules);
	if (rc == 0 && role == &roles[SANDBOX_STORE_NET] && keeps_files)
		rc = filter_allow(ctx, calls_files_net,
		    NITEMS(calls_files_net));
	else if (rc == 0 && role == &roles[SANDBOX_STORE_NET])
		rc = filter_refuse_files(ctx);
	/*
	 * syslog(3) makes a new socket when the one that it has is refused.
	 * That fails in the parent instead of killing it: the restart of
	 * another daemon must not be the end of this one.
	 */
	if (rc == 0 && role == &roles[SANDBOX_PARENT])
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES),
		    SCMP_SYS(socket), 0);
	if (rc == 0)
		rc = sandbox_extra_rules(ctx);
	return (rc);
}

/*
 * libseccomp (2.5) that runs out of memory may crash, or leave a rule out and
 * say nothing: it is not started with less than it can need.
 */
static void
filter_room(void)
{
	void	*room;

	if ((room = malloc(FILTER_ROOM)) == NULL)
		fatal("sandbox: a seccomp filter");
	free(room);
}

static void
filter_enter(const struct role *role, enum sandbox_mode mode)
{
	scmp_filter_ctx	 ctx;
	uint32_t	 action = SECCOMP_RET_KILL_PROCESS;
	int		 rc;

	/* libseccomp has one error for all that the kernel may lack. */
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == -1) {
		if (!is_lacking(errno))
			fatal("sandbox: seccomp");
		lacking(mode, "seccomp", errno);
		return;
	}
	filter_room();
	if ((ctx = seccomp_init(SCMP_ACT_KILL_PROCESS)) == NULL)
		fatalx("sandbox: cannot make a seccomp filter");
	if ((rc = filter_fill(ctx, role)) < 0)
		fatalx("sandbox: cannot make the seccomp filter of the %s: %s",
		    role->name, strerror(-rc));
	rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc < 0 && !is_lacking(-rc))
		fatalx("sandbox: cannot load the seccomp filter of the %s: %s",
		    role->name, strerror(-rc));
	if (rc < 0)
		lacking(mode, "seccomp without privileges", -rc);
	else
		describe("seccomp");
}

void
sandbox_keep_port(uint16_t port)
{
	keep_port = port;
}

/* Sockets are reached by connect(2), which is no matter of files. */
static int
any_files(const struct sandbox_path *paths)
{
	struct stat	 st;

	for (; paths != NULL && paths->path != NULL; paths++)
		if (stat(paths->path, &st) == -1 || !S_ISSOCK(st.st_mode))
			return (1);
	return (0);
}

void
sandbox_enter(enum sandbox_role role, enum sandbox_mode mode,
    const struct sandbox_path *paths)
{
	/* Reads the zone's file while that can be done. */
	tzset();
	/* Again, since a change of identity sets it back. */
	sandbox_early();
	if (mode == SANDBOX_OFF)
		return;

	sandbox_extra_prepare();
	keeps_files = any_files(paths) ||
	    sandbox_extra_paths()->path != NULL;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		describe("no_new_privs");
	else
		lacking(mode, "no_new_privs", EPERM);
	landlock_enter(&roles[role], mode, paths);
	filter_enter(&roles[role], mode);
}

const char *
sandbox_describe(void)
{
	return (description);
}

int
sandbox_violation(int status)
{
	return (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}
