#include "worker/runtime/breaker.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/core/self.h"

/* --- the rules --- */

/* A cell is its worker's: what is yet to come it can't know. */
static uint64_t
last_opened(const struct breaker_cells *cells, uint64_t now)
{
	uint64_t last = 0;

	for (size_t i = 0; i < cells->n; i++) {
		uint64_t opened = cells->cell[i]->opened_ms;

		if (opened > last && opened <= now)
			last = opened;
	}
	return last;
}

static uint64_t
last_closed(const struct breaker_cells *cells, uint64_t now)
{
	uint64_t last = 0;

	for (size_t i = 0; i < cells->n; i++) {
		uint64_t closed = cells->cell[i]->closed_ms;

		if (closed > last && closed <= now)
			last = closed;
	}
	return last;
}

enum baton_breaker_state
breaker_state(const struct baton_breaker_rules *rules, const struct breaker_cells *cells,
              uint64_t now)
{
	uint64_t opened = last_opened(cells, now);

	if (opened <= last_closed(cells, now))
		return BATON_BREAKER_CLOSED;
	return now < clock_add(opened, rules->open_ms) ? BATON_BREAKER_OPEN
	                                               : BATON_BREAKER_HALF_OPEN;
}

/* A try whose end nobody reports must not block later tries. */
static bool
is_tried(const struct baton_breaker_rules *rules, const struct breaker_cells *cells,
         uint64_t now)
{
	uint64_t opened = last_opened(cells, now);

	for (size_t i = 0; i < cells->n; i++) {
		uint64_t trial = cells->cell[i]->trial_ms;

		if (trial > opened && trial <= now && now < clock_add(trial, rules->open_ms))
			return true;
	}
	return false;
}

bool
breaker_ask(const struct baton_breaker_rules *rules, const struct breaker_cells *cells,
            struct stats_breaker *own, uint64_t now)
{
	switch (breaker_state(rules, cells, now)) {
	case BATON_BREAKER_CLOSED:
		return true;
	case BATON_BREAKER_OPEN:
		return false;
	case BATON_BREAKER_HALF_OPEN:
		break;
	}
	if (is_tried(rules, cells, now))
		return false;
	own->trial_ms = now;
	return true;
}

/* The cell counts in the present window, and since the last closing. */
static void
turn_over(const struct baton_breaker_rules *rules, const struct breaker_cells *cells,
          struct stats_breaker *own, uint64_t now)
{
	uint32_t window = (uint32_t)(now / rules->window_ms);
	uint64_t epoch = last_closed(cells, now);
	bool next = own->epoch == epoch && own->window + 1 == window;

	if (own->epoch == epoch && own->window == window)
		return;
	own->good_before = next ? own->good : 0;
	own->bad_before = next ? own->bad : 0;
	own->good = own->bad = 0;
	own->epoch = epoch;
	own->window = window;
}

/* Have enough failed, in this window and the one before? */
static bool
is_over(const struct baton_breaker_rules *rules, const struct breaker_cells *cells,
        uint64_t now)
{
	uint32_t window = (uint32_t)(now / rules->window_ms);
	uint64_t epoch = last_closed(cells, now), good = 0, bad = 0;

	for (size_t i = 0; i < cells->n; i++) {
		const struct stats_breaker *c = cells->cell[i];

		if (c->epoch != epoch || (c->window != window && c->window + 1 != window))
			continue;
		good += c->good + (c->window == window ? c->good_before : 0);
		bad += c->bad + (c->window == window ? c->bad_before : 0);
	}
	return good + bad >= rules->calls && bad * 100 >= (good + bad) * rules->percent;
}

void
breaker_tell(const struct baton_breaker_rules *rules, const struct breaker_cells *cells,
             struct stats_breaker *own, bool good, uint64_t now)
{
	enum baton_breaker_state state = breaker_state(rules, cells, now);

	if (own->trial_ms != 0 && state == BATON_BREAKER_HALF_OPEN) {
		own->trial_ms = 0;
		if (good)
			own->closed_ms = now;
		else
			own->opened_ms = now;
		return;
	}
	if (state != BATON_BREAKER_CLOSED)
		return; /* of a call that began before */
	turn_over(rules, cells, own, now);
	if (good)
		own->good++;
	else
		own->bad++;
	if (!good && is_over(rules, cells, now))
		own->opened_ms = now;
}

void
breaker_inherit(const struct breaker_cells *cells, struct stats_breaker *own, uint64_t now)
{
	own->opened_ms = last_opened(cells, now);
	own->closed_ms = last_closed(cells, now);
}

/* --- baton.h --- */

struct baton_breaker {
	struct baton_breaker_rules rules;
	struct stats_breaker *own;
};

static void
gather(uint64_t hash, struct breaker_cells *cells)
{
	cells->n = stats_breakers(self_stats(), hash, cells->cell,
	                          sizeof cells->cell / sizeof *cells->cell);
}

/* Of the cells of this worker, how many have each in use. */
static unsigned users[STATS_BREAKERS];

/* That of the name, else one that nobody has used yet, else one that nobody uses any more. */
static size_t
find_cell(uint64_t hash)
{
	const struct stats_breaker *cell = self_page()->breaker;
	size_t free_one = STATS_BREAKERS, left = STATS_BREAKERS;

	for (size_t i = 0; i < STATS_BREAKERS; i++) {
		if (cell[i].hash == hash)
			return i;
		if (free_one == STATS_BREAKERS && cell[i].hash == 0)
			free_one = i;
		if (left == STATS_BREAKERS && users[i] == 0)
			left = i;
	}
	return free_one < STATS_BREAKERS ? free_one : left;
}

static struct stats_breaker *
find_own(uint64_t hash)
{
	size_t i = find_cell(hash);
	struct stats_breaker *b;
	struct breaker_cells cells;

	if (i == STATS_BREAKERS)
		return NULL;
	users[i]++;
	b = &self_page()->breaker[i];
	if (b->hash == hash)
		return b;
	b->hash = 0;
	b->epoch = b->trial_ms = 0;
	b->window = b->good = b->bad = b->good_before = b->bad_before = 0;
	gather(hash, &cells);
	breaker_inherit(&cells, b, clock_ms());
	b->hash = hash;
	return b;
}

struct baton_breaker *
baton_breaker_new(const char *name, const struct baton_breaker_rules *rules)
{
	struct stats_breaker *own = find_own(stats_hash(name));
	struct baton_breaker *b;

	if (own == NULL)
		return NULL;
	b = mem_alloc(sizeof *b);
	b->own = own;
	b->rules = *rules;
	if (b->rules.percent == 0)
		b->rules.percent = 50;
	if (b->rules.calls == 0)
		b->rules.calls = 20;
	if (b->rules.window_ms == 0)
		b->rules.window_ms = 10000;
	if (b->rules.open_ms == 0)
		b->rules.open_ms = 5000;
	return b;
}

void
baton_breaker_free(struct baton_breaker **breaker)
{
	if (*breaker == NULL)
		return;
	AN(users[(*breaker)->own - self_page()->breaker] > 0);
	users[(*breaker)->own - self_page()->breaker]--;
	mem_free(breaker);
}

int
baton_breaker_ask(struct baton_breaker *breaker)
{
	struct breaker_cells cells;

	gather(breaker->own->hash, &cells);
	return breaker_ask(&breaker->rules, &cells, breaker->own, clock_ms()) ? 0
	                                                                      : BATON_BROKEN;
}

void
baton_breaker_tell(struct baton_breaker *breaker, bool good)
{
	struct breaker_cells cells;

	gather(breaker->own->hash, &cells);
	breaker_tell(&breaker->rules, &cells, breaker->own, good, clock_ms());
}

enum baton_breaker_state
baton_breaker_state(const struct baton_breaker *breaker)
{
	struct breaker_cells cells;

	gather(breaker->own->hash, &cells);
	return breaker_state(&breaker->rules, &cells, clock_ms());
}
