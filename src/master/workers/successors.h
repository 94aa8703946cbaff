/*
 * successors: who hands its connections to whom.
 *
 * One function over the facts, safe to call after every change: each worker that
 * leaves while others serve on is given channels to some of them, spread so that
 * every taker gets its share.  When a taker is replaced, or its generation drains
 * itself, the givers are aimed anew.
 */
#ifndef BATON_MASTER_WORKERS_SUCCESSORS_H
#define BATON_MASTER_WORKERS_SUCCESSORS_H

#include <stdbool.h>

void successors_run(void);

/* Something could not be had (descriptors): it is to be run again. */
bool successors_incomplete(void);

/* The worker may have lost a peer channel: reconnect all its pairs, in both directions. */
struct worker;
void successors_again(struct worker *worker);

#endif
