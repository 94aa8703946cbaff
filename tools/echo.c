/*
 * echo: the backend of the TCP proxies in tools/bench, nginx and HAProxy, which can't echo by
 * themselves. It says back what it hears, and closes when the other side has.
 *
 * One epoll loop on a free port of 127.0.0.1, which it prints. A connection is either read or
 * written to: what the kernel doesn't take at once is kept, and nothing more is read until it
 * is gone.
 */
#ifndef _GNU_SOURCE
#	define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 256

struct conn {
	int fd;
	size_t len, done; /* of what is still to be said */
	char data[16384];
};

static void
die(const char *what)
{
	fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int
listen_on_free_port(void)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	socklen_t len = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, len) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		die("listen");
	printf("%d\n", ntohs(sa.sin_port));
	fflush(stdout);
	return fd;
}

static void
watch(int ep, int how, int fd, uint32_t what, struct conn *c)
{
	struct epoll_event e = {.events = what, .data.ptr = c};

	if (epoll_ctl(ep, how, fd, &e) < 0)
		die("epoll_ctl");
}

static void
take(int ep, int listener)
{
	const int one = 1;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	struct conn *c;

	if (fd < 0)
		return;
	c = malloc(sizeof *c);
	if (c == NULL)
		die("malloc");
	c->fd = fd;
	c->len = c->done = 0;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	watch(ep, EPOLL_CTL_ADD, fd, EPOLLIN, c);
}

static void
end(struct conn *c)
{
	close(c->fd);
	free(c);
}

/* Says what is left. Returns 0 when there is more to say later, else 1, or -1 when the
 * connection is gone. */
static int
say(struct conn *c)
{
	ssize_t n = write(c->fd, c->data + c->done, c->len - c->done);

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	c->done += (size_t)n;
	return c->done == c->len;
}

static void
hear(int ep, struct conn *c)
{
	ssize_t n = read(c->fd, c->data, sizeof c->data);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		end(c);
		return;
	}
	c->len = (size_t)n;
	c->done = 0;
	switch (say(c)) {
	case 0:
		watch(ep, EPOLL_CTL_MOD, c->fd, EPOLLOUT, c);
		break;
	case -1:
		end(c);
	}
}

static void
say_on(int ep, struct conn *c)
{
	switch (say(c)) {
	case 1:
		watch(ep, EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
		break;
	case -1:
		end(c);
	}
}

int
main(int argc, char **argv)
{
	struct epoll_event ready[BATCH];
	struct rlimit limit;
	int listener, ep;

	if (argc > 1) {
		fprintf(stderr, "usage: %s (takes no arguments)\n", argv[0]);
		return 2;
	}
	listener = listen_on_free_port();
	ep = epoll_create1(0);
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	watch(ep, EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
	for (;;) {
		int n = epoll_wait(ep, ready, BATCH, -1);

		for (int i = 0; i < n; i++) {
			struct conn *c = ready[i].data.ptr;

			if (c == NULL)
				take(ep, listener);
			else if (c->done < c->len)
				say_on(ep, c);
			else
				hear(ep, c);
		}
	}
}
