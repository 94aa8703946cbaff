/*
 * relay: a responder that asks an upstream.
 *
 * It begins with the request's head and ends when the answer is with the kernel or the
 * connection is gone.  Both bodies go by in pieces: what one side does not take in is not
 * read from the other.  As long as nothing of the answer is with the client, what goes
 * wrong upstream is an answer of our own (502, 503, 504), or another attempt at the next
 * upstream where nothing can have happened yet, or happening twice means nothing; later
 * the client's connection is cut, so that half an answer is never taken for a whole one.
 */
#ifndef BATON_SERVICE_HTTP_RELAY_H
#define BATON_SERVICE_HTTP_RELAY_H

#include "service/http/responder.h"

struct event_base;
struct http;

extern const struct responder relay_responder;

/* Of a service with upstreams, beside its other lists. */
void relay_start(struct http *h, struct event_base *base);
void relay_stop(struct http *h);

#endif
