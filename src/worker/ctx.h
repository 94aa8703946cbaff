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

/* Every ctx that is not freed, oldest first; the root is none of them.  For batonctl. */
void ctx_each(void (*fn)(void *arg, const struct baton_ctx *ctx, const char *place,
                         unsigned long long born_ms),
              void *arg);

#endif
