#include "service/http/drained.h"

#include <stddef.h>

#include "baton.h"
#include "service/http/called.h"
#include "service/http/handle.h"
#include "worker/ctx.h"

void
drained_tell(struct call *call)
{
	void (*fn)(void *) = call->drain;
	struct origin before;

	if (!call_is_drain_due(call))
		return;
	call->drain = NULL;
	before = call_enter(call);
	fn(call->drain_arg);
	origin_leave(before);
}

static void
forget(struct call *call)
{
	baton_ctx_unwatch(&call->drain_watch);
	call->drain = NULL;
}

static void
on_drain(void *arg, int cause)
{
	(void)cause;
	call_wake(arg);
}

int
baton_request_drain(baton_request r, void (*fn)(void *arg), void *arg)
{
	int status;
	struct call *call = handle_find(__func__, r, &status);

	if (call == NULL)
		return status;
	forget(call);
	call->drain = fn;
	call->drain_arg = arg;
	if (fn != NULL && baton_ctx_watch(ctx_drain(), &call->drain_watch, on_drain, call) != 0)
		call_wake(call);
	return 0;
}
