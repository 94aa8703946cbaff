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

/* Who asked: "root", "root, signal of root", "start", "abort by root", "-"; the caller's. */
char *history_askers(const json_t *entry);

/* When it began, by the form of strftime, in local time; "-" when it is not known. */
char *history_when(const json_t *entry, const char *form);

#endif
