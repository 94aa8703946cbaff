/*
 * head: the lines of a head of HTTP/1, and the grammar of what stands in them (RFC 9112,
 * section 5; RFC 9110, sections 5.5 and 5.6).  Pure.
 *
 * One walker for requests, answers and what is written anew, so that nobody reads a line
 * in another way than the next one does.
 */
#ifndef BATON_SERVICE_HTTP_HEAD_H
#define BATON_SERVICE_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

/* Points into the bytes of a head; p NULL: what it would be is not there. */
struct request_text {
	const char *p;
	size_t n;
};

/* A head from its second line on: whole, and clean (request_bytes_are_clean). */
struct head_walk {
	const char *next, *end;
};

/* value: without the blanks and tabs around it (OWS); all: with its CRLF. */
struct head_line {
	struct request_text name, value, all;
};

void head_begin(struct head_walk *w, const char *head, size_t len);

/* The next line; one without a colon has a name of no bytes.  False: there is none. */
bool head_next(struct head_walk *w, struct head_line *line);

/* Is it that word, in whatever case? */
bool head_is(const struct request_text *t, const char *word);

/* Without the blanks and tabs around it; behind it. */
struct request_text head_trim(struct request_text t);
struct request_text head_trim_end(struct request_text t);

/* A number of at most 18 digits, and of nothing else (a length). */
bool head_number(const struct request_text *t, unsigned long long *number);

#endif
