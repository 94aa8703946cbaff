#include "worker/incoming.h"

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

uint64_t
incoming_count(const struct stats *stats, const struct stats_page *own, uint64_t most)
{
	struct slots list[GENERATIONS];
	size_t n = count_slots(stats, list);
	uint32_t takers = slots_of(list, n, own->generation), givers;
	const struct stats_page *p = NULL;
	struct stats_counts counts;
	uint64_t sum = 0, held;

	while (n > 1 && (p = stats_page_next(stats, p)) != NULL) {
		if (p->birth == 0 || p->generation == own->generation ||
		    p->slot >= STATS_BIRTHS)
			continue;
		stats_counts(p, &counts);
		held = counts.fresh + counts.idle + counts.busy;
		held -= counts.tasks < held ? counts.tasks : held;
		givers = slots_of(list, n, p->generation);
		if (held <= most && givers > 0 &&
		    handoff_gives_to(p->slot, givers, own->slot, takers))
			sum += share(p, givers, takers, held);
	}
	return sum;
}
