#include "worker/runtime/loop.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "baton.h"
#include "worker/core/self.h"

static struct event_base *loop;
static _Thread_local bool is_mine;

void
loop_begin(struct event_base *base)
{
	loop = base;
	is_mine = true;
}

void
loop_end(void)
{
	loop = NULL;
}

bool
loop_runs(void)
{
	return loop != NULL;
}

struct event_base *
loop_base(void)
{
	AN(loop != NULL && is_mine);
	return loop;
}

bool
loop_is_mine(void)
{
	return is_mine;
}

void
loop_need(const char *function)
{
	if (!is_mine)
		log_panic("%s was called in a thread, and belongs to the loop", function);
}

/* --- what handlers ask of it --- */

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
	return self_draining();
}

bool
baton_stopping(void)
{
	return self_stopping();
}

unsigned
baton_slot(void)
{
	return self_slot();
}

uint64_t
baton_birth(void)
{
	return self_birth();
}

uint64_t
baton_now(void)
{
	return clock_ms();
}
