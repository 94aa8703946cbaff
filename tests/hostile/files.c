/* Files: what is outside, and the logs that it holds. */
#include "hostile.h"

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CALL(...) syscall(__VA_ARGS__)

static char a[512], b[512];

static const char *
in(char *to, const char *folder, const char *name)
{
	snprintf(to, 512, "%s/%s", folder, name);
	return to;
}

/* --- to be written --- */

static void
opened(const char *what, long fd)
{
	must_fail(what, fd);
	if (fd < 0)
		return;
	if (write((int)fd, "hostile", 7) != 7)
		note("%s: not written", what);
	close((int)fd);
}

static void
open_to_write(const char *path)
{
	static const int flags[] = {O_WRONLY,
	                            O_RDWR,
	                            O_WRONLY | O_CREAT,
	                            O_RDONLY | O_CREAT,
	                            O_WRONLY | O_TRUNC,
	                            O_RDONLY | O_TRUNC,
	                            O_WRONLY | O_APPEND,
	                            O_ACCMODE};

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		struct open_how how = {.flags = (uint64_t)flags[i],
		                       .mode = flags[i] & O_CREAT ? 0600 : 0};
		char what[64];

		snprintf(what, sizeof what, "open with %#o", flags[i]);
		opened(what, CALL(SYS_openat, AT_FDCWD, path, flags[i], 0600));
		snprintf(what, sizeof what, "openat2 with %#o", flags[i]);
		opened(what, CALL(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
#ifdef SYS_open
		snprintf(what, sizeof what, "open(2) with %#o", flags[i]);
		opened(what, CALL(SYS_open, path, flags[i], 0600));
#endif
	}
#ifdef SYS_creat
	opened("creat", CALL(SYS_creat, path, 0600));
#endif
}

static void
change_names(void)
{
	const char *folder = board->canary, *old = in(a, folder, "old"),
	           *to = in(b, folder, "new");

	must_fail("renameat2", CALL(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, to, 0));
	must_fail("linkat", CALL(SYS_linkat, AT_FDCWD, old, AT_FDCWD, to, 0));
	must_fail("symlinkat", CALL(SYS_symlinkat, old, AT_FDCWD, to));
	must_fail("mkdirat", CALL(SYS_mkdirat, AT_FDCWD, to, 0700));
	must_fail("mknodat", CALL(SYS_mknodat, AT_FDCWD, to, S_IFIFO | 0600, 0));
	must_fail("unlinkat", CALL(SYS_unlinkat, AT_FDCWD, old, 0));
	must_fail("fchmodat", CALL(SYS_fchmodat, AT_FDCWD, old, 0777));
	must_fail("fchownat", CALL(SYS_fchownat, AT_FDCWD, old, getuid(), getgid(), 0));
	must_fail("utimensat", CALL(SYS_utimensat, AT_FDCWD, old, NULL, 0));
	must_fail("truncate", CALL(SYS_truncate, old, 1));
	must_fail("setxattr", CALL(SYS_setxattr, old, "user.x", "y", 1, 0));
#ifdef SYS_rename
	must_fail("rename", CALL(SYS_rename, old, to));
	must_fail("link", CALL(SYS_link, old, to));
	must_fail("symlink", CALL(SYS_symlink, old, to));
	must_fail("mkdir", CALL(SYS_mkdir, to, 0700));
	must_fail("rmdir", CALL(SYS_rmdir, to));
	must_fail("unlink", CALL(SYS_unlink, old));
	must_fail("chmod", CALL(SYS_chmod, old, 0777));
	must_fail("chown", CALL(SYS_chown, old, getuid(), getgid()));
#endif
}

/* What is open to be read has an inode, too. */
static void
by_descriptor(const char *path)
{
	int fd = (int)CALL(SYS_openat, AT_FDCWD, path, O_RDONLY, 0);

	if (fd < 0)
		return;
	must_fail("fchmod", fchmod(fd, 0777));
	must_fail("fchown", fchown(fd, getuid(), getgid()));
	must_fail("futimens", futimens(fd, NULL));
	must_fail("ftruncate", ftruncate(fd, 1));
	must_fail("fallocate", CALL(SYS_fallocate, fd, 0, 0, 1));
	must_fail("fsetxattr", CALL(SYS_fsetxattr, fd, "user.x", "y", 1, 0));
	must_fail("a lease", fcntl(fd, F_SETLEASE, F_RDLCK));
	close(fd);
}

static void
to_write(void)
{
	open_to_write(in(a, board->canary, "file"));
	open_to_write(in(a, board->canary, "created"));
	opened("O_TMPFILE",
	       CALL(SYS_openat, AT_FDCWD, board->canary, O_TMPFILE | O_RDWR, 0600));
	opened("O_TMPFILE to read",
	       CALL(SYS_openat, AT_FDCWD, board->canary, O_TMPFILE | O_RDONLY, 0600));
	by_descriptor(in(a, board->canary, "file"));
	change_names();
}

/* --- to be read --- */

static void
must_not_read(const char *what, long fd)
{
	char bytes[64];
	ssize_t n;

	board->rounds++;
	if (fd < 0)
		return;
	n = read((int)fd, bytes, sizeof bytes);
	if (n > 0)
		breach("%s: %zd bytes of a secret", what, n);
	close((int)fd);
}

static void
try_openat2(const char *what, int folder, const char *path)
{
	static const uint64_t resolve[] = {0, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_XDEV,
	                                   RESOLVE_NO_SYMLINKS};

	for (size_t i = 0; i < sizeof resolve / sizeof *resolve; i++) {
		struct open_how how = {.flags = O_RDONLY, .resolve = resolve[i]};

		must_not_read(what, CALL(SYS_openat2, folder, path, &how, sizeof how));
	}
}

static void
from_descriptor(int fd)
{
	const char *up = in(a, "../../../../../../../../../..", board->secret);

	must_not_read("openat from a descriptor", CALL(SYS_openat, fd, up, O_RDONLY, 0));
	must_not_read("openat by a link", CALL(SYS_openat, fd, "outside", O_RDONLY, 0));
	must_not_read("openat by a magic link", CALL(SYS_openat, fd, "magic", O_RDONLY, 0));
	try_openat2("openat2 from a descriptor", fd, up);
	try_openat2("openat2 by a link", fd, "outside");
}

static void
to_read(void)
{
	static const char *const roots[] = {"/proc/self/root",
	                                    "/proc/self/cwd/../../../../../..",
	                                    "/proc/thread-self/root", "/dev/fd/../root"};

	must_not_read("openat", CALL(SYS_openat, AT_FDCWD, board->secret, O_RDONLY, 0));
#ifdef SYS_open
	must_not_read("open", CALL(SYS_open, board->secret, O_RDONLY, 0));
#endif
	try_openat2("openat2", AT_FDCWD, board->secret);
	for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
		must_not_read(roots[i], CALL(SYS_openat, AT_FDCWD,
		                             in(a, roots[i], board->secret), O_RDONLY, 0));
	for (int fd = 0; fd < 64; fd++)
		from_descriptor(fd);
	must_not_read("by a link",
	              CALL(SYS_openat, AT_FDCWD, in(a, board->root, "outside"), O_RDONLY, 0));
}

/* --- the logs --- */

/* Not to append, but over what stands there. */
static void
write_over(int fd)
{
	int end[2];
	loff_t at = 0;

	fcntl(fd, F_SETFL, 0);
	lseek(fd, 0, SEEK_SET);
	if (pwrite(fd, "HOSTILE", 7, 0) < 0 || write(fd, "HOSTILE", 7) < 0)
		note("a log is not written");
	if (pipe(end) == 0) {
		if (write(end[1], "HOSTILE", 7) == 7)
			CALL(SYS_splice, end[0], NULL, fd, &at, 7, 0);
		close(end[0]);
		close(end[1]);
	}
	CALL(SYS_pwritev2, fd, NULL, 0, 0, 0, 0);
}

static void
cut_off(int fd)
{
	must_fail("ftruncate of a log", ftruncate(fd, 0));
	must_fail("fallocate: a hole in a log", CALL(SYS_fallocate, fd, 3, 0, 4096));
	must_fail("fallocate: a log without its head", CALL(SYS_fallocate, fd, 8, 0, 4096));
	must_fail("fallocate: zeros in a log", CALL(SYS_fallocate, fd, 16, 0, 4096));
	must_fail("fchmod of a log", fchmod(fd, 0777));
	if (mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED)
		breach("a log is mapped");
	flock(fd, LOCK_EX | LOCK_NB); /* held from now on: nobody may wait for it */
}

static void
cut_off_by_name(int fd)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	must_fail("open of a log with O_TRUNC",
	          CALL(SYS_openat, AT_FDCWD, path, O_WRONLY | O_TRUNC, 0));
	must_fail("truncate of a log", CALL(SYS_truncate, path, 0));
}

static void
each_log(void (*fn)(int))
{
	for (int fd = 0; fd < FDS_MAX; fd++) {
		if (!fd_is_file(fd) || fcntl(fd, F_GETFL) < 0 ||
		    (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
			continue;
		fn(fd);
	}
}

static void
logs(void)
{
	each_log(write_over);
	each_log(cut_off);
}

static void
logs_by_name(void)
{
	each_log(cut_off_by_name);
}

/* As much as goes in; and so that the other writers would wait, if they shared its mode. */
static void
flood_logs(bool blocking)
{
	static char line[512];
	struct stat st;

	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\n';
	for (int fd = 1; blocking && fd < 64; fd++)
		if (fd != channel && fstat(fd, &st) == 0 && !S_ISSOCK(st.st_mode)) {
			fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
			fcntl(fd, F_SETPIPE_SZ, 4096);
		}
	for (size_t bytes = 0; time_left() && bytes < (32 << 20);)
		for (int fd = 1; fd < 64; fd++) {
			struct stat s;

			if (fd == channel || fd_is_client(fd) || fd_is_listening(fd) ||
			    fstat(fd, &s) < 0 || S_ISCHR(s.st_mode))
				continue;
			if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY &&
			    write(fd, line, sizeof line) > 0)
				bytes += sizeof line;
		}
}

static void
flood(void)
{
	flood_logs(false);
}

static void
flood_and_block(void)
{
	flood_logs(true);
}

const struct payload payloads_files[] = {
    {"files-write", to_write, NULL},       {"files-read", to_read, NULL},
    {"files-beside", to_read, NULL},       {"logs-cut", logs, NULL},
    {"logs-name", logs_by_name, NULL},     {"logs-flood", flood, NULL},
    {"logs-block", flood_and_block, NULL}, {NULL, NULL, NULL}};
