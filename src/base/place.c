#include "base/place.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "base/way.h"

#define HOLD (O_PATH | O_CLOEXEC | O_NOFOLLOW)

int
place_open(struct place *p, const char *path)
{
	struct way w;

	return way_begin(&w, p, path);
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

static int
set_hidden(const char *path, const struct place_id *own, bool on)
{
	char hidden[48];
	struct place p;
	int result = place_open(&p, path);

	hidden_name(own, hidden, sizeof hidden);
	if (result == 0)
		result = move_own(&p, on ? p.name : hidden, on ? hidden : p.name, own);
	place_close(&p);
	return result;
}

int
place_hide(const char *path, const struct place_id *own)
{
	return set_hidden(path, own, true);
}

int
place_show(const char *path, const struct place_id *own)
{
	return set_hidden(path, own, false);
}

/* p is to be closed, whether it is or not. */
static bool
find_hidden(struct place *p, const char *path, const struct place_id *own, char hidden[48])
{
	struct stat st;

	hidden_name(own, hidden, 48);
	return place_open(p, path) == 0 &&
	       fstatat(p->dir, hidden, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       is_own(&st, own, S_IFSOCK);
}

bool
place_is_hidden(const char *path, const struct place_id *own)
{
	char hidden[48];
	struct place p;
	bool yes = find_hidden(&p, path, own, hidden);

	place_close(&p);
	return yes;
}

void
place_remove_hidden(const char *path, const struct place_id *own)
{
	char hidden[48];
	struct place p;

	if (find_hidden(&p, path, own, hidden))
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

/* As make_way. */
static int
look_for_socket(struct place *p, const char *path, struct stat *old, char **why)
{
	int way;

	if (place_open(p, path) < 0)
		return cause_set(why, "%s", place_error(errno));
	way = make_way(p, S_IFSOCK, old, why);
	if (way == 0 && somebody_answers(p, path)) {
		way = cause_set(why, "somebody answers there");
		errno = EADDRINUSE;
	}
	return way;
}

int
place_listen(const char *path, mode_t mode, int backlog, struct place_id *own, char **why)
{
	struct place p;
	struct stat old;
	int way = look_for_socket(&p, path, &old, why), fd = -1;

	if (way >= 0) {
		fd = listen_at(&p, path, way == 0 ? &old : NULL, mode, backlog, own);
		if (fd < 0)
			cause_set(why, "%s", strerror(errno));
	}
	place_close(&p);
	return fd;
}

int
place_try_socket(const char *path, char **why)
{
	struct place p;
	struct stat old;
	int way = look_for_socket(&p, path, &old, why), fd = -1;

	if (way >= 0) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		way = fd >= 0 ? bind_temp(&p, path, fd, 0600) : -1;
		if (way < 0)
			cause_set(why, "%s", strerror(errno));
		drop_temp(&p);
		fd_close(&fd);
	}
	place_close(&p);
	return way < 0 ? -1 : 0;
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

/* Under another name yet. */
static int
write_temp(struct place *p, const char *text, mode_t mode, struct stat *st)
{
	ssize_t len = (ssize_t)strlen(text);
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, fd, result = -1;

	choose_temp(p->temp, sizeof p->temp);
	fd = openat(p->dir, p->temp, flags, mode);
	if (fd < 0) {
		p->temp[0] = '\0';
		return -1;
	}
	if (write(fd, text, (size_t)len) == len && fstat(fd, st) == 0)
		result = 0;
	fd_close(&fd);
	return result;
}

/* As make_way. */
static int
look_for_file(struct place *p, const char *path, struct stat *old, char **why)
{
	if (place_open(p, path) < 0)
		return cause_set(why, "%s", place_error(errno));
	return make_way(p, S_IFREG, old, why);
}

int
place_write(const char *path, const char *text, mode_t mode, struct place_id *own, char **why)
{
	struct place p;
	struct stat old, st;
	int way = look_for_file(&p, path, &old, why), result = -1;

	if (way >= 0) {
		result = write_temp(&p, text, mode, &st);
		if (result == 0)
			result = publish(&p, way == 0 ? &old : NULL);
		if (result == 0)
			*own = (struct place_id){.device = st.st_dev, .inode = st.st_ino};
		else
			cause_set(why, "%s", strerror(errno));
		drop_temp(&p);
	}
	place_close(&p);
	return result;
}

int
place_try_file(const char *path, const char *text, char **why)
{
	struct place p;
	struct stat old, st;
	int way = look_for_file(&p, path, &old, why);

	if (way >= 0) {
		way = write_temp(&p, text, 0600, &st);
		if (way < 0)
			cause_set(why, "%s", strerror(errno));
		drop_temp(&p);
	}
	place_close(&p);
	return way < 0 ? -1 : 0;
}

int
place_open_lines(const char *path)
{
	struct place p;
	struct way w;
	struct stat st;
	int fd = -1, links, fifo;

	if (way_begin(&w, &p, path) < 0)
		return -1;
	if (way_on(&w) == 0) {
		links = way_in_proc(&p) ? 0 : O_NOFOLLOW;
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

/* --- looking only --- */

/* May something new be made there? */
static int
may_make(const struct place *p, char **why)
{
	if (faccessat(p->dir, ".", W_OK | X_OK, 0) == 0)
		return 0;
	return cause_set(why, "%s", strerror(errno));
}

int
place_may_write(const char *path, char **why)
{
	struct place p;
	struct stat old;
	int way = look_for_file(&p, path, &old, why);

	if (way >= 0)
		way = may_make(&p, why);
	place_close(&p);
	return way;
}

int
place_may_open_lines(const char *path, char **why)
{
	struct place p;
	struct way w;
	struct stat st;
	int result = way_begin(&w, &p, path);

	if (result == 0)
		result = way_on(&w);
	if (result < 0)
		cause_set(why, "%s", place_error(errno));
	else if (fstatat(p.dir, p.name, &st, 0) < 0)
		result = may_make(&p, why);
	else if (S_ISDIR(st.st_mode))
		result = cause_set(why, "%s", strerror(EISDIR));
	else if (faccessat(p.dir, p.name, S_ISFIFO(st.st_mode) ? R_OK | W_OK : W_OK, 0) < 0)
		result = cause_set(why, "%s", strerror(errno));
	place_close(&p);
	return result;
}

char *
place_barrier(const char *path)
{
	char *way = mem_strdup(path);

	for (char *end = strchr(way + 1, '/'); end != NULL; end = strchr(end + 1, '/')) {
		*end = '\0';
		if (access(way, X_OK) < 0)
			return way;
		*end = '/';
	}
	mem_free(&way);
	return NULL;
}

/* --- directories --- */

int
place_open_directory(const char *path, bool links, bool *made)
{
	struct place p;
	struct way w;
	int fd = -1;

	*made = false;
	if (way_begin(&w, &p, path) < 0)
		return -1;
	if (mkdirat(p.dir, p.name, 0700) == 0)
		*made = true;
	else if (errno == EEXIST && (!links || way_on(&w) == 0))
		errno = 0;
	if (*made || errno == 0)
		fd = openat(p.dir, p.name,
		            (*made ? O_RDONLY | O_CLOEXEC | O_NOFOLLOW : HOLD) | O_DIRECTORY);
	place_close(&p);
	return fd;
}
