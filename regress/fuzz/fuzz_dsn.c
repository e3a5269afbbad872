/* What parses as a DSN can be made again out of its parts. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mysql_dsn.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mysql_dsn	 dsn, again;
	struct mysql_parts	 parts;
	char			*text, made[8192], err[256], port[8];

	if ((text = malloc(size + 1)) == NULL)
		return (0);
	memcpy(text, data, size);
	text[size] = '\0';
	if (mysql_dsn_parse(text, &dsn, err, sizeof(err)) == 0) {
		memset(&parts, 0, sizeof(parts));
		snprintf(port, sizeof(port), "%u", dsn.port);
		parts.user = dsn.user;
		parts.password = dsn.password;
		if (dsn.socket[0] != '\0')
			parts.socket = dsn.socket;
		else {
			parts.host = dsn.host;
			parts.port = port;
		}
		parts.database = dsn.database;
		if (mysql_dsn_make(&parts, made, sizeof(made), err,
		    sizeof(err)) == -1 ||
		    mysql_dsn_parse(made, &again, err, sizeof(err)) == -1 ||
		    strcmp(dsn.user, again.user) != 0 ||
		    strcmp(dsn.password, again.password) != 0 ||
		    strcmp(dsn.host, again.host) != 0 ||
		    strcmp(dsn.socket, again.socket) != 0 ||
		    dsn.port != again.port ||
		    strcmp(dsn.database, again.database) != 0)
			abort();
	}
	free(text);
	return (0);
}
