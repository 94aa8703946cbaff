/*
 * post: the way from other threads to the loop: one queue, one eventfd.
 */
#ifndef BATON_WORKER_RUNTIME_POST_H
#define BATON_WORKER_RUNTIME_POST_H

void post_start(void);
void post_stop(void);

#endif
