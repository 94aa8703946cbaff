/* counter: baton_counter, a module's own among those that all workers share. */
#include "baton.h"
#include "wire/stats.h"
#include "worker/core/self.h"

struct baton_counter {
	struct stats_named named;
};

struct baton_counter *
baton_counter(const char *name)
{
	return (struct baton_counter *)(void *)stats_named(self_page(), name);
}

void
baton_counter_add(struct baton_counter *counter, uint64_t n)
{
	if (counter != NULL)
		atomic_fetch_add_explicit(&counter->named.value, n, memory_order_relaxed);
}

uint64_t
baton_counter_sum(const char *name)
{
	return stats_named_sum(self_stats(), name);
}
