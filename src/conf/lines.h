/*
 * lines: the bytes of a file as section titles and keys, each with its line.
 *
 * inih does the splitting of `key = value ; comment`.  It is fed line by line
 * through its reader, because what it says by itself is not enough: it tells
 * only the first malformed line, cuts long lines and titles silently, and
 * gives no line numbers.  So this file keeps the count, reads the titles, and
 * takes a line that no key came of as malformed.  Every line is either
 * reported to the sink, blank, a comment, or an error.
 */
#ifndef BATON_CONF_LINES_H
#define BATON_CONF_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct conf_errors;

#define LINES_LONGEST 65536 /* bytes of a line */

/* Receives the lines.  The strings last only for the call.  quoted: the value stood in
 * quotes, which are gone. */
struct lines_sink {
	void (*section)(void *arg, int line, const char *title);
	void (*key)(void *arg, int line, const char *name, const char *value, bool quoted);
	void *arg;
	/* May be NULL.  A key whose value is malformed, which is told already. */
	void (*malformed)(void *arg, int line, const char *name);
};

/* Go through all of text.  Not to be called by two threads at once: inih's
 * settings are global. */
void lines_read(const char *text, size_t len, const struct lines_sink *sink,
                struct conf_errors *errors);

/* Would a '#' or ';' in it be taken for the begin of a comment, by baton or by a reader? */
bool lines_look_commented(const char *value);

/* A value as it is to be written: in quotes where it must be; malloc'd. */
char *lines_quote(const char *value);

#endif
