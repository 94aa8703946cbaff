#include "master/change/timing.h"

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "master/change/history.h"
#include "master/core/env.h"
#include "wire/stats.h"

static struct {
	uint64_t since_ms;
	uint64_t at_ms; /* the same by the wall clock */
	enum timing_step step;
	uint64_t step_since_ms;
	uint64_t took_ms[TIMING_N];
	bool reached[TIMING_N];
} co;

static const char *const names[TIMING_N] = {"check_ms", "room_ms", "start_ms", "probation_ms"};

/* Reloads and upgrades are counted by their outcomes. */
static void
count(const char *what, const char *outcome)
{
	enum stats_counter first = STATS_RELOADS_COMMITTED;

	if (strcmp(what, "upgrade") == 0)
		first = STATS_UPGRADES_COMMITTED;
	if (strcmp(outcome, "refused") == 0)
		first += STATS_RELOADS_REFUSED - STATS_RELOADS_COMMITTED;
	else if (strcmp(outcome, "rolled_back") == 0)
		first += STATS_RELOADS_ROLLED_BACK - STATS_RELOADS_COMMITTED;
	stats_total_add(env.stats, first, 1);
}

_Static_assert(STATS_UPGRADES_REFUSED - STATS_UPGRADES_COMMITTED ==
                   STATS_RELOADS_REFUSED - STATS_RELOADS_COMMITTED,
               "the outcomes stand in one order");

static void
enter(enum timing_step step)
{
	co.step = step;
	co.step_since_ms = clock_ms();
	co.reached[step] = true;
}

static void
leave(void)
{
	co.took_ms[co.step] += clock_ms() - co.step_since_ms;
}

static void
forget_steps(void)
{
	for (int i = 0; i < TIMING_N; i++) {
		co.took_ms[i] = 0;
		co.reached[i] = false;
	}
}

void
timing_begin(enum timing_step step)
{
	co.since_ms = clock_ms();
	co.at_ms = clock_wall_ms();
	forget_steps();
	enter(step);
}

void
timing_step(enum timing_step step)
{
	leave();
	enter(step);
}

uint64_t
timing_took(void)
{
	return clock_ms() - co.since_ms;
}

uint64_t
timing_since(void)
{
	return co.since_ms;
}

static json_t *
steps(void)
{
	json_t *j = json_object();

	for (int i = 0; i < TIMING_N; i++)
		json_object_set_new(j, names[i],
		                    co.reached[i] ? json_integer((json_int_t)co.took_ms[i])
		                                  : json_null());
	return j;
}

void
timing_end(const char *what, const char *outcome, const char *reason, json_t *by,
           uint32_t generation)
{
	struct history_entry e = {.what = what,
	                          .outcome = outcome,
	                          .reason = reason,
	                          .at_ms = co.at_ms,
	                          .took_ms = timing_took(),
	                          .generation = generation,
	                          .by = by};

	count(what, outcome);
	leave();
	e.steps = steps();
	history_add(&e);
}

void
timing_event(const char *what, const char *outcome, const char *reason, json_t *by,
             uint64_t took_ms)
{
	struct history_entry e = {.what = what,
	                          .outcome = outcome,
	                          .reason = reason,
	                          .at_ms = clock_wall_ms() - took_ms,
	                          .took_ms = took_ms,
	                          .by = by};

	if (strcmp(what, "abort") == 0)
		stats_total_add(env.stats, STATS_ABORTS, 1);
	history_add(&e);
}

json_t *
timing_save(void)
{
	return json_pack("{s:I, s:i, s:I, s:o}", "at_ms", (json_int_t)co.at_ms, "step",
	                 (int)co.step, "step_since_ms", (json_int_t)co.step_since_ms, "steps",
	                 steps());
}

void
timing_restore(uint64_t since_ms, const json_t *j)
{
	int step = (int)json_integer_value(json_object_get(j, "step"));
	const json_t *list = json_object_get(j, "steps");

	co.since_ms = since_ms;
	forget_steps();
	if (!json_is_object(list) || step < 0 || step >= TIMING_N) {
		co.at_ms = clock_wall_ms() - timing_took();
		enter(TIMING_START);
		return;
	}
	co.at_ms = (uint64_t)json_integer_value(json_object_get(j, "at_ms"));
	for (int i = 0; i < TIMING_N; i++) {
		const json_t *took = json_object_get(list, names[i]);

		co.reached[i] = json_is_integer(took);
		co.took_ms[i] = (uint64_t)json_integer_value(took);
	}
	enter((enum timing_step)step);
	co.step_since_ms = (uint64_t)json_integer_value(json_object_get(j, "step_since_ms"));
}
