/*
 * waiters: who waits for the answer of a change, or for a number of workers.
 *
 * A request is on one list: answered by the run under way, coalesced into the next
 * one, or committed and waiting for old generations to go.  Each gets exactly one
 * answer; a client that hangs up is forgotten and its request goes on.
 */
#ifndef BATON_MASTER_CHANGE_WAITERS_H
#define BATON_MASTER_CHANGE_WAITERS_H

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

struct requester;
struct control_client;
struct generation;

enum waiters_list { WAITERS_NOW, WAITERS_NEXT, WAITERS_WAITING, WAITERS_SCALE, WAITERS_N };

void waiters_add(enum waiters_list which, const struct requester *by, bool wait);

/* The client asks for the way back: the failure of this run is its success. */
void waiters_add_abort(const struct requester *by);

/* The requesters of the run under way: an array, each of them once. */
json_t *waiters_requesters(void);

bool waiters_any(enum waiters_list which);

/* The next run begins: who waited for it is answered by it. */
void waiters_take_next(void);

/* Answer everybody on a list. */
void waiters_answer(enum waiters_list which, int exit_code, const char *text);

/* This run is committed as generation gen: answer those who wait for no more, keep
 * the others until the generations before it are gone. */
void waiters_committed(uint32_t gen, const char *text);
void waiters_generation_gone(const struct generation *g);

/* A line of progress to everybody; text is of the run under way. */
void waiters_tell_progress(const char *text, int percent);

/* Clients by number; to be restored after control's records. */
json_t *waiters_save(void);
void waiters_restore(const json_t *j);

/* A newer generation than this one was aborted: answer those who wait for the ones before
 * it. */
void waiters_aborted(uint32_t gen);

/* A client that waits for so many workers, and is answered by then. */
void waiters_add_scale(struct control_client *client, uint32_t workers, uint64_t until_ms);

/* Facts have changed: each of those is asked for, client NULL if it hung up; true: it is
 * answered, and forgotten. */
typedef bool waiters_judge(struct control_client *client, uint32_t workers, uint64_t until_ms);
void waiters_judge_scale(waiters_judge *is_answered);

/* Nobody is answered any more. */
void waiters_stop(void);

#endif
