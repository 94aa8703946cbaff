/*
 * call: a request in the hands of a module's handler.
 *
 * It begins with the request's body and ends when the answer is with the kernel or the
 * connection is gone.  The handler knows it by a number that is never used again, so
 * that whatever it does, and whenever, hits this request or none.  What the handler
 * answers is sent from the loop's top level.
 */
#ifndef BATON_SERVICE_HTTP_CALL_H
#define BATON_SERVICE_HTTP_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "baton.h"

struct conn;
struct exchange;

void call_start(void);
void call_stop(void);

/* A body follows.  True: its route wants it in pieces, so that the request is to be answered
 * now; else it will be kept: n bytes of it. */
bool call_begin(struct conn *c, struct exchange *x);
void call_body(struct exchange *x, const char *bytes, size_t n);

/* The request is there: give it to its route's handler, or answer 404 or 405. */
void call_route(struct conn *c, struct exchange *x);

/* Its body is longer than max_body: give it to the route for what no route has.  False: there
 * is none. */
bool call_too_long(struct exchange *x);

/* A body comes in pieces: all the time; and is not over yet. */
bool call_streams(const struct exchange *x);
bool call_is_amid_body(const struct exchange *x);

/* PHASE_CALL: is there nothing to do before the handler says something, but to take the body
 * in and to see the client's hang-up?  If not, the phase is another. */
bool call_waits(struct conn *c, struct exchange *x);

/* PHASE_CALL: nothing came of the body for too long. */
void call_late(struct exchange *x);

/* The client has ended its side in PHASE_CALL: the request is cancelled and the connection
 * closed. */
void call_hung_up(struct conn *c, struct exchange *x);

/* All that was to be sent is sent: is there more, now or later?  If not, it is over. */
bool call_continues(struct exchange *x);

/* What is read lies in `in` from now on, no longer in x->in. */
void call_move(struct exchange *x, const char *in);

/* The connection is gone, or another request's. */
void call_gone(struct exchange *x);

/* The connection of a request; NULL: it is over. */
struct conn *call_connection(baton_request r);

/* The path of its route, however its target spells it; NULL: it is over. */
const char *call_route_path(baton_request r);

/* The head of an answer in pieces is with the kernel, and nothing else was said: the
 * connection leaves http, without its exchange.  chunked: is the rest to be framed so?
 * NULL: it is gone. */
struct conn *call_leave(baton_request r, bool *chunked);

#endif
