/*
 * escape: bytes of anybody as a part of a line that stays one line, and does no
 * more to a terminal than show.  Pure.
 *
 * All write at most what fits, and never a part of an escape; the result is not ended
 * by a NUL.  They return where the next byte goes.
 */
#ifndef BATON_BASE_ESCAPE_H
#define BATON_BASE_ESCAPE_H

#include <stddef.h>

/* Where a line is written: at..end. */
struct escape_out {
	char *at;
	char *end;
};

/* As they are. */
void escape_plain(struct escape_out *o, const char *text, size_t n);

/* Printable ASCII without '"' and '\' as it is, each other byte as \xNN: what is between
 * the quotes of an access log.  The form is that of nginx. */
void escape_quoted(struct escape_out *o, const char *text, size_t n);

/*
 * A text of the log: control characters as \xNN, but a line feed, after which the line
 * goes on with a tab, so that it cannot pretend to be another line.
 */
void escape_text(struct escape_out *o, const char *text, size_t n);

/*
 * The inside of a JSON string.  UTF-8 stays, without its control characters; in a text
 * that is not UTF-8 each byte above 127 is the character of that number.
 */
void escape_json(struct escape_out *o, const char *text, size_t n);

#endif
