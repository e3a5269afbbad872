/*
 * ws-gatewayctl: one command to a running ws-gatewayd, and its answer.
 *
 * Exit codes are for scripts: see EXIT_* and the manual page.
 */
#include <sys/types.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "format.h"
#include "imsg.h"
#include "log.h"
#include "parser.h"
#include "payload.h"
#include "print.h"
#include "record.h"
#include "ctl_request.h"
#include "sandbox.h"
#include "top.h"
#include "version.h"

#define EXIT_DONE	0
#define EXIT_FAILED	1
#define EXIT_NODAEMON	2
#define EXIT_NOMATCH	3

static struct imsgbuf	ibuf;
static struct record	record;

/* Only what ends the program is worth a user's attention. */
static void
log_sink(enum log_level level, const char *line, size_t len, const char *msg)
{
	(void)line;
	(void)len;
	if (level >= LOGL_ERROR)
		fprintf(stderr, "ws-gatewayctl: %s\n", msg);
}

static void	no_daemon(const char *, int)
		    __attribute__((__noreturn__));

static void
no_daemon(const char *path, int error)
{
	fprintf(stderr, "ws-gatewayctl: cannot connect to %s: %s\n", path,
	    strerror(error));
	switch (error) {
	case ENOENT:
		fprintf(stderr, "Is ws-gatewayd running?  Name the socket of "
		    "its configuration with -s.\n");
		break;
	case ECONNREFUSED:
		fprintf(stderr, "The socket is there but no daemon is behind "
		    "it: start ws-gatewayd again.\n");
		break;
	case EACCES:
	case EPERM:
		fprintf(stderr, "Be root, the user who runs ws-gatewayd, or a "
		    "member of the socket's group.\n");
		break;
	}
	exit(EXIT_NODAEMON);
}

static int
connect_to(const char *path)
{
	struct sockaddr_un	sun;
	int			fd, saved_errno;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return (-1);
	}
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		err(EXIT_FAILED, "socket");
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1) {
		saved_errno = errno;
		close(fd);
		errno = saved_errno;
		return (-1);
	}
	return (fd);
}

/*
 * A path that nobody named may lie where anyone can put a socket: only the
 * user's own daemon and root's are meant.
 */
static void
check_owner(int fd, const char *path)
{
	uid_t	uid;
	gid_t	gid;

	if (getpeereid(fd, &uid, &gid) == -1)
		err(EXIT_NODAEMON, "%s", path);
	if (uid != 0 && uid != geteuid()) {
		fprintf(stderr, "ws-gatewayctl: %s belongs to another user "
		    "(uid %u)\nIf that is the daemon that you mean, name it "
		    "with -s.\n", path, (unsigned int)uid);
		exit(EXIT_NODAEMON);
	}
}

/* The user's own daemon if it is there, else the system's. */
static int
connect_default(void)
{
	char		 buf[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char	*path;
	int		 fd, own_errno;

	path = control_default_path(buf, sizeof(buf));
	fd = connect_to(path);
	if (fd == -1 && strcmp(path, control_system_path) != 0) {
		own_errno = errno;
		fd = connect_to(control_system_path);
		if (fd == -1 && errno == ENOENT)
			no_daemon(path, own_errno);
		path = control_system_path;
	}
	if (fd == -1)
		no_daemon(path, errno);
	/* Only root can put a socket, or a link to one, where that one is. */
	if (strcmp(path, control_system_path) != 0)
		check_owner(fd, path);
	return (fd);
}

/* The next message into the record; the daemon may go at any time. */
static void
receive(void)
{
	struct imsg	imsg;
	int		n;

	while ((n = imsgbuf_get(&ibuf, &imsg)) == 0) {
		if ((n = imsgbuf_read(&ibuf)) == 1)
			continue;
		if (n == 0)
			errx(EXIT_FAILED, "the daemon has closed the "
			    "connection");
		break;
	}
	if (n == -1)
		err(EXIT_FAILED, "the daemon's answer");
	if (record_read(&record, &imsg) == -1)
		errx(EXIT_FAILED, "the daemon sent message %u of %zu bytes, "
		    "which is not understood; is it of another version?",
		    imsg_get_type(&imsg), imsg_get_len(&imsg));
	imsg_free(&imsg);
}

static int
exit_code(uint32_t error)
{
	switch (error) {
	case CTL_ERR_NOTFOUND:
		return (EXIT_NOMATCH);
	case CTL_ERR_BUSY:
	case CTL_ERR_VERSION:
		return (EXIT_NODAEMON);
	default:
		return (EXIT_FAILED);
	}
}

static void	failed(const struct ctl_fail *)
		    __attribute__((__noreturn__));

static void
failed(const struct ctl_fail *fail)
{
	char	text[4 * CTL_MAXTEXT + 1];

	fflush(stdout);
	errx(exit_code(fail->error), "%s", format_text(fail->text,
	    strlen(fail->text), text, sizeof(text)));
}

static void
hello(void)
{
	struct ctl_hello	h;

	memset(&h, 0, sizeof(h));
	h.version = CTL_VERSION;
	strlcpy(h.build, WSG_VERSION, sizeof(h.build));
	request_send(&ibuf, CTL_HELLO, &h, sizeof(h));
	receive();
	if (record.type == CTL_FAIL)
		failed(&record.u.fail);
	if (record.type != CTL_HELLO || record.u.hello.version != CTL_VERSION)
		errx(EXIT_NODAEMON, "the daemon speaks version %u of the "
		    "control protocol, ws-gatewayctl version %d",
		    record.type == CTL_HELLO ? record.u.hello.version : 0,
		    CTL_VERSION);
}

/* Who reads standard output may have seen enough. */
static void
check_output(void)
{
	if (!ferror(stdout))
		return;
	if (errno != EPIPE)
		err(EXIT_FAILED, "standard output");
	exit(EXIT_FAILED);
}

static void
answer(const struct command *cmd)
{
	for (;;) {
		receive();
		switch (record.type) {
		case CTL_FAIL:
			failed(&record.u.fail);
		case CTL_OK:
			if (cmd->json)
				json_done(cmd, &record.u.ok);
			else
				print_done(cmd, &record.u.ok);
			return;
		default:
			if (cmd->json)
				json_record(cmd, &record);
			else
				print_record(cmd, &record);
			check_output();
		}
	}
}

/* Ask, and take what comes until the end of it. */
static void
look(uint32_t type)
{
	request_send(&ibuf, type, NULL, 0);
	for (receive(); record.type != CTL_OK; receive()) {
		if (record.type == CTL_FAIL)
			failed(&record.u.fail);
		top_record(&record);
	}
}

static void
top(const struct command *cmd)
{
	do {
		look(CTL_SHOW_STATS);
		if (top_wants_players())
			look(CTL_SHOW_PLAYERS);
		top_show(cmd);
		check_output();
	} while (top_wait(cmd) != -1);
}

static void	usage(void)
		    __attribute__((__noreturn__));

static void
usage(void)
{
	command_usage(stderr);
	exit(EXIT_FAILED);
}

/* Returns where the command begins. */
static int
options(int argc, char **argv, const char **path, int *json, int *complete)
{
	int	ch;

	/* A '+' keeps glibc from looking for options behind the command. */
	while ((ch = getopt(argc, argv, "+Chjs:V")) != -1) {
		switch (ch) {
		case 'C':
			*complete = 1;
			break;
		case 'h':
			command_usage(stdout);
			exit(fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED);
		case 'j':
			*json = 1;
			break;
		case 's':
			*path = optarg;
			break;
		case 'V':
			printf("ws-gatewayctl %s\n", WSG_VERSION);
			exit(fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED);
		default:
			usage();
		}
	}
	return (optind);
}

int
main(int argc, char **argv)
{
	struct command	 cmd;
	struct payload	 payload = { NULL, 0 };
	const char	*path = NULL;
	int		 complete = 0, fd, json = 0, n;

	sandbox_early();
	signal(SIGPIPE, SIG_IGN);
	log_init("ws-gatewayctl", log_sink);

	n = options(argc, argv, &path, &json, &complete);
	if (complete) {
		if (command_complete(argc - n, argv + n, stdout) == -1)
			exit(EXIT_NOMATCH);
		exit(fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED);
	}
	if (argc == n)
		usage();
	if (command_parse(&cmd, argc - n, argv + n, stderr) == -1)
		exit(EXIT_FAILED);
	cmd.json |= json;
	if (cmd.action == ACTION_PUBLISH || cmd.action == ACTION_BROADCAST)
		payload_read(&payload, cmd.payload);
	if (cmd.action == ACTION_MONITOR)
		setvbuf(stdout, NULL, _IOLBF, 0);
	tzset();

	if (path == NULL)
		fd = connect_default();
	else if ((fd = connect_to(path)) == -1)
		no_daemon(path, errno);
	if (cmd.action == ACTION_TOP)
		top_open(&cmd);
	sandbox_enter(SANDBOX_CTL, SANDBOX_PREFER, NULL);
	if (imsgbuf_init(&ibuf, fd) == -1)
		err(EXIT_FAILED, NULL);

	hello();
	if (cmd.action == ACTION_TOP)
		top(&cmd);
	else {
		request_command(&ibuf, &cmd, &payload);
		answer(&cmd);
	}
	fflush(stdout);
	check_output();
	imsgbuf_clear(&ibuf);
	free(payload.data);
	return (EXIT_DONE);
}
