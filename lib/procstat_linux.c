/*
 * The figures of a process from /proc, through descriptors that are opened
 * while it may still open something: they stay readable after a chroot, a
 * change of identity and the sandbox.
 */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procstat.h"

static int	fd_stat = -1, fd_statm = -1, fd_fds = -1;
static double	start_time;

/* The text of a file of /proc from its start; -1 when it can't be had. */
static int
read_text(int fd, char *buf, size_t size)
{
	ssize_t	 n;

	if (fd == -1 || (n = pread(fd, buf, size - 1, 0)) <= 0)
		return (-1);
	buf[n] = '\0';
	return (0);
}

/*
 * Field N of a stat line, counted from 1 as in proc(5), from 3 on: the second
 * is the name of the program, in which anything may stand.
 */
static unsigned long long
stat_field(const char *text, int n)
{
	const char	*p;
	int		 i;

	if ((p = strrchr(text, ')')) == NULL)
		return (0);
	for (i = 2; i < n; i++) {
		if ((p = strchr(p + 1, ' ')) == NULL)
			return (0);
	}
	return (strtoull(p + 1, NULL, 10));
}

/* When the machine was started, in seconds since the epoch. */
static double
boot_time(void)
{
	FILE		*fp;
	char		*line = NULL;
	size_t		 size = 0;
	double		 btime = 0;

	if ((fp = fopen("/proc/stat", "re")) == NULL)
		return (0);
	while (getline(&line, &size, fp) != -1) {
		if (strncmp(line, "btime ", 6) == 0) {
			btime = strtod(line + 6, NULL);
			break;
		}
	}
	free(line);
	fclose(fp);
	return (btime);
}

void
procstat_init(void)
{
	char	 buf[1024];
	double	 btime;

	if (fd_stat != -1)
		close(fd_stat);
	if (fd_statm != -1)
		close(fd_statm);
	if (fd_fds != -1)
		close(fd_fds);
	fd_stat = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	fd_statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	fd_fds = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	start_time = 0;
	if ((btime = boot_time()) != 0 &&
	    read_text(fd_stat, buf, sizeof(buf)) == 0)
		start_time = btime + (double)stat_field(buf, 22) /
		    (double)sysconf(_SC_CLK_TCK);
}

/*
 * Count with the system call: readdir(3) would want a DIR, made with calls
 * that the sandbox does not know.
 */
static uint64_t
count_fds(void)
{
	/* The alignment that the records want. */
	union {
		struct dirent64	 entry;
		char		 bytes[4096];
	}			 buf;
	const struct dirent64	*d;
	uint64_t		 count = 0;
	long			 n, off;

	if (fd_fds == -1 || lseek(fd_fds, 0, SEEK_SET) == -1)
		return (0);
	while ((n = syscall(SYS_getdents64, fd_fds, &buf, sizeof(buf))) > 0) {
		for (off = 0; off < n; off += d->d_reclen) {
			d = (const void *)(buf.bytes + off);
			if (d->d_name[0] != '.')
				count++;
		}
	}
	return (n == -1 ? 0 : count);
}

void
procstat_read(struct procstat *ps)
{
	struct rusage		 ru;
	struct rlimit		 rl;
	char			 buf[1024], *end;
	uint64_t		 page = (uint64_t)sysconf(_SC_PAGESIZE);

	memset(ps, 0, sizeof(*ps));
	ps->start_time = start_time;
	if (getrusage(RUSAGE_SELF, &ru) == 0) {
		ps->cpu_seconds = (double)(ru.ru_utime.tv_sec +
		    ru.ru_stime.tv_sec) + (double)(ru.ru_utime.tv_usec +
		    ru.ru_stime.tv_usec) / 1e6;
	}
	if (read_text(fd_statm, buf, sizeof(buf)) == 0) {
		ps->virtual_bytes = strtoull(buf, &end, 10) * page;
		ps->resident_bytes = strtoull(end, NULL, 10) * page;
	}
	ps->open_fds = count_fds();
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY)
		ps->max_fds = rl.rlim_cur;
}
