/*
 * connect: the way of a client to one of the upstreams.
 *
 * The next one is dialled, and after it the others, until one is there or each was tried
 * once.  Then, where a name is being looked up, once more with what was found.
 */
#ifndef BATON_SERVICE_UPSTREAM_CONNECT_H
#define BATON_SERVICE_UPSTREAM_CONNECT_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "service/upstream/resolve.h"

struct upstream;
struct upstreams;

/* Calls to its owner. */
struct connecting_owner {
	/* An attempt, or a wait for names, begins: its time limit is the owner's
	 * (connecting_late). */
	void (*begins)(void *arg);
	/* fd is connected to u, which is held: both are the owner's from here on. */
	void (*connected)(void *arg, int fd, struct upstream *u);
	/* It is in vain: why and the cause of it, NULL if why says all, are words that last. */
	void (*failed)(void *arg, const char *why, const char *cause);
};

struct connecting {
	struct event ev; /* of fd */
	const struct connecting_owner *owner;
	void *arg;
	struct upstreams *set;
	struct upstream *tries; /* held; NULL: none yet */
	struct resolve_wait names;
	uint64_t tried;
	const char *fault; /* of the last one that was tried; NULL: none was */
	int fd;            /* -1: none is under way */
	bool waited;       /* for names; not twice */
};

/* Begin.  The owner may hear its end at once, and free *k then. */
void connecting_start(struct connecting *k, struct upstreams *set,
                      const struct connecting_owner *owner, void *arg);

/* The time of what began last is over: the next one is tried, or it has failed. */
void connecting_late(struct connecting *k);

/* Give it up; the owner hears nothing more.  Allowed at any time, and for a zeroed one. */
void connecting_stop(struct connecting *k);

#endif
