#include "service/http/handler_drain.h"

#include <stddef.h>

#include "baton.h"
#include "service/http/handler_id.h"
#include "service/http/handler_int.h"
#include "worker/runtime/ctx.h"

void
handler_drain_tell(struct handler *handler)
{
	void (*fn)(void *) = handler->drain;
	struct origin before;

	if (!call_is_drain_due(handler))
		return;
	handler->drain = NULL;
	before = handler_enter(handler);
	fn(handler->drain_arg);
	origin_leave(before);
}

static void
forget(struct handler *handler)
{
	baton_ctx_unwatch(&handler->drain_watch);
	handler->drain = NULL;
}

static void
on_drain(void *arg, int cause)
{
	(void)cause;
	handler_wake(arg);
}

int
baton_request_drain(baton_request r, void (*fn)(void *arg), void *arg)
{
	int status;
	struct handler *handler = handler_id_find(__func__, r, &status);

	if (handler == NULL)
		return status;
	forget(handler);
	handler->drain = fn;
	handler->drain_arg = arg;
	if (fn != NULL &&
	    baton_ctx_watch(ctx_drain(), &handler->drain_watch, on_drain, handler) != 0)
		handler_wake(handler);
	return 0;
}
