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

#include "service/http/response_head.h"

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

/* How Connection reads in the answer that begins now; closes, where it says so. */
enum response_head_connection respond_connection(struct exchange *x);

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

/* Begin a head in x->text: its length so far.  respond_text makes len bytes there the answer,
 * or its first part. */
size_t respond_head(struct conn *c, struct exchange *x, int status);
void respond_text(struct exchange *x, size_t len);

#endif
