/*
 * options: the command line, as a struct.  Options stand before or after the
 * verb.  The whole line is read even when it is wrong, so that --json is known
 * by the time the error is told.
 */
#ifndef BATON_CTL_OPTIONS_H
#define BATON_CTL_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "ctl/verbs.h"

enum options_wish { OPTIONS_ASK, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_COMPLETION };

struct options {
	enum options_wish wish;
	const struct verbs_row *verb; /* set when the wish is OPTIONS_ASK */
	char *arg;                    /* NULL: none given */
	const char *socket;           /* NULL: the default places */
	bool json, wait, now;
};

/* 0, or -1 with a sentence in *cause; o->json is right in either case. */
int options_parse(int argc, char **argv, struct options *o, char **cause);

void options_free(struct options *o);

/* The text of --help, from the table of verbs. */
void options_usage(FILE *out);

/* A bash completion, from the table of verbs. */
void options_completion(FILE *out);

#endif
