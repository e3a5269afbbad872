/*
 * What the server and the machine use, from /proc.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "wsload.h"

__attribute__((__format__(printf, 3, 4)))
static int
slurp(char *buf, size_t n, const char *fmt, ...)
{
	char	 path[64];
	va_list	 ap;
	ssize_t	 r = -1;
	int	 fd;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) != -1) {
		r = read(fd, buf, n - 1);
		close(fd);
	}
	buf[r > 0 ? r : 0] = '\0';
	return (r > 0);
}

static double
field(const char *text, const char *name)
{
	const char	*s;

	s = strstr(text, name);
	return (s == NULL ? 0 : strtod(s + strlen(name), NULL));
}

static double
cpu_seconds(clockid_t id)
{
	struct timespec	 t;

	if (clock_gettime(id, &t) == -1)
		return (0);
	return ((double)t.tv_sec + (double)t.tv_nsec / 1e9);
}

/* Adds up CPU time and memory of pid and its descendants. */
static void
tree_usage(struct usage *u, long pid, int memory)
{
	char		 buf[8192], *s;
	clockid_t	 id;

	if (clock_getcpuclockid((pid_t)pid, &id) != 0)
		return;
	u->srv_cpu += cpu_seconds(id);
	if (memory && slurp(buf, sizeof(buf), "/proc/%ld/smaps_rollup", pid)) {
		u->rss += field(buf, "\nRss:") * 1024;
		u->pss += field(buf, "\nPss:") * 1024;
		u->priv += (field(buf, "\nPrivate_Clean:") +
		    field(buf, "\nPrivate_Dirty:")) * 1024;
	}
	if (memory && slurp(buf, sizeof(buf), "/proc/%ld/status", pid))
		u->high += field(buf, "\nVmHWM:") * 1024;
	if (slurp(buf, sizeof(buf), "/proc/%ld/task/%ld/children", pid, pid))
		for (s = buf; (pid = strtol(s, &s, 10)) > 0;)
			tree_usage(u, pid, memory);
}

/* A /proc/stat line: user nice system idle iowait irq softirq steal. */
static double
busy(const char *text, double *steal)
{
	double	 v[8];
	char	*s;
	int	 i;

	for (i = 0; i < 8; i++) {
		v[i] = strtod(text, &s) / (double)sysconf(_SC_CLK_TCK);
		text = s;
	}
	*steal = v[7];
	return (v[0] + v[1] + v[2] + v[5] + v[6]);
}

struct usage
usage_now(int memory)
{
	struct usage	 u;
	char		 buf[16384], name[16], *s;
	double		 ignored;

	memset(&u, 0, sizeof(u));
	if (o.pid != 0)
		tree_usage(&u, o.pid, memory);
	u.own_cpu = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
	if (slurp(buf, sizeof(buf), "/proc/stat"))
		u.all_cpu = busy(buf + 4, &u.steal);
	snprintf(name, sizeof(name), "\ncpu%u ", o.core);
	if ((s = strstr(buf, name)) != NULL)
		u.core_cpu = busy(s + strlen(name), &ignored);
	if (slurp(buf, sizeof(buf), "/proc/net/sockstat") &&
	    (s = strstr(buf, "TCP:")) != NULL)
		u.tcp_mem = field(s, " mem ") * (double)sysconf(_SC_PAGESIZE);
	if (slurp(buf, sizeof(buf), "/proc/meminfo"))
		u.slab = field(buf, "\nSlab:") * 1024;
	return (u);
}
