#include "master/workers/slot.h"

#include <sys/wait.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/spawn.h"
#include "master/core/env.h"
#include "master/listen/listener.h"
#include "master/state/fdlist.h"
#include "master/state/fdstore.h"
#include "master/state/wayback.h"
#include "master/workers/accesslog.h"
#include "master/workers/generation.h"
#include "master/workers/logpipe.h"
#include "master/workers/privileges.h"
#include "master/workers/secrets.h"
#include "master/workers/slot_int.h"
#include "wire/chan.h"
#include "wire/heritage.h"
#include "wire/stats.h"

#define CREDIT_MAX    1024 /* messages that a worker may say of its own accord at once */
#define CREDIT_PER_S  16   /* and all the time */
#define LACKS_COSTS   4    /* it is told all again: twice a second it may ask */
#define LINES_OF_LIST (1u << 18)
#define LINES_MAX     (1u << 22)
#define LEAVING_MS    10000 /* from the end of its channel to its own */

static const struct slot_rules *rules;

static void on_message(struct chan *ch, struct msg *m, void *arg);
static void on_breach(struct chan *ch, const char *what, void *arg);

void
slot_use(const struct slot_rules *with)
{
	rules = with;
}

/* In the child: the worker's life, with nothing of the master but the heritage.
 * The loop's epoll set is shared with the parent: it is replaced before anything
 * in it is taken down. */
static _Noreturn void
child(const struct heritage *h)
{
	event_reinit(env.base);
	event_base_free(env.base);
	wayback_disown();
	exit(env.program->worker(h));
}

static pid_t
fork_worker(struct heritage *h, struct generation *gen, char **cause)
{
	char *missing = NULL;
	int *access;
	pid_t pid;

	h->generation = gen->id;
	h->conf = gen->conf;
	h->stats = env.stats;
	if (privileges_of(gen->conf, h, cause) < 0 ||
	    secrets_open(gen->conf, &gen->secrets, cause) < 0)
		return -1;
	h->tls = gen->secrets;
	h->birth = stats_next_birth(env.stats);
	h->page = stats_page_open(env.stats, h->birth, gen->id, h->slot);
	if (h->page == NULL)
		return cause_set(cause, "no page of statistics is free");
	h->access = access = accesslog_open(gen->conf, &missing);
	if (missing != NULL && gen->state == GEN_STARTING) {
		cause_set(cause, "%s", missing);
		free(missing);
		accesslog_close(gen->conf, &access);
		stats_page_fold(env.stats, h->page);
		return -1;
	}
	if (missing != NULL)
		log_error("%s", missing); /* one that has served serves on without it */
	free(missing);
	pid = spawn_fork();
	if (pid == 0) {
		child(h);
	}
	accesslog_close(gen->conf, &access);
	if (pid < 0) {
		stats_page_fold(env.stats, h->page);
		return cause_set(cause, "cannot fork: %s", strerror(errno));
	}
	stats_page_born(env.stats, h->page, pid);
	return pid;
}

void
slot_listen(struct worker *w, int fd)
{
	AN(w->chan == NULL && fd >= 0);
	w->chan = chan_new(env.base, fd, on_message, w);
	w->credit = CREDIT_MAX;
	w->credit_ms = clock_ms();
	w->lines = LINES_OF_LIST; /* an image before us may have asked */
	chan_guard(w->chan, on_breach);
}

/* The channel, and the pipe to the log; the worker has the second end of each. */
static int
make_ways(int end[2], int log[2], char **cause)
{
	if (chan_pair(end) < 0)
		return cause_set(cause, "cannot make a channel: %s", strerror(errno));
	if (logpipe_pair(log) == 0)
		return 0;
	cause_set(cause, "cannot make a pipe for the log: %s", strerror(errno));
	fd_close(&end[0]);
	fd_close(&end[1]);
	return -1;
}

struct worker *
slot_spawn(struct generation *gen, uint32_t slot, char **cause)
{
	struct heritage h = {.slot = slot};
	struct worker *w;
	int end[2], log[2];
	pid_t pid;

	AN(gen->image == env.image && slot < gen->want);
	AN(gen->state == GEN_STARTING || gen->state == GEN_ACTIVE);
	FAULT("spawn");
	if (make_ways(end, log, cause) < 0)
		return NULL;
	h.channel = end[1];
	h.log = log[1];
	pid = fork_worker(&h, gen, cause);
	fd_close(&end[1]);
	fd_close(&log[1]);
	if (pid < 0) {
		fd_close(&end[0]);
		fd_close(&log[0]);
		return NULL;
	}
	w = mem_alloc(sizeof *w);
	w->gen = gen;
	w->birth = h.birth;
	w->slot = slot;
	w->pid = pid;
	w->page = h.page;
	w->pidfd = -1;
	w->since_ms = clock_ms();
	slot_listen(w, end[0]);
	fdstore_put("channel", w->birth, end[0]);
	if (log[0] >= 0)
		w->log = logpipe_new(log[0], w->birth);
	TAILQ_INSERT_TAIL(&gen->workers, w, link);
	if (env.stop == STOP_LAME)
		slot_tell(w, MSG_LAME, &(uint32_t){1}, sizeof(uint32_t));
	log_event(EVENT_WORKER_BORN, SLOT_FIELDS(w),
	          "worker %u of generation %u is born: birth %llu, pid %d", slot, gen->id,
	          (unsigned long long)w->birth, (int)pid);
	return w;
}

bool
slot_able(const struct worker *w)
{
	return w->ready && !w->leaving && !w->killed && w->chan != NULL;
}

void
slot_tell(struct worker *w, enum msg_type type, const void *body, size_t len)
{
	if (w->chan != NULL)
		chan_send(w->chan, type, w->birth, body, len, NULL);
}

void
slot_drain(struct worker *w, uint64_t deadline_ms, uint32_t flags)
{
	const struct conf_drain *limits = &w->gen->conf->drain;
	struct msg_drain order = {.deadline_ms = deadline_ms,
	                          .cut_over_ms = (uint32_t)limits->cut_over,
	                          .flags = flags};

	AN(deadline_ms > 0);
	w->leaving = true;
	w->deadline_ms = deadline_ms;
	slot_tell(w, MSG_DRAIN, &order, sizeof order);
	if (!(flags & MSG_DRAIN_SWEEP)) {
		mem_free(&w->held);
		w->nheld = 0;
	}
}

void
slot_resume(struct worker *w)
{
	AN(w->leaving && !w->killed);
	w->leaving = false;
	w->unsure = w->successors_unsure = true;
	slot_tell(w, MSG_RESUME, NULL, 0);
}

void
slot_cut(struct worker *w)
{
	w->leaving = true;
	w->deadline_ms = clock_ms();
	slot_tell(w, MSG_CUT, NULL, 0);
}

void
slot_kill(struct worker *w, const char *why)
{
	if (w->killed)
		return;
	log_event(EVENT_WORKER_KILLED, SLOT_FIELDS_AND(w, EVENT_TEXT("REASON", why)),
	          "worker %u of generation %u (pid %d) is killed: %s", w->slot, w->gen->id,
	          (int)w->pid, why);
	w->killed = true;
	if ((w->pidfd >= 0 ? process_signal(w->pidfd, SIGKILL) : kill(w->pid, SIGKILL)) < 0 &&
	    errno != ESRCH)
		log_error("worker %u of generation %u (pid %d) cannot be killed: %s", w->slot,
		          w->gen->id, (int)w->pid, strerror(errno));
}

void
slot_distrust(struct worker *w, const char *why)
{
	if (w->lied)
		return;
	w->lied = true;
	log_event(EVENT_WORKER_LIED, SLOT_FIELDS_AND(w, EVENT_TEXT("REASON", why)),
	          "worker %u of generation %u (pid %d) is not to be trusted: %s", w->slot,
	          w->gen->id, (int)w->pid, why);
	slot_kill(w, "it is not to be trusted");
}

void
slot_became_ready(struct worker *w)
{
	if (w->ready)
		return;
	w->ready = true;
	stats_page_ready(env.stats, w->page);
	log_event(EVENT_WORKER_READY, SLOT_FIELDS(w),
	          "worker %u of generation %u is ready after %llu ms", w->slot, w->gen->id,
	          (unsigned long long)(clock_ms() - w->since_ms));
}

void
slot_wants_to_leave(struct worker *w)
{
	if (w->leaving)
		return;
	log_info("worker %u of generation %u was asked to leave", w->slot, w->gen->id);
	slot_drain(w, clock_ms() + (uint64_t)w->gen->conf->drain.deadline, MSG_DRAIN_SUCCESSOR);
}

void
slot_swept(struct worker *w)
{
	mem_free(&w->held);
	w->nheld = 0;
}

void
slot_take_last_words(struct worker *w, const struct msg *m)
{
	free(w->last_words);
	w->last_words = mem_strndup(m->data, m->len);
}

static void
on_breach(struct chan *ch, const char *what, void *arg)
{
	(void)ch;
	slot_distrust(arg, what);
}

/* Has it said too much?  What it was asked for is no matter, up to a bound. */
static bool
overdraws(struct worker *w, const struct msg *m)
{
	uint64_t now = clock_ms(), ms = now - w->credit_ms;
	uint32_t cost = m->type == MSG_NO_FDS ? LACKS_COSTS : 1;
	bool listed = m->type == MSG_CONN || m->type == MSG_TASK || m->type == MSG_LIST_END;

	if (listed && w->lines > 0) {
		w->lines--;
		return false;
	}
	if (ms >= 1000 / CREDIT_PER_S) {
		uint64_t credit = w->credit + ms * CREDIT_PER_S / 1000;

		w->credit = credit < CREDIT_MAX ? (uint32_t)credit : CREDIT_MAX;
		w->credit_ms = now;
	}
	if (w->credit < cost)
		return true;
	w->credit -= cost;
	return false;
}

static void
on_message(struct chan *ch, struct msg *m, void *arg)
{
	struct worker *w = arg;

	(void)ch;
	if (m == NULL) {
		chan_free(&w->chan); /* its death tells the rest */
		w->silenced_ms = clock_ms();
		env_converge();
		return;
	}
	if (w->lied)
		return;
	if (overdraws(w, m))
		slot_distrust(w, "it says more than any worker has to say");
	else if (rules->heard(w, m))
		env_converge();
}

/* A worker that has closed its channel is about to end. */
const char *
slot_doubt(struct worker *w)
{
	bool silent = w->chan == NULL && w->silenced_ms != 0 && !w->leaving;

	if (silent && clock_ms() - w->silenced_ms > LEAVING_MS)
		return "it has closed its channel, and has not ended";
	return stats_page_look(env.stats, w->page);
}

void
slot_ask(struct worker *w, const struct msg_list *order, size_t len)
{
	if (w->chan == NULL || !chan_idle(w->chan))
		return; /* it has more to read than it does; it counts as silent */
	if (w->lines < LINES_MAX)
		w->lines += LINES_OF_LIST;
	slot_tell(w, MSG_LIST, order, len);
}

/* It was told to stay when it had already decided to leave. */
static bool
left_in_order(const struct worker *w, int status)
{
	return status == 0 && w->page->state == STATS_DRAINING && !w->lied;
}

static void
log_end(const struct worker *w, int status, uint64_t lost)
{
	bool orderly = (w->leaving && !w->killed && status == 0) || left_in_order(w, status);

	if (orderly && lost == 0)
		log_event(EVENT_WORKER_LEFT, SLOT_FIELDS(w),
		          "worker %u of generation %u has left", w->slot, w->gen->id);
	else
		log_event(
		    EVENT_WORKER_DIED,
		    SLOT_FIELDS_AND(w, EVENT_TEXT("STATUS", spawn_status_text(status)),
		                    EVENT_NUMBER("LOST", lost)),
		    "worker %u of generation %u (pid %d) ended with %s; %llu connections went "
		    "with it",
		    w->slot, w->gen->id, (int)w->pid, spawn_status_text(status),
		    (unsigned long long)lost);
}

void
slot_buried(struct worker *w, int status)
{
	struct generation *g = w->gen;
	bool missed = !w->leaving && !left_in_order(w, status);
	char *cause = NULL;
	uint64_t lost;

	AN(g != NULL && w->page != NULL);
	if (w->chan != NULL)
		chan_read_rest(w->chan); /* its last words may still be there */
	logpipe_end(&w->log);
	g->cut += stats_counter_of(env.stats, w->page, STATS_CUT);
	lost = stats_page_fold(env.stats, w->page);
	g->cut += lost;
	log_end(w, status, lost);
	if (missed) {
		stats_total_add(env.stats, STATS_WORKER_DEATHS, 1);
		if (w->last_words != NULL)
			cause_set(&cause, "%s", w->last_words);
		else
			cause_set(&cause, "worker %u %s with %s", w->slot,
			          w->killed && !w->ready ? "was not ready in time and ended"
			          : w->ready             ? "died"
			                                 : "died before it was ready",
			          spawn_status_text(status));
		rules->died(w, clock_ms() - w->since_ms, cause);
		free(cause);
	}
	slot_free(w);
}

bool
slot_had(const struct worker *w, uint32_t id)
{
	if (id <= w->had_up_to)
		return true;
	for (size_t i = 0; i < w->nhad; i++)
		if (w->had[i] == id)
			return true;
	return false;
}

void
slot_gets(struct worker *w, uint32_t id)
{
	AN(id > 0);
	if (slot_had(w, id))
		return;
	w->had = mem_grow(w->had, w->nhad, sizeof *w->had);
	w->had[w->nhad++] = id;
}

void
slot_free(struct worker *w)
{
	TAILQ_REMOVE(&w->gen->workers, w, link);
	rules->gone(w);
	chan_free(&w->chan);
	fdstore_drop("channel", w->birth); /* when nothing is in it any more */
	logpipe_end(&w->log);
	if (w->gone != NULL)
		event_free(w->gone);
	fd_close(&w->pidfd);
	free(w->held);
	free(w->had);
	free(w->aims);
	free(w->last_words);
	free(w);
}
