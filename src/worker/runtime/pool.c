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
#include "worker/runtime/pool_int.h"
#include "worker/runtime/runtime.h"

#define KEEPALIVE_MS 60000

#define LOOK_MS 1000 /* between two looks for what was idle for too long */

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
	AN(w->given == NULL && (status == 0) == (link != NULL));
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

struct baton_link *
pool_take_at(struct pool_target *t, const char *place)
{
	struct baton_link *l;
	uint64_t now = clock_ms();

	while ((l = TAILQ_FIRST(&t->idle)) != NULL) {
		bool dead = link_is_dead(l);

		AN(l->idle && t->nidle > 0);
		TAILQ_REMOVE(&t->idle, l, link);
		t->nidle--;
		l->idle = false;
		t->pool->dead += dead;
		if (!dead && !link_is_old(l, now)) {
			l->reused = true;
			l->place = place;
			l->out_ms = now;
			l->due_ms = UINT64_MAX;
			t->pool->reused++;
			return l;
		}
		link_close(l);
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

	AN(t->ndialling > 0 && t->open > 0);
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
	l = link_new(t, fd);
	l->place = w != NULL ? w->place : "who asked has gone";
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
	       (now - l->idle_since_ms >= t->pool->rules.idle_ms || link_is_old(l, now))) {
		TAILQ_REMOVE(&t->idle, l, link);
		t->nidle--;
		link_close(l);
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
		link_close(l);
		return;
	}
	AN(!l->idle && l->fd >= 0);
	l->idle_since_ms = clock_ms();
	l->idle = true;
	TAILQ_INSERT_HEAD(&t->idle, l, link);
	t->nidle++;
	look_later(t->pool);
}

int
link_steal(struct baton_link *link)
{
	struct pool_target *t = link->target;
	int fd = link->fd;

	event_del(&link->ev);
	link->attached = false;
	link->fd = -1;
	link_close(link);
	dial_for_waiters(t);
	return fd;
}

/* --- baton.h --- */

void
baton_link_put(struct baton_link *link, bool reusable)
{
	struct pool_target *t = link->target;

	ON_LOOP();
	link_end_wait(link);
	if (link->attached) {
		link->ready = NULL;
		link_want(link, EV_READ);
	}
	if (reusable && !link_is_old(link, clock_ms()) &&
	    ((link->attached && TAILQ_EMPTY(&t->waiting)) || !link_is_dead(link))) {
		link->reused = true;
		keep_or_give(link);
		return;
	}
	link_close(link);
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
	return t->nidle == 0 && t->open - t->ndialling >= t->pool->rules.max_open;
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
		link_close(l);
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
