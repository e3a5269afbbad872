/* What the daemon answers, checked: lengths, ends of texts. */
#ifndef RECORD_H
#define RECORD_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include <stddef.h>
#include <stdint.h>

#include "control.h"
#include "imsg.h"

struct record {
	uint32_t	type;		/* enum ctl_type */
	size_t		len;		/* of line */
	union {
		struct ctl_hello	hello;
		struct ctl_ok		ok;
		struct ctl_fail		fail;
		struct ctl_stats	stats;
		struct ctl_store	store;
		struct ctl_player	player;
		struct ctl_conn		conn;
		struct ctl_queued	queued;
		struct ctl_event	event;
		struct ctl_token_row	token;
		char			line[MAX_IMSGSIZE];
	} u;
};

/* Bytes of an answer of that type, or 0: it is none, or a line of any length. */
size_t	record_len(uint32_t type);

/* Returns -1 when it is nothing that a daemon of this version sends. */
int	record_read(struct record *, struct imsg *);

#endif /* RECORD_H */
