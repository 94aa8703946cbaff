/*
 * logpipe: the way of a worker's lines to a log that is a file.
 *
 * The worker has the write end of a pipe, and not the file: it can add lines, and no more.
 * Nothing in them is parsed but their ends.  It may write what it likes and as fast as it
 * can: whole lines are passed on, some of them at a time; one without an end comes in pieces.
 *
 * The read end goes to the next image, and to the service manager's store, so that what is
 * written while there is no master is read by the next one.
 */
#ifndef BATON_MASTER_WORKERS_LOGPIPE_H
#define BATON_MASTER_WORKERS_LOGPIPE_H

#include <stddef.h>
#include <stdint.h>

#define LOGPIPE_MAX 65536 /* bytes at a time, and the longest line */

struct logpipe;

/* A pipe; the worker gets end[1].  Both are -1 where the log is no file.  0 or -1, errno. */
int logpipe_pair(int end[2]);

/* Take over the read end, of a worker that was born now, or came from an image before. */
struct logpipe *logpipe_new(int fd, uint64_t birth);
struct logpipe *logpipe_again(int fd, uint64_t birth);

int logpipe_fd(const struct logpipe *p);

/* The worker is gone: pass on what is still there, and free. */
void logpipe_end(struct logpipe **p);

/* How many of n bytes are passed on now: whole lines, or all LOGPIPE_MAX of a line that has
 * not ended by then.  Pure. */
size_t logpipe_ready(const char *bytes, size_t n);

#endif
