/*
 * warnings: what a person should look at, one sentence each: what is older than its
 * limit, as the workers count it themselves (wire/stats.h), and workers whose loop does
 * not turn.  Nobody is asked, so nobody is waited for.
 */
#ifndef BATON_MASTER_CHANGE_WARNINGS_H
#define BATON_MASTER_CHANGE_WARNINGS_H

#include <jansson.h>

#include <stdint.h>

#include "wire/stats.h"

/* All there are now: an array of sentences. */
json_t *warnings_json(void);

/* Warn about sockets and files whose names are lost. */
json_t *warnings_of_paths(void);

/* "2 ctxs have ended and are still held, the first for 12 s; see `batonctl tasks`", or
 * NULL when n is 0; malloc'd.  Pure. */
char *warnings_overdue(enum stats_overdue_kind kind, uint64_t n, uint64_t ms);

#endif
