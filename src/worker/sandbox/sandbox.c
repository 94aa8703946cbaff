#include "worker/sandbox/sandbox.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "base/mem.h"
#include "worker/core/service.h"

#define CALLS_MAX 1024                            /* numbers of system calls are below */
#define READS     (O_ACCMODE | O_CREAT | O_TRUNC) /* all of them 0 */
#define TYPE      0xf                             /* of a socket, without flags */

#ifndef SYS_SECCOMP
#	define SYS_SECCOMP 1 /* glibc has no name for this si_code */
#endif
#ifndef RWF_NOAPPEND
#	define RWF_NOAPPEND 0x20
#endif
#ifndef PR_SET_VMA
#	define PR_SET_VMA 0x53564d41 /* malloc names its memory, from glibc 2.37 on */
#endif

/* A module has what all the others have. */
#define CONNECT (SERVICE_CONNECTS | SERVICE_IS_FREE)
#define FILES   (SERVICE_OPENS_FILES | CONNECT)
#define FREE    SERVICE_IS_FREE

/* --- the lists --- */

/* clang-format off */

/* For everybody: what works on descriptors that the worker holds or is given, its own
 * memory, time and signals.  Also sysinfo: qsort asks for it. */
static const char *const held[] = {
	"accept", "accept4", "brk", "clock_getres", "clock_gettime", "clock_gettime64",
	"clock_nanosleep", "clock_nanosleep_time64", "close", "close_range", "dup", "dup2",
	"dup3", "epoll_ctl", "epoll_pwait", "epoll_pwait2",
	"epoll_wait", "eventfd2", "exit", "exit_group", "flock", "fstat", "fstat64", "fstatfs",
	"fstatfs64", "futex",
	"futex_time64", "getcpu", "getegid", "geteuid", "getgid", "getpeername", "getpid",
	"getppid", "getrandom", "getrlimit", "getsockname", "getsockopt", "gettid",
	"gettimeofday", "getuid", "_llseek", "lseek", "madvise", "membarrier",
	"munmap", "nanosleep", "newfstatat", "fstatat64", "pipe", "pipe2", "poll", "ppoll",
	"ppoll_time64", "pread64", "preadv", "pselect6", "pwrite64", "pwritev", "read",
	"readv", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg",
	"restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"sched_getaffinity", "sched_yield", "select", "_newselect", "send", "sendfile",
	"sendfile64", "sendmmsg", "sendmsg", "sendto", "set_robust_list",
	"shutdown", "sigaltstack", "sigreturn", "splice", "statx", "sysinfo", "tee", "time",
	"timerfd_create", "timerfd_gettime", "timerfd_settime", "ugetrlimit", "uname", "write",
	"writev", NULL,
};

/* The files that are served, and those that the resolver reads. */
static const char *const files[] = {
	"access", "faccessat", "faccessat2", "lstat", "lstat64", "readlink", "readlinkat",
	"stat", "stat64", NULL,
};

/* bind: of a netlink socket, by the resolver. */
static const char *const connects[] = {"bind", "connect", NULL};

/* A handler's own work: files, sockets, clocks, locks.  Not io_uring: it does what it is
 * told past any filter.  Not ftruncate, fallocate and fchmod: logs are files that it holds. */
static const char *const own_work[] = {
	"alarm", "chdir", "chmod", "copy_file_range", "creat", "epoll_create", "epoll_create1", "eventfd", "fadvise64",
	"fadvise64_64", "fchdir", "fchmodat", "fdatasync", "fgetxattr",
	"fsync", "getcwd",
	"getdents", "getdents64", "getgroups", "getitimer", "getpgid", "getpgrp",
	"getpriority", "getresgid", "getresuid", "getrusage", "getsid", "getxattr",
	"inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch",
	"lgetxattr", "link", "linkat", "listen", "memfd_create", "mincore", "mkdir", "mkdirat",
	"mlock", "mlock2", "mmap", "mmap2", "mprotect", "msync", "munlock", "open", "openat",
	"openat2", "pause", "preadv2", "readahead", "rename", "renameat",
	"renameat2", "rmdir", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait",
	"rt_sigtimedwait_time64", "sched_get_priority_max", "sched_get_priority_min",
	"sched_getparam", "sched_getscheduler", "setitimer", "signalfd4", "socketpair",
	"statfs", "statfs64", "symlink", "symlinkat", "sync_file_range", "timer_create",
	"timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime", "times",
	"truncate", "truncate64", "umask", "unlink", "unlinkat", "utimensat",
	"utimensat_time64", NULL,
};

/* By how this was built. */
static const char *const of_build[] = {
#ifdef __SANITIZE_ADDRESS__
    /* Leaks are looked for at the end, by a process of its own that stops this one. */
    "clone", "getdents", "getdents64", "kill",  "mmap",      "mprotect",
    "open",     "openat",     "prctl", "prlimit64", "ptrace",
    "readlink", "readlinkat", "stat",  "tgkill",    "wait4",
#endif
#ifdef BATON_FAULTY
    "openat",   "pause", /* orders are read and obeyed at any time */
#endif
    NULL};

static const struct list {
	unsigned needs; /* by one of these; 0: by everybody */
	const char *const *names;
} lists[] = {
    {0, held}, {FILES, files}, {CONNECT, connects}, {FREE, own_work}, {0, of_build}};

/* Allowed with some arguments only. */
struct rule {
	const char *name;
	unsigned needs;
	struct scmp_arg_cmp when;
	struct scmp_arg_cmp also; /* with op 0: no second condition */
};

#define IS(n, value)          SCMP_CMP64(n, SCMP_CMP_EQ, (uint64_t)(value))
#define HAS(n, mask, pattern) SCMP_CMP64(n, SCMP_CMP_MASKED_EQ, mask, pattern)
#define OPTION(level, name)   IS(1, level), IS(2, name)

static const struct rule rules[] = {
	/* No code is made at run time; the resolver's libraries are mapped from files. */
	{ "mmap", 0, HAS(2, PROT_EXEC, 0), {0} },
	{ "mmap2", 0, HAS(2, PROT_EXEC, 0), {0} },
	{ "mmap", CONNECT, HAS(3, MAP_ANONYMOUS, 0), {0} },
	{ "mmap2", CONNECT, HAS(3, MAP_ANONYMOUS, 0), {0} },
	{ "mprotect", 0, HAS(2, PROT_EXEC, 0), {0} },

	/* Files are read. */
	{ "open", FILES, HAS(1, READS, 0), {0} },
	{ "openat", FILES, HAS(2, READS, 0), {0} },

	/* A datagram socket: what getnameinfo asks for the name of an interface, when a
	 * peer has a link-local address. */
	{ "socket", 0, IS(0, AF_UNIX), HAS(1, TYPE, SOCK_DGRAM) },
	{ "socket", CONNECT, IS(0, AF_UNIX), {0} },
	/* Not raw. */
	{ "socket", CONNECT, IS(0, AF_INET), HAS(1, TYPE, SOCK_STREAM) },
	{ "socket", CONNECT, IS(0, AF_INET), HAS(1, TYPE, SOCK_DGRAM) },
	{ "socket", CONNECT, IS(0, AF_INET6), HAS(1, TYPE, SOCK_STREAM) },
	{ "socket", CONNECT, IS(0, AF_INET6), HAS(1, TYPE, SOCK_DGRAM) },
	{ "socket", CONNECT, IS(0, AF_NETLINK), IS(2, NETLINK_ROUTE) },

	{ "ioctl", 0, IS(1, SIOCOUTQ), {0} },
	{ "ioctl", 0, IS(1, SIOCOUTQNSD), {0} },
	{ "ioctl", 0, IS(1, FIONREAD), {0} },
	{ "ioctl", 0, IS(1, TCGETS), {0} },
	{ "ioctl", FREE, IS(1, FIOCLEX), {0} },
	{ "ioctl", FREE, IS(1, FIONCLEX), {0} },
	{ "ioctl", FREE, IS(1, TIOCGWINSZ), {0} },
	{ "ioctl", FREE, IS(1, SIOCATMARK), {0} },
	{ "ioctl", FREE, IS(1, SIOCGIFCONF), {0} },
	{ "ioctl", FREE, IS(1, SIOCGIFFLAGS), {0} },
	{ "ioctl", FREE, IS(1, SIOCGIFADDR), {0} },
	{ "ioctl", FREE, IS(1, SIOCGIFNETMASK), {0} },
	{ "ioctl", FREE, IS(1, SIOCGIFMTU), {0} },
	{ "ioctl", FREE, IS(1, SIOCGIFHWADDR), {0} },
	{ "ioctl", 0, IS(1, SIOCGIFNAME), {0} },
	{ "ioctl", 0, IS(1, SIOCGIFINDEX), {0} },

	/*
	 * Listening sockets are shared with the generations to come, and what is accepted inherits
	 * from them: no filters on them (SO_ATTACH_FILTER and its kin), no device or TTL that leads
	 * nowhere, no TCP_DEFER_ACCEPT, and O_NONBLOCK stays, by FIONBIO and F_SETFL.
	 */
	{ "setsockopt", 0, OPTION(SOL_SOCKET, SO_LINGER) },
	{ "setsockopt", 0, OPTION(SOL_SOCKET, SO_KEEPALIVE) },
	{ "setsockopt", 0, OPTION(IPPROTO_TCP, TCP_NODELAY) },
	{ "setsockopt", 0, OPTION(IPPROTO_TCP, TCP_KEEPIDLE) },
	{ "setsockopt", 0, OPTION(IPPROTO_TCP, TCP_KEEPINTVL) },
	{ "setsockopt", 0, OPTION(IPPROTO_TCP, TCP_KEEPCNT) },
	{ "setsockopt", 0, OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT) },
	{ "setsockopt", CONNECT, OPTION(IPPROTO_IP, IP_RECVERR) },
	{ "setsockopt", CONNECT, OPTION(IPPROTO_IPV6, IPV6_RECVERR) },
	{ "setsockopt", FREE, OPTION(SOL_SOCKET, SO_REUSEADDR) },
	{ "setsockopt", FREE, OPTION(SOL_SOCKET, SO_BROADCAST) },
	{ "setsockopt", FREE, OPTION(SOL_SOCKET, SO_SNDBUF) },
	{ "setsockopt", FREE, OPTION(SOL_SOCKET, SO_RCVBUF) },
	{ "setsockopt", FREE, OPTION(SOL_SOCKET, SO_OOBINLINE) },
	{ "setsockopt", FREE, OPTION(SOL_SOCKET, SO_PRIORITY) },
	{ "setsockopt", FREE, OPTION(SOL_SOCKET, SO_REUSEPORT) },
	{ "setsockopt", FREE, OPTION(SOL_SOCKET, SO_PASSCRED) },
	{ "setsockopt", FREE, OPTION(SOL_SOCKET, SO_RCVTIMEO) },
	{ "setsockopt", FREE, OPTION(SOL_SOCKET, SO_SNDTIMEO) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IP, IP_MULTICAST_IF) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IP, IP_MULTICAST_TTL) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IP, IP_MULTICAST_LOOP) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IP, IP_ADD_MEMBERSHIP) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IP, IP_DROP_MEMBERSHIP) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IP, IP_TOS) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IP, IP_PKTINFO) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IPV6, IPV6_MULTICAST_IF) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IPV6, IPV6_MULTICAST_HOPS) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IPV6, IPV6_MULTICAST_LOOP) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IPV6, IPV6_JOIN_GROUP) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IPV6, IPV6_LEAVE_GROUP) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IPV6, IPV6_V6ONLY) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IPV6, IPV6_RECVPKTINFO) },
	{ "setsockopt", FREE, OPTION(IPPROTO_IPV6, IPV6_TCLASS) },
	{ "setsockopt", FREE, OPTION(IPPROTO_TCP, TCP_CORK) },
	{ "setsockopt", FREE, OPTION(IPPROTO_TCP, TCP_SYNCNT) },
	{ "setsockopt", FREE, OPTION(IPPROTO_TCP, TCP_QUICKACK) },
	{ "setsockopt", FREE, OPTION(IPPROTO_TCP, TCP_CONGESTION) },
	{ "setsockopt", FREE, OPTION(IPPROTO_TCP, TCP_FASTOPEN_CONNECT) },
	{ "setsockopt", FREE, OPTION(SOL_SOCKET, SO_TIMESTAMP) },
	{ "setsockopt", FREE, OPTION(SOL_SOCKET, SO_TIMESTAMPNS) },
	{ "setsockopt", FREE, OPTION(SOL_SOCKET, SO_BUSY_POLL) },
	{ "setsockopt", FREE, OPTION(SOL_SOCKET, SO_ZEROCOPY) },

	/* Not F_SETOWN: the kernel would signal other processes. */
	{ "fcntl", 0, IS(1, F_DUPFD), {0} },
	{ "fcntl", 0, IS(1, F_DUPFD_CLOEXEC), {0} },
	{ "fcntl", 0, IS(1, F_GETFD), {0} },
	{ "fcntl", 0, IS(1, F_SETFD), {0} },
	{ "fcntl", 0, IS(1, F_GETFL), {0} },
	{ "fcntl", FREE, IS(1, F_SETFL), HAS(2, O_NONBLOCK, O_NONBLOCK) },
	{ "fcntl", 0, IS(1, F_GETPIPE_SZ), {0} },
	{ "fcntl", 0, IS(1, F_SETPIPE_SZ), {0} },
	{ "fcntl", FREE, IS(1, F_GETLK), {0} },
	{ "fcntl", FREE, IS(1, F_SETLK), {0} },
	{ "fcntl", FREE, IS(1, F_SETLKW), {0} },
	{ "fcntl", FREE, IS(1, F_OFD_GETLK), {0} },
	{ "fcntl", FREE, IS(1, F_OFD_SETLK), {0} },
	{ "fcntl", FREE, IS(1, F_OFD_SETLKW), {0} },
	{ "fcntl", FREE, IS(1, F_ADD_SEALS), {0} },
	{ "fcntl", FREE, IS(1, F_GET_SEALS), {0} },

	/* Not over what an access log holds already. */
	{ "pwritev2", FREE, HAS(5, RWF_NOAPPEND, 0), {0} },

	{ "prctl", 0, IS(0, PR_SET_NAME), {0} },
	{ "prctl", 0, IS(0, PR_GET_NAME), {0} },
	{ "prctl", 0, IS(0, PR_SET_VMA), {0} },
	{ "prlimit64", 0, IS(0, 0), IS(2, 0) }, /* one's own limits are read */

	{ "clone", CONNECT, HAS(0, CLONE_THREAD, CLONE_THREAD), {0} },
};
/* clang-format on */

/* Signals to oneself: abort, raise, pthread_kill. */
static const char *const signals[] = {"kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
                                      NULL};

/* --- what is refused --- */

static atomic_bool told[CALLS_MAX];

/*
 * Where the registers are known the kernel asks us, and not by itself: so the log can
 * name the call.  Refused rather than killed: a call that a library makes once in a year
 * is no reason to cut thousands of connections, and for who has taken over a worker,
 * EPERM is as much of an end.  (With SIGSYS blocked, as no thread of baton's is, it is
 * killed.)
 */
#if defined __x86_64__
#	define REFUSAL SCMP_ACT_TRAP

static void
set_result(ucontext_t *context, long result)
{
	context->uc_mcontext.gregs[REG_RAX] = result;
}

static uint64_t
argument(const ucontext_t *context, unsigned i)
{
	static const int at[] = {REG_RDI, REG_RSI};

	return (uint64_t)context->uc_mcontext.gregs[at[i]];
}
#elif defined __aarch64__
#	define REFUSAL SCMP_ACT_TRAP

static void
set_result(ucontext_t *context, long result)
{
	context->uc_mcontext.regs[0] = (uint64_t)result;
}

static uint64_t
argument(const ucontext_t *context, unsigned i)
{
	return context->uc_mcontext.regs[i];
}
#else
#	define REFUSAL SCMP_ACT_ERRNO(EPERM)

static void
set_result(ucontext_t *context, long result)
{
	(void)context;
	(void)result;
}

static uint64_t
argument(const ucontext_t *context, unsigned i)
{
	(void)context;
	return i;
}
#endif

/* Not at any moment, as other signals come, but instead of a system call; and as those of
 * malloc and stdio are allowed it is inside of neither: both may be used.  A call that
 * nobody had heard of when this was built does not exist, and has another way. */
static void
on_refused(int sig, siginfo_t *si, void *context)
{
	char *name;

	(void)sig;
	if (si->si_code != SYS_SECCOMP)
		return;
	name = seccomp_syscall_resolve_num_arch(si->si_arch, si->si_syscall);
	if (si->si_syscall >= 0 && si->si_syscall < CALLS_MAX &&
	    !atomic_exchange(&told[si->si_syscall], true))
		log_warn(
		    "the sandbox refused system call %d, %s(%#llx, %#llx, ...); 'sandbox = "
		    "no' in [server] allows all",
		    si->si_syscall, name != NULL ? name : "which is new",
		    (unsigned long long)argument(context, 0),
		    (unsigned long long)argument(context, 1));
	set_result(context, name != NULL ? -EPERM : -ENOSYS);
	free(name);
}

static void
watch(void)
{
	struct sigaction act = {.sa_sigaction = on_refused, .sa_flags = SA_SIGINFO};

	sigaction(SIGSYS, &act, NULL);
}

/* --- the filter --- */

/* Skip calls that this architecture or libseccomp does not have, and rules that would be
 * duplicates or the default. */
static int
add(scmp_filter_ctx ctx, uint32_t action, const char *name, const struct scmp_arg_cmp *when,
    unsigned n)
{
	int nr = seccomp_syscall_resolve_name(name);
	int error = nr < 0 ? 0 : seccomp_rule_add_array(ctx, action, nr, n, when);

	return error == -EEXIST || error == -EACCES ? 0 : error;
}

static bool
asked(unsigned by, unsigned needs)
{
	return by == 0 || (by & needs) != 0;
}

static int
add_lists(scmp_filter_ctx ctx, unsigned needs)
{
	int error = 0;

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		for (const char *const *name = lists[i].names;
		     error == 0 && asked(lists[i].needs, needs) && *name != NULL; name++)
			error = add(ctx, SCMP_ACT_ALLOW, *name, NULL, 0);
	return error;
}

static int
add_rules(scmp_filter_ctx ctx, unsigned needs)
{
	int error = 0;

	for (size_t i = 0; error == 0 && i < sizeof rules / sizeof *rules; i++) {
		const struct rule *r = &rules[i];
		struct scmp_arg_cmp when[] = {r->when, r->also};

		if (asked(r->needs, needs))
			error =
			    add(ctx, SCMP_ACT_ALLOW, r->name, when, r->also.op != 0 ? 2 : 1);
	}
	return error;
}

static int
add_signals(scmp_filter_ctx ctx)
{
	struct scmp_arg_cmp own = IS(0, getpid());
	int error = 0;

	for (const char *const *name = signals; error == 0 && *name != NULL; name++)
		error = add(ctx, SCMP_ACT_ALLOW, *name, &own, 1);
	return error;
}

/* glibc makes processes and threads with all signals blocked, so that nobody could be asked;
 * and takes clone, whose flags can be seen, when there is no clone3. */
static int
add_forks(scmp_filter_ctx ctx, unsigned needs)
{
#ifndef __SANITIZE_ADDRESS__
	struct scmp_arg_cmp process = HAS(0, CLONE_THREAD, 0);
	unsigned n = asked(CONNECT, needs) ? 1 : 0; /* or a thread, too, if there are none */
	int error = add(ctx, SCMP_ACT_ERRNO(EPERM), "clone", &process, n);

	if (error != 0)
		return error;
#endif
	(void)needs;
	if (add(ctx, SCMP_ACT_ERRNO(EPERM), "fork", NULL, 0) != 0 ||
	    add(ctx, SCMP_ACT_ERRNO(EPERM), "vfork", NULL, 0) != 0)
		return -EINVAL;
	return add(ctx, SCMP_ACT_ERRNO(ENOSYS), "clone3", NULL, 0);
}

/* Calls with a fallback, refused without a word in the log.  The mapping of a worker's page
 * of statistics must not grow into those of others; openat2 hides its flags. */
static int
add_quiet(scmp_filter_ctx ctx, unsigned needs)
{
	int error = add(ctx, SCMP_ACT_ERRNO(ENOMEM), "mremap", NULL, 0);

	if (error == 0 && !asked(FREE, needs))
		error = add(ctx, SCMP_ACT_ERRNO(ENOSYS), "openat2", NULL, 0);
	return error;
}

/* A tree, not a chain: what is not known by its number alone is found sooner. */
static int
fill_and_load(scmp_filter_ctx ctx, unsigned needs)
{
	int error = add_lists(ctx, needs);

	if (error == 0)
		error = add_rules(ctx, needs);
	if (error == 0)
		error = add_signals(ctx);
	if (error == 0)
		error = add_forks(ctx, needs);
	if (error == 0)
		error = add_quiet(ctx, needs);
	if (error == 0)
		error = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (error == 0)
		error = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (error == 0)
		error = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return error == 0 ? seccomp_load(ctx) : error;
}

void
sandbox_prepare(void)
{
	tzset();
	json_object_seed(0);
}

int
sandbox_enter(unsigned needs, char **cause)
{
	scmp_filter_ctx ctx = seccomp_init(REFUSAL);
	int error;

	if (ctx == NULL)
		return cause_set(cause, "cannot make a seccomp filter");
	sandbox_prepare();
	watch();
	error = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : fill_and_load(ctx, needs);
	seccomp_release(ctx);
	if (error != 0)
		return cause_set(cause,
		                 "no seccomp: %s ('sandbox = no' in [server] does without)",
		                 strerror(-error));
	return 0;
}
