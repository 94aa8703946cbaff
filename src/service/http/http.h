/*
 * http: HTTP/1.0 and 1.1 on connections that are kept.
 *
 * Promises: every request that comes in whole is answered once and in order,
 * errors included; an answer is complete or the connection is cut; what the
 * peer does not take in stops us from reading more; every phase of a
 * connection has a time limit.  After a protocol error the connection is
 * closed in order, never left to guesses about where the next request begins.
 *
 * The way of a request: http (bytes in and out, limits) -> serve (what comes
 * next) -> head, request, chunk (grammar, pure) -> site or root (the answer)
 * -> answer (its head, pure) -> out (what is unsent).
 */
#ifndef BATON_SERVICE_HTTP_HTTP_H
#define BATON_SERVICE_HTTP_HTTP_H

struct service_type;

extern const struct service_type http_service;

#endif
