/*
 * beneath: open a file for reading below a directory, and nowhere else.
 *
 * By one step after the other, each from a descriptor that is held, so that a rename meanwhile
 * leads nowhere either.  Not by openat2: it hides what it opens for from a worker's filter.
 */
#ifndef BATON_SERVICE_HTTP_BENEATH_H
#define BATON_SERVICE_HTTP_BENEATH_H

/*
 * path: relative to the directory.  Links are followed unless they lead out: `..` of the
 * directory never, an absolute one where its path comes by the directory.  A descriptor
 * (O_PATH of a directory that may not be read), or -1 with errno; EXDEV: it is not beneath.
 * Each name on the way is one system call, and one to let go of it; a path of more than 256
 * is ENAMETOOLONG.
 */
int beneath_open(int directory, const char *path);

#endif
