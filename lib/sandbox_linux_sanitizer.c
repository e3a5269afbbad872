/*
 * What the run time of the sanitizers does behind a process's back: it reports
 * with symbols, and at the exit it looks for leaks, for which a thread stops
 * the process with ptrace(2) and reads its registers.  Everything is allowed in
 * that one form only, so that the proofs of the sandbox hold in such a build.
 */
#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include <sanitizer/common_interface_defs.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "sandbox_linux.h"

#define INT_ARG		0xffffffffULL

/* For what is called before there is a shadow to look at. */
#define NOT_SANITIZED	__attribute__((no_sanitize("address", "undefined")))

typedef int	phdr_fn(struct dl_phdr_info *, size_t, void *);

struct phdr_call {
	phdr_fn	*fn;
	void	*arg;
};

int	__lsan_is_turned_off(void);

static char	exe[PATH_MAX];
static int	searching;	/* for leaks: this process ends */

NOT_SANITIZED static int
phdr_not_runtime(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct phdr_call	*call = arg;

	if (strstr(info->dlpi_name, "san.so.") != NULL)
		return (0);
	return (call->fn(info, size, call->arg));
}

/*
 * In place of the C library's.  The search for leaks looks for pointers in the
 * memory of what this lists, and two thirds of that are tables of the run time
 * itself, most of them never touched: to read them was a quarter of all that a
 * daemon cost from its start to its end.
 */
NOT_SANITIZED int
dl_iterate_phdr(phdr_fn *fn, void *arg)
{
	static int		(*next)(phdr_fn *, void *);
	struct phdr_call	  call = { fn, arg };

	if (next == NULL)
		next = (int (*)(phdr_fn *, void *))dlsym(RTLD_NEXT,
		    "dl_iterate_phdr");
	return (searching ? next(phdr_not_runtime, &call) : next(fn, arg));
}

/*
 * The search for leaks ends in a fatal error where there is no /proc, as in a
 * chroot that has none.
 */
int
__lsan_is_turned_off(void)
{
	static const char	 note[] = "sanitizer: no /proc in this chroot, "
	    "leaks are not looked for\n";

	if (access("/proc/self/task", F_OK) == 0) {
		searching = 1;
		return (0);
	}
	if (write(STDERR_FILENO, note, sizeof(note) - 1) == -1)
		return (1);
	return (1);
}

/* Let it read what it will want to know, its memory map for one. */
void
sandbox_extra_prepare(void)
{
	__sanitizer_sandbox_arguments	 args;
	ssize_t				 n;

	memset(&args, 0, sizeof(args));
	args.coverage_fd = -1;
	__sanitizer_sandbox_on_notify(&args);
	if ((n = readlink("/proc/self/exe", exe, sizeof(exe) - 1)) > 0)
		exe[n] = '\0';
}

/* The threads of the process, and where symbols are. */
const struct sandbox_path *
sandbox_extra_paths(void)
{
	static const char *const	 wanted[] = { "/proc", "/usr/lib" };
	static struct sandbox_path	 paths[4];
	size_t				 i, n = 0;

	for (i = 0; i < 2; i++) {
		if (access(wanted[i], F_OK) == 0) {
			paths[n].path = wanted[i];
			paths[n++].perm = "r";
		}
	}
	if (exe[0] != '\0' && access(exe, F_OK) == 0) {
		paths[n].path = exe;
		paths[n++].perm = "r";
	}
	paths[n].path = NULL;
	return (paths);
}

static int
allow_prctl(scmp_filter_ctx ctx, uint64_t option)
{
	return (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, INT_ARG, option)));
}

/* The requests that stop this process, look at it and let it go on. */
static int
allow_tracer(scmp_filter_ctx ctx)
{
	static const unsigned int	 requests[] = {
		PTRACE_ATTACH, PTRACE_GETREGS, PTRACE_GETREGSET, PTRACE_CONT,
		PTRACE_DETACH, PTRACE_KILL
	};
	static const unsigned int	 options[] = {
		PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_SET_PTRACER,
		PR_SET_PDEATHSIG
	};
	uint64_t			 self = (uint64_t)getpid();
	size_t				 i;
	int				 rc;

	rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_EQ, CLONE_VM | CLONE_FS | CLONE_FILES |
	    CLONE_UNTRACED, 0));
	for (i = 0; rc == 0 && i < sizeof(requests) / sizeof(requests[0]); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ptrace), 2,
		    SCMP_A0(SCMP_CMP_EQ, requests[i], 0),
		    SCMP_A1(SCMP_CMP_MASKED_EQ, INT_ARG, self));
	for (i = 0; rc == 0 && i < sizeof(options) / sizeof(options[0]); i++)
		rc = allow_prctl(ctx, options[i]);
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(wait4), 0);
	return (rc);
}

int
sandbox_extra_rules(scmp_filter_ctx ctx)
{
	static const int	 calls[] = {
		SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield),
		/* Its allocator and its locks, its reports, its own signals. */
		SCMP_SYS(madvise), SCMP_SYS(futex),
		SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close),
		SCMP_SYS(lseek), SCMP_SYS(getuid), SCMP_SYS(geteuid),
		SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn),
		SCMP_SYS(getppid), SCMP_SYS(exit), SCMP_SYS(nanosleep),
		SCMP_SYS(clock_nanosleep), SCMP_SYS(fstat),
		SCMP_SYS(getdents), SCMP_SYS(getdents64), SCMP_SYS(pread64),
		/* Symbols: no call that changes a file. */
		SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(lstat),
		SCMP_SYS(access), SCMP_SYS(faccessat),
		SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd),
		SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(mincore),
	};
	size_t			 i;
	int			 rc = 0;

	for (i = 0; rc == 0 && i < sizeof(calls) / sizeof(calls[0]); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
		    SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC,
		    O_RDONLY));
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
		    SCMP_A1(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC,
		    O_RDONLY));
	/* The limit of the stack. */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64),
		    2, SCMP_A0(SCMP_CMP_MASKED_EQ, INT_ARG, 0),
		    SCMP_A2(SCMP_CMP_EQ, 0, 0));
	/* Files with symbols are closed by exec. */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
		    SCMP_A1(SCMP_CMP_MASKED_EQ, INT_ARG, F_SETFD));
	/* Its memory, which is never made executable. */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect),
		    1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Whether colours are wanted on standard error. */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
		    SCMP_A1(SCMP_CMP_MASKED_EQ, INT_ARG, TCGETS));
	/* LLVM's would start a program for symbols: it does without. */
	if (rc == 0)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM),
		    SCMP_SYS(fork), 0);
	if (rc == 0)
		rc = allow_tracer(ctx);
	return (rc);
}
