/*
 * ctx: the runtime's side of baton_ctx.
 */
#ifndef BATON_WORKER_RUNTIME_CTX_H
#define BATON_WORKER_RUNTIME_CTX_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/runtime/runtime.h"

struct baton_ctx;

void ctx_start(void);

/* Contexts that are still held are logged, and left alone. */
void ctx_stop(void);

/* The worker's own: ends at the drain's deadline. */
struct baton_ctx *ctx_root(void);

/* Another one, with nothing below it: ends when the drain begins. */
struct baton_ctx *ctx_drain(void);

/* The drain is called off: of these two, what has ended is there anew. */
void ctx_renew(void);

/* Nobody but its one holder has to do with it: it may be dropped without a word. */
bool ctx_lonely(const struct baton_ctx *ctx);

/* clock_ms: of its end, 0 while it lives; of its deadline, UINT64_MAX: none. */
uint64_t ctx_ended_ms(const struct baton_ctx *ctx);
uint64_t ctx_deadline_ms(const struct baton_ctx *ctx);

/* The deadline of the outermost above it, below the worker's own: of the request. */
uint64_t ctx_request_deadline_ms(const struct baton_ctx *ctx);

void ctx_each(runtime_task_fn *fn, void *arg);

#endif
