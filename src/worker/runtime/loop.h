/*
 * loop: the loop that handlers run in, for what of baton.h stands on it: post, timer, ctx,
 * offload, pool.
 */
#ifndef BATON_WORKER_RUNTIME_LOOP_H
#define BATON_WORKER_RUNTIME_LOOP_H

#include <stdbool.h>

struct event_base;

/* It is base, and this thread's; and no more. */
void loop_begin(struct event_base *base);
void loop_end(void);

/* Has it begun? */
bool loop_runs(void);

/* It has, and this is its thread. */
struct event_base *loop_base(void);

/* Is this thread the loop's? */
bool loop_is_mine(void);

/* Where a function of baton.h begins that is the loop's alone: a thread that calls it ends the
 * worker, and the log names the function. */
#define ON_LOOP() loop_need(__func__)
void loop_need(const char *function);

#endif
