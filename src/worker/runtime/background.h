/*
 * background: the runtime's side of baton_background.
 */
#ifndef BATON_WORKER_RUNTIME_BACKGROUND_H
#define BATON_WORKER_RUNTIME_BACKGROUND_H

#include "worker/runtime/runtime.h"

void background_start(void);
void background_stop(void);

/* Raise the bound. */
void background_limit(unsigned most);

/* The drain begins: each is told, from the loop's top level. */
void background_drain(void);

/* Leave behind the tasks that have not ended, with a line in the log each. */
void background_abandon(void);

void background_each(runtime_task_fn *fn, void *arg);

#endif
