/*
 * respond: which answer a request gets.
 *
 * `respond`'s text is made once per service (canned); health, files, parts of
 * files, redirects and errors are written into the exchange.  Nothing is sent
 * here: each function leaves the exchange in PHASE_ANSWER with all that is to be
 * sent, and decides whether the connection ends after it.
 */
#ifndef BATON_SERVICE_HTTP_RESPOND_H
#define BATON_SERVICE_HTTP_RESPOND_H

#include <stdbool.h>
#include <stddef.h>

#include "service/http/answer.h"

struct conn;
struct exchange;
struct http;

/* Make what is canned; h has its configuration and its root. */
void respond_prepare(struct http *h);

/* Undo respond_prepare. */
void respond_free(struct http *h);

/* Answer a request whose head is parsed and whose body has been read. */
void respond(struct conn *c, struct exchange *x);

/* Of a service with upstreams: is the request one that we answer ourselves (health)? */
bool respond_is_ours(const struct conn *c, const struct exchange *x);

/* Will it be 405, whatever its body is? */
bool respond_takes_no_body(const struct conn *c, const struct exchange *x);

/* How Connection reads in the answer that begins now; closes, where it says so. */
enum answer_connection respond_connection(struct exchange *x);

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
