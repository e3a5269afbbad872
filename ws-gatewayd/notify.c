/*
 * The service manager's notification protocol, as sd_notify(3) describes it: a
 * datagram with NAME=VALUE lines, to the socket that NOTIFY_SOCKET names.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "notify.h"

static int	notify_fd = -1;
static int	broken;			/* told of it already */
static int	told = 1;		/* whether the state is known there */
static char	state[64];
static char	status[256];
static uint64_t	watchdog;		/* ms */

/* A service manager that is busy is not waited for. */
static int
notify_send(const char *text)
{
	if (notify_fd == -1)
		return (0);
	if (send(notify_fd, text, strlen(text), MSG_DONTWAIT) != -1) {
		broken = 0;
		return (0);
	}
	if (!broken)
		log_warn("can't tell the service manager \"%.*s\"",
		    (int)strcspn(text, "\n"), text);
	broken = 1;
	return (-1);
}

static int
notify_connect(const char *name)
{
	struct sockaddr_un	 sun;
	socklen_t		 len;
	size_t			 n = strlen(name);

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (n >= sizeof(sun.sun_path) || (name[0] != '/' && name[0] != '@')) {
		errno = EINVAL;
		return (-1);
	}
	memcpy(sun.sun_path, name, n);
	len = sizeof(sun);
	/* No file, but a name of n - 1 bytes and none behind them. */
	if (name[0] == '@') {
		sun.sun_path[0] = '\0';
		len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	}
	notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify_fd == -1)
		return (-1);
	return (connect(notify_fd, (struct sockaddr *)&sun, len));
}

/* It may be meant for whoever started us. */
static void
read_watchdog(void)
{
	const char	*usec = getenv("WATCHDOG_USEC");
	const char	*pid = getenv("WATCHDOG_PID");
	const char	*error;
	long long	 n;

	if (usec == NULL || (pid != NULL &&
	    strtonum(pid, 1, INT32_MAX, &error) != getpid()))
		return;
	n = strtonum(usec, 1000, INT64_MAX, &error);
	if (error != NULL) {
		log_warnx("WATCHDOG_USEC is \"%s\", which is %s", usec, error);
		return;
	}
	watchdog = (uint64_t)n / 1000;
}

void
notify_open(void)
{
	const char	*name;

	if ((name = getenv("NOTIFY_SOCKET")) != NULL) {
		if (notify_connect(name) == -1) {
			log_warn("NOTIFY_SOCKET \"%s\"", name);
			if (notify_fd != -1)
				close(notify_fd);
			notify_fd = -1;
		} else
			read_watchdog();
	}
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

int
notify_wanted(void)
{
	return (notify_fd != -1);
}

uint64_t
notify_watchdog(void)
{
	return (watchdog);
}

void
notify_again(void)
{
	if (!told)
		told = notify_send(state) == 0;
}

static void
notify_state(const char *text)
{
	strlcpy(state, text, sizeof(state));
	told = 0;
	notify_again();
}

void
notify_ready(void)
{
	notify_state("READY=1");
}

/* The time tells a manager which READY=1 belongs to this. */
void
notify_reloading(void)
{
	struct timespec	 ts = { 0, 0 };
	char		 text[sizeof(state)];

	clock_gettime(CLOCK_MONOTONIC, &ts);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
	notify_state(text);
}

void
notify_stopping(void)
{
	notify_state("STOPPING=1");
}

void
notify_alive(void)
{
	notify_send("WATCHDOG=1");
}

void
notify_status(const char *fmt, ...)
{
	char	text[sizeof(status)] = "STATUS=", *p;
	va_list	ap;

	if (notify_fd == -1)
		return;
	va_start(ap, fmt);
	vsnprintf(text + strlen(text), sizeof(text) - strlen(text), fmt, ap);
	va_end(ap);
	/* Whatever it says, it is one line. */
	for (p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20)
			*p = ' ';
	if (strcmp(text, status) == 0)
		return;
	if (notify_send(text) == 0)
		strlcpy(status, text, sizeof(status));
}
