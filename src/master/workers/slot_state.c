/* slot_state: workers over an upgrade, and of a master that died. */
#include <sys/wait.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/spawn.h"
#include "conf/conf.h"
#include "master/core/env.h"
#include "master/listen/listener.h"
#include "master/state/fdlist.h"
#include "master/state/record.h"
#include "master/workers/generation_int.h"
#include "master/workers/logpipe.h"
#include "master/workers/slot_int.h"
#include "wire/chan.h"
#include "wire/stats.h"

static const struct record_field fields[] = {
    RECORD(worker, birth),    RECORD(worker, slot),        RECORD(worker, pid),
    RECORD(worker, ready),    RECORD(worker, leaving),     RECORD(worker, killed),
    RECORD(worker, since_ms), RECORD(worker, deadline_ms), {.name = NULL}};

static json_t *
number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

json_t *
slot_save(const struct worker *w, struct fdlist *fds)
{
	json_t *j = record_save(fields, w);
	int channel = w->chan != NULL ? chan_fd(w->chan) : -1;
	int log = w->log != NULL ? logpipe_fd(w->log) : -1;

	json_object_set_new(j, "channel", fdlist_put(fds, channel));
	json_object_set_new(j, "log", fdlist_put(fds, log));
	json_object_set_new(j, "adopted", json_boolean(w->pidfd >= 0));
	json_object_set_new(j, "page", number(stats_page_index(env.stats, w->page)));
	json_object_set_new(j, "started", number(stats_page_start_time(env.stats, w->page)));
	return j;
}

/* Nobody may wait for the status of another's child. */
static void
on_gone(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	slot_buried(w, w->page->state == STATS_DRAINING && !w->killed ? 0 : SPAWN_UNKNOWN);
	env_converge();
}

/* A worker whose parent was a master before.  False: it is gone. */
static bool
watch(struct worker *w)
{
	AN(w->pidfd < 0 && w->gone == NULL);
	w->pidfd = process_open(w->pid, stats_page_start_time(env.stats, w->page),
	                        w->chan != NULL && chan_is_alive(w->chan));
	if (w->pidfd < 0)
		return false;
	w->gone = event_new(env.base, w->pidfd, EV_READ, on_gone, w);
	if (w->gone == NULL || event_add(w->gone, NULL) < 0)
		log_fatal("cannot watch a worker: %s", strerror(errno));
	return true;
}

/* Take its state from its page: messages sent while there was no master are lost.  False: it
 * is gone. */
static bool
adopt(struct worker *w)
{
	AN(env.adopts);
	w->ready |= w->page->state != STATS_STARTING;
	if (!w->leaving &&
	    (w->page->state == STATS_DRAINING || w->page->state == STATS_CUTTING)) {
		w->leaving = true;
		w->deadline_ms = clock_ms() + (uint64_t)w->gen->conf->drain.deadline;
	}
	if (!watch(w)) {
		log_warn("worker %u of generation %u (pid %d) ended while there was no master",
		         w->slot, w->gen->id, (int)w->pid);
		return false;
	}
	if (w->chan == NULL)
		log_warn(
		    "the channel of worker %u of generation %u (pid %d) did not come back: "
		    "it leaves by itself",
		    w->slot, w->gen->id, (int)w->pid);
	if (w->chan == NULL && !w->leaving) {
		w->leaving = true;
		w->deadline_ms = clock_ms() + (uint64_t)w->gen->conf->drain.deadline;
	}
	return true;
}

/* An image that has failed may have buried it after this state was told: then its number is
 * nobody's by now, or another's, and so is its page. */
static bool
was_buried(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 &&
	       errno == ECHILD;
}

static uint64_t
number_of(const json_t *j, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(j, name));
}

/* Its channel, and the pipe to the log, as far as they came along. */
static void
restore_ways(struct worker *w, const json_t *j)
{
	int fd = fdlist_get(json_object_get(j, "channel"));

	if (fd >= 0)
		slot_listen(w, fd);
	else
		w->silenced_ms = clock_ms(); /* its end has been seen by the image before us */
	fd = fdlist_get(json_object_get(j, "log"));
	if (fd >= 0)
		w->log = logpipe_again(fd, w->birth);
}

struct worker *
slot_restore(struct generation *gen, const json_t *j)
{
	bool adopted = json_is_true(json_object_get(j, "adopted"));
	struct worker told = {.gen = gen, .pidfd = -1}, *w;
	struct stats_claim claim;

	if (record_restore(fields, j, &told) < 0)
		return NULL;
	if (!env.adopts && !adopted && was_buried(told.pid))
		return NULL;
	claim = (struct stats_claim){.birth = told.birth,
	                             .generation = gen->id,
	                             .slot = told.slot,
	                             .pid = told.pid,
	                             .started = number_of(j, "started"),
	                             .since_ms = told.since_ms};
	told.page = stats_page_claim(env.stats, (size_t)number_of(j, "page"), &claim);
	if (told.page == NULL)
		return NULL;
	w = mem_alloc(sizeof *w);
	*w = told;
	w->unsure = w->successors_unsure = true;
	w->had_up_to = listener_last_id();
	restore_ways(w, j);
	generation_grow_slots(gen, w->slot + 1); /* it may leave a slot that is not wanted */
	TAILQ_INSERT_TAIL(&gen->workers, w, link);
	if (env.adopts ? !adopt(w) : adopted && !watch(w)) {
		slot_buried(w, SPAWN_UNKNOWN);
		return NULL;
	}
	return w;
}
