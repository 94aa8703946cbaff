/*
 * way: how a place is found: name by name, each directory held by its descriptor.
 *
 * A symbolic link is gone through when it is root's or our own, or stands in a directory that
 * nobody else can write; a stranger's is ELOOP.
 */
#ifndef BATON_BASE_WAY_H
#define BATON_BASE_WAY_H

#include <limits.h>
#include <stdbool.h>

struct place;

struct way {
	struct place *place; /* as far as we are */
	char rest[PATH_MAX]; /* that is still to be gone */
	unsigned links;      /* followed so far */
};

/* Go to the directory of path.  0, or -1 with errno, and the place is closed. */
int way_begin(struct way *w, struct place *p, const char *path);

/* What stands there may be a link: go where it leads.  0, or -1 with errno. */
int way_on(struct way *w);

/* The links of proc lead where no text says, and nobody can put one there. */
bool way_in_proc(const struct place *p);

#endif
