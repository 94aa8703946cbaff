#include "worker/runtime/pool.h"

#include <sys/queue.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "worker/runtime/ctx.h"
#include "worker/runtime/dial.h"
#include "worker/runtime/loop.h"
#include "worker/runtime/origin.h"
#include "worker/runtime/runtime.h"

#define KEEPALIVE_MS 60000

#define LOOK_MS 1000 /* between two looks for what was idle for too long */

struct baton_link {
	TAILQ_ENTRY(baton_link) all;
	TAILQ_ENTRY(baton_link) link; /* while it is idle, the latest first */
	struct pool_target *target;
	const char *place;       /* who asked for it last */
	uint64_t out_ms, due_ms; /* given out; the deadline of the request behind that */
	int fd;
	bool reused;
	uint64_t born_ms, idle_since_ms;
	struct event ev; /* of a wait, or as long as it is attached */
	bool waits;
	bool attached, idle;
	void (*ready)(void *arg, short what); /* NULL: idle */
	struct baton_watch watch;
	int cause; /* of the ctx of a wait, when it has ended */
	void (*fn)(void *arg, int status);
	void *arg;
	struct origin origin; /* of the wait */
};

/* Who wants a link: in its target's queue, then on its way to be told. */
struct waiter {
	TAILQ_ENTRY(waiter) link;
	struct pool_target *target;
	bool queued;
	struct baton_ctx *ctx;
	struct baton_watch watch;
	void (*fn)(void *arg, int status, struct baton_link *link);
	void *arg;
	struct origin origin;
	const char *place;
	bool timed; /* its ctx is the request's, for the time after, too */
	int status;
	struct baton_link *given;
};

struct dialling {
	LIST_ENTRY(dialling) link;
	struct pool_target *target;
	struct dial *dial;
};

struct pool_target {
	TAILQ_ENTRY(pool_target) link;
	struct baton_pool *pool;
	char *name;
	unsigned open; /* idle, out, and being dialled */
	unsigned nidle, nwaiting, ndialling;
	const char *fault; /* of the last one that was dialled in vain */
	TAILQ_HEAD(links, baton_link) idle;
	TAILQ_HEAD(, waiter) waiting;
	LIST_HEAD(, dialling) dialling;
};

struct baton_pool {
	struct baton_pool_rules rules;
	int64_t keepalive; /* ms */
	TAILQ_HEAD(, pool_target) targets;
	struct baton_timer *look;
	bool looking;
	uint64_t dialled, failed, reused, dead;
};

static TAILQ_HEAD(, baton_link) all_links = TAILQ_HEAD_INITIALIZER(all_links);

/* --- telling who waits --- */

static void
tell(void *arg)
{
	struct waiter *w = arg;
	struct origin before;
	int cause = baton_ctx_cause(w->ctx);

	if (cause != 0 && w->given != NULL) { /* it ended just now */
		baton_link_put(w->given, true);
		w->given = NULL;
		w->status = cause;
	}
	before = origin_enter(w->origin);
	w->fn(w->arg, w->status, w->given);
	origin_leave(before);
	baton_ctx_drop(&w->ctx);
	free(w);
}

static void
serve(struct waiter *w, int status, struct baton_link *link)
{
	struct pool_target *t = w->target;

	if (w->queued) {
		TAILQ_REMOVE(&t->waiting, w, link);
		t->nwaiting--;
		w->queued = false;
	}
	baton_ctx_unwatch(&w->watch);
	w->status = status;
	w->given = link;
	if (link != NULL) {
		link->out_ms = clock_ms();
		link->due_ms = w->timed ? ctx_request_deadline_ms(w->ctx) : UINT64_MAX;
		link->place = w->place;
	}
	baton_post(tell, w);
}

static void
on_waiter_ended(void *arg, int cause)
{
	serve(arg, cause, NULL);
}

/* --- links --- */

static void
close_link(struct baton_link *l)
{
	l->target->open--;
	if (l->attached)
		event_del(&l->ev);
	TAILQ_REMOVE(&all_links, l, all);
	fd_close(&l->fd);
	free(l);
}

static bool
is_old(const struct baton_link *l, uint64_t now)
{
	uint64_t life = l->target->pool->rules.life_ms;

	return life != 0 && now - l->born_ms >= life;
}

/* Nothing may come from a peer that was asked nothing: an end, an error or bytes alike. */
static bool
is_dead(const struct baton_link *l)
{
	char byte;

	return recv(l->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       (errno != EAGAIN && errno != EINTR);
}

struct baton_link *
pool_take_at(struct pool_target *t, const char *place)
{
	struct baton_link *l;
	uint64_t now = clock_ms();

	while ((l = TAILQ_FIRST(&t->idle)) != NULL) {
		bool dead = is_dead(l);

		TAILQ_REMOVE(&t->idle, l, link);
		t->nidle--;
		l->idle = false;
		t->pool->dead += dead;
		if (!dead && !is_old(l, now)) {
			l->reused = true;
			l->place = place;
			l->out_ms = now;
			l->due_ms = UINT64_MAX;
			t->pool->reused++;
			return l;
		}
		close_link(l);
	}
	return NULL;
}

/* --- dialling --- */

static void on_dialled(void *arg, int fd, int status, const char *why);

static void
dial(struct pool_target *t)
{
	struct dialling *d = mem_alloc(sizeof *d);

	d->target = t;
	t->open++;
	t->ndialling++;
	t->pool->dialled++;
	LIST_INSERT_HEAD(&t->dialling, d, link);
	d->dial = dial_start(t->name, t->pool->rules.connect_ms, on_dialled, d);
}

/* As many are dialled as wait, if there is room. */
static void
dial_for_waiters(struct pool_target *t)
{
	while (t->nwaiting > t->ndialling && t->open < t->pool->rules.max_open)
		dial(t);
}

static void keep_or_give(struct baton_link *l);

static void
on_dialled(void *arg, int fd, int status, const char *why)
{
	struct dialling *d = arg;
	struct pool_target *t = d->target;
	struct baton_link *l;
	struct waiter *w = TAILQ_FIRST(&t->waiting);

	LIST_REMOVE(d, link);
	free(d);
	t->ndialling--;
	if (fd < 0) {
		t->open--;
		t->pool->failed++;
		t->fault = why;
		if (w != NULL)
			serve(w, status, NULL);
		dial_for_waiters(t);
		return;
	}
	l = mem_alloc(sizeof *l);
	l->target = t;
	l->fd = fd;
	l->born_ms = clock_ms();
	fd_keepalive(fd, t->pool->keepalive);
	l->place = w != NULL ? w->place : "who asked has gone";
	TAILQ_INSERT_TAIL(&all_links, l, all);
	keep_or_give(l);
}

/* --- keeping --- */

static void
look_later(struct baton_pool *p)
{
	if (!p->looking)
		baton_timer_set(p->look, LOOK_MS);
	p->looking = true;
}

static void
drop_idle(struct pool_target *t, uint64_t now)
{
	struct baton_link *l;

	while ((l = TAILQ_LAST(&t->idle, links)) != NULL &&
	       (now - l->idle_since_ms >= t->pool->rules.idle_ms || is_old(l, now))) {
		TAILQ_REMOVE(&t->idle, l, link);
		t->nidle--;
		close_link(l);
	}
}

static void
on_look(void *arg)
{
	struct baton_pool *p = arg;
	uint64_t now = clock_ms();
	struct pool_target *t;

	p->looking = false;
	TAILQ_FOREACH (t, &p->targets, link) {
		drop_idle(t, now);
		if (t->nidle > 0)
			look_later(p);
	}
}

static void
keep_or_give(struct baton_link *l)
{
	struct pool_target *t = l->target;
	struct waiter *w = TAILQ_FIRST(&t->waiting);

	if (w != NULL) {
		serve(w, 0, l);
		return;
	}
	if (t->nidle >= t->pool->rules.max_idle) {
		close_link(l);
		return;
	}
	l->idle_since_ms = clock_ms();
	l->idle = true;
	TAILQ_INSERT_HEAD(&t->idle, l, link);
	t->nidle++;
	look_later(t->pool);
}

/* --- waiting for a link's socket --- */

static void
end_wait(struct baton_link *l)
{
	if (l->waits)
		event_del(&l->ev);
	l->waits = false;
	baton_ctx_unwatch(&l->watch);
}

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct baton_link *l = arg;
	struct origin before;

	(void)fd;
	(void)what;
	end_wait(l);
	before = origin_enter(l->origin);
	l->fn(l->arg, l->cause); /* which may close it */
	origin_leave(before);
}

/* From the loop's top level. */
static void
on_wait_ended(void *arg, int cause)
{
	struct baton_link *l = arg;

	l->cause = cause;
	event_active(&l->ev, EV_TIMEOUT, 0);
}

void
baton_link_wait(struct baton_link *link, bool write, struct baton_ctx *ctx,
                void (*fn)(void *arg, int status), void *arg)
{
	ON_LOOP();
	end_wait(link);
	if (fn == NULL)
		return;
	link->fn = fn;
	link->arg = arg;
	link->origin = origin_now();
	link->cause = 0;
	event_assign(&link->ev, loop_base(), link->fd, write ? EV_WRITE : EV_READ, on_event,
	             link);
	event_add(&link->ev, NULL);
	link->waits = true;
	if (ctx != NULL &&
	    (link->cause = baton_ctx_watch(ctx, &link->watch, on_wait_ended, link)) != 0)
		event_active(&link->ev, EV_TIMEOUT, 0);
}

/* --- attached links --- */

static void
on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct baton_link *l = arg;
	struct pool_target *t = l->target;

	(void)fd;
	if (l->ready != NULL) {
		l->ready(l->arg, what);
		return;
	}
	if (!l->idle) {
		link_want(l, 0); /* on its way to who waited for it, who will see */
		return;
	}
	TAILQ_REMOVE(&t->idle, l, link);
	t->nidle--;
	t->pool->dead++;
	close_link(l);
}

void
link_attach(struct baton_link *link, void (*ready)(void *arg, short what), void *arg)
{
	link->ready = ready;
	link->arg = arg;
	if (link->attached) {
		link_want(link, EV_READ);
		return;
	}
	link->attached = true;
	event_assign(&link->ev, loop_base(), link->fd, EV_READ | EV_PERSIST, on_ready, link);
	event_add(&link->ev, NULL);
}

void
link_want(struct baton_link *link, short events)
{
	if ((link->ev.ev_events & (EV_READ | EV_WRITE)) == events)
		return;
	event_del(&link->ev);
	event_assign(&link->ev, loop_base(), link->fd, events | EV_PERSIST, on_ready, link);
	if (events != 0)
		event_add(&link->ev, NULL);
}

int
link_steal(struct baton_link *link)
{
	struct pool_target *t = link->target;
	int fd = link->fd;

	event_del(&link->ev);
	link->attached = false;
	link->fd = -1;
	close_link(link);
	dial_for_waiters(t);
	return fd;
}

/* --- baton.h --- */

int
baton_link_fd(const struct baton_link *link)
{
	return link->fd;
}

bool
baton_link_reused(const struct baton_link *link)
{
	return link->reused;
}

void
baton_link_put(struct baton_link *link, bool reusable)
{
	struct pool_target *t = link->target;

	ON_LOOP();
	end_wait(link);
	if (link->attached) {
		link->ready = NULL;
		link_want(link, EV_READ);
	}
	if (reusable && !is_old(link, clock_ms()) &&
	    ((link->attached && TAILQ_EMPTY(&t->waiting)) || !is_dead(link))) {
		link->reused = true;
		keep_or_give(link);
		return;
	}
	close_link(link);
	dial_for_waiters(t);
}

struct pool_target *
pool_target(struct baton_pool *p, const char *name)
{
	struct pool_target *t;

	TAILQ_FOREACH (t, &p->targets, link)
		if (strcmp(t->name, name) == 0)
			return t;
	t = mem_alloc(sizeof *t);
	t->pool = p;
	t->name = mem_strdup(name);
	TAILQ_INIT(&t->idle);
	TAILQ_INIT(&t->waiting);
	LIST_INIT(&t->dialling);
	TAILQ_INSERT_TAIL(&p->targets, t, link);
	return t;
}

static int
wait_for(struct pool_target *t, struct baton_ctx *ctx,
         void (*fn)(void *arg, int status, struct baton_link *link), void *arg,
         const char *place, bool timed)
{
	struct baton_link *l;
	struct waiter *w;
	int cause;

	if (ctx == NULL)
		ctx = ctx_root();
	if ((cause = baton_ctx_cause(ctx)) != 0)
		return cause;
	if (t->nwaiting >= t->pool->rules.max_waiting)
		return BATON_FULL;
	w = mem_alloc(sizeof *w);
	w->target = t;
	w->ctx = baton_ctx_hold(ctx);
	w->fn = fn;
	w->arg = arg;
	w->origin = origin_now();
	w->place = place;
	w->timed = timed;
	if (t->nwaiting == 0 && (l = pool_take_at(t, place)) != NULL) {
		serve(w, 0, l);
		return 0;
	}
	baton_ctx_watch(ctx, &w->watch, on_waiter_ended, w);
	TAILQ_INSERT_TAIL(&t->waiting, w, link);
	w->queued = true;
	t->nwaiting++;
	dial_for_waiters(t);
	return 0;
}

int
pool_wait_at(struct pool_target *t, struct baton_ctx *ctx,
             void (*fn)(void *arg, int status, struct baton_link *link), void *arg,
             const char *place)
{
	return wait_for(t, ctx, fn, arg, place, false);
}

int
baton_pool_get_at(struct baton_pool *pool, struct baton_ctx *ctx, const char *target,
                  void (*fn)(void *arg, int status, struct baton_link *link), void *arg,
                  const char *place)
{
	int cause = baton_ctx_cause(ctx != NULL ? ctx : ctx_root());

	ON_LOOP();
	if (cause != 0)
		return cause;
	if (!dial_target_is_good(target))
		return BATON_INVALID;
	return wait_for(pool_target(pool, target), ctx, fn, arg, place, true);
}

unsigned
pool_idle(const struct pool_target *target)
{
	return target->nidle;
}

const char *
pool_fault(const struct pool_target *target)
{
	return target->fault;
}

bool
pool_is_full(const struct pool_target *t)
{
	return t->nidle == 0 && t->open >= t->pool->rules.max_open;
}

unsigned
pool_busy(const struct pool_target *t)
{
	return t->open - t->nidle;
}

void
baton_pool_stats(const struct baton_pool *pool, struct baton_pool_stats *stats)
{
	const struct pool_target *t;

	*stats = (struct baton_pool_stats){.dialled = pool->dialled,
	                                   .failed = pool->failed,
	                                   .reused = pool->reused,
	                                   .dead = pool->dead};
	TAILQ_FOREACH (t, &pool->targets, link) {
		stats->open += t->open;
		stats->idle += t->nidle;
		stats->waiting += t->nwaiting;
	}
}

struct baton_pool *
baton_pool_new(const struct baton_pool_rules *rules)
{
	struct baton_pool *p = mem_alloc(sizeof *p);

	if (rules != NULL)
		p->rules = *rules;
	if (p->rules.max_open == 0)
		p->rules.max_open = 8;
	if (p->rules.max_idle == 0)
		p->rules.max_idle = p->rules.max_open;
	if (p->rules.max_waiting == 0)
		p->rules.max_waiting = 1000;
	if (p->rules.idle_ms == 0)
		p->rules.idle_ms = 60000;
	if (p->rules.connect_ms == 0)
		p->rules.connect_ms = 5000;
	p->keepalive = KEEPALIVE_MS;
	TAILQ_INIT(&p->targets);
	p->look = baton_timer_new(on_look, p);
	return p;
}

void
pool_keepalive(struct baton_pool *pool, int64_t ms)
{
	pool->keepalive = ms;
}

static void
free_target(struct pool_target *t)
{
	struct baton_link *l;
	struct waiter *w;
	struct dialling *d;

	while ((w = TAILQ_FIRST(&t->waiting)) != NULL)
		serve(w, BATON_CLOSED, NULL);
	while ((d = LIST_FIRST(&t->dialling)) != NULL) {
		LIST_REMOVE(d, link);
		dial_cancel(&d->dial);
		free(d);
	}
	while ((l = TAILQ_FIRST(&t->idle)) != NULL) {
		TAILQ_REMOVE(&t->idle, l, link);
		close_link(l);
	}
	free(t->name);
	free(t);
}

void
baton_pool_free(struct baton_pool **pool)
{
	struct pool_target *t;

	ON_LOOP();
	if (*pool == NULL)
		return;
	while ((t = TAILQ_FIRST(&(*pool)->targets)) != NULL) {
		TAILQ_REMOVE(&(*pool)->targets, t, link);
		free_target(t);
	}
	baton_timer_free(&(*pool)->look);
	mem_free(pool);
}

static void
tell_link(runtime_task_fn *fn, void *arg, const struct baton_link *l)
{
	struct runtime_task t = {.kind = MSG_TASK_LINK,
	                         .name = l->target->name,
	                         .place = l->place,
	                         .state = "idle",
	                         .born_ms = l->born_ms,
	                         .since_ms = l->idle_since_ms,
	                         .deadline_ms = UINT64_MAX};

	if (!l->idle) {
		t.state = l->waits ? "out, waits for its peer" : "out";
		t.since_ms = l->out_ms;
		t.deadline_ms = l->due_ms;
		if (l->due_ms != UINT64_MAX)
			t.warning = "it is out for longer than what it was asked for";
		t.due_ms = l->due_ms + RUNTIME_GRACE_MS;
	}
	fn(arg, &t);
}

void
pool_each(runtime_task_fn *fn, void *arg)
{
	const struct baton_link *l;

	TAILQ_FOREACH (l, &all_links, all)
		tell_link(fn, arg, l);
}
