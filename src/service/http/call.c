#include "service/http/call.h"

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <http_parser.h>

#include "baton.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/http/answer.h"
#include "service/http/called.h"
#include "service/http/exchange.h"
#include "service/http/handle.h"
#include "service/http/http.h"
#include "service/http/request.h"
#include "service/http/respond.h"
#include "service/http/route.h"
#include "worker/conn.h"
#include "worker/ctx.h"
#include "worker/runtime.h"

#define DEADLINE_MS 30000 /* of a route that names none */
#define CALLS_KEPT  128
#define LAST_TURNS  4 /* a task's end, and its group's, are heard by then */

static struct {
	bool on;
	STAILQ_HEAD(, call) ready;
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
	evtimer_assign(&cl.turn, runtime_base(), on_turn, NULL);
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

void
call_begin(struct conn *c, struct exchange *x)
{
	struct call *call;

	(void)c;
	if (x->call != NULL)
		return;
	call = baton_freelist_get(&cl.unused);
	call->x = x;
	STAILQ_INIT(&call->pieces);
	x->call = call;
}

static void
end_later(void *arg)
{
	struct baton_ctx *ctx = arg;

	baton_ctx_cancel(ctx, BATON_ANSWERED);
	baton_ctx_drop(&ctx);
}

void
call_end(struct call *call, int cause)
{
	struct baton_ctx *ctx = call->ctx;

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
	struct call_text *t;

	if (call->ready)
		STAILQ_REMOVE(&cl.ready, call, call, ready_link);
	free_pieces(call);
	while ((t = call->texts) != NULL) {
		call->texts = t->next;
		free(t);
	}
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
	if (STAILQ_EMPTY(&cl.ready))
		event_active(&cl.turn, EV_TIMEOUT, 0);
	STAILQ_INSERT_TAIL(&cl.ready, call, ready_link);
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
		baton_post(fn, call->flushed_arg);
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

	if (call->cut) {
		conn_close(c, "its answer was not ended in time");
		return;
	}
	if (c->writing)
		return; /* it will come by itself */
	if (x->phase == PHASE_CALL && !next_piece(call))
		return;
	if (!c->watched && !c->is_opening)
		conn_watch(c);
	if (!c->closed)
		http_go_on(c);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct call *call;

	(void)fd;
	(void)what;
	(void)arg;
	while ((call = STAILQ_FIRST(&cl.ready)) != NULL) {
		STAILQ_REMOVE_HEAD(&cl.ready, ready_link);
		call->ready = false;
		go_on(call);
	}
}

void
call_wait(struct conn *c, struct exchange *x)
{
	timelist_leave(&c->timed);
	if (exchange_room(c, x) == 0)
		conn_unwatch(c); /* requests ahead fill the buffer: the client has to wait */
}

void
call_hung_up(struct conn *c, struct exchange *x)
{
	if (exchange_room(c, x) == 0) {
		conn_unwatch(c);
		return;
	}
	conn_close(c, "the client hung up");
}

/* --- the end of its time --- */

static void
answer_for(struct call *call, int status, int cause)
{
	struct exchange *x = call->x;

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
		call->cut = true;
		call_wake(call);
	} else if (cause == BATON_DRAIN) {
		answer_for(call, 503, cause);
	} else {
		log_warn("[service:%s] %s %s was not answered (%s): answered %d in its name",
		         service, route->method, route->path, baton_status_text(cause),
		         cause == BATON_DEADLINE ? 504 : 500);
		answer_for(call, cause == BATON_DEADLINE ? 504 : 500, cause);
	}
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
	struct call *call = handle_look_up(l->r);

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
	call->ctx = baton_ctx_new_at(NULL, ms != 0 ? ms : DEADLINE_MS, call->match.route->path);
	if (baton_ctx_watch(call->ctx, &call->watch, on_end, call) != 0)
		answer_for(call, 503, BATON_DRAIN);
}

/* --- to the handler --- */

static void
refuse_method(struct conn *c, struct exchange *x, const struct request_text *path)
{
	static const char body[] = "405 Method Not Allowed\n";
	char allow[256];
	size_t len = respond_head(c, x, 405), n = sizeof body - 1;

	len = answer_header(x->text, len,
	                    "Allow: %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n",
	                    route_allow(http_of(c)->routes, path, allow, sizeof allow), n);
	len = answer_end(x->text, len);
	memcpy(x->text + len, body, n);
	respond_text(x, len + (x->request.method == HTTP_HEAD ? 0 : n));
}

void
call_route(struct conn *c, struct exchange *x)
{
	const char *method = http_method_str((enum http_method)x->request.method);
	struct request_text path, query;
	struct call *call;
	int status;

	call_begin(c, x);
	call = x->call;
	request_split(&x->request.target, &path, &query);
	status = route_find(http_of(c)->routes, method, &path, &call->match);
	if (status == 405)
		refuse_method(c, x, &path);
	else if (status != 0)
		respond_status(c, x, status);
	if (status != 0)
		return;
	x->phase = PHASE_CALL;
	call->state = CALL_WAITING;
	call->handle = handle_new(call);
	call->known = true;
	call->handling = true;
	call->match.route->handle(call->handle);
	if (call->known)
		call_need_ctx(call);
	call->handling = false;
}
