#include "service/http/upload.h"

#include <string.h>

#include "baton.h"
#include "base/mem.h"
#include "service/http/called.h"
#include "service/http/chunked.h"
#include "service/http/exchange.h"
#include "service/http/handle.h"
#include "worker/conn.h"

#define WINDOW       65536 /* bytes that the handler has not taken */
#define WINDOW_FIRST 4096  /* it grows as they come */

/* --- the window --- */

/* Of what is left in it no more is moved than room is had by it: a handler may take in a few
 * bytes at a time. */
static size_t
window_room(struct call *call)
{
	size_t left = call->nbody - call->taken;
	bool full = call->nbody == call->body_room;

	if (left == 0 || (full && call->taken >= left)) {
		if (left > 0)
			memmove(call->body, call->body + call->taken, left);
		call->nbody = left;
		call->taken = 0;
	}
	if (call->nbody == call->body_room && call->body_room < WINDOW) {
		call->body_room = call->body_room == 0 ? WINDOW_FIRST : 2 * call->body_room;
		call->body = mem_realloc(call->body, call->body_room);
	}
	return call->body_room - call->nbody;
}

/* At most n bytes that are unread, all of them of the body. */
static int
take_length(struct call *call, size_t n)
{
	struct exchange *x = call->x;

	if (n > x->body_left)
		n = (size_t)x->body_left;
	memcpy(call->body + call->nbody, x->in + x->from, n);
	call->nbody += n;
	x->from += n;
	x->body_left -= n;
	call->body_over = x->body_left == 0;
	return 0;
}

static int
take_chunked(struct call *call, size_t n)
{
	struct exchange *x = call->x;
	size_t used = 0, kept = 0;
	enum chunked_result r = chunked_take(&x->chunked, x->in + x->from, n, &used,
	                                     call->body + call->nbody, &kept);

	x->from += used;
	call->nbody += kept;
	if (r == CHUNKED_BAD)
		return 400;
	if (x->chunked.total > (uint64_t)call_http(call)->conf->max_body)
		return 413;
	call->body_over = r == CHUNKED_DONE;
	return 0;
}

/* What is unread goes to the window.  0, or the status that refuses the body. */
static int
take_in(struct call *call)
{
	struct exchange *x = call->x;
	int status = 0;
	size_t n;

	while (!call->body_over && x->from < x->to && status == 0 &&
	       (n = window_room(call)) > 0) {
		if (n > x->to - x->from)
			n = x->to - x->from;
		x->request.expects_continue = false; /* it did not wait for that */
		status = x->request.chunked ? take_chunked(call, n) : take_length(call, n);
	}
	return status;
}

int
upload_begin(struct call *call)
{
	struct exchange *x = call->x;

	call->streamed = true;
	call->body_over = x->body_left == 0 && !x->request.chunked;
	return take_in(call);
}

/* --- on the loop's top level --- */

static bool
something_is_there(const struct call *call)
{
	return call->taken < call->nbody || call->body_over;
}

void
upload_tell(struct call *call)
{
	void (*fn)(void *) = call->readable;
	struct origin before;

	if (fn == NULL || !something_is_there(call))
		return;
	call->readable = NULL;
	before = call_enter(call);
	fn(call->readable_arg);
	origin_leave(before);
}

/* body_timeout runs while the handler waits for the client, and begins afresh with what
 * comes. */
static void
set_limit(struct call *call, bool came)
{
	struct conn *c = call->x->conn;
	struct timelist *limit = call_http(call)->body;

	if (call->readable == NULL || something_is_there(call)) {
		timelist_leave(&c->timed);
		call->x->rate_ms = 0; /* the handler has its time */
	} else if (came || c->timed.list != limit)
		timelist_join(limit, &c->timed);
}

bool
upload_waits(struct call *call)
{
	struct exchange *x = call->x;
	size_t unread = x->to - x->from;
	int status = take_in(call);

	if (status != 0) {
		timelist_leave(&x->conn->timed);
		call_refuse(call, status, status == 413 ? BATON_FULL : BATON_BAD_BODY);
		return true; /* woken */
	}
	if (call->readable != NULL && something_is_there(call))
		call_wake(call);
	if (call->asked && call->state == CALL_WAITING && !something_is_there(call))
		exchange_continue(x);
	set_limit(call, x->to - x->from < unread);
	return x->phase == PHASE_RESPONDER;
}

/* --- baton.h --- */

/* The call of a handle with such a body; else NULL and *status. */
static struct call *
find(const char *function, baton_request r, int *status)
{
	struct call *call = handle_find(function, r, status);

	if (call == NULL || call->streamed)
		return call;
	*status = BATON_INVALID;
	return NULL;
}

static void
ask(struct call *call)
{
	call->asked = true;
	call_wake(call);
}

int
baton_request_read(baton_request r, void *buf, size_t *n)
{
	int status;
	struct call *call = find(__func__, r, &status);
	size_t there;

	if (call == NULL)
		return status;
	if (*n == 0)
		return BATON_INVALID;
	there = call->nbody - call->taken;
	if (there == 0 && !call->body_over) {
		*n = 0;
		ask(call);
		return BATON_AGAIN;
	}
	if (*n > there)
		*n = there;
	if (*n > 0)
		memcpy(buf, call->body + call->taken, *n);
	call->taken += *n;
	if (call->taken == call->nbody && !call->body_over)
		call_wake(call); /* there is room for more */
	return 0;
}

int
baton_request_readable(baton_request r, void (*fn)(void *arg), void *arg)
{
	int status;
	struct call *call = find(__func__, r, &status);

	if (call == NULL)
		return status;
	call->readable = fn;
	call->readable_arg = arg;
	if (fn != NULL)
		ask(call);
	return 0;
}
