/*
 * generation_int: what the files of generation.h share: generation.c, and generation_state.c
 * (how they cross an exec).
 */
#ifndef BATON_MASTER_WORKERS_GENERATION_INT_H
#define BATON_MASTER_WORKERS_GENERATION_INT_H

#include "master/workers/generation.h"

/* The newest of all, with nothing but its number. */
struct generation *generation_make(uint32_t id);

/* It has room for so many slots, at least. */
void generation_grow_slots(struct generation *g, uint32_t n);

#endif
