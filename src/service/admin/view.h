/*
 * view: how things stand, as a worker can know it: what the master has put on the board
 * (wire/board.h), with what changes from moment to moment read afresh from the statistics.
 */
#ifndef BATON_SERVICE_ADMIN_VIEW_H
#define BATON_SERVICE_ADMIN_VIEW_H

#include <jansson.h>

/*
 * The fields of `batonctl status --json`, and:
 *	history          the last changes, as `last`, each with at_ms (Unix time) if known
 *	services         name, type, and of those that record it: latency
 *	master_silent_ms since the master was heard of; null: never
 *	clock_ms         CLOCK_MONOTONIC now, the same for all workers
 *	answered_by      generation, slot, birth, pid
 * A new reference.
 */
json_t *view_json(void);

#endif
