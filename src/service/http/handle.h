/*
 * handle: the numbers by which handlers know their requests.  A number is never used
 * again, so that whatever a handler does with it, and whenever, hits its request or none.
 */
#ifndef BATON_SERVICE_HTTP_HANDLE_H
#define BATON_SERVICE_HTTP_HANDLE_H

#include "baton.h"

struct call;

/* A number for a request that is given to its handler. */
baton_request handle_new(struct call *call);

/* It means nothing any more; cause: the status that it says from now on. */
void handle_end(baton_request r, int cause);

/* The call behind a handle; or NULL, and *status tells how it has ended (of those that
 * were not answered by their handlers, of a thousand at least).  A thread is stopped by it, and
 * the function named that it has called. */
struct call *handle_find(const char *function, baton_request r, int *status);
struct call *handle_look_up(const char *function, baton_request r);

/* The worker leaves: forget them all. */
void handle_free_all(void);

#endif
