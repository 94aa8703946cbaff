/*
 * http: HTTP/1.0 and 1.1.  Answers one text to everything (`respond`) or serves
 * files (`root`).
 *
 * An idle connection costs nothing here: what a request needs (parser's results,
 * buffers) is borrowed from the worker when its first byte comes and given back
 * when its answer is with the kernel.  Every fault of a client is an answer with a
 * status code and an orderly close.
 */
#ifndef BATON_SERVICE_HTTP_HTTP_H
#define BATON_SERVICE_HTTP_HTTP_H

#include "worker/service.h"

struct conn;

extern const struct service_type http_service;

/* Go on with a request whose handler has said something; from the loop's top level. */
void http_go_on(struct conn *c);

#endif
