/* The pid file: says who runs, keeps a second one from running. */
#ifndef PIDFILE_H
#define PIDFILE_H

#include <sys/types.h>

#include <limits.h>
#include <stddef.h>

struct pidfile {
	char	path[PATH_MAX];
	int	fd;			/* locked; -1: none */
};

/*
 * Take PATH for this process.  A stale, empty or garbled file is taken over.
 * Returns 0, or -1 with the reason in ERR: it names a live process, or can't
 * be made.
 */
int	pidf_claim(struct pidfile *, const char *path, char *err,
	    size_t errsize);

/* Write the caller's pid into it.  Returns 0, or -1 with the reason. */
int	pidf_write(struct pidfile *, char *err, size_t errsize);

/* Remove it if the path is still the file that was claimed. */
void	pidf_remove(struct pidfile *);

#endif /* PIDFILE_H */
