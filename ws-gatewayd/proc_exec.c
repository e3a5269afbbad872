/*
 * How a process of the daemon begins: our own binary, with the socket to the
 * parent and nothing else.
 */
#include <sys/resource.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc.h"

#define ENV_MAX	32

extern char	**environ;

/*
 * The environment may hold secrets of whoever starts us.  What is left is for
 * the loader, the C library, and the instruments of a debug build.
 */
static char **
child_environment(void)
{
	static const char *const keep[] = { "PATH=", "TZ=", "LD_LIBRARY_PATH=",
				    "MALLOC_OPTIONS=", "ASAN_OPTIONS=",
				    "LSAN_OPTIONS=", "UBSAN_OPTIONS=",
				    "LLVM_PROFILE_FILE=", "GCOV_PREFIX=" };
	static char		*env[ENV_MAX + 1];
	char			**e;
	size_t			 i, n = 0;

	for (e = environ; *e != NULL && n < ENV_MAX; e++)
		for (i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
			if (strncmp(*e, keep[i], strlen(keep[i])) == 0) {
				env[n++] = *e;
				break;
			}
	env[n] = NULL;
	return (env);
}

static void
raise_file_limit(void)
{
	struct rlimit	rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	rl.rlim_cur = rl.rlim_max;
	/* Every connection is one; with fewer it says so when they are used. */
	setrlimit(RLIMIT_NOFILE, &rl);
}

void
proc_exec(const char *self, enum proc_id id, int fd, int quiet)
{
	static const int	 sigs[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };
	static char		 mode[] = "-proc";
	char			 name[16], *argv[4];
	size_t			 i;
	int			 null;

	for (i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		signal(sigs[i], SIG_IGN);
	if (id == PROC_ENGINE)
		raise_file_limit();
	/* Or dup2(2) would leave it to be closed by exec. */
	if (fd == PROC_FD) {
		if (fcntl(fd, F_SETFD, 0) == -1)
			_exit(1);
	} else if (dup2(fd, PROC_FD) == -1)
		_exit(1);
	if ((null = open("/dev/null", O_RDWR)) == -1 ||
	    dup2(null, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1)
		_exit(1);
	/* Reports of a sanitizer go there, and nothing else. */
	if (quiet && dup2(null, STDERR_FILENO) == -1)
		_exit(1);
	closefrom(PROC_FD + 1);
	strlcpy(name, proc_name(id), sizeof(name));
	if ((argv[0] = strdup(self)) == NULL)
		_exit(1);
	argv[1] = mode;
	argv[2] = name;
	argv[3] = NULL;
	execve(self, argv, child_environment());
	_exit(127);
}
