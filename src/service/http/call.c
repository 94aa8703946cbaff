#include "service/http/called.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "baton.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/http/exchange.h"
#include "service/http/handle.h"
#include "service/http/request.h"
#include "service/http/respond.h"
#include "service/http/route.h"
#include "worker/conn.h"
#include "worker/ctx.h"
#include "worker/loop.h"

#define CALLS_KEPT 128
#define LAST_TURNS 4 /* a task's end, and its group's, are heard by then */

static struct {
	bool on;
	STAILQ_HEAD(, call) ready;
	unsigned nready;
	bool turning; /* they are being seen to */
	struct event turn;
	void (*on_turn)(void);
	struct baton_freelist unused;
} cl = {.unused = {.size = sizeof(struct call), .max = CALLS_KEPT}};

/* Who is woken meanwhile has the loop's next turn (a timer, as what is made active here is
 * called before anything else). */
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
call_nready(void)
{
	return cl.nready;
}

struct call *
call_next_ready(void)
{
	struct call *call = STAILQ_FIRST(&cl.ready);

	STAILQ_REMOVE_HEAD(&cl.ready, ready_link);
	cl.nready--;
	call->ready = false;
	return call;
}

void
call_start(void (*turn)(void))
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
call_stop(void)
{
	if (!cl.on)
		return;
	cl.on = false;
	event_del(&cl.turn);
	handle_free_all();
	baton_freelist_empty(&cl.unused);
}

/* --- life --- */

struct call *
call_need(struct exchange *x)
{
	struct call *call = x->call;

	if (call != NULL)
		return call;
	call = baton_freelist_get(&cl.unused);
	call->x = x;
	STAILQ_INIT(&call->pieces);
	x->call = call;
	return call;
}

static void
end_later(void *arg)
{
	struct baton_ctx *ctx = arg;

	baton_ctx_cancel(ctx, BATON_ANSWERED);
	baton_ctx_drop(&ctx);
}

static void
post(const struct call *call, void (*fn)(void *arg), void *arg)
{
	struct origin before = call_enter(call);

	baton_post(fn, arg);
	origin_leave(before);
}

/* Who waits learns that it is over, unless he has ended it himself. */
static void
end_wait(const struct call *call, void (**fn)(void *arg), void *arg, int cause)
{
	if (*fn != NULL && cause != BATON_ANSWERED)
		post(call, *fn, arg);
	*fn = NULL;
}

void
call_end(struct call *call, int cause)
{
	struct baton_ctx *ctx = call->ctx;

	end_wait(call, &call->readable, call->readable_arg, cause);
	end_wait(call, &call->flushed, call->flushed_arg, cause);
	baton_ctx_unwatch(&call->drain_watch);
	call->drain = NULL;
	if (call->known)
		handle_end(call->handle, cause);
	call->known = false;
	call->ctx = NULL;
	baton_ctx_unwatch(&call->watch);
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
free_pieces(struct call *call)
{
	struct call_piece *p;

	while ((p = STAILQ_FIRST(&call->pieces)) != NULL) {
		STAILQ_REMOVE_HEAD(&call->pieces, link);
		free(p);
	}
	mem_free(&call->sending);
}

void
call_destroy(struct call *call)
{
	if (call->ready) {
		STAILQ_REMOVE(&cl.ready, call, call, ready_link);
		cl.nready--;
	}
	free_pieces(call);
	asked_free(&call->texts);
	free(call->body);
	free(call->headers);
	baton_freelist_put(&cl.unused, call);
}

void
call_gone(struct exchange *x)
{
	struct call *call = x->call;

	x->call = NULL;
	call_end(call, BATON_CLOSED);
	call_destroy(call);
}

/* --- the answer's way out --- */

void
call_wake(struct call *call)
{
	if (call->handling || call->ready)
		return;
	if (STAILQ_EMPTY(&cl.ready) && !cl.turning)
		event_active(&cl.turn, EV_TIMEOUT, 0);
	STAILQ_INSERT_TAIL(&cl.ready, call, ready_link);
	cl.nready++;
	call->ready = true;
}

bool
call_next_piece(struct call *call)
{
	struct call_piece *p = STAILQ_FIRST(&call->pieces);

	if (call->sending != NULL)
		call->unsent -= call->sending->n;
	mem_free(&call->sending);
	if (p == NULL)
		return false;
	STAILQ_REMOVE_HEAD(&call->pieces, link);
	call->sending = p;
	call->x->out = p->bytes;
	call->x->out_len = p->n;
	call->x->phase = PHASE_ANSWER;
	return true;
}

void
call_tell_flushed(struct call *call)
{
	void (*fn)(void *) = call->flushed;

	call->flushed = NULL;
	if (fn != NULL)
		post(call, fn, call->flushed_arg);
}

/* --- the end of its time --- */

void
call_displace(struct call *call)
{
	if (exchange_is_amid_continue(call->x))
		call->cut = "100 Continue could not be sent";
}

static void
cut_off(struct call *call, const char *why, int cause)
{
	call->cut = why;
	call->by_drain = cause == BATON_DRAIN;
	call_end(call, cause);
	call_wake(call);
}

static void
answer_for(struct call *call, int status, int cause)
{
	struct exchange *x = call->x;

	call_displace(call);
	call->state = CALL_ANSWERED;
	respond_status(x->conn, x, status);
	call_end(call, cause);
	call_wake(call);
}

static void
give_up(struct call *call, int cause)
{
	const struct baton_route *route = call->match.route;
	const char *service = call_http(call)->conf->name;

	if (call->state == CALL_STREAMING) {
		log_warn("[service:%s] %s %s: its answer was not ended in time (%s): cut off",
		         service, route->method, route->path, baton_status_text(cause));
		cut_off(call, "its answer was not ended in time", cause);
	} else if (cause == BATON_DRAIN) {
		answer_for(call, 503, cause);
	} else {
		log_warn("[service:%s] %s %s was not answered (%s): answered %d in its name",
		         service, route->method, route->path, baton_status_text(cause),
		         cause == BATON_DEADLINE ? 504 : 500);
		answer_for(call, cause == BATON_DEADLINE ? 504 : 500, cause);
	}
}

void
call_refuse(struct call *call, int status, int cause)
{
	if (call->state == CALL_STREAMING) {
		cut_off(call, "its body was refused amid its answer", cause);
		return;
	}
	call_end(call, cause);
	if (status == 413 && call_too_long(call->x))
		call_wake(call);
	else
		answer_for(call, status, cause);
}

/* What the end of the ctx has ended tells the handler in the next turns of the loop, and
 * it may answer then. */
struct last_chance {
	baton_request r;
	int cause, turns;
};

static void
on_last_chance(void *arg)
{
	struct last_chance *l = arg;
	struct call *call = handle_look_up(__func__, l->r);

	if (call != NULL && --l->turns > 0) {
		baton_post(on_last_chance, l);
		return;
	}
	if (call != NULL)
		give_up(call, l->cause);
	free(l);
}

/* After the handler's own watches. */
static void
on_end(void *arg, int cause)
{
	struct call *call = arg;
	struct last_chance *l = mem_alloc(sizeof *l);

	*l = (struct last_chance){call->handle, cause, LAST_TURNS};
	baton_post(on_last_chance, l);
}

void
call_need_ctx(struct call *call)
{
	uint64_t ms = call->match.route->deadline_ms;

	if (call->ctx != NULL)
		return;
	call->ctx =
	    baton_ctx_new_at(NULL, ms != 0 ? ms : ROUTE_DEADLINE_MS, call->match.route->path);
	if (baton_ctx_watch(call->ctx, &call->watch, on_end, call) != 0)
		answer_for(call, 503, BATON_DRAIN);
}

/* --- to the handler --- */

const char *
call_method(const struct call *call)
{
	return method_name(call->x->request.method);
}

const char *
call_allow(const struct call *call, char *buf, size_t size)
{
	struct request_text path, query;

	request_split(&call->x->request.target, &path, &query);
	return route_allow(call_http(call)->routes, &path, buf, size);
}

bool
call_is_for_none(struct call *call, int status)
{
	const struct baton_route *route =
	    route_of_none(call_http(call)->routes, call_method(call));

	if (route == NULL)
		return false;
	call->match = (struct route_match){.route = route};
	call->refused = status;
	return true;
}

void
call_hand_over(struct call *call)
{
	struct origin before = call_enter(call);

	call->x->phase = PHASE_RESPONDER;
	call->state = CALL_WAITING;
	call->handle = handle_new(call);
	call->known = true;
	call->handling = true;
	call->match.route->handle(call->handle);
	if (call->known)
		call_need_ctx(call);
	origin_leave(before);
	call->handling = false;
	if (call_is_drain_due(call))
		call_wake(call);
}

/* Nothing of the body is for the handler, and nothing can follow it. */
bool
call_too_long(struct exchange *x)
{
	struct call *call = call_need(x);

	if (!call_is_for_none(call, 413))
		return false;
	mem_free(&call->body);
	call->nbody = call->body_room = call->taken = 0;
	mem_free(&call->headers);
	call->nheaders = 0;
	call->streamed = call->match.route->streamed;
	call->body_over = true;
	x->close = true;
	x->last = false; /* the rest of the body may still come */
	timelist_leave(&x->total);
	call_hand_over(call);
	return true;
}
