/*
 * slot_int: what slot.c and slot_state.c share.
 */
#ifndef BATON_MASTER_WORKERS_SLOT_INT_H
#define BATON_MASTER_WORKERS_SLOT_INT_H

#include "master/workers/slot.h"

/* Hear the worker at the channel fd, which becomes the worker's. */
void slot_listen(struct worker *w, int fd);

#endif
