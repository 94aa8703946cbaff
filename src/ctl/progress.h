/*
 * progress: one line on the terminal, drawn over and over, and wiped at the
 * end.  When stderr is no terminal nothing is printed at all.
 */
#ifndef BATON_CTL_PROGRESS_H
#define BATON_CTL_PROGRESS_H

/* Draw; percent below 0: unknown. */
void progress_show(const char *text, int percent);

/* Wipe what was drawn: call before anything else is printed. */
void progress_end(void);

#endif
