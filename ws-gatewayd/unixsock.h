/* A unix socket that listens at a path, and goes when its maker goes. */
#ifndef UNIXSOCK_H
#define UNIXSOCK_H

#include <sys/types.h>

#include <limits.h>
#include <stddef.h>

struct unixsock {
	char	path[PATH_MAX];		/* absolute, for the removal */
	dev_t	dev;
	ino_t	ino;
	int	made;
};

/*
 * Bind and listen; a stale socket is replaced, anything else that is there is
 * left alone.  GROUP may be NULL.  Returns the descriptor, or -1 with the
 * reason and the remedy in ERR.
 */
int	unixsock_listen(struct unixsock *, const char *path, mode_t mode,
	    const char *group, int backlog, char *err, size_t errsize);

/* Remove it if the path is still the one that was made. */
void	unixsock_remove(struct unixsock *);

#endif /* UNIXSOCK_H */
