/*
 * turn: whose turn it is, of the connections that this worker cannot see to at once.
 *
 * What is ready beyond a few milliseconds of a loop turn waits here, and so does who has
 * had its share and is not done.  First in, first out within a listener, and the listeners
 * one after the other.  Who comes new does not wait behind all who have had a share: he is
 * served first, but of each five turns one is theirs, so that they do not starve.
 *
 * Pure: nothing is served here, and the clock is not read.
 */
#ifndef BATON_WORKER_CORE_TURN_H
#define BATON_WORKER_CORE_TURN_H

#include <stdbool.h>
#include <stddef.h>

struct conn;

/* For so many listeners. */
void turn_start(size_t listeners);
void turn_stop(void);

/* To the end of its listener's line.  again: it has had a share.  It is at no other place
 * (conn.h). */
void turn_join(struct conn *c, bool again);

/* It waits no more. */
void turn_leave(struct conn *c);

/* The next connection, which then waits no more; *again as above.  NULL: nobody waits. */
struct conn *turn_next(bool *again);

/* How many wait. */
size_t turn_count(void);

#endif
