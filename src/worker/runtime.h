/*
 * runtime: what handlers are given beside their connections, as one thing that starts,
 * drains and stops with the worker: post, ctx, offload, background.  The interface is
 * baton.h; the functions there live in the file of this room that has their name.
 *
 * A worker without modules never starts it and pays nothing.
 */
#ifndef BATON_WORKER_RUNTIME_H
#define BATON_WORKER_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;

/* Bounds; those of several services add up to the largest of each. */
struct runtime_limits {
	unsigned threads;    /* of offload */
	unsigned queue;      /* tasks that may wait for one */
	unsigned background; /* tasks at one time */
};

/* Start it, or raise its limits. */
void runtime_start(struct event_base *base, const struct runtime_limits *limits);

/* The worker leaves.  False: a task still runs in a thread, so that nothing may be
 * unloaded or freed any more, and the process is to end by _exit. */
bool runtime_stop(void);

/* The loop; runtime_start was called. */
struct event_base *runtime_base(void);

/* Is this thread the loop's? */
bool runtime_on_loop(void);

/* The drain begins: background tasks are told.  It is called off. */
void runtime_drain(void);
void runtime_undrain(void);

/* The deadline has passed: every ctx ends. */
void runtime_cut(void);

/* What has not ended is left behind, so that the count can become 0. */
void runtime_abandon(void);

/* A task that the worker waits for. */
struct runtime_task {
	const char *name, *place;
	uint64_t born_ms;
	const char *state; /* a phrase: "runs in a thread" */
};

/* Call fn for each of them. */
typedef void runtime_task_fn(void *arg, const struct runtime_task *task);
void runtime_each_task(runtime_task_fn *fn, void *arg);

#endif
