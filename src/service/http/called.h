/*
 * called: a call, a request in the hands of a module's handler, for the files that make up a
 * handler's side of HTTP: its life and its end (call.c), the body that he gets in pieces
 * (upload.c), the word of the drain (drained.c), what the handler asks of his request
 * (handler_request.c) and what he answers (answered.c); above them the responder (handler.c).
 */
#ifndef BATON_SERVICE_HTTP_CALLED_H
#define BATON_SERVICE_HTTP_CALLED_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>

#include "baton.h"
#include "service/http/asked.h"
#include "service/http/exchange.h"
#include "service/http/route.h"
#include "worker/origin.h"

enum call_state {
	CALL_COLLECTING, /* the body */
	CALL_WAITING,    /* for the handler */
	CALL_STREAMING,  /* the handler has begun an answer in pieces */
	CALL_ANSWERED,   /* all of the answer is there, if not sent */
};

/* A piece of an answer, in the form it is sent in. */
struct call_piece {
	STAILQ_ENTRY(call_piece) link;
	size_t n;
	char bytes[];
};

struct call {
	struct exchange *x;
	baton_request handle;
	bool known;      /* the handler has the handle, and it is not over for him */
	bool handling;   /* the handler is running: no need to wake anybody */
	bool ready;      /* is on that list */
	const char *cut; /* why the connection is to be closed; NULL: it is not */
	bool by_drain;   /* a stop, or the end of a drain, is to blame: it counts as cut */
	enum call_state state;
	STAILQ_ENTRY(call) ready_link;
	struct baton_ctx *ctx;
	struct baton_watch watch;
	struct route_match match;
	int refused; /* 0; or why it is the route for what no route has: 404, 405, 413 */
	struct asked_text *texts;
	char *body;
	size_t nbody, body_room;
	/* of a body in pieces, of which `body` has those that have come */
	bool streamed;
	bool body_over; /* the last one has come: what follows is another request */
	bool asked;     /* for one, by the handler */
	size_t taken;   /* of nbody, by the handler */
	void (*readable)(void *arg);
	void *readable_arg;
	/* of the drain */
	void (*drain)(void *arg); /* NULL: nobody wants to know, or he knows */
	void *drain_arg;
	struct baton_watch drain_watch; /* over: it has begun */
	/* the answer */
	char *headers;
	size_t nheaders;
	bool bare;    /* the answer has no body: HEAD, 204, 304 */
	bool chunked; /* else it ends with the connection */
	STAILQ_HEAD(, call_piece) pieces;
	size_t unsent; /* of them, and of sending */
	struct call_piece *sending;
	void (*flushed)(void *arg);
	void *flushed_arg;
};

static inline struct http *
call_http(const struct call *call)
{
	return http_of(call->x->conn);
}

/* Its handler's code is about to be called; for origin_leave. */
static inline struct origin
call_enter(const struct call *call)
{
	return origin_enter((struct origin){.service = call_http(call)->conf->name,
	                                    .method = call->match.route->method,
	                                    .path = call->match.route->path});
}

/* turn: on the loop's top level, when some have been woken. */
void call_start(void (*turn)(void));
void call_stop(void);

/* How many have been woken; and the first of them, which is not any more. */
unsigned call_nready(void);
struct call *call_next_ready(void);

/* The exchange's call; made if there is none. */
struct call *call_need(struct exchange *x);

/* It is over for everybody; its handler knows. */
void call_destroy(struct call *call);

/* The connection is gone, or another request's. */
void call_gone(struct exchange *x);

/* The next piece of the answer is to be sent.  False: there is none. */
bool call_next_piece(struct call *call);

/* Its method's name; "" of one that is not known by name: a route for every method is for it.
 */
const char *call_method(const struct call *call);

/* Is there a route for what no route has?  Then that is its route; status: why. */
bool call_is_for_none(struct call *call, int status);

/* It has its route: the handler gets it. */
void call_hand_over(struct call *call);

/* Its body is longer than max_body: give it to the route for what no route has.  False: there
 * is none. */
bool call_too_long(struct exchange *x);

/* The drain has begun, and this one wants to know. */
static inline bool
call_is_drain_due(const struct call *call)
{
	return call->drain != NULL && call->drain_watch.prev == NULL;
}

/* Go on with the connection from the loop's top level. */
void call_wake(struct call *call);

/* It gets its ctx, and its deadline with it, if it has none yet. */
void call_need_ctx(struct call *call);

/* What may be asked of it, until its connection reads on (handler_request.c). */
struct asked call_asked(struct call *call);

/* The request is over for the handler.  What still runs below its ctx is told: from the
 * loop's top level if it is the handler that has just answered. */
void call_end(struct call *call, int cause);

/* Answer it in baton's own form, and tell the handler the cause. */
void call_refuse(struct call *call, int status, int cause);

#define CALL_ALLOW_MAX 256

/* The methods that its path has routes for, into buf; returns buf. */
const char *call_allow(const struct call *call, char *buf, size_t size);

/* One more of the headers of an answer, *len bytes; malloc'd.  0, or as
 * baton_answer_header. */
int answered_add_header(char **headers, size_t *len, const char *name, const char *value);

/* An answer is about to take the place of what is unsent. */
void call_displace(struct call *call);

/* All that was written is sent: tell who wants to know. */
void call_tell_flushed(struct call *call);

#endif
