#include "worker/runtime/post.h"

#include <sys/eventfd.h>
#include <sys/queue.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "worker/core/pace.h"
#include "worker/runtime/loop.h"
#include "worker/runtime/origin.h"

struct posted {
	STAILQ_ENTRY(posted) link;
	void (*fn)(void *arg);
	void *arg;
	struct origin origin;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct {
	STAILQ_HEAD(queue, posted) queue; /* under lock, as is woken */
	bool woken;
	int fd;
	struct event wake;
} ps = {.queue = STAILQ_HEAD_INITIALIZER(ps.queue), .fd = -1};

static void
wake(void)
{
	uint64_t one = 1;

	if (!ps.woken)
		(void)!write(ps.fd, &one, sizeof one);
	ps.woken = true;
}

/* Tasks that had no time come before those posted meanwhile. */
static void
put_back(struct queue *rest)
{
	pthread_mutex_lock(&lock);
	STAILQ_CONCAT(rest, &ps.queue);
	STAILQ_CONCAT(&ps.queue, rest);
	wake();
	pthread_mutex_unlock(&lock);
}

/* All that is there, as far as the time goes; what is posted meanwhile comes in the next
 * turn, so that posting from fn does not keep the loop. */
static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct queue now = STAILQ_HEAD_INITIALIZER(now);
	uint64_t start_us = clock_us(), n;
	struct origin before;
	struct posted *p;

	(void)what;
	(void)arg;
	(void)!read(fd, &n, sizeof n);
	pthread_mutex_lock(&lock);
	STAILQ_CONCAT(&now, &ps.queue);
	ps.woken = false;
	pthread_mutex_unlock(&lock);
	while ((p = STAILQ_FIRST(&now)) != NULL) {
		STAILQ_REMOVE_HEAD(&now, link);
		before = origin_enter(p->origin);
		p->fn(p->arg);
		origin_leave(before);
		free(p);
		if (pace_is_enough(start_us))
			break;
	}
	if (!STAILQ_EMPTY(&now))
		put_back(&now);
}

void
baton_post(void (*fn)(void *arg), void *arg)
{
	struct posted *p = mem_alloc(sizeof *p);

	AN(fn != NULL);
	p->fn = fn;
	p->arg = arg;
	p->origin = origin_now();
	pthread_mutex_lock(&lock);
	STAILQ_INSERT_TAIL(&ps.queue, p, link);
	wake();
	pthread_mutex_unlock(&lock);
}

void
post_start(void)
{
	ps.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ps.fd < 0)
		log_fatal("cannot make an eventfd: %s", strerror(errno));
	event_assign(&ps.wake, loop_base(), ps.fd, EV_READ | EV_PERSIST, on_wake, NULL);
	event_add(&ps.wake, NULL);
}

void
post_stop(void)
{
	struct posted *p;

	event_del(&ps.wake);
	fd_close(&ps.fd);
	while ((p = STAILQ_FIRST(&ps.queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&ps.queue, link);
		free(p);
	}
	ps.woken = false;
}
