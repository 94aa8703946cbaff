#include "master/converge.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/adopt.h"
#include "master/change/change.h"
#include "master/change/scale.h"
#include "master/change/stop.h"
#include "master/core/env.h"
#include "master/listen/listener.h"
#include "master/state/snapshot.h"
#include "master/verbs/dispatch.h"
#include "master/verbs/publish.h"
#include "master/workers/assign.h"
#include "master/workers/generation.h"
#include "master/workers/retire.h"
#include "master/workers/slot.h"
#include "master/workers/ticketkeys.h"
#include "master/workers/successors.h"
#include "wire/chan.h"
#include "wire/stats.h"

#define ROUNDS 10000 /* a policy that never settles is our bug */

static struct {
	struct event *now;
	struct event *wake;
} cv;

/* --- the view --- */

struct facts {
	struct policy_view view;
	struct policy_gen *gens;
	struct generation **gen;
	struct worker ***worker; /* per generation, as listed in the view */
	size_t n;
	bool unordered; /* one that drains has workers that have not been told */
};

static void
list_workers(struct facts *f, const struct generation *g, struct policy_gen *pg,
             struct worker ***out)
{
	bool drains = g->state == GEN_DRAINING || g->state == GEN_FAILED;
	struct policy_worker *list = NULL;
	struct worker **who = NULL, *w;
	size_t n = 0;

	TAILQ_FOREACH (w, &g->workers, link) {
		list = mem_grow(list, n, sizeof *list);
		who = mem_grow(who, n, sizeof *who);
		who[n] = w;
		f->unordered |= drains && !w->leaving;
		list[n++] = (struct policy_worker){.slot = w->slot,
		                                   .ready = w->ready,
		                                   .leaving = w->leaving,
		                                   .cutting = w->page->state == STATS_CUTTING,
		                                   .stuck = w->stuck,
		                                   .killed = w->killed,
		                                   .since_ms = w->since_ms,
		                                   .deadline_ms = w->deadline_ms};
	}
	pg->worker = list;
	pg->nworkers = n;
	*out = who;
}

static void
note_moved(struct generation *g)
{
	struct worker *w;
	uint64_t moved = 0;

	TAILQ_FOREACH (w, &g->workers, link)
		moved += stats_counter_of(env.stats, w->page, STATS_HANDED_OFF);
	if (moved != g->moved)
		g->moved_ms = clock_ms();
	g->moved = moved;
}

static void
list_generations(struct facts *f)
{
	struct generation *g;

	TAILQ_FOREACH (g, generation_all(), link)
		note_moved(g);
	TAILQ_FOREACH (g, generation_all(), link) {
		struct policy_gen pg = {.state = g->state,
		                        .since_ms = g->since_ms,
		                        .moved_ms = g->moved_ms,
		                        .want = g->want,
		                        .may_spawn = g->image == env.image,
		                        .died = g->died,
		                        .told = g->told_to_cut,
		                        .kept = stop_keeps(g->id),
		                        .slot = g->slot};

		f->gens = mem_grow(f->gens, f->n, sizeof *f->gens);
		f->gen = mem_grow(f->gen, f->n, sizeof *f->gen);
		f->worker = mem_grow(f->worker, f->n, sizeof *f->worker);
		list_workers(f, g, &pg, &f->worker[f->n]);
		if (g == change_new())
			f->view.changing = (int)f->n;
		if ((uint64_t)g->conf->drain.cut_over > f->view.cut_over_ms)
			f->view.cut_over_ms = (uint64_t)g->conf->drain.cut_over;
		f->gens[f->n] = pg;
		f->gen[f->n++] = g;
	}
}

/* The limits in force are those of the newest generation. */
static void
gather(struct facts *f)
{
	const struct generation *newest = TAILQ_LAST(generation_all(), generation_list);

	memset(f, 0, sizeof *f);
	f->view.changing = -1;
	f->view.now_ms = clock_ms();
	f->view.has_old = change_old() != NULL;
	f->view.waiting = change_waiting();
	f->view.stop = env.stop;
	f->view.stop_since_ms = env.stop_since_ms;
	f->view.max_generations = UINT32_MAX;
	list_generations(f);
	f->view.half_open = (env.stop == STOP_FILTER || f->unordered) && listener_half_open();
	f->view.gen = f->gens;
	f->view.ngen = f->n;
	if (newest == NULL)
		return;
	f->view.start_timeout_ms = (uint64_t)newest->conf->server.start_timeout;
	f->view.probation_ms = (uint64_t)newest->conf->server.probation;
	f->view.max_generations = (uint32_t)newest->conf->server.max_generations;
	f->view.lame_duck_ms = (uint64_t)newest->conf->drain.lame_duck;
}

static void
release(struct facts *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free((void *)(uintptr_t)f->gens[i].worker);
		free(f->worker[i]);
	}
	free(f->gens);
	free(f->gen);
	free(f->worker);
}

/* --- the actions --- */

static void
spawn(struct generation *g, uint32_t slot)
{
	char *cause = NULL;
	struct worker *w = slot_spawn(g, slot, &cause);

	if (w != NULL)
		ticketkeys_tell(w);
	else
		generation_note_death(g, slot, 0, cause);
	free(cause);
}

static void
timed_out(struct generation *g)
{
	char *why = mem_printf("its workers were not ready within start_timeout (%lld ms)",
	                       (long long)g->conf->server.start_timeout);

	change_fail(g, why);
	free(why);
}

static const char *
why_killed(const struct worker *w)
{
	if (env.stop == STOP_NOW)
		return "baton stops now";
	if (w->stuck)
		return "its loop stands still";
	return w->leaving ? "it has not left by its deadline" : "it is not ready in time";
}

/* Assert what each verb presumes. */
static void
assert_action(const struct facts *f, const struct policy_action *a)
{
	const struct generation *g = f->n > 0 ? f->gen[a->gen] : NULL;
	const struct worker *w = NULL;

	AN(f->n == 0 || a->gen < f->n);
	if (a->verb == POLICY_LEAVE || a->verb == POLICY_KILL)
		w = f->worker[a->gen][a->index];
	switch (a->verb) {
	case POLICY_SPAWN:
		AN(g->image == env.image && a->index < g->want);
		break;
	case POLICY_PROMOTE:
	case POLICY_FAIL_TIMEOUT:
		AN(g == change_new() && g->state == GEN_STARTING);
		break;
	case POLICY_FAIL_DIED:
		AN(g == change_new() && g->died && g->cause != NULL);
		break;
	case POLICY_COMMIT:
		AN(g == change_new() && g->state == GEN_ACTIVE);
		break;
	case POLICY_LEAVE:
		AN(w->gen == g && !w->leaving);
		break;
	case POLICY_KILL:
		AN(w->gen == g);
		break;
	case POLICY_CUT:
	case POLICY_ORDER:
		AN(g->state == GEN_DRAINING || g->state == GEN_FAILED);
		break;
	case POLICY_BEGIN:
		AN(change_waiting() && env.stop == STOP_NO);
		break;
	case POLICY_RETIRE:
		AN(TAILQ_EMPTY(&g->workers) && !stop_keeps(g->id));
		break;
	case POLICY_STOP_FILTER:
		AN(env.stop == STOP_LAME);
		break;
	case POLICY_STOP_DRAIN:
		AN(env.stop == STOP_FILTER);
		break;
	case POLICY_EXIT:
		AN(env.stop >= STOP_DRAIN);
		break;
	}
}

/* True: the facts were freed under the plan, it is void. */
static bool
perform(const struct facts *f, const struct policy_action *a)
{
	struct generation *g = f->n > 0 ? f->gen[a->gen] : NULL;
	struct worker *w;

	assert_action(f, a);
	switch (a->verb) {
	case POLICY_SPAWN:
		spawn(g, (uint32_t)a->index);
		return false;
	case POLICY_PROMOTE:
		change_promote(g);
		return true;
	case POLICY_FAIL_DIED:
		change_fail(g, g->cause);
		return true;
	case POLICY_FAIL_TIMEOUT:
		timed_out(g);
		return true;
	case POLICY_COMMIT:
		change_commit(g);
		return true;
	case POLICY_LEAVE:
		w = f->worker[a->gen][a->index];
		slot_drain(w, clock_ms() + (uint64_t)g->conf->drain.deadline,
		           MSG_DRAIN_SUCCESSOR);
		return false;
	case POLICY_KILL:
		w = f->worker[a->gen][a->index];
		slot_kill(w, why_killed(w));
		stop_note_kill();
		return false;
	case POLICY_CUT:
		generation_cut(g);
		return false;
	case POLICY_BEGIN:
		change_begin();
		return true;
	case POLICY_ORDER:
		generation_order(g);
		return false;
	case POLICY_RETIRE:
		generation_free(g, change_generation_gone);
		return true;
	case POLICY_STOP_FILTER:
		stop_filter();
		return true;
	case POLICY_STOP_DRAIN:
		stop_drain();
		return true;
	case POLICY_EXIT:
		event_base_loopbreak(env.base);
		return true;
	}
	return true;
}

/* One plan.  Sets *wake_ms.  True: something was done, ask again. */
static bool
converge_once(uint64_t *wake_ms)
{
	struct facts f;
	struct policy_plan plan;
	bool acted;

	gather(&f);
	policy_next(&f.view, &plan);
	acted = plan.n > 0;
	*wake_ms = plan.wake_ms;
	for (size_t i = 0; i < plan.n; i++) {
		acted = plan.action[i].verb != POLICY_EXIT;
		if (perform(&f, &plan.action[i]))
			break;
	}
	release(&f);
	return acted;
}

static void
wake_at(uint64_t ms)
{
	uint64_t now = clock_ms(), in = ms > now ? ms - now : 0;
	struct timeval tv = {.tv_sec = (time_t)(in / 1000),
	                     .tv_usec = (suseconds_t)(in % 1000 * 1000)};

	if (ms == 0)
		evtimer_del(cv.wake);
	else
		evtimer_add(cv.wake, &tv);
}

static void
on_converge(evutil_socket_t fd, short what, void *arg)
{
	uint64_t wake_ms = 0;
	int rounds = 0;

	(void)fd;
	(void)what;
	(void)arg;
	dispatch_reap(); /* a death before the time of a decision counts, told or not */
	do {
		assign_run();
		successors_run();
		retire_close_swept();
		AN(rounds++ < ROUNDS);
	} while (converge_once(&wake_ms));
	assign_run();
	successors_run();
	retire_close_swept();
	scale_settle();
	publish();
	wake_at(wake_ms);
	snapshot_take();
	adopt_came_through();
}

void
converge_start(void)
{
	AN(cv.now == NULL);
	cv.now = event_new(env.base, -1, 0, on_converge, NULL);
	cv.wake = evtimer_new(env.base, on_converge, NULL);
	if (cv.now == NULL || cv.wake == NULL)
		log_fatal("cannot make the loop's events");
	env_on_converge(cv.now);
}

void
converge_stop(void)
{
	event_free(cv.now);
	event_free(cv.wake);
}
