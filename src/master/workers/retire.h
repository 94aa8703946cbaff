/*
 * retire: listeners that no generation serves any more.
 */
#ifndef BATON_MASTER_WORKERS_RETIRE_H
#define BATON_MASTER_WORKERS_RETIRE_H

/* Retire every listener that no generation but draining ones uses: after a generation has begun
 * to drain, or has failed. */
void retire_unused(void);

/* Close the retired ones that nobody sweeps any more. */
void retire_close_swept(void);

#endif
