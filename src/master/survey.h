/*
 * survey: ask workers for their connections and collect the lines.
 *
 * A worker that has not answered by the limit is named as silent; the answer
 * goes out anyway.
 */
#ifndef BATON_MASTER_SURVEY_H
#define BATON_MASTER_SURVEY_H

#include <stdint.h>

struct control_client;
struct msg_conn;
struct worker;

/* Ask every worker that drains; client gets the answer of `batonctl drain`. */
void survey_begin(struct control_client *client);

/* The client hung up. */
void survey_forget(const struct control_client *client);

/* A line came; the list of a worker ended (token 0: the worker is gone). */
void survey_line(const struct worker *w, const struct msg_conn *line);
void survey_end(const struct worker *w, uint64_t token);

void survey_stop(void);

#endif
