#include "service/http/file.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "service/http/beneath.h"
#include "service/http/mime.h"

int
file_open_root(const char *dir, char **cause)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return cause_set(cause, "root %s: %s", dir, strerror(errno));
	if (!fd_may(fd, ".", X_OK)) {
		cause_set(cause, "root %s: %s", dir, strerror(errno));
		fd_close(&fd);
	}
	return fd;
}

bool
file_root_is_replaced(int root, const char *dir)
{
	struct stat now, then;
	int fd;

	if (stat(dir, &now) < 0 || fstat(root, &then) < 0 ||
	    (now.st_ino == then.st_ino && now.st_dev == then.st_dev))
		return false;
	if ((fd = file_open_root(dir, NULL)) < 0)
		return false;
	fd_close(&fd);
	return true;
}

static int
status_of_errno(void)
{
	switch (errno) {
	case EACCES:
	case EPERM:
		return 403;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN: /* a rename raced with the walk */
		return 503;
	default:
		return 404;
	}
}

static int
describe(const struct stat *st, const char *path, struct file *f)
{
	if (!S_ISREG(st->st_mode)) {
		file_close(f);
		return 403;
	}
	f->size = (uint64_t)st->st_size;
	f->modified = st->st_mtime;
	f->type = mime_type(path);
	snprintf(f->etag, sizeof f->etag, "\"%llx-%lx-%llx\"", (unsigned long long)st->st_mtime,
	         (unsigned long)st->st_mtim.tv_nsec, (unsigned long long)st->st_size);
	return 0;
}

static int
open_index(int root, const char *dir, const char *index, struct file *f)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof path, "%s%s", dir, index) >= (int)sizeof path)
		return 404;
	f->fd = beneath_open(root, path);
	if (f->fd < 0)
		return status_of_errno();
	if (fstat(f->fd, &st) < 0 || S_ISDIR(st.st_mode)) {
		file_close(f);
		return 404;
	}
	return describe(&st, path, f);
}

int
file_open(int root, const char *path, const char *index, struct file *f)
{
	size_t n = strlen(path);
	struct stat st;

	f->fd = -1;
	if (n == 0 || path[n - 1] == '/')
		return open_index(root, path, index, f);
	f->fd = beneath_open(root, path);
	if (f->fd < 0)
		return status_of_errno();
	if (fstat(f->fd, &st) < 0) {
		file_close(f);
		return 404;
	}
	if (!S_ISDIR(st.st_mode))
		return describe(&st, path, f);
	file_close(f);
	return 301;
}

void
file_close(struct file *f)
{
	fd_close(&f->fd);
}
