/*
 * The DSN of the MySQL driver for Go, read as that driver reads it:
 *
 *	[user[:password]@][net[(address)]]/database[?name=value&...]
 *
 * The last slash ends the address, the last '@' before it the password, which
 * is taken as it stands; only the database and some values are %-encoded.
 */
#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "duration.h"
#include "mysql_dsn.h"

#define NS_PER_MS	1000000
#define MAX_TIMEOUT	(10 * 60 * 1000)	/* ms */
#define FORM		"it must be of the form "			\
			"\"user:password@tcp(host:3306)/db\", "		\
			"\"user@unix(/path)/db\" or \"user@/db\""

struct reader {
	struct mysql_dsn	*dsn;
	char			*err;
	size_t			 errsize;
};

static int
wrong(const struct reader *r, const char *text)
{
	strlcpy(r->err, text, r->errsize);
	return (-1);
}

static int
take(const struct reader *r, char *dst, size_t size, const char *from,
    size_t len, const char *toolong)
{
	if (len >= size)
		return (wrong(r, toolong));
	memcpy(dst, from, len);
	dst[len] = '\0';
	return (0);
}

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

/* In place; PLUS: a '+' is a space.  -1 for what is no text then. */
static int
unescape(char *s, int plus)
{
	char	*out = s;
	int	 hi, lo;

	for (; *s != '\0'; s++) {
		if (*s == '%') {
			if ((hi = hexdigit(s[1])) == -1 ||
			    (lo = hexdigit(s[2])) == -1)
				return (-1);
			*out = (char)(hi << 4 | lo);
			if ((unsigned char)*out < ' ' || *out == 0x7f)
				return (-1);
			out++;
			s += 2;
		} else
			*out++ = plus && *s == '+' ? ' ' : *s;
	}
	*out = '\0';
	return (0);
}

static int
read_user(const struct reader *r, const char *from, const char *at)
{
	const char	*colon;

	if ((colon = memchr(from, ':', (size_t)(at - from))) == NULL)
		return (take(r, r->dsn->user, sizeof(r->dsn->user), from,
		    (size_t)(at - from), "the user's name is too long"));
	if (take(r, r->dsn->user, sizeof(r->dsn->user), from,
	    (size_t)(colon - from), "the user's name is too long") == -1)
		return (-1);
	return (take(r, r->dsn->password, sizeof(r->dsn->password), colon + 1,
	    (size_t)(at - colon - 1), "the password is too long"));
}

static int
read_port(const struct reader *r, const char *p, size_t len)
{
	unsigned long	port = 0;
	size_t		i;

	for (i = 0; i < len && i < 6 && p[i] >= '0' && p[i] <= '9'; i++)
		port = port * 10 + (unsigned long)(p[i] - '0');
	if (i == 0 || i < len || port == 0 || port > 65535)
		return (wrong(r, "the port must be a number from 1 to 65535"));
	r->dsn->port = (uint16_t)port;
	return (0);
}

/* host, host:port, [host], [host]:port, and IPv6 without a port as it is. */
static int
read_tcp(const struct reader *r, const char *p, size_t len)
{
	const char	*end = p + len, *host = p, *colon, *close;
	size_t		 n;

	if (len > 0 && *p == '[') {
		if ((close = memchr(p, ']', len)) == NULL)
			return (wrong(r, "the \"[\" of the address is not "
			    "closed"));
		host++;
		n = (size_t)(close - host);
		colon = close + 1 < end ? close + 1 : NULL;
		if (n == 0 || (colon != NULL && *colon != ':'))
			return (wrong(r, "the address must be \"[host]:port\" "
			    "or \"host:port\""));
	} else {
		colon = memchr(p, ':', len);
		/* More than one is an IPv6 address. */
		if (colon != NULL && memchr(colon + 1, ':',
		    (size_t)(end - colon - 1)) != NULL)
			colon = NULL;
		n = (size_t)((colon != NULL ? colon : end) - p);
	}
	if (colon != NULL && read_port(r, colon + 1,
	    (size_t)(end - colon - 1)) == -1)
		return (-1);
	/* As Go dials no host: this machine. */
	if (n == 0) {
		host = "127.0.0.1";
		n = strlen(host);
	}
	if (take(r, r->dsn->host, sizeof(r->dsn->host), host, n,
	    "the name of the host is too long") == -1)
		return (-1);
	if (strpbrk(r->dsn->host, "[]()/@ ") != NULL)
		return (wrong(r, "the address must be \"[host]:port\" or "
		    "\"host:port\""));
	return (0);
}

static int
read_socket(const struct reader *r, const char *p, size_t len)
{
	static const char	fallback[] = "/tmp/mysql.sock";

	if (len == 0) {
		p = fallback;
		len = sizeof(fallback) - 1;
	}
	if (*p != '/')
		return (wrong(r, "the path of the socket must start with "
		    "\"/\""));
	return (take(r, r->dsn->socket, sizeof(r->dsn->socket), p, len,
	    "the path of the socket is too long"));
}

static int
read_address(const struct reader *r, const char *p, const char *end)
{
	const char	*paren, *address = end;
	size_t		 net;

	if ((paren = memchr(p, '(', (size_t)(end - p))) != NULL) {
		if (end[-1] != ')')
			return (wrong(r, "the address must end with \")\" "
			    "right before the last \"/\""));
		address = paren + 1;
		end--;
	} else
		paren = end;
	net = (size_t)(paren - p);
	if (net == 0 || (net == 3 && memcmp(p, "tcp", 3) == 0))
		return (read_tcp(r, address, (size_t)(end - address)));
	if (net == 4 && memcmp(p, "unix", 4) == 0)
		return (read_socket(r, address, (size_t)(end - address)));
	return (wrong(r, FORM));
}

/* Params */

static int
param_timeout(const struct reader *r, const char *value, uint64_t *ms,
    const char *why)
{
	int64_t	ns;

	if (duration_parse(value, &ns) == -1 || ns < 0 ||
	    ns / NS_PER_MS > MAX_TIMEOUT)
		return (wrong(r, why));
	/* To Go 0 is for ever, which nobody here may wait. */
	if (ns > 0)
		*ms = (uint64_t)ns / NS_PER_MS + (ns % NS_PER_MS != 0);
	return (0);
}

static int
param_connect(const struct reader *r, char *value)
{
	return (param_timeout(r, value, &r->dsn->connect_timeout,
	    "timeout must be a duration such as \"3s\", at most 10m"));
}

static int
param_read(const struct reader *r, char *value)
{
	return (param_timeout(r, value, &r->dsn->read_timeout,
	    "readTimeout must be a duration such as \"3s\", at most 10m"));
}

static int
param_write(const struct reader *r, char *value)
{
	return (param_timeout(r, value, &r->dsn->write_timeout,
	    "writeTimeout must be a duration such as \"3s\", at most 10m"));
}

static int
param_tls(const struct reader *r, char *value)
{
	static const struct {
		const char	*name;
		enum mysql_tls	 tls;
	} names[] = {
		{ "true", MYSQL_TLS_VERIFY }, { "1", MYSQL_TLS_VERIFY },
		{ "false", MYSQL_TLS_OFF }, { "0", MYSQL_TLS_OFF },
		{ "skip-verify", MYSQL_TLS_UNCHECKED },
		{ "preferred", MYSQL_TLS_PREFERRED },
	};
	size_t	i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(value, names[i].name) == 0) {
			r->dsn->tls = names[i].tls;
			return (0);
		}
	return (wrong(r, "tls must be true, false, skip-verify or preferred"));
}

/*
 * Against whose NOW() the application's times are.  It goes into a statement:
 * only what names of zones are made of.
 */
static int
param_time_zone(const struct reader *r, char *value)
{
	static const char	why[] = "time_zone must be the %-encoded name "
				    "of a zone in quotes "
				    "(%27Europe%2FAthens%27)";
	size_t			len;

	if (unescape(value, 1) == -1)
		return (wrong(r, why));
	len = strlen(value);
	if (len < 3 || value[0] != '\'' || value[len - 1] != '\'' ||
	    strspn(value + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
	    "uvwxyz0123456789_/+:-") != len - 2)
		return (wrong(r, why));
	return (take(r, r->dsn->time_zone, sizeof(r->dsn->time_zone),
	    value + 1, len - 2, "the time_zone is too long"));
}

/* Without READ: nothing that a program in C would do otherwise. */
static const struct param {
	const char	*name;
	int		(*read)(const struct reader *, char *);
} params[] = {
	{ "timeout",	param_connect },
	{ "readTimeout", param_read },
	{ "writeTimeout", param_write },
	{ "tls",	param_tls },
	{ "time_zone",	param_time_zone },
	{ "allowAllFiles", NULL },
	{ "allowCleartextPasswords", NULL },
	{ "allowFallbackToPlaintext", NULL },
	{ "allowNativePasswords", NULL },
	{ "allowOldPasswords", NULL },
	{ "charset",	NULL },
	{ "checkConnLiveness", NULL },
	{ "clientFoundRows", NULL },
	{ "collation",	NULL },
	{ "columnsWithAlias", NULL },
	{ "compress",	NULL },
	{ "connectionAttributes", NULL },
	{ "interpolateParams", NULL },
	{ "loc",	NULL },
	{ "maxAllowedPacket", NULL },
	{ "multiStatements", NULL },
	{ "parseTime",	NULL },
	{ "rejectReadOnly", NULL },
	{ "serverPubKey", NULL },
	{ "timeTruncate", NULL },
};

static void
note_unknown(const struct reader *r, const char *name)
{
	size_t	n;

	if (*name == '\0')
		return;
	if (r->dsn->unknown[0] != '\0')
		strlcat(r->dsn->unknown, ", ", sizeof(r->dsn->unknown));
	n = strlcat(r->dsn->unknown, name, sizeof(r->dsn->unknown));
	if (n >= sizeof(r->dsn->unknown))
		memcpy(r->dsn->unknown + sizeof(r->dsn->unknown) - 4, "...", 4);
}

static int
read_param(const struct reader *r, char *name)
{
	char	*value;
	size_t	 i;

	/* Go passes over one without '='. */
	if ((value = strchr(name, '=')) == NULL)
		return (0);
	*value++ = '\0';
	for (i = 0; i < sizeof(params) / sizeof(params[0]); i++)
		if (strcmp(name, params[i].name) == 0)
			return (params[i].read == NULL ? 0 :
			    params[i].read(r, value));
	note_unknown(r, name);
	return (0);
}

static int
read_params(const struct reader *r, const char *text)
{
	char	*copy, *next, *item;
	int	 rv = 0;

	if ((copy = strdup(text)) == NULL)
		return (wrong(r, "no memory for the DSN"));
	next = copy;
	while (rv == 0 && (item = strsep(&next, "&")) != NULL)
		rv = read_param(r, item);
	freezero(copy, strlen(text) + 1);
	return (rv);
}

static int
read_database(const struct reader *r, const char *p)
{
	char	name[3 * sizeof(r->dsn->database)];
	size_t	len = strcspn(p, "?");

	if (take(r, name, sizeof(name), p, len,
	    "the name of the database is too long") == -1)
		return (-1);
	if (unescape(name, 0) == -1)
		return (wrong(r, "the name of the database has a bad "
		    "%-escape"));
	if (name[0] == '\0')
		return (wrong(r, "it names no database (\"/db\" at its end)"));
	if (take(r, r->dsn->database, sizeof(r->dsn->database), name,
	    strlen(name), "the name of the database is too long") == -1)
		return (-1);
	return (p[len] == '?' ? read_params(r, p + len + 1) : 0);
}

int
mysql_dsn_parse(const char *text, struct mysql_dsn *dsn, char *err,
    size_t errsize)
{
	struct reader	 r = { dsn, err, errsize };
	const char	*slash, *at, *p;

	memset(dsn, 0, sizeof(*dsn));
	dsn->port = MYSQL_DSN_PORT;
	dsn->connect_timeout = dsn->read_timeout = dsn->write_timeout =
	    MYSQL_DSN_TIMEOUT;
	if ((slash = strrchr(text, '/')) == NULL) {
		memset(dsn, 0, sizeof(*dsn));
		return (wrong(&r, FORM));
	}
	for (at = NULL, p = text; p < slash; p++)
		if (*p == '@')
			at = p;
	if ((at != NULL && read_user(&r, text, at) == -1) ||
	    read_address(&r, at != NULL ? at + 1 : text, slash) == -1 ||
	    read_database(&r, slash + 1) == -1) {
		explicit_bzero(dsn, sizeof(*dsn));
		return (-1);
	}
	return (0);
}

int
mysql_dsn_check(const char *text, char *err, size_t errsize)
{
	struct mysql_dsn	dsn;
	int			rv;

	rv = mysql_dsn_parse(text, &dsn, err, errsize);
	explicit_bzero(&dsn, sizeof(dsn));
	return (rv);
}

/* Making one */

static void
add(char *dsn, size_t size, const char *a, const char *b)
{
	if (b == NULL)
		return;
	strlcat(dsn, a, size);
	strlcat(dsn, b, size);
}

static void
add_database(char *dsn, size_t size, const char *name)
{
	char	enc[4];

	for (; *name != '\0'; name++) {
		if (strchr("/?%", *name) != NULL)
			snprintf(enc, sizeof(enc), "%%%02X",
			    (unsigned int)(unsigned char)*name);
		else
			snprintf(enc, sizeof(enc), "%c", *name);
		strlcat(dsn, enc, size);
	}
}

int
mysql_dsn_make(const struct mysql_parts *parts, char *dsn, size_t size,
    char *err, size_t errsize)
{
	int	v6;

	dsn[0] = '\0';
	if (parts->user != NULL && strchr(parts->user, ':') != NULL) {
		strlcpy(err, "the user's name must not have a \":\"", errsize);
		return (-1);
	}
	add(dsn, size, "", parts->user);
	add(dsn, size, ":", parts->password);
	if (parts->user != NULL || parts->password != NULL)
		strlcat(dsn, "@", size);
	if (parts->socket != NULL) {
		add(dsn, size, "unix(", parts->socket);
		strlcat(dsn, ")", size);
	} else if (parts->host != NULL || parts->port != NULL) {
		v6 = parts->host != NULL && strchr(parts->host, ':') != NULL &&
		    parts->host[0] != '[';
		add(dsn, size, v6 ? "tcp([" : "tcp(",
		    parts->host != NULL ? parts->host : "");
		if (v6)
			strlcat(dsn, "]", size);
		add(dsn, size, ":", parts->port);
		strlcat(dsn, ")", size);
	}
	strlcat(dsn, "/", size);
	add_database(dsn, size, parts->database);
	add(dsn, size, "?tls=", parts->tls);
	if (strlen(dsn) + 1 >= size) {
		strlcpy(err, "all of it together is too long", errsize);
		return (-1);
	}
	return (mysql_dsn_check(dsn, err, errsize));
}
