#include "base/place.h"

#include <sys/random.h>
#include <sys/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define LINKS_MAX 40
#define HOLD      (O_PATH | O_CLOEXEC | O_NOFOLLOW)

/* --- the way to it --- */

void
place_close(struct place *p)
{
	fd_close(&p->dir);
}

int
place_look(const struct place *p, struct stat *st)
{
	return fstatat(p->dir, p->name, st, AT_SYMLINK_NOFOLLOW);
}

/* Put what comes first before what is left of the way. */
static int
set_rest(struct place_way *w, const char *first, size_t len)
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
begin(struct place_way *w, const char *from)
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
take_name(struct place_way *w)
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

/* Is everybody who could have put the link there trusted? */
static bool
is_trusted(const struct place_way *w, const struct stat *link)
{
	struct stat st;

	return is_ours(link->st_uid) || (fstat(w->place->dir, &st) == 0 && is_ours(st.st_uid) &&
	                                 (st.st_mode & 022) == 0);
}

bool
place_way_in_proc(const struct place *p)
{
	struct statfs fs;

	return fstatfs(p->dir, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* The name is a link: go its way instead. */
static int
follow(struct place_way *w)
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
descend(struct place_way *w)
{
	int flags = place_way_in_proc(w->place) ? HOLD & ~O_NOFOLLOW : HOLD;
	int dir = openat(w->place->dir, w->place->name, flags | O_DIRECTORY);

	if (dir < 0)
		return errno == ENOTDIR || errno == ELOOP ? follow(w) : -1;
	fd_close(&w->place->dir);
	w->place->dir = dir;
	return 0;
}

static int
walk(struct place_way *w)
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
place_way_begin(struct place_way *w, struct place *p, const char *path)
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
place_way_on(struct place_way *w)
{
	struct stat st;

	while (place_look(w->place, &st) == 0 && S_ISLNK(st.st_mode) &&
	       !place_way_in_proc(w->place))
		if (follow(w) < 0 || walk(w) < 0)
			return -1;
	return 0;
}

int
place_open(struct place *p, const char *path)
{
	struct place_way w;

	return place_way_begin(&w, p, path);
}

/* --- what stands there --- */

const char *
place_error(int error)
{
	if (error == ELOOP)
		return "a symbolic link there is neither root's nor our own, or leads in a "
		       "circle";
	return strerror(error);
}

static const char *
kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "a file";
	case S_IFDIR:
		return "a directory";
	case S_IFLNK:
		return "a symbolic link";
	case S_IFSOCK:
		return "a socket";
	case S_IFIFO:
		return "a FIFO";
	}
	return "a device";
}

bool
place_is(const struct stat *st, const struct place_id *own, mode_t kind)
{
	return own->inode != 0 && st->st_ino == own->inode &&
	       (own->device == 0 || st->st_dev == own->device) &&
	       (st->st_mode & S_IFMT) == kind;
}

bool
place_is_own(const char *path, const struct place_id *own, mode_t kind)
{
	struct place p;
	struct stat st;
	bool yes =
	    place_open(&p, path) == 0 && place_look(&p, &st) == 0 && place_is(&st, own, kind);

	place_close(&p);
	return yes;
}

const char *
place_what(const char *path)
{
	struct place p;
	struct stat st;
	const char *what = NULL;

	if (place_open(&p, path) == 0 && place_look(&p, &st) == 0)
		what = kind_of(st.st_mode);
	place_close(&p);
	return what;
}

void
place_remove(const char *path, const struct place_id *own, mode_t kind)
{
	struct place p;
	struct stat st;

	if (place_open(&p, path) == 0 && place_look(&p, &st) == 0 && place_is(&st, own, kind))
		unlinkat(p.dir, p.name, 0);
	place_close(&p);
}

/* --- making something --- */

void
place_choose_temp(char *temp, size_t size)
{
	uint64_t n = 0;

	if (getrandom(&n, sizeof n, 0) < 0)
		n = (uintptr_t)temp;
	snprintf(temp, size, ".baton.%d.%016llx", (int)getpid(), (unsigned long long)n);
}

void
place_drop_temp(struct place *p)
{
	int saved = errno;

	if (p->temp[0] != '\0')
		unlinkat(p->dir, p->temp, 0);
	p->temp[0] = '\0';
	errno = saved;
}

static int
change_places(const struct place *p, unsigned flags)
{
	return renameat2(p->dir, p->temp, p->dir, p->name, flags);
}

/* Has somebody put another thing there since we looked?  Then it goes back. */
static int
replace(struct place *p, const struct stat *old)
{
	struct stat st;

	if (change_places(p, RENAME_EXCHANGE) < 0)
		return errno == EINVAL || errno == ENOSYS ? change_places(p, 0) : -1;
	if (fstatat(p->dir, p->temp, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino == old->st_ino && st.st_dev == old->st_dev) {
		place_drop_temp(p);
		return 0;
	}
	if (change_places(p, RENAME_EXCHANGE) == 0)
		errno = EBUSY;
	return -1;
}

int
place_publish(struct place *p, const struct stat *old)
{
	int result;

	if (old != NULL)
		result = replace(p, old);
	else if ((result = change_places(p, RENAME_NOREPLACE)) < 0 &&
	         (errno == EINVAL || errno == ENOSYS))
		result = change_places(p, 0);
	if (result == 0)
		p->temp[0] = '\0';
	return result;
}

int
place_make_way(const struct place *p, mode_t kind, struct stat *old, char **why)
{
	if (place_look(p, old) < 0) {
		if (errno == ENOENT)
			return 1;
		return cause_set(why, "%s", strerror(errno));
	}
	if ((old->st_mode & S_IFMT) == kind)
		return 0;
	errno = EEXIST;
	return cause_set(why, "%s stands there already", kind_of(old->st_mode));
}
