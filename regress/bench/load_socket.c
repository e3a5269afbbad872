/*
 * Sockets, and the loop that reads them.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>

#include "wsload.h"

#define EVENTS	512

int	 ep = -1;

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

/*
 * Connects (on loopback that returns at once unless the backlog is full) from
 * the given source: one address has only 28k ports.  The socket stays blocking;
 * all later calls pass MSG_DONTWAIT.
 */
int
tcp_connect(const char *src, uint32_t offset, void *who)
{
	struct sockaddr_in	 to = address(o.host, o.port);
	struct sockaddr_in	 from = address(src, 0);
	struct epoll_event	 ev;
	int			 one = 1, fd;

	from.sin_addr.s_addr = htonl(ntohl(from.sin_addr.s_addr) + offset);
	if ((fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1)
		die("socket: %s", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == -1 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		die("connect: %s", strerror(errno));
	ev.events = EPOLLIN;
	ev.data.ptr = who;
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == -1)
		die("epoll: %s", strerror(errno));
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

	if (p >= pubs && p < pubs + o.pubs)
		pub_read(p);
	else if (c->state != CLIENT_CLOSED)
		client_read(c);
}

/* Reads what there is, after waiting for at most so many nanoseconds. */
void
turn(uint64_t ns)
{
	struct epoll_event	 ev[EVENTS];
	struct timespec		 limit = { 0, 0 };
	int			 i, n;

	if (!o.spin) {
		limit.tv_sec = (time_t)(ns / 1000000000u);
		limit.tv_nsec = (long)(ns % 1000000000u);
	}
	n = epoll_pwait2(ep, ev, EVENTS, &limit, NULL);
	for (i = 0; i < n; i++)
		readable(ev[i].data.ptr);
}
