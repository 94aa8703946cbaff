#include "master/change/change.h"

#include <errno.h>
#include <stdlib.h>

#include "base/event.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "master/change/scale.h"
#include "master/change/settings.h"
#include "master/change/timing.h"
#include "master/change/waiters.h"
#include "master/change/warnings.h"
#include "master/change/change_int.h"
#include "master/control/control.h"
#include "master/control/requester.h"
#include "master/core/env.h"
#include "master/core/notify.h"
#include "master/listen/listener.h"
#include "master/state/fdstore.h"
#include "master/state/snapshot.h"
#include "master/state/upgrade.h"
#include "master/workers/generation.h"
#include "master/workers/retire.h"

void
change_generation_gone(const struct generation *g)
{
	struct generation *other;
	bool foreign = false;

	TAILQ_FOREACH (other, generation_all(), link)
		foreign |= other->image != env.image;
	if (!foreign && change_run.phase == PHASE_IDLE)
		upgrade_forget_old();
	waiters_generation_gone(g);
}

int
change_first(struct conf *conf, char **cause)
{
	AN(change_run.phase == PHASE_IDLE && generation_active() == NULL);
	change_run.kind = CHANGE_START;
	timing_begin(TIMING_START);
	if (change_begin_generation(conf, cause) < 0)
		return -1;
	return listener_open(change_run.gen, cause);
}

void
change_promote(struct generation *g)
{
	char *cause = NULL;

	AN(g == change_run.gen && change_run.phase == PHASE_STARTING);
	AN(g->state == GEN_STARTING && change_run.old != g);
	FAULT("promote");
	if (listener_open(g, &cause) < 0) {
		change_fail(g, cause);
		free(cause);
		return;
	}
	change_enter(PHASE_PROBATION);
	timing_step(TIMING_PROBATION);
	generation_activate(g);
	if (change_run.old != NULL)
		generation_pause(change_run.old);
	listener_apply(g);
	snapshot_take();
	fdstore_barrier(); /* who serves outlives us */
	notify_ready();
	FAULT("promoted");
}

/* The answer to the requester; malloc'd. */
static char *
commit_text(const struct generation *g, uint64_t took)
{
	json_t *list = warnings_of_paths(), *sentence;
	char *text, *more;
	size_t i;

	text = mem_printf("generation %u serves (version %s), after %llu ms", g->id, g->version,
	                  (unsigned long long)took);
	json_array_foreach (list, i, sentence) {
		more = mem_printf("%s\nwarning: %s", text, json_string_value(sentence));
		free(text);
		text = more;
	}
	json_decref(list);
	return text;
}

void
change_commit(struct generation *g)
{
	uint64_t took = timing_took();
	struct generation *old = change_run.old;
	char *text;

	AN(g == change_run.gen && change_run.phase == PHASE_PROBATION);
	AN(g->state == GEN_ACTIVE && (old == NULL || old->state == GEN_PAUSED));
	FAULT("commit");
	upgrade_commit();
	log_echo_errors(false); /* whoever started it has an answer */
	if (change_run.kind != CHANGE_START)
		settings_apply(g->conf);
	if (old != NULL)
		generation_drain(old);
	retire_unused();
	log_event(EVENT_CHANGE_COMMITTED,
	          EVENT_FIELDS(EVENT_TEXT("CHANGE", change_kind_name()),
	                       EVENT_NUMBER("GENERATION", g->id),
	                       EVENT_NUMBER("TOOK_MS", took)),
	          "%s committed: generation %u serves, after %llu ms", change_kind_name(),
	          g->id, (unsigned long long)took);
	if (change_run.kind != CHANGE_START)
		timing_end(change_kind_name(), "committed", "", waiters_requesters(), g->id);
	text = commit_text(g, took);
	change_clear();
	snapshot_take(); /* what somebody was told has happened, also for who comes after a
	                    crash */
	waiters_committed(g->id, text);
	free(text);
	change_start_next();
}

/* In the new image of an upgrade the state before is another executable's.  Returns only if
 * that cannot be executed. */
static void
change_back(const char *reason)
{
	scale_undo_change();
	if (change_run.gen != NULL)
		generation_fail(change_run.gen);
	retire_unused();
	retire_close_swept(); /* what let nobody in does not concern the old image */
	upgrade_back(reason);
}

static void
roll_back(const char *reason)
{
	struct generation *failed = change_run.gen, *old = change_run.old;

	AN(change_run.phase != PHASE_IDLE);
	if (change_run.kind == CHANGE_UPGRADE) {
		change_back(reason);
		log_fatal("the old binary cannot be executed again; reason of the rollback: %s",
		          reason);
	}
	scale_undo_change();
	if (old != NULL) {
		settings_again(old->conf);
		scale_want_again(old);
	}
	if (old != NULL && old->state == GEN_PAUSED)
		generation_resume(old);
	generation_fail(failed);
	retire_unused();
	change_end_badly("rolled_back", reason);
}

void
change_fail(struct generation *g, const char *reason)
{
	char *why = mem_printf("generation %u failed: %s", g->id, reason);

	AN(g == change_run.gen);
	if (change_run.kind == CHANGE_START) {
		generation_fail(g); /* no worker may outlive a start that failed */
		log_fatal("%s", reason);
	}
	roll_back(why);
	free(why);
}

/* After the commit: the generation before, still draining, becomes active. */
static int
take_over(struct generation *old, struct generation *active, const struct requester *by,
          char **cause)
{
	AN(old->state == GEN_DRAINING && active->state == GEN_ACTIVE);
	if (generation_acquire(old, cause) < 0)
		return -1;
	scale_undo_change();
	scale_want_again(old);
	generation_resume(old);
	settings_again(old->conf);
	waiters_aborted(old->id);
	active->aborted = true;
	generation_drain(active);
	retire_unused();
	timing_event("abort", "committed", "aborted by request",
	             json_pack("[o]", requester_json(by)), 0);
	env_converge();
	return 0;
}

static int
abort_drain(const struct requester *by, char **cause)
{
	struct generation *active = generation_active();
	struct generation *old = active != NULL ? generation_before(active) : NULL;

	if (old == NULL)
		return cause_set(cause,
		                 "nothing to abort: no change and no drain is under way");
	if (old->image != env.image) {
		if (!upgrade_has_old() || upgrade_old_image() != old->image)
			return cause_set(
			    cause, "the binary of generation %u is no longer at hand", old->id);
		timing_begin(TIMING_START);
		change_run.kind = CHANGE_UPGRADE;
		waiters_add_abort(by);
		scale_undo_change();
		upgrade_back("aborted by request");
		waiters_answer(WAITERS_NOW, 1, "");
		return cause_set(cause, "the old binary cannot be executed again");
	}
	if (take_over(old, active, by, cause) < 0)
		return -1;
	control_answer(by->client, 0, NULL, "generation %u takes over again", old->id);
	return 0;
}

int
change_abort(const struct requester *by, char **cause)
{
	if (change_run.phase == PHASE_IDLE)
		return abort_drain(by, cause);
	if (change_run.phase <= PHASE_ROOM)
		return cause_set(cause, "the %s has changed nothing yet; it is being checked",
		                 change_kind_name());
	if (change_run.old == NULL)
		return cause_set(cause, "there is no generation to go back to");
	waiters_add_abort(by);
	roll_back("aborted by request");
	return 0;
}

/* The old binary could not be executed: its generation serves in this image. */
static void
stay_in_this_image(void)
{
	AN(change_run.gen != NULL);
	upgrade_commit();
	if (change_run.old->state == GEN_PAUSED)
		generation_resume(change_run.old);
	generation_fail(change_run.gen);
	retire_unused();
}

/*
 * One rule for every step of every kind: what is not committed is called off, as by an abort,
 * and then what is there stops.  At once means that there is no time for it.
 */
void
change_stop(bool now)
{
	waiters_answer(WAITERS_NEXT, 1, "baton is stopping");
	if (change_run.phase == PHASE_IDLE)
		return;
	if (change_run.phase == PHASE_PREFLIGHT || change_run.phase == PHASE_ROOM) {
		change_refuse("baton is stopping");
		return;
	}
	if (change_run.old != NULL && change_run.kind == CHANGE_RELOAD && !now) {
		roll_back("baton is stopping");
		return;
	}
	if (change_run.old != NULL && change_run.kind == CHANGE_UPGRADE && !now)
		change_back("baton is stopping");
	if (change_run.old != NULL)
		stay_in_this_image();
	else if (change_run.gen->state == GEN_STARTING)
		generation_fail(
		    change_run.gen); /* a first start: nothing is promoted during a stop */
	retire_unused();
	change_clear();
	waiters_answer(WAITERS_NOW, 1, "baton is stopping");
}

void
change_continue_upgrade(void)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_load(env.conf_path, &errors);
	char *cause = NULL;

	notify_reload_begun();
	FAULT("continue-upgrade");
	if (conf != NULL) {
		scale_begin_change(conf);
		upgrade_limit((uint64_t)(conf->server.start_timeout + conf->server.probation) +
		              UPGRADE_MARGIN_MS);
	}
	if (conf == NULL) {
		cause = conf_errors_join(&errors);
		roll_back(cause);
	} else if (change_begin_generation(conf, &cause) < 0) {
		roll_back(cause);
	}
	free(cause);
}

/* The newest generation of our own executable goes on; those of the failed one
 * drain. */
void
change_rolled_back(const char *reason)
{
	struct generation *g, *own = generation_own();
	char *cause = NULL;

	notify_reload_begun(); /* said by the image that failed; this one must end it */
	TAILQ_FOREACH (g, generation_all(), link)
		if (g->image > env.image && g->state != GEN_FAILED)
			generation_fail(g);
	if (own == NULL)
		log_fatal("rolled back, but no generation of this binary is left");
	if (generation_acquire(own, &cause) < 0)
		log_fatal("rolled back, but: %s", cause);
	scale_want_again(own);
	if (own->state != GEN_ACTIVE)
		generation_resume(own);
	retire_unused();
	free(cause);
	settings_again(own->conf);
	waiters_aborted(own->id);
	change_end_badly("rolled_back", reason);
}
