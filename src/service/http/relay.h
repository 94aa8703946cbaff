/*
 * relay: a request that an upstream answers.
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

struct conn;
struct event_base;
struct exchange;
struct http;

/* Of a service with upstreams, beside its other lists. */
void relay_start(struct http *h, struct event_base *base);
void relay_stop(struct http *h);

/* The head is there: to an upstream with it.  Leaves PHASE_RELAY, or PHASE_ANSWER. */
void relay_begin(struct conn *c, struct exchange *x);

/* The connection's turn in PHASE_RELAY. */
void relay_ready(struct conn *c, struct exchange *x, short what);

/* The same, of its upstream's connection, for which there was no time. */
void relay_resume(struct exchange *x);

/* Nothing to do in PHASE_RELAY but to wait. */
void relay_wait(struct conn *c, struct exchange *x);

/* A limit of the connection has passed in PHASE_RELAY. */
void relay_late(struct conn *c, struct exchange *x);

/* The connection is gone, or the request answered. */
void relay_gone(struct exchange *x);

#endif
