/*
 * A child's side of the daemon: what engine and store do alike from their
 * first instruction to their confinement, and how they speak to the parent.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "proc.h"

#define PROC_MAXLOG	1000	/* messages to the parent, then logs are lost */
#define GONE_GRACE_S	2	/* for the parent, to say that all is over */
#define LAST_ROOM	32768	/* bytes; more than two messages are */
#define FD_RESERVE	64	/* descriptors that are not players' */

struct ipc	proc_parent;

static void	(*child_dispatch)(struct ipc *, struct imsg *);
static struct event	 lost_event;
static void		*last_room;	/* for the last words */
static uint64_t	 lost;		/* log lines, not yet told of */
static uint64_t	 lost_ever;

const char *
proc_name(enum proc_id id)
{
	switch (id) {
	case PROC_PARENT:
		return ("parent");
	case PROC_ENGINE:
		return ("engine");
	case PROC_STORE:
		return ("store");
	case PROC_KEYS:
		return ("keys");
	case PROC_STARTER:
		return ("starter");
	default:
		return ("?");
	}
}

/* Told of later; the timer is set again should it have failed. */
static void
proc_log_lose(void)
{
	static const struct timeval later = { 1, 0 };

	lost++;
	lost_ever++;
	if (!event_pending(&lost_event, EV_TIMEOUT, NULL))
		event_add(&lost_event, &later);
}

/* Without stdio, whose write(2) is not among the calls of the engine. */
static void
proc_last_resort(const char *msg)
{
	struct iovec	iov;
	char		text[1024];
	int		n;

	n = snprintf(text, sizeof(text), "%s: %s\n", getprogname(), msg);
	if (n < 0)
		return;
	iov.iov_base = text;
	iov.iov_len = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	/* There is nobody left to tell should it fail. */
	(void)!writev(STDERR_FILENO, &iov, 1);
}

/*
 * Why the process ends, which is also what a parent that waits for IMSG_READY
 * wants to know.  That may be that there is no memory.
 */
static void
proc_last_words(uint32_t level, const char *line, size_t len, const char *msg)
{
	free(last_room);
	last_room = NULL;
	if (ipc_try(&proc_parent, IMSG_LOG, &level, sizeof(level), line,
	    len) == -1 || ipc_try(&proc_parent, IMSG_REFUSE, msg, strlen(msg),
	    NULL, 0) == -1)
		proc_last_resort(msg);
	ipc_flush(&proc_parent);
}

/*
 * Lines go to the parent, who is never waited for: behind a long queue, or
 * without memory, they are lost and counted.
 */
static void
proc_log_sink(enum log_level level, const char *line, size_t len,
    const char *msg)
{
	uint32_t	l = level;

	if (level == LOGL_FATAL)
		proc_last_words(l, line, len, msg);
	else if (ipc_queued(&proc_parent) >= PROC_MAXLOG ||
	    ipc_try(&proc_parent, IMSG_LOG, &l, sizeof(l), line, len) == -1)
		proc_log_lose();
}

uint64_t
proc_max_connections(uint64_t files)
{
	return (files > 2 * FD_RESERVE ? files - FD_RESERVE : files / 2);
}

uint64_t
proc_log_lost(void)
{
	return (lost_ever);
}

static void
proc_on_lost(int fd, short what, void *arg)
{
	static const struct timeval later = { 1, 0 };
	uint64_t		 n = lost;

	(void)fd;
	(void)what;
	(void)arg;
	if (ipc_queued(&proc_parent) >= PROC_MAXLOG / 2) {
		event_want(&lost_event, &later);
		return;
	}
	lost = 0;
	log_warnx("%llu log lines were lost", (unsigned long long)n);
}

static void
proc_on_message(struct ipc *ipc, struct imsg *imsg)
{
	uint32_t	level;

	if (imsg_get_type(imsg) != IMSG_LOG_LEVEL) {
		child_dispatch(ipc, imsg);
		return;
	}
	ipc_data(imsg, &level, sizeof(level));
	if (level > LOGL_FATAL)
		fatalx("log level %u from the parent", level);
	log_set_level(level);
}

/* Without its parent a child has no purpose, and nobody to tell. */
static void
proc_on_parent_gone(struct ipc *ipc)
{
	(void)ipc;
	exit(0);
}

static void
proc_on_gone_timeout(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	fatalx("the engine is gone");
}

/*
 * It may just have been quicker at stopping: then the parent says so, or is
 * gone itself, within the time that it is given here.
 */
void
proc_engine_gone(struct ipc *ipc)
{
	static const struct timeval	 grace = { GONE_GRACE_S, 0 };
	static struct event		 ev;
	struct event_base		*base = event_get_base(&ipc->ev_read);

	ipc_close(ipc);
	event_assign(&ev, base, -1, 0, proc_on_gone_timeout, NULL);
	event_want(&ev, &grace);
}

/*
 * The parent decides about signals: a terminal's ^C goes to the whole group,
 * and the children are told in order.
 */
static void
proc_ignore_signals(void)
{
	static const int	sigs[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1,
				    SIGPIPE };
	size_t			i;

	for (i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		if (signal(sigs[i], SIG_IGN) == SIG_ERR)
			err(1, "signal");
}

struct event_base *
proc_child_init(const char *title,
    void (*dispatch)(struct ipc *, struct imsg *))
{
	struct event_base	*base;
	struct stat		 st;

	/* Someone typed the hidden mode by hand. */
	if (fstat(PROC_FD, &st) == -1 || !S_ISSOCK(st.st_mode))
		errx(1, "-proc is for the parent process only");
	if (fcntl(PROC_FD, F_SETFD, FD_CLOEXEC) == -1)
		err(1, "fcntl");
	sandbox_early();
	setproctitle("%s", title);
	proc_ignore_signals();
	procstat_init();
	if ((base = event_base_new()) == NULL)
		errx(1, "event_base_new failed");
	if ((last_room = malloc(LAST_ROOM)) == NULL)
		err(1, NULL);
	child_dispatch = dispatch;
	event_assign(&lost_event, base, -1, 0, proc_on_lost, NULL);
	ipc_init(&proc_parent, base, PROC_FD, proc_on_message,
	    proc_on_parent_gone, NULL);
	log_init(title, proc_log_sink);
	return (base);
}

void
proc_child_loop(struct event_base *base)
{
	if (event_base_dispatch(base) == -1)
		fatalx("the event loop failed");
	exit(0);
}

void
proc_refuse(const char *fmt, ...)
{
	char	text[1024];
	va_list	ap;
	int	n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	else if ((size_t)n >= sizeof(text))
		n = sizeof(text) - 1;
	ipc_send(&proc_parent, IMSG_REFUSE, 0, -1, text, (size_t)n);
	ipc_flush(&proc_parent);
	exit(1);
}

void
proc_confine(enum sandbox_role role, const struct conf_process *process,
    enum sandbox_mode mode, const struct sandbox_path *paths)
{
	const char	*chroot_to;

	if (process->drop) {
		chroot_to = process->chroot[0] != '\0' ? process->chroot : NULL;
		sandbox_drop(process->user, process->uid, process->gid,
		    chroot_to);
	}
	sandbox_enter(role, mode, paths);
}
