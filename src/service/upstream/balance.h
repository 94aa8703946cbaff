/*
 * balance: which upstream is next.
 *
 * In turn, or the least busy one, among those that can be used.  With nobody else to ask,
 * to ask is better than to refuse: one that could not be reached just now is tried, then
 * one whose breaker is open, then one of which only other workers say that it is ill.
 */
#ifndef BATON_SERVICE_UPSTREAM_BALANCE_H
#define BATON_SERVICE_UPSTREAM_BALANCE_H

#include <stdint.h>

struct upstream;
struct upstreams;

/* The next one that is not in `tried` (a bit for each; the 64th and later share one), which
 * it joins.  NULL: there is none that may be asked.  To be held by who goes on with it. */
struct upstream *balance_next(struct upstreams *us, uint64_t *tried);

#endif
