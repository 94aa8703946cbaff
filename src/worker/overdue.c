#include "worker/overdue.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "wire/stats.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"
#include "worker/core/service.h"
#include "worker/core/waitgroup.h"
#include "worker/runtime/runtime.h"

#define LOOK_MS  1000
#define PER_TURN 256 /* connections */

struct tally {
	uint64_t n, since_ms;
};

static struct {
	struct event look; /* every LOOK_MS */
	struct event turn; /* the next piece */
	struct conn_walk walk;
	bool walking;
	struct tally conns; /* of the walk */
} od;

static void
count(struct tally *t, uint64_t since_ms)
{
	if (t->n++ == 0 || since_ms < t->since_ms)
		t->since_ms = since_ms;
}

static void
publish(enum stats_overdue_kind kind, const struct tally *t)
{
	struct stats_overdue *to = &self_page()->overdue[kind];

	to->since_ms = t->since_ms;
	to->n = t->n;
}

/* --- ctxs, tasks, links --- */

struct look {
	uint64_t now;
	struct tally kind[STATS_OVERDUE_N];
};

static void
look_at_task(void *arg, const struct runtime_task *task)
{
	static const int kinds[] = {
	    [MSG_TASK_CTX] = STATS_OVERDUE_CTX,
	    [MSG_TASK_OFFLOAD] = STATS_OVERDUE_OFFLOAD,
	    [MSG_TASK_BACKGROUND] = STATS_OVERDUE_BACKGROUND,
	    [MSG_TASK_GROUP] = -1, /* its ctx tells */
	    [MSG_TASK_LINK] = STATS_OVERDUE_LINK,
	};
	struct look *look = arg;

	if (kinds[task->kind] >= 0 && runtime_warning(task, look->now) != NULL)
		count(&look->kind[kinds[task->kind]], task->due_ms);
}

static void
look_at_tasks(void)
{
	struct look look = {.now = clock_ms()};

	runtime_each_task(look_at_task, &look);
	for (int kind = 0; kind < STATS_OVERDUE_N; kind++)
		if (kind != STATS_OVERDUE_CONN)
			publish((enum stats_overdue_kind)kind, &look.kind[kind]);
}

/* --- connections --- */

bool
overdue_conn(struct conn *c, uint64_t now, uint64_t *since_ms)
{
	uint32_t moved = (uint32_t)(c->bytes_in + c->bytes_out);
	uint64_t patience;

	if (c->state != CONN_BUSY || c->life != CONN_LIVES ||
	    c->service->type->patience == NULL)
		return false;
	if (c->seen_ms == 0 || moved != c->seen)
		c->seen_ms = now;
	if (c->seen_ms < c->since_ms)
		c->seen_ms = c->since_ms;
	c->seen = moved;
	patience = c->service->type->patience(c);
	*since_ms = clock_add(c->seen_ms, clock_add(patience, patience));
	return patience != 0 && now >= *since_ms;
}

static void
end_walk(void)
{
	conn_walk_end(&od.walk);
	od.walking = false;
	publish(STATS_OVERDUE_CONN, &od.conns);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct timeval soon = {0};
	uint64_t now = clock_ms(), since;
	struct conn *c;

	(void)fd;
	(void)what;
	(void)arg;
	for (int i = 0; i < PER_TURN; i++) {
		if ((c = conn_walk_next(&od.walk)) == NULL) {
			end_walk();
			return;
		}
		if (overdue_conn(c, now, &since))
			count(&od.conns, since);
	}
	event_add(&od.turn, &soon);
}

static void
look_at_conns(void)
{
	struct timeval soon = {0};

	if (od.walking)
		return;
	od.conns = (struct tally){0};
	if (self_page()->busy <= waitgroup_tasks()) {
		publish(STATS_OVERDUE_CONN, &od.conns);
		return;
	}
	conn_walk_begin(&od.walk);
	od.walking = true;
	event_add(&od.turn, &soon);
}

/* --- life --- */

void
overdue_look(void)
{
	look_at_tasks();
	look_at_conns();
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	overdue_look();
}

void
overdue_start(void)
{
	struct timeval tv = {.tv_sec = LOOK_MS / 1000};

	evtimer_assign(&od.turn, self_base(), on_turn, NULL);
	event_assign(&od.look, self_base(), -1, EV_PERSIST, on_look, NULL);
	event_add(&od.look, &tv);
}

void
overdue_stop(void)
{
	event_del(&od.look);
	event_del(&od.turn);
	if (od.walking)
		conn_walk_end(&od.walk);
	od.walking = false;
}
