/*
 * floor: the least that a server of small answers can cost on this machine.
 *
 * A bare epoll loop that parses nothing: whatever arrives, one read is answered by one write of
 * a fixed 200 with 13 bytes of body. No limits, no log, no state of a connection. What a real
 * server spends above it is what it does for its clients; tools/bench prints both.
 *
 * It can't read "Connection: close" either, so it has two ports on 127.0.0.1, free ones, and
 * prints both: a connection to the first is kept, one to the second is closed after its answer.
 */
#ifndef _GNU_SOURCE
#	define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 256

#define ANSWER(header)                                                                         \
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n" header         \
	"\r\nhello, world\n"

static const char answer[] = ANSWER("");
static const char last_answer[] = ANSWER("Connection: close\r\n");

static void
die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* What epoll gives back: the descriptor, and whether its connections are closed early. */
union tag {
	uint64_t word;
	struct {
		int fd;
		bool closes;
	};
};

static void
watch(int ep, int fd, bool closes)
{
	union tag tag = {.fd = fd, .closes = closes};
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = tag.word};

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

static int
listen_on_free_port(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof sa;
	const int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		die("listen");
	printf("%d\n", ntohs(sa.sin_port));
	fflush(stdout);
	return fd;
}

/* One a turn: a second try would find the queue empty most of the time. */
static void
take(int ep, int listener, bool closes)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd >= 0)
		watch(ep, fd, closes);
}

static void
serve(int fd, bool closes)
{
	const char *text = closes ? last_answer : answer;
	size_t len = closes ? sizeof last_answer - 1 : sizeof answer - 1;
	char data[4096];
	ssize_t n = read(fd, data, sizeof data);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || write(fd, text, len) != (ssize_t)len || closes)
		close(fd);
}

int
main(int argc, char **argv)
{
	struct epoll_event ready[BATCH];
	struct rlimit limit;
	int keeping, closing, ep;

	if (argc > 1) {
		fprintf(stderr, "usage: %s (takes no arguments)\n", argv[0]);
		return 2;
	}
	keeping = listen_on_free_port();
	closing = listen_on_free_port();
	ep = epoll_create1(0);
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	watch(ep, keeping, false);
	watch(ep, closing, true);
	for (;;) {
		int n = epoll_wait(ep, ready, BATCH, -1);

		for (int i = 0; i < n; i++) {
			union tag tag = {.word = ready[i].data.u64};

			if (tag.fd == keeping || tag.fd == closing)
				take(ep, tag.fd, tag.closes);
			else
				serve(tag.fd, tag.closes);
		}
	}
}
