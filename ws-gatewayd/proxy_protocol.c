/* The PROXY protocol's header, by the specification that haproxy keeps. */
#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <string.h>

#include "proxy_protocol.h"

#define V1_WORDS	6	/* PROXY TCP4 source destination port port */

/* The 13th byte: version and command. */
#define V2_LOCAL	0x20
#define V2_PROXY	0x21

/* The 14th byte: family and transport. */
#define V2_TCP4		0x11
#define V2_TCP6		0x21
#define V2_FAMILY_LAST	0x3	/* unix sockets */
#define V2_PROTO_LAST	0x2	/* datagrams */

/* Source and destination, then the ports of both. */
#define V2_TCP4_LEN	(2 * 4 + 2 * 2)
#define V2_TCP6_LEN	(2 * 16 + 2 * 2)

static const uint8_t	v1_start[] = { 'P', 'R', 'O', 'X', 'Y', ' ' };
static const uint8_t	v2_start[] = {
	'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'
};

static enum proxy_result
fail(struct proxy_header *h, const char *reason)
{
	h->reason = reason;
	return (PROXY_ERROR);
}

static int
starts_with(const uint8_t *buf, size_t len, const uint8_t *start, size_t n)
{
	return (memcmp(buf, start, len < n ? len : n) == 0);
}

/* Digits alone, no leading zero. */
static int
v1_port(const char *s, uint16_t *port)
{
	unsigned	n = 0;
	size_t		i;

	if (s[0] == '\0' || (s[0] == '0' && s[1] != '\0'))
		return (-1);
	for (i = 0; s[i] != '\0'; i++) {
		if (i == 5 || s[i] < '0' || s[i] > '9')
			return (-1);
		n = n * 10 + (unsigned)(s[i] - '0');
	}
	if (n > 65535)
		return (-1);
	*port = (uint16_t)n;
	return (0);
}

static enum proxy_result
v1_addresses(char *words[V1_WORDS], int family, struct proxy_header *h)
{
	uint8_t		destination[16];
	uint16_t	port;

	if (inet_pton(family, words[2], h->addr.ip) != 1 ||
	    inet_pton(family, words[3], destination) != 1)
		return (fail(h, "an address is bad"));
	if (v1_port(words[4], &h->addr.port) == -1 ||
	    v1_port(words[5], &port) == -1)
		return (fail(h, "a port is bad"));
	h->addr.family = (uint8_t)family;
	network_canonical(&h->addr);
	return (PROXY_OK);
}

/* A whole line, without its end. */
static enum proxy_result
v1_line(char *line, struct proxy_header *h)
{
	char	*words[V1_WORDS], *p = line;
	int	 n = 0;

	while (n < V1_WORDS && (words[n] = strsep(&p, " ")) != NULL)
		n++;
	/* What else it says of a client that it does not know is ignored. */
	if (n >= 2 && strcmp(words[1], "UNKNOWN") == 0)
		return (PROXY_OK);
	if (n < V1_WORDS || p != NULL)
		return (fail(h, "not the six words of a line"));
	if (strcmp(words[1], "TCP4") == 0)
		return (v1_addresses(words, AF_INET, h));
	if (strcmp(words[1], "TCP6") == 0)
		return (v1_addresses(words, AF_INET6, h));
	return (fail(h, "the protocol is none of TCP4, TCP6, UNKNOWN"));
}

static enum proxy_result
v1(const uint8_t *buf, size_t len, struct proxy_header *h)
{
	char	line[PROXY_V1_MAX + 1];
	size_t	i;

	/* The last byte of the longest line is its LF. */
	for (i = 0; i < len && i < PROXY_V1_MAX - 1; i++) {
		if (buf[i] == '\n' || buf[i] == '\0')
			return (fail(h, "a line that ends without CR LF"));
		if (buf[i] != '\r')
			continue;
		if (i + 1 == len)
			return (PROXY_AGAIN);
		if (buf[i + 1] != '\n')
			return (fail(h, "a line that ends without CR LF"));
		memcpy(line, buf, i);
		line[i] = '\0';
		h->used = i + 2;
		return (v1_line(line, h));
	}
	return (i < len ? fail(h, "the line is too long") : PROXY_AGAIN);
}

static unsigned
get16(const uint8_t *p)
{
	return ((unsigned)p[0] << 8 | p[1]);
}

/* The LEN bytes behind the head: addresses, and what we skip. */
static enum proxy_result
v2_addresses(const uint8_t *p, size_t len, int kind, struct proxy_header *h)
{
	switch (kind) {
	case V2_TCP4:
		if (len < V2_TCP4_LEN)
			return (fail(h, "too short for its addresses"));
		h->addr.family = AF_INET;
		memcpy(h->addr.ip, p, 4);
		h->addr.port = (uint16_t)get16(p + 8);
		break;
	case V2_TCP6:
		if (len < V2_TCP6_LEN)
			return (fail(h, "too short for its addresses"));
		h->addr.family = AF_INET6;
		memcpy(h->addr.ip, p, 16);
		h->addr.port = (uint16_t)get16(p + 32);
		network_canonical(&h->addr);
		break;
	default:
		/* Unix sockets and such: nothing that we could use. */
		break;
	}
	return (PROXY_OK);
}

static enum proxy_result
v2(const uint8_t *buf, size_t len, struct proxy_header *h)
{
	size_t	rest;

	if (len > 12 && buf[12] >> 4 != 2)
		return (fail(h, "the version is not 2"));
	if (len > 12 && buf[12] != V2_LOCAL && buf[12] != V2_PROXY)
		return (fail(h, "the command is neither LOCAL nor PROXY"));
	/* Of LOCAL the family is to be ignored, whatever it says. */
	if (len > 13 && buf[12] == V2_PROXY &&
	    (buf[13] >> 4 > V2_FAMILY_LAST || (buf[13] & 15) > V2_PROTO_LAST))
		return (fail(h, "the family or protocol is not known"));
	if (len < PROXY_V2_HEAD)
		return (PROXY_AGAIN);
	rest = get16(buf + 14);
	if (PROXY_V2_HEAD + rest > PROXY_V2_MAX)
		return (fail(h, "the header is too long"));
	if (len < PROXY_V2_HEAD + rest)
		return (PROXY_AGAIN);
	h->used = PROXY_V2_HEAD + rest;
	if (buf[12] == V2_LOCAL)
		return (PROXY_OK);
	return (v2_addresses(buf + PROXY_V2_HEAD, rest, buf[13], h));
}

enum proxy_result
proxy_protocol(const uint8_t *buf, size_t len, struct proxy_header *h)
{
	memset(h, 0, sizeof(*h));
	h->addr.family = AF_UNSPEC;
	if (starts_with(buf, len, v2_start, sizeof(v2_start)))
		return (v2(buf, len, h));
	if (starts_with(buf, len, v1_start, sizeof(v1_start)))
		return (v1(buf, len, h));
	return (fail(h, "no PROXY protocol"));
}
