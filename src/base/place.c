#include "base/place.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
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

/* --- the way to a place --- */

struct walk {
	struct place *place;
	char rest[PATH_MAX]; /* that is still to be gone */
	unsigned links;      /* followed so far */
};

/* Put what comes first before what is left of the way. */
static int
set_rest(struct walk *w, const char *first, size_t len)
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
begin(struct walk *w, const char *from)
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
take_name(struct walk *w)
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
is_trusted(const struct walk *w, const struct stat *link)
{
	struct stat st;

	return is_ours(link->st_uid) || (fstat(w->place->dir, &st) == 0 && is_ours(st.st_uid) &&
	                                 (st.st_mode & 022) == 0);
}

/* The links of proc lead where no text says, and nobody can put one there. */
static bool
in_proc(const struct place *p)
{
	struct statfs fs;

	return fstatfs(p->dir, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* The name is a link: go its way instead. */
static int
follow(struct walk *w)
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
descend(struct walk *w)
{
	int flags = in_proc(w->place) ? HOLD & ~O_NOFOLLOW : HOLD;
	int dir = openat(w->place->dir, w->place->name, flags | O_DIRECTORY);

	if (dir < 0)
		return errno == ENOTDIR || errno == ELOOP ? follow(w) : -1;
	fd_close(&w->place->dir);
	w->place->dir = dir;
	return 0;
}

static int
walk(struct walk *w)
{
	while (take_name(w) == 0) {
		if (*w->rest == '\0')
			return 0;
		if (descend(w) < 0)
			return -1;
	}
	return -1;
}

static int
walk_begin(struct walk *w, struct place *p, const char *path)
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

/* The same for what stands at the end of the way. */
static int
walk_on(struct walk *w)
{
	struct stat st;

	while (place_look(w->place, &st) == 0 && S_ISLNK(st.st_mode) && !in_proc(w->place))
		if (follow(w) < 0 || walk(w) < 0)
			return -1;
	return 0;
}

int
place_open(struct place *p, const char *path)
{
	struct walk w;

	return walk_begin(&w, p, path);
}

void
place_close(struct place *p)
{
	fd_close(&p->dir);
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

const char *
place_kind(mode_t mode)
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

int
place_look(const struct place *p, struct stat *st)
{
	return fstatat(p->dir, p->name, st, AT_SYMLINK_NOFOLLOW);
}

static bool
is_own(const struct stat *st, const struct place_id *own, mode_t kind)
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
	    place_open(&p, path) == 0 && place_look(&p, &st) == 0 && is_own(&st, own, kind);

	place_close(&p);
	return yes;
}

void
place_remove(const char *path, const struct place_id *own, mode_t kind)
{
	struct place p;
	struct stat st;

	if (place_open(&p, path) == 0 && place_look(&p, &st) == 0 && is_own(&st, own, kind))
		unlinkat(p.dir, p.name, 0);
	place_close(&p);
}

/* --- out of sight --- */

static void
hidden_name(const struct place_id *own, char *name, size_t size)
{
	snprintf(name, size, ".baton.%llx", (unsigned long long)own->inode);
}

/* From the one name to the other, if it is own. */
static int
move_own(const struct place *p, const char *from, const char *to, const struct place_id *own)
{
	struct stat st;

	if (fstatat(p->dir, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	errno = EEXIST;
	if (!is_own(&st, own, S_IFSOCK))
		return -1;
	return renameat2(p->dir, from, p->dir, to, RENAME_NOREPLACE);
}

int
place_hide(const char *path, const struct place_id *own)
{
	char hidden[48];
	struct place p;
	int result = place_open(&p, path);

	hidden_name(own, hidden, sizeof hidden);
	if (result == 0)
		result = move_own(&p, p.name, hidden, own);
	place_close(&p);
	return result;
}

int
place_show(const char *path, const struct place_id *own)
{
	char hidden[48];
	struct place p;
	int result = place_open(&p, path);

	hidden_name(own, hidden, sizeof hidden);
	if (result == 0)
		result = move_own(&p, hidden, p.name, own);
	place_close(&p);
	return result;
}

void
place_remove_hidden(const char *path, const struct place_id *own)
{
	char hidden[48];
	struct place p;
	struct stat st;

	hidden_name(own, hidden, sizeof hidden);
	if (place_open(&p, path) == 0 &&
	    fstatat(p.dir, hidden, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_own(&st, own, S_IFSOCK))
		unlinkat(p.dir, hidden, 0);
	place_close(&p);
}

/* --- making something --- */

/* A name that nobody else has thought of. */
static void
choose_temp(char *temp, size_t size)
{
	uint64_t n = 0;

	if (getrandom(&n, sizeof n, 0) < 0)
		n = (uintptr_t)temp;
	snprintf(temp, size, ".baton.%d.%016llx", (int)getpid(), (unsigned long long)n);
}

static void
drop_temp(struct place *p)
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
		drop_temp(p);
		return 0;
	}
	if (change_places(p, RENAME_EXCHANGE) == 0)
		errno = EBUSY;
	return -1;
}

/* The thing gets its name.  old: what may be replaced; NULL: nothing. */
static int
publish(struct place *p, const struct stat *old)
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

/* May a thing of that kind come here?  1: nothing is in its way; 0: what *old tells is. */
static int
make_way(const struct place *p, mode_t kind, struct stat *old, char **why)
{
	if (place_look(p, old) < 0) {
		if (errno == ENOENT)
			return 1;
		return cause_set(why, "%s", strerror(errno));
	}
	if ((old->st_mode & S_IFMT) == kind)
		return 0;
	errno = EEXIST;
	return cause_set(why, "%s stands there already", place_kind(old->st_mode));
}

/* --- sockets --- */

static bool
have_proc(void)
{
	return access("/proc/self/fd", X_OK) == 0;
}

/* By the descriptor of the directory, so that no other one can slip in; by its name where
 * there is no /proc. */
static int
name_temp(struct sockaddr_un *un, const struct place *p, const char *path, const char *temp)
{
	const char *slash = strrchr(path, '/');
	int n;

	*un = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (have_proc())
		n = snprintf(un->sun_path, sizeof un->sun_path, "/proc/self/fd/%d/%s", p->dir,
		             temp);
	else
		n = snprintf(un->sun_path, sizeof un->sun_path, "%.*s%s",
		             slash != NULL ? (int)(slash + 1 - path) : 0, path, temp);
	if (n < (int)sizeof un->sun_path)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

/* Anything but a plain no: then it is not known that nobody does. */
static bool
somebody_answers(const struct place *p, const char *path)
{
	int at = openat(p->dir, p->name, HOLD);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	bool no;

	if (have_proc())
		snprintf(un.sun_path, sizeof un.sun_path, "/proc/self/fd/%d", at);
	else
		snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
	no = at >= 0 && fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof un) < 0 &&
	     errno == ECONNREFUSED;
	fd_close(&fd);
	fd_close(&at);
	return !no;
}

/* A file system may have its own idea of the mode of what is made there. */
static int
own_socket(const struct place *p, const char *name, mode_t mode, struct place_id *own)
{
	int fd = openat(p->dir, name, HOLD);
	char path[32];
	struct stat st;
	int result = fd >= 0 ? fstat(fd, &st) : -1;

	if (result == 0 && (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid() ||
	                    (own->inode != 0 && !is_own(&st, own, S_IFSOCK)))) {
		errno = EEXIST;
		result = -1;
	}
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (result == 0 && (st.st_mode & 07777) != mode)
		result = chmod(path, mode);
	if (result == 0)
		*own = (struct place_id){.device = st.st_dev, .inode = st.st_ino};
	fd_close(&fd);
	return result;
}

/* The mode that the socket has before is the one that its name gets. */
static int
bind_temp(struct place *p, const char *path, int fd, mode_t mode)
{
	char temp[sizeof p->temp];
	struct sockaddr_un un;
	mode_t mask;
	int result;

	choose_temp(temp, sizeof temp);
	if (name_temp(&un, p, path, temp) < 0 || fchmod(fd, mode) < 0)
		return -1;
	mask = umask(0);
	result = bind(fd, (struct sockaddr *)&un, sizeof un);
	umask(mask);
	if (result == 0)
		memcpy(p->temp, temp, sizeof temp);
	return result;
}

static int
listen_at(struct place *p, const char *path, const struct stat *old, mode_t mode, int backlog,
          struct place_id *own)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*own = (struct place_id){0};
	if (fd >= 0 && bind_temp(p, path, fd, mode) == 0 &&
	    own_socket(p, p->temp, mode, own) == 0 &&
	    (backlog < 0 || listen(fd, backlog) == 0) && publish(p, old) == 0)
		return fd;
	drop_temp(p);
	fd_close(&fd);
	return -1;
}

int
place_listen(const char *path, mode_t mode, int backlog, struct place_id *own, char **why)
{
	struct place p;
	struct stat old;
	int fd = -1, way;

	if (place_open(&p, path) < 0)
		return cause_set(why, "%s", place_error(errno));
	way = make_way(&p, S_IFSOCK, &old, why);
	if (way == 0 && somebody_answers(&p, path)) {
		cause_set(why, "somebody answers there");
		errno = EADDRINUSE;
	} else if (way >= 0) {
		fd = listen_at(&p, path, way == 0 ? &old : NULL, mode, backlog, own);
		if (fd < 0)
			cause_set(why, "%s", strerror(errno));
	}
	place_close(&p);
	return fd;
}

int
place_chmod(const char *path, const struct place_id *own, mode_t mode, char **why)
{
	struct place_id id = *own;
	struct place p;
	int result = 0;

	if (place_open(&p, path) < 0)
		return cause_set(why, "%s", place_error(errno));
	if (own_socket(&p, p.name, mode, &id) < 0)
		result = cause_set(why, "%s",
		                   errno == EEXIST
		                       ? "what stands there is not what we have put there"
		                       : strerror(errno));
	place_close(&p);
	return result;
}

/* --- files --- */

static int
write_at(struct place *p, const struct stat *old, const char *text, mode_t mode,
         struct place_id *own)
{
	ssize_t len = (ssize_t)strlen(text);
	struct stat st;
	int fd, result = -1;

	choose_temp(p->temp, sizeof p->temp);
	fd =
	    openat(p->dir, p->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0) {
		p->temp[0] = '\0';
		return -1;
	}
	if (write(fd, text, (size_t)len) == len && fstat(fd, &st) == 0 && publish(p, old) == 0)
		result = 0;
	if (result == 0)
		*own = (struct place_id){.device = st.st_dev, .inode = st.st_ino};
	drop_temp(p);
	fd_close(&fd);
	return result;
}

int
place_write(const char *path, const char *text, mode_t mode, struct place_id *own, char **why)
{
	struct place p;
	struct stat old;
	int way, result = -1;

	if (place_open(&p, path) < 0)
		return cause_set(why, "%s", place_error(errno));
	way = make_way(&p, S_IFREG, &old, why);
	if (way >= 0) {
		result = write_at(&p, way == 0 ? &old : NULL, text, mode, own);
		if (result < 0)
			cause_set(why, "%s", strerror(errno));
	}
	place_close(&p);
	return result;
}

int
place_open_lines(const char *path)
{
	struct place p;
	struct walk w;
	struct stat st;
	int fd = -1, links, fifo;

	if (walk_begin(&w, &p, path) < 0)
		return -1;
	if (walk_on(&w) == 0) {
		links = in_proc(&p) ? 0 : O_NOFOLLOW;
		fifo = fstatat(p.dir, p.name, &st, links != 0 ? AT_SYMLINK_NOFOLLOW : 0) == 0 &&
		       S_ISFIFO(st.st_mode);
		fd = openat(p.dir, p.name,
		            O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | links |
		                (fifo ? O_RDWR : O_WRONLY),
		            0640);
	}
	place_close(&p);
	return fd;
}

/* --- directories --- */

int
place_open_directory(const char *path, bool links, bool *made)
{
	struct place p;
	struct walk w;
	int fd = -1;

	*made = false;
	if (walk_begin(&w, &p, path) < 0)
		return -1;
	if (mkdirat(p.dir, p.name, 0700) == 0)
		*made = true;
	else if (errno == EEXIST && (!links || walk_on(&w) == 0))
		errno = 0;
	if (*made || errno == 0)
		fd = openat(p.dir, p.name,
		            (*made ? O_RDONLY | O_CLOEXEC | O_NOFOLLOW : HOLD) | O_DIRECTORY);
	place_close(&p);
	return fd;
}
