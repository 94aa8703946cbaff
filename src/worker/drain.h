/*
 * drain: how a worker ends.
 *
 * Stop accepting (after a sweep of the queues, if told so), let go of what is
 * idle, finish what is busy; at the deadline cut what is left, spread over
 * cut_over, each with a line in the log.  The worker leaves the moment the
 * waitgroup's count is 0 and the queues are swept.  Until then it can be
 * called off.
 */
#ifndef BATON_WORKER_DRAIN_H
#define BATON_WORKER_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

struct msg_drain;

void drain_start(void);
void drain_stop(void);

/* Begin, or go on with another deadline. */
void drain_begin(const struct msg_drain *order);

/* Call it off: the worker is paused until it is told to accept. */
void drain_resume(void);

/* Cut everything now. */
void drain_cut_now(void);

/* Milliseconds until the deadline; 0 when not draining or past it. */
uint64_t drain_left_ms(void);

#endif
