/*
 * beneath: open a file for reading below a directory, and nowhere else.
 *
 * By openat2, where the kernel resolves the name.  Where there is none (RestrictSUIDSGID=
 * of systemd and some containers forbid it), by one step after the other, each from a
 * descriptor that is held, so that a rename meanwhile leads nowhere either.
 */
#ifndef BATON_SERVICE_HTTP_BENEATH_H
#define BATON_SERVICE_HTTP_BENEATH_H

/* path: relative to the directory.  Links are followed unless they lead out.  A
 * descriptor, or -1 with errno; EXDEV: it is not beneath. */
int beneath_open(int directory, const char *path);

/* The same without openat2: one system call for each name on the way, and one to let go of
 * it.  A path that takes more than 256 of them is ENAMETOOLONG. */
int beneath_walk(int directory, const char *path);

#endif
