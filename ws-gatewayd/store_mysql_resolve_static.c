/*
 * What store_mysql_resolve.c does, for a binary that is linked statically: it
 * has one getaddrinfo(3), which the linker calls by other names (--wrap).
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <netdb.h>

#include "store_mysql.h"

int	__real_getaddrinfo(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **);
int	__wrap_getaddrinfo(const char *, const char *, const struct addrinfo *,
	    struct addrinfo **);

int
__wrap_getaddrinfo(const char *host, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
	return (__real_getaddrinfo(mydb_addr_of(host), service, hints, res));
}
