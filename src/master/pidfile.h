/*
 * pidfile: the file that tells scripts our pid.  Written to a temporary name and
 * renamed; removed only while it is still our own.
 */
#ifndef BATON_MASTER_PIDFILE_H
#define BATON_MASTER_PIDFILE_H

/* path NULL: no file (and one written before is removed).  0 or -1 with *cause. */
int pidfile_set(const char *path, char **cause);

/* Remove it. */
void pidfile_stop(void);

#endif
