/*
 * http1: HTTP/1.0 and 1.1 (RFC 9112): request after request on a connection.
 */
#ifndef BATON_SERVICE_HTTP_HTTP1_H
#define BATON_SERVICE_HTTP_HTTP1_H

#include "service/http/framing.h"

struct conn;
struct timed;

extern const struct framing http1_framing;

/* As struct service_type has them. */
void http1_open(struct conn *c);
void http1_go_on(struct conn *c); /* writable, too */
void http1_ready(struct conn *c, short what);
void http1_resume(struct conn *c);
void http1_drain(struct conn *c);
void http1_let_go(struct conn *c, const char *why);

/* A limit of a connection has passed: for a head or a body; for an answer to be taken; between
 * requests; and of an exchange, for the whole request. */
void http1_late(struct timed *t);
void http1_send_late(struct timed *t);
void http1_idle_late(struct timed *t);
void http1_total_late(struct timed *t);

#endif
