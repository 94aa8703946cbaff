#include "ctl/client.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"

#define CONNECT_S   5 /* a stopped master with a full queue answers nobody */
#define NOW_MS      50
#define PATIENCE_MS 1000 /* of silence, until a terminal is told whom we wait for */
#define GONE_MS     1000 /* from the last line of a stop to the end of the process */
#define POLL_MAX_MS 60000
#define SNIPPET     60 /* bytes shown of what is no answer */
#define READ_MIN    65536

_Static_assert(CONNECT_S * 1000 == CLIENT_SILENCE_MS, "one patience for both");
_Static_assert(PATIENCE_MS < CLIENT_SILENCE_MS, "who waits is told so before he gives up");

struct client {
	char *path;
	int fd;
	int pidfd; /* of the master; -1: unknown */
	pid_t pid;
	bool heard;  /* a line of the protocol has come */
	char *buf;   /* what came and is not yet a line */
	size_t len;  /* bytes in it */
	size_t room; /* bytes allocated */
	size_t seen; /* bytes in it known to hold no line's end */
};

/* --- connecting --- */

static const struct timeval usual = {.tv_sec = CONNECT_S};

static const char *
name_of(uid_t uid, char number[16])
{
	const struct passwd *pw = getpwuid(uid);

	snprintf(number, 16, "uid %u", (unsigned)uid);
	return pw != NULL ? pw->pw_name : number;
}

/* A socket that we may not connect to: whom does it answer? */
static void
not_for_us(const char *path, char **cause)
{
	char number[2][16];
	char *owner, *us = mem_strdup(name_of(geteuid(), number[0]));
	struct stat st;

	if (stat(path, &st) == 0) {
		owner = mem_strdup(name_of(st.st_uid, number[1]));
		cause_set(cause, "%s: Permission denied: it answers %s%s only, and you are %s",
		          path, owner, st.st_uid != 0 ? " and root" : "", us);
		mem_free(&owner);
	} else {
		cause_set(cause, "%s: Permission denied: you are %s, who may not look there",
		          path, us);
	}
	mem_free(&us);
}

static int
try_connect(const char *path, const struct timeval *limit, char **cause)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct timeval none = {0};
	int fd;

	if (strlen(path) > CONTROL_PATH_MAX)
		return cause_set(cause, "%s: the path is longer than %d bytes", path,
		                 CONTROL_PATH_MAX);
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return cause_set(cause, "cannot make a socket: %s", strerror(errno));
	/* connect() waits for room in the queue as long as a write would. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, limit, sizeof *limit);
	if (connect(fd, (struct sockaddr *)&un, sizeof un) < 0) {
		int error = errno;

		if (errno == EAGAIN && limit->tv_sec == 0)
			cause_set(cause, "%s: has no room for us; is the master stopped?",
			          path);
		else if (errno == EAGAIN)
			cause_set(cause,
			          "%s: no connection within %ld s; is the master stopped?",
			          path, (long)limit->tv_sec);
		else if (errno == EACCES)
			not_for_us(path, cause);
		else
			cause_set(cause, "%s: %s", path, strerror(errno));
		fd_close(&fd);
		errno = error;
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
	return fd;
}

/* In /tmp anybody can have been first: only our own baton or root's is asked. */
static int
check_owner(int fd, const char *path, struct ucred *peer, char **cause)
{
	socklen_t len = sizeof *peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) < 0)
		return cause_set(cause, "%s: %s", path, strerror(errno));
	if (geteuid() != 0 && peer->uid != 0 && peer->uid != geteuid())
		return cause_set(cause, "%s: belongs to uid %lu, who is neither root nor you",
		                 path, (unsigned long)peer->uid);
	return 0;
}

static struct client *
client_new(const char *path, const struct timeval *limit, char **cause)
{
	struct ucred peer = {0};
	int fd = try_connect(path, limit, cause);
	struct client *c;

	if (fd < 0)
		return NULL;
	if (check_owner(fd, path, &peer, cause) < 0) {
		fd_close(&fd);
		errno = EPERM;
		return NULL;
	}
	c = mem_alloc(sizeof *c);
	c->path = mem_strdup(path);
	c->fd = fd;
	c->pid = peer.pid;
	c->pidfd = peer.pid > 0 ? (int)syscall(SYS_pidfd_open, peer.pid, 0) : -1;
	return c;
}

/* errno is that of the connect. */
static void
note_full(const char *path, char **full)
{
	if (errno == EAGAIN && *full == NULL)
		*full = mem_strdup(path);
}

static struct client *
connect_anywhere(char **full, char **cause)
{
	char **paths = control_path_candidates();
	char *tried = mem_strdup(""), *why = NULL;
	struct client *c = NULL;

	for (char **p = paths; *p != NULL && c == NULL; p++) {
		char *more;

		if ((c = client_new(*p, &usual, &why)) != NULL)
			break;
		note_full(*p, full);
		more = mem_printf("%s\n  %s", tried, why);
		free(tried);
		tried = more;
	}
	if (c == NULL)
		cause_set(cause, "no baton found; tried%s", tried);
	free(why);
	free(tried);
	control_path_candidates_free(&paths);
	return c;
}

struct client *
client_connect(const char *path, char **full, char **cause)
{
	char *why = NULL;
	struct client *c;

	if (path == NULL)
		return connect_anywhere(full, cause);
	if ((c = client_new(path, &usual, &why)) == NULL) {
		note_full(path, full);
		cause_set(cause, "%s%s", errno == EACCES ? "" : "no baton at ", why);
	}
	free(why);
	return c;
}

struct client *
client_connect_now(const char *path, char **cause)
{
	struct timeval limit = {.tv_usec = NOW_MS * 1000};

	return client_new(path, &limit, cause);
}

const char *
client_path(const struct client *c)
{
	return c->path;
}

pid_t
client_pid(const struct client *c)
{
	return c->pid;
}

int
client_fd(const struct client *c)
{
	return c->fd;
}

/* --- asking --- */

/* A master that has no ear for us answers without reading: what it has said
 * counts, not that it did not listen. */
void
client_send(struct client *c, const char *request)
{
	char *line = mem_printf("%s\n", request), *p = line;
	size_t left = strlen(line);

	while (left > 0) {
		ssize_t n = send(c->fd, p, left, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		p += n;
		left -= (size_t)n;
	}
	free(line);
}

/* Until there is something to read, or it is so late (clock_ms). */
static bool
is_readable(const struct client *c, uint64_t until_ms)
{
	struct pollfd pfd = {.fd = c->fd, .events = POLLIN};
	uint64_t now;

	while ((now = clock_ms()) < until_ms) {
		uint64_t left = until_ms - now;

		if (poll(&pfd, 1, left < POLL_MAX_MS ? (int)left : POLL_MAX_MS) > 0)
			return true;
	}
	return false;
}

static bool
wait_readable(const struct client *c, uint64_t silence_ms, client_progress_fn *progress)
{
	uint64_t now = clock_ms();
	char *text;

	if (!c->heard && !is_readable(c, now + PATIENCE_MS)) {
		text = mem_printf("waiting for baton (pid %d)", (int)c->pid);
		progress(text, -1);
		free(text);
	}
	return is_readable(c, silence_ms != 0 ? now + silence_ms : UINT64_MAX);
}

/* More bytes into the buffer: their number, 0 at the end of file or an error. */
static size_t
fill(struct client *c)
{
	ssize_t n;

	if (c->room - c->len < READ_MIN) {
		c->room = c->room * 2 + READ_MIN;
		c->buf = mem_realloc(c->buf, c->room);
	}
	do
		n = recv(c->fd, c->buf + c->len, c->room - c->len, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return 0;
	c->len += (size_t)n;
	return (size_t)n;
}

/* Length of the first line without its end, or -1. */
static ssize_t
line_length(struct client *c)
{
	char *end = c->len > c->seen ? memchr(c->buf + c->seen, '\n', c->len - c->seen) : NULL;

	c->seen = c->len;
	return end != NULL ? end - c->buf : -1;
}

static void
drop_line(struct client *c, size_t len)
{
	c->len -= len + 1;
	memmove(c->buf, c->buf + len + 1, c->len);
	c->seen = 0;
}

static bool
take_progress(const json_t *line, client_progress_fn *progress)
{
	const json_t *p = json_object_get(line, "progress");
	const char *text = json_string_value(json_object_get(p, "text"));
	const json_t *percent = json_object_get(p, "percent");

	if (text == NULL)
		return false;
	progress(text, json_is_integer(percent) ? (int)json_integer_value(percent) : -1);
	return true;
}

static bool
take_last(const json_t *line, struct client_answer *a)
{
	const json_t *code = json_object_get(line, "exit");
	const char *text = json_string_value(json_object_get(line, "text"));
	json_t *data = json_object_get(line, "data");
	json_int_t n = json_integer_value(code);

	if (!json_is_integer(code) || text == NULL)
		return false;
	if (n < CONTROL_DONE || n > CONTROL_CUT || n == CONTROL_NO_BATON)
		return false;
	a->exit = (enum control_exit)n;
	a->text = mem_strdup(text);
	a->data = json_is_null(data) ? NULL : json_incref(data);
	return true;
}

static void
take_nonsense(const struct client *c, size_t len, struct client_answer *a)
{
	int shown = len > SNIPPET ? SNIPPET : (int)len;

	a->exit = c->heard ? CONTROL_FAILED : CONTROL_NO_BATON;
	a->text = mem_printf("what answers at %s does not speak as baton does: %.*s%s", c->path,
	                     shown, c->buf, len > SNIPPET ? "..." : "");
}

/* True when that was the last line. */
static bool
take_line(struct client *c, size_t len, client_progress_fn *progress, struct client_answer *a)
{
	json_t *line = json_loadb(c->buf, len, 0, NULL);
	bool last = take_last(line, a);

	if (last || take_progress(line, progress)) {
		c->heard = true;
	} else {
		take_nonsense(c, len, a);
		last = true;
	}
	json_decref(line);
	return last;
}

static void
take_end(const struct client *c, struct client_answer *a)
{
	a->exit = CONTROL_FAILED;
	a->text = mem_printf(
	    "baton (pid %d) hung up before it had answered; its log tells more", (int)c->pid);
}

bool
client_take(struct client *c, client_progress_fn *progress, struct client_answer *a)
{
	ssize_t len;

	if (fill(c) == 0) {
		take_end(c, a);
		return true;
	}
	while ((len = line_length(c)) >= 0) {
		if (take_line(c, (size_t)len, progress, a))
			return true;
		drop_line(c, (size_t)len);
	}
	return false;
}

static void
take_silence(const struct client *c, uint64_t silence_ms, struct client_answer *a)
{
	a->exit = CONTROL_FAILED;
	a->silent = true;
	a->text = mem_printf("baton (pid %d) has not answered for %llu s", (int)c->pid,
	                     (unsigned long long)silence_ms / 1000);
}

void
client_ask(struct client *c, const char *request, uint64_t silence_ms,
           client_progress_fn *progress, struct client_answer *a)
{
	client_send(c, request);
	do {
		if (!wait_readable(c, silence_ms, progress)) {
			take_silence(c, silence_ms, a);
			return;
		}
	} while (!client_take(c, progress, a));
}

void
client_wait_gone(const struct client *c)
{
	struct pollfd pfd = {.fd = c->pidfd, .events = POLLIN};

	if (c->pidfd >= 0)
		poll(&pfd, 1, GONE_MS);
}

void
client_free(struct client **cp)
{
	struct client *c = *cp;

	fd_close(&c->fd);
	fd_close(&c->pidfd);
	free(c->path);
	free(c->buf);
	mem_free(cp);
}

void
client_answer_free(struct client_answer *a)
{
	mem_free(&a->text);
	json_decref(a->data);
	a->data = NULL;
}
