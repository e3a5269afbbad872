/* A command as messages to the daemon. */
#ifndef CTL_REQUEST_H
#define CTL_REQUEST_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include <stdint.h>

#include "imsg.h"
#include "parser.h"
#include "payload.h"

void	request_send(struct imsgbuf *, uint32_t type, const void *, size_t);
void	request_command(struct imsgbuf *, const struct command *,
	    const struct payload *);

#endif /* CTL_REQUEST_H */
