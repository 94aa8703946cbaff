/*
 * drained: a request that wants to know when the worker begins to drain, and is told so once,
 * in its turn, unless it is over.
 */
#ifndef BATON_SERVICE_HTTP_DRAINED_H
#define BATON_SERVICE_HTTP_DRAINED_H

struct call;

/* On the loop's top level: if it is due, tell it. */
void drained_tell(struct call *call);

#endif
