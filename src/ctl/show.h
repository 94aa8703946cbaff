/*
 * show: the master's data, for people.  A field that is missing or of another
 * type (the master may be older or newer) shows as "-".
 */
#ifndef BATON_CTL_SHOW_H
#define BATON_CTL_SHOW_H

#include <jansson.h>
#include <stdio.h>

void show_status(const json_t *data, FILE *out);
void show_drain(const json_t *data, FILE *out);
void show_conns(const json_t *data, FILE *out);
void show_tasks(const json_t *data, FILE *out);

#endif
