/*
 * What proxies say of their clients.  The first byte chooses: the PROXY
 * protocol's header gives the same in one piece and in pieces, within its
 * bounds; X-Forwarded-For and Forwarded give an untrusted address that nothing
 * to its left can change; a network that is taken is written in a form that
 * means it.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "forwarded.h"
#include "network.h"
#include "proxy_protocol.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct network	trusted[] = {
	{ .family = AF_INET, .bits = 8, .ip = { 10 } },
	{ .family = AF_INET6, .bits = 8, .ip = { 0xfd } },
};

static void *
copy(const void *data, size_t size)
{
	void	*p;

	if ((p = malloc(size == 0 ? 1 : size)) == NULL)
		abort();
	memcpy(p, data, size);
	return (p);
}

static void
fuzz_protocol(const uint8_t *data, size_t size)
{
	struct proxy_header	 whole, part;
	enum proxy_result	 res, want;
	uint8_t			*piece;
	size_t			 n;

	want = proxy_protocol(data, size, &whole);
	if ((want == PROXY_OK && (whole.used > size || whole.used == 0)) ||
	    (want == PROXY_ERROR && whole.reason == NULL) ||
	    (want == PROXY_AGAIN && size >= PROXY_V2_MAX))
		abort();
	/* Where pieces end counts near the bounds only. */
	for (n = 0; n < size; n += n > 128 && n + 128 < size ? 61 : 1) {
		piece = copy(data, n);
		res = proxy_protocol(piece, n, &part);
		free(piece);
		if (res == PROXY_AGAIN)
			continue;
		if (res != want || (res == PROXY_OK &&
		    (part.used != whole.used || memcmp(&part.addr,
		    &whole.addr, sizeof(part.addr)) != 0)))
			abort();
	}
	if (want == PROXY_OK && whole.addr.family != AF_UNSPEC &&
	    whole.addr.family != AF_INET && whole.addr.family != AF_INET6)
		abort();
}

static void
walk(struct forwarded *f, enum forwarded_kind kind, const char *line,
    size_t len)
{
	static const struct conn_addr	peer = {
		.family = AF_INET, .ip = { 10, 0, 0, 1 }
	};

	forwarded_init(f, kind, trusted, 2, &peer);
	forwarded_line(f, line, len);
}

static void
fuzz_forwarded(enum forwarded_kind kind, const uint8_t *data, size_t size)
{
	static const char	*const before[] = {
		"203.0.113.9", "for=203.0.113.9", "for=\"", "\\", "\"\\\"",
		"for=\"10.0.0.2\\", "10.0.0.2", ""
	};
	struct forwarded	 f, again;
	char			*line, *longer;
	size_t			 i, n;

	line = copy(data, size);
	walk(&f, kind, line, size);
	if (f.addr.family != AF_INET && f.addr.family != AF_INET6)
		abort();
	if (network_match(trusted, 2, &f.addr)) {
		free(line);
		return;
	}
	for (i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		n = strlen(before[i]);
		if ((longer = malloc(n + 1 + size)) == NULL)
			abort();
		memcpy(longer, before[i], n);
		longer[n] = ',';
		memcpy(longer + n + 1, line, size);
		walk(&again, kind, longer, n + 1 + size);
		if (memcmp(&again.addr, &f.addr, sizeof(f.addr)) != 0)
			abort();
		free(longer);
	}
	free(line);
}

static void
fuzz_network(const uint8_t *data, size_t size)
{
	struct network	 net, back;
	const char	*reason = NULL;
	char		*text, buf[NETWORK_MAXTEXT];

	if ((text = malloc(size + 1)) == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (network_parse(text, &net, &reason) == -1) {
		if (reason == NULL)
			abort();
	} else if (network_parse(network_format(&net, buf, sizeof(buf)), &back,
	    &reason) == -1 || memcmp(&net, &back, sizeof(net)) != 0)
		abort();
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return (0);
	switch (data[0]) {
	case 'x':
		fuzz_forwarded(FORWARDED_X, data + 1, size - 1);
		break;
	case 'f':
		fuzz_forwarded(FORWARDED_RFC7239, data + 1, size - 1);
		break;
	case 'n':
		fuzz_network(data + 1, size - 1);
		break;
	default:
		fuzz_protocol(data + 1, size - 1);
		break;
	}
	return (0);
}
