/*
 * The engine: the process that holds the network and nothing else.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "metrics.h"
#include "proc.h"

struct engine {
	struct event_base	*base;
	struct settings		 conf;
	struct conf_strings	 origins;	/* normalised; empty allows all */
	struct conf_strings	 lines;		/* of show config */
	struct network		 proxies[CONF_MAXPROXIES];	/* trusted */
	size_t			 nproxies;
	struct ipc		 store;
	uint64_t		 started;	/* ms, monotonic */
	int			 draining;	/* refuses WebSockets */
	int			 stopping;
	uint64_t		 max_connections;	/* in force */
};

extern struct engine	engine;

/* Refuse new WebSockets, close the present ones over SPREAD ms with 1012. */
void	engine_drain(uint64_t spread);

/* listener.c: the sockets have numbers from 1 to LISTENER_MAX */
/* Takes the fd; it accepts once it is configured. */
void	listener_add(uint32_t id, int fd);
/* A new configuration: its settings one by one, then all are put in force. */
void	listener_conf(const struct conf_listener *);
void	listener_conf_end(void);
int	listener_roles(uint8_t id);	/* ROLE_ */
int	listener_proxied(uint8_t id);	/* it awaits the PROXY protocol */
/* Why a connection is refused, in HTTP unless it is TLS; counted and logged. */
void	listener_say(int fd, int tls, enum refuse_reason);
void	listener_close_all(void);
int	listener_open(void);		/* whether there is any */

/* revalidate.c: every open connection's token, once a period */
struct conn;
void	revalidate_init(void);
void	revalidate_add(struct conn *);
void	revalidate_remove(struct conn *);
void	revalidate_revoked(const struct store_lookup *, size_t n);

/*
 * control.c: ws-gatewayctl.  The socket listens already; messages for a
 * pending request come back from the parent and the store.
 */
void	control_init(int fd);
void	control_reloaded(uint32_t id, const char *text,
	    size_t len);				/* IMSG_CTL_RELOADED */
void	control_token(const struct token_row *);	/* IMSG_STORE_TOKEN */
void	control_done(const struct token_done *);	/* IMSG_STORE_DONE */
void	control_store_changed(void);	/* the one that was asked is no more */

#endif /* ENGINE_H */
