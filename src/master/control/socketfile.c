#include "master/control/socketfile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/unixsock.h"
#include "master/core/env.h"
#include "master/state/jsontext.h"
#include "wire/control.h"

#define BACKLOG 64

static struct {
	int fd;
	char *path;
	struct place_id own;
	event_callback_fn fn;
	struct event *acceptable;
} sf = {.fd = -1};

static int
check_length(const char *path, char **cause)
{
	if (strlen(path) > CONTROL_PATH_MAX)
		return cause_set(cause, "control socket %s: the path is too long", path);
	return 0;
}

/* After unixsock_listen or unixsock_try. */
static int
cannot_listen(const char *path, const char *why, char **cause)
{
	if (errno == EADDRINUSE)
		return cause_set(cause, "another baton is running: it answers at %s", path);
	return cause_set(cause, "cannot listen at control socket %s: %s", path, why);
}

static int
bind_path(const char *path, struct place_id *own, char **cause)
{
	char *why = NULL;
	int fd;

	if (check_length(path, cause) < 0 || control_make_directory(path, NULL, cause) < 0)
		return -1;
	fd = unixsock_listen(path, 0600, BACKLOG, own, &why);
	if (fd < 0)
		cannot_listen(path, why, cause);
	free(why);
	return fd;
}

void
socketfile_unlink(void)
{
	if (sf.path != NULL)
		place_remove(sf.path, &sf.own, S_IFSOCK);
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
socketfile_take(int fd, const char *path, const struct place_id *own,
                event_callback_fn acceptable)
{
	sf.fd = fd;
	sf.fn = acceptable;
	sf.path = mem_strdup(path);
	sf.own = *own;
	sf.acceptable = event_new(env.base, fd, EV_READ | EV_PERSIST, acceptable, NULL);
	if (sf.acceptable == NULL || event_add(sf.acceptable, NULL) < 0)
		log_fatal("cannot watch the control socket");
}

void
socketfile_miss(const char *path, event_callback_fn acceptable)
{
	sf.fn = acceptable;
	sf.path = path != NULL ? mem_strdup(path) : control_path_default();
	sf.own = (struct place_id){0};
}

int
socketfile_start(const char *path, event_callback_fn acceptable, char **cause)
{
	char *place = path != NULL ? mem_strdup(path) : control_path_default();
	struct place_id own;
	int fd = bind_path(place, &own, cause);

	if (fd >= 0)
		socketfile_take(fd, place, &own, acceptable);
	free(place);
	return fd >= 0 ? 0 : -1;
}

/* A directory that is not there yet is made, and removed again.  What has come in the way of
 * the place that we had is no reason: see socketfile_warn. */
int
socketfile_try(const char *path, char **cause)
{
	char *place = path != NULL ? mem_strdup(path) : control_path_default();
	char *why = NULL;
	bool made = false;
	int result = 0;

	if (strcmp(place, sf.path) != 0 && !place_is_own(place, &sf.own, S_IFSOCK)) {
		result = check_length(place, cause);
		if (result == 0)
			result = control_make_directory(place, &made, cause);
		if (result == 0 && unixsock_try(place, &why) < 0)
			result = cannot_listen(place, why, cause);
		if (made)
			control_remove_directory(place);
	}
	free(why);
	free(place);
	return result;
}

int
socketfile_move(const char *path, char **cause)
{
	char *place = path != NULL ? mem_strdup(path) : control_path_default();
	event_callback_fn fn = sf.fn;
	struct place_id own;
	int fd = 0;

	if (place_is_own(place, &sf.own, S_IFSOCK)) { /* by another name, perhaps */
		free(sf.path);
		sf.path = mem_strdup(place);
	} else if ((fd = bind_path(place, &own, cause)) >= 0) {
		socketfile_stop();
		socketfile_take(fd, place, &own, fn);
	}
	free(place);
	return fd >= 0 ? 0 : -1;
}

void
socketfile_warn(json_t *list)
{
	const char *what;
	char *sentence;

	if (place_is_own(sf.path, &sf.own, S_IFSOCK))
		return;
	what = place_what(sf.path);
	sentence = mem_printf("control socket %s is not there any more; %s%sa reload makes it "
	                      "anew (kill -HUP %d)",
	                      sf.path, what != NULL ? what : "",
	                      what != NULL ? " stands in its place: when that is gone, " : "",
	                      (int)getpid());
	json_array_append_new(list, jsontext_shown(sentence, SIZE_MAX));
	free(sentence);
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

struct place_id
socketfile_own(void)
{
	return sf.own;
}
