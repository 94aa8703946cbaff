#include "master/change/change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/event.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "master/change/preflight.h"
#include "master/change/scale.h"
#include "master/change/settings.h"
#include "master/change/timing.h"
#include "master/change/waiters.h"
#include "master/change/warnings.h"
#include "master/control/control.h"
#include "master/control/requester.h"
#include "master/core/env.h"
#include "master/core/notify.h"
#include "master/listen/listener.h"
#include "master/state/fdstore.h"
#include "master/state/jsontext.h"
#include "master/state/snapshot.h"
#include "master/state/upgrade.h"
#include "master/workers/generation.h"
#include "master/workers/privileges.h"
#include "master/workers/retire.h"
#include "wire/heritage.h"

#define UPGRADE_MARGIN_MS 2000 /* the alarm of an upgrade, beyond what it may take */

enum phase { IDLE, PREFLIGHT, ROOM, STARTING, PROBATION };

static struct {
	enum phase phase;
	enum change_kind kind;
	struct generation *gen; /* the new one */
	struct generation *old; /* the one to go back to */
	char *binary;           /* of an upgrade */
	char *text;             /* the bytes that were checked */
	size_t len;
	struct preflight *preflight;
	enum change_kind next_kind;
	char *next_binary;
} ch;

static void run(enum change_kind kind);

struct generation *
change_new(void)
{
	return ch.gen;
}

struct generation *
change_old(void)
{
	return ch.old;
}

bool
change_busy(void)
{
	return ch.phase != IDLE;
}

enum change_kind
change_kind(void)
{
	return ch.kind;
}

static const char *
kind_name(void)
{
	static const char *const names[] = {"start", "reload", "upgrade"};

	return names[ch.kind];
}

void
change_generation_gone(const struct generation *g)
{
	struct generation *other;
	bool foreign = false;

	TAILQ_FOREACH (other, generation_all(), link)
		foreign |= other->image != env.image;
	if (!foreign && ch.phase == IDLE)
		upgrade_forget_old();
	waiters_generation_gone(g);
}

/* --- the end of a run --- */

static void
start_next(void)
{
	if (!waiters_any(WAITERS_NEXT) || env.stop != STOP_NO)
		return;
	waiters_take_next();
	free(ch.binary);
	ch.binary = ch.next_binary;
	ch.next_binary = NULL;
	run(ch.next_kind);
}

static void
clear(void)
{
	ch.phase = IDLE;
	ch.gen = ch.old = NULL;
	mem_free(&ch.text);
	preflight_cancel(&ch.preflight);
	notify_reload_done();
}

/* Not done: everybody learns why, and the state before goes on. */
static void
end_badly(const char *outcome, const char *reason)
{
	char *why = mem_strdup(reason); /* it may stand in what is cleared */

	bool refused = strcmp(outcome, "refused") == 0;

	log_event(refused ? EVENT_CHANGE_REFUSED : EVENT_CHANGE_ROLLED_BACK,
	          EVENT_FIELDS(EVENT_TEXT("CHANGE", kind_name()), EVENT_TEXT("REASON", why)),
	          "%s %s: %s", kind_name(), refused ? outcome : "rolled back", why);
	timing_end(kind_name(), outcome, why, waiters_requesters(), 0);
	clear();
	snapshot_take();
	waiters_answer(WAITERS_NOW, 1, why);
	free(why);
	start_next();
	env_converge();
}

static void
refuse(const char *reason)
{
	end_badly("refused", reason);
}

/* --- the steps --- */

/* Bind what is new, then ask for the workers.  conf is owned from here on. */
static int
begin_generation(struct conf *conf, char **cause)
{
	uint32_t want = scale_workers(conf);
	struct heritage unused;
	struct generation *g, *old = generation_active();
	struct generation_use *use;
	size_t nuse;

	if (privileges_of(conf, &unused, cause) < 0 || settings_try(conf, cause) < 0 ||
	    settings_open_log(conf, cause) < 0) {
		conf_free(&conf);
		return -1;
	}
	if (listener_acquire(conf, want, &use, &nuse, cause) < 0) {
		if (old != NULL)
			settings_again(old->conf); /* the log */
		conf_free(&conf);
		return -1;
	}
	g = generation_new(conf, want);
	g->use = use;
	g->nuse = nuse;
	ch.old = old;
	ch.gen = g;
	ch.phase = STARTING;
	FAULT("begin-generation");
	env_converge();
	return 0;
}

static void
begin_reloaded(void)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_parse(env.conf_path, ch.text, ch.len, &errors);
	char *cause = NULL;

	if (conf == NULL) {
		char *all = conf_errors_join(&errors);

		conf_errors_free(&errors);
		refuse(all);
		free(all);
		return;
	}
	scale_begin_change(conf);
	if (begin_generation(conf, &cause) < 0) {
		scale_undo_change();
		refuse(cause);
	}
	free(cause);
}

/* Sockets that only the new image had would be closed by its crash, and the clients in
 * their queues reset.  A file that only the new binary can read is its own affair. */
static int
grow_ahead(char **cause)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_load(env.conf_path, &errors);
	int result = 0;

	if (conf != NULL)
		result = listener_grow_ahead(conf, scale_ahead(conf), cause);
	conf_errors_free(&errors);
	conf_free(&conf);
	return result;
}

static void
execute_upgrade(void)
{
	const struct conf_server *limits = &generation_active()->conf->server;
	uint64_t limit =
	    (uint64_t)(limits->start_timeout + limits->probation) + UPGRADE_MARGIN_MS;
	char *cause = NULL;

	FAULT("upgrade-exec");
	if (grow_ahead(&cause) == 0)
		upgrade_exec(ch.binary, limit, &cause);
	refuse(cause);
	free(cause);
}

static void
preflight_done(void *arg, bool yes, const char *text)
{
	(void)arg;
	ch.preflight = NULL;
	FAULT("preflight-done");
	if (!yes) {
		refuse(text);
		return;
	}
	ch.phase = ROOM;
	timing_step(TIMING_ROOM);
	env_converge();
}

bool
change_waiting(void)
{
	return ch.phase == ROOM;
}

void
change_begin(void)
{
	AN(ch.phase == ROOM);
	generation_order_all();
	ch.phase = PREFLIGHT; /* nothing has changed yet */
	timing_step(TIMING_START);
	if (ch.kind == CHANGE_UPGRADE)
		execute_upgrade();
	else
		begin_reloaded();
}

static uint64_t
check_limit(void)
{
	const struct generation *g = generation_active();

	return g != NULL ? (uint64_t)g->conf->server.start_timeout : 10000;
}

static void
begin_reload(void)
{
	struct conf_errors errors = {0};
	char *cause = NULL;

	ch.text = conf_read(env.conf_path, &ch.len, &errors);
	if (ch.text == NULL) {
		char *all = conf_errors_join(&errors);

		conf_errors_free(&errors);
		refuse(all);
		free(all);
		return;
	}
	ch.preflight = preflight_conf(env.conf_path, ch.text, ch.len, check_limit(),
	                              preflight_done, NULL, &cause);
	if (ch.preflight == NULL)
		refuse(cause);
	free(cause);
}

static int
check_binary(const char *binary, char **cause)
{
	if (access(binary, F_OK) < 0)
		return cause_set(cause, "%s: %s", binary, strerror(errno));
	if (access(binary, X_OK) < 0)
		return cause_set(cause, "%s is not executable: %s", binary, strerror(errno));
	return 0;
}

static void
begin_upgrade(void)
{
	char *cause = NULL;
	int state = -1;

	if (ch.binary == NULL)
		ch.binary = mem_strdup(env.exe_path);
	if (check_binary(ch.binary, &cause) == 0 && (state = upgrade_make_state(&cause)) >= 0)
		ch.preflight = preflight_binary(ch.binary, state, env.conf_path, check_limit(),
		                                preflight_done, NULL, &cause);
	fd_close(&state);
	if (ch.preflight == NULL)
		refuse(cause);
	free(cause);
}

static void
run(enum change_kind kind)
{
	ch.kind = kind;
	ch.phase = PREFLIGHT;
	timing_begin(TIMING_CHECK);
	notify_reload_begun();
	log_event(EVENT_CHANGE_BEGUN, EVENT_FIELDS(EVENT_TEXT("CHANGE", kind_name())),
	          "%s begins", kind_name());
	if (kind == CHANGE_UPGRADE)
		begin_upgrade();
	else
		begin_reload();
	snapshot_take(); /* who comes after a crash knows of it */
	env_converge();
}

static void
set_binary(char **to, const char *binary)
{
	free(*to);
	*to = binary != NULL ? mem_strdup(binary) : NULL;
}

/* One more run serves all who came meanwhile; an upgrade includes a reload, and
 * of several binaries the last one counts. */
static void
coalesce(enum change_kind kind, const char *binary)
{
	if (!waiters_any(WAITERS_NEXT))
		ch.next_kind = kind;
	if (kind != CHANGE_UPGRADE)
		return;
	ch.next_kind = kind;
	set_binary(&ch.next_binary, binary);
}

void
change_request(enum change_kind kind, const char *binary, bool wait, const struct requester *by)
{
	if (env.stop != STOP_NO) {
		log_warn("a request for a change is refused: baton is stopping");
		if (by->client != NULL)
			control_answer(by->client, 1, NULL, "baton is stopping");
		return;
	}
	if (ch.phase != IDLE) {
		coalesce(kind, binary);
		waiters_add(WAITERS_NEXT, by, wait);
		return;
	}
	set_binary(&ch.binary, binary);
	waiters_add(WAITERS_NOW, by, wait);
	run(kind);
}

int
change_first(struct conf *conf, char **cause)
{
	ch.kind = CHANGE_START;
	timing_begin(TIMING_START);
	if (begin_generation(conf, cause) < 0)
		return -1;
	return listener_open(ch.gen, cause);
}

void
change_promote(struct generation *g)
{
	char *cause = NULL;

	AN(g == ch.gen && ch.phase == STARTING);
	FAULT("promote");
	if (listener_open(g, &cause) < 0) {
		change_fail(g, cause);
		free(cause);
		return;
	}
	ch.phase = PROBATION;
	timing_step(TIMING_PROBATION);
	generation_activate(g);
	if (ch.old != NULL)
		generation_pause(ch.old);
	listener_apply(g);
	snapshot_take();
	fdstore_barrier(); /* who serves outlives us */
	notify_ready();
	FAULT("promoted");
}

/* What who asked is told; malloc'd. */
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
	struct generation *old = ch.old;
	char *text;

	AN(g == ch.gen && ch.phase == PROBATION);
	FAULT("commit");
	upgrade_commit();
	log_echo_errors(false); /* whoever started it has an answer */
	if (ch.kind != CHANGE_START)
		settings_apply(g->conf);
	if (old != NULL)
		generation_drain(old);
	retire_unused();
	log_event(EVENT_CHANGE_COMMITTED,
	          EVENT_FIELDS(EVENT_TEXT("CHANGE", kind_name()),
	                       EVENT_NUMBER("GENERATION", g->id),
	                       EVENT_NUMBER("TOOK_MS", took)),
	          "%s committed: generation %u serves, after %llu ms", kind_name(), g->id,
	          (unsigned long long)took);
	if (ch.kind != CHANGE_START)
		timing_end(kind_name(), "committed", "", waiters_requesters(), g->id);
	text = commit_text(g, took);
	clear();
	snapshot_take(); /* what somebody was told has happened, also for who comes after a
	                    crash */
	waiters_committed(g->id, text);
	free(text);
	start_next();
}

/* In the new image of an upgrade the state before is another executable's.  Returns only if
 * that cannot be executed. */
static void
change_back(const char *reason)
{
	scale_undo_change();
	if (ch.gen != NULL)
		generation_fail(ch.gen);
	retire_unused();
	retire_close_swept(); /* what has let nobody in is no affair of the old image */
	upgrade_back(reason);
}

static void
roll_back(const char *reason)
{
	struct generation *failed = ch.gen, *old = ch.old;

	if (ch.kind == CHANGE_UPGRADE) {
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
	end_badly("rolled_back", reason);
}

void
change_fail(struct generation *g, const char *reason)
{
	char *why = mem_printf("generation %u failed: %s", g->id, reason);

	AN(g == ch.gen);
	if (ch.kind == CHANGE_START) {
		generation_fail(g); /* nobody is to outlive a start that failed */
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
		ch.kind = CHANGE_UPGRADE;
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
	if (ch.phase == IDLE)
		return abort_drain(by, cause);
	if (ch.phase <= ROOM)
		return cause_set(cause, "the %s has changed nothing yet; it is being checked",
		                 kind_name());
	if (ch.old == NULL)
		return cause_set(cause, "there is no generation to go back to");
	waiters_add_abort(by);
	roll_back("aborted by request");
	return 0;
}

/* The old binary could not be executed: its generation serves in this image. */
static void
stay_in_this_image(void)
{
	upgrade_commit();
	if (ch.old->state == GEN_PAUSED)
		generation_resume(ch.old);
	generation_fail(ch.gen);
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
	if (ch.phase == IDLE)
		return;
	if (ch.phase == PREFLIGHT || ch.phase == ROOM) {
		refuse("baton is stopping");
		return;
	}
	if (ch.old != NULL && ch.kind == CHANGE_RELOAD && !now) {
		roll_back("baton is stopping");
		return;
	}
	if (ch.old != NULL && ch.kind == CHANGE_UPGRADE && !now)
		change_back("baton is stopping");
	if (ch.old != NULL)
		stay_in_this_image();
	else if (ch.gen->state == GEN_STARTING)
		generation_fail(ch.gen); /* a first start: nobody is promoted in a stop */
	retire_unused();
	clear();
	waiters_answer(WAITERS_NOW, 1, "baton is stopping");
}

json_t *
change_save(void)
{
	return json_pack("{s:I, s:o, s:i, s:o, s:o, s:s?}", "since_ms",
	                 (json_int_t)timing_since(), "requests", waiters_save(), "next_kind",
	                 (int)ch.next_kind, "next_binary", jsontext_text(ch.next_binary),
	                 "course", timing_save(), "under_way",
	                 ch.phase != IDLE ? kind_name() : NULL);
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
	ch.kind = CHANGE_UPGRADE;
	ch.phase = PREFLIGHT;
	timing_restore((uint64_t)since, json_object_get(j, "course"));
	ch.next_kind = (enum change_kind)next_kind;
	free(ch.next_binary);
	ch.next_binary = jsontext_read_text(json_object_get(j, "next_binary"));
	waiters_restore(requests);
	return 0;
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
	} else if (begin_generation(conf, &cause) < 0) {
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
	end_badly("rolled_back", reason);
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
	switch (ch.phase) {
	case PREFLIGHT:
		return ch.kind == CHANGE_UPGRADE ? "checking the new binary"
		                                 : "checking the new configuration";
	case ROOM:
		return "waiting for an old generation to go";
	case STARTING:
		return starting_progress(ch.gen, percent);
	case PROBATION:
		*percent = 100;
		return "on probation";
	case IDLE:
		break;
	}
	return "waiting";
}

json_t *
change_json(void)
{
	int percent;
	const char *text;

	if (ch.phase == IDLE)
		return json_null();
	text = phase_text(&percent);
	return json_pack("{s:s, s:s, s:i, s:I}", "what", kind_name(), "text", text, "percent",
	                 percent, "took_ms", (json_int_t)timing_took());
}

void
change_tell_progress(void)
{
	int percent;
	const char *text = phase_text(&percent);

	waiters_tell_progress(text, percent);
}
