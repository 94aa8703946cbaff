/*
 * handler_id: the numbers by which handlers know their requests.  A number is never used
 * again, so that whatever a handler does with it, and whenever, hits its request or none.
 */
#ifndef BATON_SERVICE_HTTP_HANDLER_ID_H
#define BATON_SERVICE_HTTP_HANDLER_ID_H

#include "baton.h"

struct handler;

/* A number for a request that is given to its handler. */
baton_request handler_id_new(struct handler *handler);

/* It means nothing any more; cause: the status that it says from now on. */
void handler_id_end(baton_request r, int cause);

/* The handler behind a handle; or NULL, and *status tells how it has ended (of those that
 * were not answered by their handlers, of a thousand at least).  A thread is stopped by it, and
 * the function named that it has called. */
struct handler *handler_id_find(const char *function, baton_request r, int *status);
struct handler *handler_id_look_up(const char *function, baton_request r);

/* The worker leaves: forget them all. */
void handler_id_free_all(void);

#endif
