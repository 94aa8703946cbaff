#include "service/http/handler.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "service/http/answer.h"
#include "service/http/called.h"
#include "service/http/drained.h"
#include "service/http/exchange.h"
#include "service/http/handle.h"
#include "service/http/request.h"
#include "service/http/respond.h"
#include "service/http/route.h"
#include "service/http/upload.h"
#include "worker/conn.h"
#include "worker/pace.h"

/* --- the connection's turn --- */

static bool
is_amid_body(const struct exchange *x)
{
	return x->call != NULL && x->call->streamed && !x->call->body_over;
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
	if (x->phase == PHASE_RESPONDER)
		call_next_piece(call);
	if (x->phase != PHASE_RESPONDER && !c->watched && !c->is_opening)
		conn_watch(c);
	if (!c->closed)
		http_of(c)->framing->go_on(c);
}

/* Those that are there, as far as the time goes. */
static void
on_turn(void)
{
	uint64_t start_us = clock_us();
	struct call *call;

	for (unsigned n = call_nready(); n > 0 && call_nready() > 0; n--) {
		call = call_next_ready();
		drained_tell(call);
		upload_tell(call);
		go_on(call);
		if (pace_is_enough(start_us))
			break;
	}
}

void
handler_start(void)
{
	call_start(on_turn);
}

void
handler_stop(void)
{
	call_stop();
}

/* Is it worth it to move what is unread?  Not for less room than is moved, while a body is
 * taken in bit by bit; behind a body, it is moved once. */
static bool
is_room_worth(const struct exchange *x)
{
	size_t room = x->from - x->body_at;

	return room > 0 && (room >= x->to - x->from || !is_amid_body(x));
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

static bool
waits(struct conn *c, struct exchange *x)
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

static void
hung_up(struct conn *c, struct exchange *x)
{
	if (make_room(c, x) == 0) {
		conn_unwatch(c);
		return;
	}
	conn_close(c, "the client hung up");
}

static bool
continues(struct exchange *x)
{
	struct call *call = x->call;

	if (call == NULL)
		return false;
	if (call->state != CALL_COLLECTING && call_next_piece(call))
		return true;
	if (call->state == CALL_STREAMING) {
		x->phase = PHASE_RESPONDER;
		call_tell_flushed(call);
		return true;
	}
	x->call = NULL;
	call_destroy(call);
	return false;
}

static void
late(struct conn *c, struct exchange *x)
{
	(void)c;
	call_refuse(x->call, 408, BATON_DEADLINE);
}

/* --- the request --- */

static void
moved(struct exchange *x, const char *in)
{
	struct route_match *m = x->call != NULL ? &x->call->match : NULL;

	for (size_t i = 0; m != NULL && m->route != NULL && i < m->n; i++)
		request_text_move(&m->var[i].value, x->in, in);
}

static void
take_body(struct exchange *x, const char *bytes, size_t n)
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

static int
find_route(struct call *call)
{
	struct request_text path, query;
	int status;

	request_split(&call->x->request.target, &path, &query);
	if (request_count_parameters(&query) > REQUEST_PARAMETERS_MAX)
		return 400;
	status = route_find(call_http(call)->routes, call_method(call), &path, &call->match);
	if (status != 0 && call->x->request.method == METHOD_OTHER)
		status = 501;
	return status != 0 && call_is_for_none(call, status) ? 0 : status;
}

static void
begin(struct conn *c, struct exchange *x)
{
	struct call *call;

	if (x->body_left == 0 && !x->request.chunked) {
		respond(c, x);
		return;
	}
	call = call_need(x);
	call->streamed = find_route(call) == 0 && call->match.route->streamed;
	if (call->streamed)
		respond(c, x);
	else
		exchange_continue(x);
}

static void
route(struct conn *c, struct exchange *x)
{
	struct call *call = call_need(x);
	int status = find_route(call);

	if (status == 0 && call->match.route->streamed)
		status = upload_begin(call);
	if (status == 0)
		call_hand_over(call);
	else if (status == 405)
		refuse_method(call);
	else if (status != 413 || !call_too_long(x))
		respond_status(c, x, status);
}

static void
answer(struct conn *c, struct exchange *x)
{
	const struct request_text *target = &x->request.target;
	char path[REQUEST_TARGET_MAX + 1];
	int status = 0;

	if (target->n != 1 || *target->p != '*') { /* of the whole server: no path */
		status = request_path(target, path, sizeof path);
		if (status == 0 && respond_health(c, x, path))
			return;
	}
	if (status == 0)
		route(c, x);
	else
		respond_status(c, x, status);
}

static void
gone(struct exchange *x)
{
	if (x->call != NULL)
		call_gone(x);
}

/* --- the responder --- */

const struct responder handler_responder = {.begin = begin,
                                            .body = take_body,
                                            .answer = answer,
                                            .too_long = call_too_long,
                                            .amid_body = is_amid_body,
                                            .wait = waits,
                                            .late = late,
                                            .hung_up = hung_up,
                                            .continues = continues,
                                            .moved = moved,
                                            .gone = gone};

/* --- for streams, and for the page --- */

struct conn *
handler_connection(baton_request r)
{
	struct call *call = handle_look_up(__func__, r);

	return call != NULL ? call->x->conn : NULL;
}

const char *
handler_route_path(baton_request r)
{
	struct call *call = handle_look_up(__func__, r);

	return call != NULL ? call->match.route->path : NULL;
}

struct conn *
handler_leave(baton_request r, bool *chunked)
{
	struct call *call = handle_look_up(__func__, r);
	struct conn *c;

	if (call == NULL || call->state != CALL_STREAMING || call->x->phase != PHASE_RESPONDER)
		return NULL;
	c = call->x->conn;
	*chunked = call->chunked;
	exchange_give_back(c);
	return c;
}
