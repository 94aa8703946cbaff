/*
 * runtime: what handlers are given beside their connections, as one thing that starts,
 * drains and stops with the worker: post, ctx, offload, background.  The interface is
 * baton.h; the functions there live in the file of this room that has their name.
 *
 * A worker without modules never starts it and pays nothing.
 *
 * Each of them can list what it has (`..._each`), for batonctl and for the look at what
 * is older than its limit (worker/overdue.h).
 */
#ifndef BATON_WORKER_RUNTIME_RUNTIME_H
#define BATON_WORKER_RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/msg.h"

/* How long an ended object may still be held by its users. */
#define RUNTIME_GRACE_MS 1000

struct event_base;

/* Bounds; those of several services add up to the largest of each. */
struct runtime_limits {
	unsigned threads;    /* of offload */
	unsigned queue;      /* tasks that may wait for one */
	unsigned background; /* tasks at one time */
};

/* Start it, or raise its limits. */
void runtime_start(struct event_base *base, const struct runtime_limits *limits);

/* The worker leaves: the threads end, and every ctx.  False: a task still runs in a thread,
 * so that nothing may be unloaded or freed any more, and the process is to end by _exit. */
bool runtime_stop(void);

/* Free it, when the modules have stopped: until then they may give back what they have. */
void runtime_free(void);

/* The drain begins: background tasks are told.  It is called off. */
void runtime_drain(void);
void runtime_undrain(void);

/* The deadline has passed: every ctx ends. */
void runtime_cut(void);

/* Leave behind what has not ended, so that the count can become 0. */
void runtime_abandon(void);

/* A live task: times are clock_ms.  The texts are valid during the call. */
struct runtime_task {
	enum msg_task_kind kind;
	const char *name;    /* "": none */
	const char *place;   /* of birth */
	const char *state;   /* a phrase: "runs in a thread" */
	const char *warning; /* NULL; or what is wrong from due_ms on, a phrase */
	bool counted;        /* the worker waits for it */
	uint64_t born_ms;
	uint64_t since_ms;    /* of the state */
	uint64_t deadline_ms; /* UINT64_MAX: none */
	uint64_t due_ms;
};

/* Call fn for each there is, the oldest of each kind first. */
typedef void runtime_task_fn(void *arg, const struct runtime_task *task);
void runtime_each_task(runtime_task_fn *fn, void *arg);

/* The present fault; NULL if there is none. */
const char *runtime_warning(const struct runtime_task *task, uint64_t now);

#endif
