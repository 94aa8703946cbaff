#include "worker/core/waitgroup.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/log.h"
#include "wire/stats.h"

static struct {
	struct stats_page *page;
	uint64_t count;
	uint64_t tasks;   /* of count */
	waitgroup_fn *fn; /* NULL: nobody waits */
	uint64_t deadline_ms;
	struct event timer;
} wg;

static _Atomic uint64_t *
cell(enum conn_state state)
{
	switch (state) {
	case CONN_NEW:
		return &wg.page->fresh;
	case CONN_IDLE:
		return &wg.page->idle;
	case CONN_BUSY:
		return &wg.page->busy;
	}
	log_panic("connection state %d", (int)state);
}

static void
cell_add(enum conn_state state, int64_t n)
{
	_Atomic uint64_t *p = cell(state);
	uint64_t v = atomic_load_explicit(p, memory_order_relaxed);

	AN(n > 0 || v > 0);
	atomic_store_explicit(p, v + (uint64_t)n, memory_order_relaxed);
}

static void
tell(bool done)
{
	waitgroup_fn *fn = wg.fn;

	AN(!done || wg.count == 0);
	waitgroup_unwait();
	fn(done);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (wg.fn == NULL)
		return;
	if (wg.count == 0 || (wg.deadline_ms != 0 && clock_ms() >= wg.deadline_ms))
		tell(wg.count == 0);
	else /* woken by a count of 0 that is none any more */
		waitgroup_wait(wg.deadline_ms, wg.fn);
}

void
waitgroup_start(struct event_base *base, struct stats_page *page)
{
	wg.page = page;
	evtimer_assign(&wg.timer, base, on_timer, NULL);
}

void
waitgroup_add(enum conn_state state)
{
	cell_add(state, 1);
	wg.count++;
}

void
waitgroup_move(enum conn_state from, enum conn_state to)
{
	AN(from != to);
	cell_add(to, 1); /* first: the sum never drops below the truth */
	cell_add(from, -1);
}

/* The last one wakes the waiter from the loop's top level. */
void
waitgroup_done(enum conn_state state)
{
	AN(wg.count > 0);
	cell_add(state, -1);
	wg.count--;
	if (wg.count == 0 && wg.fn != NULL)
		event_active(&wg.timer, EV_TIMEOUT, 0);
}

void
waitgroup_add_task(void)
{
	waitgroup_add(CONN_BUSY);
	wg.tasks++;
	AN(wg.tasks <= wg.count);
	wg.page->tasks = wg.tasks;
}

void
waitgroup_done_task(void)
{
	AN(wg.tasks > 0);
	wg.tasks--;
	waitgroup_done(CONN_BUSY);
	wg.page->tasks = wg.tasks;
}

uint64_t
waitgroup_count(void)
{
	return wg.count;
}

uint64_t
waitgroup_tasks(void)
{
	return wg.tasks;
}

void
waitgroup_wait(uint64_t deadline_ms, waitgroup_fn *fn)
{
	uint64_t now = clock_ms();
	uint64_t ms = deadline_ms > now ? deadline_ms - now : 0;
	struct timeval tv = {.tv_sec = (time_t)(ms / 1000),
	                     .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	wg.fn = fn;
	wg.deadline_ms = deadline_ms;
	event_del(&wg.timer);
	if (wg.count == 0)
		event_active(&wg.timer, EV_TIMEOUT, 0);
	else if (deadline_ms != 0)
		event_add(&wg.timer, &tv);
}

void
waitgroup_unwait(void)
{
	wg.fn = NULL;
	event_del(&wg.timer);
}
