#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"

#define FDS_MAX 65536 /* that are closed where neither the kernel nor /proc helps */

void
fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void
fd_unlinger(int fd)
{
	static const struct linger off;

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &off, sizeof off);
}

#define PROBES 4

static void
set_int(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof value);
}

void
fd_keepalive(int fd, int64_t ms)
{
	int idle = (int)((ms + 999) / 1000), every = (idle + PROBES - 1) / PROBES;

	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, ms > 0);
	if (ms <= 0)
		return;
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle);
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, every);
	set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
}

void
fd_close_at_once(int *fd)
{
	struct linger l = {0};
	socklen_t len = sizeof l;

	if (*fd >= 0 && getsockopt(*fd, SOL_SOCKET, SO_LINGER, &l, &len) == 0 &&
	    l.l_onoff != 0 && l.l_linger != 0)
		fd_unlinger(*fd);
	fd_close(fd);
}

bool
fd_lingers(int fd)
{
	struct linger l = {0};
	socklen_t len = sizeof l;

	return getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len) == 0 && l.l_onoff != 0;
}

void
fd_discard(int *fd)
{
	if (*fd >= 0)
		fd_unlinger(*fd);
	fd_close(fd);
}

int
fd_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

int
fd_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	return (flags & O_NONBLOCK) ? 0 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static int
by_number(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* One by one, where the kernel has no close_range(2) (before Linux 5.9), or a filter forbids
 * it: those that are open, or where nobody tells all that may be. */
static void
close_each(unsigned from, unsigned to)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned last = to < FDS_MAX ? to : FDS_MAX;
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		unsigned fd = (unsigned)atoi(e->d_name);

		if (*e->d_name != '.' && fd >= from && fd <= to && (int)fd != dirfd(dir))
			close((int)fd);
	}
	if (dir != NULL)
		closedir(dir);
	for (unsigned fd = from; dir == NULL && fd <= last; fd++)
		close((int)fd);
}

static void
close_span(unsigned from, unsigned to)
{
	if (close_range(from, to, 0) < 0)
		close_each(from, to);
}

void
fd_close_except(const int *keep, size_t n)
{
	int *sorted = mem_alloc((n + 1) * sizeof *sorted);
	unsigned from = STDERR_FILENO + 1;

	memcpy(sorted, keep, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_number);
	for (size_t i = 0; i < n; i++) {
		if (sorted[i] < (int)from)
			continue;
		if (sorted[i] > (int)from)
			close_span(from, (unsigned)sorted[i] - 1);
		from = (unsigned)sorted[i] + 1;
	}
	close_span(from, UINT_MAX);
	free(sorted);
}

static bool
among(int fd, const int *keep, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

size_t
fd_count_foreign(const int *keep, size_t n, int *first)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	size_t count = 0;

	if (dir == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL) {
		int fd = atoi(e->d_name);

		if (fd <= STDERR_FILENO || fd == dirfd(dir) || among(fd, keep, n))
			continue;
		if (count++ == 0 && first != NULL)
			*first = fd;
	}
	closedir(dir);
	return count;
}

uint64_t
fd_inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

/* The last block is left for what a file system writes down about the others. */
size_t
fd_disk_room(int fd)
{
	struct statvfs v;
	uint64_t blocks;

	if (fstatvfs(fd, &v) < 0 || v.f_blocks == 0 || v.f_frsize == 0)
		return SIZE_MAX;
	blocks = geteuid() == 0 ? v.f_bfree : v.f_bavail;
	if (blocks < 2)
		return 0;
	return blocks - 1 < SIZE_MAX / v.f_frsize ? (blocks - 1) * v.f_frsize : SIZE_MAX;
}

/* Read until end of file; the size that fstat told is only a hint. */
static char *
read_all(int fd, size_t max, size_t *len)
{
	size_t size = 4096, n = 0;
	char *text = mem_alloc(size);
	ssize_t r;

	while ((r = read(fd, text + n, size - n - 1)) != 0) {
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 || (n += (size_t)r) > max) {
			if (r > 0)
				errno = EFBIG;
			free(text);
			return NULL;
		}
		if (n + 1 == size)
			text = mem_realloc(text, size *= 2);
	}
	text[n] = '\0';
	*len = n;
	return text;
}

char *
fd_read(int fd, size_t max, size_t *len)
{
	if (lseek(fd, 0, SEEK_SET) < 0)
		return NULL;
	return read_all(fd, max, len);
}

uint64_t
fd_raise_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return 1024;
	if (rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
		(void)getrlimit(RLIMIT_NOFILE, &rl);
	}
	return rl.rlim_cur;
}

bool
fd_may(int dir, const char *name, int mode)
{
	return syscall(SYS_faccessat, dir, name, mode) == 0;
}
