#include "service/http/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
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
	int dir[DEPTH_MAX + 1]; /* where we are, and how we came there; [0] is not ours */
	size_t depth;
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

/* What a link says takes the place of its name. */
static int
follow(struct walk *w, const char *name, bool last)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t n = readlinkat(w->dir[w->depth], name, target, sizeof target - 1);

	if (n < 0)
		return -1;
	target[n] = '\0';
	if (target[0] == '/')
		return fail(EXDEV);
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
	return 0;
}

static int
leave(struct walk *w)
{
	if (w->depth == 0)
		return fail(EXDEV);
	fd_close(&w->dir[w->depth--]);
	return 0;
}

/* Where we are is the end, perhaps: what step says of it. */
static int
stay(struct walk *w, bool last, int *fd)
{
	if (!last)
		return 0;
	*fd = openat(w->dir[w->depth], ".", READING);
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
	*fd = openat(w->dir[w->depth], name, (last ? READING : PASSING) | O_NOFOLLOW);
	if (*fd >= 0)
		return last ? 1 : enter(w, *fd);
	error = errno;
	if (error != ELOOP && error != ENOTDIR)
		return -1;
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
	while (result == 0)
		result = step(&w, &fd);
	error = errno;
	while (w.depth > 0)
		leave(&w);
	errno = error;
	return result > 0 ? fd : -1;
}
