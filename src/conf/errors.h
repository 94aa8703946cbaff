/*
 * errors: what is wrong with a file, as sentences for people.
 */
#ifndef BATON_CONF_ERRORS_H
#define BATON_CONF_ERRORS_H

#include <stddef.h>

struct flaws;

/* All flaws of a file, one sentence each, in the order of the lines. */
struct conf_errors {
	char **text;
	size_t n;
};

/* Add a sentence to errors. */
void conf_error(struct conf_errors *errors, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void conf_errors_free(struct conf_errors *errors);

/* The sentences joined by newlines, malloc'd. */
char *conf_errors_join(const struct conf_errors *errors);

/* Flaws of the file at path become sentences, and are forgotten. */
void conf_tell_flaws(struct flaws *flaws, const char *path, struct conf_errors *errors);

#endif
