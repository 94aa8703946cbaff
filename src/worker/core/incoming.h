/*
 * incoming: how many connections may come to this worker by hand-off.
 *
 * As far as the pages of the others tell, who may be in hostile hands: what none can hold
 * is not believed.  Pure but for the pages.
 */
#ifndef BATON_WORKER_CORE_INCOMING_H
#define BATON_WORKER_CORE_INCOMING_H

#include <stdint.h>

#include "wire/stats.h"

/* Those of workers that give to the worker of page own (handoff_gives_to): of other
 * generations, and of its own if they were told to leave.  most: what one of them can hold. */
uint64_t incoming_count(const struct stats *stats, const struct stats_page *own, uint64_t most);

#endif
