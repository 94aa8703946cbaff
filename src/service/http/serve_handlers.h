/*
 * serve_handlers: a responder whose answers a module's handlers give.
 *
 * It begins with the request's body and ends when the answer is with the kernel or the
 * connection is gone.  The handler knows it by a number that is never used again, so that
 * whatever it does, and whenever, hits this request or none.  What the handler answers is sent
 * from the loop's top level.
 */
#ifndef BATON_SERVICE_HTTP_SERVE_HANDLERS_H
#define BATON_SERVICE_HTTP_SERVE_HANDLERS_H

#include <stdbool.h>

#include "baton.h"
#include "service/http/responder.h"

struct conn;

/* The service's http has its routes. */
extern const struct responder serve_handlers_responder;

/* Of the worker: a second start is none. */
void serve_handlers_start(void);
void serve_handlers_stop(void);

/* The connection of a request; NULL: it is over. */
struct conn *serve_handlers_connection(baton_request r);

/* The path of its route, however its target spells it; NULL: it is over. */
const char *serve_handlers_route_path(baton_request r);

/* The head of an answer in pieces is with the kernel, and nothing else was said: the
 * connection leaves http, without its exchange.  chunked: is the rest to be framed so?
 * NULL: it is gone. */
struct conn *serve_handlers_leave(baton_request r, bool *chunked);

#endif
