/*
 * The parent process: holds the configuration and the paths, opens what needs
 * privilege, starts the others and outlives them.
 */
#ifndef PARENT_H
#define PARENT_H

#include <sys/queue.h>

#include <limits.h>

#include "conf.h"
#include "pidfile.h"
#include "proc.h"
#include "unixsock.h"

enum parent_phase {
	PARENT_STARTING,		/* someone may wait for the outcome */
	PARENT_RUNNING,
	PARENT_STOPPING
};

struct parent;

struct child {
	int		 used;		/* the configuration wants it */
	struct parent	*parent;
	enum proc_id	 id;
	pid_t		 pid;		/* 0: none, or reaped */
	int		 open;		/* the ipc */
	int		 ready;
	int		 status;	/* of wait(2), once reaped */
	struct ipc	 ipc;
};

struct listener {
	TAILQ_ENTRY(listener)	 entry;
	int			 fd;	/* -1: passed on */
	uint32_t		 id;
	char			*conf;	/* what it stands for: a conf_listen's
					   text */
	char			 text[128];	/* "[::1]:8080", "unix:/path" */
	struct unixsock		 us;
};
TAILQ_HEAD(listeners, listener);

/* All that there are, in the order in which they stop. */
#define CHILD_FOREACH(c, p)						\
	for ((c) = &(p)->child[PROC_ENGINE];				\
	    (c) <= &(p)->child[PROC_COUNT - 1]; (c)++)			\
		if (!(c)->used)						\
			continue;					\
		else

struct tls_item;
TAILQ_HEAD(tls_items, tls_item);

struct parent {
	struct flags		 flags;
	struct conf		*conf;
	char			 self[PATH_MAX];	/* to exec */
	char			 cwd[PATH_MAX];		/* at the start */
	char			 conf_file[PATH_MAX];
	struct conf_process	 process;	/* whom children become */
	struct pidfile		 pidfile;
	struct listeners	 listeners;
	uint32_t		 last_listener;		/* id given */
	int			 control_fd;
	struct unixsock		 control;
	struct event_base	*base;
	struct child		 child[PROC_COUNT];
	struct tls_items	 tls;		/* read, and not yet sent */
	enum parent_phase	 phase;
	char			 refusal[1024];	/* why the start failed */
	int			 exit_code;
	int			 background;
	struct event		*ev_signal[5];
	struct event		*ev_kill;
	struct event		*ev_stat;
};

/*
 * Before the daemon detaches: one line to standard error, and to the log if
 * that is elsewhere; then exit 1.
 */
void	parent_refuse(const char *, ...)
	    __attribute__((__noreturn__, __format__(printf, 1, 2)));

/* parent_paths.c */
/* Into an absolute path from CWD, in place.  Refuses one that is too long. */
void	parent_absolute(const char *cwd, char *path, size_t size);
void	parent_conf_paths(struct parent *, struct conf *);
/* Confine the parent to the folders that it still needs. */
void	parent_confine(struct parent *);

/* parent_user.c: whom the children become. */
void	parent_identity(struct parent *);

/* parent_listen.c */
void	parent_listen(struct parent *);
void	parent_listen_control(struct parent *);
void	parent_listen_log(struct parent *);
void	parent_listen_remove(struct parent *);
/* The settings of a listener, or NULL: it is to be closed. */
struct conf_listen *parent_listen_conf(const struct conf *,
	    const struct listener *);
/*
 * Which sockets there are can only become fewer: put back into NEW, for the
 * running configuration OLD, what can't be, and add that to LIST.
 */
void	parent_listen_keep(struct conf *new, struct conf *old, char *list,
	    size_t size);
/* Forget the sockets that the configuration has no more. */
void	parent_listen_trim(struct parent *);

/* parent_children.c */
void	parent_start_children(struct parent *,
	    void (*dispatch)(struct ipc *, struct imsg *));
/* Reap who has ended; called at SIGCHLD. */
void	parent_reap(struct parent *);
int	parent_alive(const struct parent *, enum proc_id);
void	parent_kill_children(struct parent *);

/* parent_stop.c */
/* Begin to stop: engine, then store, then the loop ends. */
void	parent_stop(struct parent *, int exit_code);
/* Time is up for the one whose turn it is. */
void	parent_stop_overdue(struct parent *);
/* A child has ended and said all it had to say. */
void	parent_child_ended(struct child *);

/* parent_tls.c: certificates and keys */
int	parent_tls_used(const struct conf *);
/* The number of a listener's context, or 0: it is plain. */
uint32_t parent_tls_id(const struct conf *, const struct conf_listen *);
/* Read all files.  Returns 0, or -1 with a reason and nothing read. */
int	parent_tls_load(const struct conf *, struct tls_items *, char *err,
	    size_t);
/* To the children that need them, which is the end of them here. */
void	parent_tls_send(struct parent *, struct tls_items *,
	    const struct settings *);
void	parent_tls_forget(struct tls_items *);
/* Try them, in a process that has nothing else to do. */
int	parent_tls_check(const struct conf *, char *err, size_t);

/* parent_reload.c: into TEXT what the engine is told. */
void	parent_reload(struct parent *, char *text, size_t size);

/* conf_send.c */
void	conf_send(struct parent *, struct child *);
void	conf_send_end(struct child *);

/* parent_loop.c */
/* Until all children are ready; refuses if they don't get there. */
void	parent_start_loop(struct parent *);
void	parent_run_loop(struct parent *);

/* selftest.c: never returns. */
void	selftest_main(int argc, char **argv) __attribute__((__noreturn__));

#endif /* PARENT_H */
