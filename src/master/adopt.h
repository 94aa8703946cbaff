/*
 * adopt: a master that is started after a crash of the one before takes over what that one
 * has left in the service manager's store: the listening sockets, the statistics, and the
 * workers, which have served on.  Then it makes a generation of its own, as in a reload, and
 * the adopted ones hand off to it.
 */
#ifndef BATON_MASTER_ADOPT_H
#define BATON_MASTER_ADOPT_H

#include <sys/types.h>

#include <stdbool.h>

/* True: it is done, and the loop can run.  False: there is nothing, or nothing but sockets: a
 * start like any other. */
bool adopt_start(void);

/* The loop has turned: what was taken over did not end us so far. */
void adopt_came_through(void);

/* A start like any other, but there was more, which has ended those who took it over: its
 * sockets are taken, so that no client is refused; and it is written down. */
void adopt_sockets(void);
void adopt_note_refusal(void);

#endif
