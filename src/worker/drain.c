#include "worker/drain.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "wire/msg.h"
#include "wire/stats.h"
#include "worker/conn/accept.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"
#include "worker/core/service.h"
#include "worker/core/waitgroup.h"
#include "worker/handoff/give.h"
#include "worker/overdue.h"
#include "worker/runtime/runtime.h"

#define CUT_TICK_MS 10 /* the grain in which forced closes are spread */

static struct {
	struct msg_drain order;
	bool cutting;
	uint64_t cut_total; /* connections there were when cutting began */
	uint64_t cut_done;
	uint64_t cut_since;
	struct event tick;
} dr;

static void on_settled(bool done);

static void
set_state(enum stats_state state)
{
	self_page()->state = state;
}

static void
schedule(uint64_t ms)
{
	struct timeval tv = {.tv_usec = (suseconds_t)(ms * 1000)};

	event_add(&dr.tick, &tv);
}

/* How many should be gone by now, so that the last goes when cut_over ends. */
static uint64_t
cut_target(uint64_t now)
{
	uint64_t gone = now - dr.cut_since + CUT_TICK_MS;

	AN(dr.cutting && now >= dr.cut_since);
	if (gone >= dr.order.cut_over_ms)
		return UINT64_MAX;
	return dr.cut_total * gone / dr.order.cut_over_ms;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	uint64_t target = cut_target(clock_ms());
	struct conn *c;

	(void)fd;
	(void)what;
	(void)arg;
	while (dr.cut_done < target && (c = TAILQ_FIRST(conn_all())) != NULL) {
		conn_cut(c, "the drain's deadline has passed");
		dr.cut_done++;
	}
	if (target == UINT64_MAX)
		runtime_abandon();
	if (waitgroup_count() > 0)
		schedule(CUT_TICK_MS);
}

static void
begin_cutting(void)
{
	AN(self.drains && !dr.cutting);
	AN(waitgroup_count() >= waitgroup_tasks());
	dr.cut_total = waitgroup_count() - waitgroup_tasks();
	log_warn("deadline: %llu connections are left; those that don't end by themselves are "
	         "cut over %u ms",
	         (unsigned long long)dr.cut_total, dr.order.cut_over_ms);
	if (waitgroup_tasks() > 0)
		log_warn("deadline: %llu tasks of handlers are cancelled",
		         (unsigned long long)waitgroup_tasks());
	set_state(STATS_CUTTING);
	dr.cutting = true;
	accept_close_all();
	give_end();
	runtime_cut();
	overdue_look();
	dr.cut_total = waitgroup_count() - waitgroup_tasks();
	dr.cut_done = 0;
	dr.cut_since = clock_ms();
	waitgroup_wait(0, on_settled);
	schedule(CUT_TICK_MS); /* handlers that are cancelled answer first */
}

static void
on_settled(bool done)
{
	if (!done)
		begin_cutting();
	else if (!accept_sweeping())
		self_leave();
}

/* The sweep may have brought connections after the count was 0. */
static void
on_swept(void)
{
	AN(self.drains);
	self_tell(MSG_SWEPT, NULL, 0);
	if (!dr.cutting)
		waitgroup_wait(dr.order.deadline_ms, on_settled);
}

void
drain_start(void)
{
	evtimer_assign(&dr.tick, self_base(), on_tick, NULL);
}

void
drain_stop(void)
{
	event_del(&dr.tick);
}

void
drain_begin(const struct msg_drain *order)
{
	FAULT("worker-drain");
	dr.order = *order;
	if (!self.drains || dr.cutting)
		set_state(STATS_DRAINING);
	self.drains = true;
	self.succeeded = (order->flags & MSG_DRAIN_SUCCESSOR) != 0;
	dr.cutting = false;
	event_del(&dr.tick);
	if (order->flags & MSG_DRAIN_SWEEP)
		accept_sweep(on_swept);
	else
		accept_close_all();
	if (order->flags & MSG_DRAIN_SUCCESSOR)
		give_begin();
	else
		give_end();
	conn_drain_all();
	runtime_drain();
	waitgroup_wait(order->deadline_ms, on_settled);
}

void
drain_resume(void)
{
	if (!self.drains)
		return;
	self.drains = dr.cutting = false;
	event_del(&dr.tick);
	waitgroup_unwait();
	accept_unsweep();
	give_call_off();
	runtime_undrain();
	AN(!accept_sweeping());
	set_state(STATS_PAUSED);
}

void
drain_cut_now(void)
{
	struct conn *c;

	self.drains = true;
	accept_close_all();
	while ((c = TAILQ_FIRST(conn_all())) != NULL)
		if (c->life == CONN_HELD)
			conn_drop(c); /* it is cut where it comes from */
		else
			conn_cut(c, "stopped at once");
	self_leave();
}

uint64_t
drain_left_ms(void)
{
	uint64_t now = clock_ms();

	return self.drains && dr.order.deadline_ms > now ? dr.order.deadline_ms - now : 0;
}
