/*
 * Listening sockets that the service manager made, as sd_listen_fds(3)
 * describes them: descriptors from 3 on, with names.  With them no privilege is
 * needed for a low port.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf_set.h"
#include "log.h"
#include "parent.h"

#define PASSED_FIRST	(STDERR_FILENO + 1)

static struct passed {
	int	fd;			/* -1: somebody listens on it */
	char	text[CONF_MAXFDNAME + sizeof(CONF_SOCKET)];
} passed[LISTENER_MAX];
static size_t	npassed;

/* NAMES is NULL where nobody gave them any. */
static void
take_names(const char *names)
{
	struct why	 why;
	size_t		 i, len;
	int		 n;

	for (i = 0; i < npassed; i++) {
		len = names != NULL ? strcspn(names, ":") : 0;
		n = snprintf(passed[i].text, sizeof(passed[i].text), "%s%.*s",
		    CONF_SOCKET, names != NULL ? (int)len : 7,
		    names != NULL ? names : "unknown");
		if (n < 0 || (size_t)n >= sizeof(passed[i].text))
			parent_refuse("LISTEN_FDNAMES: a name is too long");
		if (conf_check_listen(passed[i].text, &why) == -1 ||
		    conf_socket_name(passed[i].text) == NULL)
			parent_refuse("LISTEN_FDNAMES: name %zu of %zu is "
			    "missing, a number, or has blanks in it", i + 1,
			    npassed);
		if (names != NULL)
			names += len + (names[len] == ':');
	}
	if (names != NULL && *names != '\0')
		parent_refuse("LISTEN_FDNAMES: more names than LISTEN_FDS");
}

/* For the log; and what every listener of ours is. */
static void
prepare(struct passed *s)
{
	const char	*name = conf_socket_name(s->text);
	socklen_t	 len;
	int		 flags, type, listens, on = 1;
	union {
		struct sockaddr		sa;
		struct sockaddr_un	sun;
		struct sockaddr_storage	ss;
	} u;

	len = sizeof(type);
	if (getsockopt(s->fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1)
		parent_refuse("the passed socket \"%s\": %s", name,
		    strerror(errno));
	len = sizeof(listens);
	if (type != SOCK_STREAM || getsockopt(s->fd, SOL_SOCKET, SO_ACCEPTCONN,
	    &listens, &len) == -1 || !listens)
		parent_refuse("the passed socket \"%s\" is none that listens: "
		    "it has to be a ListenStream= with Accept=no", name);
	len = sizeof(u);
	memset(&u, 0, sizeof(u));
	if (getsockname(s->fd, &u.sa, &len) == -1)
		parent_refuse("the passed socket \"%s\": %s", name,
		    strerror(errno));
	if (u.sa.sa_family != AF_INET && u.sa.sa_family != AF_INET6 &&
	    u.sa.sa_family != AF_UNIX)
		parent_refuse("the passed socket \"%s\" is of a family that "
		    "is not served", name);
	if ((flags = fcntl(s->fd, F_GETFL)) == -1 ||
	    fcntl(s->fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
	    fcntl(s->fd, F_SETFD, FD_CLOEXEC) == -1 ||
	    (u.sa.sa_family != AF_UNIX && setsockopt(s->fd, IPPROTO_TCP,
	    TCP_NODELAY, &on, sizeof(on)) == -1))
		parent_refuse("the passed socket \"%s\": %s", name,
		    strerror(errno));
}

int
parent_passed_take(void)
{
	const char	*fds = getenv("LISTEN_FDS");
	const char	*pid = getenv("LISTEN_PID");
	const char	*error;
	size_t		 i;

	/* They may be meant for whoever started us. */
	if (fds != NULL && pid != NULL &&
	    strtonum(pid, 1, INT32_MAX, &error) == getpid()) {
		npassed = (size_t)strtonum(fds, 0, LISTENER_MAX, &error);
		if (error != NULL)
			parent_refuse("LISTEN_FDS is \"%s\", which is %s", fds,
			    error);
		take_names(getenv("LISTEN_FDNAMES"));
		for (i = 0; i < npassed; i++) {
			passed[i].fd = PASSED_FIRST + (int)i;
			prepare(&passed[i]);
		}
	}
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	return ((int)npassed);
}

/* Whether nothing is lost when sockets take the place of the statement. */
static int
is_plain(const struct conf_listen *cl)
{
	return (cl->roles == ROLE_ALL && !cl->proxy_protocol &&
	    cl->tls == NULL);
}

static int
is_known(const struct conf *conf, const char *text)
{
	const struct conf_listen	*cl;

	TAILQ_FOREACH(cl, &conf->listens, entry)
		if (strcmp(cl->text, text) == 0)
			return (1);
	return (0);
}

/* No statement names a socket: the names of the sockets say it all. */
static int
replace_all(struct conf *conf, char *error, size_t size)
{
	struct conf_listen	*cl;
	struct why		 why;
	size_t			 i;

	TAILQ_FOREACH(cl, &conf->listens, entry)
		if (!is_plain(cl)) {
			snprintf(error, size, "sockets were passed, and "
			    "\"listen on\" has settings: say for which, by "
			    "listen on \"%s\"", passed[0].text);
			return (-1);
		}
	conf_clear_listens(conf);
	for (i = 0; i < npassed; i++) {
		if (is_known(conf, passed[i].text))
			continue;
		if (conf_add_listen(conf, passed[i].text, 0, NULL,
		    &why) == -1) {
			strlcpy(error, why.text, size);
			return (-1);
		}
		cl = TAILQ_LAST(&conf->listens, conf_listens);
		cl->roles = conf_socket_roles(passed[i].text);
	}
	return (0);
}

int
parent_passed_conf(struct conf *conf, char *error, size_t size)
{
	struct conf_listen	*cl;
	size_t			 i;

	if (npassed == 0)
		return (0);
	TAILQ_FOREACH(cl, &conf->listens, entry)
		if (conf_socket_name(cl->text) != NULL)
			break;
	if (cl == NULL)
		return (replace_all(conf, error, size));
	for (i = 0; i < npassed; i++)
		if (passed[i].fd != -1 && !is_known(conf, passed[i].text)) {
			snprintf(error, size, "a socket was passed that "
			    "nothing is said of: add listen on \"%s\"",
			    passed[i].text);
			return (-1);
		}
	return (0);
}

int
parent_passed_next(const char *text)
{
	size_t	i;
	int	fd;

	for (i = 0; i < npassed; i++)
		if (passed[i].fd != -1 && strcmp(passed[i].text, text) == 0) {
			fd = passed[i].fd;
			passed[i].fd = -1;
			return (fd);
		}
	return (-1);
}
