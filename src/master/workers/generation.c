#include "master/workers/generation.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/core/env.h"
#include "master/listen/listener.h"
#include "master/workers/generation_int.h"
#include "master/workers/secrets.h"
#include "wire/stats.h"

static struct generation_list all = TAILQ_HEAD_INITIALIZER(all);

struct generation_list *
generation_all(void)
{
	return &all;
}

/* The states that may follow each state. */
static bool
may_become(enum gen_state from, enum gen_state to)
{
	switch (to) {
	case GEN_ACTIVE:
		return from != GEN_FAILED && from != GEN_GONE;
	case GEN_PAUSED:
		return from == GEN_ACTIVE;
	case GEN_DRAINING:
		return from != GEN_FAILED && from != GEN_GONE;
	case GEN_FAILED:
		return from != GEN_GONE;
	case GEN_STARTING:
	case GEN_GONE:
		break;
	}
	return false;
}

static void
set_state(struct generation *g, enum gen_state state)
{
	AN(may_become(g->state, state));
	if (g->state != state)
		log_event(EVENT_GENERATION_STATE,
		          EVENT_FIELDS(EVENT_NUMBER("GENERATION", g->id),
		                       EVENT_TEXT("STATE", policy_gen_name(state)),
		                       EVENT_TEXT("STATE_BEFORE", policy_gen_name(g->state))),
		          "generation %u: %s -> %s", g->id, policy_gen_name(g->state),
		          policy_gen_name(state));
	g->state = state;
	g->since_ms = clock_ms();
}

void
generation_grow_slots(struct generation *g, uint32_t n)
{
	if (n <= g->nslots)
		return;
	AN((g->slot == NULL) == (g->nslots == 0));
	g->slot = mem_realloc(g->slot, n * sizeof *g->slot);
	memset(g->slot + g->nslots, 0, (n - g->nslots) * sizeof *g->slot);
	g->nslots = n;
}

struct generation *
generation_make(uint32_t id)
{
	struct generation *g = mem_alloc(sizeof *g);

	g->id = id;
	TAILQ_INIT(&g->workers);
	TAILQ_INSERT_TAIL(&all, g, link);
	return g;
}

struct generation *
generation_new(struct conf *conf, uint32_t want)
{
	struct generation *g = generation_make(stats_next_generation(env.stats));

	AN(conf != NULL && want > 0);
	g->conf = conf;
	g->image = env.image;
	g->version = mem_strdup(env.program->version);
	g->state = GEN_STARTING;
	g->born_ms = g->since_ms = clock_ms();
	g->want = want;
	generation_grow_slots(g, want);
	log_info("generation %u: starting with %u workers", g->id, want);
	return g;
}

struct generation *
generation_find(uint32_t id)
{
	struct generation *g;

	TAILQ_FOREACH (g, &all, link)
		if (g->id == id)
			return g;
	return NULL;
}

bool
generation_serves(void)
{
	struct generation *g;

	TAILQ_FOREACH (g, &all, link)
		if (g->state != GEN_STARTING && g->state != GEN_FAILED)
			return true;
	return false;
}

struct generation *
generation_active(void)
{
	struct generation *g;

	TAILQ_FOREACH (g, &all, link)
		if (g->state == GEN_ACTIVE)
			return g;
	return NULL;
}

struct generation *
generation_before(const struct generation *g)
{
	struct generation *b = TAILQ_PREV(g, generation_list, link);

	while (b != NULL && (b->state != GEN_DRAINING || b->aborted))
		b = TAILQ_PREV(b, generation_list, link);
	return b;
}

struct generation *
generation_own(void)
{
	static const enum gen_state order[] = {GEN_PAUSED, GEN_ACTIVE, GEN_DRAINING};
	struct generation *g;

	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		TAILQ_FOREACH_REVERSE (g, &all, generation_list, link)
			if (g->image == env.image && g->state == order[i] && !g->aborted)
				return g;
	return NULL;
}

bool
generation_uses(const struct generation *g, const struct listener *l)
{
	for (size_t i = 0; i < g->nuse; i++)
		if (g->use[i].listener == l)
			return true;
	return false;
}

void
generation_activate(struct generation *g)
{
	g->died = false;
	set_state(g, GEN_ACTIVE);
}

void
generation_pause(struct generation *g)
{
	set_state(g, GEN_PAUSED);
}

static uint64_t
deadline(const struct generation *g)
{
	const struct generation *now = generation_active();

	return clock_ms() + (uint64_t)(now != NULL ? now : g)->conf->drain.deadline;
}

/* Only the queues of what is retired are for who leaves: those of the others have somebody. */
static void
leave_queues(struct worker *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->nheld; i++)
		if (listener_is_retired(w->held[i]))
			w->held[n++] = w->held[i];
	if (n < w->nheld) {
		w->nheld = n;
		slot_tell(w, MSG_ACCEPT, w->held, n * sizeof *w->held);
	}
}

static void
drain_workers(struct generation *g, uint32_t flags)
{
	uint64_t by = deadline(g);
	struct worker *w;

	AN(by > 0);
	TAILQ_FOREACH (w, &g->workers, link) {
		if ((flags & MSG_DRAIN_SUCCESSOR) && !w->unsure)
			leave_queues(w);
		if (w->leaving && w->deadline_ms < by && w->deadline_ms != 0)
			slot_drain(w, w->deadline_ms, flags);
		else
			slot_drain(w, by, flags);
	}
}

/* As long as a stop is only announced, somebody serves on. */
static uint32_t
drain_flags(void)
{
	return MSG_DRAIN_SWEEP | (env.stop < STOP_DRAIN ? MSG_DRAIN_SUCCESSOR : 0);
}

void
generation_drain(struct generation *g)
{
	if (g->state != GEN_DRAINING)
		g->cut = 0; /* what died with a worker before was no cut of this drain */
	set_state(g, GEN_DRAINING);
}

void
generation_order(struct generation *g)
{
	AN(g->state == GEN_DRAINING || g->state == GEN_FAILED);
	drain_workers(g, drain_flags());
}

static bool
is_unordered(const struct generation *g)
{
	const struct worker *w;

	if (g->state != GEN_DRAINING && g->state != GEN_FAILED)
		return false;
	TAILQ_FOREACH (w, &g->workers, link)
		if (!w->leaving)
			return true;
	return false;
}

void
generation_order_all(void)
{
	struct generation *g;

	TAILQ_FOREACH (g, &all, link)
		if (is_unordered(g))
			generation_order(g);
}

void
generation_fail(struct generation *g)
{
	struct worker *w;

	set_state(g, GEN_FAILED);
	TAILQ_FOREACH (w, &g->workers, link) {
		if (w->ready)
			continue;
		w->leaving = true; /* it will not be missed */
		slot_kill(w, "its generation is given up");
	}
}

void
generation_drain_on(void)
{
	struct generation *g;
	struct worker *w;

	TAILQ_FOREACH (g, &all, link)
		TAILQ_FOREACH (w, &g->workers, link)
			if (w->leaving && w->ready && !w->killed &&
			    w->page->state != STATS_CUTTING)
				slot_drain(w, w->deadline_ms, drain_flags());
}

/* The new list first: what the old one names is used until then. */
int
generation_acquire(struct generation *g, char **cause)
{
	struct generation_use *use;
	size_t nuse;

	AN(g->want > 0);
	if (listener_acquire(g->conf, g->want, &use, &nuse, cause) < 0)
		return -1;
	free(g->use);
	g->use = use;
	g->nuse = nuse;
	return listener_open(g, cause);
}

/* A worker that had been asked to leave before has a successor in its slot, which was
 * born later. */
static bool
has_successor(const struct worker *w)
{
	const struct worker *later = w;

	while ((later = TAILQ_NEXT(later, link)) != NULL)
		if (later->slot == w->slot && !later->killed)
			return true;
	return false;
}

void
generation_resume(struct generation *g)
{
	struct worker *w;

	AN(g->state == GEN_PAUSED || g->state == GEN_DRAINING);
	TAILQ_FOREACH (w, &g->workers, link)
		if (w->leaving && !w->killed && w->slot < g->want && !has_successor(w))
			slot_resume(w);
	g->told_to_cut = g->aborted = false;
	generation_activate(g);
}

void
generation_cut(struct generation *g)
{
	const struct generation *now = generation_active();
	struct worker *w;

	log_warn("generation %u is cut: there are more than %u generations", g->id,
	         (unsigned)(now != NULL ? now : g)->conf->server.max_generations);
	g->told_to_cut = true;
	TAILQ_FOREACH (w, &g->workers, link)
		slot_drain(w, clock_ms(), drain_flags());
}

void
generation_scale(struct generation *g, uint32_t want)
{
	AN(want > 0 && g->state != GEN_FAILED);
	log_info("generation %u: %u -> %u workers", g->id, g->want, want);
	generation_grow_slots(g, want);
	g->want = want;
}

void
generation_note_death(struct generation *g, uint32_t slot, uint64_t lived_ms, const char *cause)
{
	struct policy_slot *s;

	AN(cause != NULL);
	g->died = true;
	cause_set(&g->cause, "%s", cause);
	if (slot >= g->nslots)
		return;
	s = &g->slot[slot];
	if (lived_ms >= POLICY_HEALTHY_MS)
		s->deaths = 0;
	s->deaths++;
	s->retry_ms = clock_ms() + policy_backoff_ms(s->deaths);
	if (g->state != GEN_STARTING) /* else it fails, and why is told there */
		log_warn("generation %u: %s%s", g->id, cause,
		         s->deaths > 1 ? "; its slot waits before the next try" : "");
}

void
generation_free(struct generation *g, generation_gone_fn *gone)
{
	struct worker *w;

	log_event(EVENT_GENERATION_GONE, EVENT_FIELDS(EVENT_NUMBER("GENERATION", g->id)),
	          "generation %u: gone", g->id);
	TAILQ_REMOVE(&all, g, link);
	gone(g);
	while ((w = TAILQ_FIRST(&g->workers)) != NULL)
		slot_free(w);
	free(g->certificates);
	secrets_close(g->conf, &g->secrets);
	conf_free(&g->conf);
	free(g->version);
	free(g->cause);
	free(g->slot);
	free(g->use);
	free(g);
}

void
generation_free_all(generation_gone_fn *gone)
{
	struct generation *g;

	while ((g = TAILQ_FIRST(&all)) != NULL)
		generation_free(g, gone);
}
