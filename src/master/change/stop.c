#include "master/change/stop.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/change/change.h"
#include "master/control/control.h"
#include "master/core/env.h"
#include "master/core/notify.h"
#include "master/listen/listener.h"
#include "master/workers/generation.h"
#include "master/workers/retire.h"
#include "master/workers/slot.h"
#include "wire/stats.h"

static struct {
	uint32_t generation; /* the one that a called-off stop resumes */
	bool killed;         /* a worker had to be */
} stop;

bool
stop_keeps(uint32_t generation)
{
	return env.stop == STOP_DRAIN && generation == stop.generation;
}

/* At once means by force: then only connections count. */
void
stop_note_kill(void)
{
	stop.killed |= env.stop != STOP_NO && env.stop != STOP_NOW;
}

static void
set_stop(enum policy_stop to)
{
	AN(to > env.stop || to == STOP_NOW);
	env.stop = to;
	env.stop_since_ms = clock_ms();
}

void
stop_drain(void)
{
	struct generation *g;

	set_stop(STOP_DRAIN);
	TAILQ_FOREACH (g, generation_all(), link)
		if (g->state == GEN_ACTIVE || g->state == GEN_PAUSED)
			stop.generation = g->id;
	TAILQ_FOREACH (g, generation_all(), link) {
		if (g->state != GEN_FAILED)
			generation_drain(g);
	}
	retire_unused();
	TAILQ_FOREACH (g, generation_all(), link)
		generation_order(g);
}

static void
tell_all(enum msg_type type, const void *body, size_t len)
{
	struct generation *g;
	struct worker *w;

	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			slot_tell(w, type, body, len);
}

static void
stop_now(void)
{
	struct generation *g;
	struct worker *w;

	if (env.stop == STOP_NOW)
		return;
	log_event(EVENT_STOP_NOW, NULL, "stop now: what is open is cut");
	set_stop(STOP_NOW);
	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			slot_cut(w);
}

void
stop_begin(bool now)
{
	uint32_t on = 1;

	if (env.stop == STOP_NO) {
		log_event(EVENT_STOP, NULL, "stop: %s", now ? "at once" : "drain");
		env.cut_at_stop = stats_sum(env.stats, STATS_CUT);
		set_stop(STOP_LAME);
		tell_all(MSG_LAME, &on, sizeof on);
		change_stop(now);
	} else {
		now = true;
	}
	if (now)
		stop_now();
	env_converge();
}

/* The listeners may be closed already: then they are bound again first. */
static int
resume_stopped(char **cause)
{
	struct generation *g = generation_find(stop.generation);

	if (g == NULL)
		return cause_set(cause, "nothing is left that could go on");
	if (generation_acquire(g, cause) < 0)
		return -1;
	env.stop = STOP_NO;
	generation_resume(g);
	generation_drain_on();
	return 0;
}

int
stop_call_off(char **cause)
{
	uint32_t off = 0;

	if (env.stop == STOP_NOW)
		return cause_set(cause, "baton is stopping at once");
	if (notify_told_stopping())
		return cause_set(cause,
		                 "the service manager was told of the stop, and knows no "
		                 "way back from it");
	if (env.stop == STOP_DRAIN && resume_stopped(cause) < 0)
		return -1;
	env.stop = STOP_NO;
	listener_filter(false);
	tell_all(MSG_LAME, &off, sizeof off);
	control_answer_stop(1, "the stop was called off");
	log_event(EVENT_STOP_CALLED_OFF, NULL, "the stop is called off");
	env_converge();
	return 0;
}

void
stop_filter(void)
{
	listener_filter(true);
	set_stop(STOP_FILTER);
}

const char *
stop_farewell(int *exit_code)
{
	static char text[128];
	uint64_t cut = stats_sum(env.stats, STATS_CUT) - env.cut_at_stop;

	*exit_code = cut > 0 || stop.killed ? 4 : 0;
	if (cut > 0)
		snprintf(text, sizeof text, "stopped; %llu connection%s had to be cut",
		         (unsigned long long)cut, cut == 1 ? "" : "s");
	else if (stop.killed)
		snprintf(text, sizeof text, "stopped; a worker had to be killed");
	else
		snprintf(text, sizeof text, "stopped; every connection was drained");
	log_event(EVENT_STOPPED, EVENT_FIELDS(EVENT_NUMBER("CUT", cut)), "%s", text);
	return text;
}
