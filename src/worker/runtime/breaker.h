/*
 * breaker: the rules of baton_breaker.  Pure: the cells of all workers, a clock, and what
 * this worker's own cell becomes.
 *
 * Each worker writes its own cell only.  The breaker's state is what the latest opening
 * and the latest closing in any of them say; a cell's counts are good as long as they
 * began after that closing.
 */
#ifndef BATON_WORKER_RUNTIME_BREAKER_H
#define BATON_WORKER_RUNTIME_BREAKER_H

#include <stddef.h>

#include "baton.h"
#include "wire/stats.h"

struct breaker_cells {
	const struct stats_breaker *cell[256];
	size_t n;
};

enum baton_breaker_state breaker_state(const struct baton_breaker_rules *rules,
                                       const struct breaker_cells *cells, uint64_t now);

/* May a call be made?  Marks own as the one whose trial it is, when it is one. */
bool breaker_ask(const struct baton_breaker_rules *rules, const struct breaker_cells *cells,
                 struct stats_breaker *own, uint64_t now);

/* The outcome of a call; own is among the cells. */
void breaker_tell(const struct baton_breaker_rules *rules, const struct breaker_cells *cells,
                  struct stats_breaker *own, bool good, uint64_t now);

/* A new cell begins with what the others know. */
void breaker_inherit(const struct breaker_cells *cells, struct stats_breaker *own,
                     uint64_t now);

#endif
