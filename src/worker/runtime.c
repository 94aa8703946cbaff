#include "worker/runtime.h"

#include <stddef.h>
#include <stdio.h>

#include "baton.h"
#include "base/clock.h"
#include "base/log.h"
#include "worker/background.h"
#include "worker/ctx.h"
#include "worker/group.h"
#include "worker/offload.h"
#include "worker/pool.h"
#include "worker/post.h"
#include "worker/service.h"
#include "worker/worker.h"

static struct event_base *loop;
static bool draining;
static _Thread_local bool on_loop;

struct event_base *
runtime_base(void)
{
	AN(loop != NULL && on_loop);
	return loop;
}

bool
runtime_on_loop(void)
{
	return on_loop;
}

void
runtime_need_loop(const char *function)
{
	if (!on_loop)
		log_panic("%s was called in a thread, and belongs to the loop", function);
}

void
runtime_start(struct event_base *base, const struct runtime_limits *limits)
{
	if (loop == NULL) {
		loop = base;
		draining = false;
		on_loop = true;
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
	if (loop == NULL)
		return true;
	if (!offload_stop())
		return false;
	runtime_cut();
	return true;
}

void
runtime_free(void)
{
	if (loop == NULL)
		return;
	background_stop();
	ctx_stop();
	post_stop();
	loop = NULL;
}

void
runtime_drain(void)
{
	if (loop == NULL || draining)
		return;
	draining = true;
	baton_ctx_cancel(ctx_drain(), BATON_DRAIN);
	background_drain();
}

void
runtime_undrain(void)
{
	draining = false;
	if (loop != NULL)
		ctx_renew();
}

void
runtime_cut(void)
{
	if (loop != NULL)
		baton_ctx_cancel(ctx_root(), BATON_DRAIN);
}

void
runtime_abandon(void)
{
	if (loop == NULL)
		return;
	offload_abandon();
	background_abandon();
}

void
runtime_each_task(runtime_task_fn *fn, void *arg)
{
	if (loop == NULL)
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

const char *
baton_status_text(int status)
{
	switch (status) {
	case BATON_OK:
		return "done";
	case BATON_CANCELLED:
		return "cancelled";
	case BATON_DEADLINE:
		return "the deadline has passed";
	case BATON_CLOSED:
		return "the connection is gone";
	case BATON_DRAIN:
		return "the worker leaves";
	case BATON_FULL:
		return "a bound is reached";
	case BATON_ANSWERED:
		return "the request has its answer already";
	case BATON_MOVING:
		return "the connection is on its way to another worker";
	case BATON_INVALID:
		return "the argument cannot be used";
	case BATON_FAILED:
		return "failed";
	case BATON_UNREACHABLE:
		return "the target cannot be reached";
	case BATON_BROKEN:
		return "the breaker is open";
	case BATON_AGAIN:
		return "nothing is there now";
	case BATON_BAD_BODY:
		return "what the client sends is no body";
	default:
		return status > 0 ? "an error of the module's own" : "unknown";
	}
}

void
baton_log(enum baton_level level, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	switch (level) {
	case BATON_DEBUG:
		log_debug("%s", text);
		break;
	case BATON_INFO:
		log_info("%s", text);
		break;
	case BATON_WARN:
		log_warn("%s", text);
		break;
	case BATON_ERROR:
		log_error("%s", text);
		break;
	}
}

bool
baton_draining(void)
{
	return worker_draining();
}

bool
baton_stopping(void)
{
	return worker_stopping();
}

unsigned
baton_slot(void)
{
	return worker_slot();
}

uint64_t
baton_birth(void)
{
	return worker_birth();
}

uint64_t
baton_now(void)
{
	return clock_ms();
}
