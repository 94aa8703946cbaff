/*
 * ctx: the runtime's side of baton_ctx.
 */
#ifndef BATON_WORKER_CTX_H
#define BATON_WORKER_CTX_H

#include <stdbool.h>

struct baton_ctx;

void ctx_start(void);

/* Those that somebody still holds are told of, and left alone. */
void ctx_stop(void);

/* The worker's own: ends at the drain's deadline. */
struct baton_ctx *ctx_root(void);

/* Nobody but its one holder has to do with it: it may be dropped without a word. */
bool ctx_lonely(const struct baton_ctx *ctx);

#endif
