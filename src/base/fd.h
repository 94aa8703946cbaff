/*
 * fd: descriptors.  Every descriptor of baton is born close-on-exec; what a
 * child or a next image keeps is listed, and the rest is closed and verified.
 */
#ifndef BATON_BASE_FD_H
#define BATON_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Close *fd unless it is -1, and make it -1.  errno is kept. */
void fd_close(int *fd);

/* The same of one that came from a process that is not trusted: a socket may have been told
 * to hold up its last close for what it has unsent (SO_LINGER). */
void fd_discard(int *fd);

/* Close a socket that others have, or had: they may have left word that a close is to wait for
 * what is unsent.  One that is to be reset is. */
void fd_close_at_once(int *fd);

/* Is it such a one? */
bool fd_lingers(int fd);

/* Only that: no close of this socket waits. */
void fd_unlinger(int fd);

/* Have the kernel ask a silent peer of a TCP socket after so many ms whether it is there, and
 * end the connection when it has not answered for about as long again; 0: never.  What a
 * listening socket accepts inherits it.  Seconds are what the kernel counts in. */
void fd_keepalive(int fd, int64_t ms);

/* Set or clear FD_CLOEXEC.  0, or -1 with errno. */
int fd_cloexec(int fd, bool on);

/* Set O_NONBLOCK on the open file description; it is shared by all holders and
 * is therefore never cleared.  0, or -1 with errno. */
int fd_nonblock(int fd);

/* Close every descriptor above 2 that is not among keep[0..n-1] (any order). */
void fd_close_except(const int *keep, size_t n);

/*
 * How many descriptors this process has open that are neither 0, 1, 2 nor
 * among keep[0..n-1]; the first of them is stored in *first when not NULL.
 */
size_t fd_count_foreign(const int *keep, size_t n, int *first);

/* The inode that stands behind fd, 0 when fd is not open: tells whether a
 * number still means what it meant. */
uint64_t fd_inode(int fd);

/* How many bytes the disk behind a file takes for sure; SIZE_MAX: it does not say. */
size_t fd_disk_room(int fd);

/* Read all that stands in a file, from its begin, of at most max bytes.  Returns malloc'd,
 * NUL-terminated text and its length, or NULL with errno. */
char *fd_read(int fd, size_t max, size_t *len);

/* Raise the soft limit of descriptors to the hard one.  Returns how many this process may have.
 */
uint64_t fd_raise_limit(void);

/* May we do that (R_OK, W_OK, X_OK) with what has that name in dir?  errno says why not.  By
 * faccessat(2) and not by faccessat2(2), as faccessat(3) does: filters that don't know that one
 * forbid it. */
bool fd_may(int dir, const char *name, int mode);

#endif
