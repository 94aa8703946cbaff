/*
 * waitgroup: how many connections this worker holds, from accept's return to
 * the close of the descriptor, whatever their protocol does with them; and how many
 * tasks of handlers, which hold the worker likewise.
 *
 * The numbers live in the worker's stats page, where the master reads them.
 * They cannot go negative: that is our bug, and ends the worker.
 */
#ifndef BATON_WORKER_CORE_WAITGROUP_H
#define BATON_WORKER_CORE_WAITGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/conn/conn.h"

struct event_base;
struct stats_page;

/* done: the count is 0; else the deadline passed first. */
typedef void waitgroup_fn(bool done);

void waitgroup_start(struct event_base *base, struct stats_page *page);

void waitgroup_add(enum conn_state state);
void waitgroup_move(enum conn_state from, enum conn_state to);
void waitgroup_done(enum conn_state state);

/* A task of a handler, which is no connection but must finish as well: BUSY. */
void waitgroup_add_task(void);
void waitgroup_done_task(void);

uint64_t waitgroup_count(void);

/* How many of them are tasks. */
uint64_t waitgroup_tasks(void);

/*
 * Call fn once from the loop when the count is 0, now or later, or at
 * deadline_ms (clock_ms; 0: never).  One waiter at a time; a new one replaces it.
 */
void waitgroup_wait(uint64_t deadline_ms, waitgroup_fn *fn);

/* Forget the waiter. */
void waitgroup_unwait(void);

#endif
