/*
 * worker: a process that runs client bytes.  One thread, one loop.
 *
 * It is born from a heritage, starts its services, says READY and then does
 * what the channel says: accept, pause, drain, leave.  The end of the channel
 * means that nobody will come back for it: it drains and leaves.
 */
#ifndef BATON_WORKER_WORKER_H
#define BATON_WORKER_WORKER_H

#include "wire/heritage.h"

/* The life of the process; the caller exits with what it returns. */
int worker_main(const struct heritage *heritage);

#endif
