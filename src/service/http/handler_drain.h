/*
 * handler_drain: a request that wants to know when the worker begins to drain, and is told so
 * once, in its turn, unless it is over.
 */
#ifndef BATON_SERVICE_HTTP_HANDLER_DRAIN_H
#define BATON_SERVICE_HTTP_HANDLER_DRAIN_H

struct handler;

/* On the loop's top level: if it is due, tell it. */
void handler_drain_tell(struct handler *handler);

#endif
