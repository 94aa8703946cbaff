/*
 * stream: the connections of a stream module.
 *
 * What a module writes goes into the connection's queue, from whatever thread, and is
 * sent from the loop's top level, so that nothing of the module is ever called from
 * within its own calls, and several writes leave in one.  What the module does not use up
 * is kept and shown again.  Both travel when the connection moves.
 */
#ifndef BATON_SERVICE_MODULE_STREAM_H
#define BATON_SERVICE_MODULE_STREAM_H

struct baton_service;

/* Make its service a stream: sets type and data. */
void stream_start(struct baton_service *s);

#endif
