/*
 * rates: how fast counters grow, over the last two seconds or so.  Pure.
 */
#ifndef BATON_CTL_RATES_H
#define BATON_CTL_RATES_H

#include <stdint.h>

#define RATES_COUNTERS 4
#define RATES_SAMPLES  5

struct rates {
	unsigned n; /* samples there are, oldest first */
	int64_t at_ms[RATES_SAMPLES];
	int64_t value[RATES_SAMPLES][RATES_COUNTERS];
};

/* One more; of a clock that went back, or counters that did, all before it is forgotten. */
void rates_add(struct rates *r, int64_t at_ms, const int64_t value[RATES_COUNTERS]);

/* The growth of a counter in ten seconds; -1: not known yet. */
int64_t rates_per_10s(const struct rates *r, unsigned counter);

#endif
