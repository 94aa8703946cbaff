/*
 * accept: the listening sockets that this worker holds.
 *
 * They come with GIVE and are polled from ACCEPT on; ACCEPT is the whole list,
 * so what it does not name is closed here (the master keeps the socket alive).
 * One wake accepts a bounded batch.  Short of descriptors, accepting pauses.
 */
#ifndef BATON_WORKER_ACCEPT_H
#define BATON_WORKER_ACCEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct msg;

/* max_connections: 0 for what RLIMIT_NOFILE allows. */
void accept_start(uint64_t max_connections);
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

/* A connection has ended: a pause for want of descriptors may be over. */
void accept_relief(void);

/* No more connections are taken than there are. */
bool accept_full(void);

#endif
