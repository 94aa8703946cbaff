/* What there is not enough of; and ends. */
#include "hostile.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY  ((size_t)256 << 20)
#define THREADS 200

/* Without a heartbeat. */
static void
spin(void)
{
	uint64_t end = now_ms() + 30000;

	while (now_ms() < end)
		;
}

static void
sleep_on(void)
{
	for (int i = 0; i < 30; i++)
		sleep(1);
}

/* It does nothing, and says that all is well. */
static void
pretend(void)
{
	uint64_t end = now_ms() + 30000;

	while (now_ms() < end) {
		beat();
		usleep(10000);
	}
}

static void
stop_itself(void)
{
	kill(getpid(), SIGSTOP);
}

static void
descriptors(void)
{
	int n = 0;

	while (n < 1 << 20 && dup(0) >= 0)
		n++;
	note("%d descriptors", n);
	while (time_left())
		usleep(1000);
}

static void
memory(void)
{
	char *p =
	    mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		note("no memory");
		return;
	}
	for (size_t at = 0; at < MEMORY && time_left(); at += 4096)
		p[at] = 1;
	munmap(p, MEMORY);
}

/* Memory that the kernel keeps for it: in the buffers of its sockets. */
static void
kernel_memory(void)
{
	static char bytes[4096];
	int huge = 1 << 30;

	for (int fd = 3; fd < 64; fd++) {
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &huge, sizeof huge);
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &huge, sizeof huge);
	}
	for (int i = 0; i < 256; i++) {
		int end[2];

		if (pipe2(end, O_NONBLOCK) < 0)
			break;
		fcntl(end[0], F_SETPIPE_SZ, 1 << 20);
		while (write(end[1], bytes, sizeof bytes) > 0)
			;
	}
	while (time_left())
		usleep(1000);
}

static void *
idle(void *arg)
{
	for (int i = 0; i < 5; i++)
		sleep(1);
	return arg;
}

static void
threads(void)
{
	pthread_t t;
	int n = 0;

	while (n < THREADS && pthread_create(&t, NULL, idle, NULL) == 0)
		n++;
	note("%d threads", n);
	while (time_left())
		usleep(1000);
}

static void
leave(void)
{
	_exit(0);
}

static void
leave_with(void)
{
	_exit(42);
}

static void
fall(void)
{
	*(volatile char *)(uintptr_t)8 = 0;
}

/* A datagram socket that has a name of the kernel's choice, and so can send to itself. */
static int
own_post(struct sockaddr_un *sa, socklen_t *len)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
	sa->sun_family = AF_UNIX;
	bind(fd, (struct sockaddr *)sa, sizeof sa->sun_family);
	strcpy(sa->sun_path, "/nowhere");
	sendto(fd, "x", 1, MSG_DONTWAIT, (struct sockaddr *)sa, sizeof *sa);
	*len = sizeof *sa;
	if (getsockname(fd, (struct sockaddr *)sa, len) == 0 && *len > sizeof sa->sun_family)
		return fd;
	close(fd);
	return -1;
}

/* Descriptors that are on their way count for the user, and there is a limit to them: then
 * nobody of that user can pass any. */
static size_t
post(void)
{
	struct sockaddr_un sa = {0};
	socklen_t len;
	int fds[253], end[2] = {-1, -1}, to;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {0};
	struct iovec iov = {.iov_base = "x", .iov_len = 1};
	struct msghdr mh = {.msg_iov = &iov,
	                    .msg_iovlen = 1,
	                    .msg_control = control,
	                    .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
	size_t n = 0;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, end) == 0) {
		to = end[0];
	} else {
		to = own_post(&sa, &len);
		mh.msg_name = &sa;
		mh.msg_namelen = len;
	}
	for (size_t i = 0; i < 253; i++)
		fds[i] = 0;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fds);
	memcpy(CMSG_DATA(c), fds, sizeof fds);
	while (to >= 0 && sendmsg(to, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		n += 253;
	return n;
}

static void
in_flight(void)
{
	size_t n = 0, more = 1;

	for (int i = 0; i < 400 && more > 0; i++)
		n += more = post();
	note("%zu descriptors on their way", n);
	while (time_left())
		usleep(1000);
}

/* Ready to be told to go, and it stays. */
static void
ignore_orders(void)
{
	int null = dup(0);
	int fds[2];

	close(null);
	if (pipe(fds) < 0)
		return;
	signal(SIGTERM, SIG_IGN);
	while (time_left()) {
		char bytes[4096];

		recv(channel, bytes, sizeof bytes, MSG_DONTWAIT);
		usleep(1000);
	}
	pretend();
}

const struct payload payloads_resources[] = {
    {"res-spin", spin, NULL},        {"res-sleep", sleep_on, NULL},
    {"res-pretend", pretend, NULL},  {"res-ignore", ignore_orders, NULL},
    {"res-stop", stop_itself, NULL}, {"res-fds", descriptors, NULL},
    {"res-memory", memory, NULL},    {"res-kernel", kernel_memory, NULL},
    {"res-threads", threads, NULL},  {"res-inflight", in_flight, NULL},
    {"res-exit", leave, NULL},       {"res-exit-42", leave_with, NULL},
    {"res-fall", fall, NULL},        {NULL, NULL, NULL}};
