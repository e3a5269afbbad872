/*
 * Confinement on Linux: no_new_privs, then Landlock for files, network and
 * signals, then a seccomp filter with the list of the system calls that a role
 * makes (sandbox_linux_calls.c).  Anything else kills the process.
 */
#include <sys/types.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
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

#define FILTER_ROOM	(1024 * 1024)	/* bytes, several times over */

/* What the headers of a stable distribution do not know yet. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
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

struct role {
	const char	*name;
	uint64_t	 scoped;
};

#define SCOPE_ALL	(LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET |		\
    LANDLOCK_SCOPE_SIGNAL)

static const struct role roles[] = {
	/*
	 * The children are exec'ed before the parent confines itself, so they
	 * are not of its domain: with signals scoped it could not end them.
	 */
	[SANDBOX_PARENT] = { "parent", LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET },
	[SANDBOX_ENGINE] = { "engine", SCOPE_ALL },
	[SANDBOX_STORE] = { "store", SCOPE_ALL },
	[SANDBOX_STORE_NET] = { "store", SCOPE_ALL },
	[SANDBOX_CTL] = { "ctl", SCOPE_ALL },
	[SANDBOX_KEYS] = { "keys", SCOPE_ALL },
	[SANDBOX_STARTER] = { "starter", 0 },
};

static char		description[64] = "none";
static uint16_t		keep_port;
static int		keeps_files, keeps_ring;

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
filter_add(scmp_filter_ctx ctx, uint32_t action, const struct sandbox_call *c)
{
	struct scmp_arg_cmp	 cmp[SANDBOX_CONDS];
	unsigned int		 n = 0;
	uint64_t		 value;

	while (n < SANDBOX_CONDS && c->cond[n].mask != 0) {
		value = c->cond[n].value;
		if (value == SANDBOX_SELF)
			value = (uint64_t)getpid();
		cmp[n] = SCMP_CMP(c->cond[n].arg, SCMP_CMP_MASKED_EQ,
		    c->cond[n].mask, value);
		n++;
	}
	return (seccomp_rule_add_array(ctx, action, c->nr, n, cmp));
}

static int
filter_add_all(scmp_filter_ctx ctx, uint32_t action, unsigned int role,
    const struct sandbox_call *calls, size_t n)
{
	size_t	 i;
	int	 rc = 0;

	for (i = 0; rc == 0 && i < n; i++)
		if ((calls[i].roles & role) != 0)
			rc = filter_add(ctx, action, &calls[i]);
	return (rc);
}

static int
filter_fill(scmp_filter_ctx ctx, const struct role *role)
{
	unsigned int	 bits = 1U << (role - roles);
	uint32_t	 files = SCMP_ACT_ERRNO(EACCES);
	int		 rc;

	if (role == &roles[SANDBOX_ENGINE] && keeps_ring)
		bits |= SANDBOX_RING;
	if (role == &roles[SANDBOX_STORE_NET])
		bits |= keep_port != 0 ? SANDBOX_BY_PORT : SANDBOX_BY_PATH;
	/* Other ABIs, 32-bit and x32, have numbers that no list is for. */
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
	    SCMP_ACT_KILL_PROCESS);
	/* The kernel's own error from seccomp_load(). */
	if (rc == 0)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (rc == 0)
		rc = filter_add_all(ctx, SCMP_ACT_ALLOW, bits, sandbox_calls,
		    sandbox_ncalls);
	if (rc == 0)
		rc = filter_add_all(ctx, SCMP_ACT_ERRNO(EACCES), bits,
		    sandbox_refused, sandbox_nrefused);
	if (keeps_files)
		files = SCMP_ACT_ALLOW;
	if (rc == 0 && role == &roles[SANDBOX_STORE_NET])
		rc = filter_add_all(ctx, files, SANDBOX_FILES,
		    sandbox_refused, sandbox_nrefused);
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

/* A line: the name, its conditions as numbers, "#" and why it is unseen. */
static void
list_call(const struct sandbox_call *c, const char *what,
    void (*emit)(const char *))
{
	char	*name, line[256];
	size_t	 len;
	int	 i;

	name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, c->nr);
	snprintf(line, sizeof(line), "%s", name != NULL ? name : "?");
	free(name);
	for (i = 0; i < SANDBOX_CONDS && c->cond[i].mask != 0 &&
	    c->cond[i].value != SANDBOX_SELF; i++) {
		len = strlen(line);
		snprintf(line + len, sizeof(line) - len, " %u %#llx %#llx",
		    c->cond[i].arg, (unsigned long long)c->cond[i].mask,
		    (unsigned long long)c->cond[i].value);
	}
	strlcat(line, what, sizeof(line));
	if (c->unseen != NULL) {
		strlcat(line, " # ", sizeof(line));
		strlcat(line, c->unseen, sizeof(line));
	}
	emit(line);
}

void
sandbox_list(enum sandbox_role role, void (*emit)(const char *))
{
	unsigned int	 bits = 1U << role;
	size_t		 i;

	if (role == SANDBOX_ENGINE)
		bits |= SANDBOX_RING;
	if (role == SANDBOX_STORE_NET)
		bits |= SANDBOX_BY_PORT | SANDBOX_BY_PATH | SANDBOX_FILES;
	for (i = 0; i < sandbox_ncalls; i++)
		if ((sandbox_calls[i].roles & bits) != 0)
			list_call(&sandbox_calls[i], "", emit);
	for (i = 0; i < sandbox_nrefused; i++)
		if ((sandbox_refused[i].roles & bits) != 0)
			list_call(&sandbox_refused[i], " refused", emit);
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

void
sandbox_keep_ring(void)
{
	keeps_ring = 1;
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

/*
 * What no store needs of root's powers, nor who starts and ends it: no way to
 * another process's memory, to mounts, devices, networks or the kernel.
 */
static void
drop_capabilities(enum sandbox_mode mode)
{
	static const unsigned int	 keep[] = { CAP_CHOWN, CAP_DAC_OVERRIDE,
					    CAP_DAC_READ_SEARCH, CAP_FOWNER,
					    CAP_KILL, CAP_SETGID, CAP_SETUID };
	struct __user_cap_header_struct	 head;
	struct __user_cap_data_struct	 data[_LINUX_CAPABILITY_U32S_3];
	uint64_t			 mask = 0;
	unsigned int			 cap;
	size_t				 i;

	for (i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
		mask |= 1ULL << keep[i];
	/* Of those that this kernel has. */
	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != -1; cap++)
		if ((mask & 1ULL << cap) == 0 &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1) {
			lacking(mode, "way to drop capabilities", errno);
			return;
		}
	memset(&head, 0, sizeof(head));
	head.version = _LINUX_CAPABILITY_VERSION_3;
	if (syscall(SYS_capget, &head, data) == -1)
		fatal("sandbox: capabilities");
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(mask >> (32 * i));
		data[i].effective &= (uint32_t)(mask >> (32 * i));
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, data) == -1)
		fatal("sandbox: capabilities");
	describe("capabilities");
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
	/* Rules and filter would go on to the stores, which have their own. */
	if (role == SANDBOX_STARTER) {
		if (geteuid() == 0)
			drop_capabilities(mode);
		return;
	}
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
