#include "master/verbs/verbs.h"

#include <sys/socket.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "master/adopt.h"
#include "master/change/change.h"
#include "master/change/history.h"
#include "master/change/preflight.h"
#include "master/change/scale.h"
#include "master/change/settings.h"
#include "master/change/stop.h"
#include "master/control/control.h"
#include "master/control/requester.h"
#include "master/core/env.h"
#include "master/verbs/dispatch.h"
#include "master/verbs/listing.h"
#include "master/verbs/status.h"
#include "master/workers/generation.h"
#include "master/workers/slot.h"

#define DOUBT_MS 2000

static uint64_t restored_ms; /* 0: there was no image before us */

static void
do_status(struct control_client *c, const json_t *request)
{
	(void)request;
	control_answer(c, 0, status_json(), "%s", status_sentence());
}

static void
do_history(struct control_client *c, const json_t *request)
{
	(void)request;
	control_answer(c, 0, history_json(), "the last changes");
}

static const char *
argument(const json_t *request)
{
	return json_string_value(json_array_get(json_object_get(request, "args"), 0));
}

static void
do_reload(struct control_client *c, const json_t *request)
{
	struct requester by = requester_peer(control_fd(c), c);

	change_request(CHANGE_RELOAD, NULL, json_is_true(json_object_get(request, "wait")),
	               &by);
}

static void
do_upgrade(struct control_client *c, const json_t *request)
{
	struct requester by = requester_peer(control_fd(c), c);

	change_request(CHANGE_UPGRADE, argument(request),
	               json_is_true(json_object_get(request, "wait")), &by);
}

static void
do_stop(struct control_client *c, const json_t *request)
{
	control_await_stop(c);
	if (json_is_true(json_object_get(request, "now")))
		stop_begin(true);
	else if (env.stop == STOP_NO)
		stop_begin(false);
}

static void
do_scale(struct control_client *c, const json_t *request)
{
	const char *text = argument(request);
	char *end = NULL;
	long n = text != NULL ? strtol(text, &end, 10) : 0;

	if (text == NULL || *text == '\0' || *end != '\0' || n < 1 || n > 256)
		control_answer(c, 2, NULL, "scale needs a number of workers from 1 to 256");
	else
		scale_request((uint32_t)n, c);
}

/* The number was taken by the image before; its workers may be ours by now. */
static void
scale_again(struct control_client *c, const json_t *request)
{
	scale_wait((uint32_t)strtol(argument(request), NULL, 10), c);
}

static void
do_drain(struct control_client *c, const json_t *request)
{
	(void)request;
	listings_begin(c, MSG_LIST_HOLDERS);
}

static void
do_conns(struct control_client *c, const json_t *request)
{
	(void)request;
	listings_begin(c, MSG_LIST_CONNS);
}

static void
do_tasks(struct control_client *c, const json_t *request)
{
	(void)request;
	listings_begin(c, MSG_LIST_TASKS);
}

static void
do_abort(struct control_client *c, const json_t *request)
{
	struct requester by = requester_peer(control_fd(c), c);
	char *cause = NULL;

	(void)request;
	if (env.stop == STOP_NO) {
		if (change_abort(&by, &cause) < 0)
			control_answer(c, 1, NULL, "%s", cause);
	} else if (stop_call_off(&cause) < 0) {
		control_answer(c, 1, NULL, "%s", cause);
	} else {
		control_answer(c, 0, NULL, "the stop is called off");
	}
	free(cause);
}

/* A check by hand: who asked for it may hang up. */
struct check {
	struct control_client *client;
	struct preflight *preflight;
};

static void
check_gone(void *owed)
{
	struct check *check = owed;

	preflight_cancel(&check->preflight);
	free(check);
}

static void
checked(void *arg, bool yes, const char *text)
{
	struct check *check = arg;
	struct control_client *c = check->client;

	free(check);
	control_answer(c, yes ? 0 : 1, NULL, "%s", text);
}

static void
do_check(struct control_client *c, const json_t *request)
{
	const char *path = argument(request);
	const struct generation *g = generation_active();
	uint64_t limit = g != NULL ? (uint64_t)g->conf->server.start_timeout : 10000;
	struct check *check = mem_alloc(sizeof *check);
	struct preflight_asker asker = {.limit_ms = limit, .fn = checked, .arg = check};
	char *cause = NULL;

	check->client = c;
	control_owe(c, check_gone, check);
	check->preflight =
	    preflight_conf(path != NULL ? path : env.conf_path, NULL, 0, &asker, &cause);
	if (check->preflight == NULL) {
		free(check);
		control_answer(c, 1, NULL, "%s", cause);
	}
	free(cause);
}

static void
do_reopen(struct control_client *c, const json_t *request)
{
	char *cause = NULL;

	(void)request;
	if (settings_reopen_logs(&cause) < 0)
		control_answer(c, 1, NULL, "%s", cause);
	else
		control_answer(c, 0, NULL, "log files are open again");
	free(cause);
}

/* Slow requests must leave places for quick ones. */
enum wait { AT_ONCE, WAITS, WAITS_BUT_NOW /* stop, unless it is stop --now */ };

/* again: what brings the answer when the image that was asked is another program by
 * now.  NULL: the answer is owed elsewhere (control_owe, control_await_stop), or was given. */
static const struct verb {
	const char *name;
	enum wait wait;
	void (*run)(struct control_client *c, const json_t *request);
	void (*again)(struct control_client *c, const json_t *request);
} verbs[] = {
    {"status", AT_ONCE, do_status, do_status}, {"reload", WAITS, do_reload, NULL},
    {"upgrade", WAITS, do_upgrade, NULL},      {"stop", WAITS_BUT_NOW, do_stop, NULL},
    {"scale", WAITS, do_scale, scale_again},   {"drain", WAITS, do_drain, do_drain},
    {"abort", AT_ONCE, do_abort, NULL},        {"check", WAITS, do_check, do_check},
    {"reopen", AT_ONCE, do_reopen, do_reopen}, {"conns", WAITS, do_conns, do_conns},
    {"tasks", WAITS, do_tasks, do_tasks},      {"history", AT_ONCE, do_history, do_history},
};

static const struct verb *
verb_of(const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "verb"));

	for (size_t i = 0; name != NULL && i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static bool
waits(const char *line)
{
	json_t *request = json_loads(line, 0, NULL);
	const struct verb *verb = verb_of(request);
	bool now = json_is_true(json_object_get(request, "now"));

	json_decref(request);
	return verb != NULL && (verb->wait == WAITS || (verb->wait == WAITS_BUT_NOW && !now));
}

static void
run(struct control_client *c, const char *line)
{
	json_error_t error;
	json_t *request = json_loads(line, 0, &error);
	const struct verb *verb = verb_of(request);
	const char *name = json_string_value(json_object_get(request, "verb"));

	if (request == NULL)
		control_answer(c, 2, NULL, "the request is not JSON: %s", error.text);
	else if (verb == NULL)
		control_answer(c, 2, NULL, "this baton (%s) does not know the verb '%s'",
		               env.program->version, name != NULL ? name : "");
	else
		verb->run(c, request);
	json_decref(request);
}

static void
run_again(struct control_client *c, const char *line)
{
	json_t *request = line != NULL ? json_loads(line, 0, NULL) : NULL;
	const struct verb *verb = verb_of(request);

	if (verb != NULL && verb->again != NULL)
		verb->again(c, request);
	else
		control_answer(c, 1, NULL, "baton was upgraded meanwhile; ask again");
	json_decref(request);
}

/* --- who may ask --- */

/* A worker that has ended may have left its words in the queue.  Of those that ended under the
 * image before us nobody knows: for a moment whoever is gone may have been one.  (0: of another
 * namespace, where no worker of ours is.) */
static bool
may_be_a_late_worker(pid_t pid)
{
	if (dispatch_was_ours(pid))
		return true;
	return restored_ms != 0 && clock_ms() - restored_ms < DOUBT_MS && pid > 0 &&
	       kill(pid, 0) < 0 && errno == ESRCH;
}

/* A worker of our user may connect, too, and asks for nothing in order. */
static bool
admits(const struct ucred *peer)
{
	struct worker *w = dispatch_worker(peer->pid);

	if (w != NULL) {
		slot_distrust(w, "it has connected to the control socket");
		return false;
	}
	return !may_be_a_late_worker(peer->pid) && (peer->uid == 0 || peer->uid == geteuid());
}

/* --- life --- */

void
verbs_start(void)
{
	static const struct control_rules rules = {
	    .admits = admits, .waits = waits, .run = run, .again = run_again};

	control_use(&rules);
}

void
verbs_after_restore(void)
{
	restored_ms = clock_ms();
	control_after_restore();
}
