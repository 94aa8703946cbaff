/*
 * pool_int: what the files of pool.h share: link.c (a connection that is kept), and above it
 * pool.c (who gets it).
 */
#ifndef BATON_WORKER_RUNTIME_POOL_INT_H
#define BATON_WORKER_RUNTIME_POOL_INT_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "baton.h"
#include "worker/runtime/origin.h"
#include "worker/runtime/pool.h"

struct baton_link {
	TAILQ_ENTRY(baton_link) all;
	TAILQ_ENTRY(baton_link) link; /* while it is idle, the latest first */
	struct pool_target *target;
	const char *place;       /* who asked for it last */
	uint64_t out_ms, due_ms; /* given out; the deadline of the request behind that */
	int fd;
	bool reused;
	uint64_t born_ms, idle_since_ms;
	struct event ev; /* of a wait, or as long as it is attached */
	bool waits;
	bool attached, idle;
	void (*ready)(void *arg, short what); /* NULL: idle */
	struct baton_watch watch;
	int cause; /* of the ctx of a wait, when it has ended */
	void (*fn)(void *arg, int status);
	void *arg;
	struct origin origin; /* of the wait */
};

/* A request for a link: in its target's queue, then on its way to be told. */
struct waiter {
	TAILQ_ENTRY(waiter) link;
	struct pool_target *target;
	bool queued;
	struct baton_ctx *ctx;
	struct baton_watch watch;
	void (*fn)(void *arg, int status, struct baton_link *link);
	void *arg;
	struct origin origin;
	const char *place;
	bool timed; /* its ctx is the request's, for the time after, too */
	int status;
	struct baton_link *given;
};

struct dialling {
	LIST_ENTRY(dialling) link;
	struct pool_target *target;
	struct dial *dial;
};

struct pool_target {
	TAILQ_ENTRY(pool_target) link;
	struct baton_pool *pool;
	char *name;
	unsigned open; /* idle, out, and being dialled */
	unsigned nidle, nwaiting, ndialling;
	const char *fault; /* of the last one that was dialled in vain */
	TAILQ_HEAD(links, baton_link) idle;
	TAILQ_HEAD(, waiter) waiting;
	LIST_HEAD(, dialling) dialling;
};

struct baton_pool {
	struct baton_pool_rules rules;
	int64_t keepalive; /* ms */
	TAILQ_HEAD(, pool_target) targets;
	struct baton_timer *look;
	bool looking;
	uint64_t dialled, failed, reused, dead;
};

/* One to that target at fd, which is connected and becomes its own. */
struct baton_link *link_new(struct pool_target *target, int fd);

/* It is idle no more, and waits for nothing. */
void link_close(struct baton_link *l);

/* Has it lived for as long as the pool lets them? */
bool link_is_old(const struct baton_link *l, uint64_t now);

/* Nothing may come from a peer that was asked nothing: an end, an error or bytes alike. */
bool link_is_dead(const struct baton_link *l);

void link_end_wait(struct baton_link *l);

#endif
