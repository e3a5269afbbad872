/* The small things of Linux: see platform.h. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "platform.h"

const char	platform_hint_port[] = "ss -ltnp";
const char	platform_hint_user[] = "useradd --system "
    "--shell /usr/sbin/nologin --home-dir /nonexistent %s";

static int	syslog_fd = -1;

/* sigabbrev_np(3) is for glibc alone. */
const char *
platform_signal_name(int sig)
{
	static const char *const names[] = {
		[SIGABRT] = "SIGABRT", [SIGALRM] = "SIGALRM",
		[SIGBUS] = "SIGBUS", [SIGFPE] = "SIGFPE",
		[SIGHUP] = "SIGHUP", [SIGILL] = "SIGILL",
		[SIGINT] = "SIGINT", [SIGIO] = "SIGIO",
		[SIGKILL] = "SIGKILL", [SIGPIPE] = "SIGPIPE",
		[SIGPROF] = "SIGPROF", [SIGPWR] = "SIGPWR",
		[SIGQUIT] = "SIGQUIT", [SIGSEGV] = "SIGSEGV",
		[SIGSTKFLT] = "SIGSTKFLT", [SIGSYS] = "SIGSYS",
		[SIGTERM] = "SIGTERM", [SIGTRAP] = "SIGTRAP",
		[SIGUSR1] = "SIGUSR1", [SIGUSR2] = "SIGUSR2",
		[SIGVTALRM] = "SIGVTALRM", [SIGXCPU] = "SIGXCPU",
		[SIGXFSZ] = "SIGXFSZ",
	};

	if (sig < 0 || (size_t)sig >= sizeof(names) / sizeof(names[0]) ||
	    names[sig] == NULL)
		return ("an unknown signal");
	return (names[sig]);
}

/*
 * Not syslog(3): it waits for a stuck syslogd, and calls socket(2) again when
 * that was restarted, which the sandbox answers with SIGSYS.  An unconnected
 * socket needs neither.
 */
int
platform_syslog_open(void)
{
	time_t		now = time(NULL);
	struct tm	tm;

	syslog_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	if (syslog_fd == -1)
		return (-1);
	localtime_r(&now, &tm);		/* reads the time zone for good */
	return (access("/dev/log", W_OK));
}

int
platform_syslog(int priority, const char *line)
{
	static struct sockaddr_un	 sun = { .sun_family = AF_UNIX,
					    .sun_path = "/dev/log" };
	static const char *const	 month[] = { "Jan", "Feb", "Mar",
					    "Apr", "May", "Jun", "Jul", "Aug",
					    "Sep", "Oct", "Nov", "Dec" };
	char				 head[80];
	struct msghdr			 msg;
	struct iovec			 iov[2];
	union {
		const char	*in;
		char		*out;
	}				 text = { .in = line };
	struct tm			 tm;
	time_t				 now = time(NULL);

	localtime_r(&now, &tm);
	iov[0].iov_base = head;
	iov[0].iov_len = (size_t)snprintf(head, sizeof(head),
	    "<%d>%s %2d %02d:%02d:%02d ws-gatewayd[%d]: ",
	    LOG_DAEMON | priority, month[tm.tm_mon], tm.tm_mday, tm.tm_hour,
	    tm.tm_min, tm.tm_sec, (int)getpid());
	iov[1].iov_base = text.out;
	iov[1].iov_len = strlen(line);
	memset(&msg, 0, sizeof(msg));
	msg.msg_name = &sun;
	msg.msg_namelen = sizeof(sun);
	msg.msg_iov = iov;
	msg.msg_iovlen = 2;
	if (sendmsg(syslog_fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		return (-1);
	return (0);
}
