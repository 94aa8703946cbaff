/*
 * errors: what is wrong with a file, in the order of its lines.
 *
 * Rules find errors in their own order (a dangling name is only known at the
 * end), so each is put in its place by its line.  The first CONF_ERRORS_MAX of the
 * file are kept and the rest is counted: nobody reads thousands.
 */
#ifndef BATON_CONF_ERRORS_H
#define BATON_CONF_ERRORS_H

#include <limits.h>
#include <stddef.h>

#define CONF_ERRORS_MAX 100
#define CONF_NO_LINE    INT_MAX /* of the file as a whole: told last */
#define CONF_WORD_MAX   60      /* bytes of a foreign word in a sentence */

struct conf_error {
	int line;
	char *text;
};

/* Starts as zeroes, but for the path. */
struct conf_errors {
	const char *path; /* borrowed; NULL: sentences name neither file nor line */
	struct conf_error at[CONF_ERRORS_MAX];
	size_t n;
	size_t more; /* found, but not kept */
};

struct conf_word {
	char text[CONF_WORD_MAX * 4 + 4];
};

/* Add a sentence about a line; two about one line stay in order of arrival. */
void conf_error(struct conf_errors *errors, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Forget everything but the path. */
void conf_errors_free(struct conf_errors *errors);

/* The sentences for people, each with file and line, joined by newlines; malloc'd. */
char *conf_errors_join(const struct conf_errors *errors);

/* s with each byte that is not printable ASCII written as \xNN; malloc'd. */
char *conf_escape(const char *s);

/* The same for one word within a sentence, shortened when it is long.  It is
 * returned by value, so `conf_word(s).text` lives until the sentence is made. */
struct conf_word conf_word(const char *s);

#endif
