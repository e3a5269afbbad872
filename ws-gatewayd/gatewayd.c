/*
 * ws-gatewayd: the parent's way from the command line to the event loop, and
 * the door to the children's.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemonize.h"
#include "log.h"
#include "logfile.h"
#include "notify.h"
#include "parent.h"
#include "version.h"

static struct parent	 parent;
static int		 log_elsewhere;	/* not on the user's terminal */

void
parent_refuse(const char *fmt, ...)
{
	char	text[1024];
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "ws-gatewayd: %s\n", text);
	notify_status("%s", text);
	if (log_elsewhere)
		log_error("%s", text);
	exit(1);
}

/* Whatever way the parent exits, nothing of it stays behind. */
static void
parent_cleanup(void)
{
	parent_kill_children(&parent);
	parent_listen_remove(&parent);
	pidf_remove(&parent.pidfile);
	logfile_flush();
}

/* What we open must not land on a standard descriptor that is closed. */
static void
open_standard_fds(void)
{
	int	fd;

	do {
		if ((fd = open("/dev/null", O_RDWR)) == -1)
			err(1, "/dev/null");
	} while (fd <= STDERR_FILENO);
	close(fd);
}

/* The binary to exec for the children: what argv[0] stood for. */
static void
find_self(const char *argv0, char *self)
{
	char		 path[PATH_MAX], *dirs, *dir, *next;
	const char	*env;

	if (strchr(argv0, '/') != NULL) {
		if (realpath(argv0, self) == NULL)
			err(1, "%s", argv0);
		return;
	}
	if ((env = getenv("PATH")) == NULL || (dirs = strdup(env)) == NULL)
		errx(1, "can't find %s: start it by its whole path", argv0);
	for (next = dirs; (dir = strsep(&next, ":")) != NULL; ) {
		snprintf(path, sizeof(path), "%s/%s",
		    dir[0] != '\0' ? dir : ".", argv0);
		if (access(path, X_OK) == 0 && realpath(path, self) != NULL) {
			free(dirs);
			return;
		}
	}
	errx(1, "can't find %s in PATH: start it by its whole path", argv0);
}

static void
child_main(const char *self, const char *name)
{
	if (strcmp(name, proc_name(PROC_ENGINE)) == 0)
		engine_main();
	if (strcmp(name, proc_name(PROC_STORE)) == 0)
		store_main();
	if (strcmp(name, proc_name(PROC_KEYS)) == 0)
		keys_main();
	if (strcmp(name, proc_name(PROC_STARTER)) == 0)
		starter_main(self);
	errx(1, "-proc is for the parent process only");
}

static void
report(const char *line)
{
	fprintf(stderr, "ws-gatewayd: %s\n", line);
}

static void
print_line(const char *line, void *arg)
{
	(void)arg;
	puts(line);
}

/* -n: the configuration has been read, say so. */
static void
check_exit(const struct parent *p)
{
	char	why[512];

	if (parent_tls_check(p->conf, why, sizeof(why)) == -1)
		parent_refuse("%s", why);
	if (p->flags.verbose > 0)
		conf_print(p->conf, 1, print_line, NULL);
	else
		fprintf(stderr, "configuration OK\n");
	if (fflush(stdout) == EOF)
		err(1, "standard output");
	exit(0);
}

static void
open_log(struct parent *p)
{
	enum logfile_kind	 kind = LOGFILE_STDOUT;
	char			 error[PATH_MAX + 128];

	if (p->conf->log_file[0] != '\0')
		kind = LOGFILE_PATH;
	else if (p->background)
		kind = LOGFILE_SYSLOG;
	logfile_starting(1);
	if (logfile_open(kind, p->conf->log_file, error,
	    sizeof(error)) == -1) {
		if (kind == LOGFILE_PATH)
			parent_refuse("%s", error);
		fprintf(stderr, "ws-gatewayd: %s\n", error);
	}
	log_init(proc_name(PROC_PARENT), logfile_sink);
	log_set_level((enum log_level)p->conf->s.log_level);
	log_elsewhere = kind != LOGFILE_STDOUT;
}

/* All that needs privilege or the caller's working directory. */
static void
open_everything(struct parent *p)
{
	char	error[PATH_MAX + 256];

	if (parent_conf_paths(p, p->conf, error, sizeof(error)) == -1)
		parent_refuse("%s", error);
	open_log(p);
	notify_open();
	if (parent_passed_conf(p->conf, error, sizeof(error)) == -1)
		parent_refuse("%s", error);
	atexit(parent_cleanup);
	parent_identity(p);
	if (p->conf->pid_file[0] != '\0' && pidf_claim(&p->pidfile,
	    p->conf->pid_file, error, sizeof(error)) == -1)
		parent_refuse("%s", error);
	p->has_tls = parent_tls_used(p->conf);
	if (parent_tls_load(p->conf, &p->tls, error, sizeof(error)) == -1)
		parent_refuse("%s", error);
	parent_listen(p);
	parent_listen_control(p);
	if (chdir("/") == -1)
		parent_refuse("can't change to /: %s", strerror(errno));
}

/* The children are at work: the last steps, and the good news. */
static void
started(struct parent *p)
{
	char	error[PATH_MAX + 256];

	if (pidf_write(&p->pidfile, error, sizeof(error)) == -1)
		parent_refuse("%s", error);
	daemonize_prepare();
	parent_confine(p);
	parent_listen_log(p);
	if (log_begin(LOGL_INFO, "started")) {
		log_str("version", WSG_VERSION);
		log_int("pid", getpid());
		log_str("sandbox", sandbox_describe());
		log_end();
	}
	logfile_starting(0);
	daemonize_done();
	notify_ready();
	p->phase = PARENT_RUNNING;
}

int
main(int argc, char **argv)
{
	struct parent	*p = &parent;

	if (argc == 3 && strcmp(argv[1], "-proc") == 0)
		child_main(argv[0], argv[2]);
	open_standard_fds();
	if (argc >= 2 && strcmp(argv[1], "-selftest") == 0)
		selftest_main(argc - 2, argv + 2);

	sandbox_early();
	p->pidfile.fd = p->control_fd = -1;
	TAILQ_INIT(&p->listeners);
	find_self(argv[0], p->self);
	/* A DSN with a password may stand on the command line. */
	setproctitle("%s", proc_name(PROC_PARENT));
	signal(SIGPIPE, SIG_IGN);
	umask(027);
	if (getcwd(p->cwd, sizeof(p->cwd)) == NULL)
		err(1, "the working directory");

	flags_parse(&p->flags, argc, argv);
	if ((p->conf = conf_load(&p->flags, report)) == NULL)
		exit(1);
	if (p->flags.check)
		check_exit(p);

	/* The caller's; after the file was read, which may be such a one. */
	closefrom(STDERR_FILENO + 1 + parent_passed_take());
	p->background = p->conf->daemonize && !p->flags.foreground;
	if (p->background)
		daemonize_begin();
	open_everything(p);
	procstat_init();
	parent_start_loop(p);
	started(p);
	parent_run_loop(p);

	log_info("stopped");
	exit(p->exit_code);
}
