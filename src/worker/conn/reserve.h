/*
 * reserve: the connections that a listener may have when there is no room for others
 * (`reserve`), and the descriptors for them.
 */
#ifndef BATON_WORKER_CONN_RESERVE_H
#define BATON_WORKER_CONN_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

void reserve_start(void);
void reserve_stop(void);

/* A connection of this listener is there; and is no more. */
void reserve_take(uint32_t listener);
void reserve_give_back(uint32_t listener);

/* Has it fewer than its reserve?  And more than that? */
bool reserve_has(uint32_t listener);
bool reserve_is_exceeded(uint32_t listener);

/* How many of a limit are kept free for those with a reserve. */
uint64_t reserve_kept(uint64_t limit);

/* accept(2) has found no descriptor: one is let go of for this listener.  False: there is none
 * for it. */
bool reserve_free_descriptor(uint32_t listener);

#endif
