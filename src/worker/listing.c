#include "worker/listing.h"

#include <sys/queue.h>
#include <sys/socket.h>

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "wire/handoff.h"
#include "wire/msg.h"
#include "worker/conn/conn.h"
#include "worker/core/self.h"
#include "worker/drain.h"
#include "worker/overdue.h"
#include "worker/runtime/runtime.h"

#define LINES_PER_TURN 64
#define WAIT_MS        5     /* until the next look whether the master has read */
#define TASKS_MAX      20000 /* remembered for one list: of a leak the oldest are enough */

struct listing {
	TAILQ_ENTRY(listing) link;
	struct msg_list order;
	struct conn_walk walk; /* over connections that are still to be told */
	bool walking;
	struct msg_task *task;
	size_t ntask, told;
	uint64_t left_off;
};

static struct {
	TAILQ_HEAD(, listing) all;
	struct event turn;
} ls;

static void
schedule(uint64_t ms)
{
	struct timeval tv = {.tv_usec = (suseconds_t)(ms * 1000)};

	event_add(&ls.turn, &tv);
}

static void
destroy(struct listing *l)
{
	TAILQ_REMOVE(&ls.all, l, link);
	if (l->walking)
		conn_walk_end(&l->walk);
	free(l->task);
	free(l);
}

static void
copy(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text != NULL ? text : "");
}

/* The end of a place tells most: the file and the line. */
static const char *
tail(const char *place, size_t room)
{
	size_t n = strlen(place);

	return n > room ? place + n - room : place;
}

/* --- connections --- */

static const char *
why_not_done(const struct conn *c)
{
	if (c->life == CONN_LINGERS)
		return "closing: waits for the peer to close too";
	if (c->life == CONN_MOVES)
		return "on its way to the next generation";
	if (c->life == CONN_HELD)
		return "comes from another worker, which has not let go of it";
	if (c->stays)
		return handoff_refusal_text(c->refusal);
	if (c->writing)
		return "the peer is slow to take its answer";
	if (c->state == CONN_NEW)
		return "has sent nothing yet";
	if (c->state == CONN_BUSY)
		return "its request is not complete or not answered";
	return c->refusal != 0 ? handoff_refusal_text(c->refusal) : "idle";
}

static void
warn_of(struct conn *c, char *to, size_t size)
{
	uint64_t since;

	*to = '\0';
	if (overdue_conn(c, clock_ms(), &since))
		snprintf(to, size, "busy, and no byte has moved for %llu ms",
		         (unsigned long long)(clock_ms() - c->seen_ms));
}

static uint32_t
flags_of(const struct conn *c)
{
	return (c->life == CONN_MOVES ? MSG_CONN_MOVING : 0) |
	       (c->life == CONN_HELD ? MSG_CONN_HELD : 0) |
	       (c->life == CONN_LINGERS ? MSG_CONN_LINGERING : 0);
}

/* The kernel knows, whoever has moved the bytes, over every hand-off. */
static void
tell_quiet(const struct conn *c, struct msg_conn *line)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof info;

	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return;
	line->flags |= MSG_CONN_QUIET;
	line->quiet_ms = info.tcpi_last_data_recv < info.tcpi_last_data_sent
	                     ? info.tcpi_last_data_recv
	                     : info.tcpi_last_data_sent;
}

static void
tell_conn(const struct listing *l, struct conn *c)
{
	uint64_t now = clock_tick_ms();
	struct msg_conn line = {.token = l->order.token,
	                        .id = c->id,
	                        .age_ms = now - c->opened_ms,
	                        .state_ms = now - c->since_ms,
	                        .bytes_in = c->bytes_in,
	                        .bytes_out = c->bytes_out,
	                        .left_ms = drain_left_ms(),
	                        .listener = c->listener,
	                        .requests = c->requests,
	                        .flags = flags_of(c),
	                        .from_generation = c->from_generation,
	                        .from_birth = c->from_birth};

	tell_quiet(c, &line);
	copy(line.state, sizeof line.state, conn_state_name(c->state));
	conn_peer(c, line.peer, sizeof line.peer);
	if (l->order.what == MSG_LIST_HOLDERS)
		copy(line.why, sizeof line.why, why_not_done(c));
	else
		warn_of(c, line.why, sizeof line.why);
	self_tell(MSG_CONN, &line, sizeof line);
}

/* --- tasks --- */

static void
remember(void *arg, const struct runtime_task *task)
{
	struct listing *l = arg;
	uint64_t now = clock_ms();
	struct msg_task *to;

	if (l->order.what == MSG_LIST_HOLDERS && !task->counted)
		return;
	if (l->ntask == TASKS_MAX) {
		l->left_off++;
		return;
	}
	l->task = mem_grow(l->task, l->ntask, sizeof *l->task);
	to = &l->task[l->ntask++];
	*to = (struct msg_task){.token = l->order.token,
	                        .kind = task->kind,
	                        .age_ms = now - task->born_ms,
	                        .state_ms = now - task->since_ms,
	                        .left_ms = task->deadline_ms};
	if (task->deadline_ms != UINT64_MAX)
		to->left_ms = task->deadline_ms > now ? task->deadline_ms - now : 0;
	copy(to->state, sizeof to->state, task->state);
	copy(to->name, sizeof to->name, task->name);
	copy(to->place, sizeof to->place, tail(task->place, sizeof to->place - 1));
	copy(to->warning, sizeof to->warning, runtime_warning(task, now));
}

/* Tasks hold a drain like connections; they have no listener. */
static void
tell_holder(const struct listing *l, const struct msg_task *task)
{
	struct msg_conn line = {.token = l->order.token,
	                        .age_ms = task->age_ms,
	                        .state_ms = task->age_ms,
	                        .left_ms = drain_left_ms(),
	                        .listener = UINT32_MAX};

	copy(line.state, sizeof line.state, "busy");
	snprintf(line.peer, sizeof line.peer, "task %.58s", task->name);
	snprintf(line.why, sizeof line.why, "%.44s: %.48s", tail(task->place, 44), task->state);
	self_tell(MSG_CONN, &line, sizeof line);
}

static void
tell_task(const struct listing *l, const struct msg_task *task)
{
	if (l->order.what == MSG_LIST_HOLDERS)
		tell_holder(l, task);
	else
		self_tell(MSG_TASK, task, sizeof *task);
}

/* --- turns --- */

/* One line.  False: that was all. */
static bool
tell_one(struct listing *l)
{
	struct conn *c = l->walking ? conn_walk_next(&l->walk) : NULL;

	if (c != NULL) {
		tell_conn(l, c);
		return true;
	}
	if (l->told == l->ntask)
		return false;
	tell_task(l, &l->task[l->told++]);
	return true;
}

static void
finish(struct listing *l)
{
	struct msg_list_end end = {.token = l->order.token, .left_off = l->left_off};
	size_t len = l->order.what == MSG_LIST_HOLDERS ? sizeof end.token : sizeof end;

	self_tell(MSG_LIST_END, &end, len);
	destroy(l);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct listing *l = TAILQ_FIRST(&ls.all);
	int n = 0;

	(void)fd;
	(void)what;
	(void)arg;
	if (!self_is_heard()) {
		schedule(WAIT_MS);
		return;
	}
	while (n < LINES_PER_TURN && tell_one(l))
		n++;
	TAILQ_REMOVE(&ls.all, l, link);
	TAILQ_INSERT_TAIL(&ls.all, l, link); /* the others have their turn, too */
	if (n < LINES_PER_TURN)
		finish(l);
	else
		FAULT("list-piece");
	if (!TAILQ_EMPTY(&ls.all))
		schedule(0);
}

void
listing_begin(const struct msg *m)
{
	struct listing *l = mem_alloc(sizeof *l);

	memcpy(&l->order, m->data, m->len < sizeof l->order ? m->len : sizeof l->order);
	if (l->order.what != MSG_LIST_TASKS) {
		conn_walk_begin(&l->walk);
		l->walking = true;
	}
	if (l->order.what != MSG_LIST_CONNS)
		runtime_each_task(remember, l);
	if (TAILQ_EMPTY(&ls.all))
		schedule(0);
	TAILQ_INSERT_TAIL(&ls.all, l, link);
}

void
listing_start(void)
{
	TAILQ_INIT(&ls.all);
	evtimer_assign(&ls.turn, self_base(), on_turn, NULL);
}

void
listing_stop(void)
{
	struct listing *l;

	event_del(&ls.turn);
	while ((l = TAILQ_FIRST(&ls.all)) != NULL)
		destroy(l);
}
