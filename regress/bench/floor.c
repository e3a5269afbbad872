/*
 * The floor: the least that a server can do for a message.  It believes every
 * client, knows no token, parses no JSON and keeps no queue; what it costs is
 * what the kernel takes.  How a broadcast is written is in floor_plain.c,
 * floor_merged.c and floor_uring.c, one of which is linked in.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "floor.h"

#define MAX_FD		1000000
#define EVENTS		1024
#define INPUT		(4 << 20)	/* the largest request, and more */

/* One for each descriptor; of those that are not used no page is touched. */
struct client {
	char	*rest;			/* of an incomplete request */
	size_t	 nrest;
	int	 is_ws;
	int	 slot;			/* where it is in members */
};

static struct client	 clients[MAX_FD];
static int		 players[MAX_FD];	/* descriptor + 1 */
static int		 members[MAX_FD];
static int		 nmembers;
static char		 input[INPUT + 1], frame[INPUT + 16];
static unsigned long	 nshort;

void
floor_short(unsigned long n)
{
	nshort += n;
}

void
floor_send(int fd, const char *p, size_t len)
{
	if (send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		floor_short(1);
}

/* Makes a text frame of the body; returns its length. */
static size_t
encode(const char *body, size_t len)
{
	size_t	 head, i;

	frame[0] = (char)0x81;
	if (len < 126) {
		frame[1] = (char)len;
		head = 2;
	} else if (len < 65536) {
		frame[1] = 126;
		frame[2] = (char)(len >> 8);
		frame[3] = (char)len;
		head = 4;
	} else {
		frame[1] = 127;
		for (i = 0; i < 8; i++)
			frame[2 + i] = (char)((unsigned long long)len >>
			    (56 - 8 * i));
		head = 10;
	}
	memcpy(frame + head, body, len);
	return (head + len);
}

static int
listen_on(int port)
{
	struct sockaddr_in	 sin;
	int			 one = 1, fd;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons((in_port_t)port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
	    sizeof(one)) == -1 ||
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(fd, 4096) == -1)
		err(1, "port %d", port);
	return (fd);
}

static void
accept_all(int listener, int ep)
{
	struct epoll_event	 ev;
	int			 one = 1, fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) != -1) {
		if (fd >= MAX_FD)
			errx(1, "too many clients");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		ev.events = EPOLLIN;
		ev.data.fd = fd;
		if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == -1)
			err(1, "epoll_ctl");
		memset(&clients[fd], 0, sizeof(clients[fd]));
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		err(1, "accept");
}

static void
join(int fd, int player)
{
	static const char	 reply[] =
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

	floor_send(fd, reply, sizeof(reply) - 1);
	clients[fd].is_ws = 1;
	clients[fd].slot = nmembers;
	members[nmembers++] = fd;
	if (player >= 0 && player < MAX_FD)
		players[player] = fd + 1;
}

static void
leave(int fd)
{
	struct client	*c = &clients[fd];
	int		 last;

	if (c->is_ws) {
		last = members[--nmembers];
		members[c->slot] = last;
		clients[last].slot = c->slot;
	}
	free(c->rest);
	memset(c, 0, sizeof(*c));
	close(fd);
}

static int
number_after(const char *text, size_t len, const char *name)
{
	const char	*at;

	at = memmem(text, len, name, strlen(name));
	return (at == NULL ? -1 : atoi(at + strlen(name)));
}

static void
publish(int fd, const char *head, const char *body, size_t len)
{
	static const char	 reply[] =
	    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	size_t			 n;
	int			 player;

	n = encode(body, len);
	if (strncmp(head, "POST /b", 7) == 0)
		floor_broadcast(members, nmembers, frame, n);
	else {
		player = number_after(body, len, "player_id\":\"");
		if (player >= 0 && player < MAX_FD && players[player] != 0)
			floor_send(players[player] - 1, frame, n);
	}
	floor_send(fd, reply, sizeof(reply) - 1);
}

/* Takes the requests that are complete; returns how many bytes they were. */
static size_t
requests(int fd, size_t len)
{
	char	*end, *length;
	size_t	 off = 0, body;

	while (off < len && (end = memmem(input + off, len - off, "\r\n\r\n",
	    4)) != NULL) {
		end += 4;
		if (input[off] == 'G') {
			join(fd, number_after(input + off,
			    (size_t)(end - input) - off, "token=p"));
			return (len);
		}
		length = strcasestr(input + off, "\nContent-Length:");
		body = length == NULL || length >= end ? 0 :
		    strtoul(length + 16, NULL, 10);
		if ((size_t)(input + len - end) < body)
			break;
		publish(fd, input + off, end, body);
		off = (size_t)(end - input) + body;
	}
	return (off);
}

/* Echoes whole frames, and answers a ping; a close is sent back and obeyed. */
static size_t
frames(int fd, size_t len)
{
	unsigned char	*h;
	size_t		 off = 0, head, n, i;
	int		 opcode;

	while (len - off >= 6) {
		h = (unsigned char *)input + off;
		n = h[1] & 127;
		head = n == 126 ? 4 : 2;
		if (n == 126)
			n = (size_t)(h[2] << 8 | h[3]);
		else if (n == 127)
			errx(1, "a client sends more than 64 KiB");
		if (len - off < head + 4 + n)
			break;
		for (i = 0; i < n; i++)
			h[head + 4 + i] ^= h[head + (i & 3)];
		opcode = h[0] & 15;
		i = encode((char *)h + head + 4, n);
		if (opcode >= 8)
			frame[0] = (char)(opcode == 9 ? 0x8a : 0x80 | opcode);
		floor_send(fd, frame, i);
		off += head + 4 + n;
		if (opcode == 8) {
			leave(fd);
			return (len);
		}
	}
	return (off);
}

static void
readable(int fd)
{
	struct client	*c = &clients[fd];
	size_t		 len, off;
	ssize_t		 n;

	if (c->nrest != 0)
		memcpy(input, c->rest, c->nrest);
	n = recv(fd, input + c->nrest, INPUT - c->nrest, 0);
	if (n == -1 && errno == EAGAIN)
		return;
	if (n <= 0) {
		leave(fd);
		return;
	}
	len = c->nrest + (size_t)n;
	input[len] = '\0';
	off = c->is_ws ? frames(fd, len) : requests(fd, len);
	c->nrest = len - off;
	if (c->nrest != 0) {
		if ((c->rest = realloc(c->rest, c->nrest)) == NULL)
			err(1, NULL);
		memcpy(c->rest, input + off, c->nrest);
	} else {
		free(c->rest);
		c->rest = NULL;
	}
}

int
main(int argc, char *argv[])
{
	struct epoll_event	 ev, events[EVENTS];
	int			 i, n, ep, listener;

	if (argc != 2)
		errx(1, "usage: %s port", argv[0]);
	listener = listen_on(atoi(argv[1]));
	ev.events = EPOLLIN;
	ev.data.fd = listener;
	if ((ep = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) == -1)
		err(1, "epoll");
	floor_start();
	for (;;) {
		if ((n = epoll_wait(ep, events, EVENTS, -1)) == -1 &&
		    errno != EINTR)
			err(1, "epoll_wait");
		for (i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_all(listener, ep);
			else
				readable(events[i].data.fd);
		}
		floor_turn_end(members, nmembers);
		if (nshort != 0) {
			warnx("%lu frames lost to full sockets", nshort);
			nshort = 0;
		}
	}
}
