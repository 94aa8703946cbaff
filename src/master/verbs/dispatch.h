/*
 * dispatch: what workers say and how they end, and who is told of it.
 */
#ifndef BATON_MASTER_VERBS_DISPATCH_H
#define BATON_MASTER_VERBS_DISPATCH_H

#include <sys/types.h>

#include <stdbool.h>

struct worker;

/* Before the first worker is born, or restored. */
void dispatch_start(void);

/* Reap every dead child, and converge if there was one; on SIGCHLD, before decisions, and
 * after a restore. */
void dispatch_reap(void);

/* The worker that is this process; NULL. */
struct worker *dispatch_worker(pid_t pid);

/* A worker that a master before us left, and that gets no slot. */
void dispatch_left(pid_t pid);

/* Was it one of ours in the last minute, or is it one that was left? */
bool dispatch_was_ours(pid_t pid);

#endif
