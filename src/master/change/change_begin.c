#include "master/change/change_int.h"

#include <errno.h>
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
#include "master/control/control.h"
#include "master/control/requester.h"
#include "master/core/env.h"
#include "master/core/notify.h"
#include "master/listen/listener.h"
#include "master/state/snapshot.h"
#include "master/state/upgrade.h"
#include "master/workers/generation.h"
#include "master/workers/privileges.h"
#include "wire/heritage.h"

struct change change_run;

static void run(enum change_kind kind);

void
change_enter(enum change_phase phase)
{
	static const unsigned before[] = {
	    [PHASE_IDLE] = 1u << PHASE_PREFLIGHT | 1u << PHASE_STARTING |
	                   1u << PHASE_PROBATION | 1u << PHASE_ROOM | 1u << PHASE_IDLE,
	    [PHASE_PREFLIGHT] = 1u << PHASE_IDLE | 1u << PHASE_ROOM,
	    [PHASE_ROOM] = 1u << PHASE_PREFLIGHT,
	    [PHASE_STARTING] = 1u << PHASE_IDLE | 1u << PHASE_PREFLIGHT,
	    [PHASE_PROBATION] = 1u << PHASE_STARTING,
	};

	AN((before[phase] & 1u << change_run.phase) != 0);
	change_run.phase = phase;
}

struct generation *
change_new(void)
{
	return change_run.gen;
}

struct generation *
change_old(void)
{
	return change_run.old;
}

bool
change_busy(void)
{
	return change_run.phase != PHASE_IDLE;
}

enum change_kind
change_kind(void)
{
	return change_run.kind;
}

const char *
change_kind_name(void)
{
	static const char *const names[] = {"start", "reload", "upgrade"};

	return names[change_run.kind];
}

/* --- the end of a run --- */

void
change_start_next(void)
{
	if (!waiters_any(WAITERS_NEXT) || env.stop != STOP_NO)
		return;
	AN(change_run.phase == PHASE_IDLE);
	waiters_take_next();
	free(change_run.binary);
	change_run.binary = change_run.next_binary;
	change_run.next_binary = NULL;
	run(change_run.next_kind);
}

void
change_clear(void)
{
	change_enter(PHASE_IDLE);
	change_run.gen = change_run.old = NULL;
	mem_free(&change_run.text);
	preflight_cancel(&change_run.preflight);
	notify_reload_done();
}

void
change_end_badly(const char *outcome, const char *reason)
{
	char *why = mem_strdup(reason); /* it may stand in what is cleared */

	bool refused = strcmp(outcome, "refused") == 0;

	log_event(
	    refused ? EVENT_CHANGE_REFUSED : EVENT_CHANGE_ROLLED_BACK,
	    EVENT_FIELDS(EVENT_TEXT("CHANGE", change_kind_name()), EVENT_TEXT("REASON", why)),
	    "%s %s: %s", change_kind_name(), refused ? outcome : "rolled back", why);
	timing_end(change_kind_name(), outcome, why, waiters_requesters(), 0);
	change_clear();
	snapshot_take();
	waiters_answer(WAITERS_NOW, 1, why);
	free(why);
	change_start_next();
	env_converge();
}

void
change_refuse(const char *reason)
{
	change_end_badly("refused", reason);
}

/* --- the steps --- */

int
change_begin_generation(struct conf *conf, char **cause)
{
	uint32_t want = scale_workers(conf);
	struct heritage unused;
	struct generation *g, *old = generation_active();
	struct generation_use *use;
	size_t nuse;

	AN(change_run.gen == NULL && change_run.old == NULL);
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
	change_run.old = old;
	change_run.gen = g;
	change_enter(PHASE_STARTING);
	FAULT("begin-generation");
	env_converge();
	return 0;
}

static void
begin_reloaded(void)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_parse(env.conf_path, change_run.text, change_run.len, &errors);
	char *cause = NULL;

	AN(change_run.text != NULL);
	if (conf == NULL) {
		char *all = conf_errors_join(&errors);

		conf_errors_free(&errors);
		change_refuse(all);
		free(all);
		return;
	}
	scale_begin_change(conf);
	if (change_begin_generation(conf, &cause) < 0) {
		scale_undo_change();
		change_refuse(cause);
	}
	free(cause);
}

/* Sockets that only the new image had would be closed by its crash, and the clients in
 * their queues reset.  A file that only the new binary can read is left to it. */
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

	AN(change_run.binary != NULL);
	FAULT("upgrade-exec");
	if (grow_ahead(&cause) == 0)
		upgrade_exec(change_run.binary, limit, &cause);
	change_refuse(cause);
	free(cause);
}

static void
preflight_done(void *arg, bool yes, const char *text)
{
	(void)arg;
	AN(change_run.phase == PHASE_PREFLIGHT && change_run.preflight != NULL);
	change_run.preflight = NULL;
	FAULT("preflight-done");
	if (!yes) {
		change_refuse(text);
		return;
	}
	change_enter(PHASE_ROOM);
	timing_step(TIMING_ROOM);
	env_converge();
}

bool
change_waiting(void)
{
	return change_run.phase == PHASE_ROOM;
}

void
change_begin(void)
{
	AN(change_run.phase == PHASE_ROOM);
	generation_order_all();
	change_enter(PHASE_PREFLIGHT); /* nothing has changed yet */
	timing_step(TIMING_START);
	if (change_run.kind == CHANGE_UPGRADE)
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
	struct preflight_asker asker = {.limit_ms = check_limit(), .fn = preflight_done};
	struct conf_errors errors = {0};
	char *cause = NULL;

	change_run.text = conf_read(env.conf_path, &change_run.len, &errors);
	if (change_run.text == NULL) {
		char *all = conf_errors_join(&errors);

		conf_errors_free(&errors);
		change_refuse(all);
		free(all);
		return;
	}
	change_run.preflight =
	    preflight_conf(env.conf_path, change_run.text, change_run.len, &asker, &cause);
	if (change_run.preflight == NULL)
		change_refuse(cause);
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
	struct preflight_asker asker = {.limit_ms = check_limit(), .fn = preflight_done};
	char *cause = NULL;
	int state = -1;

	if (change_run.binary == NULL)
		change_run.binary = mem_strdup(env.exe_path);
	if (check_binary(change_run.binary, &cause) == 0 &&
	    (state = upgrade_make_state(&cause)) >= 0)
		change_run.preflight =
		    preflight_binary(change_run.binary, state, env.conf_path, &asker, &cause);
	fd_close(&state);
	if (change_run.preflight == NULL)
		change_refuse(cause);
	free(cause);
}

static void
run(enum change_kind kind)
{
	AN(change_run.phase == PHASE_IDLE && change_run.preflight == NULL);
	AN(env.stop == STOP_NO && kind != CHANGE_START);
	change_run.kind = kind;
	change_enter(PHASE_PREFLIGHT);
	timing_begin(TIMING_CHECK);
	notify_reload_begun();
	log_event(EVENT_CHANGE_BEGUN, EVENT_FIELDS(EVENT_TEXT("CHANGE", change_kind_name())),
	          "%s begins", change_kind_name());
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
		change_run.next_kind = kind;
	if (kind != CHANGE_UPGRADE)
		return;
	change_run.next_kind = kind;
	set_binary(&change_run.next_binary, binary);
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
	if (change_run.phase != PHASE_IDLE) {
		coalesce(kind, binary);
		waiters_add(WAITERS_NEXT, by, wait);
		return;
	}
	set_binary(&change_run.binary, binary);
	waiters_add(WAITERS_NOW, by, wait);
	run(kind);
}
