/*
 * history: what became of the changes; over upgrades too.
 */
#ifndef BATON_MASTER_HISTORY_H
#define BATON_MASTER_HISTORY_H

#include <jansson.h>

#include <stdint.h>

/* what: "reload", "upgrade", "abort"; outcome: "committed", "refused", "rolled_back". */
void history_add(const char *what, const char *outcome, const char *reason, uint64_t took_ms);

/* {seq, what, outcome, reason, took_ms, at_ms (Unix time)} of the last one, or null; a new
 * reference. */
json_t *history_last(void);

/* The last few, the newest last; a new reference. */
json_t *history_list(void);

json_t *history_save(void);
void history_restore(const json_t *j);
void history_stop(void);

#endif
