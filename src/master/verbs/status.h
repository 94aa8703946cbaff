/*
 * status: how things stand, as JSON and in one sentence.
 */
#ifndef BATON_MASTER_VERBS_STATUS_H
#define BATON_MASTER_VERBS_STATUS_H

#include <jansson.h>

/* The document of `batonctl status --json`; a new reference. */
json_t *status_json(void);

/* "generation 3 serves: 4 workers, 120 connections"; static buffer. */
const char *status_sentence(void);

#endif
