/*
 * The library is given the name of its host, which it looks for in the
 * certificate, and asks for its address by itself: this is where it gets the
 * one that is known.  The C library's own function makes of it what is to be
 * freed.
 */
#include <sys/types.h>
#include <sys/socket.h>

#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

#include "store_mysql.h"

int
getaddrinfo(const char *host, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
	static int	(*real)(const char *, const char *,
			    const struct addrinfo *, struct addrinfo **);
	void		 *sym;

	if (real == NULL) {
		if ((sym = dlsym(RTLD_NEXT, "getaddrinfo")) == NULL)
			return (EAI_FAIL);
		memcpy(&real, &sym, sizeof(real));
	}
	return (real(mydb_addr_of(host), service, hints, res));
}
