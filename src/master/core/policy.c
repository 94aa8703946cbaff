#include "master/core/policy.h"

static void
act(struct policy_plan *plan, enum policy_verb verb, size_t gen, size_t index)
{
	if (plan->n < POLICY_ACTIONS_MAX)
		plan->action[plan->n++] =
		    (struct policy_action){.verb = verb, .gen = gen, .index = index};
}

/* Ask again by ms.  True when ms has come. */
static bool
due(const struct policy_view *v, struct policy_plan *plan, uint64_t ms)
{
	if (v->now_ms >= ms)
		return true;
	if (plan->wake_ms == 0 || ms < plan->wake_ms)
		plan->wake_ms = ms;
	return false;
}

/* Handshakes that are under way where no more may begin get a moment to end. */
static bool
settled(const struct policy_view *v, struct policy_plan *plan, uint64_t since_ms)
{
	if (!v->half_open || due(v, plan, since_ms + POLICY_HALF_OPEN_MS))
		return true;
	due(v, plan, v->now_ms + POLICY_LOOK_MS);
	return false;
}

uint64_t
policy_backoff_ms(uint32_t deaths)
{
	uint64_t ms = POLICY_BACKOFF_MIN_MS;

	if (deaths <= 1)
		return 0;
	for (uint32_t i = 2; i < deaths && ms < POLICY_BACKOFF_MAX_MS; i++)
		ms *= 2;
	return ms < POLICY_BACKOFF_MAX_MS ? ms : POLICY_BACKOFF_MAX_MS;
}

static bool
slot_taken(const struct policy_gen *g, uint32_t slot)
{
	for (size_t i = 0; i < g->nworkers; i++)
		if (g->worker[i].slot == slot && !g->worker[i].leaving)
			return true;
	return false;
}

static void
fill_slots(const struct policy_view *v, size_t gi, struct policy_plan *plan)
{
	const struct policy_gen *g = &v->gen[gi];

	if (!g->may_spawn)
		return;
	for (uint32_t s = 0; s < g->want; s++)
		if (!slot_taken(g, s) && due(v, plan, g->slot[s].retry_ms))
			act(plan, POLICY_SPAWN, gi, s);
}

static bool
all_ready(const struct policy_gen *g)
{
	uint32_t ready = 0;

	for (size_t i = 0; i < g->nworkers; i++)
		if (!g->worker[i].leaving && g->worker[i].ready && g->worker[i].slot < g->want)
			ready++;
	return ready == g->want;
}

static void
starting(const struct policy_view *v, size_t gi, struct policy_plan *plan)
{
	const struct policy_gen *g = &v->gen[gi];

	if (v->stop != STOP_NO)
		return; /* no worker is born or promoted during a stop */
	if (g->died)
		act(plan, POLICY_FAIL_DIED, gi, 0);
	else if (all_ready(g))
		act(plan, POLICY_PROMOTE, gi, 0);
	else if (due(v, plan, g->since_ms + v->start_timeout_ms))
		act(plan, POLICY_FAIL_TIMEOUT, gi, 0);
	else
		fill_slots(v, gi, plan);
}

/* A single worker that is not ready in time is a death like any other. */
static void
kill_late_starters(const struct policy_view *v, size_t gi, struct policy_plan *plan)
{
	const struct policy_gen *g = &v->gen[gi];

	for (size_t i = 0; i < g->nworkers; i++) {
		const struct policy_worker *w = &g->worker[i];

		if (!w->ready && !w->leaving && !w->killed &&
		    due(v, plan, w->since_ms + v->start_timeout_ms))
			act(plan, POLICY_KILL, gi, i);
	}
}

static void
shrink(const struct policy_view *v, size_t gi, struct policy_plan *plan)
{
	const struct policy_gen *g = &v->gen[gi];

	for (size_t i = 0; i < g->nworkers; i++)
		if (g->worker[i].slot >= g->want && !g->worker[i].leaving)
			act(plan, POLICY_LEAVE, gi, i);
}

static void
active(const struct policy_view *v, size_t gi, struct policy_plan *plan)
{
	const struct policy_gen *g = &v->gen[gi];
	bool on_probation = v->changing == (int)gi;

	if (on_probation && v->has_old && g->died) {
		act(plan, POLICY_FAIL_DIED, gi, 0);
		return;
	}
	if (on_probation && (!v->has_old || due(v, plan, g->since_ms + v->probation_ms))) {
		act(plan, POLICY_COMMIT, gi, 0);
		return;
	}
	if (v->stop >= STOP_DRAIN)
		return;
	fill_slots(v, gi, plan);
	kill_late_starters(v, gi, plan);
	shrink(v, gi, plan);
}

/*
 * A worker at its deadline cuts what is left by itself and says so; it then has
 * cut_over more.  One that says nothing is stuck.
 */
static void
enforce_deadlines(const struct policy_view *v, size_t gi, struct policy_plan *plan)
{
	const struct policy_gen *g = &v->gen[gi];

	for (size_t i = 0; i < g->nworkers; i++) {
		const struct policy_worker *w = &g->worker[i];
		uint64_t end = w->deadline_ms + POLICY_KILL_GRACE_MS;

		if (!w->leaving || w->killed)
			continue;
		if (w->cutting)
			end += v->cut_over_ms;
		if (due(v, plan, end))
			act(plan, POLICY_KILL, gi, i);
	}
}

static bool
drains(const struct policy_gen *g)
{
	return g->state == GEN_DRAINING || g->state == GEN_FAILED;
}

/* Until when a drain is not cut to make room. */
static uint64_t
patience(const struct policy_gen *g)
{
	uint64_t last = g->moved_ms > g->since_ms ? g->moved_ms : g->since_ms;
	uint64_t most = g->since_ms + POLICY_ROOM_MS;

	return last + POLICY_HANDOFF_MS < most ? last + POLICY_HANDOFF_MS : most;
}

/*
 * Beyond the cap the oldest drains are cut, but each has its moment first, as
 * long as it hands connections over.  So long a new generation waits, rather than that there is
 * one more than may be.
 */
static void
cap_generations(const struct policy_view *v, struct policy_plan *plan)
{
	size_t alive = v->waiting ? 1 : 0, over, draining = 0;

	if (v->stop != STOP_NO)
		return; /* all leave by their deadlines, and there is no room to be made */
	for (size_t i = 0; i < v->ngen; i++)
		alive += v->gen[i].state != GEN_GONE;
	over = alive > v->max_generations ? alive - v->max_generations : 0;
	for (size_t i = 0; i < v->ngen && draining < over; i++) {
		const struct policy_gen *g = &v->gen[i];

		if (!drains(g))
			continue;
		draining++;
		if (!g->told && due(v, plan, patience(g)))
			act(plan, POLICY_CUT, i, 0);
	}
	if (v->waiting && draining == 0)
		act(plan, POLICY_BEGIN, 0, 0);
}

static size_t
count_workers(const struct policy_view *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->ngen; i++)
		n += v->gen[i].nworkers;
	return n;
}

static void
kill_all(const struct policy_view *v, struct policy_plan *plan)
{
	for (size_t gi = 0; gi < v->ngen; gi++)
		for (size_t i = 0; i < v->gen[gi].nworkers; i++)
			if (!v->gen[gi].worker[i].killed)
				act(plan, POLICY_KILL, gi, i);
}

static void
stopping(const struct policy_view *v, struct policy_plan *plan)
{
	switch (v->stop) {
	case STOP_NO:
		return;
	case STOP_LAME:
		if (due(v, plan, v->stop_since_ms + v->lame_duck_ms))
			act(plan, POLICY_STOP_FILTER, 0, 0);
		return;
	case STOP_FILTER:
		if (settled(v, plan, v->stop_since_ms))
			act(plan, POLICY_STOP_DRAIN, 0, 0);
		return;
	case STOP_NOW:
		if (due(v, plan, v->stop_since_ms + POLICY_NOW_MS))
			kill_all(v, plan);
		break;
	case STOP_DRAIN:
		break;
	}
	if (count_workers(v) == 0)
		act(plan, POLICY_EXIT, 0, 0);
}

/* Whatever its state: what it holds is lost as it is. */
static void
kill_stuck(const struct policy_view *v, struct policy_plan *plan)
{
	for (size_t gi = 0; gi < v->ngen; gi++)
		for (size_t i = 0; i < v->gen[gi].nworkers; i++)
			if (v->gen[gi].worker[i].stuck && !v->gen[gi].worker[i].killed)
				act(plan, POLICY_KILL, gi, i);
}

/* Its listeners are filtered by now: what is in their queues is swept, and nobody comes after.
 */
static void
draining(const struct policy_view *v, size_t gi, struct policy_plan *plan)
{
	const struct policy_gen *g = &v->gen[gi];
	bool unordered = false;

	for (size_t i = 0; i < g->nworkers; i++)
		unordered |= !g->worker[i].leaving && !g->worker[i].killed;
	if (unordered && settled(v, plan, g->since_ms))
		act(plan, POLICY_ORDER, gi, 0);
	if (g->nworkers == 0 && !g->kept)
		act(plan, POLICY_RETIRE, gi, 0);
}

static void
generation(const struct policy_view *v, size_t gi, struct policy_plan *plan)
{
	const struct policy_gen *g = &v->gen[gi];

	switch (g->state) {
	case GEN_STARTING:
		starting(v, gi, plan);
		break;
	case GEN_ACTIVE:
		active(v, gi, plan);
		break;
	case GEN_DRAINING:
	case GEN_FAILED:
		draining(v, gi, plan);
		break;
	case GEN_PAUSED:
	case GEN_GONE:
		break;
	}
	enforce_deadlines(v, gi, plan);
}

void
policy_next(const struct policy_view *view, struct policy_plan *plan)
{
	plan->n = 0;
	plan->wake_ms = 0;
	for (size_t i = 0; i < view->ngen; i++)
		generation(view, i, plan);
	kill_stuck(view, plan);
	cap_generations(view, plan);
	stopping(view, plan);
}

const char *
policy_gen_name(enum gen_state state)
{
	static const char *const names[] = {"starting", "active", "paused",
	                                    "draining", "failed", "gone"};

	return state <= GEN_GONE ? names[state] : "unknown";
}
