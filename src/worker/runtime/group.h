/*
 * group: baton_group, several things at once and one end; the runtime's side.
 */
#ifndef BATON_WORKER_RUNTIME_GROUP_H
#define BATON_WORKER_RUNTIME_GROUP_H

#include "worker/runtime/runtime.h"

void group_each(runtime_task_fn *fn, void *arg);

#endif
