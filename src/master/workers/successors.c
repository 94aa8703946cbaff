#include "master/workers/successors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/core/env.h"
#include "master/workers/generation.h"
#include "master/workers/slot.h"
#include "wire/chan.h"
#include "wire/handoff.h"

static bool incomplete;

struct takers {
	struct worker **worker;
	size_t n;
};

/* Nothing moves to a generation on probation: with its image it may be gone in an instant.  The
 * paused one stays in any case. */
static struct generation *
successor(void)
{
	struct generation *g;

	TAILQ_FOREACH (g, generation_all(), link)
		if (g->state == GEN_PAUSED)
			return g;
	return generation_active();
}

static void
list_takers(struct takers *list)
{
	struct generation *to = successor();
	struct worker *w;

	memset(list, 0, sizeof *list);
	if (to == NULL || env.stop >= STOP_DRAIN)
		return;
	TAILQ_FOREACH (w, &to->workers, link) {
		if (!slot_able(w))
			continue;
		list->worker = mem_grow(list->worker, list->n, sizeof *list->worker);
		list->worker[list->n++] = w;
	}
}

static bool
is_for(const struct worker *giver, size_t taker, size_t ntakers)
{
	return handoff_gives_to(giver->slot, (uint32_t)giver->gen->nslots, (uint32_t)taker,
	                        (uint32_t)ntakers);
}

static bool
aimed_at(const struct worker *giver, uint64_t birth)
{
	for (size_t i = 0; i < giver->naims; i++)
		if (giver->aims[i] == birth)
			return true;
	return false;
}

/* Both get an end.  The taker first: what the giver says at once is heard. */
static int
pair(struct worker *giver, struct worker *taker)
{
	struct msg_peer to_taker = {
	    .birth = giver->birth, .generation = giver->gen->id, .taker = 1};
	struct msg_peer to_giver = {.birth = taker->birth, .generation = taker->gen->id};
	int end[2], result;

	AN(giver != taker && giver->leaving && !taker->leaving);
	if (chan_pair(end) < 0)
		return -1;
	result = chan_send(taker->chan, MSG_PEER, taker->birth, &to_taker, sizeof to_taker,
	                   &(struct msg_fds){&end[0], 1});
	FAULT("paired");
	if (result == 0)
		result = chan_send(giver->chan, MSG_PEER, giver->birth, &to_giver,
		                   sizeof to_giver, &(struct msg_fds){&end[1], 1});
	fd_close(&end[0]);
	fd_close(&end[1]);
	return result;
}

static bool
same(const struct worker *giver, const uint64_t *birth, size_t n)
{
	if (giver->successors_unsure || n != giver->naims)
		return false;
	for (size_t i = 0; i < n; i++)
		if (birth[i] != giver->aims[i])
			return false;
	return true;
}

static void
aim(struct worker *giver, const struct takers *takers)
{
	uint64_t *birth = mem_alloc((takers->n + 1) * sizeof *birth);
	size_t n = 0;

	AN(giver->chan != NULL && giver->slot < giver->gen->nslots);
	for (size_t i = 0; i < takers->n; i++)
		if (is_for(giver, i, takers->n))
			birth[n++] = takers->worker[i]->birth;
	if (same(giver, birth, n)) {
		free(birth);
		return;
	}
	n = 0;
	for (size_t i = 0; i < takers->n; i++) {
		struct worker *taker = takers->worker[i];

		if (!is_for(giver, i, takers->n))
			continue;
		if ((giver->successors_unsure || !aimed_at(giver, taker->birth)) &&
		    pair(giver, taker) < 0) {
			log_warn("worker %u of generation %u gets no way to worker %u: %s",
			         giver->slot, giver->gen->id, taker->slot, strerror(errno));
			incomplete = true;
			continue;
		}
		birth[n++] = taker->birth;
	}
	AN(n <= takers->n);
	free(giver->aims);
	giver->aims = birth;
	giver->naims = n;
	giver->successors_unsure = false;
	slot_tell(giver, MSG_SUCCESSORS, birth, n * sizeof *birth);
}

static bool
gives(const struct worker *w)
{
	return w->leaving && w->ready && !w->killed && w->chan != NULL &&
	       w->gen->conf->drain.handoff;
}

void
successors_run(void)
{
	struct takers takers;
	struct generation *g;
	struct worker *w;

	incomplete = false;
	list_takers(&takers);
	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			if (gives(w) && (takers.n > 0 || w->naims > 0))
				aim(w, &takers);
	free(takers.worker);
}

void
successors_again(struct worker *worker)
{
	struct generation *g;
	struct worker *w;

	worker->successors_unsure = true;
	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			w->successors_unsure |= aimed_at(w, worker->birth);
}

bool
successors_incomplete(void)
{
	return incomplete;
}
