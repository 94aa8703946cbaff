#include "worker/runtime/runtime.h"

#include <stddef.h>

#include "baton.h"
#include "worker/runtime/background.h"
#include "worker/runtime/ctx.h"
#include "worker/runtime/group.h"
#include "worker/runtime/loop.h"
#include "worker/runtime/offload.h"
#include "worker/runtime/pool.h"
#include "worker/runtime/post.h"

static bool draining;

void
runtime_start(struct event_base *base, const struct runtime_limits *limits)
{
	if (!loop_runs()) {
		loop_begin(base);
		draining = false;
		post_start();
		ctx_start();
		background_start();
	}
	offload_limits(limits->threads, limits->queue);
	background_limit(limits->background);
}

bool
runtime_stop(void)
{
	if (!loop_runs())
		return true;
	if (!offload_stop())
		return false;
	runtime_cut();
	return true;
}

void
runtime_free(void)
{
	if (!loop_runs())
		return;
	background_stop();
	ctx_stop();
	post_stop();
	loop_end();
}

void
runtime_drain(void)
{
	if (!loop_runs() || draining)
		return;
	draining = true;
	baton_ctx_cancel(ctx_drain(), BATON_DRAIN);
	background_drain();
}

void
runtime_undrain(void)
{
	draining = false;
	if (loop_runs())
		ctx_renew();
}

void
runtime_cut(void)
{
	if (loop_runs())
		baton_ctx_cancel(ctx_root(), BATON_DRAIN);
}

void
runtime_abandon(void)
{
	if (!loop_runs())
		return;
	offload_abandon();
	background_abandon();
}

void
runtime_each_task(runtime_task_fn *fn, void *arg)
{
	if (!loop_runs())
		return;
	ctx_each(fn, arg);
	offload_each(fn, arg);
	background_each(fn, arg);
	group_each(fn, arg);
	pool_each(fn, arg);
}

const char *
runtime_warning(const struct runtime_task *task, uint64_t now)
{
	return task->warning != NULL && now >= task->due_ms ? task->warning : NULL;
}
