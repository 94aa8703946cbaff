#include "master/workers/retire.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/event.h"
#include "base/log.h"
#include "master/core/env.h"
#include "master/listen/listener.h"
#include "master/listen/listener_int.h"
#include "master/workers/generation.h"

static bool
used_by_living(const struct listener *l)
{
	struct generation *g;

	TAILQ_FOREACH (g, generation_all(), link)
		if ((g->state == GEN_ACTIVE || g->state == GEN_STARTING ||
		     g->state == GEN_PAUSED) &&
		    generation_uses(g, l))
			return true;
	return false;
}

/* One generation has failed, and the one that takes over does not serve yet: what it uses is
 * not to vanish meanwhile, however short that is. */
static bool
is_between_two(void)
{
	struct generation *g;

	TAILQ_FOREACH (g, generation_all(), link)
		if (g->state == GEN_ACTIVE || g->state == GEN_PAUSED)
			return false;
	return env.stop < STOP_DRAIN;
}

void
retire_unused(void)
{
	bool between = is_between_two();
	struct listener *l;

	for (l = listener_first(); l != NULL; l = TAILQ_NEXT(l, link)) {
		if (l->retired || l->kind == CONF_ADDR_SYSTEMD || used_by_living(l))
			continue;
		if (between && !l->coming)
			continue;
		log_debug("listener %s: its queue is served, then it is closed", l->bound);
		l->retired = true;
		l->coming = false;
		listener_filter_one(l, true);
	}
}

static bool
holds(const struct worker *w, const struct listener *l)
{
	for (size_t i = 0; i < w->nheld; i++)
		for (size_t k = 0; k < l->nsock; k++)
			if (w->held[i] == l->sock[k].id)
				return true;
	return false;
}

static bool
held_by_any(const struct listener *l)
{
	struct generation *g;
	struct worker *w;

	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			if (holds(w, l))
				return true;
	return false;
}

static void
forget_uses(const struct listener *l)
{
	struct generation *g;

	TAILQ_FOREACH (g, generation_all(), link)
		for (size_t i = 0; i < g->nuse; i++)
			if (g->use[i].listener == l)
				g->use[i].listener = NULL;
}

void
retire_close_swept(void)
{
	struct listener *l, *next;

	for (l = listener_first(); l != NULL; l = next) {
		next = TAILQ_NEXT(l, link);
		if (!l->retired || held_by_any(l))
			continue;
		log_event(EVENT_LISTENER_CLOSED, EVENT_FIELDS(EVENT_TEXT("ADDRESS", l->bound)),
		          "listener %s is closed", l->bound);
		AN(!l->coming);
		forget_uses(l);
		listener_destroy(l);
	}
}
