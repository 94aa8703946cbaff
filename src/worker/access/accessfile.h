/*
 * accessfile: a file that many workers append lines to, and that none of them waits for.
 *
 * Lines are collected, and a thread per file writes them.  It may hang on its disk or on
 * a FIFO that nobody reads: then what is collected grows to a limit, and after that
 * lines are dropped and counted.  A line that is in the file is there in one piece:
 * writers of a regular file lock it and look at the room on its disk; one that had room for
 * half a line only keeps the lock until it has written the rest; a FIFO gets pieces that it
 * takes whole.  Nobody waits for the lock without limit, as its holder may be in hostile hands.
 * All functions are for the loop's thread.
 */
#ifndef BATON_WORKER_ACCESS_ACCESSFILE_H
#define BATON_WORKER_ACCESS_ACCESSFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct accessfile;

/* A file that is open for append (O_NONBLOCK if it is none that is regular); fd is taken
 * over; -1: every line is dropped.  NULL: no thread can be had; fd is closed. */
struct accessfile *accessfile_new(int fd);

/* Room for a line of at most max bytes, or NULL: it is dropped and counted. */
char *accessfile_room(struct accessfile *f, size_t max);

/* The line that was put there has n bytes. */
void accessfile_add(struct accessfile *f, size_t n);

/* Hand the collected lines to the thread, unless it is busy: then they wait for more.  True:
 * look again later, for them and for lines that may be lost. */
bool accessfile_tick(struct accessfile *f);

/* The file was moved away: what is added from now on goes to fd, which is taken over. */
void accessfile_reopen(struct accessfile *f, int fd);

/* Lines dropped since the last call. */
uint64_t accessfile_dropped(struct accessfile *f);

/* Flush, wait at most ms for it to be written, and free.  The lines that are lost by that,
 * and those that were dropped and not asked for yet. */
uint64_t accessfile_free(struct accessfile **f, unsigned ms);

#endif
