#include "worker/runtime/background.h"

#include <sys/queue.h>

#include <stdlib.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "worker/core/service.h"
#include "worker/core/waitgroup.h"
#include "worker/runtime/ctx.h"
#include "worker/runtime/loop.h"
#include "worker/runtime/origin.h"
#include "worker/runtime/runtime.h"

struct baton_background {
	TAILQ_ENTRY(baton_background) link;
	struct baton_ctx *ctx;
	const char *name, *place;
	struct origin origin;
	uint64_t born_ms;
	void (*drain)(void *arg); /* NULL: does not want to know, or knows */
	void *arg;
	bool abandoned; /* not in the waitgroup any more */
};

static struct {
	TAILQ_HEAD(, baton_background) all;
	unsigned n, most;
	uint64_t refused;
	struct event tell;
} bk;

/* From the front each time: whoever is told may end itself or others. */
static void
on_tell(evutil_socket_t fd, short what, void *arg)
{
	struct baton_background *b;

	(void)fd;
	(void)what;
	(void)arg;
	do {
		TAILQ_FOREACH (b, &bk.all, link)
			if (b->drain != NULL)
				break;
		if (b != NULL) {
			void (*drain)(void *) = b->drain;
			struct origin before = origin_enter(b->origin);

			b->drain = NULL;
			drain(b->arg);
			origin_leave(before);
		}
	} while (b != NULL);
}

struct baton_background *
baton_background_at(const char *name, void (*drain)(void *arg), void *arg, const char *place)
{
	struct baton_background *b;

	ON_LOOP();
	if (bk.n >= bk.most) {
		if (bk.refused++ == 0)
			log_warn("background task '%s' (%s) is refused: there are %u already",
			         name, place, bk.n);
		return NULL;
	}
	b = mem_alloc(sizeof *b);
	b->ctx = baton_ctx_new_at(NULL, 0, place);
	b->name = name;
	b->place = place;
	b->origin = origin_now();
	b->born_ms = clock_ms();
	b->drain = drain;
	b->arg = arg;
	bk.n++;
	TAILQ_INSERT_TAIL(&bk.all, b, link);
	waitgroup_add_task();
	if (drain != NULL && baton_draining())
		event_active(&bk.tell, EV_TIMEOUT, 0);
	return b;
}

struct baton_ctx *
baton_background_ctx(struct baton_background *bg)
{
	return bg->ctx;
}

void
baton_background_end(struct baton_background **bg)
{
	struct baton_background *b = *bg;

	ON_LOOP();
	*bg = NULL;
	if (b == NULL)
		return;
	AN(bk.n > 0);
	TAILQ_REMOVE(&bk.all, b, link);
	bk.n--;
	if (!b->abandoned)
		waitgroup_done_task();
	baton_ctx_cancel(b->ctx, BATON_CANCELLED);
	baton_ctx_drop(&b->ctx);
	free(b);
}

void
background_limit(unsigned most)
{
	if (most > bk.most)
		bk.most = most;
}

void
background_drain(void)
{
	event_active(&bk.tell, EV_TIMEOUT, 0);
}

void
background_abandon(void)
{
	struct baton_background *b;

	TAILQ_FOREACH (b, &bk.all, link) {
		if (b->abandoned)
			continue;
		log_warn("background task '%s' (%s) has not ended after %llu ms: left behind",
		         b->name, b->place, (unsigned long long)(clock_ms() - b->born_ms));
		b->abandoned = true;
		waitgroup_done_task();
	}
}

/* It is cancelled at the drain's deadline, and by itself before. */
static void
judge(const struct baton_background *b, struct runtime_task *t)
{
	bool drain = baton_ctx_cause(b->ctx) == BATON_DRAIN;

	t->since_ms = ctx_ended_ms(b->ctx);
	t->state =
	    b->abandoned ? "a background task, left behind" : "a background task, cancelled";
	t->warning =
	    drain ? "it outlives the drain's deadline" : "it is cancelled, and has not ended";
	t->due_ms = t->since_ms + (drain ? 0 : RUNTIME_GRACE_MS);
}

void
background_each(runtime_task_fn *fn, void *arg)
{
	struct baton_background *b;

	TAILQ_FOREACH (b, &bk.all, link) {
		struct runtime_task t = {.kind = MSG_TASK_BACKGROUND,
		                         .name = b->name,
		                         .place = b->place,
		                         .state = "a background task",
		                         .counted = !b->abandoned,
		                         .born_ms = b->born_ms,
		                         .since_ms = b->born_ms,
		                         .deadline_ms = UINT64_MAX};

		if (ctx_ended_ms(b->ctx) != 0)
			judge(b, &t);
		fn(arg, &t);
	}
}

void
background_start(void)
{
	TAILQ_INIT(&bk.all);
	bk.n = bk.most = 0;
	evtimer_assign(&bk.tell, loop_base(), on_tell, NULL);
}

/* Free the tasks that stopped modules have left behind. */
void
background_stop(void)
{
	struct baton_background *b;

	event_del(&bk.tell);
	while ((b = TAILQ_FIRST(&bk.all)) != NULL)
		baton_background_end(&b); /* its ctx has ended: nobody hears of it */
}
