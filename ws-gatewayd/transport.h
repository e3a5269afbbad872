/*
 * What is between a connection and its socket: nothing, or TLS.  The results
 * are those of the system calls: EAGAIN when the socket is not ready.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <sys/types.h>
#include <sys/uio.h>

#include <stddef.h>

struct conn;
struct tls_context;

/* Bytes of a connection; it takes over what was held of the context, if any. */
struct conn *transport_new(struct tls_context *);
size_t	 transport_size(const struct conn *);
/* Free it; the socket is closed by whoever has opened it. */
void	 transport_free(struct conn *);

enum transport_result {
	TRANSPORT_DONE,
	TRANSPORT_READ,			/* when there is something to read */
	TRANSPORT_WRITE,		/* when there is room to write */
	TRANSPORT_FAILED		/* transport_error() has why */
};
/* The socket is ready: get on with the handshake of TLS. */
enum transport_result transport_handshake(struct conn *);
const char *transport_error(const struct conn *);
/* What a client's certificate says whose it is, or NULL. */
const char *transport_subject(const struct conn *);

ssize_t	 transport_read(struct conn *, void *, size_t);
ssize_t	 transport_writev(struct conn *, const struct iovec *, unsigned n);
/* Say that no more will come.  Returns 0, or -1 with errno. */
int	 transport_shutdown(struct conn *);

#endif /* TRANSPORT_H */
