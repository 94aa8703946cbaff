#include "ctl/rates.h"

#include <stdbool.h>
#include <string.h>

static bool
goes_on(const struct rates *r, int64_t at_ms, const int64_t value[RATES_COUNTERS])
{
	if (r->n == 0 || at_ms <= r->at_ms[r->n - 1])
		return false;
	for (unsigned i = 0; i < RATES_COUNTERS; i++)
		if (value[i] < r->value[r->n - 1][i])
			return false;
	return true;
}

void
rates_add(struct rates *r, int64_t at_ms, const int64_t value[RATES_COUNTERS])
{
	if (!goes_on(r, at_ms, value))
		r->n = 0;
	if (r->n == RATES_SAMPLES) {
		r->n--;
		memmove(r->at_ms, r->at_ms + 1, r->n * sizeof *r->at_ms);
		memmove(r->value, r->value + 1, r->n * sizeof *r->value);
	}
	r->at_ms[r->n] = at_ms;
	memcpy(r->value[r->n], value, sizeof r->value[0]);
	r->n++;
}

int64_t
rates_per_10s(const struct rates *r, unsigned counter)
{
	double grown, ms;

	if (r->n < 2)
		return -1;
	grown = (double)r->value[r->n - 1][counter] - (double)r->value[0][counter];
	ms = (double)r->at_ms[r->n - 1] - (double)r->at_ms[0];
	return (int64_t)(grown * 10000 / ms);
}
