#include "base/way.h"

#include <sys/stat.h>
#include <sys/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/place.h"

#define LINKS_MAX 40
#define HOLD      (O_PATH | O_CLOEXEC | O_NOFOLLOW)

/* Put what comes first before what is left of the way. */
static int
set_rest(struct way *w, const char *first, size_t len)
{
	char rest[PATH_MAX];
	int n = snprintf(rest, sizeof rest, "%.*s%s%s", (int)len, first,
	                 *w->rest != '\0' ? "/" : "", w->rest);

	if (n < 0 || n >= (int)sizeof rest) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(w->rest, rest, (size_t)n + 1);
	return 0;
}

/* A relative way goes on from where we are. */
static int
begin(struct way *w, const char *from)
{
	int dir = *w->rest == '/' ? open("/", O_PATH | O_CLOEXEC | O_DIRECTORY)
	          : from != NULL  ? open(from, O_PATH | O_CLOEXEC | O_DIRECTORY)
	                          : w->place->dir;

	if (dir < 0)
		return -1;
	if (dir != w->place->dir)
		fd_close(&w->place->dir);
	w->place->dir = dir;
	return 0;
}

/* Take the next name off the way. */
static int
take_name(struct way *w)
{
	const char *name = w->rest + strspn(w->rest, "/");
	size_t len = strcspn(name, "/");
	const char *after = name + len + strspn(name + len, "/");

	if (len == 0 || len >= sizeof w->place->name) {
		errno = len == 0 ? EISDIR : ENAMETOOLONG;
		return -1;
	}
	memcpy(w->place->name, name, len);
	w->place->name[len] = '\0';
	memmove(w->rest, after, strlen(after) + 1);
	return 0;
}

static bool
is_ours(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

/* Who could have put the link there? */
static bool
is_trusted(const struct way *w, const struct stat *link)
{
	struct stat st;

	return is_ours(link->st_uid) || (fstat(w->place->dir, &st) == 0 && is_ours(st.st_uid) &&
	                                 (st.st_mode & 022) == 0);
}

bool
way_in_proc(const struct place *p)
{
	struct statfs fs;

	return fstatfs(p->dir, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* The name is a link: go its way instead. */
static int
follow(struct way *w)
{
	int link = openat(w->place->dir, w->place->name, HOLD);
	char target[PATH_MAX];
	struct stat st;
	ssize_t n = -1;

	if (link < 0)
		return -1;
	if (fstat(link, &st) == 0)
		n = readlinkat(link, "", target, sizeof target);
	fd_close(&link);
	if (n <= 0 || n == sizeof target) {
		errno = n > 0 ? ENAMETOOLONG : ENOTDIR;
		return -1;
	}
	if (!is_trusted(w, &st) || ++w->links > LINKS_MAX) {
		errno = ELOOP;
		return -1;
	}
	return set_rest(w, target, (size_t)n) == 0 ? begin(w, NULL) : -1;
}

/* One directory further.  (O_DIRECTORY is what mounts one that is mounted when needed.) */
static int
descend(struct way *w)
{
	int flags = way_in_proc(w->place) ? HOLD & ~O_NOFOLLOW : HOLD;
	int dir = openat(w->place->dir, w->place->name, flags | O_DIRECTORY);

	if (dir < 0)
		return errno == ENOTDIR || errno == ELOOP ? follow(w) : -1;
	fd_close(&w->place->dir);
	w->place->dir = dir;
	return 0;
}

static int
walk(struct way *w)
{
	while (take_name(w) == 0) {
		if (*w->rest == '\0')
			return 0;
		if (descend(w) < 0)
			return -1;
	}
	return -1;
}

int
way_begin(struct way *w, struct place *p, const char *path)
{
	w->place = p;
	w->links = 0;
	*w->rest = '\0';
	*p = (struct place){.dir = -1};
	if (set_rest(w, path, strlen(path)) == 0 && begin(w, ".") == 0 && walk(w) == 0)
		return 0;
	place_close(p);
	return -1;
}

int
way_on(struct way *w)
{
	struct stat st;

	while (place_look(w->place, &st) == 0 && S_ISLNK(st.st_mode) && !way_in_proc(w->place))
		if (follow(w) < 0 || walk(w) < 0)
			return -1;
	return 0;
}
