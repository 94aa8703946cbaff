/*
 * respond: answers of our own, for all responders.
 *
 * Health and errors are written into the exchange.  Nothing is sent here: each function leaves
 * the exchange in PHASE_ANSWER with all that is to be sent, and decides whether the connection
 * ends after it.
 */
#ifndef BATON_SERVICE_HTTP_RESPOND_H
#define BATON_SERVICE_HTTP_RESPOND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/http/framing.h"

struct conn;
struct exchange;
struct http;

/* The request is whole: its responder is to answer it. */
void respond(struct conn *c, struct exchange *x);

/* As a responder's begin, of one that wants whole requests with a known method. */
void respond_begin(struct conn *c, struct exchange *x);

/* Is the request one for the service's health? */
bool respond_is_ours(const struct conn *c, const struct exchange *x);

/* If path, that of the request, decoded, is the one of health: answer.  Else false. */
bool respond_health(struct conn *c, struct exchange *x, const char *path);

/*
 * Answer with an error and end the connection: a fault after which the bytes that
 * follow mean nothing any more.
 */
void respond_refuse(struct conn *c, struct exchange *x, int status);

/* To a request that is to go no further (Max-Forwards): OPTIONS means nothing here, and TRACE
 * is not for us. */
void respond_at_end(struct conn *c, struct exchange *x);

/* Now, as HTTP writes it. */
const char *respond_date(struct http *h);

/* An answer that is its status; the connection may go on after it. */
void respond_status(struct conn *c, struct exchange *x, int status);

/*
 * An answer: its head begins (the length so far, which each of these takes and returns), gets
 * fields, "Name: value\r\n", of which one that does not fit is left out, and ends; then x is
 * in PHASE_ANSWER.  n: the body's length.
 */
size_t respond_head(struct exchange *x, int status, enum framing_body body);
size_t respond_field(const struct exchange *x, size_t len, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void respond_end(struct exchange *x, size_t len, enum framing_body body, uint64_t n);

/* Then its body: bytes that stay until they are sent; or a copy, if there is room for them
 * behind the head: else false.  Nothing to HEAD. */
void respond_body(struct exchange *x, const char *bytes, size_t n);
bool respond_copy(struct exchange *x, const void *bytes, size_t n);

#endif
