/*
 * Addresses of the database's host.  A confined process can't ask for them, so
 * they are asked for once and kept: a host that moves takes a restart.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <netdb.h>
#include <string.h>

#include "store_mysql.h"

#define MAX_ADDRS	8

static struct {
	char		 host[256];
	char		 addr[MAX_ADDRS][NI_MAXHOST];
	unsigned int	 n;
	unsigned int	 at;
} known;

int
mydb_addr_resolve(const char *host, const char **why)
{
	struct addrinfo	 hints, *res, *ai;
	int		 rc;

	if (known.n > 0 && strcmp(known.host, host) == 0)
		return (0);
	memset(&hints, 0, sizeof(hints));
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	if ((rc = getaddrinfo(host, NULL, &hints, &res)) != 0) {
		*why = gai_strerror(rc);
		return (-1);
	}
	memset(&known, 0, sizeof(known));
	for (ai = res; ai != NULL && known.n < MAX_ADDRS; ai = ai->ai_next)
		if (getnameinfo(ai->ai_addr, ai->ai_addrlen,
		    known.addr[known.n], sizeof(known.addr[0]), NULL, 0,
		    NI_NUMERICHOST) == 0)
			known.n++;
	freeaddrinfo(res);
	if (known.n == 0) {
		*why = "no address of a kind that can be used";
		return (-1);
	}
	strlcpy(known.host, host, sizeof(known.host));
	return (0);
}

unsigned int
mydb_addr_count(void)
{
	return (known.n);
}

const char *
mydb_addr_of(const char *host)
{
	if (host == NULL || known.n == 0 || strcmp(host, known.host) != 0)
		return (host);
	return (known.addr[known.at]);
}

void
mydb_addr_next(void)
{
	known.at = (known.at + 1) % known.n;
}
