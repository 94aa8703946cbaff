#include "worker/core/incoming.h"

#include <stdbool.h>
#include <stddef.h>

#include "wire/handoff.h"

#define GENERATIONS 16 /* that are told apart; there are hardly ever more than two */

struct slots {
	uint32_t generation, n;
};

/* How many slots each generation has.  Returns how many generations there are. */
static size_t
count_slots(const struct stats *stats, struct slots *list)
{
	const struct stats_page *p = NULL;
	size_t n = 0, i;

	while ((p = stats_page_next(stats, p)) != NULL) {
		if (p->birth == 0 || p->slot >= STATS_BIRTHS)
			continue;
		for (i = 0; i < n && list[i].generation != p->generation; i++)
			;
		if (i == GENERATIONS)
			continue;
		if (i == n)
			list[n++] = (struct slots){.generation = p->generation};
		if (list[i].n <= p->slot)
			list[i].n = p->slot + 1;
	}
	return n;
}

static uint32_t
slots_of(const struct slots *list, size_t n, uint32_t generation)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].generation == generation)
			return list[i].n;
	return 0;
}

/* A giver with several takers gives to each its share. */
static uint64_t
share(const struct stats_page *giver, uint32_t givers, uint32_t takers, uint64_t held)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < takers; i++)
		n += handoff_gives_to(giver->slot, givers, i, takers);
	return n > 0 ? (held + n - 1) / n : held;
}

/* As many connections as a worker says to hold, and no more than there is room for: it may have
 * had more.  Of one whose numbers can't be true: none. */
static uint64_t
held_by(const struct stats_page *p, uint64_t most)
{
	struct stats_counts counts;
	uint64_t held;

	stats_counts(p, &counts);
	if (counts.fresh == STATS_HELD_MAX || counts.idle == STATS_HELD_MAX ||
	    counts.busy == STATS_HELD_MAX || counts.tasks == STATS_HELD_MAX)
		return 0;
	held = counts.fresh + counts.idle + counts.busy;
	held -= counts.tasks < held ? counts.tasks : held;
	return held < most ? held : most;
}

static bool
leaves(const struct stats_page *p)
{
	return p->state == STATS_DRAINING || p->state == STATS_CUTTING;
}

/* Those of our generation that take what one of it gives that was told to leave: in the order
 * of their births, as the master counts them.  Returns how many; *rank: ours. */
static uint32_t
rank_among_takers(const struct stats *stats, const struct stats_page *own, uint32_t *rank)
{
	const struct stats_page *p = NULL;
	uint32_t n = 0;

	*rank = 0;
	while ((p = stats_page_next(stats, p)) != NULL) {
		if (p->generation != own->generation || p->state == STATS_STARTING || leaves(p))
			continue;
		n++;
		*rank += p->birth < own->birth;
	}
	return n;
}

uint64_t
incoming_count(const struct stats *stats, const struct stats_page *own, uint64_t most)
{
	struct slots list[GENERATIONS];
	size_t n = count_slots(stats, list);
	uint32_t takers = slots_of(list, n, own->generation), givers;
	uint32_t rank, siblings = rank_among_takers(stats, own, &rank);
	const struct stats_page *p = NULL;
	uint64_t sum = 0;

	while ((p = stats_page_next(stats, p)) != NULL) {
		bool ours = p->generation == own->generation;
		uint32_t at = ours ? rank : own->slot, all = ours ? siblings : takers;

		if (p == own || p->birth == 0 || (ours && !leaves(p)) ||
		    p->slot >= STATS_BIRTHS)
			continue;
		givers = slots_of(list, n, p->generation);
		if (givers > 0 && all > 0 && handoff_gives_to(p->slot, givers, at, all))
			sum += share(p, givers, all, held_by(p, most));
	}
	return sum;
}
