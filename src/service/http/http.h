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

#include "worker/core/service.h"

extern const struct service_type http_service;

#endif
