/*
 * Sockets, and the loop that reads them.  With o.targets, the clients that are
 * measured and the publishers are watched apart and looked at between a few
 * others: else their latency would be that of the load generator, which has
 * thousands of frames to read after a broadcast.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "wsload.h"

#define EVENTS	512
#define BETWEEN	16			/* others, from one look to the next */

int		 ep = -1;
static int	 ep_first = -1;

static struct sockaddr_in
address(const char *host, uint32_t port)
{
	struct sockaddr_in	 a;

	memset(&a, 0, sizeof(a));
	a.sin_family = AF_INET;
	a.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1 ||
	    ntohl(a.sin_addr.s_addr) >> 24 != 127)
		die("%s: only addresses in 127.0.0.0/8 are allowed", host);
	return (a);
}

static void
watch(int fd, void *who, int first)
{
	struct epoll_event	 ev;

	memset(&ev, 0, sizeof(ev));
	ev.events = EPOLLIN;
	if (first && o.targets != 0 && ep_first == -1) {
		if ((ep_first = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
		    epoll_ctl(ep, EPOLL_CTL_ADD, ep_first, &ev) == -1)
			die("epoll: %s", strerror(errno));
	}
	ev.data.ptr = who;
	if (epoll_ctl(first && o.targets != 0 ? ep_first : ep, EPOLL_CTL_ADD,
	    fd, &ev) == -1)
		die("epoll: %s", strerror(errno));
}

/*
 * Connects (on loopback that returns at once unless the backlog is full) from
 * the given source: one address has only 28k ports.  The socket stays blocking;
 * all later calls pass MSG_DONTWAIT.
 */
int
tcp_connect(const char *src, uint32_t offset, void *who, int first)
{
	struct sockaddr_in	 to = address(o.host, o.port);
	struct sockaddr_in	 from = address(src, 0);
	int			 one = 1, fd;

	from.sin_addr.s_addr = htonl(ntohl(from.sin_addr.s_addr) + offset);
	if ((fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		die("socket: %s", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == -1 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		die("connect: %s", strerror(errno));
	watch(fd, who, first);
	return (fd);
}

ssize_t
send_now(int fd, const void *p, size_t n)
{
	return (send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* Like recv(2), but 0 means nothing there yet and -1 that the peer is gone. */
ssize_t
recv_now(int fd, void *p, size_t n)
{
	ssize_t	 r;

	r = recv(fd, p, n, MSG_DONTWAIT);
	if (r > 0)
		return (r);
	if (r == -1 && (errno == EAGAIN || errno == EINTR))
		return (0);
	return (-1);
}

static void
readable(void *who)
{
	struct client	*c = who;
	struct pub	*p = who;

	if (noise_is(who))
		noise_read();
	else if (p >= pubs && p < pubs + o.pubs)
		pub_read(p);
	else if (c->state != CLIENT_CLOSED)
		client_read(c);
}

static void
look_at_first(void)
{
	struct epoll_event	 ev[64];
	int			 i, n;

	if (ep_first == -1)
		return;
	n = epoll_wait(ep_first, ev, 64, 0);
	for (i = 0; i < n; i++)
		readable(ev[i].data.ptr);
	pub_flush_all();
}

/* Reads what there is, after waiting for at most so long. */
void
turn(int timeout_ms)
{
	struct epoll_event	 ev[EVENTS];
	int			 i, n;

	n = epoll_wait(ep, ev, EVENTS, o.spin ? 0 : timeout_ms);
	for (i = 0; i < n; i++) {
		if (i % BETWEEN == 0)
			look_at_first();
		if (ev[i].data.ptr != NULL)
			readable(ev[i].data.ptr);
	}
}
