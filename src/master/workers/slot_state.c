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
#include "master/workers/generation_int.h"
#include "master/workers/logpipe.h"
#include "master/workers/slot_int.h"
#include "wire/chan.h"
#include "wire/stats.h"

json_t *
slot_save(const struct worker *w, struct fdlist *fds)
{
	return json_pack(
	    "{s:I, s:i, s:i, s:o, s:o, s:b, s:b, s:b, s:I, s:I, s:b, s:I, s:I}", "birth",
	    (json_int_t)w->birth, "slot", (int)w->slot, "pid", (int)w->pid, "channel",
	    fdlist_put(fds, w->chan != NULL ? chan_fd(w->chan) : -1), "log",
	    fdlist_put(fds, w->log != NULL ? logpipe_fd(w->log) : -1), "ready", w->ready,
	    "leaving", w->leaving, "killed", w->killed, "since_ms", (json_int_t)w->since_ms,
	    "deadline_ms", (json_int_t)w->deadline_ms, "adopted", w->pidfd >= 0, "page",
	    (json_int_t)stats_page_index(env.stats, w->page), "started",
	    (json_int_t)stats_page_start_time(env.stats, w->page));
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

/* What was said when nobody listened is in its page, too.  False: it is gone. */
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

struct worker *
slot_restore(struct generation *gen, const json_t *j)
{
	json_int_t birth, since, deadline;
	int slot, pid, ready, leaving, killed, fd;
	bool adopted;
	struct stats_claim claim;
	struct stats_page *page;
	struct worker *w;

	if (json_unpack((json_t *)(uintptr_t)j, "{s:I, s:i, s:i, s:b, s:b, s:b, s:I, s:I}",
	                "birth", &birth, "slot", &slot, "pid", &pid, "ready", &ready, "leaving",
	                &leaving, "killed", &killed, "since_ms", &since, "deadline_ms",
	                &deadline) < 0)
		return NULL;
	adopted = json_is_true(json_object_get(j, "adopted"));
	if (!env.adopts && !adopted && was_buried(pid))
		return NULL;
	claim = (struct stats_claim){
	    .birth = (uint64_t)birth,
	    .generation = gen->id,
	    .slot = (uint32_t)slot,
	    .pid = pid,
	    .started = (uint64_t)json_integer_value(json_object_get(j, "started")),
	    .since_ms = (uint64_t)since};
	page = stats_page_claim(env.stats,
	                        (size_t)json_integer_value(json_object_get(j, "page")), &claim);
	if (page == NULL)
		return NULL;
	w = mem_alloc(sizeof *w);
	w->gen = gen;
	w->birth = (uint64_t)birth;
	w->slot = (uint32_t)slot;
	w->pid = pid;
	w->page = page;
	w->ready = ready;
	w->leaving = leaving;
	w->killed = killed;
	w->since_ms = (uint64_t)since;
	w->deadline_ms = (uint64_t)deadline;
	w->unsure = w->successors_unsure = true;
	w->had_up_to = listener_last_id();
	w->pidfd = -1;
	fd = fdlist_get(json_object_get(j, "channel"));
	if (fd >= 0)
		slot_listen(w, fd);
	else
		w->silenced_ms = clock_ms(); /* its end has been seen by the image before us */
	fd = fdlist_get(json_object_get(j, "log"));
	if (fd >= 0)
		w->log = logpipe_again(fd, w->birth);
	generation_grow_slots(gen, w->slot + 1); /* it may leave a slot that is not wanted */
	TAILQ_INSERT_TAIL(&gen->workers, w, link);
	if (env.adopts ? !adopt(w) : adopted && !watch(w)) {
		slot_buried(w, SPAWN_UNKNOWN);
		return NULL;
	}
	return w;
}
