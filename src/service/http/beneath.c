#include "service/http/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define DEPTH_MAX 64
#define LINKS_MAX 40 /* as the kernel's */

/* Of one walk, those in links included: each is a system call or two, and a client's path of
 * 4 kB could have 2,000 of them. */
#define NAMES_MAX 256

/* O_NONBLOCK: a FIFO must not hold the loop; for a regular file it means nothing. */
#define READING (O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
#define PASSING (O_PATH | O_DIRECTORY | O_CLOEXEC)

struct walk {
	int dir[DEPTH_MAX + 1]; /* where we are, and how we came there */
	size_t depth;
	int top;      /* the directory beneath which all must be: dir[0], unless the walk is */
	bool outside; /* on the way from "/" to it, as an absolute link says; dir[0] is "/" then
	               */
	struct stat top_st; /* st_ino 0: not asked for yet */
	unsigned links, names;
	char rest[PATH_MAX];
	char *at; /* in rest: not yet walked */
};

static int
fail(int error)
{
	errno = error;
	return -1;
}

/* The next name, ended by NUL, and whether nothing follows it, not even a slash. */
static char *
next_name(struct walk *w, bool *last)
{
	char *name = w->at + strspn(w->at, "/");
	size_t n = strcspn(name, "/");

	*last = name[n] == '\0';
	w->at = name + n;
	if (!*last)
		*w->at++ = '\0';
	return name;
}

static void
leave_all(struct walk *w)
{
	while (w->depth > 0)
		fd_close(&w->dir[w->depth--]);
	if (w->outside)
		fd_close(&w->dir[0]);
}

/* From the top again, beneath which we are from here on. */
static void
come_in(struct walk *w)
{
	leave_all(w);
	w->dir[0] = w->top;
	w->outside = false;
}

/* If that is the top, by whatever name it was reached. */
static int
come_in_at(struct walk *w, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (st.st_ino == w->top_st.st_ino && st.st_dev == w->top_st.st_dev)
		come_in(w);
	return 0;
}

static int
go_out(struct walk *w)
{
	int root = open("/", PASSING);

	if (root < 0 || (w->top_st.st_ino == 0 && fstat(w->top, &w->top_st) < 0)) {
		fd_close(&root);
		return -1;
	}
	leave_all(w);
	w->dir[0] = root;
	w->outside = true;
	return come_in_at(w, root);
}

/* What a link says takes the place of its name.  An absolute one may lead in again. */
static int
follow(struct walk *w, const char *name, bool last)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t n = readlinkat(w->dir[w->depth], name, target, sizeof target - 1);

	if (n < 0)
		return -1;
	target[n] = '\0';
	if (target[0] == '/' && go_out(w) < 0)
		return -1;
	if (++w->links > LINKS_MAX)
		return fail(ELOOP);
	if (snprintf(path, sizeof path, "%s%s%s", target, last ? "" : "/", w->at) >=
	    (int)sizeof path)
		return fail(ENAMETOOLONG);
	strcpy(w->rest, path);
	w->at = w->rest;
	return 0;
}

static int
enter(struct walk *w, int fd)
{
	if (w->depth == DEPTH_MAX) {
		fd_close(&fd);
		return fail(ENAMETOOLONG);
	}
	w->dir[++w->depth] = fd;
	return w->outside ? come_in_at(w, fd) : 0;
}

static int
leave(struct walk *w)
{
	if (w->depth == 0)
		return w->outside ? 0 : fail(EXDEV);
	fd_close(&w->dir[w->depth--]);
	return 0;
}

/* A directory that may only be passed through is opened for that. */
static int
open_last(const struct walk *w, const char *name)
{
	int fd = openat(w->dir[w->depth], name, READING | O_NOFOLLOW), error = errno;

	if (fd < 0 && error == EACCES)
		fd = openat(w->dir[w->depth], name, PASSING | O_NOFOLLOW);
	if (fd < 0)
		errno = error;
	return fd;
}

/* Where we are is the end, perhaps: what step says of it. */
static int
stay(struct walk *w, bool last, int *fd)
{
	if (!last)
		return 0;
	*fd = w->outside ? fail(EXDEV) : open_last(w, ".");
	return *fd < 0 ? -1 : 1;
}

/* One name on: 0; -1 with errno; or 1 and *fd, the end. */
static int
step(struct walk *w, int *fd)
{
	bool last;
	char *name = next_name(w, &last);
	int error;

	if (*name == '\0' || strcmp(name, ".") == 0)
		return stay(w, last, fd);
	if (++w->names > NAMES_MAX)
		return fail(ENAMETOOLONG);
	if (strcmp(name, "..") == 0)
		return leave(w) < 0 ? -1 : stay(w, last, fd);
	*fd = last && !w->outside ? open_last(w, name)
	                          : openat(w->dir[w->depth], name, PASSING | O_NOFOLLOW);
	if (*fd >= 0 && last && !w->outside)
		return 1;
	if (*fd >= 0)
		return enter(w, *fd) < 0 ? -1 : stay(w, last, fd);
	error = w->outside ? EXDEV : errno; /* what is there is nobody's business */
	if (errno != ELOOP && errno != ENOTDIR)
		return fail(error);
	if (follow(w, name, last) == 0)
		return 0;
	return errno == EINVAL ? fail(error) : -1; /* EINVAL: it is no link */
}

int
beneath_open(int directory, const char *path)
{
	struct walk w; /* not zeroed: it is large */
	int fd = -1, result = 0, error;

	if (*path == '\0')
		return fail(ENOENT);
	if (*path == '/')
		return fail(EXDEV);
	if (strlen(path) >= sizeof w.rest)
		return fail(ENAMETOOLONG);
	strcpy(w.rest, path);
	w.at = w.rest;
	w.dir[0] = directory;
	w.depth = 0;
	w.links = w.names = 0;
	w.top = directory;
	w.outside = false;
	w.top_st.st_ino = 0;
	while (result == 0)
		result = step(&w, &fd);
	error = errno;
	leave_all(&w);
	errno = error;
	return result > 0 ? fd : -1;
}
