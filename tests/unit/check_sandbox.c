/* Each role in a process of its own: what it may do, and what it may not. */
#include "worker/sandbox/sandbox.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <check.h>

#include "worker/core/service.h"

#define LOG       "check_sandbox.log"
#define NO_APPEND 0x20 /* RWF_NOAPPEND */

#define NOBODY 0u
#define ALL    (SERVICE_OPENS_FILES | SERVICE_CONNECTS | SERVICE_IS_FREE)

static int
closed(int fd)
{
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int
make_socket(int family, int type, int protocol)
{
	return closed(socket(family, type, protocol));
}

/* --- what is tried: 0, or -1 with errno --- */

static int
try_exec(void)
{
	return execl("/bin/true", "true", (char *)NULL);
}

static int
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -1 : 0;
}

static int
try_system(void)
{
	return system("true"); /* NOLINT */
}

static int
try_ptrace(void)
{
	return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int
try_kill(void)
{
	return kill(getppid(), 0);
}

static int
try_mount(void)
{
	return mount("none", "/mnt", "tmpfs", 0, NULL);
}

static int
try_unshare(void)
{
	return unshare(CLONE_NEWUSER);
}

static int
try_setuid(void)
{
	return setuid(0);
}

static int
try_packet(void)
{
	return make_socket(AF_PACKET, SOCK_RAW, 0);
}

static int
try_audit(void)
{
	return make_socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT);
}

static int
try_route(void)
{
	return make_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}

static int
try_tcp(void)
{
	return make_socket(AF_INET, SOCK_STREAM, 0);
}

static int
try_unix(void)
{
	return make_socket(AF_UNIX, SOCK_STREAM, 0);
}

static int
try_datagram(void)
{
	return make_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static int
try_read_file(void)
{
	return closed(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int
try_write_file(void)
{
	char path[] = "/tmp/check_sandbox.XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd >= 0)
		unlink(path);
	return closed(fd);
}

static int
try_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : munmap(p, 4096);
}

static void *
nothing(void *arg)
{
	return arg;
}

static int
try_thread(void)
{
	pthread_t t;

	errno = pthread_create(&t, NULL, nothing, NULL);
	return errno != 0 ? -1 : pthread_join(t, NULL);
}

static int
try_lookup(void)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *ai;

	if (getaddrinfo("localhost", "80", &hints, &ai) != 0) {
		errno = EPERM; /* of which of its calls, it does not say */
		return -1;
	}
	freeaddrinfo(ai);
	return 0;
}

/* --- what changes sockets and files that others share --- */

static int
try_raw(void)
{
	return make_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}

static int
try_blocking(void)
{
	return fcntl(STDERR_FILENO, F_SETFL, O_APPEND);
}

static int
try_nonblocking(void)
{
	int end[2];

	if (pipe2(end, O_CLOEXEC) < 0 || fcntl(end[0], F_SETFL, O_NONBLOCK) < 0)
		return -1;
	return closed(end[0]) + closed(end[1]);
}

static int
try_fionbio(void)
{
	int off = 0;

	return ioctl(STDERR_FILENO, FIONBIO, &off);
}

static int end_of_pair = -1; /* made before the sandbox */

static int
set(int level, int name)
{
	struct sock_fprog none = {0};

	/* EINVAL, ENOPROTOOPT: the filter lets it pass. */
	if (setsockopt(end_of_pair, level, name, &none, sizeof none) < 0 && errno == EPERM)
		return -1;
	return 0;
}

static int
try_attach(void)
{
	return set(SOL_SOCKET, SO_ATTACH_FILTER);
}

static int
try_ttl(void)
{
	return set(IPPROTO_IP, IP_TTL);
}

static int
try_nodelay(void)
{
	return set(IPPROTO_TCP, TCP_NODELAY);
}

static int
try_buffer(void)
{
	return set(SOL_SOCKET, SO_RCVBUF);
}

static int
try_mremap(void)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (mremap(p, 4096, 8192, MREMAP_MAYMOVE) != MAP_FAILED)
		return 0;
	errno = errno == ENOMEM ? EPERM : errno; /* in the filter's words */
	return -1;
}

static int
try_raise(void)
{
	signal(SIGUSR1, SIG_IGN);
	return raise(SIGUSR1);
}

/* What a log is: open for appending, before the sandbox is entered. */
static int log_like = -1;

static int
try_cut(void)
{
	return ftruncate(log_like, 0);
}

static int
try_hole(void)
{
	return (int)syscall(SYS_fallocate, log_like, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                    0, 4096);
}

static int
try_open_up(void)
{
	return fchmod(log_like, 0666);
}

static int
write_at_start(int flags)
{
	char x = 'x';
	struct iovec iov = {.iov_base = &x, .iov_len = 1};

	return syscall(SYS_pwritev2, log_like, &iov, 1, 0, 0, flags) < 0 ? -1 : 0;
}

static int
try_append(void)
{
	return write_at_start(0);
}

static int
try_write_over(void)
{
	return write_at_start(NO_APPEND);
}

static int
try_write_over_soon(void)
{
	return write_at_start(NO_APPEND | RWF_DSYNC);
}

/* And with it what is shared by those who have a listening socket. */
static int
try_plain_mode(void)
{
	return fcntl(log_like, F_SETFL, 0);
}

static int
try_no_append(void)
{
	return fcntl(log_like, F_SETFL, O_NONBLOCK);
}

static int
try_room(void)
{
	struct statvfs v;

	return fstatvfs(log_like, &v);
}

static int
up(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* What is done all day, and by libraries now and then. */
static int
try_every_day(void)
{
	int pair[2], *many = malloc(1 << 22);
	struct stat st;
	time_t now = time(NULL);
	struct tm tm;
	char buf[256];

	if (pipe2(pair, O_NONBLOCK | O_CLOEXEC) < 0 || write(pair[1], "x", 1) != 1 ||
	    read(pair[0], buf, 1) != 1 || fstat(pair[0], &st) < 0 || many == NULL)
		return -1;
	memset(many, 1, 1 << 22);
	qsort(many, 4096, sizeof *many, up);
	many = realloc(many, 1 << 23);
	free(many);
	localtime_r(&now, &tm);
	strftime(buf, sizeof buf, "%c", &tm);
	prctl(PR_SET_NAME, "checked");
	return closed(pair[0]) + closed(pair[1]);
}

/* --- the table --- */

enum role { PLAIN, FILES, CONNECTS, MODULE, ROLES };

static const unsigned needs[ROLES] = {NOBODY, SERVICE_OPENS_FILES, SERVICE_CONNECTS,
                                      SERVICE_IS_FREE};

static const struct
try {
	const char *name;
	int (*fn)(void);
	bool may[ROLES];
	bool not_sanitized; /* those builds may do more */
}
tries[] = {
    {"every day", try_every_day, {true, true, true, true}, false},
    {"raise", try_raise, {true, true, true, true}, false},
    {"datagram", try_datagram, {true, true, true, true}, false},
    {"read a file", try_read_file, {false, true, true, true}, true},
    {"write a file", try_write_file, {false, false, false, true}, true},
    {"thread", try_thread, {false, false, true, true}, true},
    {"lookup", try_lookup, {false, true, true, true}, true},
    {"tcp", try_tcp, {false, false, true, true}, false},
    {"unix", try_unix, {false, false, true, true}, false},
    {"route", try_route, {false, false, true, true}, false},
    {"code", try_code, {false, false, false, true}, true},
    {"raw", try_raw, {false}, false},
    {"blocking", try_blocking, {false}, false},
    {"fionbio", try_fionbio, {false}, false},
    {"attach", try_attach, {false}, false},
    {"ttl", try_ttl, {false}, false},
    {"mremap", try_mremap, {false}, false},
    {"nonblocking", try_nonblocking, {false, false, false, true}, false},
    {"nodelay", try_nodelay, {true, true, true, true}, false},
    {"buffer", try_buffer, {false, false, false, true}, false},
    {"look at the room of a log", try_room, {true, true, true, true}, false},
    {"append to a log", try_append, {false, false, false, true}, false},
    {"write over a log", try_write_over, {false}, false},
    {"write over a log at once", try_write_over_soon, {false}, false},
    {"cut a log", try_cut, {false}, false},
    {"punch a hole into a log", try_hole, {false}, false},
    {"open a log up", try_open_up, {false}, false},
    {"mode of a log", try_plain_mode, {false}, false},
    {"mode of a socket", try_no_append, {false, false, false, true}, false},
    {"exec", try_exec, {false}, false},
    {"fork", try_fork, {false}, true},
    {"system", try_system, {false}, true},
    {"ptrace", try_ptrace, {false}, true},
    {"kill", try_kill, {false}, true},
    {"mount", try_mount, {false}, false},
    {"unshare", try_unshare, {false}, false},
    {"setuid", try_setuid, {false}, false},
    {"packet", try_packet, {false}, false},
    {"audit", try_audit, {false}, false},
};

#ifdef __SANITIZE_ADDRESS__
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

/* In a child: the exit status tells. */
static _Noreturn void
attempt(const struct try *t, unsigned role, unsigned more)
{
	char *cause = NULL;
	int result;

	end_of_pair = socket(AF_INET, SOCK_STREAM, 0);
	log_like = open(LOG, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	unlink(LOG);
	if (sandbox_enter(needs[role] | more, &cause) < 0) {
		fprintf(stderr, "%s\n", cause);
		_exit(9);
	}
	errno = 0;
	result = t->fn();
	if (result == 0)
		_exit(0);
	_exit(errno == EPERM ? 1 : 2);
}

static void
expect(const struct try *t, unsigned role, unsigned more, bool may)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		attempt(t, role, more);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == (may ? 0 : 1 << 8), "%s in role %u: %s %d", t->name, role,
	              WIFSIGNALED(status) ? "killed by signal" : "exit status",
	              WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

START_TEST(each_role_may_what_it_needs)
{
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
		for (unsigned role = 0; role < ROLES; role++)
			if (tries[i].may[role] || !(sanitized && tries[i].not_sanitized))
				expect(&tries[i], role, 0, tries[i].may[role]);
}
END_TEST

START_TEST(one_worker_may_have_all_roles)
{
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++)
		if (tries[i].may[MODULE] || !(sanitized && tries[i].not_sanitized))
			expect(&tries[i], MODULE, ALL, tries[i].may[MODULE]);
}
END_TEST

/* A call from a place where all signals are blocked ends the process: nobody could be told. */
static _Noreturn void
blocked(void)
{
	sigset_t every;

	sigfillset(&every);
	sigprocmask(SIG_SETMASK, &every, NULL);
	sandbox_enter(ALL, NULL);
	try_mount();
	_exit(0);
}

START_TEST(with_all_signals_blocked_it_ends)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		blocked();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}
END_TEST

/* The log of the child goes into a pipe. */
START_TEST(the_log_names_the_call_once)
{
	char text[4096];
	size_t n = 0;
	ssize_t r;
	int out[2];
	pid_t pid;

	ck_assert_int_eq(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], STDERR_FILENO);
		close(out[1]);
		sandbox_enter(ALL, NULL);
		try_mount();
		try_mount();
		try_unshare();
		_exit(0);
	}
	close(out[1]);
	while ((r = read(out[0], text + n, sizeof text - 1 - n)) > 0)
		n += (size_t)r;
	text[n] = '\0';
	close(out[0]);
	waitpid(pid, NULL, 0);
	ck_assert_ptr_nonnull(strstr(text, "mount("));
	ck_assert_ptr_null(strstr(strstr(text, "mount(") + 1, "mount("));
	ck_assert_ptr_nonnull(strstr(text, "unshare(0x10000000, "));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sandbox");
	TCase *tc = tcase_create("sandbox");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, each_role_may_what_it_needs);
	tcase_add_test(tc, one_worker_may_have_all_roles);
	tcase_add_test(tc, with_all_signals_blocked_it_ends);
	tcase_add_test(tc, the_log_names_the_call_once);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
