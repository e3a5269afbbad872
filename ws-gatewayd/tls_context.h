/*
 * How listeners speak TLS, in the engine: a context is gathered from what the
 * parent sends, built and tried as a whole, and only then put in force.
 */
#ifndef TLS_CONTEXT_H
#define TLS_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "proc.h"

struct tls;
struct tls_context;

/* Before confinement, once there is TLS at all: libcrypto reads its files. */
void	tls_context_init(void);

/* Gathering: a new set is begun by the first of them. */
void	tls_context_begin(const struct conf_tls_context *);
/* A piece of a file; TYPE is one of IMSG_CONF_TLS_. */
void	tls_context_piece(uint32_t type, const void *, size_t);
/* A key pair is whole; NAME is that of its certificate's file. */
void	tls_context_keypair(const char *name);

enum tls_keys {
	TLS_WITH_KEYS,			/* they are among the pieces */
	TLS_TO_ISOLATE,			/* so they are, for a check, but are to
					   be of a kind that can be kept apart */
	TLS_ISOLATED			/* they are at the keys process */
};

/*
 * Build all that were gathered, and try each key pair.  LIFETIME is of session
 * tickets; ms.  Returns 0, or -1 with a reason; the set is forgotten then.
 */
int	tls_context_build(enum tls_keys, uint64_t lifetime, char *err, size_t);
/* The set that was built takes the place of the one in force. */
void	tls_context_adopt(void);
void	tls_context_forget(void);

/* The one in force of that id, held until it is released. */
struct tls_context *tls_context_hold(uint32_t id);
void	tls_context_release(struct tls_context *);
struct tls *tls_context_server(struct tls_context *);

/*
 * tls_selftest.c: a handshake in memory with a server that has CONFIG.
 * Returns 0, or -1 with a reason.
 */
struct tls_config;
int	tls_selftest(struct tls_config *, char *err, size_t);

#endif /* TLS_CONTEXT_H */
