/* Sockets that others hold, too: listening ones, and clients on their way to the next. */
#include "hostile.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef SO_ATTACH_REUSEPORT_CBPF
#	define SO_ATTACH_REUSEPORT_CBPF 51
#endif

static void
each_listener(void (*fn)(int))
{
	int fds[256];
	size_t n = 0;

	for (int fd = 3; fd < FDS_MAX && n < 256; fd++)
		if (fd_is_listening(fd))
			fds[n++] = fd;
	if (n == 0)
		note("no listening socket");
	for (size_t i = 0; i < n; i++)
		fn(fds[i]);
	board->rounds += (uint32_t)n;
}

static void
one_shutdown(int fd)
{
	shutdown(fd, SHUT_RDWR);
}

static void
one_half(int fd)
{
	shutdown(fd, SHUT_RD);
}

/* A stream socket that listens no more; or listens elsewhere. */
static void
one_unconnect(int fd)
{
	struct sockaddr sa = {.sa_family = AF_UNSPEC};

	connect(fd, &sa, sizeof sa);
}

static void
one_backlog(int fd)
{
	listen(fd, 0);
}

static void
one_screen(int fd)
{
	struct sock_filter no[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog prog = {.len = 1, .filter = no};
	int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof prog) < 0)
		note("no filter: %d", errno);
	setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one);
}

/* Every client to the first socket, whoever holds it, or to none. */
static void
one_reuseport(int fd)
{
	struct sock_filter far[] = {BPF_STMT(BPF_RET | BPF_K, 1)};
	struct sock_fprog prog = {.len = 1, .filter = far};

	setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof prog);
}

/* The mode of the description, which all who hold it share: accept then waits. */
static void
one_blocking(int fd)
{
	int zero = 0;

	ioctl(fd, FIONBIO, &zero);
	fcntl(fd, F_SETFL, 0);
}

/* Inherited by every connection that is accepted from then on, whoever accepts it. */
static void
one_inherited(int fd)
{
	struct linger hour = {.l_onoff = 1, .l_linger = 3600};
	int one = 1, small = 88;

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hour, sizeof hour);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &small, sizeof small);
	setsockopt(fd, IPPROTO_TCP, TCP_CORK, &one, sizeof one);
}

static void
one_small(int fd)
{
	int one = 1, hour = 3600;
	struct timeval tv = {.tv_sec = 3600};

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
	setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &hour, sizeof hour);
	setsockopt(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &one, sizeof one);
	setsockopt(fd, IPPROTO_IP, IP_TTL, &one, sizeof one);
	setsockopt(fd, IPPROTO_IP, 21 /* IP_MINTTL */, &(int){255}, sizeof(int));
}

#define LISTENERS(what)                                                                        \
	static void sock_##what(void)                                                          \
	{                                                                                      \
		each_listener(one_##what);                                                     \
		while (time_left())                                                            \
			usleep(1000);                                                          \
	}
LISTENERS(shutdown)
LISTENERS(half)
LISTENERS(unconnect)
LISTENERS(backlog)
LISTENERS(screen)
LISTENERS(reuseport)
LISTENERS(blocking)
LISTENERS(inherited)
LISTENERS(small)

/* Again and again, as somebody may mend it. */
static void
sock_again(void)
{
	each_listener(one_blocking);
	each_listener(one_shutdown);
}

/* Shut, it may be bound to another port, by who may bind. */
static void
one_elsewhere(int fd)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	shutdown(fd, SHUT_RDWR);
	if (bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(fd, 100) < 0)
		note("not elsewhere: %d", errno);
}

static void
sock_elsewhere(void)
{
	each_listener(one_elsewhere);
}

/* Its clients go to the next one: with a close that takes an hour, and reads that wait. */
static void
sock_clients(void)
{
	for (int nth = 0, fd; (fd = lingering(nth)) >= 0 && nth < 16; nth++) {
		one_blocking(fd);
		one_small(fd);
	}
}

/* Takes whatever comes, and does nothing with it, while there are descriptors. */
static void
sock_greedy(void)
{
	each_listener(one_blocking);
	for (int fd = 3; fd < 256; fd++)
		if (fd_is_listening(fd))
			fcntl(fd, F_SETFL, O_NONBLOCK);
	while (time_left()) {
		for (int fd = 3; fd < 256; fd++)
			if (fd_is_listening(fd))
				accept(fd, NULL, NULL);
		usleep(1000);
	}
}

/* One more at each port: it gets its share of the clients. */
static void
one_more(int fd)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;
	int one = 1, more;

	if (getsockname(fd, (struct sockaddr *)&ss, &n) < 0 || ss.ss_family == AF_UNIX)
		return;
	more = socket(ss.ss_family, SOCK_STREAM, 0);
	setsockopt(more, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(more, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
	if (bind(more, (struct sockaddr *)&ss, n) < 0 || listen(more, 100) < 0)
		note("not at the port: %d", errno);
}

LISTENERS(more)

/* --- sockets of others --- */

/* As batonctl does: a socket of ours that is connected is as good as a shell. */
static void
command(const char *verb, const char *args)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval tv = {.tv_sec = 2};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char text[1024];
	ssize_t n;

	memcpy(sa.sun_path, board->control, strnlen(board->control, sizeof sa.sun_path - 1));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0) {
		n = snprintf(text, sizeof text,
		             "{\"verb\":\"%s\",\"args\":[%s],\"version\":1}\n", verb, args);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
		send(fd, text, (size_t)n, MSG_NOSIGNAL);
		n = recv(fd, text, sizeof text - 1, 0);
		text[n > 0 ? n : 0] = '\0';
		if (n > 0)
			breach("%s: %.60s", verb, text);
	}
	close(fd);
	beat();
}

static void
sock_control(void)
{
	command("reload", "");
	command("scale", "\"2\"");
	command("upgrade", "\"/bin/true\"");
	command("stop", "\"--now\"");
}

/* In the name of the master, to who started it. */
static void
sock_notify(void)
{
	static const char *const texts[] = {
	    "STOPPING=1",       "MAINPID=1", "RELOADING=1",
	    "WATCHDOG=trigger", "ERRNO=5",   "FDSTOREREMOVE=1\nFDNAME=baton-state-0"};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(notify));

	memcpy(sa.sun_path, notify, strnlen(notify, sizeof sa.sun_path - 1));
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	for (size_t i = 0; notify[0] != '\0' && i < sizeof texts / sizeof *texts; i++)
		if (sendto(fd, texts[i], strlen(texts[i]), 0, (struct sockaddr *)&sa, len) < 0)
			note("%s: %d", texts[i], errno);
	close(fd);
	while (time_left())
		usleep(1000);
}

const struct payload payloads_sockets[] = {{"sock-shutdown", sock_shutdown, NULL},
                                           {"sock-half", sock_half, NULL},
                                           {"sock-unconnect", sock_unconnect, NULL},
                                           {"sock-backlog", sock_backlog, NULL},
                                           {"sock-filter", sock_screen, NULL},
                                           {"sock-reuseport", sock_reuseport, NULL},
                                           {"sock-blocking", sock_blocking, NULL},
                                           {"sock-inherited", sock_inherited, NULL},
                                           {"sock-small", sock_small, NULL},
                                           {"sock-again", NULL, sock_again},
                                           {"sock-elsewhere", NULL, sock_elsewhere},
                                           {"sock-clients", sock_clients, NULL},
                                           {"sock-greedy", sock_greedy, NULL},
                                           {"sock-more", sock_more, NULL},
                                           {"sock-control", sock_control, NULL},
                                           {"sock-notify", sock_notify, NULL},
                                           {NULL, NULL, NULL}};
