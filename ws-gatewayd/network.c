/*
 * Addresses and networks as text and bytes.  An IPv4 address is one, whatever
 * family the socket has that it came by.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"

#define MAPPED_BITS	96

static const uint8_t	mapped[12] = { [10] = 0xff, [11] = 0xff };

static int
is_mapped(const uint8_t ip[16])
{
	return (memcmp(ip, mapped, sizeof(mapped)) == 0);
}

void
network_canonical(struct conn_addr *a)
{
	if (a->family != AF_INET6 || !is_mapped(a->ip))
		return;
	a->family = AF_INET;
	memmove(a->ip, a->ip + sizeof(mapped), 4);
	memset(a->ip + 4, 0, sizeof(a->ip) - 4);
}

static int
same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned	whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return (0);
	return (rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

int
network_match(const struct network *nets, size_t n,
    const struct conn_addr *addr)
{
	struct conn_addr	 a = *addr;
	size_t			 i;

	network_canonical(&a);
	for (i = 0; i < n; i++)
		if (nets[i].family == a.family && (a.family == AF_UNIX ||
		    same_prefix(nets[i].ip, a.ip, nets[i].bits)))
			return (1);
	return (0);
}

/* The number of bits behind the slash, or -1. */
static int
parse_bits(const char *s, int max)
{
	char	*end;
	long	 bits;

	if (*s < '0' || *s > '9' || (*s == '0' && s[1] != '\0'))
		return (-1);
	bits = strtol(s, &end, 10);
	return (*end != '\0' || bits > max ? -1 : (int)bits);
}

static int
has_host_bits(const struct network *net)
{
	unsigned	i;

	for (i = net->bits; i < (net->family == AF_INET ? 32U : 128U); i++)
		if (net->ip[i / 8] >> (7 - i % 8) & 1)
			return (1);
	return (0);
}

static const char *
network_wrong(const struct network *net)
{
	if (net->bits == 0)
		return ("it would be everybody");
	if (has_host_bits(net))
		return ("it has bits behind its prefix");
	return (NULL);
}

int
network_parse(const char *text, struct network *net, const char **reason)
{
	char	 ip[NETWORK_MAXTEXT];
	size_t	 len = strcspn(text, "/");
	int	 bits, max;

	memset(net, 0, sizeof(*net));
	if (strcmp(text, "unix") == 0) {
		net->family = AF_UNIX;
		return (0);
	}
	*reason = "it is no IPv4 or IPv6 address, nor \"unix\"";
	if (len >= sizeof(ip))
		return (-1);
	memcpy(ip, text, len);
	ip[len] = '\0';
	net->family = strchr(ip, ':') != NULL ? AF_INET6 : AF_INET;
	max = net->family == AF_INET ? 32 : 128;
	if (inet_pton(net->family, ip, net->ip) != 1)
		return (-1);
	bits = text[len] == '/' ? parse_bits(text + len + 1, max) : max;
	if (bits == -1) {
		*reason = max == 32 ? "the length of the prefix is 1 to 32" :
		    "the length of the prefix is 1 to 128";
		return (-1);
	}
	if (net->family == AF_INET6 && is_mapped(net->ip) &&
	    bits >= MAPPED_BITS) {
		net->family = AF_INET;
		memmove(net->ip, net->ip + sizeof(mapped), 4);
		memset(net->ip + 4, 0, sizeof(net->ip) - 4);
		bits -= MAPPED_BITS;
	}
	net->bits = (uint8_t)bits;
	*reason = network_wrong(net);
	return (*reason == NULL ? 0 : -1);
}

char *
network_format(const struct network *net, char *buf, size_t size)
{
	char	ip[INET6_ADDRSTRLEN];

	if (net->family == AF_UNIX ||
	    inet_ntop(net->family, net->ip, ip, sizeof(ip)) == NULL)
		strlcpy(buf, "unix", size);
	else if (net->bits == (net->family == AF_INET ? 32 : 128))
		strlcpy(buf, ip, size);
	else
		snprintf(buf, size, "%s/%u", ip, net->bits);
	return (buf);
}

/* Behind the colon: a number, or a name that the proxy made up. */
static int
parse_port(const char *s, size_t len, uint16_t *port)
{
	unsigned long	n = 0;
	size_t		i;

	*port = 0;
	if (len > 1 && s[0] == '_')
		return (0);
	if (len == 0 || len > 5)
		return (-1);
	for (i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return (-1);
		n = n * 10 + (unsigned long)(s[i] - '0');
	}
	if (n > 65535)
		return (-1);
	*port = (uint16_t)n;
	return (0);
}

int
network_node(const char *s, size_t len, struct conn_addr *addr)
{
	char		 ip[INET6_ADDRSTRLEN];
	const char	*end, *port = NULL;
	size_t		 iplen;

	memset(addr, 0, sizeof(*addr));
	end = s + len;
	addr->family = AF_INET6;
	if (len > 0 && *s == '[') {
		s++;
		if ((port = memchr(s, ']', (size_t)(end - s))) == NULL)
			return (-1);
		iplen = (size_t)(port - s);
		if (++port < end && *port != ':')
			return (-1);
	} else if ((port = memchr(s, ':', len)) == NULL ||
	    memchr(port + 1, ':', (size_t)(end - port - 1)) == NULL) {
		addr->family = AF_INET;
		if (port == NULL)
			port = end;
		iplen = (size_t)(port - s);
	} else {
		port = end;
		iplen = len;
	}
	if (iplen >= sizeof(ip) || memchr(s, '\0', iplen) != NULL ||
	    (port < end && parse_port(port + 1, (size_t)(end - port - 1),
	    &addr->port) == -1))
		return (-1);
	memcpy(ip, s, iplen);
	ip[iplen] = '\0';
	if (inet_pton(addr->family, ip, addr->ip) != 1)
		return (-1);
	network_canonical(addr);
	return (0);
}
