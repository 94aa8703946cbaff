/* How a change crosses an exec, and what is told of one. */
#include "master/change/change_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "master/change/timing.h"
#include "master/change/waiters.h"
#include "master/control/control.h"
#include "master/core/env.h"
#include "master/state/jsontext.h"
#include "master/workers/generation.h"

json_t *
change_save(void)
{
	return json_pack(
	    "{s:I, s:o, s:i, s:o, s:o, s:s?}", "since_ms", (json_int_t)timing_since(),
	    "requests", waiters_save(), "next_kind", (int)change_run.next_kind, "next_binary",
	    jsontext_text(change_run.next_binary), "course", timing_save(), "under_way",
	    change_run.phase != PHASE_IDLE ? change_kind_name() : NULL);
}

const char *
change_interrupted(const json_t *j)
{
	return json_string_value(json_object_get(j, "under_way"));
}

int
change_restore(const json_t *j, char **cause)
{
	int next_kind;
	json_int_t since;
	json_t *requests;

	if (json_unpack((json_t *)(uintptr_t)j, "{s:I, s:o, s:i}", "since_ms", &since,
	                "requests", &requests, "next_kind", &next_kind) < 0)
		return cause_set(cause, "the record of the change is damaged");
	change_run.kind = CHANGE_UPGRADE;
	change_enter(PHASE_PREFLIGHT);
	timing_restore((uint64_t)since, json_object_get(j, "course"));
	change_run.next_kind = (enum change_kind)next_kind;
	free(change_run.next_binary);
	change_run.next_binary = jsontext_read_text(json_object_get(j, "next_binary"));
	waiters_restore(requests);
	return 0;
}

static const char *
starting_progress(const struct generation *g, int *percent)
{
	static char text[96];
	struct worker *w;
	unsigned ready = 0;

	TAILQ_FOREACH (w, &g->workers, link)
		ready += w->ready;
	*percent = g->want > 0 ? (int)(ready * 100 / g->want) : 0;
	snprintf(text, sizeof text, "generation %u: %u of %u workers ready", g->id, ready,
	         g->want);
	return text;
}

static const char *
phase_text(int *percent)
{
	*percent = 0;
	switch (change_run.phase) {
	case PHASE_PREFLIGHT:
		return change_run.kind == CHANGE_UPGRADE ? "checking the new binary"
		                                         : "checking the new configuration";
	case PHASE_ROOM:
		return "waiting for an old generation to go";
	case PHASE_STARTING:
		return starting_progress(change_run.gen, percent);
	case PHASE_PROBATION:
		*percent = 100;
		return "on probation";
	case PHASE_IDLE:
		break;
	}
	return "waiting";
}

json_t *
change_json(void)
{
	int percent;
	const char *text;

	if (change_run.phase == PHASE_IDLE)
		return json_null();
	text = phase_text(&percent);
	return json_pack("{s:s, s:s, s:i, s:I}", "what", change_kind_name(), "text", text,
	                 "percent", percent, "took_ms", (json_int_t)timing_took());
}

void
change_tell_progress(void)
{
	int percent;
	const char *text = phase_text(&percent);

	waiters_tell_progress(text, percent);
}
