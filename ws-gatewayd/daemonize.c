/*
 * Going into the background.  The process that the caller started stays until
 * its child has opened everything, so that its exit code is the answer; a
 * child that dies before closes the pipe without one.
 */
#include <sys/types.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemonize.h"
#include "log.h"

static int	verdict_fd = -1;
static int	null_fd = -1;

void
daemonize_begin(void)
{
	int	fds[2];
	ssize_t	n;
	char	c;

	if (pipe2(fds, O_CLOEXEC) == -1)
		err(1, "pipe");
	switch (fork()) {
	case -1:
		err(1, "fork");
	case 0:
		close(fds[0]);
		verdict_fd = fds[1];
		if (setsid() == -1)
			err(1, "setsid");
		return;
	}
	close(fds[1]);
	do {
		n = read(fds[0], &c, 1);
	} while (n == -1 && errno == EINTR);
	_exit(n == 1 ? 0 : 1);
}

/*
 * The standard error stays until the last step that can fail, which is
 * confinement, after which dup2(2) is gone.
 */
void
daemonize_prepare(void)
{
	if (verdict_fd == -1)
		return;
	if ((null_fd = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
		fatal("/dev/null");
	if (dup2(null_fd, STDIN_FILENO) == -1 ||
	    dup2(null_fd, STDOUT_FILENO) == -1)
		fatal("dup2");
}

void
daemonize_done(void)
{
	static const char	yes = 1;

	if (verdict_fd == -1)
		return;
	close(STDERR_FILENO);
	if (fcntl(null_fd, F_DUPFD_CLOEXEC, STDERR_FILENO) != STDERR_FILENO)
		fatal("standard error");
	close(null_fd);
	if (write(verdict_fd, &yes, 1) == -1)
		log_warn("can't tell the caller that the start worked");
	close(verdict_fd);
	verdict_fd = -1;
}
