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
	struct parent	*parent;
	enum proc_id	 id;
	pid_t		 pid;		/* 0: none of ours, or reaped */
	uint32_t	 serial;	/* the starter's; 0: none, or reaped */
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

/* Those in force, in the order in which they stop. */
#define CHILD_FOREACH(c, id, p)						\
	for ((id) = PROC_ENGINE; (id) < PROC_COUNT; (id)++)		\
		if (((c) = (p)->child[id]) == NULL)			\
			continue;					\
		else

struct tls_item;
TAILQ_HEAD(tls_items, tls_item);
/*
 * A reload, from the request to the answer.  With another database it waits
 * for a new store to be ready; then the engine takes that one, and then the old
 * one ends.
 */
struct reload {
	int		 under_way;
	uint32_t	 client;	/* who asked, to the engine; 0: nobody */
	int		 again;		/* when this one is done */
	uint32_t	 waiting;	/* who asked for that, or 0 */
	struct conf	*conf;		/* not in force yet */
	struct child	*next;		/* the new store, not in force yet */
	struct child	*old;		/* the one that was */
	int		 peer;		/* the engine's end of its socket */
	char		 refusal[1024];	/* why the new store does not start */
	char		 restart[512];	/* what a restart is needed for */
	struct event	*ev_limit;
	int		 keys_due;	/* at the keys process, for a check */
	uint32_t	 check;		/* number of that */
};

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
	struct tls_items	 tls;		/* read, and not yet sent */
	int			 has_tls;	/* from the start on */
	struct child		*child[PROC_COUNT];	/* in force */
	void			(*dispatch)(struct ipc *, struct imsg *);
	struct reload		 reload;
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
/* Make a configuration's paths absolute.  -1: WHY says which is too long. */
int	parent_conf_paths(struct parent *, struct conf *, char *why,
	    size_t size);
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
 * Which sockets there are can only become fewer: NEW is made to have those of
 * the running configuration OLD, and what it can't have is added to LIST.
 */
void	parent_listen_keep(struct conf *new, const struct conf *old,
	    char *list, size_t size);
/* Forget the sockets that the configuration has no more. */
void	parent_listen_trim(struct parent *);

/* parent_children.c */
void	parent_start_children(struct parent *);
/*
 * Ask the starter for another store, which is for CONF: what becomes of it, it
 * says itself.  PEER gets the engine's end of its socket.  NULL: errno.
 */
struct child *parent_start_store(struct parent *, const struct conf *,
	    int *peer);
/* Reap who has ended; called at SIGCHLD. */
void	parent_reap(struct parent *);
/* The starter has reaped, or is itself no more there to do it. */
void	parent_store_ended(struct parent *, uint32_t serial, int status);
void	parent_starter_ended(struct parent *);
int	parent_alive(const struct child *);
/* 0 when there is nothing to kill any more. */
int	parent_kill(struct child *);
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
/* Whether the keys have a process of their own. */
int	parent_tls_isolated(const struct conf *);
/* The number of a listener's context, or 0: it is plain. */
uint32_t parent_tls_id(const struct conf *, const struct conf_listen *);
/* Read all files.  Returns 0, or -1 with a reason and nothing read. */
int	parent_tls_load(const struct conf *, struct tls_items *, char *err,
	    size_t);
/* To the children that need them, which is the end of them here. */
void	parent_tls_send(struct parent *, const struct conf *,
	    struct tls_items *);
void	parent_tls_forget(struct tls_items *);
/* It is not to come in force: they forget what was sent. */
void	parent_tls_reset(struct parent *);
/* Try them, in a process that has nothing else to do. */
int	parent_tls_check(const struct conf *, char *err, size_t);

/* How a child has ended, in words. */
void	parent_describe_end(const struct child *, char *buf, size_t size);

/*
 * parent_reload.c: CLIENT is the engine's number of who asks and is answered,
 * 0 for a signal.
 */
void	parent_reload(struct parent *, uint32_t client);
/* The keys are where they will be used, and the engine can try them. */
void	parent_reload_keys(struct parent *, uint32_t check);
/* The engine has tried the certificates: WHY is "" or what is wrong. */
void	parent_reload_checked(struct parent *, const char *why);
/* The new store is ready, refuses, has been taken by the engine. */
void	parent_reload_ready(struct parent *);
void	parent_reload_refused(struct parent *, const char *why);
void	parent_reload_taken(struct parent *);
/* Whether the child that ended is of a reload's, and not the daemon's end. */
int	parent_reload_ended(struct child *);
/* The daemon stops. */
void	parent_reload_abandon(struct parent *);

/* reload_keep.c: what can't change in place stays; LIST gets its names. */
void	reload_keep(struct conf *, const struct conf *old, char *list,
	    size_t size);
/* Once the new one is good: log to its file, or keep the old one's. */
void	reload_log_file(struct conf *, const struct conf *old, char *list,
	    size_t size);
int	reload_same_database(const struct conf *, const struct conf *);

/* parent_passed.c: sockets that the service manager passes. */
/* Before any other descriptor is opened; how many there are, from 3 on. */
int	parent_passed_take(void);
/* What a configuration means with them.  Returns 0, or -1 with the reason. */
int	parent_passed_conf(struct conf *, char *error, size_t size);
/* The next one for "socket:NAME", or -1; the caller's then. */
int	parent_passed_next(const char *text);

/* parent_watch.c: for a service manager, if there is one. */
void	parent_watch(struct parent *);
void	parent_watch_answer(struct imsg *);

/* conf_send.c */
void	conf_send(struct parent *, const struct conf *, struct child *);
void	conf_send_end(struct child *);

/* parent_loop.c */
/* Until all children are ready; refuses if they don't get there. */
void	parent_start_loop(struct parent *);
void	parent_run_loop(struct parent *);

/* selftest.c: never returns. */
void	selftest_main(int argc, char **argv) __attribute__((__noreturn__));

#endif /* PARENT_H */
