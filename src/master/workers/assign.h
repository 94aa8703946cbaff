/*
 * assign: who accepts on what.
 *
 * One function over the facts, safe to call after every change: a socket belongs
 * to the worker in its slot, and to one of the others while that slot is empty; a
 * shared socket to every worker.  Each worker is told its whole list, and only when
 * it differs from what it holds.
 */
#ifndef BATON_MASTER_WORKERS_ASSIGN_H
#define BATON_MASTER_WORKERS_ASSIGN_H

/* Tell each worker of the active and the paused generation what to accept on. */
void assign_run(void);

#endif
