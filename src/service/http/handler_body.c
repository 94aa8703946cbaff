#include "service/http/handler_body.h"

#include <string.h>

#include "base/mem.h"
#include "baton.h"
#include "service/http/exchange.h"
#include "service/http/framing.h"
#include "service/http/handler_id.h"
#include "service/http/handler_int.h"

#define WINDOW       65536 /* bytes that the handler has not taken */
#define WINDOW_FIRST 4096  /* it grows as they come */

/* --- the window --- */

/* Move the rest only if that frees at least as much room: a handler may take a few bytes at
 * a time. */
static size_t
window_room(struct handler *handler)
{
	size_t left = handler->nbody - handler->taken;
	bool full = handler->nbody == handler->body_room;

	if (left == 0 || (full && handler->taken >= left)) {
		if (left > 0)
			memmove(handler->body, handler->body + handler->taken, left);
		handler->nbody = left;
		handler->taken = 0;
	}
	if (handler->nbody == handler->body_room && handler->body_room < WINDOW) {
		handler->body_room =
		    handler->body_room == 0 ? WINDOW_FIRST : 2 * handler->body_room;
		handler->body = mem_realloc(handler->body, handler->body_room);
	}
	return handler->body_room - handler->nbody;
}

/* Move unread bytes to the window.  0, or the status that refuses the body. */
static int
take_in(struct handler *handler)
{
	struct exchange *x = handler->x;
	enum framing_taken taken = FRAMING_MORE;
	struct framing_part part;
	size_t n;

	while (taken == FRAMING_MORE && !handler->body_over && x->from < x->to &&
	       (n = window_room(handler)) > 0) {
		x->request.expects_continue = false; /* it did not wait for that */
		taken = x->framing->take(x, n, handler->body + handler->nbody, &part);
		handler->nbody += part.n;
	}
	handler->body_over |= taken == FRAMING_WHOLE;
	return taken == FRAMING_BAD ? 400 : taken == FRAMING_TOO_LONG ? 413 : 0;
}

int
handler_body_begin(struct handler *handler)
{
	struct exchange *x = handler->x;

	handler->streamed = true;
	handler->body_over = !exchange_has_body(x);
	return take_in(handler);
}

/* --- on the loop's top level --- */

static bool
something_is_there(const struct handler *handler)
{
	return handler->taken < handler->nbody || handler->body_over;
}

void
handler_body_tell(struct handler *handler)
{
	void (*fn)(void *) = handler->readable;
	struct origin before;

	if (fn == NULL || !something_is_there(handler))
		return;
	handler->readable = NULL;
	before = handler_enter(handler);
	fn(handler->readable_arg);
	origin_leave(before);
}

/* body_timeout runs while the handler waits for the client, and begins afresh with what
 * comes. */
static void
set_limit(struct handler *handler, bool came)
{
	struct exchange *x = handler->x;
	struct timelist *limit = call_http(handler)->body;

	if (handler->readable == NULL || something_is_there(handler)) {
		timelist_leave(x->limit);
		x->rate_ms = 0; /* the handler has its time */
	} else if (came || x->limit->list != limit)
		timelist_join(limit, x->limit);
}

bool
handler_body_waits(struct handler *handler)
{
	struct exchange *x = handler->x;
	size_t unread = x->to - x->from;
	int status = take_in(handler);

	if (status != 0) {
		timelist_leave(x->limit);
		handler_refuse(handler, status, status == 413 ? BATON_FULL : BATON_BAD_BODY);
		return true; /* woken */
	}
	if (handler->readable != NULL && something_is_there(handler))
		handler_wake(handler);
	if (handler->asked && handler->state == HANDLER_WAITING && !something_is_there(handler))
		exchange_continue(x);
	set_limit(handler, x->to - x->from < unread);
	return x->phase == PHASE_RESPONDER;
}

/* --- baton.h --- */

/* The handler of a handle with such a body; else NULL and *status. */
static struct handler *
find(const char *function, baton_request r, int *status)
{
	struct handler *handler = handler_id_find(function, r, status);

	if (handler == NULL || handler->streamed)
		return handler;
	*status = BATON_INVALID;
	return NULL;
}

static void
ask(struct handler *handler)
{
	handler->asked = true;
	handler_wake(handler);
}

int
baton_request_read(baton_request r, void *buf, size_t *n)
{
	int status;
	struct handler *handler = find(__func__, r, &status);
	size_t there;

	if (handler == NULL)
		return status;
	if (*n == 0)
		return BATON_INVALID;
	there = handler->nbody - handler->taken;
	if (there == 0 && !handler->body_over) {
		*n = 0;
		ask(handler);
		return BATON_AGAIN;
	}
	if (*n > there)
		*n = there;
	if (*n > 0)
		memcpy(buf, handler->body + handler->taken, *n);
	handler->taken += *n;
	if (handler->taken == handler->nbody && !handler->body_over)
		handler_wake(handler); /* there is room for more */
	return 0;
}

int
baton_request_readable(baton_request r, void (*fn)(void *arg), void *arg)
{
	int status;
	struct handler *handler = find(__func__, r, &status);

	if (handler == NULL)
		return status;
	handler->readable = fn;
	handler->readable_arg = arg;
	if (fn != NULL)
		ask(handler);
	return 0;
}
