#include "master/master.h"

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
#include "master/change/change.h"
#include "master/change/scale.h"
#include "master/change/settings.h"
#include "master/change/stop.h"
#include "master/control/control.h"
#include "master/control/socketfile.h"
#include "master/converge.h"
#include "master/core/notify.h"
#include "master/listen/listener.h"
#include "master/parts.h"
#include "master/signals.h"
#include "master/state/fdstore.h"
#include "master/state/pidfile.h"
#include "master/state/snapshot.h"
#include "master/state/upgrade.h"
#include "master/verbs/dispatch.h"
#include "master/verbs/publish.h"
#include "master/verbs/status.h"
#include "master/verbs/verbs.h"
#include "master/workers/assign.h"
#include "master/workers/generation.h"
#include "master/workers/heartbeat.h"
#include "master/workers/mend.h"
#include "master/workers/ticketkeys.h"
#include "master/workers/slot.h"
#include "master/workers/successors.h"
#include "wire/chan.h"
#include "wire/stats.h"

#define EXTEND_MS 10000 /* each time, while a stop drains */

_Static_assert(EXTEND_MS > 10 * ENV_PULSE_MS,
               "systemd is asked again long before it loses patience");

static struct {
	struct event *pulse;
	pid_t pid; /* ours, as a forked child may not clean up after us */
} loop;

static void
count_dropped(uint64_t lines)
{
	if (env.stats != NULL)
		stats_total_add(env.stats, STATS_LOG_DROPPED, lines);
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
	mend_look();
	ticketkeys_look();
	change_tell_progress();
	scale_settle();
	publish();
	if (successors_incomplete() || heartbeat_any_stuck())
		env_converge();
	if (env.stop != STOP_NO) {
		notify_extend(EXTEND_MS);
		control_tell_stop(status_sentence());
	}
}

static void
start_loop(void)
{
	struct timeval tv = {.tv_usec = ENV_PULSE_MS * 1000};

	env.base = event_base_new();
	if (env.base == NULL)
		log_fatal("cannot make an event loop");
	converge_start();
	loop.pulse = event_new(env.base, -1, EV_PERSIST, on_pulse, NULL);
	if (loop.pulse == NULL)
		log_fatal("cannot make the loop's events");
	event_add(loop.pulse, &tv);
}

static void
stop_loop(void)
{
	converge_stop();
	event_free(loop.pulse);
	event_base_free(env.base);
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
	if (generation_serves())
		return;
	listener_unlink_all();
	fdstore_forget(); /* it is no crash that the next one is to recover from */
}

static void
report_and_exit(const struct conf_errors *errors)
{
	char *all = conf_errors_join(errors);

	fprintf(stderr, "%s\n", all);
	free(all);
	exit(1);
}

static void
start_first(void)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_load(env.conf_path, &errors);
	char *cause = NULL;

	if (conf == NULL)
		report_and_exit(&errors);
	if (settings_open_log(conf, &cause) < 0)
		log_fatal("%s", cause);
	log_echo_errors(true);
	log_event(EVENT_START,
	          EVENT_FIELDS(EVENT_TEXT("VERSION", env.program->version),
	                       EVENT_TEXT("CONFIGURATION", env.conf_path)),
	          "baton %s starts, pid %d, configuration %s", env.program->version,
	          (int)getpid(), env.conf_path);
	fdstore_refuse(
	    "socket"); /* there is no state: but clients may be in the sockets' queues */
	env.stats = stats_create(&cause);
	if (env.stats == NULL)
		log_fatal("%s", cause);
	if (control_start(conf->server.control, &cause) < 0) {
		conf_blame(conf, CONF_SERVER, 0, "control", &cause);
		log_fatal("%s", cause);
	}
	if (pidfile_set(conf->server.pid_file, &cause) < 0) {
		conf_blame(conf, CONF_SERVER, 0, "pid_file", &cause);
		log_fatal("%s", cause);
	}
	fdstore_put("stats", 0, stats_fd(env.stats));
	fdstore_put("figures", 0, stats_figures_fd(env.stats));
	snapshot_start(-1);
	adopt_sockets();
	listener_start();
	signals_start();
	if (change_first(conf, &cause) < 0)
		log_fatal("%s", cause);
	fdstore_refuse(NULL);
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
	verbs_after_restore();
	mend_lost_holder(); /* of the image before us, maybe */
	FAULT("restored");
	signals_start();
	dispatch_reap();
	generation_drain_on(); /* an order may not have been read before the exec */
	if (role == UPGRADE_UP)
		change_continue_upgrade();
	else
		change_rolled_back(upgrade_reason());
	env_converge();
}

static void
stop_all(void)
{
	parts_stop();
	signals_stop();
	stop_loop();
	mem_free(&env.conf_path);
	mem_free(&env.exe_path);
}

int
master_main(const struct program *program, const char *conf_path, const char *exe_path)
{
	enum upgrade_role role = upgrade_role();
	const char *text;
	int exit_code;

	env.program = program;
	env.conf_path = mem_strdup(conf_path);
	env.exe_path = mem_strdup(exe_path);
	env.started_ms = clock_ms();
	env.image = 1;
	log_set_who("master");
	log_set_counter(count_dropped);
	log_open("auto", LOGL_INFO, LOGF_AUTO, NULL); /* until a configuration says otherwise */
	loop.pid = getpid();
	atexit(remove_files);
	FAULT("main");
	parts_start();
	verbs_start();
	dispatch_start();
	if (role != UPGRADE_NONE) {
		start_again(role);
	} else {
		fdstore_begin();
		start_loop();
		if (!adopt_start())
			start_first();
	}
	event_base_dispatch(env.base);
	text = stop_farewell(&exit_code);
	control_answer_stop(exit_code, text);
	stop_all();
	return exit_code;
}
