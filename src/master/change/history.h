/*
 * history: what became of the changes, the last HISTORY_MAX of them; over upgrades,
 * rollbacks and crashes too.
 */
#ifndef BATON_MASTER_CHANGE_HISTORY_H
#define BATON_MASTER_CHANGE_HISTORY_H

#include <jansson.h>

#include <stdint.h>

#define HISTORY_MAX        100
#define HISTORY_SHORT      20   /* of them are for everybody */
#define HISTORY_REASON_MAX 1000 /* bytes that are kept of a reason when a newer one comes */

struct history_entry {
	const char *what;    /* "reload", "upgrade", "abort", "crash" */
	const char *outcome; /* "committed", "refused", "rolled_back"; of a crash "adopted" */
	const char *reason;  /* why it is not committed; else "" */
	uint64_t at_ms;      /* when it began: CLOCK_REALTIME */
	uint64_t took_ms;
	uint32_t generation; /* that serves because of it; 0: none */
	json_t *by;          /* an array of askers; NULL: nobody */
	json_t *steps;       /* {check_ms, room_ms, start_ms, probation_ms}, or NULL */
};

/* Add one; by and steps are taken over. */
void history_add(const struct history_entry *e);

/* {seq, what, outcome, reason, took_ms, at_ms (Unix time)} of the last change, or null; a new
 * reference. */
json_t *history_last(void);

/* The same of the last HISTORY_SHORT changes, the newest last, with who asked (by:
 * requester_text) and the generation; a new reference. */
json_t *history_list(void);

/* {history: [...]}, the oldest first; a new reference. */
json_t *history_json(void);

/* Older builds saved only the last change; it is still written for them, and still read. */
json_t *history_save(void);
void history_restore(const json_t *j);
void history_stop(void);

#endif
