/*
 * handler_body: a body that its handler gets in pieces.
 *
 * It goes from the connection's buffer into a window of the call's, framing removed, and
 * from there to the handler when he asks.  A full window stops that, and a full buffer
 * behind it stops the reading: so the client is held back by the handler.  What is wrong
 * with a body shows on the loop's top level, never from within a call of the handler's.
 */
#ifndef BATON_SERVICE_HTTP_HANDLER_BODY_H
#define BATON_SERVICE_HTTP_HANDLER_BODY_H

#include <stdbool.h>

struct handler;

/* The request's head is there, perhaps more.  0, or the status that refuses its body. */
int handler_body_begin(struct handler *handler);

/* In PHASE_RESPONDER: take in what has come.  False: the phase is another. */
bool handler_body_waits(struct handler *handler);

/* If the handler waits for what is there now, tell him. */
void handler_body_tell(struct handler *handler);

#endif
