/*
 * ticketkeys: the keys by which clients of TLS resume their sessions, made by the master and
 * the same in all workers, over reloads, upgrades and crashes.  They are renewed after
 * ticket_life; the one before opens tickets for as long again.
 */
#ifndef BATON_MASTER_WORKERS_TICKETKEYS_H
#define BATON_MASTER_WORKERS_TICKETKEYS_H

#include <jansson.h>

struct worker;

/* Tell one that was just born, if it speaks TLS. */
void ticketkeys_tell(struct worker *w);

/* At each pulse: renew them when it is time, and tell all. */
void ticketkeys_look(void);

/* Across an exec, and a crash; null where there are none.  What can't be read is made anew. */
json_t *ticketkeys_save(void);
void ticketkeys_restore(const json_t *j);

/* At the end: they are cleansed. */
void ticketkeys_stop(void);

#endif
