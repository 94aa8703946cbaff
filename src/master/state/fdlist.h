/*
 * fdlist: the descriptors that the next image inherits, and how a record names
 * one: its number and the inode behind it, so that the reader can tell whether
 * the number still means the same.
 */
#ifndef BATON_MASTER_STATE_FDLIST_H
#define BATON_MASTER_STATE_FDLIST_H

#include <jansson.h>

#include <stdbool.h>
#include <stddef.h>

struct fdlist {
	int *fd;
	size_t n;
};

/* Add fd to the list; the record of it, or JSON null for -1. */
json_t *fdlist_put(struct fdlist *list, int fd);

/* The descriptor of a record, when it is still what it was, or came back from the store;
 * else -1. */
int fdlist_get(const json_t *record);

/* Set or clear FD_CLOEXEC on all. */
void fdlist_cloexec(const struct fdlist *list, bool on);

void fdlist_free(struct fdlist *list);

#endif
