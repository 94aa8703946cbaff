/*
 * logtarget: the descriptors that a log can be written to.  Each is the caller's.
 */
#ifndef BATON_BASE_LOGTARGET_H
#define BATON_BASE_LOGTARGET_H

#include <stdbool.h>

/* Is stderr the journal?  systemd sets JOURNAL_STREAM to device:inode of what it connected
 * stderr to; a redirected stderr does not match and keeps its lines. */
bool logtarget_is_journal(void);

/* A file of whole lines, made if need be.  -1 with *cause. */
int logtarget_open_file(const char *path, char **cause);

/* The journal's own socket; -1: it is not there.  Not sd_journal_send: it waits for a journal
 * that is full. */
int logtarget_open_journal(void);

/* O_NONBLOCK of stderr would be everybody's who shares it; opened again by its name in /proc
 * it is ours alone.  -1: it is a file, a socket, or not ours to open. */
int logtarget_open_stderr(void);

#endif
