/*
 * The proof from inside: one forbidden thing after the other, each by the
 * plainest call there is.  None of them does harm where it works.
 */
#include <sys/types.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"

struct probe {
	const char	*name;
	int		(*try)(void);
};

/*
 * Whether a call that failed was refused.  Any other error means that it went
 * as far as an unconfined process would have got: connection refused, say.
 */
static int
got_through(void)
{
	return (errno != EACCES && errno != EPERM && errno != ENOENT);
}

static int
try_open(void)
{
	int	 fd;

	if ((fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC)) == -1)
		return (got_through());
	close(fd);
	return (1);
}

static int
try_create(void)
{
	char	 path[64];
	int	 fd;

	snprintf(path, sizeof(path), "/tmp/.ws-gatewayd-probe.%ld",
	    (long)getpid());
	if ((fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600)) == -1)
		return (got_through());
	close(fd);
	unlink(path);
	return (1);
}

/* No one can unlink a folder, but the permission to is looked at first. */
static int
try_unlink(void)
{
	if (unlink("/etc") == -1)
		return (got_through());
	return (1);
}

static int
try_readdir(void)
{
	DIR	*dir;

	if ((dir = opendir("/")) == NULL)
		return (got_through());
	closedir(dir);
	return (1);
}

static int
try_socket(void)
{
	int	 s;

	if ((s = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		return (got_through());
	close(s);
	return (1);
}

/* Run CALL, connect(2) or bind(2), on a new socket. */
static int
try_address(int (*call)(int, const struct sockaddr *, socklen_t),
    in_port_t port)
{
	struct sockaddr_in	 sin;
	int			 s, worked = 1;

	if ((s = socket(AF_INET, SOCK_STREAM, 0)) == -1)
		return (got_through());
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons(port);
	if (call(s, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		worked = got_through();
	close(s);
	return (worked);
}

static int
try_connect(void)
{
	return (try_address(connect, 9));
}

static int
try_bind(void)
{
	return (try_address(bind, 0));
}

/* A datagram goes out without a connection. */
static int
try_udp(void)
{
	struct sockaddr_in	 sin;
	int			 s, worked = 1;

	if ((s = socket(AF_INET, SOCK_DGRAM, 0)) == -1)
		return (got_through());
	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons(9);
	if (sendto(s, "", 0, 0, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		worked = got_through();
	close(s);
	return (worked);
}

/* Local services: the path says what is asked for, not that it is there. */
static int
try_unix(void)
{
	struct sockaddr_un	 sun;
	int			 s, worked = 1;

	if ((s = socket(AF_UNIX, SOCK_STREAM, 0)) == -1)
		return (got_through());
	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	strlcpy(sun.sun_path, "/etc/passwd", sizeof(sun.sun_path));
	if (connect(s, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		worked = got_through();
	close(s);
	return (worked);
}

static int
try_fork(void)
{
	pid_t	 pid;

	if ((pid = fork()) == -1)
		return (got_through());
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return (1);
}

/* The status of this program is that of a probe that worked. */
static int
try_exec(void)
{
	execl("/bin/false", "false", (char *)NULL);
	return (got_through());
}

static int
try_ptrace(void)
{
	if (ptrace(PT_TRACE_ME, 0, NULL, 0) == -1)
		return (got_through());
	return (1);
}

static int
try_kill(void)
{
	if (kill(getppid(), 0) == -1)
		return (got_through());
	return (1);
}

/* Its siblings and its parent are of its group. */
static int
try_kill_group(void)
{
	if (kill(0, 0) == -1)
		return (got_through());
	return (1);
}

static int
try_chroot(void)
{
	if (chroot("/") == -1)
		return (got_through());
	return (1);
}

/* To stay who one is takes no privilege, so only a sandbox refuses it. */
static int
try_setuid(void)
{
	if (setuid(getuid()) == -1)
		return (got_through());
	return (1);
}

static int
try_mmap_exec(void)
{
	void	*p;

	p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANON,
	    -1, 0);
	if (p == MAP_FAILED)
		return (got_through());
	munmap(p, 4096);
	return (1);
}

static const struct probe probes[] = {
	{ "open",	try_open },
	{ "create",	try_create },
	{ "unlink",	try_unlink },
	{ "readdir",	try_readdir },
	{ "socket",	try_socket },
	{ "connect",	try_connect },
	{ "bind",	try_bind },
	{ "udp",	try_udp },
	{ "unix",	try_unix },
	{ "fork",	try_fork },
	{ "exec",	try_exec },
	{ "ptrace",	try_ptrace },
	{ "kill",	try_kill },
	{ "kill-group",	try_kill_group },
	{ "chroot",	try_chroot },
	{ "setuid",	try_setuid },
	{ "mmap-exec",	try_mmap_exec },
};
#define NPROBES	(sizeof(probes) / sizeof(probes[0]))

int
sandbox_probe(const char *name)
{
	size_t	 i;

	for (i = 0; i < NPROBES; i++) {
		if (strcmp(probes[i].name, name) == 0)
			return (probes[i].try());
	}
	fatalx("unknown probe: %s", name);
}

const char *const *
sandbox_probe_names(void)
{
	static const char	*names[NPROBES + 1];
	size_t			 i;

	for (i = 0; i < NPROBES; i++)
		names[i] = probes[i].name;
	return (names);
}
