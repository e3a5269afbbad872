/*
 * The starter: stays as the parent was before it was confined, so that a
 * reload can have a new store.  A store opens its database, then forgets how to
 * open another; and what confines the parent would confine whom it starts.
 *
 * Here is neither network nor secret.  The parent alone can ask for something,
 * and for one thing only: a store, which is this very binary, with the socket
 * that comes along.
 */
#include <sys/types.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "proc.h"

#define STORES_MAX	4	/* in force, before, after; one to spare */
#define STATUS_FAILED	(127 << 8)	/* as if exec had */

static struct {
	uint32_t	id;		/* the parent's */
	pid_t		pid;		/* 0: none */
} stores[STORES_MAX];

static const char		*self;
static struct event_base	*base;
static struct event		*ev_child;
static struct settings		 settings;
static int			 confined;

static void
send_ended(uint32_t id, int status)
{
	int32_t	value = status;

	ipc_send(&proc_parent, IMSG_STORE_ENDED, id, -1, &value,
	    sizeof(value));
}

static void
start_store(struct imsg *imsg)
{
	uint32_t	 id = imsg_get_id(imsg);
	size_t		 i;
	pid_t		 pid;
	int		 fd;

	ipc_data(imsg, NULL, 0);
	if ((fd = imsg_get_fd(imsg)) == -1)
		fatalx("the parent sent no socket for a store");
	for (i = 0; i < STORES_MAX && stores[i].pid != 0; i++)
		continue;
	if (i == STORES_MAX)
		fatalx("the parent asks for too many stores");
	switch (pid = fork()) {
	case -1:
		log_warn("fork");
		send_ended(id, STATUS_FAILED);
		break;
	case 0:
		proc_exec(self, PROC_STORE, fd, 0);
	default:
		stores[i].id = id;
		stores[i].pid = pid;
	}
	close(fd);
}

/* It may have ended already. */
static void
kill_store(struct imsg *imsg)
{
	size_t	i;

	ipc_data(imsg, NULL, 0);
	for (i = 0; i < STORES_MAX; i++)
		if (stores[i].pid != 0 && stores[i].id == imsg_get_id(imsg))
			kill(stores[i].pid, SIGKILL);
}

static void
on_child(int sig, short what, void *arg)
{
	size_t	i;
	int	status;

	(void)sig;
	(void)what;
	(void)arg;
	for (i = 0; i < STORES_MAX; i++) {
		if (stores[i].pid == 0 || waitpid(stores[i].pid, &status,
		    WNOHANG) != stores[i].pid)
			continue;
		stores[i].pid = 0;
		send_ended(stores[i].id, status);
	}
}

static void
conf_end(void)
{
	struct sandbox_path	paths[2];

	if (confined)
		return;
	memset(paths, 0, sizeof(paths));
	paths[0].path = self;
	paths[0].perm = "x";
	sandbox_enter(SANDBOX_STARTER, (enum sandbox_mode)settings.sandbox,
	    paths);
	confined = 1;
	ipc_send(&proc_parent, IMSG_READY, 0, -1, NULL, 0);
}

static void
parent_dispatch(struct ipc *ipc, struct imsg *imsg)
{
	(void)ipc;
	switch (imsg_get_type(imsg)) {
	case IMSG_CONF_BEGIN:
		ipc_data(imsg, &settings, sizeof(settings));
		break;
	case IMSG_CONF_END:
		conf_end();
		break;
	case IMSG_START_STORE:
		start_store(imsg);
		break;
	case IMSG_KILL_STORE:
		kill_store(imsg);
		break;
	case IMSG_SHUTDOWN:
		exit(0);
	default:
		fatalx("message %u from the parent", imsg_get_type(imsg));
	}
}

void
starter_main(const char *path)
{
	/* Before the title is written over it. */
	if ((self = strdup(path)) == NULL)
		abort();
	base = proc_child_init(proc_name(PROC_STARTER), parent_dispatch);
	if ((ev_child = evsignal_new(base, SIGCHLD, on_child, NULL)) == NULL ||
	    event_add(ev_child, NULL) == -1)
		fatalx("can't watch signals");
	proc_child_loop(base);
}
