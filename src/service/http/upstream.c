#include "service/http/upstream.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "conf/conf.h"
#include "service/http/health.h"
#include "wire/figures.h"
#include "worker/core/self.h"
#include "worker/runtime/pool.h"

#define LOOK_MS 1000
#define DOWN_MS 1000 /* after a failed connect, while there are others */

static struct baton_breaker *
new_breaker(const struct conf_service *conf, const char *text)
{
	struct baton_breaker_rules rules = {.percent = (unsigned)conf->breaker_percent,
	                                    .calls = (unsigned)conf->breaker_calls,
	                                    .window_ms = (uint64_t)conf->breaker_window,
	                                    .open_ms = (uint64_t)conf->breaker_open};
	char *name = mem_printf("%s %s", conf->name, text);
	struct baton_breaker *b = baton_breaker_new(name, &rules);

	if (b == NULL)
		log_warn("service %s: upstream %s has no breaker: there are too many",
		         conf->name, text);
	mem_free(&name);
	return b;
}

static unsigned
ills_of(const struct upstream *u)
{
	unsigned ills = 0;

	if (u->health != NULL && !health_is_good(u->health))
		ills |= FIGURES_CHECK_FAILS;
	if (u->breaker == NULL)
		ills |= FIGURES_NO_BREAKER;
	else if (baton_breaker_state(u->breaker) != BATON_BREAKER_CLOSED)
		ills |= FIGURES_BREAKER_OPEN;
	return ills;
}

static void
on_look(void *arg)
{
	struct upstreams *us = arg;

	for (size_t i = 0; i < us->n; i++) {
		const struct upstream *u = &us->v[i];

		if (u->figures == NULL)
			continue;
		u->figures->v[FIGURES_BUSY] = pool_busy(u->target);
		u->figures->v[FIGURES_IDLE] = pool_idle(u->target);
		u->figures->v[FIGURES_ILL] = ills_of(u);
	}
	baton_timer_set(us->look, LOOK_MS);
}

struct upstreams *
upstreams_new(const struct conf_service *conf)
{
	struct baton_pool_rules rules = {
	    .max_open = (unsigned)conf->upstream_connections,
	    .max_waiting = (unsigned)conf->upstream_queue,
	    .idle_ms = (uint64_t)conf->upstream_idle,
	    .life_ms = (uint64_t)conf->upstream_life,
	    /* who waits has the limit; a late connection is kept for the next one */
	    .connect_ms = (uint64_t)conf->connect_timeout + 1000,
	};
	struct upstreams *us = mem_alloc(sizeof *us);

	us->pool = baton_pool_new(&rules);
	pool_keepalive(us->pool, conf->keepalive);
	us->n = conf->nupstream;
	us->least_busy = conf->balance == CONF_LEAST_BUSY;
	us->v = mem_alloc(us->n * sizeof *us->v);
	for (size_t i = 0; i < us->n; i++) {
		struct upstream *u = &us->v[i];

		u->text = conf->upstream[i].text;
		u->host = strncmp(u->text, "unix:", 5) == 0 ? "localhost" : u->text;
		u->target = pool_target(us->pool, u->text);
		if (conf->breaker)
			u->breaker = new_breaker(conf, u->text);
		if (conf->check != NULL)
			u->health = health_new(conf, u->text, u->host);
		u->figures = self_figures("upstream", conf->name, u->text);
	}
	us->look = baton_timer_new(on_look, us);
	baton_timer_set(us->look, 0);
	return us;
}

void
upstreams_free(struct upstreams **us)
{
	if (*us == NULL)
		return;
	for (size_t i = 0; i < (*us)->n; i++) {
		baton_breaker_free(&(*us)->v[i].breaker);
		health_free(&(*us)->v[i].health);
	}
	baton_timer_free(&(*us)->look);
	baton_pool_free(&(*us)->pool);
	free((*us)->v);
	mem_free(us);
}

/* --- the choice --- */

/* Those behind the 63rd share the last one: of them one is tried per request. */
static uint64_t
bit_of(size_t i)
{
	return UINT64_C(1) << (i < 63 ? i : 63);
}

static bool
is_well(const struct upstream *u)
{
	return u->health == NULL || health_is_good(u->health);
}

/* Among those that are left; down: those too that could not be reached just now. */
static struct upstream *
look(struct upstreams *us, uint64_t tried, bool down)
{
	uint64_t now = clock_tick_ms();
	struct upstream *best = NULL;

	for (size_t k = 0; k < us->n; k++) {
		size_t i = (us->next + k) % us->n;
		struct upstream *u = &us->v[i];

		if ((tried & bit_of(i)) != 0 || !is_well(u) ||
		    (!down && u->down_until_ms > now))
			continue;
		if (best == NULL || pool_busy(u->target) < pool_busy(best->target))
			best = u;
		if (!us->least_busy)
			break;
	}
	return best;
}

static bool
is_let(const struct upstream *u)
{
	return u->breaker == NULL || baton_breaker_ask(u->breaker) == 0;
}

/* Whom others handler ill may be asked if there is nobody else: who knows whether they are
 * right.
 */
static struct upstream *
look_again(struct upstreams *us, uint64_t tried)
{
	for (size_t k = 0; k < us->n; k++) {
		size_t i = (us->next + k) % us->n;
		const struct health *h = us->v[i].health;

		if ((tried & bit_of(i)) == 0 && h != NULL && health_is_hearsay(h))
			return &us->v[i];
	}
	return NULL;
}

/* With nobody else to ask, to ask is better than to refuse: the first of those whose breakers
 * are open is asked then. */
struct upstream *
upstreams_choose(struct upstreams *us, uint64_t *tried)
{
	struct upstream *u, *refused = NULL;
	uint64_t not = *tried;

	while ((u = look(us, not, false)) != NULL || (u = look(us, not, true)) != NULL) {
		not |= bit_of((size_t)(u - us->v));
		if (is_let(u))
			break;
		if (refused == NULL)
			refused = u;
	}
	if (u == NULL)
		u = refused != NULL ? refused : look_again(us, *tried);
	if (u != NULL) {
		us->next = (size_t)(u - us->v + 1) % us->n;
		*tried |= bit_of((size_t)(u - us->v));
	}
	return u;
}

void
upstream_asked(struct upstream *u)
{
	figures_count(u->figures, FIGURES_ASKED);
}

void
upstream_good(struct upstream *u)
{
	if (u->breaker != NULL)
		baton_breaker_tell(u->breaker, true);
}

void
upstream_bad(struct upstream *u, bool down)
{
	figures_count(u->figures, FIGURES_FAILED);
	if (down)
		u->down_until_ms = clock_tick_ms() + DOWN_MS;
	if (u->breaker != NULL)
		baton_breaker_tell(u->breaker, false);
}
