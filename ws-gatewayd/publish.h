/* A message on its way from a publisher to the hub. */
#ifndef PUBLISH_H
#define PUBLISH_H

#include <stddef.h>

#include "hub.h"

struct conn;

/*
 * Make room for a message whose event and payload have LEN bytes; nothing is
 * taken from the connection that it came FROM.  Returns -1 if there is none.
 */
int		 publish_room(size_t len, int broadcast,
		    const struct conn *from);
/*
 * Encode, give it to the hub, count and log it.  PLAYER (PLEN bytes) is whom
 * it is for; NULL is everybody, and only a broadcast can be.  A broadcast is
 * never queued.  EVENT is a JSON string with its quotes, PAYLOAD any JSON
 * value or NULL for null; both are checked already.  SUBJECT is the
 * publisher, for the log.
 */
struct hub_result publish_message(const void *player, size_t plen,
		    int broadcast, const char *event, size_t elen,
		    const char *payload, size_t paylen,
		    const void *subject, size_t slen);

#endif /* PUBLISH_H */
