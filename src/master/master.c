#include "master/master.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/adopt.h"
#include "master/aim.h"
#include "master/assign.h"
#include "master/change.h"
#include "master/control.h"
#include "master/generation.h"
#include "master/heartbeat.h"
#include "master/history.h"
#include "master/listener.h"
#include "master/notify.h"
#include "master/pidfile.h"
#include "master/publish.h"
#include "master/scale.h"
#include "master/settings.h"
#include "master/signals.h"
#include "master/slot.h"
#include "master/snapshot.h"
#include "master/socketfile.h"
#include "master/status.h"
#include "master/store.h"
#include "master/survey.h"
#include "master/upgrade.h"
#include "wire/chan.h"
#include "wire/stats.h"

#define EXTEND_MS 10000 /* each time, while a stop drains */
#define ROUNDS    10000 /* a policy that never settles is our bug */

_Static_assert(EXTEND_MS > 10 * MASTER_PULSE_MS,
               "systemd is asked again long before it loses patience");

struct master master;

static struct {
	struct event *converge;
	struct event *wake;
	struct event *pulse;
	uint32_t stopped_gen; /* the one that a called-off stop resumes */
	bool killed_at_stop;
	pid_t pid; /* ours, as a forked child may not clean up after us */
} loop;

/* --- the view and the actions --- */

struct facts {
	struct policy_view view;
	struct policy_gen *gens;
	struct generation **gen;
	struct worker ***worker; /* per generation, as listed in the view */
	size_t n;
	bool unordered; /* one that drains has workers that have not been told */
};

static void
list_workers(struct facts *f, const struct generation *g, struct policy_gen *pg,
             struct worker ***out)
{
	bool drains = g->state == GEN_DRAINING || g->state == GEN_FAILED;
	struct policy_worker *list = NULL;
	struct worker **who = NULL, *w;
	size_t n = 0;

	TAILQ_FOREACH (w, &g->workers, link) {
		list = mem_grow(list, n, sizeof *list);
		who = mem_grow(who, n, sizeof *who);
		who[n] = w;
		f->unordered |= drains && !w->leaving;
		list[n++] = (struct policy_worker){.slot = w->slot,
		                                   .ready = w->ready,
		                                   .leaving = w->leaving,
		                                   .cutting = w->page->state == STATS_CUTTING,
		                                   .stuck = w->stuck,
		                                   .killed = w->killed,
		                                   .since_ms = w->since_ms,
		                                   .deadline_ms = w->deadline_ms};
	}
	pg->worker = list;
	pg->nworkers = n;
	*out = who;
}

static void
note_moved(struct generation *g)
{
	struct worker *w;
	uint64_t moved = 0;

	TAILQ_FOREACH (w, &g->workers, link)
		moved += stats_counter_of(master.stats, w->page, STATS_HANDED_OFF);
	if (moved != g->moved)
		g->moved_ms = clock_ms();
	g->moved = moved;
}

static void
list_generations(struct facts *f)
{
	struct generation *g;

	TAILQ_FOREACH (g, generation_all(), link)
		note_moved(g);
	TAILQ_FOREACH (g, generation_all(), link) {
		struct policy_gen pg = {.state = g->state,
		                        .since_ms = g->since_ms,
		                        .moved_ms = g->moved_ms,
		                        .want = g->want,
		                        .may_spawn = g->image == master.image,
		                        .died = g->died,
		                        .told = g->told_to_cut,
		                        .kept = master.stop == STOP_DRAIN &&
		                                g->id == loop.stopped_gen,
		                        .slot = g->slot};

		f->gens = mem_grow(f->gens, f->n, sizeof *f->gens);
		f->gen = mem_grow(f->gen, f->n, sizeof *f->gen);
		f->worker = mem_grow(f->worker, f->n, sizeof *f->worker);
		list_workers(f, g, &pg, &f->worker[f->n]);
		if (g == change_new())
			f->view.changing = (int)f->n;
		if ((uint64_t)g->conf->drain.cut_over > f->view.cut_over_ms)
			f->view.cut_over_ms = (uint64_t)g->conf->drain.cut_over;
		f->gens[f->n] = pg;
		f->gen[f->n++] = g;
	}
}

/* The limits in force are those of the newest generation. */
static void
gather(struct facts *f)
{
	const struct generation *newest = TAILQ_LAST(generation_all(), generation_list);

	memset(f, 0, sizeof *f);
	f->view.changing = -1;
	f->view.now_ms = clock_ms();
	f->view.has_old = change_old() != NULL;
	f->view.waiting = change_waiting();
	f->view.stop = master.stop;
	f->view.stop_since_ms = master.stop_since_ms;
	f->view.max_generations = UINT32_MAX;
	list_generations(f);
	f->view.half_open =
	    (master.stop == STOP_FILTER || f->unordered) && listener_half_open();
	f->view.gen = f->gens;
	f->view.ngen = f->n;
	if (newest == NULL)
		return;
	f->view.start_timeout_ms = (uint64_t)newest->conf->server.start_timeout;
	f->view.probation_ms = (uint64_t)newest->conf->server.probation;
	f->view.max_generations = (uint32_t)newest->conf->server.max_generations;
	f->view.lame_duck_ms = (uint64_t)newest->conf->drain.lame_duck;
}

static void
release(struct facts *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free((void *)(uintptr_t)f->gens[i].worker);
		free(f->worker[i]);
	}
	free(f->gens);
	free(f->gen);
	free(f->worker);
}

static void
spawn(struct generation *g, uint32_t slot)
{
	char *cause = NULL;

	if (slot_spawn(g, slot, &cause) == NULL)
		generation_note_death(g, slot, 0, cause);
	free(cause);
}

static void
set_stop(enum policy_stop stop)
{
	master.stop = stop;
	master.stop_since_ms = clock_ms();
}

static void
drain_for_stop(void)
{
	struct generation *g;

	set_stop(STOP_DRAIN);
	TAILQ_FOREACH (g, generation_all(), link)
		if (g->state == GEN_ACTIVE || g->state == GEN_PAUSED)
			loop.stopped_gen = g->id;
	TAILQ_FOREACH (g, generation_all(), link) {
		if (g->state != GEN_FAILED)
			generation_drain(g);
		generation_order(g);
	}
}

static void
timed_out(struct generation *g)
{
	char *why = mem_printf("its workers were not ready within start_timeout (%lld ms)",
	                       (long long)g->conf->server.start_timeout);

	change_fail(g, why);
	free(why);
}

static const char *
why_killed(const struct worker *w)
{
	if (master.stop == STOP_NOW)
		return "baton stops now";
	if (w->stuck)
		return "its loop stands still";
	return w->leaving ? "it has not left by its deadline" : "it is not ready in time";
}

/* True: the facts were freed under the plan, it is void. */
static bool
perform(const struct facts *f, const struct policy_action *a)
{
	struct generation *g = f->n > 0 ? f->gen[a->gen] : NULL;
	struct worker *w;

	switch (a->verb) {
	case POLICY_SPAWN:
		spawn(g, (uint32_t)a->index);
		return false;
	case POLICY_PROMOTE:
		change_promote(g);
		return true;
	case POLICY_FAIL_DIED:
		change_fail(g, g->cause);
		return true;
	case POLICY_FAIL_TIMEOUT:
		timed_out(g);
		return true;
	case POLICY_COMMIT:
		change_commit(g);
		return true;
	case POLICY_LEAVE:
		w = f->worker[a->gen][a->index];
		slot_drain(w, clock_ms() + (uint64_t)g->conf->drain.deadline,
		           MSG_DRAIN_SUCCESSOR);
		return false;
	case POLICY_KILL:
		w = f->worker[a->gen][a->index];
		slot_kill(w, why_killed(w));
		/* At once means by force: then only connections count. */
		loop.killed_at_stop |= master.stop != STOP_NO && master.stop != STOP_NOW;
		return false;
	case POLICY_CUT:
		generation_cut(g);
		return false;
	case POLICY_BEGIN:
		change_begin();
		return true;
	case POLICY_ORDER:
		generation_order(g);
		return false;
	case POLICY_RETIRE:
		generation_free(g);
		return true;
	case POLICY_STOP_FILTER:
		listener_filter(true);
		set_stop(STOP_FILTER);
		return true;
	case POLICY_STOP_DRAIN:
		drain_for_stop();
		return true;
	case POLICY_EXIT:
		event_base_loopbreak(master.base);
		return true;
	}
	return true;
}

/* One plan.  Sets *wake_ms.  True: something was done, ask again. */
static bool
converge_once(uint64_t *wake_ms)
{
	struct facts f;
	struct policy_plan plan;
	bool acted;

	gather(&f);
	policy_next(&f.view, &plan);
	acted = plan.n > 0;
	*wake_ms = plan.wake_ms;
	for (size_t i = 0; i < plan.n; i++) {
		acted = plan.action[i].verb != POLICY_EXIT;
		if (perform(&f, &plan.action[i]))
			break;
	}
	release(&f);
	return acted;
}

static void
wake_at(uint64_t ms)
{
	uint64_t now = clock_ms(), in = ms > now ? ms - now : 0;
	struct timeval tv = {.tv_sec = (time_t)(in / 1000),
	                     .tv_usec = (suseconds_t)(in % 1000 * 1000)};

	if (ms == 0)
		evtimer_del(loop.wake);
	else
		evtimer_add(loop.wake, &tv);
}

static void
on_converge(evutil_socket_t fd, short what, void *arg)
{
	uint64_t wake_ms = 0;
	int rounds = 0;

	(void)fd;
	(void)what;
	(void)arg;
	slot_reap(); /* a death before the time of a decision counts, told or not */
	do {
		assign_run();
		aim_run();
		listener_close_swept();
		AN(rounds++ < ROUNDS);
	} while (converge_once(&wake_ms));
	assign_run();
	aim_run();
	listener_close_swept();
	scale_settle();
	publish();
	wake_at(wake_ms);
	snapshot_take();
	adopt_came_through();
}

void
master_converge(void)
{
	event_active(loop.converge, EV_TIMEOUT, 0);
}

/* --- wishes --- */

static uint32_t
cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 1;
	return (uint32_t)CPU_COUNT(&set);
}

uint32_t
master_workers(const struct conf *conf)
{
	uint32_t n = conf->server.workers > 0 ? (uint32_t)conf->server.workers : cpus();

	if (master.scale > 0)
		n = master.scale;
	return n < 256 ? n : 256;
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

	if (master.stop == STOP_NOW)
		return;
	log_event(EVENT_STOP_NOW, NULL, "stop now: what is open is cut");
	set_stop(STOP_NOW);
	TAILQ_FOREACH (g, generation_all(), link)
		TAILQ_FOREACH (w, &g->workers, link)
			slot_cut(w);
}

void
master_stop(bool now)
{
	uint32_t on = 1;

	if (master.stop == STOP_NO) {
		log_event(EVENT_STOP, NULL, "stop: %s", now ? "at once" : "drain");
		master.cut_at_stop = stats_sum(master.stats, STATS_CUT);
		set_stop(STOP_LAME);
		tell_all(MSG_LAME, &on, sizeof on);
		change_stop(now);
	} else {
		now = true;
	}
	if (now)
		stop_now();
	master_converge();
}

/* The listeners may be closed already: then they are bound again first. */
static int
resume_stopped(char **cause)
{
	struct generation *g = generation_find(loop.stopped_gen);

	if (g == NULL)
		return cause_set(cause, "nothing is left that could go on");
	if (generation_acquire(g, cause) < 0)
		return -1;
	master.stop = STOP_NO;
	generation_resume(g);
	generation_drain_on();
	return 0;
}

int
master_unstop(char **cause)
{
	uint32_t off = 0;

	if (master.stop == STOP_NOW)
		return cause_set(cause, "baton is stopping at once");
	if (notify_told_stopping())
		return cause_set(cause,
		                 "the service manager was told of the stop, and knows no "
		                 "way back from it");
	if (master.stop == STOP_DRAIN && resume_stopped(cause) < 0)
		return -1;
	master.stop = STOP_NO;
	listener_filter(false);
	tell_all(MSG_LAME, &off, sizeof off);
	control_answer_stop(1, "the stop was called off");
	log_event(EVENT_STOP_CALLED_OFF, NULL, "the stop is called off");
	master_converge();
	return 0;
}

const char *
master_state_name(void)
{
	if (master.stop != STOP_NO)
		return "stopping";
	if (!change_busy())
		return "running";
	switch (change_kind()) {
	case CHANGE_START:
		return "starting";
	case CHANGE_RELOAD:
		return "reloading";
	case CHANGE_UPGRADE:
		break;
	}
	return "upgrading";
}

/* --- life --- */

static void
count_dropped(uint64_t lines)
{
	if (master.stats != NULL)
		stats_total_add(master.stats, STATS_LOG_DROPPED, lines);
}

static void
on_pulse(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	log_tell_dropped();
	notify_status(status_sentence());
	if (heartbeat_look())
		notify_watchdog();
	listener_look();
	change_tell_progress();
	scale_settle();
	publish();
	if (aim_incomplete() || heartbeat_any_stuck())
		master_converge();
	if (master.stop != STOP_NO) {
		notify_extend(EXTEND_MS);
		control_tell_stop(status_sentence());
	}
}

static void
start_loop(void)
{
	struct timeval tv = {.tv_usec = MASTER_PULSE_MS * 1000};

	master.base = event_base_new();
	if (master.base == NULL)
		log_fatal("cannot make an event loop");
	loop.converge = event_new(master.base, -1, 0, on_converge, NULL);
	loop.wake = evtimer_new(master.base, on_converge, NULL);
	loop.pulse = event_new(master.base, -1, EV_PERSIST, on_pulse, NULL);
	if (loop.converge == NULL || loop.wake == NULL || loop.pulse == NULL)
		log_fatal("cannot make the loop's events");
	event_add(loop.pulse, &tv);
}

static void
stop_loop(void)
{
	event_free(loop.converge);
	event_free(loop.wake);
	event_free(loop.pulse);
	event_base_free(master.base);
}

/* However this process ends, its socket and pid file do not stay; unless it is
 * about to become the old binary again. */
static void
remove_files(void)
{
	if (getpid() != loop.pid || upgrade_armed())
		return;
	pidfile_stop();
	socketfile_unlink();
	if (!generation_serves())
		store_forget(); /* it is no crash that the next one is to recover from */
}

static void
report_and_exit(const struct conf_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++)
		fprintf(stderr, "%s\n", errors->text[i]);
	exit(1);
}

static void
start_first(void)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_load(master.conf_path, &errors);
	char *cause = NULL;

	if (conf == NULL)
		report_and_exit(&errors);
	if (settings_open_log(conf, &cause) < 0)
		log_fatal("%s", cause);
	log_echo_errors(true);
	log_event(EVENT_START,
	          EVENT_FIELDS(EVENT_TEXT("VERSION", master.program->version),
	                       EVENT_TEXT("CONFIGURATION", master.conf_path)),
	          "baton %s starts, pid %d, configuration %s", master.program->version,
	          (int)getpid(), master.conf_path);
	store_refuse(
	    "socket"); /* there is no state: but clients may be in the sockets' queues */
	master.stats = stats_create(&cause);
	if (master.stats == NULL)
		log_fatal("%s", cause);
	if (control_start(conf->server.control, &cause) < 0) {
		conf_blame(conf, CONF_SERVER, 0, "control", &cause);
		log_fatal("%s", cause);
	}
	if (pidfile_set(conf->server.pid_file, &cause) < 0) {
		conf_blame(conf, CONF_SERVER, 0, "pid_file", &cause);
		log_fatal("%s", cause);
	}
	store_put("stats", 0, stats_fd(master.stats));
	store_put("figures", 0, stats_figures_fd(master.stats));
	snapshot_start(-1);
	adopt_sockets();
	listener_start();
	signals_start();
	if (change_first(conf, &cause) < 0)
		log_fatal("%s", cause);
	store_refuse(NULL);
	adopt_note_refusal();
}

/* Executed by another image of ourselves: take over, or go back. */
static void
start_again(enum upgrade_role role)
{
	char *cause = NULL;

	if (upgrade_read(&cause) < 0)
		log_fatal("%s", cause);
	start_loop();
	if (upgrade_restore(&cause) < 0)
		log_fatal("%s", cause);
	FAULT("restored");
	signals_start();
	slot_reap();
	generation_drain_on(); /* an order may not have been read before the exec */
	if (role == UPGRADE_UP)
		change_continue_upgrade();
	else
		change_rolled_back(upgrade_reason());
	master_converge();
}

static int
farewell(void)
{
	uint64_t cut = stats_sum(master.stats, STATS_CUT) - master.cut_at_stop;
	int exit_code = cut > 0 || loop.killed_at_stop ? 4 : 0;
	char text[128];

	if (cut > 0)
		snprintf(text, sizeof text, "stopped; %llu connection%s had to be cut",
		         (unsigned long long)cut, cut == 1 ? "" : "s");
	else if (loop.killed_at_stop)
		snprintf(text, sizeof text, "stopped; a worker had to be killed");
	else
		snprintf(text, sizeof text, "stopped; every connection was drained");
	log_event(EVENT_STOPPED, EVENT_FIELDS(EVENT_NUMBER("CUT", cut)), "%s", text);
	control_answer_stop(exit_code, text);
	return exit_code;
}

static void
stop_parts(void)
{
	pidfile_stop();
	survey_stop();
	scale_stop();
	generation_free_all();
	control_stop();
	listener_stop();
	history_stop();
	publish_stop();
	snapshot_stop();
	store_drop("stats", 0);
	store_drop("figures", 0);
	stats_free(&master.stats);
	signals_stop();
	stop_loop();
	mem_free(&master.conf_path);
	mem_free(&master.exe_path);
}

int
master_main(const struct program *program, const char *conf_path, const char *exe_path)
{
	enum upgrade_role role = upgrade_role();
	int exit_code;

	master.program = program;
	master.conf_path = mem_strdup(conf_path);
	master.exe_path = mem_strdup(exe_path);
	master.started_ms = clock_ms();
	master.image = 1;
	log_set_who("master");
	log_set_counter(count_dropped);
	log_open("auto", LOGL_INFO, LOGF_AUTO, NULL); /* until a configuration says otherwise */
	loop.pid = getpid();
	atexit(remove_files);
	FAULT("main");
	if (role != UPGRADE_NONE) {
		start_again(role);
	} else {
		store_begin();
		start_loop();
		if (!adopt_start())
			start_first();
	}
	event_base_dispatch(master.base);
	exit_code = farewell();
	stop_parts();
	return exit_code;
}
