/*
 * give: hand connections to other workers, while this one drains and somebody
 * serves on.
 *
 * The master names the takers (PAIR, AIM).  Each connection is offered in the
 * moment in which its service can freeze it; as many are on their way to a taker
 * as its window allows, and so many a loop turn that the others are not kept
 * waiting.  Refused, late, or the taker dead: it goes on here, as it was.
 */
#ifndef BATON_WORKER_HANDOFF_GIVE_H
#define BATON_WORKER_HANDOFF_GIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct msg_peer;

void give_start(void);
void give_stop(void);

/* The orders PAIR (fd is taken over) and AIM. */
void give_pair(const struct msg_peer *pair, int fd);
void give_aim(const uint64_t *birth, size_t n);

/* Begin, or not any more: what is undecided is called back. */
void give_begin(void);
void give_end(void);

/* The drain is called off: the same, and the next one asks anew. */
void give_call_off(void);

/* There are connections that were not looked at: from the loop's top level. */
void give_look(void);

/* A connection ends, be it on its way or not. */
void give_ended(struct conn *c);

#endif
