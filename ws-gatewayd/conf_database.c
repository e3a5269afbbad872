/*
 * The database as a block of the file: its parts made into the one text that
 * all else knows, a DSN, and what has no place in one beside it.
 */
#include <sys/types.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf.h"
#include "conf_set.h"
#include "log.h"
#include "mysql_dsn.h"

static const struct {
	const char	*name;
	enum conf_dbopt	 opt;
} names[] = {
	{ "dsn",	DBOPT_DSN },
	{ "host",	DBOPT_HOST },
	{ "port",	DBOPT_PORT },
	{ "socket",	DBOPT_SOCKET },
	{ "database",	DBOPT_DATABASE },
	{ "user",	DBOPT_USER },
	{ "password",	DBOPT_PASSWORD },
	{ "password file", DBOPT_PASSWORD_FILE },
	{ "tls",	DBOPT_TLS },
	{ "tls ca",	DBOPT_TLS_CA },
	{ "tls cert",	DBOPT_TLS_CERT },
	{ "tls key",	DBOPT_TLS_KEY },
};

int
conf_dbopt(const char *name)
{
	size_t	i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, name) == 0)
			return ((int)names[i].opt);
	return (-1);
}

const char *
conf_dbopt_name(enum conf_dbopt opt)
{
	size_t	i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].opt == opt)
			return (names[i].name);
	return ("?");
}

void
conf_clear_database(struct conf *conf)
{
	explicit_bzero(conf->db_password, sizeof(conf->db_password));
	conf->db_password_file[0] = '\0';
	conf->db_tls_ca[0] = conf->db_tls_cert[0] = conf->db_tls_key[0] = '\0';
}

/* Two that exclude each other, or one that needs another. */
static int
check_together(const char *const *o, struct why *why)
{
	static const enum conf_dbopt	parts[] = { DBOPT_HOST, DBOPT_PORT,
					    DBOPT_SOCKET, DBOPT_DATABASE,
					    DBOPT_USER, DBOPT_PASSWORD };
	size_t				i;

	if (o[DBOPT_DSN] != NULL)
		for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			if (o[parts[i]] != NULL)
				return (why_set(why, "%s is a part of the dsn",
				    conf_dbopt_name(parts[i])));
	if (o[DBOPT_SOCKET] != NULL &&
	    (o[DBOPT_HOST] != NULL || o[DBOPT_PORT] != NULL))
		return (why_set(why, "give a socket, or host and port"));
	if (o[DBOPT_PASSWORD] != NULL && o[DBOPT_PASSWORD_FILE] != NULL)
		return (why_set(why, "give the password, or its file"));
	if (o[DBOPT_DSN] == NULL && o[DBOPT_DATABASE] == NULL)
		return (why_set(why, "the name of the database is missing "
		    "(database \"name\")"));
	if ((o[DBOPT_TLS_CERT] == NULL) != (o[DBOPT_TLS_KEY] == NULL))
		return (why_set(why, "tls cert and key go together"));
	return (0);
}

static int
set_path(char *dst, size_t size, const char *path, const char *what,
    struct why *why)
{
	if (path == NULL)
		return (0);
	if (*path != '/')
		return (why_set(why, "the path of the %s must start with "
		    "\"/\"", what));
	if (strlcpy(dst, path, size) >= size)
		return (why_set(why, "the path of the %s is too long", what));
	return (0);
}

/* The first line of the file. */
static int
read_password(const char *path, char *buf, size_t size, struct why *why)
{
	struct stat	st;
	ssize_t		n = -1;
	int		fd;

	if ((fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) == -1)
		return (why_set(why, "password file %s: %s", path,
		    conf_file_error(errno)));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = read(fd, buf, size);
	close(fd);
	if (n == -1)
		return (why_set(why, "password file %s can't be read", path));
	if ((size_t)n == size && memchr(buf, '\n', size) == NULL) {
		explicit_bzero(buf, size);
		return (why_set(why, "password file %s: its first line is too "
		    "long", path));
	}
	buf[(size_t)n < size ? (size_t)n : size - 1] = '\0';
	buf[strcspn(buf, "\r\n")] = '\0';
	if (buf[0] == '\0')
		return (why_set(why, "password file %s: its first line is "
		    "empty", path));
	return (0);
}

static int
set_password_file(struct conf *conf, const char *path, struct why *why)
{
	struct mysql_dsn	dsn;
	int			has;

	if (path == NULL)
		return (0);
	has = mysql_dsn_parse(conf->dsn, &dsn, why->text,
	    sizeof(why->text)) == 0 && dsn.password[0] != '\0';
	explicit_bzero(&dsn, sizeof(dsn));
	if (has)
		return (why_set(why, "give the password in the dsn, or its "
		    "file"));
	if (set_path(conf->db_password_file, sizeof(conf->db_password_file),
	    path, "password file", why) == -1)
		return (-1);
	return (read_password(path, conf->db_password,
	    sizeof(conf->db_password), why));
}

/* A "tls" block with a DSN that does not speak of it means it. */
static int
use_tls(struct conf *conf, struct why *why)
{
	struct mysql_dsn	dsn;
	int			off;

	off = mysql_dsn_parse(conf->dsn, &dsn, why->text,
	    sizeof(why->text)) == 0 && dsn.tls == MYSQL_TLS_OFF;
	explicit_bzero(&dsn, sizeof(dsn));
	if (off && strlcat(conf->dsn, strchr(strrchr(conf->dsn, '/'), '?') !=
	    NULL ? "&tls=true" : "?tls=true", sizeof(conf->dsn)) >=
	    sizeof(conf->dsn))
		return (why_set(why, "the DSN is too long"));
	return (0);
}

static int
set_dsn(struct conf *conf, const char *const *o, struct why *why)
{
	struct mysql_parts	parts;
	char			dsn[CONF_MAXDSN];
	int			rv;

	if (o[DBOPT_DSN] != NULL)
		return (conf_set_dsn(conf, o[DBOPT_DSN], why));
	memset(&parts, 0, sizeof(parts));
	parts.user = o[DBOPT_USER];
	parts.password = o[DBOPT_PASSWORD];
	parts.host = o[DBOPT_HOST];
	parts.port = o[DBOPT_PORT];
	parts.socket = o[DBOPT_SOCKET];
	parts.database = o[DBOPT_DATABASE];
	rv = mysql_dsn_make(&parts, dsn, sizeof(dsn), why->text,
	    sizeof(why->text));
	if (rv == 0)
		rv = conf_set_dsn(conf, dsn, why);
	explicit_bzero(dsn, sizeof(dsn));
	return (rv);
}

int
conf_set_database(struct conf *conf, const char *const o[DBOPTS],
    struct why *why)
{
	if (conf->db != DB_MYSQL)
		return (why_set(why, "only mysql has a block: give the DSN"));
	if (check_together(o, why) == -1 || set_dsn(conf, o, why) == -1)
		return (-1);
	if (mysql_dsn_check(conf->dsn, why->text, sizeof(why->text)) == -1)
		return (-1);
	if (o[DBOPT_TLS] != NULL && use_tls(conf, why) == -1)
		return (-1);
	if (set_path(conf->db_tls_ca, sizeof(conf->db_tls_ca),
	    o[DBOPT_TLS_CA], "CA", why) == -1 ||
	    set_path(conf->db_tls_cert, sizeof(conf->db_tls_cert),
	    o[DBOPT_TLS_CERT], "certificate", why) == -1 ||
	    set_path(conf->db_tls_key, sizeof(conf->db_tls_key),
	    o[DBOPT_TLS_KEY], "key", why) == -1)
		return (-1);
	return (set_password_file(conf, o[DBOPT_PASSWORD_FILE], why));
}
