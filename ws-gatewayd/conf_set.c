/*
 * Setters: whatever text the file or the command line has for a part of the
 * configuration is checked here, once, and put in.
 */
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conf_set.h"
#include "log.h"

#define HIDDEN		"********"

int
why_set(struct why *why, const char *fmt, ...)
{
	va_list	ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return (-1);
}

void
conf_report(void (*report)(const char *), const char *fmt, ...)
{
	va_list	 ap;
	char	*line;

	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) == -1)
		fatal("configuration");
	va_end(ap);
	report(line);
	free(line);
}

char *
conf_show(const char *text, char buf[CONF_MAXSHOW])
{
	const char	*at;
	size_t		 i;

	if ((at = strrchr(text, '@')) != NULL)
		i = (size_t)snprintf(buf, CONF_MAXSHOW, "%s", HIDDEN);
	else {
		at = text;
		i = 0;
	}
	for (; *at != '\0' && i < CONF_MAXSHOW - sizeof("..."); at++, i++)
		buf[i] = (unsigned char)*at < ' ' || *at == 0x7f ? '?' : *at;
	buf[i] = '\0';
	if (*at != '\0')
		strlcat(buf, "...", CONF_MAXSHOW);
	return (buf);
}

/* Such a byte would break a line of -nv, and stands in nobody's path. */
int
conf_has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return (1);
	return (0);
}

static int
set_text(char *dst, size_t size, const char *text, struct why *why)
{
	if (conf_has_control(text))
		return (why_set(why, "control characters are not allowed"));
	if (strlen(text) >= size)
		return (why_set(why, "too long (at most %zu bytes)", size - 1));
	strlcpy(dst, text, size);
	return (0);
}

int
conf_set_name(char *dst, size_t size, const char *text, struct why *why)
{
	char	show[CONF_MAXSHOW];

	if (*text == '\0')
		return (why_set(why, "the name is empty"));
	if (strpbrk(text, " \t:/,") != NULL)
		return (why_set(why, "\"%s\" is no name of a user or a group",
		    conf_show(text, show)));
	return (set_text(dst, size, text, why));
}

/* A path that has to be found from every working directory. */
int
conf_check_path(const char *path, struct why *why)
{
	char	show[CONF_MAXSHOW];

	if (*path == '/')
		return (0);
	return (why_set(why, "the path \"%s\" must start with \"/\"",
	    conf_show(path, show)));
}

int
conf_check_socket(const char *path, struct why *why)
{
	struct sockaddr_un	sun;

	if (conf_check_path(path, why) == -1)
		return (-1);
	if (conf_has_control(path))
		return (why_set(why, "control characters are not allowed"));
	if (strlen(path) >= sizeof(sun.sun_path))
		return (why_set(why, "the path of a socket is too long "
		    "(at most %zu bytes)", sizeof(sun.sun_path) - 1));
	return (0);
}

int
conf_parse_mode(const char *text, mode_t *mode, struct why *why)
{
	char	show[CONF_MAXSHOW];

	if (*text == '\0' || strlen(text) > 4 ||
	    text[strspn(text, "01234567")] != '\0' ||
	    strtoul(text, NULL, 8) > 0777)
		return (why_set(why, "\"%s\" is no mode such as 0660 "
		    "(0 to 0777, octal)", conf_show(text, show)));
	*mode = (mode_t)strtoul(text, NULL, 8);
	return (0);
}

void
conf_strings_add(struct conf_strings *list, const char *s)
{
	struct conf_string	*cs;

	if ((cs = calloc(1, sizeof(*cs))) == NULL ||
	    (cs->s = strdup(s)) == NULL)
		fatal("configuration");
	TAILQ_INSERT_TAIL(list, cs, entry);
}

void
conf_strings_clear(struct conf_strings *list)
{
	struct conf_string	*cs;

	while ((cs = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, cs, entry);
		free(cs->s);
		free(cs);
	}
}

void
conf_clear_origins(struct conf *conf)
{
	conf_strings_clear(&conf->origins);
}

/* What people write in place of an origin, and what to tell them. */
static const char *
origin_wrong(const char *text)
{
	const char	*host;
	size_t		 len;

	if (strcmp(text, "*") == 0)
		return ("to allow all origins, give no list");
	if (strcmp(text, "null") == 0)
		return ("\"null\" is what any sandboxed page sends, and can't "
		    "be allowed");
	if (strlen(text) >= CONF_MAXORIGIN)
		return ("it is too long");
	if ((host = strstr(text, "://")) == NULL)
		return ("the scheme is missing: \"https://host\"");
	if (strncasecmp(text, "ws://", 5) == 0 ||
	    strncasecmp(text, "wss://", 6) == 0)
		return ("an origin is the page's, so http:// or https://");
	host += strlen("://");
	if (strchr(host, '*') != NULL)
		return ("each host is listed in full");
	if (strchr(host, '@') != NULL)
		return ("an origin has no user");
	len = strcspn(host, "/?#");
	if (strcmp(host + len, "/") == 0)
		return ("leave the \"/\" at its end out");
	if (host[len] != '\0')
		return ("an origin has no path");
	return ("it must be scheme://host or scheme://host:port");
}

int
conf_add_origin(struct conf *conf, const char *text, struct why *why)
{
	struct conf_string	*cs;
	const char		*scheme;
	char			 origin[CONF_MAXORIGIN], show[CONF_MAXSHOW];
	size_t			 n;

	if (origin_normalise(text, strlen(text), origin, sizeof(origin)) == -1)
		return (why_set(why, "\"%s\" is no origin: %s",
		    conf_show(text, show), origin_wrong(text)));
	scheme = origin;
	if (strncmp(scheme, "ws://", 5) == 0 ||
	    strncmp(scheme, "wss://", 6) == 0)
		return (why_set(why, "\"%s\" is no origin: %s",
		    conf_show(text, show), origin_wrong(origin)));
	n = 0;
	TAILQ_FOREACH(cs, &conf->origins, entry) {
		if (strcmp(cs->s, origin) == 0)
			return (0);
		n++;
	}
	if (n >= CONF_MAXORIGINS)
		return (why_set(why, "too many origins (at most %d)",
		    CONF_MAXORIGINS));
	conf_strings_add(&conf->origins, origin);
	return (0);
}

int
conf_add_proxy(struct conf *conf, const char *text, struct why *why)
{
	struct network	 net;
	const char	*reason;
	char		 show[CONF_MAXSHOW];
	size_t		 i;

	if (network_parse(text, &net, &reason) == -1)
		return (why_set(why, "\"%s\" is no network: %s",
		    conf_show(text, show), reason));
	for (i = 0; i < conf->nproxies; i++)
		if (memcmp(&conf->proxies[i], &net, sizeof(net)) == 0)
			return (0);
	if (conf->nproxies == CONF_MAXPROXIES)
		return (why_set(why, "too many proxies (at most %d)",
		    CONF_MAXPROXIES));
	conf->proxies[conf->nproxies++] = net;
	return (0);
}

int
conf_set_db(struct conf *conf, const char *kind, struct why *why)
{
	char	show[CONF_MAXSHOW];

	if (strcmp(kind, "sqlite") == 0)
		conf->db = DB_SQLITE;
	else if (strcmp(kind, "mysql") == 0)
		conf->db = DB_MYSQL;
	else
		return (why_set(why, "\"%s\" is no kind of database "
		    "(sqlite or mysql)", conf_show(kind, show)));
	return (0);
}

int
conf_set_dsn(struct conf *conf, const char *dsn, struct why *why)
{
	if (*dsn == '\0')
		return (why_set(why, "the DSN is empty"));
	conf_clear_database(conf);
	return (set_text(conf->dsn, sizeof(conf->dsn), dsn, why));
}

int
conf_set_user(struct conf *conf, const char *user, struct why *why)
{
	if (conf_set_name(conf->user, sizeof(conf->user), user, why) == -1)
		return (-1);
	conf->user_set = strcmp(user, DEFAULT_USER) != 0;
	return (0);
}

int
conf_set_chroot(struct conf *conf, const char *path, struct why *why)
{
	if (conf_check_path(path, why) == -1)
		return (-1);
	return (set_text(conf->chroot, sizeof(conf->chroot), path, why));
}

int
conf_set_log_file(struct conf *conf, const char *path, struct why *why)
{
	return (set_text(conf->log_file, sizeof(conf->log_file), path, why));
}

int
conf_set_pid_file(struct conf *conf, const char *path, struct why *why)
{
	return (set_text(conf->pid_file, sizeof(conf->pid_file), path, why));
}

int
conf_set_control(struct conf *conf, const char *path, mode_t mode,
    const char *group, struct why *why)
{
	char	name[CONF_MAXUSER];

	if (conf_check_socket(path, why) == -1)
		return (-1);
	name[0] = '\0';
	if (group != NULL && conf_set_name(name, sizeof(name), group, why) == -1)
		return (-1);
	strlcpy(conf->control, path, sizeof(conf->control));
	strlcpy(conf->control_group, name, sizeof(conf->control_group));
	conf->control_mode = mode;
	return (0);
}

/*
 * Where Go's driver finds the parts: the last slash ends the address, the last
 * '@' before it ends the password.  The latter is NULL when there is none.
 */
static const char *
dsn_address(const char *dsn, const char **at, const char **slash)
{
	const char	*p;

	*at = NULL;
	if ((*slash = strrchr(dsn, '/')) == NULL)
		return (NULL);
	for (p = dsn; p < *slash; p++)
		if (*p == '@')
			*at = p;
	return (*at != NULL ? *at + 1 : dsn);
}

int
dsn_is_mysql(const char *dsn)
{
	const char	*address, *at, *slash;
	size_t		 len;

	if ((address = dsn_address(dsn, &at, &slash)) == NULL)
		return (0);
	len = (size_t)(slash - address);
	if (len == 0)
		return (1);
	if (len == strlen("tcp") && strncmp(address, "tcp", len) == 0)
		return (1);
	return (address[len - 1] == ')' &&
	    (strncmp(address, "tcp(", strlen("tcp(")) == 0 ||
	    strncmp(address, "unix(", strlen("unix(")) == 0));
}

void
dsn_mask(const char *dsn, char *buf, size_t size)
{
	const char	*at, *colon, *slash;

	dsn_address(dsn, &at, &slash);
	colon = strchr(dsn, ':');
	if (at == NULL || colon == NULL || colon > at)
		strlcpy(buf, dsn, size);
	else
		snprintf(buf, size, "%.*s" HIDDEN "%s",
		    (int)(colon + 1 - dsn), dsn, at);
}
