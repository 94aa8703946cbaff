/*
 * verbs: the one table of what batonctl can ask for.  Parser, usage text,
 * completion and rendering come from it; a row is a verb.
 */
#ifndef BATON_CTL_VERBS_H
#define BATON_CTL_VERBS_H

#include <jansson.h>

#include <stdbool.h>
#include <stdio.h>

/* Options that only some verbs take. */
enum {
	VERBS_WAIT = 1,
	VERBS_NOW = 2,
};

enum verbs_arg {
	VERBS_NO_ARG,
	VERBS_NUMBER,
	VERBS_PATH, /* sent as an absolute path: the master's directory is another */
};

struct verbs_row {
	const char *name;
	unsigned options;
	enum verbs_arg arg;
	bool needed;          /* the argument may not be left out */
	const char *synopsis; /* what follows the name in the usage text */
	const char *help;
	/* Prints the data for people; NULL: the sentence says it all. */
	void (*show)(const json_t *data, FILE *out);
	/* Completes the data, before it is shown or printed; NULL. */
	void (*complete)(json_t *data);
	/* Advice when there was no answer; NULL: the reason says it all. */
	const char *advice;
	bool at_once; /* takes no time: no answer means that the master is stuck */
	bool ends;    /* done means that the process is gone */
	bool watches; /* asks over and over, on a terminal (ctl/watch.h) */
};

/* Ended by a row without name. */
extern const struct verbs_row verbs_table[];

/* NULL: no such verb. */
const struct verbs_row *verbs_find(const char *name);

/* The verb that a mistyped word may have meant; NULL: none is near. */
const char *verbs_nearest(const char *word);

#endif
