#include "master/change/scale.h"

#include <sched.h>

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "master/change/waiters.h"
#include "master/control/control.h"
#include "master/core/env.h"
#include "master/listen/listener.h"
#include "master/workers/generation.h"

#define WORKERS_MAX 256

static uint32_t forgotten; /* the number that the last change has put an end to; 0 */

static uint32_t
cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 1;
	return (uint32_t)CPU_COUNT(&set);
}

uint32_t
scale_workers(const struct conf *conf)
{
	uint32_t n = conf->server.workers > 0 ? (uint32_t)conf->server.workers : cpus();

	if (env.scale > 0)
		n = env.scale;
	return n < 256 ? n : 256;
}

/* The one on probation may have to give way to the paused one again. */
static bool
may_serve(const struct generation *g)
{
	return g->state == GEN_ACTIVE || g->state == GEN_STARTING || g->state == GEN_PAUSED;
}

/* Sockets first: nothing has changed when they cannot be had. */
static int
apply(uint32_t workers, char **cause)
{
	struct generation *g;

	AN(workers > 0 && workers <= WORKERS_MAX);
	if (env.stop != STOP_NO)
		return cause_set(cause, "baton is stopping");
	TAILQ_FOREACH (g, generation_all(), link)
		if (may_serve(g) && listener_grow(g, workers, cause) < 0)
			return -1;
	env.scale = workers;
	TAILQ_FOREACH (g, generation_all(), link)
		if (may_serve(g) && g->want != workers)
			generation_scale(g, workers);
	env_converge();
	return 0;
}

void
scale_request(uint32_t workers, struct control_client *client)
{
	char *cause = NULL;

	if (apply(workers, &cause) < 0) {
		log_error("scale to %u: %s", workers, cause);
		if (client != NULL)
			control_answer(client, 1, NULL, "%s", cause);
		free(cause);
		env_converge(); /* sockets that were added before the failure are served */
		return;
	}
	if (client != NULL)
		scale_wait(workers, client);
}

void
scale_wait(uint32_t workers, struct control_client *client)
{
	const struct generation *g = generation_active(); /* NULL: the first start */
	uint64_t ms = g != NULL ? (uint64_t)g->conf->server.start_timeout : 10000;

	AN(client != NULL);
	waiters_add_scale(client, workers, clock_ms() + ms);
}

void
scale_step(int step)
{
	const struct generation *g = generation_active();
	int64_t n = g != NULL ? (int64_t)g->want + step : 0;

	if (n >= 1 && n <= WORKERS_MAX)
		scale_request((uint32_t)n, NULL);
	else
		log_warn("the number of workers stays: it is from 1 to %d", WORKERS_MAX);
}

/* --- changes --- */

/* A number given by `scale` holds until the file names another one itself. */
static bool
ends_scale(const struct conf *conf)
{
	const struct generation *g = generation_active();

	return g != NULL && g->conf->server.workers != conf->server.workers;
}

void
scale_begin_change(const struct conf *conf)
{
	forgotten = 0;
	if (!ends_scale(conf))
		return;
	forgotten = env.scale;
	env.scale = 0;
}

void
scale_undo_change(void)
{
	if (env.scale == 0)
		env.scale = forgotten;
	forgotten = 0;
}

void
scale_want_again(struct generation *g)
{
	uint32_t want = scale_workers(g->conf);
	char *cause = NULL;

	if (want == g->want)
		return;
	if (listener_grow(g, want, &cause) < 0)
		log_error("generation %u stays at %u workers: %s", g->id, g->want, cause);
	else
		generation_scale(g, want);
	free(cause);
}

uint32_t
scale_ahead(const struct conf *conf)
{
	uint32_t scale = env.scale, n;

	if (ends_scale(conf))
		env.scale = 0;
	n = scale_workers(conf);
	env.scale = scale;
	return n;
}

/* --- who waits --- */

static bool
settled(const struct generation *g)
{
	struct worker *w;
	uint32_t able = 0;

	TAILQ_FOREACH (w, &g->workers, link) {
		if (w->slot >= g->want && !w->leaving)
			return false;
		able += slot_able(w);
	}
	return able == g->want;
}

static const char *
why_not(const struct generation *g)
{
	if (env.stop >= STOP_DRAIN)
		return "baton is stopping";
	return g != NULL && g->cause != NULL ? g->cause : "they take too long";
}

/* A later request has the last word; the earlier one is done by it. */
static bool
answer(struct control_client *client, uint32_t workers, uint64_t until_ms)
{
	const struct generation *g = generation_active();
	bool done = g != NULL && settled(g);

	if (!done && env.stop < STOP_DRAIN && clock_ms() < until_ms)
		return false;
	if (client == NULL)
		return true;
	if (done)
		control_answer(client, 0, NULL, "%u worker%s serve%s", g->want,
		               g->want == 1 ? "" : "s", g->want == 1 ? "s" : "");
	else
		control_answer(client, 1, NULL, "not all of %u workers are ready: %s", workers,
		               why_not(g));
	return true;
}

void
scale_settle(void)
{
	waiters_judge_scale(answer);
}
