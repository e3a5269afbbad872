/*
 * A unix socket at a path.  What is there already tells by connect(2) whether
 * someone still listens; its inode tells at the end whether it is ours.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unixsock.h"

struct report {
	char	*buf;
	size_t	 size;
};

static int
complain(struct report *r, const char *fmt, ...)
    __attribute__((__format__(printf, 2, 3)));

static int
complain(struct report *r, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(r->buf, r->size, fmt, ap);
	va_end(ap);
	return (-1);
}

/* Make way at the path: nothing there, or a socket that nobody serves. */
static int
unixsock_clear(const struct sockaddr_un *sun, struct report *r)
{
	struct stat	st;
	int		fd, error;

	if (lstat(sun->sun_path, &st) == -1) {
		if (errno == ENOENT)
			return (0);
		return (complain(r, "%s", strerror(errno)));
	}
	if (!S_ISSOCK(st.st_mode))
		return (complain(r, "a file that is no socket is in the way: "
		    "choose another path"));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return (complain(r, "%s", strerror(errno)));
	error = 0;
	if (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) == -1)
		error = errno;
	close(fd);
	if (error == ENOENT)
		return (0);
	if (error != ECONNREFUSED)
		return (complain(r, "address in use: another process listens "
		    "there"));
	if (unlink(sun->sun_path) == -1 && errno != ENOENT)
		return (complain(r, "can't remove a stale socket: %s",
		    strerror(errno)));
	return (0);
}

/* Nobody can connect before listen(2), so the order is safe. */
static int
unixsock_permit(const char *path, mode_t mode, const char *group,
    struct report *r)
{
	struct group	*gr;

	if (group != NULL) {
		if ((gr = getgrnam(group)) == NULL)
			return (complain(r, "no group %s: create it with "
			    "groupadd %s", group, group));
		if (chown(path, (uid_t)-1, gr->gr_gid) == -1)
			return (complain(r, "can't give it to group %s: %s",
			    group, strerror(errno)));
	}
	if (chmod(path, mode) == -1)
		return (complain(r, "chmod: %s", strerror(errno)));
	return (0);
}

int
unixsock_listen(struct unixsock *us, const char *path, mode_t mode,
    const char *group, int backlog, char *err, size_t errsize)
{
	struct sockaddr_un	 sun = { .sun_family = AF_UNIX };
	struct report		 r = { err, errsize };
	struct stat		 st;
	mode_t			 mask;
	int			 fd, n;

	us->made = 0;
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path))
		return (complain(&r, "the path is longer than %zu bytes",
		    sizeof(sun.sun_path) - 1));
	if (unixsock_clear(&sun, &r) == -1)
		return (-1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return (complain(&r, "%s", strerror(errno)));
	mask = umask(0177);
	n = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (n == -1) {
		complain(&r, "%s%s", strerror(errno), errno == ENOENT ?
		    ": create its folder first" : "");
		close(fd);
		return (-1);
	}
	if (lstat(path, &st) == 0 && realpath(path, us->path) != NULL) {
		us->dev = st.st_dev;
		us->ino = st.st_ino;
		us->made = 1;
	}
	if (unixsock_permit(path, mode, group, &r) == -1 ||
	    (listen(fd, backlog) == -1 && complain(&r, "listen: %s",
	    strerror(errno)) == -1)) {
		close(fd);
		unixsock_remove(us);
		return (-1);
	}
	return (fd);
}

void
unixsock_remove(struct unixsock *us)
{
	struct stat	st;

	if (us->made && lstat(us->path, &st) == 0 && st.st_dev == us->dev &&
	    st.st_ino == us->ino)
		unlink(us->path);
	us->made = 0;
}
