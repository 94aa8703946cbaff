/*
 * listing: ask workers for what they hold, and collect the lines.
 *
 * The lines wait as text, worker by worker, so that an answer is in their order, and so
 * that the master keeps no tree of a hundred thousand connections.  A worker that has said
 * nothing for the limit is named as silent, and the answer goes out anyway.
 */
#ifndef BATON_MASTER_VERBS_LISTING_H
#define BATON_MASTER_VERBS_LISTING_H

#include <stdint.h>

#include "wire/msg.h"

struct control_client;
struct worker;

/* Ask every worker that can have such; client gets the answer of `batonctl drain`,
 * `conns` or `tasks`. */
void listings_begin(struct control_client *client, enum msg_list_what what);

/* A line came, MSG_CONN or MSG_TASK; MSG_LIST_END came; the worker is gone. */
void listings_line(const struct worker *w, const struct msg *m);
void listings_end(const struct worker *w, const struct msg *m);
void listings_gone(const struct worker *w);

void listings_stop(void);

#endif
