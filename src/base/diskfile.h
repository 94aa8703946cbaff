/*
 * diskfile: files and directories of ours that stand at a path, and nowhere that a stranger's
 * link leads to (place.h).
 */
#ifndef BATON_BASE_DISKFILE_H
#define BATON_BASE_DISKFILE_H

#include <stdbool.h>

#include "base/place.h"

/* A file of these bytes, whole or not at all.  It replaces nothing but a regular file.
 * 0 and *own, or -1 with half a sentence in *why. */
int diskfile_write(const char *path, const char *text, mode_t mode, struct place_id *own,
                   char **why);

/* Could it be written there?  0, and all is as it was; or -1 with half a sentence in *why. */
int diskfile_try(const char *path, const char *text, char **why);

/* Open a file that lines are appended to; it is made if need be, and not waited for.  A
 * FIFO is opened for both: so it is there without a reader, and breaks with none.  -1 with
 * errno. */
int diskfile_open_lines(const char *path);

/* Could diskfile_write put a file there, or diskfile_open_lines open one?  Looks only, and
 * makes nothing.  0, or -1 with half a sentence in *why. */
int diskfile_may_write(const char *path, char **why);
int diskfile_may_open_lines(const char *path, char **why);

/* The first directory on the way to path that may not be entered; malloc'd, NULL: there is
 * none. */
char *diskfile_barrier(const char *path);

/* Open the directory at path, which is made for nobody but us if nothing is there; *made tells
 * whether it was.  links: it may be a link to one.  -1 with errno. */
int diskfile_open_directory(const char *path, bool links, bool *made);

#endif
