/*
 * stale: what a master that does not answer has told last.
 *
 * Its board (wire/board.h) lies in memory that it shares with its workers.  Who may look
 * into the master, root as a rule, finds it among its descriptors.
 */
#ifndef BATON_CTL_STALE_H
#define BATON_CTL_STALE_H

#include <sys/types.h>

#include <jansson.h>

/* The data of `status`, and how old it is in "stale_ms".  NULL with half a sentence in
 * *cause. */
json_t *stale_status(pid_t pid, char **cause);

#endif
