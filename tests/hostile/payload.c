#include "hostile.h"

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "wire/msg.h"
#include "wire/stats.h"

#define SLICE_MS 20 /* an order is seen so soon */

struct hostile_board *board;
struct region region[REGIONS_MAX];
size_t nregion;
int channel = -1;
pid_t master;
bool is_root;
char notify[108];

static const struct payload *const all[] = {payloads_stats,   payloads_memory,
                                            payloads_files,   payloads_channel,
                                            payloads_sockets, payloads_resources};

static pid_t armed; /* this process is a worker, and in its sandbox */
static uint32_t obeyed;
static uint64_t until_ms;
static const struct payload *running; /* in each turn */

/* --- what payloads use --- */

uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t
random64(void)
{
	static _Thread_local uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

struct stats_page *
own_page(void)
{
	static struct stats_page *found;

	for (size_t i = 0; found == NULL && i < nregion; i++)
		for (size_t at = 0; region[i].writable && at < region[i].n && found == NULL;
		     at += STATS_PAGE_SIZE) {
			struct stats_page *page = (struct stats_page *)(region[i].at + at);

			if (page->pid == armed && page->birth != 0)
				found = page;
		}
	for (size_t i = 0; found == NULL && i < nregion; i++)
		if (region[i].writable)
			found = (struct stats_page *)region[i].at;
	return found;
}

void
beat(void)
{
	struct stats_page *page = own_page();

	if (page != NULL)
		page->heartbeat_ms = now_ms();
}

bool
time_left(void)
{
	board->rounds++;
	beat();
	return now_ms() < until_ms;
}

static void
add_text(const char *format, va_list ap)
{
	size_t n = strnlen(board->text, sizeof board->text);

	if (n > 0 && n + 3 < sizeof board->text)
		n += (size_t)snprintf(board->text + n, sizeof board->text - n, "; ");
	if (n + 1 < sizeof board->text)
		vsnprintf(board->text + n, sizeof board->text - n, format, ap);
}

void
note(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	add_text(format, ap);
	va_end(ap);
}

void
breach(const char *format, ...)
{
	va_list ap;

	board->breaches++;
	va_start(ap, format);
	add_text(format, ap);
	va_end(ap);
}

void
must_fail(const char *what, long result)
{
	board->rounds++;
	if (result >= 0)
		breach("%s", what);
}

static int
int_option(int fd, int name)
{
	int value = -1;
	socklen_t n = sizeof value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &n) < 0 ? -1 : value;
}

bool
fd_is_listening(int fd)
{
	return int_option(fd, SO_ACCEPTCONN) == 1;
}

bool
fd_is_client(int fd)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof ss;
	int domain = int_option(fd, SO_DOMAIN);

	return (domain == AF_INET || domain == AF_INET6) && !fd_is_listening(fd) &&
	       int_option(fd, SO_TYPE) == SOCK_STREAM &&
	       getpeername(fd, (struct sockaddr *)&ss, &n) == 0;
}

bool
fd_is_pair(int fd)
{
	return fd != channel && int_option(fd, SO_TYPE) == SOCK_SEQPACKET;
}

bool
fd_is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

int
lingering(int nth)
{
	static char bytes[65536];
	struct linger hour = {.l_onoff = 1, .l_linger = 3600};

	for (int fd = 3; fd < FDS_MAX; fd++) {
		int big = 1 << 20;

		if (!fd_is_client(fd) || nth-- > 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hour, sizeof hour);
		for (int i = 0; i < 1000; i++)
			if (send(fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
				break;
		return fd;
	}
	return -1;
}

bool
send_message(int fd, unsigned type, uint64_t birth, const void *body, size_t len,
             const int *fds, size_t nfds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))] = {0};
	struct msg_head head = {.version = MSG_VERSION,
	                        .type = (uint16_t)type,
	                        .length = (uint32_t)len,
	                        .birth = birth};
	struct iovec iov[2] = {{.iov_base = &head, .iov_len = sizeof head},
	                       {.iov_base = (void *)(uintptr_t)body, .iov_len = len}};
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};

	if (nfds > 0) {
		struct cmsghdr *c;

		mh.msg_control = control;
		mh.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	return sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* --- orders --- */

static const struct payload *
find(const char *name)
{
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		for (const struct payload *p = all[i]; p->name != NULL; p++)
			if (strncmp(p->name, name, sizeof board->payload) == 0)
				return p;
	return NULL;
}

static void *
run(void *arg)
{
	const struct payload *p = arg;

	if (p->once != NULL)
		p->once();
	while (p->once == NULL && time_left())
		p->turn();
	board->done = obeyed;
	return NULL;
}

static void
begin(const struct payload *p)
{
	pthread_t thread;

	if (p == NULL) {
		breach("no such payload");
		board->done = obeyed;
	} else if (board->thread) {
		if (pthread_create(&thread, NULL, run, (void *)(uintptr_t)p) != 0) {
			note("no thread");
			run((void *)(uintptr_t)p);
		}
	} else if (p->once != NULL) {
		run((void *)(uintptr_t)p);
	} else {
		running = p;
	}
}

static void
obey(void)
{
	uint32_t seq = board->seq;

	if (seq != obeyed && board->pid == armed) {
		obeyed = seq;
		until_ms = now_ms() + board->ms;
		board->begun = seq;
		begin(find(board->payload));
	}
	if (running == NULL)
		return;
	if (now_ms() < until_ms) {
		board->rounds++;
		running->turn();
	} else {
		running = NULL;
		board->done = obeyed;
	}
}

/* --- where it hooks in --- */

static int (*real_epoll_wait)(int, struct epoll_event *, int, int);
static int (*real_seccomp_load)(void *);

int
epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	uint64_t begun = now_ms();
	int n;

	if (armed != getpid())
		return real_epoll_wait(fd, events, max, timeout);
	for (;;) {
		uint64_t gone = now_ms() - begun;
		int left = timeout < 0 ? SLICE_MS : timeout - (int)gone, slice = SLICE_MS;

		obey();
		if (left < slice)
			slice = left > 0 ? left : 0;
		n = real_epoll_wait(fd, events, max, slice);
		if (n != 0 || (timeout >= 0 && left <= SLICE_MS))
			return n;
	}
}

/* What the kernel tells of our memory, while it may be asked. */
static void
look_around(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512], perms[8];
	unsigned long from, to;

	if (f == NULL)
		return; /* too late: it has looked before */
	nregion = 0;
	while (fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, perms) != 3 || perms[3] != 's' ||
		    (char *)from == (char *)board || nregion == REGIONS_MAX)
			continue;
		region[nregion++] = (struct region){
		    .at = (char *)from, .n = to - from, .writable = perms[1] == 'w'};
	}
	fclose(f);
	for (int fd = 0; channel < 0 && fd < FDS_MAX; fd++)
		if (int_option(fd, SO_TYPE) == SOCK_SEQPACKET)
			channel = fd;
	master = getppid();
	is_root = geteuid() == 0;
}

/* The first step of its confinement: later the kernel tells nothing. */
int
prctl(int option, ...)
{
	unsigned long arg[4];
	va_list ap;

	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		arg[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (board != NULL && option == PR_SET_NO_NEW_PRIVS)
		look_around();
	return (int)syscall(SYS_prctl, option, arg[0], arg[1], arg[2], arg[3]);
}

int
seccomp_load(void *ctx)
{
	int error = real_seccomp_load(ctx);

	if (error == 0 && board != NULL)
		armed = getpid();
	return error;
}

__attribute__((constructor)) static void
start(void)
{
	const char *path = getenv("HOSTILE_BOARD"), *manager = getenv("NOTIFY_SOCKET");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	*(void **)&real_epoll_wait = dlsym(RTLD_NEXT, "epoll_wait");
	*(void **)&real_seccomp_load = dlsym(RTLD_NEXT, "seccomp_load");
	if (manager != NULL)
		snprintf(notify, sizeof notify, "%s", manager);
	if (fd < 0)
		return;
	p = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	board = p != MAP_FAILED ? p : NULL;
	close(fd);
}
