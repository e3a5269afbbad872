/*
 * From a DSN of the SQLite drivers for Go to a path: a plain one, or the
 * file: URI of SQLite, both with parameters behind a question mark.
 *
 * SQLite could read the URI itself.  It would also obey its parameters
 * (immutable, nolock, vfs), none of which suits a file that others write.
 */
#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "store_sqlite.h"

static int
hexdigit(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (c - 'A' + 10);
	return (-1);
}

/* Percent-decode in place; -1 for a NUL or a bad escape. */
static int
unescape(char *s)
{
	char	*out = s;
	int	 hi, lo;

	for (; *s != '\0'; s++) {
		if (*s == '%') {
			if ((hi = hexdigit(s[1])) == -1 ||
			    (lo = hexdigit(s[2])) == -1 || (hi | lo) == 0)
				return (-1);
			*out++ = (char)(hi << 4 | lo);
			s += 2;
		} else
			*out++ = *s;
	}
	*out = '\0';
	return (0);
}

/* Whether the parameters have "name=value". */
static int
has_param(const char *params, const char *param)
{
	size_t	len = strlen(param), n;

	while (params != NULL && *params != '\0') {
		n = strcspn(params, "&");
		if (n == len && strncmp(params, param, n) == 0)
			return (1);
		params += n;
		params += strspn(params, "&");
	}
	return (0);
}

/* Behind "file:" may be "//" and an authority: none, or this machine. */
static const char *
skip_authority(const char *uri)
{
	if (strncmp(uri, "//", 2) != 0)
		return (uri);
	uri += 2;
	if (strncmp(uri, "localhost/", 10) == 0)
		uri += 9;
	return (*uri == '/' ? uri : NULL);
}

int
sqlite_dsn(const char *dsn, const char *cwd, char *path, size_t size,
    int *readonly, char *err)
{
	char		 name[SQLITE_PATHSIZE];
	char		*params;
	const char	*p = dsn;
	int		 uri, n;

	if ((uri = strncmp(dsn, "file:", 5) == 0) &&
	    (p = skip_authority(dsn + 5)) == NULL) {
		strlcpy(err, "the DSN names another host: a database file "
		    "must be on this one (file:/path)", DB_ERRSIZE);
		return (-1);
	}
	if (strlcpy(name, p, sizeof(name)) >= sizeof(name)) {
		strlcpy(err, "the path of the database is too long",
		    DB_ERRSIZE);
		return (-1);
	}
	if (uri)
		name[strcspn(name, "#")] = '\0';
	if ((params = strchr(name, '?')) != NULL)
		*params++ = '\0';
	*readonly = has_param(params, "mode=ro");
	if (uri && unescape(name) == -1) {
		strlcpy(err, "the DSN has a bad %-escape in its path",
		    DB_ERRSIZE);
		return (-1);
	}
	if (name[0] == '\0' || strcmp(name, ":memory:") == 0 ||
	    has_param(params, "mode=memory")) {
		strlcpy(err, "the DSN names no file: a database in memory "
		    "can't be shared with the application that issues tokens",
		    DB_ERRSIZE);
		return (-1);
	}
	if (name[0] == '/')
		n = snprintf(path, size, "%s", name);
	else
		n = snprintf(path, size, "%s%s%s", cwd,
		    cwd[0] != '\0' && cwd[strlen(cwd) - 1] == '/' ? "" : "/",
		    name);
	if (n < 0 || (size_t)n >= size) {
		strlcpy(err, "the path of the database is too long",
		    DB_ERRSIZE);
		return (-1);
	}
	return (0);
}
