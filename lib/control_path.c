/* Where the control socket is when nobody says it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"

const char *
control_default_path(char *buf, size_t size)
{
	const char	*dir;

	if (geteuid() == 0) {
		strlcpy(buf, control_system_path, size);
		return (buf);
	}
	dir = getenv("XDG_RUNTIME_DIR");
	if (dir != NULL && dir[0] == '/')
		snprintf(buf, size, "%s/ws-gatewayd.sock", dir);
	else
		snprintf(buf, size, "/tmp/ws-gatewayd-%u.sock",
		    (unsigned int)geteuid());
	return (buf);
}
