#include "master/socketfile.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/master.h"
#include "wire/control.h"

static struct {
	int fd;
	char *path;
	ino_t inode;
	event_callback_fn fn;
	struct event *acceptable;
} sf = {.fd = -1};

static bool
in_use(const struct sockaddr_un *un)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool yes = fd >= 0 && (connect(fd, (const struct sockaddr *)un, sizeof *un) == 0 ||
	                       errno == EAGAIN);

	fd_close(&fd);
	return yes;
}

/* Bind to a temporary name and rename, so that the path never misses a socket
 * and a stale one is replaced. */
static int
bind_path(const char *path, char **cause)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX}, temp = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd, bound;

	if (strlen(path) + 5 > sizeof un.sun_path)
		return cause_set(cause, "control socket %s: the path is too long", path);
	strcpy(un.sun_path, path);
	snprintf(temp.sun_path, sizeof temp.sun_path, "%s.new", path);
	if (control_make_directory(path, cause) < 0)
		return -1;
	if (in_use(&un))
		return cause_set(cause, "another baton is running: it answers at %s", path);
	unlink(temp.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(0177);
	bound = fd >= 0 ? bind(fd, (struct sockaddr *)&temp, sizeof temp) : -1;
	umask(mask);
	if (bound < 0 || listen(fd, 64) < 0 || rename(temp.sun_path, path) < 0) {
		cause_set(cause, "cannot listen at control socket %s: %s", path,
		          strerror(errno));
		fd_close(&fd);
		return -1;
	}
	return fd;
}

void
socketfile_unlink(void)
{
	struct stat st;

	if (sf.path != NULL && lstat(sf.path, &st) == 0 && st.st_ino == sf.inode)
		unlink(sf.path);
}

static void
leave_path(void)
{
	if (sf.acceptable != NULL)
		event_free(sf.acceptable);
	sf.acceptable = NULL;
	fd_close(&sf.fd);
	mem_free(&sf.path);
}

void
socketfile_take(int fd, const char *path, event_callback_fn acceptable)
{
	struct stat st;

	sf.fd = fd;
	sf.fn = acceptable;
	sf.path = mem_strdup(path);
	sf.inode = lstat(path, &st) == 0 ? st.st_ino : 0;
	sf.acceptable = event_new(master.base, fd, EV_READ | EV_PERSIST, acceptable, NULL);
	if (sf.acceptable == NULL || event_add(sf.acceptable, NULL) < 0)
		log_fatal("cannot watch the control socket");
}

int
socketfile_start(const char *path, event_callback_fn acceptable, char **cause)
{
	char *place = path != NULL ? mem_strdup(path) : control_path_default();
	int fd = bind_path(place, cause);

	if (fd >= 0)
		socketfile_take(fd, place, acceptable);
	free(place);
	return fd >= 0 ? 0 : -1;
}

int
socketfile_move(const char *path, char **cause)
{
	char *place = path != NULL ? mem_strdup(path) : control_path_default();
	event_callback_fn fn = sf.fn;
	int fd = 0;

	if (strcmp(place, sf.path) != 0 && (fd = bind_path(place, cause)) >= 0) {
		socketfile_stop();
		socketfile_take(fd, place, fn);
	}
	free(place);
	return fd >= 0 ? 0 : -1;
}

void
socketfile_stop(void)
{
	socketfile_unlink();
	leave_path();
}

const char *
socketfile_path(void)
{
	return sf.path;
}

int
socketfile_fd(void)
{
	return sf.fd;
}
