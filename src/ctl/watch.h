/*
 * watch: what status and history tell, on a terminal, asked for and drawn twice a second
 * until q or Ctrl-C.
 *
 * Who is asked may be replaced, upgraded or gone meanwhile: that is shown, and it is asked
 * again until it answers.  Only the first question must be answered.
 */
#ifndef BATON_CTL_WATCH_H
#define BATON_CTL_WATCH_H

#include "ctl/client.h"

/* path NULL: the default places.  Fills *answer in any case: its text is of use when its exit
 * is not CONTROL_DONE. */
void watch_run(const char *path, struct client_answer *answer);

#endif
