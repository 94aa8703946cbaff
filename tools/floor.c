/*
 * floor: the least that a server of small answers can cost on this machine.
 *
 * A bare epoll loop that parses nothing: whatever arrives, one read is answered by one write of
 * a fixed 200 with 13 bytes of body. No limits, no log, no state of a connection. What a real
 * server spends above it is what it does for its clients; tools/bench prints both.
 *
 * A read that holds "Connection: close" in its last bytes, as the bench's clients send it, ends
 * the connection, so that the figure for a connection per request has its floor too.
 *
 * floor PORT   listens on 127.0.0.1; port 0 takes a free one. The port is printed.
 */
#ifndef _GNU_SOURCE
#	define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 256

static const char answer[] = "HTTP/1.1 200 OK\r\n"
                             "Content-Type: text/plain\r\n"
                             "Content-Length: 13\r\n"
                             "\r\n"
                             "hello, world\n";

static void
die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
watch(int ep, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

static int
listen_on(int port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof sa;
	const int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	sa.sin_port = htons((uint16_t)port);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		die("listen");
	printf("%d\n", ntohs(sa.sin_port));
	fflush(stdout);
	return fd;
}

static void
take(int ep, int listener)
{
	const int one = 1;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		watch(ep, fd);
	}
}

static void
serve(int fd)
{
	static const char last[] = "close\r\n\r\n";
	const size_t n_last = sizeof last - 1;
	char data[4096];
	ssize_t n = read(fd, data, sizeof data);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || write(fd, answer, sizeof answer - 1) != (ssize_t)sizeof answer - 1 ||
	    ((size_t)n > n_last && memcmp(data + n - n_last, last, n_last) == 0))
		close(fd);
}

int
main(int argc, char **argv)
{
	struct epoll_event ready[BATCH];
	struct rlimit limit;
	int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0);
	int ep = epoll_create1(0);

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	watch(ep, listener);
	for (;;) {
		int n = epoll_wait(ep, ready, BATCH, -1);

		for (int i = 0; i < n; i++) {
			if (ready[i].data.fd == listener)
				take(ep, listener);
			else
				serve(ready[i].data.fd);
		}
	}
}
