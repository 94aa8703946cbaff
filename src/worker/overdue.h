/*
 * overdue: what is older than its limit, counted into the stats page every second, so
 * that `batonctl status` can warn of it without asking a worker that may be stuck.
 *
 * The hot path has no part in it: ctxs, tasks and links say themselves what is wrong with
 * them; connections are looked at in pieces, and only while one of them is busy.
 */
#ifndef BATON_WORKER_OVERDUE_H
#define BATON_WORKER_OVERDUE_H

#include <stdbool.h>
#include <stdint.h>

struct conn;

void overdue_start(void);
void overdue_stop(void);

/* Look at everything again, now and in the next turns of the loop. */
void overdue_look(void);

/*
 * Is c busy for longer than its service's phases allow, twice the service's patience
 * without a byte moved?  Then *since_ms (clock_ms) is when it became that.  No byte
 * between two looks is what is seen; between them anything may have moved.
 */
bool overdue_conn(struct conn *c, uint64_t now, uint64_t *since_ms);

#endif
