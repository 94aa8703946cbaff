#include "base/unixsock.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"

#define HOLD (O_PATH | O_CLOEXEC | O_NOFOLLOW)

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
	                    (own->inode != 0 && !place_is(&st, own, S_IFSOCK)))) {
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

	place_choose_temp(temp, sizeof temp);
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
	    (backlog < 0 || listen(fd, backlog) == 0) && place_publish(p, old) == 0)
		return fd;
	place_drop_temp(p);
	fd_close(&fd);
	return -1;
}

/* As place_make_way. */
static int
look_for_socket(struct place *p, const char *path, struct stat *old, char **why)
{
	int way;

	if (place_open(p, path) < 0)
		return cause_set(why, "%s", place_error(errno));
	way = place_make_way(p, S_IFSOCK, old, why);
	if (way == 0 && somebody_answers(p, path)) {
		way = cause_set(why, "somebody answers there");
		errno = EADDRINUSE;
	}
	return way;
}

int
unixsock_obstacle(const char *path, char **why)
{
	struct place p;
	struct stat old;
	int result = 0;

	if (place_open(&p, path) < 0) {
		if (errno != ENOENT && errno != EACCES)
			result = cause_set(why, "%s", place_error(errno));
	} else if (place_look(&p, &old) == 0) {
		result = place_make_way(&p, S_IFSOCK, &old, why) < 0 ? -1 : 0;
	}
	place_close(&p);
	return result;
}

int
unixsock_listen(const char *path, mode_t mode, int backlog, struct place_id *own, char **why)
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
unixsock_try(const char *path, char **why)
{
	struct place p;
	struct stat old;
	int way = look_for_socket(&p, path, &old, why), fd = -1;

	if (way >= 0) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		way = fd >= 0 ? bind_temp(&p, path, fd, 0600) : -1;
		if (way < 0)
			cause_set(why, "%s", strerror(errno));
		place_drop_temp(&p);
		fd_close(&fd);
	}
	place_close(&p);
	return way < 0 ? -1 : 0;
}

int
unixsock_chmod(const char *path, const struct place_id *own, mode_t mode, char **why)
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
	if (!place_is(&st, own, S_IFSOCK))
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
unixsock_hide(const char *path, const struct place_id *own)
{
	return set_hidden(path, own, true);
}

int
unixsock_show(const char *path, const struct place_id *own)
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
	       place_is(&st, own, S_IFSOCK);
}

bool
unixsock_is_hidden(const char *path, const struct place_id *own)
{
	char hidden[48];
	struct place p;
	bool yes = find_hidden(&p, path, own, hidden);

	place_close(&p);
	return yes;
}

void
unixsock_remove_hidden(const char *path, const struct place_id *own)
{
	char hidden[48];
	struct place p;

	if (find_hidden(&p, path, own, hidden))
		unlinkat(p.dir, hidden, 0);
	place_close(&p);
}
