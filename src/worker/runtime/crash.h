/*
 * crash: what a worker that runs modules says when it dies of a fault: the signal, on whose
 * behalf it ran (worker/runtime/origin.h) and a backtrace, in one line of the log.  After that
 * the signal does what it would have done.
 *
 * The line is made in the signal's handler: all that this needs is made ready before, and
 * nothing there takes memory or a lock.
 */
#ifndef BATON_WORKER_RUNTIME_CRASH_H
#define BATON_WORKER_RUNTIME_CRASH_H

#include <signal.h>

#define CRASH_STACK 65536

/* From now on.  Objects that are loaded by now are named in the backtrace: called once more
 * after another is. */
void crash_watch(void);

/* It may be this thread's stack that has ended: another one for the handler, of CRASH_STACK
 * bytes, which stay as long as the thread. */
void crash_use_stack(char *stack);

/* A thread must not block the signals of a fault: take them out of set. */
void crash_unblock(sigset_t *set);

#endif
