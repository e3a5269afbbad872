/*
 * What the parts of the load generator know of each other.
 */
#ifndef WSLOAD_H
#define WSLOAD_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#define READ_BUFFER	(1 << 20)	/* one, shared by all clients */
#define MAX_PAYLOAD	(8 << 20)
#define HIST_BINS	(64 * 64)
#define MS		1000000u	/* in nanoseconds */

enum mode { FANOUT, UNICAST, IDLE, ECHOES, LIFE };
enum client_state { CLIENT_UPGRADING, CLIENT_OPEN, CLIENT_CLOSED };

struct options {
	const char	*host, *path, *pub, *body, *label, *src;
	uint32_t	 port, pid, ramp, conns, msgs, warmup, inflight, pubs;
	uint32_t	 payload, core, json, spin, first, announce, deflate, text;
	double		 seconds, hold, settle, stall, timeout, rate;
	char		 header[2048];
};

/* One WebSocket client. */
struct client {
	char		*part;		/* of an incomplete frame */
	uint64_t	 skip;		/* rest of a large frame, not kept */
	uint64_t	 sent;		/* what its marker said, */
	uint32_t	 seq;		/* the same */
	uint32_t	 npart;
	uint32_t	 id;
	uint32_t	 high;		/* highest sequence number seen + 1 */
	int		 fd;
	uint8_t		 state;
	uint8_t		 marked;	/* the large frame is one of ours */
	uint8_t		 closing;	/* has sent a close frame */
};

/* One keep-alive HTTP connection that publishes. */
struct pub {
	uint32_t	*fifo;		/* numbers that await a reply */
	char		*out;
	size_t		 nout, outcap, nin;
	uint32_t	 head, tail;
	int		 fd;
	char		 in[16384];
};

struct hist {
	uint64_t	 n, max, bin[HIST_BINS];
};

/* CPU in seconds, memory in bytes; srv is the server with its descendants. */
struct usage {
	double	 srv_cpu, own_cpu, all_cpu, core_cpu, steal;
	double	 rss, pss, priv, high, tcp_mem, slab;
};

/* Of the measured phase, which starts at the sequence number "measured". */
struct counters {
	uint64_t	 frames, dups, reorders, misrouted, others, pub_err;
	uint64_t	 stalls, responses, pongs, clean, last;
	uint64_t	 bytes;
};

extern struct options	 o;
extern enum mode	 mode;
extern int		 ep;
extern struct client	*clients;
extern struct pub	*pubs;
extern uint32_t		 nopen, nfailed, nclosed, npending;
extern struct counters	 count;
extern struct hist	 lat;		/* publish to frame */
extern struct hist	 full;		/* publish to the last client's frame */
extern uint32_t		 measured;

/* wsload.c */
__attribute__((__format__(printf, 1, 2), __noreturn__))
void	 die(const char *, ...);
void	*zalloc(size_t, size_t);

/* load_clock.c */
uint64_t now_ns(void);
double	 since(uint64_t);
void	 hist_add(struct hist *, uint64_t);
double	 hist_us(const struct hist *, double);

/* load_usage.c */
struct usage usage_now(int);

/* load_report.c */
__attribute__((__format__(printf, 1, 2)))
void	 report(const char *, ...);
void	 report_cpu(const struct usage *, const struct usage *, double, double,
	    const char *);
void	 report_print(void);

/* load_message.c: which messages are under way, and who has them */
void	 messages_setup(void);
int	 to_everyone(void);
size_t	 message_payload(char *, uint32_t, uint64_t);
size_t	 message_expand(char *, const char *, uint32_t, const char *, size_t);
size_t	 message_peek(const void *, size_t, char *, size_t);
int	 message_marker(const char *, size_t, uint32_t *, uint64_t *);
void	 message_delivered(struct client *, uint32_t, uint64_t, uint64_t);
void	 message_answered(uint32_t, int);
uint32_t message_target(uint32_t);
int	 message_next(uint32_t, uint32_t *);
uint32_t messages_begun(void);
uint32_t messages_settled(void);
uint32_t messages_under_way(void);
void	 messages_give_up(void);

/* load_socket.c */
int	 tcp_connect(const char *, uint32_t, void *);
ssize_t	 send_now(int, const void *, size_t);
ssize_t	 recv_now(int, void *, size_t);
void	 turn(uint64_t);

/* load_client.c */
void	 client_connect(struct client *);
void	 client_send(struct client *, int, const char *, size_t);
void	 client_read(struct client *);
void	 client_close(struct client *);

/* load_publish.c */
void	 pub_setup(void);
void	 pub_message(uint32_t, uint64_t);
void	 pub_flush_all(void);
void	 pub_read(struct pub *);
void	 pub_reset_waiting(void);

#endif
