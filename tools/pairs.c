/*
 * pairs: both ends of proxied connections, for tools/bench: the clients and the backend.
 *
 * It listens on a free port of 127.0.0.1, which it prints, and does what each line on stdin
 * says, with one line of numbers as the answer:
 *
 *	bulk PORT STREAMS MEGABYTES   half of the streams carry bytes up, half down, until so
 *much has arrived: bytes, microseconds trips PORT CONNECTIONS MS     64 bytes there and back,
 *again and again: trips, microseconds idle PORT CONNECTIONS         one trip each, then hold
 *them until the next line: how many
 *
 * PORT is the proxy's. One epoll loop; the first byte of a connection tells the backend's end
 * what to do with it.
 */
#ifndef _GNU_SOURCE
#	define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH    256
#define TRIP     64
#define BLOCK    (256 * 1024)
#define RAMP     100 /* connects at a time: more than a queue holds would take a second */
#define FDS      65536
#define PATIENCE 10 /* seconds without an event */

enum role { NONE, GREET, SINK, SOURCE, ECHO, ASK };

static struct {
	int ep, listener;
	unsigned char role[FDS];
	bool asking;      /* trips are repeated */
	uint64_t bytes;   /* that have arrived */
	uint64_t trips;   /* that are over */
	uint64_t greeted; /* backend's ends that know what to do */
	char block[BLOCK];
} p;

static void
die(const char *what)
{
	fprintf(stderr, "pairs: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void
add(int fd, enum role role)
{
	struct epoll_event e = {.events = role == SOURCE ? EPOLLOUT : EPOLLIN, .data.fd = fd};
	int one = 1;

	if (fd < 0 || fd >= FDS)
		die("descriptor");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	p.role[fd] = (unsigned char)role;
	if (epoll_ctl(p.ep, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

static void
greet(int fd)
{
	struct epoll_event e = {.events = EPOLLOUT, .data.fd = fd};
	char byte;

	if (recv(fd, &byte, 1, MSG_DONTWAIT) != 1)
		return;
	p.role[fd] = byte == 'u' ? SINK : byte == 'd' ? SOURCE : ECHO;
	p.greeted++;
	if (p.role[fd] == SOURCE)
		epoll_ctl(p.ep, EPOLL_CTL_MOD, fd, &e);
}

/* 64 bytes on an idle connection come and go in one piece. */
static void
trip(int fd)
{
	char bytes[TRIP];
	ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n != TRIP) {
		fprintf(stderr, "pairs: a trip ended after %zd bytes\n", n);
		exit(1);
	}
	if (p.role[fd] == ASK)
		p.trips++;
	if ((p.role[fd] == ECHO || p.asking) && send(fd, bytes, TRIP, MSG_NOSIGNAL) != TRIP)
		die("send");
}

static void
serve(int fd)
{
	ssize_t n;

	if (fd == p.listener) {
		while ((fd = accept4(p.listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
			add(fd, GREET);
		return;
	}
	switch (p.role[fd]) {
	case GREET:
		greet(fd);
		break;
	case SINK:
		n = recv(fd, p.block, sizeof p.block, MSG_DONTWAIT);
		p.bytes += n > 0 ? (uint64_t)n : 0;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			die("a stream ended");
		break;
	case SOURCE:
		if (send(fd, p.block, sizeof p.block, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
		    errno != EAGAIN)
			die("a stream ended");
		break;
	case ECHO:
	case ASK:
		trip(fd);
		break;
	default:
		break;
	}
}

static void
turn(int ms)
{
	struct epoll_event e[BATCH];
	int n = epoll_wait(p.ep, e, BATCH, ms);

	if (n == 0 && ms >= PATIENCE * 1000) {
		errno = ETIMEDOUT;
		die("nothing happens");
	}
	for (int i = 0; i < n; i++)
		serve(e[i].data.fd);
}

static int
connect_to(int port, char greeting)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
	                         .sin_port = htons((uint16_t)port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0 ||
	    send(fd, &greeting, 1, 0) != 1)
		die("connect");
	return fd;
}

/* Each is known to the backend before more are opened. */
static void
open_all(int port, int n, const char *greetings, int *fd)
{
	p.greeted = 0;
	for (int i = 0; i < n; i++) {
		fd[i] = connect_to(port, greetings[i % 2]);
		while ((i + 1 == n || i % RAMP == RAMP - 1) && p.greeted < (uint64_t)i + 1)
			turn(PATIENCE * 1000);
	}
}

static void
close_all(void)
{
	for (int fd = 0; fd < FDS; fd++)
		if (p.role[fd] != NONE) {
			p.role[fd] = NONE;
			close(fd);
		}
}

static void
bulk(int port, int n, uint64_t bytes, int *fd)
{
	uint64_t began;

	p.bytes = 0;
	open_all(port, n, "ud", fd);
	began = now_us();
	for (int i = 0; i < n; i++)
		add(fd[i], i % 2 == 0 ? SOURCE : SINK);
	while (p.bytes < bytes)
		turn(PATIENCE * 1000);
	printf("%llu %llu\n", (unsigned long long)p.bytes,
	       (unsigned long long)(now_us() - began));
}

static void
ask(int *fd, int n)
{
	p.trips = 0;
	for (int i = 0; i < n; i++) {
		add(fd[i], ASK);
		if (send(fd[i], p.block, TRIP, MSG_NOSIGNAL) != TRIP)
			die("send");
	}
}

static void
trips(int port, int n, uint64_t ms, int *fd)
{
	uint64_t began;

	open_all(port, n, "ee", fd);
	p.asking = true;
	began = now_us();
	ask(fd, n);
	while (now_us() - began < ms * 1000)
		turn(PATIENCE * 1000);
	p.asking = false;
	printf("%llu %llu\n", (unsigned long long)p.trips,
	       (unsigned long long)(now_us() - began));
}

static void
idle(int port, int n, int *fd)
{
	open_all(port, n, "ee", fd);
	ask(fd, n);
	while (p.trips < (uint64_t)n)
		turn(PATIENCE * 1000);
	printf("%d\n", n);
}

static void
obey(const char *line)
{
	static int fd[FDS];
	char verb[8];
	unsigned long long much = 0;
	int port, n;

	if (sscanf(line, "%7s %d %d %llu", verb, &port, &n, &much) < 3 || n < 1 ||
	    n > FDS / 2) {
		fprintf(stderr, "pairs: what is %s", line);
		exit(2);
	}
	close_all();
	if (strcmp(verb, "bulk") == 0)
		bulk(port, n, (uint64_t)much << 20, fd);
	else if (strcmp(verb, "trips") == 0)
		trips(port, n, much, fd);
	else
		idle(port, n, fd);
}

int
main(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof sa;
	struct rlimit limit;
	struct epoll_event e = {.events = EPOLLIN};
	char line[128];

	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	p.ep = epoll_create1(EPOLL_CLOEXEC);
	p.listener = e.data.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(p.listener, (struct sockaddr *)&sa, sizeof sa) < 0 ||
	    listen(p.listener, 4096) < 0 ||
	    getsockname(p.listener, (struct sockaddr *)&sa, &len) < 0 ||
	    epoll_ctl(p.ep, EPOLL_CTL_ADD, p.listener, &e) < 0)
		die("listen");
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%d\n", ntohs(sa.sin_port));
	while (fgets(line, sizeof line, stdin) != NULL)
		obey(line);
	return 0;
}
