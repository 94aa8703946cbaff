/*
 * tunnel: what a connection becomes when its upstream has agreed to another protocol
 * (101): a pair of sockets whose bytes mean nothing to us, until both sides have ended.
 * It moves to another worker at any moment.
 */
#ifndef BATON_SERVICE_HTTP_TUNNEL_H
#define BATON_SERVICE_HTTP_TUNNEL_H

#include <stddef.h>

struct conn;
struct event_base;
struct handoff_record;
struct http;
struct duplex;

/* Of a service with upstreams. */
void tunnel_start(struct http *h, struct event_base *base);
void tunnel_stop(struct http *h);

struct tunnel_bytes {
	const char *p;
	size_t n;
};

#define TUNNEL_FIRST 3

/* fd, the upstream's, is taken over.  What is to go first: up to the upstream, down's in their
 * order to the client.  It is to be entered. */
struct duplex *tunnel_begin(struct conn *c, int fd, const struct tunnel_bytes *up,
                            const struct tunnel_bytes down[TUNNEL_FIRST]);

/* The connection leaves its exchange, and is that tunnel from here on. */
void tunnel_enter(struct conn *c, struct duplex *p);

/* A record whose blob is a tunnel's: as service_type's thaw. */
const char *tunnel_thaw(struct conn *c, struct handoff_record *r);

#endif
