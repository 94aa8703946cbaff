/*
 * listing: what this worker holds, told to the master line by line (MSG_LIST).
 *
 * A few lines in a turn of the loop, and none while the master has not taken those before:
 * neither ten thousand connections nor a master that stands still hold up a client.  The
 * tasks are as they were when they were asked for; connections as they are when their turn
 * comes, those that were there at the beginning.
 */
#ifndef BATON_WORKER_LISTING_H
#define BATON_WORKER_LISTING_H

struct msg;

void listing_start(void);

/* Nobody is told any more: the master is gone, or the worker leaves. */
void listing_stop(void);

/* MSG_LIST has come. */
void listing_begin(const struct msg *m);

#endif
