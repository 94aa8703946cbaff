#include "worker/runtime/ctx.h"

#include <sys/queue.h>

#include <stdatomic.h>
#include <stdlib.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "worker/runtime/loop.h"
#include "worker/runtime/origin.h"
#include "worker/runtime/runtime.h"

struct value {
	struct value *next;
	const void *key;
	void *value;
	void (*free_it)(void *);
};

struct baton_ctx {
	unsigned holds;
	_Atomic int cause;    /* 0: it lives */
	uint64_t deadline_ms; /* UINT64_MAX: none; the nearest of its parents' and its own */
	struct baton_ctx *parent;        /* held; NULL for the root */
	LIST_HEAD(, baton_ctx) children; /* that live */
	LIST_ENTRY(baton_ctx) sibling;
	struct baton_watch *watches;
	struct value *values;
	struct event timer; /* assigned if the deadline is its own */
	bool timed;
	struct origin origin;
	const char *place;
	uint64_t born_ms;
	uint64_t ended_ms; /* 0: it lives */
	TAILQ_ENTRY(baton_ctx) all;
};

static struct {
	struct baton_ctx *root;
	struct baton_ctx *drain;
	TAILQ_HEAD(, baton_ctx) all;
} cx = {.all = TAILQ_HEAD_INITIALIZER(cx.all)};

/* --- life --- */

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	baton_ctx_cancel(arg, BATON_DEADLINE);
}

static void
start_timer(struct baton_ctx *ctx, uint64_t ms)
{
	struct timeval tv = {.tv_sec = (time_t)(ms / 1000),
	                     .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	ctx->timed = true;
	evtimer_assign(&ctx->timer, loop_base(), on_deadline, ctx);
	event_add(&ctx->timer, &tv);
}

static struct baton_ctx *
allocate(const char *place)
{
	struct baton_ctx *ctx = mem_alloc(sizeof *ctx);

	ctx->holds = 1;
	ctx->deadline_ms = UINT64_MAX;
	ctx->origin = origin_now();
	ctx->place = place;
	ctx->born_ms = clock_ms();
	LIST_INIT(&ctx->children);
	return ctx;
}

struct baton_ctx *
baton_ctx_new_at(struct baton_ctx *parent, uint64_t timeout_ms, const char *place)
{
	struct baton_ctx *ctx = allocate(place);
	uint64_t deadline = UINT64_MAX;
	int cause;

	ON_LOOP();
	ctx->parent = baton_ctx_hold(parent != NULL ? parent : cx.root);
	TAILQ_INSERT_TAIL(&cx.all, ctx, all);
	if (timeout_ms != 0)
		deadline = clock_add(ctx->born_ms, timeout_ms);
	ctx->deadline_ms = ctx->parent->deadline_ms;
	cause = baton_ctx_cause(ctx->parent);
	if (cause != 0) {
		ctx->cause = cause;
		ctx->ended_ms = ctx->born_ms;
		return ctx;
	}
	LIST_INSERT_HEAD(&ctx->parent->children, ctx, sibling);
	if (deadline < ctx->deadline_ms) {
		ctx->deadline_ms = deadline;
		start_timer(ctx, timeout_ms);
	}
	return ctx;
}

struct baton_ctx *
baton_ctx_hold(struct baton_ctx *ctx)
{
	ON_LOOP();
	AN(ctx->holds > 0);
	ctx->holds++;
	return ctx;
}

static void
free_values(struct baton_ctx *ctx)
{
	struct value *v;

	while ((v = ctx->values) != NULL) {
		ctx->values = v->next;
		if (v->free_it != NULL)
			v->free_it(v->value);
		free(v);
	}
}

/* Returns its parent, whose hold is to be given back.  Nobody can watch what nobody
 * holds; who still does is forgotten. */
static struct baton_ctx *
destroy(struct baton_ctx *ctx)
{
	struct baton_ctx *parent = ctx->parent;

	AN(ctx->holds == 0 && LIST_EMPTY(&ctx->children));
	while (ctx->watches != NULL)
		baton_ctx_unwatch(ctx->watches);
	if (ctx->timed)
		event_del(&ctx->timer);
	if (parent != NULL) {
		if (ctx->cause == 0)
			LIST_REMOVE(ctx, sibling);
		TAILQ_REMOVE(&cx.all, ctx, all);
	}
	free_values(ctx);
	free(ctx);
	return parent;
}

void
baton_ctx_drop(struct baton_ctx **ctx)
{
	struct baton_ctx *c = *ctx;

	ON_LOOP();
	*ctx = NULL;
	while (c != NULL) {
		AN(c->holds > 0);
		if (--c->holds > 0)
			return;
		c = destroy(c);
	}
}

/* --- the end --- */

void
baton_ctx_cancel(struct baton_ctx *ctx, int cause)
{
	struct origin before;
	struct baton_watch *w;
	struct baton_ctx *child;

	ON_LOOP();
	AN(cause != 0);
	if (ctx->cause != 0)
		return;
	baton_ctx_hold(ctx);
	ctx->cause = cause;
	ctx->ended_ms = clock_ms();
	if (ctx->timed)
		event_del(&ctx->timer);
	ctx->timed = false;
	if (ctx->parent != NULL)
		LIST_REMOVE(ctx, sibling);
	while ((child = LIST_FIRST(&ctx->children)) != NULL)
		baton_ctx_cancel(child, cause); /* takes itself out of the list */
	while ((w = ctx->watches) != NULL) {
		baton_ctx_unwatch(w);
		before = origin_enter(ctx->origin);
		w->fn(w->arg, cause);
		origin_leave(before);
	}
	baton_ctx_drop(&ctx);
}

int
baton_ctx_cause(const struct baton_ctx *ctx)
{
	return ctx->cause;
}

uint64_t
baton_ctx_left(const struct baton_ctx *ctx)
{
	uint64_t now;

	if (ctx->cause != 0)
		return 0;
	if (ctx->deadline_ms == UINT64_MAX)
		return UINT64_MAX;
	now = clock_ms();
	return ctx->deadline_ms > now ? ctx->deadline_ms - now : 0;
}

int
baton_ctx_watch(struct baton_ctx *ctx, struct baton_watch *watch,
                void (*fn)(void *arg, int cause), void *arg)
{
	ON_LOOP();
	AN(watch->prev == NULL);
	if (ctx->cause != 0)
		return ctx->cause;
	watch->fn = fn;
	watch->arg = arg;
	watch->next = ctx->watches;
	watch->prev = &ctx->watches;
	if (watch->next != NULL)
		watch->next->prev = &watch->next;
	ctx->watches = watch;
	return 0;
}

void
baton_ctx_unwatch(struct baton_watch *watch)
{
	ON_LOOP();
	if (watch->prev == NULL)
		return;
	AN(*watch->prev == watch);
	*watch->prev = watch->next;
	if (watch->next != NULL)
		watch->next->prev = watch->prev;
	watch->next = NULL;
	watch->prev = NULL;
}

/* --- values --- */

void
baton_ctx_set(struct baton_ctx *ctx, const void *key, void *value, void (*free_it)(void *))
{
	struct value *v = ctx->values;

	ON_LOOP();
	while (v != NULL && v->key != key)
		v = v->next;
	if (v == NULL) {
		v = mem_alloc(sizeof *v);
		v->next = ctx->values;
		ctx->values = v;
	} else if (v->free_it != NULL) {
		v->free_it(v->value);
	}
	v->key = key;
	v->value = value;
	v->free_it = free_it;
}

void *
baton_ctx_get(const struct baton_ctx *ctx, const void *key)
{
	for (; ctx != NULL; ctx = ctx->parent)
		for (const struct value *v = ctx->values; v != NULL; v = v->next)
			if (v->key == key)
				return v->value;
	return NULL;
}

/* --- the worker's side --- */

void
ctx_start(void)
{
	cx.root = allocate("the worker");
	cx.drain = allocate("the drain");
}

void
ctx_stop(void)
{
	struct baton_ctx *ctx;

	TAILQ_FOREACH (ctx, &cx.all, all)
		log_debug("a ctx of %s is still held", ctx->place);
	baton_ctx_drop(&cx.root);
	baton_ctx_drop(&cx.drain);
}

static void
renew(struct baton_ctx **ctx)
{
	const char *place = (*ctx)->place;

	if ((*ctx)->cause == 0)
		return;
	baton_ctx_drop(ctx);
	*ctx = allocate(place);
}

void
ctx_renew(void)
{
	renew(&cx.root);
	renew(&cx.drain);
}

struct baton_ctx *
ctx_root(void)
{
	return cx.root;
}

struct baton_ctx *
ctx_drain(void)
{
	return cx.drain;
}

bool
ctx_lonely(const struct baton_ctx *ctx)
{
	return ctx->holds == 1 && ctx->watches == NULL;
}

uint64_t
ctx_ended_ms(const struct baton_ctx *ctx)
{
	return ctx->ended_ms;
}

uint64_t
ctx_deadline_ms(const struct baton_ctx *ctx)
{
	return ctx->deadline_ms;
}

uint64_t
ctx_request_deadline_ms(const struct baton_ctx *ctx)
{
	while (ctx->parent != NULL && ctx->parent != cx.root)
		ctx = ctx->parent;
	return ctx->deadline_ms;
}

void
ctx_each(runtime_task_fn *fn, void *arg)
{
	struct baton_ctx *ctx;

	TAILQ_FOREACH (ctx, &cx.all, all) {
		bool lives = ctx->ended_ms == 0;

		fn(arg, &(struct runtime_task){
		            .kind = MSG_TASK_CTX,
		            .name = "",
		            .place = ctx->place,
		            .state = lives ? "lives" : baton_status_text(ctx->cause),
		            .warning = lives ? NULL : "it has ended, and is still held",
		            .born_ms = ctx->born_ms,
		            .since_ms = lives ? ctx->born_ms : ctx->ended_ms,
		            .deadline_ms = ctx->deadline_ms,
		            .due_ms = ctx->ended_ms + RUNTIME_GRACE_MS});
	}
}
