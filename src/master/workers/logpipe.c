#include "master/workers/logpipe.h"

#include <sys/queue.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/core/env.h"
#include "master/state/fdstore.h"

#define PAUSE_MS 10        /* between two looks at one pipe */
#define REST_MAX (1 << 20) /* of the dead: others may have its end, and go on */

struct logpipe {
	TAILQ_ENTRY(logpipe) link; /* among those that ended early */
	int fd;
	uint64_t birth;
	char *part; /* of a line whose end has not come; NULL */
	size_t npart;
	struct event *readable;
	struct event *pause;
};

/* Until the loop turns the log is not open yet: those who end before that are read then. */
static TAILQ_HEAD(, logpipe) ended = TAILQ_HEAD_INITIALIZER(ended);
static bool early;

static int copy[2] = {-1, -1}; /* a pipe of the master's own; -1: none */

int
logpipe_pair(int end[2])
{
	end[0] = end[1] = -1;
	return log_is_file() ? pipe2(end, O_CLOEXEC | O_NONBLOCK) : 0;
}

size_t
logpipe_ready(const char *bytes, size_t n)
{
	const char *last = memrchr(bytes, '\n', n);

	if (last != NULL)
		return (size_t)(last + 1 - bytes);
	return n == LOGPIPE_MAX ? n : 0;
}

static void
keep_part(struct logpipe *p, const char *bytes, size_t n)
{
	mem_free(&p->part);
	p->npart = n;
	if (n == 0)
		return;
	p->part = mem_alloc(n);
	memcpy(p->part, bytes, n);
}

/* There is room for one byte behind them. */
static void
pass(char *bytes, size_t n)
{
	if (n > 0 && bytes[n - 1] != '\n')
		bytes[n++] = '\n';
	if (n > 0)
		log_pass(bytes, n);
}

/*
 * Lines stay in the pipe until the log has them, as this process may end in between: by a
 * watchdog that is tired of a disk, say.  Then the next master reads it, and has it twice
 * rather than not at all.  What is put into a pipe by splice may turn out not to be readable:
 * then the copy is no good any more.
 */
static ssize_t
peek(const struct logpipe *p, char *bytes, size_t max, bool *taken)
{
	ssize_t n, r;

	*taken = copy[0] < 0 && pipe2(copy, O_CLOEXEC | O_NONBLOCK) < 0;
	if (*taken)
		return read(p->fd, bytes, max);
	n = tee(p->fd, copy[1], max, SPLICE_F_NONBLOCK);
	if (n <= 0 || (r = read(copy[0], bytes, (size_t)n)) == n)
		return n;
	fd_close(&copy[0]);
	fd_close(&copy[1]);
	return r > 0 ? r : -1;
}

static void
take(const struct logpipe *p, char *bytes, size_t n)
{
	ssize_t r;

	for (; n > 0; n -= (size_t)r)
		if ((r = read(p->fd, bytes, n)) <= 0)
			return;
}

/* Once.  What read says. */
static ssize_t
look(struct logpipe *p)
{
	char bytes[LOGPIPE_MAX + 1];
	size_t n = p->npart, ready;
	bool taken;
	ssize_t r;

	if (n > 0)
		memcpy(bytes, p->part, n);
	r = peek(p, bytes + n, LOGPIPE_MAX - n, &taken);
	if (r <= 0)
		return r;
	FAULT("logpipe");
	n += (size_t)r;
	ready = logpipe_ready(bytes, n);
	keep_part(p, bytes + ready, n - ready);
	pass(bytes, ready);
	if (!taken)
		take(p, bytes, (size_t)r);
	return r;
}

static void
watch(struct logpipe *p)
{
	if (event_add(p->readable, NULL) < 0)
		log_fatal("cannot watch a pipe");
}

/* A closed pipe is not read again; its descriptor stays, to tell the next image that this
 * worker does not write the log itself. */
static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval tv = {.tv_usec = PAUSE_MS * 1000};
	struct logpipe *p = arg;

	(void)fd;
	(void)what;
	if (look(p) != 0)
		evtimer_add(p->pause, &tv);
}

static void
on_pause(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	watch(arg);
}

static struct logpipe *
make(int fd, uint64_t birth)
{
	struct logpipe *p = mem_alloc(sizeof *p);

	p->fd = fd;
	p->birth = birth;
	p->readable = event_new(env.base, fd, EV_READ, on_readable, p);
	p->pause = evtimer_new(env.base, on_pause, p);
	if (p->readable == NULL || p->pause == NULL)
		log_fatal("cannot watch a pipe");
	watch(p);
	return p;
}

struct logpipe *
logpipe_new(int fd, uint64_t birth)
{
	fdstore_put("log", birth, fd);
	return make(fd, birth);
}

int
logpipe_fd(const struct logpipe *p)
{
	return p->fd;
}

static void
read_rest(struct logpipe *p)
{
	char last[LOGPIPE_MAX + 1];
	size_t total = 0;
	ssize_t r;

	while (total < REST_MAX && (r = look(p)) > 0)
		total += (size_t)r;
	if (p->npart > 0)
		memcpy(last, p->part, p->npart);
	pass(last, p->npart);
}

static void
finish(struct logpipe *p)
{
	read_rest(p);
	fdstore_drop("log", p->birth);
	fd_close(&p->fd);
	free(p->part);
	free(p);
}

void
logpipe_end(struct logpipe **pp)
{
	struct logpipe *p = *pp;

	if (p == NULL)
		return;
	*pp = NULL;
	event_free(p->readable);
	event_free(p->pause);
	if (early)
		TAILQ_INSERT_TAIL(&ended, p, link);
	else
		finish(p);
}

static void
on_first_turn(evutil_socket_t fd, short what, void *arg)
{
	struct logpipe *p;

	(void)fd;
	(void)what;
	(void)arg;
	early = false;
	while ((p = TAILQ_FIRST(&ended)) != NULL) {
		TAILQ_REMOVE(&ended, p, link);
		finish(p);
	}
}

struct logpipe *
logpipe_again(int fd, uint64_t birth)
{
	static const struct timeval now;

	if (!early && event_base_once(env.base, -1, EV_TIMEOUT, on_first_turn, NULL, &now) < 0)
		log_fatal("cannot make an event");
	early = true;
	return make(fd, birth);
}
