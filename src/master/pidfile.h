/*
 * pidfile: the file that tells scripts our pid.  Written to a temporary name and
 * renamed; removed only while it is still our own.
 */
#ifndef BATON_MASTER_PIDFILE_H
#define BATON_MASTER_PIDFILE_H

#include <jansson.h>

/* path NULL: no file (and one written before is removed).  0 or -1 with *cause. */
int pidfile_set(const char *path, char **cause);

/* Remove it. */
void pidfile_stop(void);

/* For the next image, so that it can remove a file that its configuration no longer
 * names.  j may be NULL: the image before had no such record. */
json_t *pidfile_save(void);
void pidfile_restore(const json_t *j);

#endif
