/*
 * The small things that have another name on each platform; one file each
 * (platform_openbsd.c, platform_linux.c).
 */
#ifndef PLATFORM_H
#define PLATFORM_H

/* The commands that a refusal may recommend. */
extern const char	platform_hint_port[];	/* who listens on a port */
extern const char	platform_hint_user[];	/* make a user; has one %s */

/* "SIGSEGV"; never NULL. */
const char	*platform_signal_name(int);

/*
 * The system log: opened before confinement, then written to without ever
 * waiting.  Returns 0, or -1 with errno when the line is not taken now.
 */
int		 platform_syslog_open(void);
int		 platform_syslog(int priority, const char *line);

#endif /* PLATFORM_H */
