/*
 * handler_int: a request in the hands of a module's handler, for the files that make up that
 * side of HTTP: its life and its end (handler.c), the body that comes in pieces
 * (handler_body.c), the word of the drain (handler_drain.c), what the handler asks of its
 * request (handler_request.c, handler_facts.c) and what it answers (handler_response.c); above
 * them the responder (serve_handlers.c).
 */
#ifndef BATON_SERVICE_HTTP_HANDLER_INT_H
#define BATON_SERVICE_HTTP_HANDLER_INT_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>

#include "baton.h"
#include "service/http/exchange.h"
#include "service/http/handler_facts.h"
#include "service/http/route.h"
#include "worker/runtime/origin.h"

enum handler_state {
	HANDLER_COLLECTING, /* the body */
	HANDLER_WAITING,    /* for the handler */
	HANDLER_STREAMING,  /* the handler has begun an answer in pieces */
	HANDLER_ANSWERED,   /* all of the answer is there, if not sent */
};

/* A piece of an answer. */
struct handler_piece {
	STAILQ_ENTRY(handler_piece) link;
	size_t n;
	char bytes[];
};

struct handler {
	struct exchange *x;
	baton_request handle;
	bool known;      /* the handler has the handle, and it is not over for him */
	bool handling;   /* the handler is running: no need to wake anybody */
	bool ready;      /* is on that list */
	const char *cut; /* why the connection is to be closed; NULL: it is not */
	bool by_drain;   /* a stop, or the end of a drain, is to blame: it counts as cut */
	enum handler_state state;
	STAILQ_ENTRY(handler) ready_link;
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
	bool bare; /* the answer has no body: HEAD, 204, 304 */
	bool ends; /* behind the pieces its end is to be said */
	STAILQ_HEAD(, handler_piece) pieces;
	size_t unsent; /* of them, and of sending */
	struct handler_piece *sending;
	void (*flushed)(void *arg);
	void *flushed_arg;
};

static inline struct http *
call_http(const struct handler *handler)
{
	return http_of(handler->x->conn);
}

/* Its handler's code is about to be called; for origin_leave. */
static inline struct origin
handler_enter(const struct handler *handler)
{
	return origin_enter((struct origin){.service = call_http(handler)->conf->name,
	                                    .method = handler->match.route->method,
	                                    .path = handler->match.route->path});
}

/* turn: on the loop's top level, when some have been woken. */
void handler_start(void (*turn)(void));
void handler_stop(void);

/* How many have been woken; and the first of them, which is not any more. */
unsigned handler_nready(void);
struct handler *handler_next_ready(void);

/* The exchange's; made if there is none. */
struct handler *handler_need(struct exchange *x);

/* It is over for everybody; its handler knows. */
void handler_destroy(struct handler *handler);

/* The connection is gone, or another request's. */
void handler_gone(struct exchange *x);

/* The next piece of the answer is to be sent.  False: there is none. */
bool handler_next_piece(struct handler *handler);

/* Its method's name; "" of one that is not known by name: a route for every method is for it.
 */
const char *handler_method(const struct handler *handler);

/* Is there a route for what no route has?  Then that is its route; status: why. */
bool handler_is_for_none(struct handler *handler, int status);

/* It has its route: the handler gets it. */
void handler_hand_over(struct handler *handler);

/* Its body is longer than max_body: give it to the route for what no route has.  False: there
 * is none. */
bool handler_too_long(struct exchange *x);

/* The drain has begun, and this one wants to know. */
static inline bool
call_is_drain_due(const struct handler *handler)
{
	return handler->drain != NULL && handler->drain_watch.prev == NULL;
}

/* Go on with the connection from the loop's top level. */
void handler_wake(struct handler *handler);

/* It gets its ctx, and its deadline with it, if it has none yet. */
void handler_need_ctx(struct handler *handler);

/* What may be asked of it, until its connection reads on (handler_request.c). */
struct handler_facts handler_asked(struct handler *handler);

/* The request is over for the handler.  What still runs below its ctx is told: from the
 * loop's top level if it is the handler that has just answered. */
void handler_end(struct handler *handler, int cause);

/* Answer it in baton's own form, and tell the handler the cause. */
void handler_refuse(struct handler *handler, int status, int cause);

#define HANDLER_ALLOW_MAX 256

/* The methods that its path has routes for, into buf; returns buf. */
const char *handler_allow(const struct handler *handler, char *buf, size_t size);

/* One more of the headers of an answer, *len bytes; malloc'd.  0, or as
 * baton_answer_header. */
int handler_response_add_header(char **headers, size_t *len, const char *name,
                                const char *value);

/* An answer is about to take the place of what is unsent. */
void handler_displace(struct handler *handler);

/* All that was written is sent: tell who wants to know. */
void handler_tell_flushed(struct handler *handler);

#endif
