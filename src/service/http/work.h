/*
 * work: a route whose handler blocks.  It runs in a thread, on a copy of the request, and
 * what it returns is the answer; here are the copy, the way there and the way back.
 *
 * The thread has all of it until it returns; only then, and if the request is not over, the
 * loop looks at the answer.
 */
#ifndef BATON_SERVICE_HTTP_WORK_H
#define BATON_SERVICE_HTTP_WORK_H

#include "baton.h"

/* The handler of each route with `work`: run that in a thread, or answer 503. */
void work_handle(baton_request r);

#endif
