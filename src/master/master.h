/*
 * master: the clerk.  One thread, one loop, no client byte ever.
 *
 * The story: how it starts, what it does with each pulse, how it stops.
 */
#ifndef BATON_MASTER_MASTER_H
#define BATON_MASTER_MASTER_H

#include "master/core/env.h"

/* The life of the process; returns its exit status. */
int master_main(const struct program *program, const char *conf_path, const char *exe_path);

#endif
