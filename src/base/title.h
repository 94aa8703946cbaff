/*
 * title: what ps(1) shows of a process.
 *
 * The kernel shows the bytes in which a program was given its arguments, and goes on into
 * those of its environment when the last byte of the arguments is no NUL.  So a title is
 * written there, over both, and the environment is copied away before.
 */
#ifndef BATON_BASE_TITLE_H
#define BATON_BASE_TITLE_H

/* First thing in main, before anything changes the environment. */
void title_begin(char **argv);

/* In a forked child only: the arguments of whoever executes itself again are lost.  What
 * does not fit is cut. */
void title_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
