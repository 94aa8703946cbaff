#include "master/workers/heartbeat.h"

#include <stdio.h>
#include <string.h>

#include "base/event.h"
#include "base/log.h"
#include "master/core/env.h"
#include "master/workers/generation.h"
#include "master/workers/slot.h"
#include "wire/stats.h"

#define FRESH_MS 3000 /* a beat comes each second */

/* One word of a file of /proc: the state, and where the kernel has it wait. */
static void
kernel_says(const struct worker *w, const char *file, char *word)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)w->pid, file);
	f = fopen(path, "re");
	if (f == NULL)
		return;
	if (fscanf(f, strcmp(file, "stat") == 0 ? "%*d (%*[^)]) %31s" : "%31s", word) != 1)
		strcpy(word, "?");
	fclose(f);
}

static void
tell(const struct worker *w)
{
	char state[32] = "?", where[32] = "?";
	uint64_t id = w->page->doing;
	uint32_t listener = w->page->doing_listener;
	const struct conf *conf = w->gen->conf;

	kernel_says(w, "stat", state);
	kernel_says(w, "wchan", where);
	if (id != 0 && listener < conf->nlisten)
		log_event(
		    EVENT_WORKER_STUCK, SLOT_FIELDS(w),
		    "worker %u of generation %u (pid %d) is stuck with connection %llu of "
		    "listener %s; state %s, waits in %s",
		    w->slot, w->gen->id, (int)w->pid, (unsigned long long)id,
		    conf->listen[listener].name, state, where);
	else
		log_event(EVENT_WORKER_STUCK, SLOT_FIELDS(w),
		          "worker %u of generation %u (pid %d) is stuck with no connection at "
		          "hand; state %s, waits in %s",
		          w->slot, w->gen->id, (int)w->pid, state, where);
}

static bool
look(struct worker *w)
{
	uint64_t beat = w->page->heartbeat_ms,
	         limit = (uint64_t)w->gen->conf->server.worker_stall;
	uint64_t silent_ms;

	AN(w->ready);
	if (beat != w->beat || beat == 0) {
		w->beat = beat;
		w->silent = 0;
		return true;
	}
	silent_ms = (uint64_t)++w->silent * ENV_PULSE_MS;
	if (limit > 0 && silent_ms >= limit && !w->stuck) {
		w->stuck = true;
		tell(w);
	}
	return silent_ms < FRESH_MS;
}

static void
doubt(struct worker *w)
{
	const char *why = slot_doubt(w);

	if (why != NULL)
		slot_distrust(w, why);
}

bool
heartbeat_look(void)
{
	struct generation *g;
	struct worker *w;
	bool fresh = true;

	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link) {
			doubt(w);
			fresh &= !w->ready || look(w);
		}
	return fresh;
}

bool
heartbeat_any_stuck(void)
{
	struct generation *g;
	struct worker *w;

	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			if (w->stuck && !w->killed)
				return true;
	return false;
}
