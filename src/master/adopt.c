#include "master/adopt.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "master/change/change.h"
#include "master/change/settings.h"
#include "master/change/timing.h"
#include "master/control/control.h"
#include "master/control/requester.h"
#include "master/core/env.h"
#include "master/core/notify.h"
#include "master/listen/listener.h"
#include "master/signals.h"
#include "master/state/fdstore.h"
#include "master/state/pidfile.h"
#include "master/state/snapshot.h"
#include "master/state/state.h"
#include "master/verbs/dispatch.h"
#include "master/workers/generation.h"
#include "master/workers/heartbeat.h"
#include "master/workers/retire.h"
#include "wire/stats.h"

/* A worker that was born after the last snapshot: it has a page, but no record.  Without a
 * channel it leaves by itself. */
struct unlisted {
	struct stats_page *page;
	int pidfd;
	struct event *gone;
};

static void
on_gone(evutil_socket_t fd, short what, void *arg)
{
	struct unlisted *s = arg;

	(void)fd;
	(void)what;
	stats_page_fold(env.stats, s->page);
	event_free(s->gone);
	fd_close(&s->pidfd);
	free(s);
}

static void
watch_unlisted(struct stats_page *page)
{
	pid_t pid = page->pid;
	int pidfd = process_open(pid, page->started, true);
	struct unlisted *s;

	if (pidfd < 0) {
		stats_page_fold(env.stats, page);
		return;
	}
	log_warn("worker birth %llu (pid %d) is not in the snapshot: it leaves by itself",
	         (unsigned long long)page->birth, (int)pid);
	s = mem_alloc(sizeof *s);
	s->page = page;
	s->pidfd = pidfd;
	s->gone = event_new(env.base, pidfd, EV_READ, on_gone, s);
	if (s->gone == NULL || event_add(s->gone, NULL) < 0)
		log_fatal("cannot watch a worker");
}

static void
look_for_unlisted(void)
{
	struct stats_page *page = NULL;

	while ((page = stats_page_unclaimed(env.stats, page)) != NULL)
		watch_unlisted(page);
}

static unsigned
living(void)
{
	struct generation *g;
	struct worker *w;
	unsigned n = 0;

	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			n += w->chan != NULL;
	return n;
}

/* The newest that served, whatever change was under way. */
static struct generation *
choose(void)
{
	static const enum gen_state order[] = {GEN_ACTIVE, GEN_PAUSED, GEN_DRAINING};
	struct generation *g;

	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		TAILQ_FOREACH_REVERSE (g, generation_all(), generation_list, link)
			if (g->state == order[i] && !g->aborted)
				return g;
	return NULL;
}

/* A stop that was announced ended with the master that had announced it. */
static void
call_off_stop(void)
{
	struct generation *g;
	struct worker *w;
	uint32_t off = 0;

	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			slot_tell(w, MSG_LAME, &off, sizeof off);
}

static void
go_on_with(struct generation *own)
{
	struct generation *g;

	call_off_stop();
	TAILQ_FOREACH (g, generation_all(), link) {
		if (g->state == GEN_STARTING)
			generation_fail(g);
		else if (g != own && g->state != GEN_FAILED)
			generation_drain(g);
	}
	if (own->state != GEN_ACTIVE)
		generation_resume(own);
	retire_unused();
	generation_drain_on();
}

/* It is too late for a start like any other in this process; the next one finds the store
 * empty. */
static _Noreturn void
give_up(const char *why)
{
	fdstore_forget();
	log_fatal("what a crash has left cannot be taken over: %s", why);
}

/* Not being able to write something down is no reason to let go of those who serve. */
static void
open_files(const struct conf *conf)
{
	char *cause = NULL;

	if (settings_open_log(conf, &cause) < 0)
		log_error("%s", cause);
	mem_free(&cause);
	if (pidfile_set(conf->server.pid_file, &cause) < 0)
		log_error("%s", cause);
	mem_free(&cause);
}

static void
restore(json_t *state)
{
	struct generation *own;
	char *cause = NULL;

	if (state_restore(state, &cause) < 0)
		give_up(cause);
	env.stop = STOP_NO;
	own = choose();
	if (own == NULL)
		give_up("no generation of it serves");
	open_files(own->conf);
	if (strcmp(own->version, env.program->version) != 0)
		env.image++; /* its workers are not ours to give birth to */
	log_warn("the master before this one has ended without a word; %u workers served on",
	         living());
	look_for_unlisted();
	if (control_start(own->conf->server.control, &cause) < 0) {
		log_error("%s", cause);
		mem_free(&cause);
		control_start_later(own->conf->server.control);
	}
	go_on_with(own);
	env.adopts = false;
	listener_start();
	if (generation_acquire(own, &cause) < 0)
		log_error("%s", cause); /* the reload that follows says so, too */
	free(cause);
}

static void
note_in_history(const json_t *state, uint64_t took_ms)
{
	const char *what = change_interrupted(state_record(state, "change"));
	char *reason = what == NULL
	                   ? mem_strdup("the master before this one ended without a word")
	                   : mem_printf("the master before this one ended without a word, and "
	                                "its %s with it",
	                                what);

	timing_event("crash", "adopted", reason, NULL, took_ms);
	free(reason);
}

/* --- a state that ends who takes it over --- */

#define ENDED_MAX    2     /* masters; a third one does not try */
#define PROBATION_MS 60000 /* a crash so soon after is counted, too */

static struct {
	uint64_t ended; /* those before us */
	bool on_trial;  /* we count as the next of them, until we come through */
	bool refused;
	json_t *listeners; /* what is taken of it nevertheless */
	uint64_t since_ms;
} trial;

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

static void
on_fatal_signal(int sig)
{
	if (!trial.refused)
		snapshot_set_ended(snapshot_fd(), trial.ended + 1);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* Before anything of it is believed. */
static void
begin_trial(int fd)
{
	struct sigaction sa = {.sa_handler = on_fatal_signal, .sa_flags = SA_NODEFER};

	trial.ended = snapshot_ended(fd);
	trial.on_trial = true;
	trial.since_ms = clock_ms();
	snapshot_set_ended(fd, trial.ended + 1);
	for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
		sigaction(fatal_signals[i], &sa, NULL);
}

/* kill -9 is nobody's fault, from here on: a state is only to blame for what it does. */
void
adopt_came_through(void)
{
	if (trial.on_trial && !trial.refused)
		snapshot_set_ended(snapshot_fd(), trial.ended);
	trial.on_trial = false;
	if (trial.ended > 0 && clock_ms() - trial.since_ms > PROBATION_MS) {
		trial.ended = 0;
		snapshot_set_ended(snapshot_fd(), 0);
	}
}

static bool
has_ended_too_many(int fd)
{
	uint64_t n = snapshot_ended(fd);

	if (n < ENDED_MAX)
		return false;
	log_event(
	    EVENT_NOT_TAKEN_OVER,
	    EVENT_FIELDS(EVENT_TEXT("REASON", "it has ended those who took it over")),
	    "what a crash has left has ended %llu masters that took it over: it is let go, "
	    "its workers leave by themselves, and this is a clean start",
	    (unsigned long long)n);
	trial.refused = true;
	return true;
}

/* They live on for a while. */
static void
note_workers(const json_t *generations)
{
	size_t i, k;
	json_t *g, *w;

	json_array_foreach ((json_t *)(uintptr_t)generations, i, g) {
		json_array_foreach (json_object_get(g, "workers"), k, w) {
			dispatch_left((pid_t)json_integer_value(json_object_get(w, "pid")));
		}
	}
}

/* One that has ended yet another one is not even asked for its sockets. */
static void
keep_sockets(int fd)
{
	json_t *state;

	if (snapshot_ended(fd) > ENDED_MAX || (state = snapshot_read(fd, NULL)) == NULL)
		return;
	begin_trial(fd);
	note_workers(state_record(state, "generations"));
	trial.listeners = json_incref(state_record(state, "listeners"));
	json_decref(state);
}

void
adopt_sockets(void)
{
	char *cause = NULL;

	if (trial.listeners == NULL)
		return;
	env.adopts = true; /* what is missing is bound again */
	if (listener_restore(trial.listeners, &cause) < 0)
		log_error("%s", cause);
	env.adopts = false;
	free(cause);
	json_decref(trial.listeners);
	trial.listeners = NULL;
}

void
adopt_note_refusal(void)
{
	if (trial.refused)
		timing_event("crash", "refused",
		             "the state of the master before has ended those who took it over",
		             NULL, 0);
}

/* NULL: there is none, or none that is good. */
static json_t *
find_state(void)
{
	json_t *state = NULL;
	int fd;

	for (unsigned i = 0; state == NULL && (fd = fdstore_find("state", 0, i)) >= 0; i++) {
		char *cause = NULL;

		if (has_ended_too_many(fd)) {
			keep_sockets(fd);
			continue;
		}
		state = snapshot_read(fd, &cause);
		if (state != NULL && state_check(state, &cause) < 0) {
			json_decref(state);
			state = NULL;
		}
		if (state == NULL)
			log_error(
			    "what a crash has left in the descriptor store is of no use: %s",
			    cause);
		else
			begin_trial(fd);
		free(cause);
	}
	return state;
}

bool
adopt_start(void)
{
	struct requester by = {.how = REQUESTER_START};
	uint64_t begun = clock_ms();
	json_t *state = find_state();

	if (state == NULL)
		return false;
	log_event(EVENT_TAKEN_OVER,
	          EVENT_FIELDS(EVENT_TEXT("VERSION", env.program->version),
	                       EVENT_TEXT("CONFIGURATION", env.conf_path)),
	          "baton %s starts after a crash, pid %d, configuration %s",
	          env.program->version, (int)getpid(), env.conf_path);
	env.adopts = true;
	FAULT("adopt");
	restore(state);
	FAULT("adopted");
	note_in_history(state, clock_ms() - begun);
	json_decref(state);
	fdstore_refuse(NULL);
	heartbeat_look(); /* what stands in the pages is to be read now, if it is to end us */
	signals_start();
	notify_ready();
	change_request(CHANGE_RELOAD, NULL, false, &by);
	return true;
}
