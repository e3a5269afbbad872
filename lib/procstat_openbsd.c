/*
 * The figures of a process that pledge(2) lets it see of itself.  Its memory is
 * not among them.
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/sysctl.h>
#include <sys/time.h>

#include <string.h>
#include <unistd.h>

#include "procstat.h"

static double	start_time;

/* sysctl(2) of the process table is for before the sandbox. */
void
procstat_init(void)
{
	struct kinfo_proc	 kp;
	size_t			 size = sizeof(kp);
	int			 mib[6];

	mib[0] = CTL_KERN;
	mib[1] = KERN_PROC;
	mib[2] = KERN_PROC_PID;
	mib[3] = getpid();
	mib[4] = sizeof(kp);
	mib[5] = 1;
	start_time = 0;
	if (sysctl(mib, 6, &kp, &size, NULL, 0) == 0 && size == sizeof(kp))
		start_time = (double)kp.p_ustart_sec +
		    (double)kp.p_ustart_usec / 1e6;
}

void
procstat_read(struct procstat *ps)
{
	struct rusage	 ru;
	struct rlimit	 rl;

	memset(ps, 0, sizeof(*ps));
	ps->start_time = start_time;
	if (getrusage(RUSAGE_SELF, &ru) == 0) {
		ps->cpu_seconds = (double)(ru.ru_utime.tv_sec +
		    ru.ru_stime.tv_sec) + (double)(ru.ru_utime.tv_usec +
		    ru.ru_stime.tv_usec) / 1e6;
	}
	ps->open_fds = (uint64_t)getdtablecount();
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY)
		ps->max_fds = rl.rlim_cur;
}
