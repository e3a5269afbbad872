/*
 * The pid file.  The lock decides between two that start at once; the number
 * in it tells about a program that doesn't lock.
 */
#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pidfile.h"

#define PIDFILE_TRIES	10

/* The live process that the file names, or 0. */
static pid_t
pidf_owner(int fd)
{
	char		 buf[32];
	const char	*errstr;
	ssize_t		 n;
	pid_t		 pid;

	if ((n = pread(fd, buf, sizeof(buf) - 1, 0)) <= 0)
		return (0);
	buf[n] = '\0';
	buf[strcspn(buf, " \t\r\n")] = '\0';
	pid = (pid_t)strtonum(buf, 1, INT_MAX, &errstr);
	if (errstr != NULL || pid == getpid())
		return (0);
	if (kill(pid, 0) == -1 && errno != EPERM)
		return (0);
	return (pid);
}

/* Whether the path is the file behind FD (not replaced or removed). */
static int
pidf_same(const char *path, int fd)
{
	struct stat	a, b;

	if (lstat(path, &a) == -1 || fstat(fd, &b) == -1)
		return (0);
	return (a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

static int
pidf_open(const char *path, char *err, size_t errsize)
{
	struct stat	 st;
	const char	*hint;
	int		 fd;

	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0644);
	if (fd == -1) {
		hint = "";
		if (errno == ENOENT)
			hint = ": create its folder first";
		else if (errno == EACCES || errno == EROFS)
			hint = ": choose another with -pid-file";
		else if (errno == ELOOP)
			hint = ": it is a symbolic link, remove it";
		snprintf(err, errsize, "pid file %s: %s%s", path,
		    strerror(errno), hint);
		return (-1);
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
		snprintf(err, errsize, "pid file %s: not a regular file",
		    path);
		close(fd);
		return (-1);
	}
	return (fd);
}

int
pidf_claim(struct pidfile *pf, const char *path, char *err, size_t errsize)
{
	pid_t	owner;
	int	fd, tries;

	pf->fd = -1;
	if (strlcpy(pf->path, path, sizeof(pf->path)) >= sizeof(pf->path)) {
		snprintf(err, errsize, "pid file: the path is too long");
		return (-1);
	}
	for (tries = 0; tries < PIDFILE_TRIES; tries++) {
		if ((fd = pidf_open(path, err, errsize)) == -1)
			return (-1);
		if (flock(fd, LOCK_EX | LOCK_NB) == -1) {
			if ((owner = pidf_owner(fd)) != 0)
				snprintf(err, errsize, "pid file %s: process "
				    "%d is running", path, (int)owner);
			else
				snprintf(err, errsize, "pid file %s: another "
				    "process is starting with it", path);
			close(fd);
			return (-1);
		}
		/* Its owner may have removed it between open and lock. */
		if (!pidf_same(path, fd)) {
			close(fd);
			continue;
		}
		if ((owner = pidf_owner(fd)) != 0) {
			snprintf(err, errsize, "pid file %s: process %d is "
			    "running: stop it, or remove the file if that is "
			    "no ws-gatewayd", path, (int)owner);
			close(fd);
			return (-1);
		}
		pf->fd = fd;
		return (0);
	}
	snprintf(err, errsize, "pid file %s: it keeps changing", path);
	return (-1);
}

int
pidf_write(struct pidfile *pf, char *err, size_t errsize)
{
	char	buf[32];
	int	len;

	if (pf->fd == -1)
		return (0);
	len = snprintf(buf, sizeof(buf), "%d\n", (int)getpid());
	if (ftruncate(pf->fd, 0) == -1 ||
	    pwrite(pf->fd, buf, (size_t)len, 0) != len) {
		snprintf(err, errsize, "pid file %s: %s", pf->path,
		    strerror(errno));
		return (-1);
	}
	return (0);
}

void
pidf_remove(struct pidfile *pf)
{
	if (pf->fd == -1)
		return;
	if (pidf_same(pf->path, pf->fd))
		unlink(pf->path);
	close(pf->fd);
	pf->fd = -1;
}
