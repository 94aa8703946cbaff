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

struct conn;
struct exchange;

void call_start(void);
void call_stop(void);

/* A body follows: it will be kept; n bytes of it. */
void call_begin(struct conn *c, struct exchange *x);
void call_body(struct exchange *x, const char *bytes, size_t n);

/* The request is there: give it to its route's handler, or answer 404 or 405. */
void call_route(struct conn *c, struct exchange *x);

/* PHASE_CALL: nothing to do before the handler says something, but to see the client's
 * hang-up. */
void call_wait(struct conn *c, struct exchange *x);

/* The client has ended its side in PHASE_CALL: the request is cancelled and the connection
 * closed. */
void call_hung_up(struct conn *c, struct exchange *x);

/* All that was to be sent is sent: is there more, now or later?  If not, it is over. */
bool call_continues(struct exchange *x);

/* The connection is gone, or another request's. */
void call_gone(struct exchange *x);

#endif
