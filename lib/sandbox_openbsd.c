/* Confinement on OpenBSD: unveil(2) for files, pledge(2) for all else. */
#include <sys/types.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <signal.h>
#include <unistd.h>

#include "log.h"
#include "sandbox.h"

static const char	*description = "none";

static const char *
promises(enum sandbox_role role)
{
	switch (role) {
	case SANDBOX_PARENT:
		/*
		 * stdio: the event loop, logs (syslog(3) needs no socket
		 *	here), and wait(2).
		 * rpath: to read the configuration again.
		 * wpath, cpath: to open the log file again, to remove the pid
		 *	file and the control socket.
		 * sendfd: listeners and sockets go down to the children.
		 * proc: kill(2) of a child that does not end.
		 */
		return ("stdio rpath wpath cpath sendfd proc");
	case SANDBOX_ENGINE:
		/*
		 * stdio: the event loop and what is done on descriptors.
		 * inet: accept(2) on listeners and the options of sockets.
		 *	It would also open sockets: there is no smaller
		 *	promise that accepts.
		 * recvfd: listeners come from the parent.
		 */
		return ("stdio inet recvfd");
	case SANDBOX_STORE:
		/*
		 * stdio: the event loop.
		 * rpath, wpath, cpath: the database, its journal and its
		 *	shared memory, in the folder that is unveiled.
		 * flock: the locks of SQLite.
		 * fattr: a journal gets the mode of its database.
		 * recvfd: the socket to the engine comes from the parent.
		 */
		return ("stdio rpath wpath cpath flock fattr recvfd");
	case SANDBOX_STORE_NET:
		/*
		 * stdio: the event loop.
		 * rpath: certificates and keys, and nothing else is unveiled.
		 * inet, unix: the connection to the database server, which is
		 *	made again when it is lost.
		 * recvfd: the socket to the engine comes from the parent.
		 */
		return ("stdio rpath inet unix recvfd");
	case SANDBOX_KEYS:
		/*
		 * stdio: the event loop; no file, no network.
		 * recvfd: the socket to the engine comes from the parent.
		 */
		return ("stdio recvfd");
	case SANDBOX_CTL:
		/*
		 * stdio: the socket that is connected, and the output.
		 * tty: the size of the terminal, and its mode, for "top".
		 */
		return ("stdio tty");
	case SANDBOX_STARTER:
		/*
		 * stdio: the event loop, and wait(2).
		 * recvfd: the socket of a store comes from the parent.
		 * proc, exec: a store is started and killed.  Those who are
		 *	exec'ed begin without pledge and unveil, and confine
		 *	themselves; the one binary is unveiled.
		 */
		return ("stdio recvfd proc exec");
	}
	fatalx("sandbox: bad role %d", role);
}

void
sandbox_early(void)
{
	struct rlimit	 none = { 0, 0 };

	if (setrlimit(RLIMIT_CORE, &none) == -1)
		fatal("cannot turn off core files");
}

/* Ports are not told apart here. */
void
sandbox_keep_port(uint16_t port)
{
	(void)port;
}

/* Nor are there rings. */
void
sandbox_keep_ring(void)
{
}

/* A kernel always has both parts, so all modes but OFF are one. */
void
sandbox_enter(enum sandbox_role role, enum sandbox_mode mode,
    const struct sandbox_path *paths)
{
	const struct sandbox_path	*p;

	sandbox_early();
	if (mode == SANDBOX_OFF)
		return;

	/* With nothing to keep there still must be a first call. */
	if (unveil("/", "") == -1)
		fatal("sandbox: unveil");
	for (p = paths; p != NULL && p->path != NULL; p++) {
		if (unveil(p->path, p->perm) == -1)
			fatal("sandbox: cannot keep %s", p->path);
	}
	/* Who execs needs the loader of the binary as well. */
	if (role == SANDBOX_STARTER &&
	    (unveil("/usr/libexec/ld.so", "r") == -1 ||
	    unveil("/dev/null", "rw") == -1))
		fatal("sandbox: cannot keep the loader");
	if (unveil(NULL, NULL) == -1)
		fatal("sandbox: unveil");
	if (pledge(promises(role), NULL) == -1)
		fatal("sandbox: pledge");
	description = "pledge, unveil";
}

void
sandbox_list(enum sandbox_role role, void (*emit)(const char *))
{
	emit(promises(role));
}

const char *
sandbox_describe(void)
{
	return (description);
}

/* abort(3) looks the same from outside; the kernel's log tells them apart. */
int
sandbox_violation(int status)
{
	return (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
