#include "service/upstream/balance.h"

#include <stdbool.h>

#include "base/clock.h"
#include "baton.h"
#include "conf/conf.h"
#include "service/upstream/health.h"
#include "service/upstream/upstream.h"

static uint64_t
bit_of(const struct upstream *u)
{
	return UINT64_C(1) << u->bit;
}

/* The k-th from the one whose turn it is. */
static struct upstream *
at(const struct upstreams *us, size_t k)
{
	return us->v[(us->next + k) % us->n];
}

static bool
is_well(const struct upstream *u)
{
	return u->health == NULL || health_is_good(u->health);
}

/* Among those that are left; down: those too that could not be reached just now. */
static size_t
look(const struct upstreams *us, uint64_t tried, bool down)
{
	uint64_t now = clock_tick_ms();
	size_t best = us->n;

	for (size_t k = 0; k < us->n; k++) {
		const struct upstream *u = at(us, k);

		if ((tried & bit_of(u)) != 0 || !is_well(u) ||
		    (!down && u->down_until_ms > now))
			continue;
		if (best == us->n || upstream_busy(u) < upstream_busy(at(us, best)))
			best = k;
		if (us->conf->balance != CONF_LEAST_BUSY)
			break;
	}
	return best;
}

static bool
is_let(const struct upstream *u)
{
	return u->breaker == NULL || baton_breaker_ask(u->breaker) == 0;
}

/* With no other choice, ask one that only other workers call ill: they may be wrong. */
static size_t
look_again(const struct upstreams *us, uint64_t tried)
{
	for (size_t k = 0; k < us->n; k++) {
		const struct upstream *u = at(us, k);

		if ((tried & bit_of(u)) == 0 && u->health != NULL &&
		    health_is_hearsay(u->health))
			return k;
	}
	return us->n;
}

/* The first of those whose breakers are open is kept for when there is no other. */
static size_t
choose(const struct upstreams *us, uint64_t tried)
{
	uint64_t not = tried;
	size_t k, refused = us->n;

	while ((k = look(us, not, false)) < us->n || (k = look(us, not, true)) < us->n) {
		not |= bit_of(at(us, k));
		if (is_let(at(us, k)))
			return k;
		if (refused == us->n)
			refused = k;
	}
	return refused < us->n ? refused : look_again(us, tried);
}

struct upstream *
balance_next(struct upstreams *us, uint64_t *tried)
{
	size_t k = choose(us, *tried);
	struct upstream *u;

	if (k == us->n)
		return NULL;
	u = at(us, k);
	us->next = (us->next + k + 1) % us->n;
	*tried |= bit_of(u);
	return u;
}
