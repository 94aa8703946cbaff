/*
 * worker: a process that runs client bytes.  One thread, one loop.
 *
 * It is born from a heritage, starts its services, says READY and then does
 * what the channel says: accept, pause, drain, leave.  The end of the channel
 * means that nobody will come back for it: it drains and leaves.
 */
#ifndef BATON_WORKER_WORKER_H
#define BATON_WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/heritage.h"
#include "wire/msg.h"
#include "worker/conn.h"
#include "worker/service.h"

/* The life of the process; the caller exits with what it returns. */
int worker_main(const struct heritage *heritage);

/* The service of a listener of this generation. */
struct service *worker_service(uint32_t listener);

/* Name of a listener of this generation, for the log. */
const char *worker_listener_name(uint32_t listener);

/* Say something to the master. */
void worker_tell(enum msg_type type, const void *body, size_t len);

/* The master has taken all that was said before. */
bool worker_is_heard(void);

/* Something was done, so the loop does not stand still however long it takes to come round:
 * for the heartbeat.  Costs next to nothing. */
void worker_progress(void);

/* What it was started with holds no longer (why: for the log): a successor is to take its slot,
 * and what it holds.  Once. */
void worker_want_successor(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Nothing is left to do: end the loop. */
void worker_leave(void);

uint64_t worker_birth(void);
uint32_t worker_slot(void);
struct event_base *worker_base(void);
struct stats_page *worker_page(void);
const struct stats *worker_stats(void);
const struct conf *worker_conf(void);

struct figures_row;

/* This worker's row of that name (wire/figures.h); NULL: no room, which the log tells once. */
struct figures_row *worker_figures(const char *kind, const char *name, const char *part);

#endif
