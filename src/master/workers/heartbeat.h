/*
 * heartbeat: does every worker's loop turn?
 *
 * A worker says so in its page once a second.  A look is taken at every pulse of the master,
 * and looks are counted, not time: when the whole machine stood still nobody is to blame.
 */
#ifndef BATON_MASTER_WORKERS_HEARTBEAT_H
#define BATON_MASTER_WORKERS_HEARTBEAT_H

#include <stdbool.h>

/* Look at all workers; those that are stuck are marked for the policy, and the log says what
 * they were doing.  True: all are fresh. */
bool heartbeat_look(void);

bool heartbeat_any_stuck(void);

#endif
