/*
 * The children's births and deaths.  Each is a fork and an exec of our own
 * binary, and gets its socket to the parent and nothing else; the stores of
 * reloads are the starter's to fork.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"

#define CHILDREN_MAX	(PROC_COUNT + 2)	/* those of a reload, too */

/* All there are, in LIST. */
static size_t
children(const struct parent *p, struct child *list[CHILDREN_MAX])
{
	size_t	n = 0;
	int	id;

	for (id = PROC_ENGINE; id < PROC_COUNT; id++)
		if (p->child[id] != NULL)
			list[n++] = p->child[id];
	if (p->reload.next != NULL)
		list[n++] = p->reload.next;
	if (p->reload.old != NULL)
		list[n++] = p->reload.old;
	return (n);
}

int
parent_kill(struct child *c)
{
	if (c->pid != 0)
		kill(c->pid, SIGKILL);
	else if (c->serial != 0)
		ipc_send(&c->parent->child[PROC_STARTER]->ipc,
		    IMSG_KILL_STORE, c->serial, -1, NULL, 0);
	else
		return (0);
	return (1);
}

static void
child_gone(struct ipc *ipc)
{
	struct child	*c = ipc->arg;

	ipc_close(ipc);
	c->open = 0;
	/* It is on its way out, or of no more use. */
	if (!parent_kill(c))
		parent_child_ended(c);
}

static int
make_pair(int fds[2])
{
	return (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0, fds));
}

static struct child *
child_new(struct parent *p, enum proc_id id, int fd)
{
	struct child	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		fatal("child");
	c->parent = p;
	c->id = id;
	ipc_init(&c->ipc, p->base, fd, p->dispatch, child_gone, c);
	c->open = 1;
	return (c);
}

static void
child_start(struct parent *p, enum proc_id id)
{
	int	fds[2];
	pid_t	pid;

	if (make_pair(fds) == -1)
		fatal("socketpair");
	switch (pid = fork()) {
	case -1:
		fatal("fork");
	case 0:
		proc_exec(p->self, id, fds[1], p->background);
	}
	close(fds[1]);
	p->child[id] = child_new(p, id, fds[0]);
	p->child[id]->pid = pid;
}

static void
send_process(const struct parent *p, struct child *c)
{
	struct conf_process	process = p->process;

	/* The store's files are where the configuration says. */
	if (c->id == PROC_STORE)
		process.chroot[0] = '\0';
	ipc_send(&c->ipc, IMSG_CONF_PROCESS, 0, -1, &process,
	    sizeof(process));
}

static void
introduce(struct child *a, struct child *b, enum imsg_type type)
{
	int	fds[2];

	if (make_pair(fds) == -1)
		fatal("socketpair");
	ipc_send(&a->ipc, type, 0, fds[0], NULL, 0);
	ipc_send(&b->ipc, type, 0, fds[1], NULL, 0);
}

/* Hand over what is passed on, which is the child's alone from then on. */
static void
child_pass_sockets(struct parent *p)
{
	struct child	*engine = p->child[PROC_ENGINE];
	struct listener	*l;

	introduce(engine, p->child[PROC_STORE], IMSG_PEER);
	if (p->child[PROC_KEYS] != NULL)
		introduce(engine, p->child[PROC_KEYS], IMSG_KEYS_PEER);
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
parent_start_children(struct parent *p)
{
	struct child	*c;
	int		 id;

	for (id = PROC_ENGINE; id < PROC_COUNT; id++)
		if (id != PROC_KEYS || parent_tls_isolated(p->conf))
			child_start(p, id);
	child_pass_sockets(p);
	CHILD_FOREACH(c, id, p) {
		conf_send(p, p->conf, c);
		if (id != PROC_STARTER)
			send_process(p, c);
	}
	parent_tls_send(p, p->conf, &p->tls);
	CHILD_FOREACH(c, id, p)
		conf_send_end(c);
}

struct child *
parent_start_store(struct parent *p, const struct conf *conf, int *peer)
{
	static uint32_t	 serial;
	struct child	*c;
	int		 own[2], theirs[2], error;

	if (make_pair(own) == -1)
		return (NULL);
	if (make_pair(theirs) == -1) {
		error = errno;
		close(own[0]);
		close(own[1]);
		errno = error;
		return (NULL);
	}
	c = child_new(p, PROC_STORE, own[0]);
	/* 0 stands for none. */
	if (++serial == 0)
		serial++;
	c->serial = serial;
	ipc_send(&p->child[PROC_STARTER]->ipc, IMSG_START_STORE, c->serial,
	    own[1], NULL, 0);
	conf_send(p, conf, c);
	send_process(p, c);
	ipc_send(&c->ipc, IMSG_PEER, 0, theirs[1], NULL, 0);
	conf_send_end(c);
	*peer = theirs[0];
	return (c);
}

int
parent_alive(const struct child *c)
{
	return (c != NULL && (c->pid != 0 || c->serial != 0 || c->open));
}

/* Reaped: but its last words may still be in the socket. */
static void
child_reaped(struct child *c, int status)
{
	c->pid = 0;
	c->serial = 0;
	c->status = status;
	if (!c->open)
		parent_child_ended(c);
}

/* One at a time: with the end of one, another may be no more. */
static struct child *
reap_one(struct parent *p, int *status)
{
	struct child	*list[CHILDREN_MAX];
	size_t		 i, n;

	n = children(p, list);
	for (i = 0; i < n; i++)
		if (list[i]->pid != 0 && waitpid(list[i]->pid, status,
		    WNOHANG) == list[i]->pid)
			return (list[i]);
	return (NULL);
}

void
parent_reap(struct parent *p)
{
	struct child	*c;
	int		 status;

	while ((c = reap_one(p, &status)) != NULL)
		child_reaped(c, status);
}

/* By the starter's number of it; 0: any. */
static struct child *
find_store(struct parent *p, uint32_t serial)
{
	struct child	*list[CHILDREN_MAX];
	size_t		 i, n;

	n = children(p, list);
	for (i = 0; i < n; i++)
		if (list[i]->serial != 0 &&
		    (serial == 0 || list[i]->serial == serial))
			return (list[i]);
	return (NULL);
}

void
parent_store_ended(struct parent *p, uint32_t serial, int status)
{
	struct child	*c;

	if (serial == 0 || (c = find_store(p, serial)) == NULL)
		fatalx("the starter tells of a store that never was");
	child_reaped(c, status);
}

/* Nobody will tell how they end; that they do, their sockets say. */
void
parent_starter_ended(struct parent *p)
{
	struct child	*c;

	while ((c = find_store(p, 0)) != NULL)
		child_reaped(c, 0);
}

void
parent_kill_children(struct parent *p)
{
	struct child	*list[CHILDREN_MAX];
	size_t		 i, n;

	/* The starter's end with us, as all whose socket to us is closed. */
	n = children(p, list);
	for (i = 0; i < n; i++)
		if (list[i]->pid != 0)
			kill(list[i]->pid, SIGKILL);
}
