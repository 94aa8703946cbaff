/*
 * flaw: what is wrong with a file, gathered in the order of its lines.
 *
 * Rules find flaws in their own order (a dangling name is only known at the
 * end), so each is put in its place by its line.  The first FLAWS_MAX of the
 * file are kept and the rest is counted: nobody reads thousands.
 */
#ifndef BATON_CONF_FLAW_H
#define BATON_CONF_FLAW_H

#include <limits.h>
#include <stddef.h>

#define FLAWS_MAX     100
#define FLAW_NO_LINE  INT_MAX /* of the file as a whole: told last */
#define FLAW_WORD_MAX 60      /* bytes of a foreign word in a sentence */

struct flaw {
	int line;
	char *text;
};

/* Starts as zeroes. */
struct flaws {
	struct flaw at[FLAWS_MAX];
	size_t n;
	size_t more; /* found, but not kept */
};

struct flaw_word {
	char text[FLAW_WORD_MAX * 4 + 4];
};

/* Add a sentence about a line; two about one line stay in order of arrival. */
void flaw_add(struct flaws *flaws, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Forget everything. */
void flaw_clear(struct flaws *flaws);

/* s with each byte that is not printable ASCII written as \xNN; malloc'd. */
char *flaw_escape(const char *s);

/* The same for one word within a sentence, shortened when it is long.  It is
 * returned by value, so `flaw_word(s).text` lives until the sentence is made. */
struct flaw_word flaw_word(const char *s);

#endif
