/*
 * pool: the inner side of baton_pool, for services that proxy.
 *
 * A handler waits for a link once per answer; a proxy has hundreds of thousands of
 * requests a second on few links.  So a link may be attached: it is known to the loop
 * from then on until it is closed, and an idle one whose peer goes away is closed at
 * once.  A pool's links are all used in one of these two ways.
 */
#ifndef BATON_WORKER_RUNTIME_POOL_H
#define BATON_WORKER_RUNTIME_POOL_H

#include <stdbool.h>

#include "baton.h"
#include "worker/runtime/runtime.h"

struct pool_target;

/* For those that are made from now on (fd_keepalive); 60 s if this is not called. */
void pool_keepalive(struct baton_pool *pool, int64_t ms);

/* The target of that name; it lives as long as the pool. */
struct pool_target *pool_target(struct baton_pool *pool, const char *name);

/* An idle link at once, or NULL.  Its peer is still there, and nothing that it has said waits:
 * it was asked nothing. */
#define pool_take(target) pool_take_at((target), BATON_HERE)
struct baton_link *pool_take_at(struct pool_target *target, const char *place);

/* As baton_pool_get; but ctx is that of the wait, and says nothing of the time after. */
#define pool_wait(target, ctx, fn, arg) pool_wait_at((target), (ctx), (fn), (arg), BATON_HERE)
int pool_wait_at(struct pool_target *target, struct baton_ctx *ctx,
                 void (*fn)(void *arg, int status, struct baton_link *link), void *arg,
                 const char *place);

/* Why the last connection could not be made, in words that last; NULL: none has failed. */
const char *pool_fault(const struct pool_target *target);

/* Are there as many links as may be? */
bool pool_is_full(const struct pool_target *target);

/* Links that are out or being made. */
unsigned pool_busy(const struct pool_target *target);

/* Links that are kept without use. */
unsigned pool_idle(const struct pool_target *target);

/* Call ready(arg, EV_READ or EV_WRITE) whenever it is, until baton_link_put or link_steal. */
void link_attach(struct baton_link *link, void (*ready)(void *arg, short what), void *arg);

/* The events that an attached link waits for: EV_READ, EV_WRITE, both, 0. */
void link_want(struct baton_link *link, short events);

/* Its descriptor, which is the caller's; the link is gone. */
int link_steal(struct baton_link *link);

/* Its connections, idle and out: of all pools. */
void pool_each(runtime_task_fn *fn, void *arg);

#endif
