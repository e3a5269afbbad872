/*
 * The figures of a process from /proc/self/status, through a descriptor that is
 * opened while it may still open something: it stays readable after a chroot, a
 * change of identity and the sandbox.  It must be of a file: one of a folder
 * outside would be a way out of the chroot.
 */
#include <sys/types.h>
#include <sys/resource.h>

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procstat.h"

#define CHUNK	512		/* descriptors of one poll(2) */

static int	fd_status = -1;
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

/* The number behind NAME, which has a newline before and a colon behind. */
static uint64_t
status_field(const char *text, const char *name)
{
	const char	*p;

	if ((p = strstr(text, name)) == NULL)
		return (0);
	return (strtoull(p + strlen(name), NULL, 10));
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
	int	 fd;

	if (fd_status != -1)
		close(fd_status);
	fd_status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

	start_time = 0;
	if ((fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC)) == -1)
		return;
	if ((btime = boot_time()) != 0 &&
	    read_text(fd, buf, sizeof(buf)) == 0)
		start_time = btime + (double)stat_field(buf, 22) /
		    (double)sysconf(_SC_CLK_TCK);
	close(fd);
}

/*
 * The kernel says of each number below SIZE, that of its table, whether it is
 * open.  LIMIT, of open files, is also that of the numbers that it takes.
 */
static uint64_t
count_fds(uint64_t size, uint64_t limit)
{
	struct pollfd	 pfd[CHUNK];
	uint64_t	 first, count = 0;
	nfds_t		 i, n, max;

	max = limit < CHUNK ? (nfds_t)limit : CHUNK;
	for (first = 0; max > 0 && first < size; first += n) {
		n = size - first < max ? (nfds_t)(size - first) : max;
		for (i = 0; i < n; i++) {
			pfd[i].fd = (int)(first + i);
			pfd[i].events = 0;
		}
		if (poll(pfd, n, 0) == -1)
			return (0);
		for (i = 0; i < n; i++)
			if ((pfd[i].revents & POLLNVAL) == 0)
				count++;
	}
	return (count);
}

void
procstat_read(struct procstat *ps)
{
	struct rusage		 ru;
	struct rlimit		 rl;
	char			 buf[4096];

	memset(ps, 0, sizeof(*ps));
	ps->start_time = start_time;
	if (getrusage(RUSAGE_SELF, &ru) == 0) {
		ps->cpu_seconds = (double)(ru.ru_utime.tv_sec +
		    ru.ru_stime.tv_sec) + (double)(ru.ru_utime.tv_usec +
		    ru.ru_stime.tv_usec) / 1e6;
	}
	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	if (rl.rlim_cur != RLIM_INFINITY)
		ps->max_fds = rl.rlim_cur;
	if (read_text(fd_status, buf, sizeof(buf)) == -1)
		return;
	ps->virtual_bytes = status_field(buf, "\nVmSize:") * 1024;
	ps->resident_bytes = status_field(buf, "\nVmRSS:") * 1024;
	ps->open_fds = count_fds(status_field(buf, "\nFDSize:"), rl.rlim_cur);
}
