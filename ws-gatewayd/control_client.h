/*
 * A control client as the engine sees it; shared by the files that answer
 * (control*.c, monitor.c).  Handlers never free a client: client_end() lets
 * it go once all is written.
 */
#ifndef CONTROL_CLIENT_H
#define CONTROL_CLIENT_H

#include <sys/queue.h>
#include <sys/types.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stddef.h>
#include <stdint.h>

#include "control.h"
#include "proc.h"
#include "timer.h"

#define CLIENT_PATIENCE	10000	/* ms for its next move */
#define CLIENT_LOW	32	/* queued messages: make more records */
#define CLIENT_HIGH	256	/* stop; a monitor loses events */

enum client_state {
	CLIENT_NEW,		/* has not said hello */
	CLIENT_READY,
	CLIENT_BUSY,		/* a request is being answered */
	CLIENT_UPLOAD,		/* the rest of a request is awaited */
	CLIENT_WAITING,		/* for the parent or the store */
	CLIENT_MONITOR,
	CLIENT_ENDING		/* gets its last messages */
};

/* Where a list that is sent in pieces goes on. */
struct client_cursor {
	struct ctl_id	 player;	/* the last one looked at */
	uint64_t	 conn;
	uint64_t	 since;
	uint64_t	 count;
};

struct client {
	TAILQ_ENTRY(client)	 entry;
	struct imsgbuf		 ibuf;
	struct event		 ev_read;
	struct event		 ev_write;
	struct timer		 timer;
	enum client_state	 state;
	int			 broken;	/* a message was lost */
	uid_t			 uid;
	uint32_t		 request;	/* the one in progress */
	uint32_t		 wait_id;	/* of the answers, WAITING */
	/* Makes the next records while CLIENT_BUSY. */
	void			(*more)(struct client *);
	struct client_cursor	 cursor;
	struct ctl_publish	 publish;
	char			*upload;
	size_t			 uploaded;
	struct ctl_monitor	 monitor;
	uint32_t		 lost;		/* events, not told yet */
};
TAILQ_HEAD(client_list, client);

extern struct client_list	control_clients;

/* control.c */
void	 client_send(struct client *, uint32_t type, const void *, size_t);
/* The end of a request that worked. */
void	 client_ok(struct client *, uint64_t count, uint64_t queued);
/* The end of a request that did not. */
void	 client_fail(struct client *, enum ctl_error, const char *, ...)
	    __attribute__((__format__(printf, 3, 4)));
/*
 * Its answer comes from another process, with the number that is returned;
 * client_waiting() finds who waits for it, if it still does.
 */
uint32_t client_wait(struct client *);
struct client *client_waiting(uint32_t id);
/* Close when all is written. */
void	 client_end(struct client *);
uint32_t client_queued(struct client *);
/*
 * A log line about a request that changes something: fields may follow, and
 * log_end(), when it returns 1.
 */
int	 client_log(const struct client *, const char *request);

/* Whether what came in a message can be used. */
int	 client_text_ok(const char *, size_t size);
int	 client_id_ok(const struct ctl_id *);
void	 client_set_id(struct ctl_id *, const void *, size_t);

/* Handlers of requests; the table in control.c has checked the length. */
/* control_show.c */
void	 show_stats(struct client *, const void *, size_t);
void	 show_store(struct client *, const void *, size_t);
void	 show_players(struct client *, const void *, size_t);
void	 show_player(struct client *, const void *, size_t);
void	 show_queue(struct client *, const void *, size_t);
void	 show_config(struct client *, const void *, size_t);
/* control_change.c */
void	 change_kick_player(struct client *, const void *, size_t);
void	 change_kick_conn(struct client *, const void *, size_t);
void	 change_reload(struct client *, const void *, size_t);
void	 change_log_level(struct client *, const void *, size_t);
void	 change_drain(struct client *, const void *, size_t);
void	 change_stop(struct client *, const void *, size_t);
/* control_token.c */
void	 token_add(struct client *, const void *, size_t);
void	 token_list(struct client *, const void *, size_t);
void	 token_revoke(struct client *, const void *, size_t);
/* control_publish.c */
void	 upload_begin(struct client *, const void *, size_t);
void	 upload_data(struct client *, const void *, size_t);
void	 upload_end(struct client *, const void *, size_t);
/* monitor.c */
void	 monitor_start(struct client *, const void *, size_t);
/* There is room again for what a monitor is to see. */
void	 monitor_room(struct client *);
/* A client has come or gone. */
void	 monitor_update(void);

#endif /* CONTROL_CLIENT_H */
