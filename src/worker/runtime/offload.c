#include "worker/runtime/offload.h"

#include <sys/prctl.h>
#include <sys/queue.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "worker/core/waitgroup.h"
#include "worker/runtime/crash.h"
#include "worker/runtime/ctx.h"
#include "worker/runtime/loop.h"
#include "worker/runtime/origin.h"
#include "worker/runtime/runtime.h"

#define THREADS_MAX 256
#define LIMIT_MS    10000 /* of a task that names none */
#define LOOK_MS     100   /* between two looks for stuck tasks */

enum job_state { QUEUED, RUNNING, ENDED };

struct job {
	struct baton_task task;
	struct baton_ctx *ctx; /* held */
	struct baton_watch watch;
	struct origin origin;
	const char *place;
	uint64_t born_ms;
	TAILQ_ENTRY(job) all;
	bool done;      /* `done` was called */
	bool told;      /* that it is stuck */
	bool abandoned; /* not in the waitgroup any more */
	bool posted;    /* settle_cancelled is on its way */
	bool over;      /* no thread has it any more, or will */
	/* under the lock */
	STAILQ_ENTRY(job) link;
	enum job_state state;
	int result;
	uint64_t begun_ms;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work_there = PTHREAD_COND_INITIALIZER;
static _Thread_local const struct job *mine; /* in a thread: what it works on */

static struct {
	bool on;
	unsigned max_threads, max_queue;
	TAILQ_HEAD(, job) all;
	pthread_t thread[THREADS_MAX];
	unsigned nthreads;
	struct event look;
	unsigned long long ndone, nrefused, nstuck;
	/* under the lock */
	STAILQ_HEAD(, job) queue;
	unsigned queued, running;
	bool stopping;
} of;

static void settle(void *arg);

/* --- the thread's side --- */

static struct job *
next_job(void)
{
	struct job *j;

	while (STAILQ_EMPTY(&of.queue) && !of.stopping)
		pthread_cond_wait(&work_there, &lock);
	if (of.stopping)
		return NULL;
	j = STAILQ_FIRST(&of.queue);
	STAILQ_REMOVE_HEAD(&of.queue, link);
	AN(j->state == QUEUED && of.queued > 0);
	of.queued--;
	of.running++;
	j->state = RUNNING;
	j->begun_ms = clock_ms();
	return j;
}

static void *
thread_main(void *arg)
{
	char stack[CRASH_STACK];
	struct job *j;

	(void)arg;
	prctl(PR_SET_NAME, "baton-offload");
	crash_use_stack(stack);
	pthread_mutex_lock(&lock);
	while ((j = next_job()) != NULL) {
		struct origin before;
		int result;

		pthread_mutex_unlock(&lock);
		mine = j;
		before = origin_enter(j->origin);
		result = j->task.work(j->task.arg);
		origin_leave(before);
		mine = NULL;
		pthread_mutex_lock(&lock);
		AN(j->state == RUNNING && of.running > 0);
		j->result = result;
		j->state = ENDED;
		of.running--;
		baton_post(settle, j);
	}
	pthread_mutex_unlock(&lock);
	return NULL;
}

int
baton_task_cause(void)
{
	return mine != NULL ? baton_ctx_cause(mine->ctx) : 0;
}

uint64_t
baton_task_left(void)
{
	return mine != NULL ? baton_ctx_left(mine->ctx) : UINT64_MAX;
}

/* --- the loop's side --- */

static bool
start_thread(void)
{
	sigset_t every, before;
	int error;

	sigfillset(&every);        /* signals are the loop's */
	sigdelset(&every, SIGSYS); /* but who is refused by the sandbox hears it himself, */
	crash_unblock(&every);     /* and who is at fault */
	pthread_sigmask(SIG_SETMASK, &every, &before);
	error = pthread_create(&of.thread[of.nthreads], NULL, thread_main, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0) {
		log_error("cannot start a thread: %s", strerror(error));
		return false;
	}
	of.nthreads++;
	return true;
}

static void
tell_done(struct job *j, int status)
{
	struct origin before = origin_enter(j->origin);

	AN(!j->done);
	j->done = true;
	baton_ctx_unwatch(&j->watch);
	if (j->task.done != NULL)
		j->task.done(j->task.arg, status);
	origin_leave(before);
}

static void
release(struct job *j)
{
	struct origin before = origin_enter(j->origin);

	AN(j->done && !j->posted);
	TAILQ_REMOVE(&of.all, j, all);
	of.ndone++;
	if (!j->abandoned)
		waitgroup_done_task();
	if (j->task.release != NULL)
		j->task.release(j->task.arg);
	origin_leave(before);
	baton_ctx_drop(&j->ctx);
	free(j);
	if (TAILQ_EMPTY(&of.all))
		event_del(&of.look);
}

/* The thread is done with it. */
static void
settle(void *arg)
{
	struct job *j = arg;
	int cause = baton_ctx_cause(j->ctx);

	if (!j->done)
		tell_done(j, cause != 0 ? cause : j->result);
	j->over = true;
	if (!j->posted)
		release(j);
}

/* Its ctx has ended; the thread may be done with it before or after this. */
static void
settle_cancelled(void *arg)
{
	struct job *j = arg;

	AN(j->posted);
	j->posted = false;
	if (!j->done)
		tell_done(j, baton_ctx_cause(j->ctx));
	if (j->over)
		release(j);
}

static void
on_cancel(void *arg, int cause)
{
	struct job *j = arg;

	(void)cause;
	pthread_mutex_lock(&lock);
	if (j->state == QUEUED) {
		STAILQ_REMOVE(&of.queue, j, job, link);
		of.queued--;
		j->state = ENDED;
		j->over = true;
	}
	pthread_mutex_unlock(&lock);
	j->posted = true;
	baton_post(settle_cancelled, j);
}

static void
look_again(void)
{
	struct timeval tv = {.tv_usec = LOOK_MS * 1000};

	event_add(&of.look, &tv);
}

static uint64_t
limit_of(const struct job *j)
{
	return j->task.limit_ms != 0 ? j->task.limit_ms : LIMIT_MS;
}

static void
look_at(struct job *j, uint64_t now)
{
	uint64_t begun;

	pthread_mutex_lock(&lock);
	begun = j->state == RUNNING ? j->begun_ms : now;
	pthread_mutex_unlock(&lock);
	if (j->told || now - begun < limit_of(j))
		return;
	j->told = true;
	of.nstuck++;
	log_warn("task '%s' (%s) is stuck: it has run for %llu ms%s", j->task.name, j->place,
	         (unsigned long long)(now - begun),
	         baton_ctx_cause(j->ctx) != 0 ? ", and nobody waits for it any more" : "");
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	uint64_t now = clock_ms();
	struct job *j;

	(void)fd;
	(void)what;
	(void)arg;
	TAILQ_FOREACH (j, &of.all, all)
		look_at(j, now);
	if (!TAILQ_EMPTY(&of.all))
		look_again();
}

static int
refuse(const struct baton_task *task, const char *place)
{
	if (of.nrefused++ == 0)
		log_warn("task '%s' (%s) is refused: %u wait already", task->name, place,
		         of.max_queue);
	return BATON_FULL;
}

int
baton_offload_at(struct baton_ctx *ctx, const struct baton_task *task, const char *place)
{
	struct job *j;
	int cause;
	unsigned there;

	ON_LOOP();
	if (ctx == NULL)
		ctx = ctx_root();
	if ((cause = baton_ctx_cause(ctx)) != 0)
		return cause;
	if (of.stopping)
		return BATON_DRAIN;
	pthread_mutex_lock(&lock);
	there = of.queued + of.running;
	pthread_mutex_unlock(&lock);
	if (there >= of.max_threads + of.max_queue)
		return refuse(task, place);
	if (there >= of.nthreads && of.nthreads < of.max_threads && !start_thread() &&
	    of.nthreads == 0)
		return BATON_FAILED;
	j = mem_alloc(sizeof *j);
	j->task = *task;
	j->ctx = baton_ctx_hold(ctx);
	j->origin = origin_now();
	j->place = place;
	j->born_ms = clock_ms();
	baton_ctx_watch(ctx, &j->watch, on_cancel, j);
	if (TAILQ_EMPTY(&of.all))
		look_again();
	TAILQ_INSERT_TAIL(&of.all, j, all);
	waitgroup_add_task();
	pthread_mutex_lock(&lock);
	STAILQ_INSERT_TAIL(&of.queue, j, link);
	of.queued++;
	pthread_cond_signal(&work_there);
	pthread_mutex_unlock(&lock);
	return 0;
}

void
offload_abandon(void)
{
	struct job *j;

	TAILQ_FOREACH (j, &of.all, all) {
		if (j->abandoned)
			continue;
		log_warn("task '%s' (%s) does not end: left behind after %llu ms", j->task.name,
		         j->place, (unsigned long long)(clock_ms() - j->born_ms));
		j->abandoned = true;
		waitgroup_done_task();
	}
}

static const char *
state_text(const struct job *j, enum job_state state)
{
	if (state == QUEUED)
		return "waits for a thread";
	if (state == ENDED)
		return "has run";
	if (j->abandoned)
		return "runs in a thread, left behind";
	if (j->told)
		return "runs in a thread, stuck";
	return j->done ? "runs in a thread, and nobody waits for it" : "runs in a thread";
}

/* The first limit that a running task exceeds. */
static void
judge(const struct job *j, struct runtime_task *t)
{
	uint64_t ended = ctx_ended_ms(j->ctx);

	t->warning = "it has run for longer than its limit";
	t->due_ms = clock_add(t->since_ms, limit_of(j));
	if (ended == 0 || ended + RUNTIME_GRACE_MS >= t->due_ms)
		return;
	t->warning = "it runs on after the end of its ctx";
	t->due_ms = ended + RUNTIME_GRACE_MS;
}

void
offload_each(runtime_task_fn *fn, void *arg)
{
	struct job *j;

	TAILQ_FOREACH (j, &of.all, all) {
		struct runtime_task t = {.kind = MSG_TASK_OFFLOAD,
		                         .name = j->task.name,
		                         .place = j->place,
		                         .counted = !j->abandoned,
		                         .born_ms = j->born_ms,
		                         .since_ms = j->born_ms,
		                         .deadline_ms = ctx_deadline_ms(j->ctx)};
		enum job_state state;

		pthread_mutex_lock(&lock);
		state = j->state;
		if (state != QUEUED)
			t.since_ms = j->begun_ms;
		pthread_mutex_unlock(&lock);
		t.state = state_text(j, state);
		if (state == RUNNING)
			judge(j, &t);
		fn(arg, &t);
	}
}

void
offload_limits(unsigned threads, unsigned queue)
{
	if (!of.on) {
		TAILQ_INIT(&of.all);
		STAILQ_INIT(&of.queue);
		evtimer_assign(&of.look, loop_base(), on_look, NULL);
		of.on = true;
		of.stopping = false;
	}
	if (threads > of.max_threads)
		of.max_threads = threads < THREADS_MAX ? threads : THREADS_MAX;
	if (queue > of.max_queue)
		of.max_queue = queue;
}

void
offload_stats(struct offload_stats *s)
{
	pthread_mutex_lock(&lock);
	*s = (struct offload_stats){.threads = of.nthreads,
	                            .running = of.running,
	                            .queued = of.queued,
	                            .done = of.ndone,
	                            .refused = of.nrefused,
	                            .stuck = of.nstuck};
	pthread_mutex_unlock(&lock);
}

bool
offload_stop(void)
{
	struct job *j;
	bool running;

	pthread_mutex_lock(&lock);
	of.stopping = true;
	running = of.running > 0;
	pthread_cond_broadcast(&work_there);
	pthread_mutex_unlock(&lock);
	if (running)
		return false;
	while (of.nthreads > 0)
		pthread_join(of.thread[--of.nthreads], NULL);
	while ((j = TAILQ_FIRST(&of.all)) != NULL) {
		baton_ctx_unwatch(&j->watch);
		if (!j->done)
			tell_done(j, BATON_DRAIN);
		release(j);
	}
	event_del(&of.look);
	of.on = false;
	of.max_threads = of.max_queue = 0;
	return true;
}
