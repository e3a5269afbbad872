/*
 * Addresses as text: origins in one spelling, and "[host]:port" taken apart.
 * Nothing is resolved here.  origin_normalise() gets what a stranger's browser
 * sends, too.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"

#define DIGITS	"0123456789"
#define LOWER	"abcdefghijklmnopqrstuvwxyz"
#define UPPER	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Decimal, at most 65535; -1 when it is no such number. */
static int
port_number(const char *s)
{
	long	n;

	if (*s == '\0' || strlen(s) > 5 || s[strspn(s, DIGITS)] != '\0')
		return (-1);
	n = strtol(s, NULL, 10);
	return (n <= 65535 ? (int)n : -1);
}

/* LEN bytes as a string, in lower case; -1 when too long or not plain ASCII. */
static int
lower(const char *s, size_t len, char *out, size_t size)
{
	size_t	i;

	if (len >= size)
		return (-1);
	for (i = 0; i < len; i++) {
		if (s[i] <= ' ' || s[i] >= 0x7f)
			return (-1);
		out[i] = s[i] >= 'A' && s[i] <= 'Z' ? s[i] + ('a' - 'A') : s[i];
	}
	out[len] = '\0';
	return (0);
}

/* The "[...]" that TEXT starts with becomes one spelling of an IPv6 address. */
static char *
origin_ipv6(char *text, char *host, size_t size)
{
	struct in6_addr	 addr;
	char		*end, buf[INET6_ADDRSTRLEN];

	if ((end = strchr(text, ']')) == NULL)
		return (NULL);
	*end = '\0';
	if (inet_pton(AF_INET6, text + 1, &addr) != 1 ||
	    inet_ntop(AF_INET6, &addr, buf, sizeof(buf)) == NULL)
		return (NULL);
	snprintf(host, size, "[%s]", buf);
	return (end + 1);
}

static char *
origin_name(char *text, char *host, size_t size)
{
	size_t	len;

	len = strspn(text, LOWER DIGITS "-._~");
	if (len == 0 || len >= size)
		return (NULL);
	memcpy(host, text, len);
	host[len] = '\0';
	return (text + len);
}

int
origin_normalise(const char *text, size_t len, char *out, size_t outsize)
{
	char	 buf[CONF_MAXORIGIN], host[CONF_MAXORIGIN], *p;
	int	 n, port;

	if (lower(text, len, buf, sizeof(buf)) == -1 ||
	    (p = strstr(buf, "://")) == NULL)
		return (-1);
	*p = '\0';
	p += strlen("://");
	if (strspn(buf, LOWER) == 0 ||
	    buf[strspn(buf, LOWER DIGITS "+-.")] != '\0')
		return (-1);
	p = *p == '[' ? origin_ipv6(p, host, sizeof(host)) :
	    origin_name(p, host, sizeof(host));
	if (p == NULL)
		return (-1);
	port = 0;
	if (*p == ':') {
		if ((port = port_number(p + 1)) <= 0)
			return (-1);
	} else if (*p != '\0')
		return (-1);
	if ((port == 80 && strcmp(buf, "http") == 0) ||
	    (port == 443 && strcmp(buf, "https") == 0))
		port = 0;
	if (port == 0)
		n = snprintf(out, outsize, "%s://%s", buf, host);
	else
		n = snprintf(out, outsize, "%s://%s:%d", buf, host, port);
	return (n < 0 || (size_t)n >= outsize ? -1 : 0);
}

/* A port's number, or a name that getaddrinfo(3) may know. */
static const char *
port_wrong(const char *port)
{
	if (*port == '\0')
		return ("the port is missing");
	if (port_number(port) != -1)
		return (NULL);
	if (port[strspn(port, LOWER UPPER DIGITS "-_")] == '\0' &&
	    strcspn(port, LOWER UPPER) != strlen(port))
		return (NULL);
	return ("a port is a number of 0 to 65535, or the name of a service");
}

static const char *
host_wrong(const char *host)
{
	struct in_addr	addr;

	if (strcmp(host, "*") == 0)
		return ("leave the host out to listen on every address");
	if (host[strspn(host, LOWER UPPER DIGITS "-._")] != '\0')
		return ("a host is a name, an IPv4 address, or an IPv6 address "
		    "in brackets");
	if (*host != '\0' && host[strspn(host, DIGITS ".")] == '\0' &&
	    inet_pton(AF_INET, host, &addr) != 1)
		return ("the host is no IPv4 address");
	return (NULL);
}

/* What is between brackets; the zone of a link-local address may follow. */
static const char *
host6_wrong(const char *host)
{
	struct in6_addr	addr;
	char		buf[INET6_ADDRSTRLEN];
	size_t		len;

	len = strcspn(host, "%");
	if (len >= sizeof(buf))
		return ("what is in brackets is no IPv6 address");
	memcpy(buf, host, len);
	buf[len] = '\0';
	if (inet_pton(AF_INET6, buf, &addr) != 1)
		return ("what is in brackets is no IPv6 address");
	if (host[len] == '%' && (host[len + 1] == '\0' ||
	    host[len + strspn(host + len, LOWER UPPER DIGITS "%-._")] != '\0'))
		return ("the zone of the IPv6 address is bad");
	return (NULL);
}

static int
copy(char *out, size_t size, const char *s, size_t len)
{
	if (len >= size)
		return (-1);
	memcpy(out, s, len);
	out[len] = '\0';
	return (0);
}

int
listen_split(const char *text, char *host, size_t hostsize, char *port,
    size_t portsize, const char **reason)
{
	const char	*name, *colon;
	size_t		 len;
	int		 bracket;

	*reason = NULL;
	bracket = *text == '[';
	name = bracket ? text + 1 : text;
	if (bracket) {
		len = strcspn(name, "]");
		colon = name[len] == ']' ? name + len + 1 : NULL;
		if (colon == NULL)
			*reason = "the bracket is not closed";
		else if (*colon != ':')
			*reason = "no \":\" and port behind the bracket";
	} else {
		colon = strchr(name, ':');
		len = colon != NULL ? (size_t)(colon - name) : 0;
		if (colon == NULL)
			*reason = port_wrong(name) == NULL &&
			    port_number(name) != -1 ?
			    "a port alone is written with a colon: \":8080\"" :
			    "the port is missing: \"host:port\" or \":8080\"";
		else if (strchr(colon + 1, ':') != NULL)
			*reason = "an IPv6 address goes into brackets: "
			    "\"[::1]:8080\"";
	}
	if (*reason != NULL)
		return (-1);
	if (copy(host, hostsize, name, len) == -1 ||
	    copy(port, portsize, colon + 1, strlen(colon + 1)) == -1) {
		*reason = "it is too long";
		return (-1);
	}
	*reason = bracket ? host6_wrong(host) : host_wrong(host);
	if (*reason == NULL)
		*reason = port_wrong(port);
	return (*reason == NULL ? 0 : -1);
}
