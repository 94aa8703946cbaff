/*
 * events: the streams of /events (server-sent events).
 *
 * Twice a second each is told how things stand (`status`: the document of view.h), and
 * each reload, upgrade and abort once (`change`: as in its history).  Ids are "N.SEQ": N counts
 * the events of the stream, SEQ is the newest change that was told; a client that comes back
 * with Last-Event-ID goes on from there.
 *
 * Between two events a stream is a connection with two numbers, and moves to another
 * worker; what a slow client has not taken travels along.  It gets the next event when
 * it has taken the last: nothing piles up.
 */
#ifndef BATON_SERVICE_ADMIN_EVENTS_H
#define BATON_SERVICE_ADMIN_EVENTS_H

#include <stdbool.h>

#include "baton.h"

struct conn;
struct event_base;
struct handoff_record;
struct http;

#define EVENTS_BLOB 3 /* blob_version of a record; http/handoff.h has the others of http */

void events_start(struct http *h, struct event_base *base);
void events_stop(struct http *h);

/* May there be one more? */
bool events_room(baton_request r);

/* Answer with a stream. */
void events_begin(baton_request r);

/* A record whose blob is a stream's: as service_type's thaw. */
const char *events_thaw(struct conn *c, struct handoff_record *r);

#endif
