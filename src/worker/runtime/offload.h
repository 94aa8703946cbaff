/*
 * offload: the worker's threads, as many as there is work for up to a bound, and the
 * queue before them, bounded as well.  The loop's side of a task and the thread's side
 * share three fields under one lock; all else belongs to the loop.
 */
#ifndef BATON_WORKER_RUNTIME_OFFLOAD_H
#define BATON_WORKER_RUNTIME_OFFLOAD_H

#include <stdbool.h>

#include "worker/runtime/runtime.h"

/* Raise the bounds; the first call starts it.  No thread is made before it has work. */
void offload_limits(unsigned threads, unsigned queue);

/* End the threads.  False: one of them does not come back. */
bool offload_stop(void);

/* Stop counting tasks that have not ended; one line in the log each. */
void offload_abandon(void);

/* For statistics. */
struct offload_stats {
	unsigned threads, running, queued;
	unsigned long long done, refused, stuck;
};
void offload_stats(struct offload_stats *s);

void offload_each(runtime_task_fn *fn, void *arg);

#endif
