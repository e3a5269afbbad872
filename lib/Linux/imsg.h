/*
 * The imsg interface of OpenBSD 7.8's libutil (imsg_init(3)) for a platform
 * without it: whole messages and file descriptors between local processes.
 *
 * Where the manual is silent, this one is as strict as it can be, so that what
 * works here works there: a descriptor can't be composed before
 * imsgbuf_allow_fdpass(), a payload can be had once, of its exact length.
 */
#ifndef IMSG_H
#define IMSG_H

#include <sys/types.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include <stddef.h>
#include <stdint.h>

#define IMSG_HEADER_SIZE	sizeof(struct imsg_hdr)
#define MAX_IMSGSIZE		16384
#define IMSG_MAXFDS		16	/* received and not yet got */

struct imsg_hdr {
	uint32_t	type;
	uint32_t	len;		/* of header and payload */
	uint32_t	peerid;
	uint32_t	pid;
};

/* To be read by imsg_get_*() only. */
struct imsg {
	struct imsg_hdr	 hdr;
	void		*data;
	int		 fd;
	int		 taken;		/* the payload, by imsg_get_data() */
};

struct imsg_out;

struct imsgbuf {
	TAILQ_HEAD(, imsg_out) out;
	uint32_t	 queued;	/* messages in out */
	uint32_t	 maxsize;	/* of header and payload */
	int		 fd;
	pid_t		 pid;
	int		 flags;

	/*
	 * Received bytes: [rpos, wpos) of in.  Headers before scan were
	 * checked; scan may be beyond wpos, in the midst of a message.
	 */
	unsigned char	*in;
	size_t		 insize;
	size_t		 rpos;
	size_t		 wpos;
	size_t		 scan;
	int		 fds[IMSG_MAXFDS];	/* of the messages in in */
	int		 nfds;
	int		 earlyfd;	/* of a header that isn't whole yet */
};

int	 imsgbuf_init(struct imsgbuf *, int);
void	 imsgbuf_allow_fdpass(struct imsgbuf *);
int	 imsgbuf_set_maxsize(struct imsgbuf *, uint32_t);
void	 imsgbuf_clear(struct imsgbuf *);

/*
 * One recvmsg(2).  What a peer can make us hold is bounded: when the buffer is
 * full of messages that nobody got, nothing is received and 1 returned.
 */
int	 imsgbuf_read(struct imsgbuf *);

/* ERANGE after the last good message when a header has an impossible length. */
int	 imsgbuf_get(struct imsgbuf *, struct imsg *);

int	 imsgbuf_write(struct imsgbuf *);
int	 imsgbuf_flush(struct imsgbuf *);
uint32_t imsgbuf_queuelen(struct imsgbuf *);

/*
 * The descriptor is the imsgbuf's when 1 is returned; on -1 it is still the
 * caller's.  ERANGE: over the maximum; EINVAL: descriptors are not allowed.
 */
int	 imsg_compose(struct imsgbuf *, uint32_t, uint32_t, pid_t, int,
	    const void *, size_t);
int	 imsg_composev(struct imsgbuf *, uint32_t, uint32_t, pid_t, int,
	    const struct iovec *, int);

uint32_t imsg_get_type(struct imsg *);
uint32_t imsg_get_id(struct imsg *);
pid_t	 imsg_get_pid(struct imsg *);
size_t	 imsg_get_len(struct imsg *);
int	 imsg_get_data(struct imsg *, void *, size_t);
int	 imsg_get_fd(struct imsg *);
void	 imsg_free(struct imsg *);

#endif /* IMSG_H */
