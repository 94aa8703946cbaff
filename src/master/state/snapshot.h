/*
 * snapshot: the state in memory that outlives a crash: a memfd in the service manager's
 * store, written after every turn in which something has changed.  Two copies take turns,
 * and the word which of them counts is written last.
 */
#ifndef BATON_MASTER_STATE_SNAPSHOT_H
#define BATON_MASTER_STATE_SNAPSHOT_H

#include <jansson.h>

#include <stdint.h>

struct fdlist;

/* Begin one, or go on with the one behind fd. */
void snapshot_start(int fd);
void snapshot_stop(void);

/* Write the state, if it is another. */
void snapshot_take(void);

/* Read the one behind fd; NULL with *cause. */
json_t *snapshot_read(int fd, char **cause);

/*
 * How many masters in a row that state has ended which had taken it over.  One that is about
 * to adds itself before it reads on, and takes that back when it has come through.
 */
uint64_t snapshot_ended(int fd);
void snapshot_set_ended(int fd, uint64_t n); /* async-signal-safe */

/* The one that is written; -1. */
int snapshot_fd(void);

/* For the next image. */
json_t *snapshot_save(struct fdlist *fds);
void snapshot_restore(const json_t *j);

#endif
