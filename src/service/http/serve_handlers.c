#include "service/http/serve_handlers.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "service/http/exchange.h"
#include "service/http/framing.h"
#include "service/http/handler_body.h"
#include "service/http/handler_drain.h"
#include "service/http/handler_id.h"
#include "service/http/handler_int.h"
#include "service/head/request.h"
#include "service/http/respond.h"
#include "service/http/route.h"
#include "worker/conn/conn.h"
#include "worker/core/pace.h"

/* --- the connection's turn --- */

static bool
is_amid_body(const struct exchange *x)
{
	return x->handler != NULL && x->handler->streamed && !x->handler->body_over;
}

static void
go_on(struct handler *handler)
{
	struct exchange *x = handler->x;
	struct conn *c = x->conn;

	if (handler->cut != NULL) {
		if (handler->by_drain)
			x->framing->cut(x, handler->cut);
		else
			x->framing->close(x, handler->cut);
		return;
	}
	if (c->writing)
		return; /* it will come by itself */
	if (x->phase == PHASE_RESPONDER)
		handler_next_piece(handler);
	if (x->phase != PHASE_RESPONDER)
		x->framing->hear(x, true);
	if (c->life == CONN_LIVES)
		x->framing->go_on(c);
}

/* Serve the handlers that are ready, as far as the time goes. */
static void
on_turn(void)
{
	uint64_t start_us = clock_us();
	struct handler *handler;

	for (unsigned n = handler_nready(); n > 0 && handler_nready() > 0; n--) {
		handler = handler_next_ready();
		handler_drain_tell(handler);
		handler_body_tell(handler);
		go_on(handler);
		if (pace_is_enough(start_us))
			break;
	}
}

void
serve_handlers_start(void)
{
	handler_start(on_turn);
}

void
serve_handlers_stop(void)
{
	handler_stop();
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
	struct handler *handler = x->handler;

	if (handler->streamed && handler->known) {
		if (!handler_body_waits(handler))
			return false;
	} else {
		timelist_leave(x->limit);
	}
	if (make_room(c, x) == 0)
		x->framing->hear(x, false); /* the client has to wait */
	else if (handler->streamed)
		x->framing->hear(x, true);
	return true;
}

static void
hung_up(struct conn *c, struct exchange *x)
{
	if (make_room(c, x) == 0) {
		x->framing->hear(x, false);
		return;
	}
	x->framing->close(x, "the client hung up");
}

static bool
continues(struct exchange *x)
{
	struct handler *handler = x->handler;

	if (handler == NULL)
		return false;
	if (handler->state != HANDLER_COLLECTING && handler_next_piece(handler))
		return true;
	if (handler->state == HANDLER_STREAMING) {
		x->phase = PHASE_RESPONDER;
		handler_tell_flushed(handler);
		return true;
	}
	x->handler = NULL;
	handler_destroy(handler);
	return false;
}

static void
late(struct conn *c, struct exchange *x)
{
	(void)c;
	handler_refuse(x->handler, 408, BATON_DEADLINE);
}

/* --- the request --- */

static void
moved(struct exchange *x, const char *in)
{
	struct route_match *m = x->handler != NULL ? &x->handler->match : NULL;

	for (size_t i = 0; m != NULL && m->route != NULL && i < m->n; i++)
		request_text_move(&m->var[i].value, x->in, in);
}

static void
take_body(struct exchange *x, const char *bytes, size_t n)
{
	struct handler *handler = x->handler;

	if (handler->nbody + n >= handler->body_room) {
		handler->body_room = (handler->nbody + n + 1) * 2;
		handler->body = mem_realloc(handler->body, handler->body_room);
	}
	memcpy(handler->body + handler->nbody, bytes, n);
	handler->nbody += n;
	handler->body[handler->nbody] = '\0';
}

static void
refuse_method(struct handler *handler)
{
	static const char body[] = "405 Method Not Allowed\n";
	struct exchange *x = handler->x;
	char allow[HANDLER_ALLOW_MAX];
	size_t len = respond_head(x, 405, FRAMING_LENGTH);

	len = respond_field(x, len, "Allow: %s\r\nContent-Type: text/plain\r\n",
	                    handler_allow(handler, allow, sizeof allow));
	respond_end(x, len, FRAMING_LENGTH, sizeof body - 1);
	respond_body(x, body, sizeof body - 1);
}

static int
find_route(struct handler *handler)
{
	struct request_text path, query;
	int status;

	target_split(&handler->x->request.target, &path, &query);
	if (target_count_parameters(&query) > TARGET_PARAMETERS_MAX)
		return 400;
	status = route_find(call_http(handler)->routes, handler_method(handler), &path,
	                    &handler->match);
	if (status != 0 && handler->x->request.method == METHOD_OTHER)
		status = 501;
	return status != 0 && handler_is_for_none(handler, status) ? 0 : status;
}

static void
begin(struct conn *c, struct exchange *x)
{
	struct handler *handler;

	if (!exchange_has_body(x)) {
		respond(c, x);
		return;
	}
	handler = handler_need(x);
	handler->streamed = find_route(handler) == 0 && handler->match.route->streamed;
	if (handler->streamed)
		respond(c, x);
	else
		exchange_continue(x);
}

static void
route(struct conn *c, struct exchange *x)
{
	struct handler *handler = handler_need(x);
	int status = find_route(handler);

	if (status == 0 && handler->match.route->streamed)
		status = handler_body_begin(handler);
	if (status == 0)
		handler_hand_over(handler);
	else if (status == 405)
		refuse_method(handler);
	else if (status != 413 || !handler_too_long(x))
		respond_status(c, x, status);
}

static void
answer(struct conn *c, struct exchange *x)
{
	const struct request_text *target = &x->request.target;
	char path[TARGET_MAX + 1];
	int status = 0;

	if (target->n != 1 || *target->p != '*') { /* of the whole server: no path */
		status = target_path(target, path, sizeof path);
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
	if (x->handler != NULL)
		handler_gone(x);
}

/* --- the responder --- */

const struct responder serve_handlers_responder = {.begin = begin,
                                                   .body = take_body,
                                                   .answer = answer,
                                                   .too_long = handler_too_long,
                                                   .amid_body = is_amid_body,
                                                   .wait = waits,
                                                   .late = late,
                                                   .hung_up = hung_up,
                                                   .continues = continues,
                                                   .moved = moved,
                                                   .gone = gone};

/* --- for streams, and for the page --- */

struct conn *
serve_handlers_connection(baton_request r)
{
	struct handler *handler = handler_id_look_up(__func__, r);

	return handler != NULL ? handler->x->conn : NULL;
}

const char *
serve_handlers_route_path(baton_request r)
{
	struct handler *handler = handler_id_look_up(__func__, r);

	return handler != NULL ? handler->match.route->path : NULL;
}

struct conn *
serve_handlers_leave(baton_request r, bool *chunked)
{
	struct handler *handler = handler_id_look_up(__func__, r);
	struct conn *c;

	if (handler == NULL || handler->state != HANDLER_STREAMING ||
	    handler->x->phase != PHASE_RESPONDER)
		return NULL;
	c = handler->x->conn;
	*chunked = handler->x->framing->passes_chunks(handler->x);
	exchange_give_back(c);
	return c;
}
