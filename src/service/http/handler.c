#include "service/http/handler_int.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/log.h"
#include "base/mem.h"
#include "baton.h"
#include "service/http/exchange.h"
#include "service/http/framing.h"
#include "service/http/handler_id.h"
#include "service/head/request.h"
#include "service/http/respond.h"
#include "service/http/route.h"
#include "worker/conn/conn.h"
#include "worker/runtime/ctx.h"
#include "worker/runtime/loop.h"

#define CALLS_KEPT 128
#define LAST_TURNS 4 /* a task's end, and its group's, are heard by then */

static struct {
	bool on;
	STAILQ_HEAD(, handler) ready;
	unsigned nready;
	bool turning; /* they are being seen to */
	struct event turn;
	void (*on_turn)(void);
	struct baton_freelist unused;
} cl = {.unused = {.size = sizeof(struct handler), .max = CALLS_KEPT}};

/* Handlers woken meanwhile get the loop's next turn (by a timer: an event made active here
 * would run before anything else). */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct timeval now = {0};

	(void)fd;
	(void)what;
	(void)arg;
	cl.turning = true;
	cl.on_turn();
	cl.turning = false;
	if (cl.nready > 0)
		event_add(&cl.turn, &now);
}

unsigned
handler_nready(void)
{
	return cl.nready;
}

struct handler *
handler_next_ready(void)
{
	struct handler *handler = STAILQ_FIRST(&cl.ready);

	STAILQ_REMOVE_HEAD(&cl.ready, ready_link);
	cl.nready--;
	handler->ready = false;
	return handler;
}

void
handler_start(void (*turn)(void))
{
	if (cl.on)
		return;
	cl.on = true;
	STAILQ_INIT(&cl.ready);
	cl.nready = 0;
	cl.on_turn = turn;
	evtimer_assign(&cl.turn, loop_base(), on_turn, NULL);
}

void
handler_stop(void)
{
	if (!cl.on)
		return;
	cl.on = false;
	event_del(&cl.turn);
	handler_id_free_all();
	baton_freelist_empty(&cl.unused);
}

/* --- life --- */

struct handler *
handler_need(struct exchange *x)
{
	struct handler *handler = x->handler;

	if (handler != NULL)
		return handler;
	handler = baton_freelist_get(&cl.unused);
	handler->x = x;
	STAILQ_INIT(&handler->pieces);
	x->handler = handler;
	return handler;
}

static void
end_later(void *arg)
{
	struct baton_ctx *ctx = arg;

	baton_ctx_cancel(ctx, BATON_ANSWERED);
	baton_ctx_drop(&ctx);
}

static void
post(const struct handler *handler, void (*fn)(void *arg), void *arg)
{
	struct origin before = handler_enter(handler);

	baton_post(fn, arg);
	origin_leave(before);
}

/* Tell the waiting callback that it is over, unless the handler itself ended it. */
static void
end_wait(const struct handler *handler, void (**fn)(void *arg), void *arg, int cause)
{
	if (*fn != NULL && cause != BATON_ANSWERED)
		post(handler, *fn, arg);
	*fn = NULL;
}

void
handler_end(struct handler *handler, int cause)
{
	struct baton_ctx *ctx = handler->ctx;

	end_wait(handler, &handler->readable, handler->readable_arg, cause);
	end_wait(handler, &handler->flushed, handler->flushed_arg, cause);
	baton_ctx_unwatch(&handler->drain_watch);
	handler->drain = NULL;
	if (handler->known)
		handler_id_end(handler->handle, cause);
	handler->known = false;
	handler->ctx = NULL;
	baton_ctx_unwatch(&handler->watch);
	if (ctx == NULL)
		return;
	if (cause != BATON_ANSWERED)
		baton_ctx_cancel(ctx, cause);
	else if (!ctx_lonely(ctx)) {
		baton_post(end_later, ctx);
		return;
	}
	baton_ctx_drop(&ctx);
}

static void
free_pieces(struct handler *handler)
{
	struct handler_piece *p;

	while ((p = STAILQ_FIRST(&handler->pieces)) != NULL) {
		STAILQ_REMOVE_HEAD(&handler->pieces, link);
		free(p);
	}
	mem_free(&handler->sending);
}

void
handler_destroy(struct handler *handler)
{
	if (handler->ready) {
		STAILQ_REMOVE(&cl.ready, handler, handler, ready_link);
		cl.nready--;
	}
	free_pieces(handler);
	handler_facts_free(&handler->texts);
	free(handler->body);
	free(handler->headers);
	baton_freelist_put(&cl.unused, handler);
}

void
handler_gone(struct exchange *x)
{
	struct handler *handler = x->handler;

	x->handler = NULL;
	handler_end(handler, BATON_CLOSED);
	handler_destroy(handler);
}

/* --- the answer's way out --- */

void
handler_wake(struct handler *handler)
{
	if (handler->handling || handler->ready)
		return;
	if (STAILQ_EMPTY(&cl.ready) && !cl.turning)
		event_active(&cl.turn, EV_TIMEOUT, 0);
	STAILQ_INSERT_TAIL(&cl.ready, handler, ready_link);
	cl.nready++;
	handler->ready = true;
}

bool
handler_next_piece(struct handler *handler)
{
	struct handler_piece *p = STAILQ_FIRST(&handler->pieces);

	if (handler->sending != NULL)
		handler->unsent -= handler->sending->n;
	mem_free(&handler->sending);
	if (p != NULL) {
		STAILQ_REMOVE_HEAD(&handler->pieces, link);
		handler->sending = p;
		handler->x->framing->piece(handler->x, p->bytes, p->n);
		return true;
	}
	if (!handler->ends)
		return false;
	handler->ends = false;
	handler->x->framing->last(handler->x);
	return true;
}

void
handler_tell_flushed(struct handler *handler)
{
	void (*fn)(void *) = handler->flushed;

	handler->flushed = NULL;
	if (fn != NULL)
		post(handler, fn, handler->flushed_arg);
}

/* --- the end of its time --- */

void
handler_displace(struct handler *handler)
{
	if (exchange_is_amid_continue(handler->x))
		handler->cut = "100 Continue could not be sent";
}

static void
cut_off(struct handler *handler, const char *why, int cause)
{
	handler->cut = why;
	handler->by_drain = cause == BATON_DRAIN;
	handler_end(handler, cause);
	handler_wake(handler);
}

static void
answer_for(struct handler *handler, int status, int cause)
{
	struct exchange *x = handler->x;

	handler_displace(handler);
	handler->state = HANDLER_ANSWERED;
	respond_status(x->conn, x, status);
	handler_end(handler, cause);
	handler_wake(handler);
}

static void
give_up(struct handler *handler, int cause)
{
	const struct baton_route *route = handler->match.route;
	const char *service = call_http(handler)->conf->name;

	if (handler->state == HANDLER_STREAMING) {
		log_warn("[service:%s] %s %s: its answer was not ended in time (%s): cut off",
		         service, route->method, route->path, baton_status_text(cause));
		cut_off(handler, "its answer was not ended in time", cause);
	} else if (cause == BATON_DRAIN) {
		answer_for(handler, 503, cause);
	} else {
		log_warn("[service:%s] %s %s was not answered (%s): answered %d in its name",
		         service, route->method, route->path, baton_status_text(cause),
		         cause == BATON_DEADLINE ? 504 : 500);
		answer_for(handler, cause == BATON_DEADLINE ? 504 : 500, cause);
	}
}

void
handler_refuse(struct handler *handler, int status, int cause)
{
	if (handler->state == HANDLER_STREAMING) {
		cut_off(handler, "its body was refused amid its answer", cause);
		return;
	}
	handler_end(handler, cause);
	if (status == 413 && handler_too_long(handler->x))
		handler_wake(handler);
	else
		answer_for(handler, status, cause);
}

/* Tasks cancelled by the ctx tell the handler in the next turns of the loop, and it may
 * still answer then. */
struct last_chance {
	baton_request r;
	int cause, turns;
};

static void
on_last_chance(void *arg)
{
	struct last_chance *l = arg;
	struct handler *handler = handler_id_look_up(__func__, l->r);

	if (handler != NULL && --l->turns > 0) {
		baton_post(on_last_chance, l);
		return;
	}
	if (handler != NULL)
		give_up(handler, l->cause);
	free(l);
}

/* After the handler's own watches. */
static void
on_end(void *arg, int cause)
{
	struct handler *handler = arg;
	struct last_chance *l = mem_alloc(sizeof *l);

	*l = (struct last_chance){handler->handle, cause, LAST_TURNS};
	baton_post(on_last_chance, l);
}

void
handler_need_ctx(struct handler *handler)
{
	uint64_t ms = handler->match.route->deadline_ms;

	if (handler->ctx != NULL)
		return;
	handler->ctx = baton_ctx_new_at(NULL, ms != 0 ? ms : ROUTE_DEADLINE_MS,
	                                handler->match.route->path);
	if (baton_ctx_watch(handler->ctx, &handler->watch, on_end, handler) != 0)
		answer_for(handler, 503, BATON_DRAIN);
}

/* --- to the handler --- */

const char *
handler_method(const struct handler *handler)
{
	return method_name(handler->x->request.method);
}

const char *
handler_allow(const struct handler *handler, char *buf, size_t size)
{
	struct request_text path, query;

	target_split(&handler->x->request.target, &path, &query);
	return route_allow(call_http(handler)->routes, &path, buf, size);
}

bool
handler_is_for_none(struct handler *handler, int status)
{
	const struct baton_route *route =
	    route_of_none(call_http(handler)->routes, handler_method(handler));

	if (route == NULL)
		return false;
	handler->match = (struct route_match){.route = route};
	handler->refused = status;
	return true;
}

void
handler_hand_over(struct handler *handler)
{
	struct origin before = handler_enter(handler);

	handler->x->phase = PHASE_RESPONDER;
	handler->state = HANDLER_WAITING;
	handler->handle = handler_id_new(handler);
	handler->known = true;
	handler->handling = true;
	handler->match.route->handle(handler->handle);
	if (handler->known)
		handler_need_ctx(handler);
	origin_leave(before);
	handler->handling = false;
	if (call_is_drain_due(handler))
		handler_wake(handler);
}

/* Nothing of the body is for the handler, and nothing can follow it. */
bool
handler_too_long(struct exchange *x)
{
	struct handler *handler = handler_need(x);

	if (!handler_is_for_none(handler, 413))
		return false;
	mem_free(&handler->body);
	handler->nbody = handler->body_room = handler->taken = 0;
	mem_free(&handler->headers);
	handler->nheaders = 0;
	handler->streamed = handler->match.route->streamed;
	handler->body_over = true;
	x->close = true;
	x->last = false; /* the rest of the body may still come */
	timelist_leave(&x->total);
	handler_hand_over(handler);
	return true;
}
