/* Other processes, and the rest of the kernel. */
#include "hostile.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef SYS_pidfd_getfd
#	define SYS_pidfd_getfd 438
#endif
#ifndef FIOSETOWN
#	define FIOSETOWN 0x8901
#	define SIOCSPGRP 0x8902
#endif
#define X32 0x40000000

#define CALL(...) syscall(__VA_ARGS__)

/* --- the memory of others --- */

static void
opened(const char *how, const char *path, long fd)
{
	board->rounds++;
	if (fd < 0)
		return;
	breach("%s %s", how, path);
	close((int)fd);
}

static void
try_path(const char *format, int pid)
{
	struct open_how how = {.flags = O_RDWR};
	char path[64];

	snprintf(path, sizeof path, format, pid);
	opened("open rw", path, CALL(SYS_openat, AT_FDCWD, path, O_RDWR, 0));
	opened("open w", path, CALL(SYS_openat, AT_FDCWD, path, O_WRONLY, 0));
	opened("open r", path, CALL(SYS_openat, AT_FDCWD, path, O_RDONLY, 0));
	opened("open 3", path, CALL(SYS_openat, AT_FDCWD, path, O_ACCMODE, 0));
	opened("openat2 rw", path, CALL(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
	how.flags = O_RDONLY;
	opened("openat2 r", path, CALL(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
#ifdef SYS_open
	opened("open(2) rw", path, CALL(SYS_open, path, O_RDWR, 0));
	opened("open(2) r", path, CALL(SYS_open, path, O_RDONLY, 0));
	opened("creat", path, CALL(SYS_creat, path, 0600));
#endif
}

/* What everybody may read. */
static void
try_to_write(const char *format, int pid)
{
	char path[64];

	snprintf(path, sizeof path, format, pid);
	opened("open w", path, CALL(SYS_openat, AT_FDCWD, path, O_WRONLY, 0));
	opened("open rw", path, CALL(SYS_openat, AT_FDCWD, path, O_RDWR, 0));
}

static void
memory_of(int pid)
{
	try_path("/proc/%d/mem", pid);
	try_path("/proc/%d/environ", pid);
	try_path("/proc/%d/auxv", pid);
	try_path("/proc/%d/maps", pid);
	try_to_write("/proc/%d/oom_score_adj", pid);
	try_to_write("/proc/%d/comm", pid);
	try_to_write("/proc/%d/coredump_filter", pid);
}

static void
mem(void)
{
	char path[64];

	memory_of((int)master);
	memory_of(board->sibling);
	snprintf(path, sizeof path, "/proc/%d/mem", (int)master);
	for (int fd = 0; fd < 64; fd++) {
		opened("open from a descriptor's folder", path,
		       CALL(SYS_openat, fd, path + 1, O_RDWR, 0));
		opened("open from a descriptor's folder", "../proc",
		       CALL(SYS_openat, fd, "../../../../../../../../../../proc/1/mem", O_RDWR,
		            0));
	}
}

static void
processes_of(pid_t pid)
{
	static char here[8]; /* stands at the same place there */
	char bytes[8] = {0};
	struct iovec mine = {bytes, 8}, other = {(void *)(uintptr_t)here, 8};
	struct rlimit limit = {1, 1};
	struct sched_param sp = {0};
	unsigned long mask = 1;
	siginfo_t si = {.si_signo = SIGCONT, .si_code = SI_QUEUE};
	int fd;

	must_fail("process_vm_readv", CALL(SYS_process_vm_readv, pid, &mine, 1, &other, 1, 0));
	must_fail("process_vm_writev",
	          CALL(SYS_process_vm_writev, pid, &mine, 1, &other, 1, 0));
	must_fail("ptrace attach", CALL(SYS_ptrace, PTRACE_ATTACH, pid, 0, 0));
	must_fail("ptrace seize", CALL(SYS_ptrace, PTRACE_SEIZE, pid, 0, 0));
	fd = (int)CALL(SYS_pidfd_open, pid, 0);
	must_fail("pidfd_open", fd);
	for (int i = 0; fd >= 0 && i < 32; i++)
		must_fail("pidfd_getfd", CALL(SYS_pidfd_getfd, fd, i, 0));
	must_fail("pidfd_send_signal", CALL(SYS_pidfd_send_signal, fd, SIGCONT, &si, 0));
	must_fail("kill 0", CALL(SYS_kill, pid, 0));
	must_fail("kill CONT", CALL(SYS_kill, pid, SIGCONT));
	must_fail("tkill", CALL(SYS_tkill, pid, SIGCONT));
	must_fail("tgkill", CALL(SYS_tgkill, pid, pid, SIGCONT));
	must_fail("rt_sigqueueinfo", CALL(SYS_rt_sigqueueinfo, pid, SIGCONT, &si));
	must_fail("rt_tgsigqueueinfo", CALL(SYS_rt_tgsigqueueinfo, pid, pid, SIGCONT, &si));
	must_fail("prlimit", CALL(SYS_prlimit64, pid, RLIMIT_CORE, &limit, NULL));
	must_fail("prlimit, to read", CALL(SYS_prlimit64, pid, RLIMIT_CORE, NULL, &limit));
	must_fail("setpriority", CALL(SYS_setpriority, PRIO_PROCESS, pid, 5));
	must_fail("sched_setaffinity", CALL(SYS_sched_setaffinity, pid, sizeof mask, &mask));
	must_fail("sched_setscheduler", CALL(SYS_sched_setscheduler, pid, SCHED_IDLE, &sp));
	must_fail("ioprio_set", CALL(SYS_ioprio_set, 1, pid, 3 << 13));
	must_fail("kcmp", CALL(SYS_kcmp, pid, getpid(), 0, 0, 0));
	must_fail("move_pages", CALL(SYS_move_pages, pid, 0, NULL, NULL, NULL, 0));
	must_fail("get_robust_list", CALL(SYS_get_robust_list, pid, &mask, &limit));
	must_fail("setpgid", CALL(SYS_setpgid, pid, 0));
	must_fail("process_madvise", CALL(SYS_process_madvise, fd, &other, 1, MADV_COLD, 0));
	if (fd >= 0)
		close(fd);
}

static void
processes(void)
{
	processes_of(master);
	processes_of(board->sibling);
	must_fail("kill -1", CALL(SYS_kill, -1, SIGCONT));
	must_fail("kill of the group", CALL(SYS_kill, 0, SIGCONT));
	must_fail("setpriority of the user", CALL(SYS_setpriority, PRIO_USER, 0, 1));
	must_fail("oneself's limits",
	          CALL(SYS_prlimit64, 0, RLIMIT_NOFILE, &(struct rlimit){64, 64}, NULL));
}

/* The kernel sends a signal in our name to who is said to be the owner. */
static void
owned(const char *what, int fd)
{
	int pid = (int)master;
	struct {
		int type, pid;
	} ex = {1, pid};
	static char text[64];

	snprintf(text, sizeof text, "the owner of %s", what);
	must_fail(text, fcntl(fd, F_SETOWN, pid));
	must_fail(text, fcntl(fd, F_SETOWN_EX, &ex));
	must_fail(text, ioctl(fd, FIOSETOWN, &pid));
	must_fail(text, ioctl(fd, SIOCSPGRP, &pid));
	/* a number of which the filter looks at one half only */
	must_fail(text, CALL(SYS_ioctl, fd, 0x100000000ull | FIOSETOWN, &pid));
	must_fail(text, CALL(SYS_fcntl, fd, 0x100000000ull | F_SETOWN, pid));
	must_fail("its signal", fcntl(fd, F_SETSIG, SIGKILL));
	must_fail("its lease", fcntl(fd, F_SETLEASE, F_WRLCK));
	must_fail("its notes", fcntl(fd, F_NOTIFY, 0x1f));
}

static void
signals(void)
{
	int end[2] = {-1, -1};

	owned("the channel", channel);
	if (pipe(end) == 0)
		owned("a pipe", end[0]);
	for (int fd = 0; fd < 64; fd++)
		if (fd_is_listening(fd))
			owned("a listening socket", fd);
	close(end[0]);
	close(end[1]);
}

/* --- the kernel --- */

static void
spaces(void)
{
	static const unsigned long flags[] = {CLONE_NEWUSER,  CLONE_NEWNS,  CLONE_NEWPID,
	                                      CLONE_NEWNET,   CLONE_NEWIPC, CLONE_NEWUTS,
	                                      CLONE_NEWCGROUP};

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		long pid = CALL(SYS_clone, flags[i] | SIGCHLD, 0, 0, 0, 0);

		if (pid == 0)
			_exit(0);
		must_fail("clone with a namespace", pid);
		must_fail("unshare", CALL(SYS_unshare, flags[i]));
	}
	must_fail("unshare files", CALL(SYS_unshare, CLONE_FS));
	must_fail("setns", CALL(SYS_setns, 0, 0));
	must_fail("mount", CALL(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL));
	must_fail("umount", CALL(SYS_umount2, "/proc", 2));
	must_fail("pivot_root", CALL(SYS_pivot_root, "/", "/"));
	must_fail("chroot", CALL(SYS_chroot, "/"));
	must_fail("open_tree", CALL(SYS_open_tree, AT_FDCWD, "/", 1));
	must_fail("fsopen", CALL(SYS_fsopen, "tmpfs", 0));
	must_fail("name_to_handle_at",
	          CALL(SYS_name_to_handle_at, AT_FDCWD, "/", (int[16]){64}, &(int){0}, 0));
	must_fail("open_by_handle_at", CALL(SYS_open_by_handle_at, 0, (int[16]){8}, 0));
}

static void
machinery(void)
{
	char params[120] = {0};

	must_fail("io_uring_setup", CALL(SYS_io_uring_setup, 4, params));
	must_fail("bpf", CALL(SYS_bpf, 0, params, 16));
	must_fail("perf_event_open", CALL(SYS_perf_event_open, params, 0, -1, -1, 0));
	must_fail("userfaultfd", CALL(SYS_userfaultfd, 1));
	must_fail("keyctl", CALL(SYS_keyctl, 0, -3, 0));
	must_fail("add_key", CALL(SYS_add_key, "user", "x", "y", 1, -3));
	must_fail("io_setup", CALL(SYS_io_setup, 1, params));
	must_fail("shmget", CALL(SYS_shmget, 0, 4096, 0600));
	must_fail("msgget", CALL(SYS_msgget, 0, 0600));
	must_fail("mq_open", CALL(SYS_mq_open, "x", O_CREAT | O_RDWR, 0600, NULL));
	must_fail("fanotify_init", CALL(SYS_fanotify_init, 0, 0));
	must_fail("syslog", CALL(SYS_syslog, 3, params, 1));
	must_fail("acct", CALL(SYS_acct, NULL));
	must_fail("swapon", CALL(SYS_swapon, "/nowhere", 0));
	must_fail("init_module", CALL(SYS_init_module, params, 1, ""));
	must_fail("kexec_load", CALL(SYS_kexec_load, 0, 0, NULL, 0));
	must_fail("sethostname", CALL(SYS_sethostname, "baton", 5));
	must_fail("adjtimex of nothing", CALL(SYS_clock_settime, 0, NULL));
	must_fail("quotactl", CALL(SYS_quotactl, 0, NULL, 0, NULL));
	must_fail("vhangup", CALL(SYS_vhangup));
	must_fail("memfd_secret", CALL(SYS_memfd_secret, 0));
	must_fail("set_mempolicy", CALL(SYS_set_mempolicy, 0, NULL, 0));
	must_fail("landlock", CALL(SYS_landlock_create_ruleset, NULL, 0, 1));
}

static void
powers(void)
{
	unsigned head[2] = {0x20080522, 0}, data[6] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u};

	must_fail("capset", CALL(SYS_capset, head, data));
	must_fail("setuid", CALL(SYS_setuid, 0));
	must_fail("setresuid", CALL(SYS_setresuid, 0, 0, 0));
	must_fail("setgid", CALL(SYS_setgid, 0));
	must_fail("setgroups", CALL(SYS_setgroups, 0, NULL));
	must_fail("setfsuid", CALL(SYS_setfsuid, 1) == -1 ? -1 : 0);
	must_fail("setsid", CALL(SYS_setsid));
	must_fail("dumpable", CALL(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0));
	must_fail("a tracer", CALL(SYS_prctl, PR_SET_PTRACER, -1, 0, 0, 0));
	must_fail("ambient", CALL(SYS_prctl, PR_CAP_AMBIENT, 2, 10, 0, 0));
	must_fail("keepcaps", CALL(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0));
	must_fail("subreaper", CALL(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	must_fail("personality", CALL(SYS_personality, 0x0400000));
}

static void
sockets(void)
{
	static const struct {
		const char *name;
		int domain, type, protocol;
	} kinds[] = {{"packet", AF_PACKET, SOCK_RAW, 0},
	             {"packet, datagrams", AF_PACKET, SOCK_DGRAM, 0},
	             {"raw", AF_INET, SOCK_RAW, 1},
	             {"alg", AF_ALG, SOCK_SEQPACKET, 0},
	             {"vsock", AF_VSOCK, SOCK_STREAM, 0},
	             {"xdp", 44, SOCK_RAW, 0},
	             {"tipc", 30, SOCK_SEQPACKET, 0},
	             {"netfilter", AF_NETLINK, SOCK_RAW, 12},
	             {"audit", AF_NETLINK, SOCK_RAW, 9},
	             {"kobject", AF_NETLINK, SOCK_RAW, 15},
	             {"bluetooth", 31, SOCK_RAW, 1},
	             {"can", 29, SOCK_RAW, 1}};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		long fd = CALL(SYS_socket, kinds[i].domain, kinds[i].type, kinds[i].protocol);

		/* on a raw one of IP the capability decides: root has it, and needs none */
		if (fd >= 0 || (errno != EPERM && errno != EACCES && errno != EAFNOSUPPORT &&
		                errno != EPROTONOSUPPORT && errno != ESOCKTNOSUPPORT))
			breach("socket: %s", kinds[i].name);
		if (fd >= 0)
			close((int)fd);
	}
}

static void
terminals(void)
{
	for (int fd = 0; fd < 3; fd++) {
		must_fail("TIOCSTI", ioctl(fd, 0x5412, "x"));
		must_fail("TIOCLINUX", ioctl(fd, 0x541c, "\3"));
		must_fail("TIOCSCTTY", ioctl(fd, 0x540e, 1));
		must_fail("FS_IOC_SETFLAGS", ioctl(fd, 0x40086602, &(long){0}));
	}
}

/* --- code --- */

static void
executable(const char *what, void *p)
{
	if (p != MAP_FAILED)
		breach("%s", what);
}

static void
exec(void)
{
	char *args[] = {"/bin/true", NULL}, *none[] = {NULL};
	long fd = CALL(SYS_memfd_create, "code", 0);

	must_fail("execve", CALL(SYS_execve, args[0], args, none));
	must_fail("execveat", CALL(SYS_execveat, AT_FDCWD, args[0], args, none, 0));
	must_fail("execveat of a memfd",
	          CALL(SYS_execveat, (int)fd, "", args, none, AT_EMPTY_PATH));
	must_fail("fork", CALL(SYS_clone, SIGCHLD, 0, 0, 0, 0));
	must_fail("clone3", CALL(SYS_clone3, (uint64_t[11]){0}, 88));
#ifdef SYS_vfork
	must_fail("fork(2)", CALL(SYS_fork));
#endif
	if (fd >= 0)
		close((int)fd);
}

/* Made at run time. */
static void
code(void)
{
	char *page =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = (int)CALL(SYS_memfd_create, "code", 0);

	executable("mmap of code", mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	executable("mmap of a memfd as code",
	           mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0));
	if (fd >= 0)
		close(fd);
	if (page == MAP_FAILED)
		return;
	must_fail("mprotect to code", mprotect(page, 4096, PROT_READ | PROT_EXEC));
	must_fail("mprotect to all", mprotect(page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC));
	must_fail("pkey_mprotect",
	          CALL(SYS_pkey_mprotect, page, 4096, PROT_READ | PROT_EXEC, -1));
	must_fail("remap_file_pages", CALL(SYS_remap_file_pages, page, 4096, 0, 0, 0));
}

/* Numbers that mean something else: the other tables of this machine. */
static void
other_numbers(void)
{
#if defined __x86_64__
	must_fail("x32: kill", CALL(X32 | SYS_kill, master, 0));
	must_fail("x32: open", CALL(X32 | SYS_open, "/proc/self/mem", O_RDWR, 0));
	must_fail("x32: ptrace", CALL(X32 | 521, PTRACE_ATTACH, master, 0, 0));
#endif
}

/* The worker is killed for it. */
static void
other_table(void)
{
#if defined __x86_64__
	long result;

	__asm__ volatile("int $0x80"
	                 : "=a"(result)
	                 : "a"(37L), "b"((long)master), "c"(0L)
	                 : "memory");
	must_fail("kill by int 0x80", result);
#endif
}

const struct payload payloads_memory[] = {{"mem-open", mem, NULL},
                                          {"mem-calls", processes, NULL},
                                          {"mem-signals", signals, NULL},
                                          {"kernel-spaces", spaces, NULL},
                                          {"kernel-calls", machinery, NULL},
                                          {"kernel-powers", powers, NULL},
                                          {"kernel-sockets", sockets, NULL},
                                          {"kernel-ioctl", terminals, NULL},
                                          {"kernel-code", code, NULL},
                                          {"kernel-exec", exec, NULL},
                                          {"kernel-x32", other_numbers, NULL},
                                          {"kernel-int80", other_table, NULL},
                                          {NULL, NULL, NULL}};
