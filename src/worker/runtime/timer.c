/* timer: baton_timer, a libevent timer that a module may own. */
#include <stdlib.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "worker/runtime/loop.h"
#include "worker/runtime/origin.h"

struct baton_timer {
	struct event ev;
	void (*fn)(void *arg);
	void *arg;
	struct origin origin; /* of who has set it */
};

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct baton_timer *t = arg;
	struct origin before;

	(void)fd;
	(void)what;
	before = origin_enter(t->origin);
	t->fn(t->arg); /* which may free it */
	origin_leave(before);
}

struct baton_timer *
baton_timer_new(void (*fn)(void *arg), void *arg)
{
	struct baton_timer *t = mem_alloc(sizeof *t);

	ON_LOOP();
	t->fn = fn;
	t->arg = arg;
	evtimer_assign(&t->ev, loop_base(), on_timer, t);
	return t;
}

void
baton_timer_set(struct baton_timer *timer, uint64_t ms)
{
	struct timeval tv = {.tv_sec = (time_t)(ms / 1000),
	                     .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	ON_LOOP();
	timer->origin = origin_now();
	event_add(&timer->ev, &tv);
}

void
baton_timer_clear(struct baton_timer *timer)
{
	ON_LOOP();
	event_del(&timer->ev);
}

void
baton_timer_free(struct baton_timer **timer)
{
	ON_LOOP();
	if (*timer == NULL)
		return;
	event_del(&(*timer)->ev);
	mem_free(timer);
}
