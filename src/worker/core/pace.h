/*
 * pace: how long a turn of the loop takes.
 *
 * Who has something to do for a connection counts it; after some of that the clock is read.
 * When the time of a turn is used up, what is ready from then on waits for its own
 * (worker/core/turn.h), so that the timers, the listeners and the master are not kept waiting.
 * What is counted is progress, too: a worker that makes any is not stuck.
 */
#ifndef BATON_WORKER_CORE_PACE_H
#define BATON_WORKER_CORE_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;

#define PACE_US 5000 /* of a loop's turn for what is ready, and again for who waits */

void pace_start(struct event_base *base);
void pace_stop(void);

/* A few bytes were moved, a connection was seen to, or the like. */
void pace_count(void);

/* Much was done at once: the clock is read. */
void pace_look(void);

/* Is the time of this turn used up? */
bool pace_is_over(void);

/* Of a walk in pieces that began at start_us (clock_us): progress was made; is it time to
 * go on in another turn? */
bool pace_is_enough(uint64_t start_us);

#endif
