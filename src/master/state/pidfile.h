/*
 * pidfile: the file that tells scripts our pid.  Written to a temporary name and
 * renamed; removed only while it is still our own.
 */
#ifndef BATON_MASTER_STATE_PIDFILE_H
#define BATON_MASTER_STATE_PIDFILE_H

#include <jansson.h>

#include <stdbool.h>

/* Before a reload: could it be written at path (NULL: no file)?  0, or -1 with *cause; what has
 * come in the way of the one that we have is no reason. */
int pidfile_try(const char *path, char **cause);

/* May what stands at path be replaced?  A pid file may.  0, or -1 with half a sentence in *why.
 */
int pidfile_may_replace(const char *path, char **why);

/* Is ours at path? */
bool pidfile_is(const char *path);

/* path NULL: no file.  One written before elsewhere is removed.  0; or -1 with *cause, and all
 * is as before. */
int pidfile_set(const char *path, char **cause);

/* A sentence, appended to list, if somebody has removed it or put another in its place. */
void pidfile_warn(json_t *list);

/* Remove it. */
void pidfile_stop(void);

/* For the next image, so that it can remove a file that its configuration no longer
 * names.  j may be NULL: the image before had no such record. */
json_t *pidfile_save(void);
void pidfile_restore(const json_t *j);

#endif
