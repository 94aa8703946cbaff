/*
 * requests: who waits for the answer of a change.
 *
 * A request is on one list: answered by the run under way, coalesced into the next
 * one, or committed and waiting for old generations to go.  Each gets exactly one
 * answer; a client that hangs up is forgotten and its request goes on.
 */
#ifndef BATON_MASTER_REQUESTS_H
#define BATON_MASTER_REQUESTS_H

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

struct asker;
struct control_client;
struct generation;

enum requests_list { REQUESTS_NOW, REQUESTS_NEXT, REQUESTS_WAITING, REQUESTS_N };

void requests_add(enum requests_list which, const struct asker *by, bool wait);

/* The client asks for the way back: the failure of this run is its success. */
void requests_add_abort(const struct asker *by);

/* Who asked for the run under way: an array, each of them once. */
json_t *requests_askers(void);

bool requests_any(enum requests_list which);

/* The next run begins: who waited for it is answered by it. */
void requests_take_next(void);

/* Answer everybody on a list. */
void requests_answer(enum requests_list which, int exit_code, const char *text);

/* This run is committed as generation gen: answer those who wait for no more, keep
 * the others until the generations before it are gone. */
void requests_committed(uint32_t gen, const char *text);
void requests_generation_gone(const struct generation *g);

/* A line of progress to everybody; text is of the run under way. */
void requests_tell_progress(const char *text, int percent);

/* Clients by number; to be restored after control's records. */
json_t *requests_save(void);
void requests_restore(const json_t *j);

/* Those who wait for the ones before a newer generation than this: it was aborted. */
void requests_aborted(uint32_t gen);

#endif
