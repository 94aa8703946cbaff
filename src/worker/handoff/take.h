/*
 * take: receive connections from workers that drain.
 *
 * A record that is good becomes a connection, counted but not in the loop, and is
 * acknowledged; it is served when the giver has let go of it, or is dead.  Whatever
 * is wrong is answered with a refusal, and the giver serves on.
 */
#ifndef BATON_WORKER_HANDOFF_TAKE_H
#define BATON_WORKER_HANDOFF_TAKE_H

#include <stddef.h>

struct conn;
struct msg_peer;

void take_start(void);
void take_stop(void);

/* The order PAIR: another worker will offer connections through fd, which is taken
 * over. */
void take_pair(const struct msg_peer *pair, int fd);

/* A connection that is held ends by force. */
void take_forget(struct conn *c);

#endif
