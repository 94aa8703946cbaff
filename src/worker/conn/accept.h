/*
 * accept: the listening sockets that this worker holds.
 *
 * They come with GIVE and are polled from ACCEPT on; ACCEPT is the whole list,
 * so what it does not name is closed here (the master keeps the socket alive).
 * One wake accepts a bounded batch.
 *
 * Short of room or of descriptors, connections that nobody needs are let go of for those
 * that wait, and a socket pauses until there is room.  What a listener has in reserve the
 * others leave free, so that there is room for it always.
 */
#ifndef BATON_WORKER_CONN_ACCEPT_H
#define BATON_WORKER_CONN_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct msg;

/* max_connections: 0 for what RLIMIT_NOFILE allows. */
void accept_start(uint64_t max_connections);

/* When no connection is left. */
void accept_stop(void);

/* The orders GIVE and ACCEPT. */
void accept_give(struct msg *m);
void accept_list(const uint32_t *id, size_t n);

/* Accept on every socket until its queue is empty, close it, and call done
 * (from the loop's callbacks, or at once when there is none). */
void accept_sweep(void (*done)(void));

/* Not any more: the sockets go on as they were before it. */
void accept_unsweep(void);

/* A sweep is under way. */
bool accept_sweeping(void);

/* Close every socket at once. */
void accept_close_all(void);

/* A connection of a listener has ended: a pause may be over.  (That one is there is told to
 * reserve.h.) */
void accept_relief(uint32_t listener);

/* One has become idle, which may make room. */
void accept_retry(void);

/* No more connections of a listener are taken than there are. */
bool accept_full(uint32_t listener);

#endif
