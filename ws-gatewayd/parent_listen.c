/*
 * The sockets that strangers reach: bound here, where the privilege for low
 * ports and folders is, and passed on to the engine.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "parent.h"
#include "platform.h"

#define LISTEN_BACKLOG	4096	/* the kernel cuts it to its own limit */
#define CONTROL_BACKLOG	16
#define PORT_TRIES	16	/* for one port on several addresses */

static const char	unix_prefix[] = "unix:";

/* CONF is what the configuration calls it, TEXT what it has become. */
static struct listener *
keep_listener(struct parent *p, int fd, const char *conf, const char *text)
{
	struct listener	*l;

	if (p->last_listener == LISTENER_MAX)
		parent_refuse("too many sockets to listen on (at most %d)",
		    LISTENER_MAX);
	if ((l = calloc(1, sizeof(*l))) == NULL ||
	    (l->conf = strdup(conf)) == NULL)
		fatal("listen");
	l->id = ++p->last_listener;
	l->fd = fd;
	strlcpy(l->text, text, sizeof(l->text));
	TAILQ_INSERT_TAIL(&p->listeners, l, entry);
	return (l);
}

static void
listener_free(struct parent *p, struct listener *l)
{
	TAILQ_REMOVE(&p->listeners, l, entry);
	free(l->conf);
	free(l);
}

static void
refuse_address(const char *text, int error)
{
	switch (error) {
	case EADDRINUSE:
		parent_refuse("listen on \"%s\": another program listens "
		    "there: find it with %s, or choose another port", text,
		    platform_hint_port);
	case EACCES:
		parent_refuse("listen on \"%s\": permission denied: be root or "
		    "choose a port over 1023", text);
	case EADDRNOTAVAIL:
		parent_refuse("listen on \"%s\": not an address of this "
		    "machine: choose one of its own, or none for all", text);
	default:
		parent_refuse("listen on \"%s\": %s", text, strerror(error));
	}
}

/* The address that a socket got, and its port. */
static in_port_t
address_text(int fd, char *text, size_t size)
{
	struct sockaddr_storage	 ss;
	socklen_t		 len = sizeof(ss);
	char			 host[NI_MAXHOST], port[NI_MAXSERV];

	memset(&ss, 0, sizeof(ss));
	if (getsockname(fd, (struct sockaddr *)&ss, &len) == -1)
		fatal("getsockname");
	if (getnameinfo((struct sockaddr *)&ss, len, host, sizeof(host), port,
	    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		fatalx("getnameinfo");
	snprintf(text, size, ss.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
	    host, port);
	if (ss.ss_family == AF_INET6)
		return (((struct sockaddr_in6 *)&ss)->sin6_port);
	return (((struct sockaddr_in *)&ss)->sin_port);
}

/* One address; PORT, when it isn't 0, in place of its port. */
static int
bind_one(const struct addrinfo *ai, in_port_t port)
{
	struct sockaddr_storage	 ss;
	int			 error, fd, on = 1;

	memcpy(&ss, ai->ai_addr, ai->ai_addrlen);
	if (port != 0 && ai->ai_family == AF_INET6)
		((struct sockaddr_in6 *)&ss)->sin6_port = port;
	else if (port != 0)
		((struct sockaddr_in *)&ss)->sin_port = port;
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	if (fd == -1)
		return (-1);
	/* What is accepted has TCP_NODELAY from here. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1 ||
	    (ai->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6,
	    IPV6_V6ONLY, &on, sizeof(on)) == -1) ||
	    bind(fd, (struct sockaddr *)&ss, ai->ai_addrlen) == -1 ||
	    listen(fd, LISTEN_BACKLOG) == -1) {
		error = errno;
		close(fd);
		errno = error;
		return (-1);
	}
	return (fd);
}

/*
 * All addresses that a name or the wildcard stands for; those of a family that
 * this machine doesn't have are left out if there are others.  Returns 0, or an
 * errno with nothing bound.
 */
static int
bind_all(struct parent *p, const char *conf, const struct addrinfo *list,
    int any_port)
{
	const struct addrinfo	*ai;
	struct listener		*l, *last;
	char			 text[128];
	in_port_t		 port, same = 0;
	int			 bound = 0, error = 0, fd;

	last = TAILQ_LAST(&p->listeners, listeners);
	for (ai = list; ai != NULL; ai = ai->ai_next) {
		if ((fd = bind_one(ai, same)) == -1) {
			error = errno;
			if (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)
				continue;
			bound = 0;
			break;
		}
		port = address_text(fd, text, sizeof(text));
		if (any_port)
			same = port;
		keep_listener(p, fd, conf, text);
		bound++;
	}
	if (bound > 0) {
		if (error != 0)
			log_debug("an address of %s was left out: %s", text,
			    strerror(error));
		return (0);
	}
	while ((l = TAILQ_LAST(&p->listeners, listeners)) != last) {
		close(l->fd);
		listener_free(p, l);
		p->last_listener--;
	}
	return (error);
}

static void
listen_tcp(struct parent *p, const char *text)
{
	struct addrinfo	 hints, *list;
	char		 host[NI_MAXHOST], port[NI_MAXSERV];
	const char	*reason;
	int		 any_port, error, tries;

	if (listen_split(text, host, sizeof(host), port, sizeof(port),
	    &reason) == -1)
		parent_refuse("listen on \"%s\": %s", text, reason);
	memset(&hints, 0, sizeof(hints));
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE;
	error = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints,
	    &list);
	if (error != 0)
		parent_refuse("listen on \"%s\": %s: check the name", text,
		    error == EAI_SYSTEM ? strerror(errno) :
		    gai_strerror(error));
	any_port = strcmp(port, "0") == 0;
	tries = any_port ? PORT_TRIES : 1;
	do {
		error = bind_all(p, text, list, any_port);
	} while (error == EADDRINUSE && --tries > 0);
	freeaddrinfo(list);
	if (error != 0)
		refuse_address(text, error);
}

static void
listen_passed(struct parent *p, const char *conf)
{
	struct sockaddr_un	 sun;
	socklen_t		 len;
	char			 text[128];
	int			 fd, n = 0;

	for (; (fd = parent_passed_next(conf)) != -1; n++) {
		memset(&sun, 0, sizeof(sun));
		len = sizeof(sun) - 1;
		if (getsockname(fd, (struct sockaddr *)&sun, &len) == 0 &&
		    sun.sun_family == AF_UNIX)
			snprintf(text, sizeof(text), "%s%s%s", unix_prefix,
			    sun.sun_path[0] != '\0' ? "" : "@",
			    sun.sun_path + (sun.sun_path[0] == '\0'));
		else
			address_text(fd, text, sizeof(text));
		keep_listener(p, fd, conf, text);
	}
	if (n == 0)
		parent_refuse("listen on \"%s\": the service manager has "
		    "passed no socket of that name: see FileDescriptorName= "
		    "in systemd.socket(5)", conf);
}

void
parent_listen(struct parent *p)
{
	struct conf_listen	*cl;
	struct listener		*l;
	struct unixsock		 us;
	char			 error[512];
	const char		*path;
	int			 fd;

	TAILQ_FOREACH(cl, &p->conf->listens, entry) {
		if (conf_socket_name(cl->text) != NULL) {
			listen_passed(p, cl->text);
			continue;
		}
		if (strncmp(cl->text, unix_prefix,
		    sizeof(unix_prefix) - 1) != 0) {
			listen_tcp(p, cl->text);
			continue;
		}
		path = cl->text + sizeof(unix_prefix) - 1;
		fd = unixsock_listen(&us, path, cl->mode, cl->group,
		    LISTEN_BACKLOG, error, sizeof(error));
		if (fd == -1)
			parent_refuse("listen on \"%s\": %s", cl->text, error);
		l = keep_listener(p, fd, cl->text, cl->text);
		l->us = us;
	}
}

/*
 * Without a control socket the gateway does its work, so only one that was
 * asked for is worth a refusal.
 */
void
parent_listen_control(struct parent *p)
{
	const struct conf	*conf = p->conf;
	char			 error[512];

	if (conf->control[0] == '\0')
		return;
	p->control_fd = unixsock_listen(&p->control, conf->control,
	    conf->control_mode, conf->control_group[0] != '\0' ?
	    conf->control_group : NULL, CONTROL_BACKLOG, error, sizeof(error));
	if (p->control_fd != -1)
		return;
	if (conf->control_set)
		parent_refuse("control socket %s: %s", conf->control, error);
	log_warnx("running without control socket %s: %s", conf->control,
	    error);
}

void
parent_listen_log(struct parent *p)
{
	struct listener	*l;

	TAILQ_FOREACH(l, &p->listeners, entry)
		if (log_begin(LOGL_INFO, "listening")) {
			log_str("address", l->text);
			log_end();
		}
}

void
parent_listen_remove(struct parent *p)
{
	struct listener	*l;

	TAILQ_FOREACH(l, &p->listeners, entry)
		unixsock_remove(&l->us);
	unixsock_remove(&p->control);
}

static struct conf_listen *
find_listen(const struct conf *conf, const char *text)
{
	struct conf_listen	*cl;

	TAILQ_FOREACH(cl, &conf->listens, entry)
		if (strcmp(cl->text, text) == 0)
			return (cl);
	return (NULL);
}

struct conf_listen *
parent_listen_conf(const struct conf *conf, const struct listener *l)
{
	return (find_listen(conf, l->conf));
}

static void
note_listen(char *list, size_t size, const char *text, const char *what)
{
	char	note[256];

	snprintf(note, sizeof(note), "%slisten on \"%s\"%s",
	    list[0] != '\0' ? ", " : "", text, what);
	strlcat(list, note, size);
}

/* Who may use a unix socket is as it was at the start. */
static void
keep_mode(struct conf_listen *new, const struct conf_listen *old, char *list,
    size_t size)
{
	const char	*a = new->group != NULL ? new->group : "";
	const char	*b = old->group != NULL ? old->group : "";

	if (new->mode == old->mode && strcmp(a, b) == 0)
		return;
	note_listen(list, size, new->text, " mode and group");
	new->mode = old->mode;
	free(new->group);
	new->group = NULL;
	if (old->group != NULL && (new->group = strdup(old->group)) == NULL)
		fatal("listen");
}

void
parent_listen_keep(struct conf *new, const struct conf *old, char *list,
    size_t size)
{
	const struct conf_listen	*was;
	struct conf_listen		*cl, *tmp;
	int				 added = 0;

	TAILQ_FOREACH_SAFE(cl, &new->listens, entry, tmp) {
		if ((was = find_listen(old, cl->text)) != NULL) {
			keep_mode(cl, was, list, size);
			continue;
		}
		note_listen(list, size, cl->text, "");
		conf_free_listen(new, cl);
		added = 1;
	}
	if (!added)
		return;
	/* An address that moves: the old one serves until the restart. */
	TAILQ_FOREACH(was, &old->listens, entry)
		if (find_listen(new, was->text) == NULL)
			conf_copy_listen(new, was);
}

void
parent_listen_trim(struct parent *p)
{
	struct listener	*l, *tmp;

	TAILQ_FOREACH_SAFE(l, &p->listeners, entry, tmp)
		if (parent_listen_conf(p->conf, l) == NULL) {
			log_info("no longer listening on %s", l->text);
			unixsock_remove(&l->us);
			listener_free(p, l);
		}
}
