/*
 * The children's births and deaths.  Each is a fork and an exec of our own
 * binary, and gets its socket to the parent and nothing else.
 */
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"

#define ENV_MAX	32

extern char	**environ;

/*
 * The environment may hold secrets of whoever starts us.  What is left is for
 * the loader, the C library, and the instruments of a debug build.
 */
static char **
child_environment(void)
{
	static const char *const keep[] = { "PATH=", "TZ=", "LD_LIBRARY_PATH=",
				    "MALLOC_OPTIONS=", "ASAN_OPTIONS=",
				    "LSAN_OPTIONS=", "UBSAN_OPTIONS=",
				    "LLVM_PROFILE_FILE=", "GCOV_PREFIX=" };
	static char		*env[ENV_MAX + 1];
	char			**e;
	size_t			 i, n = 0;

	for (e = environ; *e != NULL && n < ENV_MAX; e++)
		for (i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
			if (strncmp(*e, keep[i], strlen(keep[i])) == 0) {
				env[n++] = *e;
				break;
			}
	env[n] = NULL;
	return (env);
}

static void
raise_file_limit(void)
{
	struct rlimit	rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	rl.rlim_cur = rl.rlim_max;
	/* Every connection is one; with fewer it says so when they are used. */
	setrlimit(RLIMIT_NOFILE, &rl);
}

/* In the child, until it is another program. */
static void
child_exec(const struct parent *p, enum proc_id id, int fd)
{
	static const int	 sigs[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };
	static char		 mode[] = "-proc";
	char			 name[16], *argv[4];
	size_t			 i;
	int			 null;

	for (i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		signal(sigs[i], SIG_IGN);
	if (id == PROC_ENGINE)
		raise_file_limit();
	/* Or dup2(2) would leave it to be closed by exec. */
	if (fd == PROC_FD) {
		if (fcntl(fd, F_SETFD, 0) == -1)
			_exit(1);
	} else if (dup2(fd, PROC_FD) == -1)
		_exit(1);
	if ((null = open("/dev/null", O_RDWR)) == -1 ||
	    dup2(null, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1)
		_exit(1);
	/* Reports of a sanitizer go there, and nothing else. */
	if (p->background && dup2(null, STDERR_FILENO) == -1)
		_exit(1);
	closefrom(PROC_FD + 1);
	strlcpy(name, proc_name(id), sizeof(name));
	if ((argv[0] = strdup(p->self)) == NULL)
		_exit(1);
	argv[1] = mode;
	argv[2] = name;
	argv[3] = NULL;
	execve(p->self, argv, child_environment());
	_exit(127);
}

static void
child_gone(struct ipc *ipc)
{
	struct child	*c = ipc->arg;

	ipc_close(ipc);
	c->open = 0;
	/* It is on its way out, or of no more use. */
	if (c->pid != 0)
		kill(c->pid, SIGKILL);
	else
		parent_child_ended(c);
}

static void
child_start(struct parent *p, enum proc_id id,
    void (*dispatch)(struct ipc *, struct imsg *))
{
	struct child	*c = &p->child[id];
	int		 fds[2];

	c->parent = p;
	c->id = id;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    fds) == -1)
		fatal("socketpair");
	switch (c->pid = fork()) {
	case -1:
		c->pid = 0;
		fatal("fork");
	case 0:
		child_exec(p, id, fds[1]);
	}
	close(fds[1]);
	ipc_init(&c->ipc, p->base, fds[0], dispatch, child_gone, c);
	c->open = 1;
}

/* Hand over what is passed on, which is the child's alone from then on. */
static void
child_introduce(struct child *a, struct child *b, enum imsg_type type)
{
	int	 fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    fds) == -1)
		fatal("socketpair");
	ipc_send(&a->ipc, type, 0, fds[0], NULL, 0);
	ipc_send(&b->ipc, type, 0, fds[1], NULL, 0);
}

static void
child_pass_sockets(struct parent *p)
{
	struct child	*engine = &p->child[PROC_ENGINE];
	struct listener	*l;

	child_introduce(engine, &p->child[PROC_STORE], IMSG_PEER);
	if (p->child[PROC_KEYS].used)
		child_introduce(engine, &p->child[PROC_KEYS], IMSG_KEYS_PEER);
	TAILQ_FOREACH(l, &p->listeners, entry) {
		ipc_send(&engine->ipc, IMSG_LISTENER, l->id, l->fd, NULL, 0);
		l->fd = -1;
	}
	if (p->control_fd != -1)
		ipc_send(&engine->ipc, IMSG_CONTROL, 0, p->control_fd, NULL,
		    0);
	p->control_fd = -1;
}

void
parent_start_children(struct parent *p,
    void (*dispatch)(struct ipc *, struct imsg *))
{
	struct child		*c;
	struct conf_process	 process;

	p->child[PROC_ENGINE].used = p->child[PROC_STORE].used = 1;
	p->child[PROC_KEYS].used = parent_tls_used(p->conf) &&
	    p->conf->s.key_isolation;
	CHILD_FOREACH(c, p)
		child_start(p, (enum proc_id)(c - p->child), dispatch);
	child_pass_sockets(p);
	CHILD_FOREACH(c, p) {
		conf_send(p, c);
		process = p->process;
		/* The store's files are where the configuration says. */
		if (c->id == PROC_STORE)
			process.chroot[0] = '\0';
		ipc_send(&c->ipc, IMSG_CONF_PROCESS, 0, -1, &process,
		    sizeof(process));
	}
	parent_tls_send(p, &p->tls, &p->conf->s);
	CHILD_FOREACH(c, p)
		conf_send_end(c);
}

int
parent_alive(const struct parent *p, enum proc_id id)
{
	return (p->child[id].pid != 0 || p->child[id].open);
}

void
parent_reap(struct parent *p)
{
	struct child	*c;

	CHILD_FOREACH(c, p) {
		if (c->pid == 0 || waitpid(c->pid, &c->status,
		    WNOHANG) != c->pid)
			continue;
		c->pid = 0;
		/* Its last words may still be in the socket. */
		if (!c->open)
			parent_child_ended(c);
	}
}

void
parent_kill_children(struct parent *p)
{
	struct child	*c;

	CHILD_FOREACH(c, p)
		if (c->pid != 0)
			kill(c->pid, SIGKILL);
}
