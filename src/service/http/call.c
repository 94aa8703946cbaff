#include "service/http/call.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "baton.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/http/answer.h"
#include "service/http/called.h"
#include "service/http/drained.h"
#include "service/http/exchange.h"
#include "service/http/handle.h"
#include "service/http/http.h"
#include "service/http/receive.h"
#include "service/http/request.h"
#include "service/http/respond.h"
#include "service/http/route.h"
#include "service/http/upload.h"
#include "worker/conn.h"
#include "worker/ctx.h"
#include "worker/pace.h"
#include "worker/loop.h"

#define CALLS_KEPT 128
#define LAST_TURNS 4 /* a task's end, and its group's, are heard by then */

static struct {
	bool on;
	STAILQ_HEAD(, call) ready;
	unsigned nready;
	bool turning; /* they are being seen to */
	struct event turn;
	struct baton_freelist unused;
} cl = {.unused = {.size = sizeof(struct call), .max = CALLS_KEPT}};

static void on_turn(evutil_socket_t fd, short what, void *arg);

void
call_start(void)
{
	if (cl.on)
		return;
	cl.on = true;
	STAILQ_INIT(&cl.ready);
	cl.nready = 0;
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

static struct call *
need_call(struct exchange *x)
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
	drained_forget(call);
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

static void
destroy(struct call *call)
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
	destroy(call);
}

void
call_move(struct exchange *x, const char *in)
{
	struct route_match *m = &x->call->match;

	for (size_t i = 0; m->route != NULL && i < m->n; i++)
		request_text_move(&m->var[i].value, x->in, in);
}

void
call_body(struct exchange *x, const char *bytes, size_t n)
{
	struct call *call = x->call;

	if (call->nbody + n >= call->body_room) {
		call->body_room = (call->nbody + n + 1) * 2;
		call->body = mem_realloc(call->body, call->body_room);
	}
	memcpy(call->body + call->nbody, bytes, n);
	call->nbody += n;
	call->body[call->nbody] = '\0';
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

/* The next piece, if there is one. */
static bool
next_piece(struct call *call)
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

bool
call_continues(struct exchange *x)
{
	struct call *call = x->call;

	if (call->state != CALL_COLLECTING && next_piece(call))
		return true;
	if (call->state == CALL_STREAMING) {
		x->phase = PHASE_CALL;
		call_tell_flushed(call);
		return true;
	}
	x->call = NULL;
	destroy(call);
	return false;
}

static void
go_on(struct call *call)
{
	struct exchange *x = call->x;
	struct conn *c = x->conn;

	if (call->cut != NULL) {
		if (call->by_drain)
			conn_cut(c, call->cut);
		else
			conn_close(c, call->cut);
		return;
	}
	if (c->writing)
		return; /* it will come by itself */
	if (x->phase == PHASE_CALL)
		next_piece(call);
	if (x->phase != PHASE_CALL && !c->watched && !c->is_opening)
		conn_watch(c);
	if (!c->closed)
		http_go_on(c);
}

/* Those that are there, as far as the time goes.  Who is woken meanwhile has the loop's next
 * turn (a timer, as what is made active here is called before anything else). */
static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct timeval now = {0};
	uint64_t start_us = clock_us();
	struct call *call;

	(void)fd;
	(void)what;
	(void)arg;
	cl.turning = true;
	for (unsigned n = cl.nready; n > 0 && cl.nready > 0; n--) {
		call = STAILQ_FIRST(&cl.ready);
		STAILQ_REMOVE_HEAD(&cl.ready, ready_link);
		cl.nready--;
		call->ready = false;
		drained_tell(call);
		upload_tell(call);
		go_on(call);
		if (pace_is_enough(start_us))
			break;
	}
	cl.turning = false;
	if (cl.nready > 0)
		event_add(&cl.turn, &now);
}

/* Is it worth it to move what is unread?  Not for less room than is moved, while a body is
 * taken in bit by bit; behind a body, it is moved once. */
static bool
is_room_worth(const struct exchange *x)
{
	size_t room = x->from - x->body_at;

	return room > 0 && (room >= x->to - x->from || !call_is_amid_body(x));
}

/* Room to read; behind what is unread, if there is any. */
static size_t
make_room(struct conn *c, struct exchange *x)
{
	if (exchange_room(c, x) == 0 && is_room_worth(x)) {
		memmove(x->in + x->body_at, x->in + x->from, x->to - x->from);
		x->to -= x->from - x->body_at;
		x->from = x->body_at;
	}
	return exchange_room(c, x);
}

bool
call_waits(struct conn *c, struct exchange *x)
{
	struct call *call = x->call;

	if (call->streamed && call->known) {
		if (!upload_waits(call))
			return false;
	} else {
		timelist_leave(&c->timed);
	}
	if (make_room(c, x) == 0)
		conn_unwatch(c); /* the client has to wait */
	else if (call->streamed && !c->watched && !c->is_opening)
		conn_watch(c);
	return true;
}

void
call_hung_up(struct conn *c, struct exchange *x)
{
	if (make_room(c, x) == 0) {
		conn_unwatch(c);
		return;
	}
	conn_close(c, "the client hung up");
}

struct conn *
call_connection(baton_request r)
{
	struct call *call = handle_look_up(__func__, r);

	return call != NULL ? call->x->conn : NULL;
}

const char *
call_route_path(baton_request r)
{
	struct call *call = handle_look_up(__func__, r);

	return call != NULL ? call->match.route->path : NULL;
}

struct conn *
call_leave(baton_request r, bool *chunked)
{
	struct call *call = handle_look_up(__func__, r);
	struct conn *c;

	if (call == NULL || call->state != CALL_STREAMING || call->x->phase != PHASE_CALL)
		return NULL;
	c = call->x->conn;
	*chunked = call->chunked;
	exchange_give_back(c);
	return c;
}

/* --- the end of its time --- */

void
call_displace(struct call *call)
{
	if (receive_is_amid_continue(call->x))
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

void
call_late(struct exchange *x)
{
	call_refuse(x->call, 408, BATON_DEADLINE);
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

/* "" of one that is not known by name: a route for every method is for it. */
static const char *
method_of(const struct call *call)
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

static void
refuse_method(struct call *call)
{
	static const char body[] = "405 Method Not Allowed\n";
	struct exchange *x = call->x;
	char allow[CALL_ALLOW_MAX];
	size_t len = respond_head(x->conn, x, 405), n = sizeof body - 1;

	len = answer_header(x->text, len,
	                    "Allow: %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n",
	                    call_allow(call, allow, sizeof allow), n);
	len = answer_end(x->text, len);
	memcpy(x->text + len, body, n);
	respond_text(x, len + (x->request.method == METHOD_HEAD ? 0 : n));
}

/* Is there a route for what no route has?  Then that is its route. */
static bool
is_for_none(struct call *call, int status)
{
	const struct baton_route *route =
	    route_of_none(call_http(call)->routes, method_of(call));

	if (route == NULL)
		return false;
	call->match = (struct route_match){.route = route};
	call->refused = status;
	return true;
}

static int
find_route(struct call *call)
{
	struct request_text path, query;
	int status;

	request_split(&call->x->request.target, &path, &query);
	if (request_count_parameters(&query) > REQUEST_PARAMETERS_MAX)
		return 400;
	status = route_find(call_http(call)->routes, method_of(call), &path, &call->match);
	if (status != 0 && call->x->request.method == METHOD_OTHER)
		status = 501;
	return status != 0 && is_for_none(call, status) ? 0 : status;
}

bool
call_begin(struct conn *c, struct exchange *x)
{
	struct call *call = need_call(x);

	(void)c;
	call->streamed = find_route(call) == 0 && call->match.route->streamed;
	return call->streamed;
}

bool
call_streams(const struct exchange *x)
{
	return x->call != NULL && x->call->streamed;
}

bool
call_is_amid_body(const struct exchange *x)
{
	return call_streams(x) && !x->call->body_over;
}

static void
hand_over(struct call *call)
{
	struct origin before = call_enter(call);

	call->x->phase = PHASE_CALL;
	call->state = CALL_WAITING;
	call->handle = handle_new(call);
	call->known = true;
	call->handling = true;
	call->match.route->handle(call->handle);
	if (call->known)
		call_need_ctx(call);
	origin_leave(before);
	call->handling = false;
	if (drained_is_due(call))
		call_wake(call);
}

/* Nothing of the body is for the handler, and nothing can follow it. */
bool
call_too_long(struct exchange *x)
{
	struct call *call = need_call(x);

	if (!is_for_none(call, 413))
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
	hand_over(call);
	return true;
}

void
call_route(struct conn *c, struct exchange *x)
{
	struct call *call = need_call(x);
	int status = find_route(call);

	if (status == 0 && call->match.route->streamed)
		status = upload_begin(call);
	if (status == 0)
		hand_over(call);
	else if (status == 405)
		refuse_method(call);
	else if (status != 413 || !call_too_long(x))
		respond_status(c, x, status);
}
