/*
 * snapshot: the state in memory that outlives a crash: a memfd in the service manager's
 * store, written after every turn in which something has changed.  Two copies take turns,
 * and the word which of them counts is written last.
 */
#ifndef BATON_MASTER_SNAPSHOT_H
#define BATON_MASTER_SNAPSHOT_H

#include <jansson.h>

struct fdlist;

/* Begin one, or go on with the one behind fd. */
void snapshot_start(int fd);
void snapshot_stop(void);

/* Write the state, if it is another. */
void snapshot_take(void);

/* Read the one behind fd; NULL with *cause. */
json_t *snapshot_read(int fd, char **cause);

/* For the next image. */
json_t *snapshot_save(struct fdlist *fds);
void snapshot_restore(const json_t *j);

#endif
