/* The small things of OpenBSD: see platform.h. */
#include <signal.h>
#include <stddef.h>
#include <syslog.h>

#include "platform.h"

const char	platform_hint_port[] = "fstat | grep internet";
const char	platform_hint_user[] =
    "useradd -L daemon -s /sbin/nologin -d /var/empty %s";

const char *
platform_signal_name(int sig)
{
	static char	name[16] = "SIG";
	size_t		i;
	const char	*s;

	if (sig <= 0 || sig >= NSIG)
		return ("an unknown signal");
	s = sys_signame[sig];
	for (i = 0; s[i] != '\0' && i + 4 < sizeof(name); i++)
		name[i + 3] = (s[i] >= 'a' && s[i] <= 'z') ?
		    s[i] - 'a' + 'A' : s[i];
	name[i + 3] = '\0';
	return (name);
}

int
platform_syslog_open(void)
{
	openlog("ws-gatewayd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	return (0);
}

/* sendsyslog(2) neither blocks nor needs a promise beyond stdio. */
int
platform_syslog(int priority, const char *line)
{
	syslog(priority, "%s", line);
	return (0);
}
