/*
 * history: the last changes, for people: who, when, how long, what came of it.
 */
#ifndef BATON_CTL_HISTORY_H
#define BATON_CTL_HISTORY_H

#include <jansson.h>
#include <stdio.h>

/* Add the name of each user ("user") beside its uid: the master knows no names. */
void history_name_users(json_t *data);

void history_show(const json_t *data, FILE *out);

/* The requester: "root", "root, signal of root", "start", "abort by root", "-"; the caller's.
 */
char *history_askers(const json_t *entry);

/* When it began, in local time, "2026-11-30 08:01:20" from there on; "-" when it is not known.
 */
enum history_from { HISTORY_YEAR = 0, HISTORY_MONTH = 5, HISTORY_HOUR = 11 };
char *history_when(const json_t *entry, enum history_from from);

#endif
