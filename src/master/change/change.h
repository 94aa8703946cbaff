/*
 * change: the one change in progress from a generation to the next: the first
 * start, a reload, an upgrade.
 *
 * idle -> preflight -> room -> starting -> probation -> committed (idle), and from each
 * step back to the state before it.  Requests that come meanwhile are coalesced
 * into one more run; every request gets exactly one answer.
 */
#ifndef BATON_MASTER_CHANGE_CHANGE_H
#define BATON_MASTER_CHANGE_CHANGE_H

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

struct requester;
struct conf;
struct control_client;
struct generation;

enum change_kind { CHANGE_START, CHANGE_RELOAD, CHANGE_UPGRADE };

/* The first generation.  0, or -1 with *cause when not even its workers could be
 * asked for; a later failure ends the process. */
int change_first(struct conf *conf, char **cause);

/*
 * Ask for a change.  The client of who asks is answered when it has ended, with
 * wait when the generations before it are gone too.  binary: of an upgrade, NULL:
 * the path that baton was started by.
 */
void change_request(enum change_kind kind, const char *binary, bool wait,
                    const struct requester *by);

/* It is checked, and waits until there is room under max_generations. */
bool change_waiting(void);

/* Performed for the policy. */
void change_begin(void);
void change_promote(struct generation *g);
void change_commit(struct generation *g);
void change_fail(struct generation *g, const char *reason);

/* batonctl abort: the old generation takes over again.  0: the client of who asks is, or
 * will be, answered; -1 with *cause: refused, and the answer is the caller's. */
int change_abort(const struct requester *by, char **cause);

/* A stop has begun: nothing new is started, who waits is answered. */
void change_stop(bool now);

/* A generation is gone: those who waited for it. */
void change_generation_gone(const struct generation *g);

/* The generation under change, NULL; and the one to go back to, NULL. */
struct generation *change_new(void);
struct generation *change_old(void);

bool change_busy(void);
enum change_kind change_kind(void);

/* {what, text, percent, took_ms} of the change under way, or null; a new reference. */
json_t *change_json(void);

/* A progress line to everybody who waits. */
void change_tell_progress(void);

/* The name of the change under way in the record; NULL if there was none. */
const char *change_interrupted(const json_t *j);

json_t *change_save(void);
int change_restore(const json_t *j, char **cause);

/* In the new image, after the restore: go on with the upgrade. */
void change_continue_upgrade(void);

/* In the old image, executed again: the upgrade has failed. */
void change_rolled_back(const char *reason);

#endif
