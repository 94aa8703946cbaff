/*
 * head: the lines of a head of HTTP/1, and the grammar of what stands in them (RFC 9112,
 * section 5; RFC 9110, sections 5.5 and 5.6).  Pure.
 *
 * One walker for requests, answers and what is written anew, so that nobody reads a line
 * in another way than the next one does.
 */
#ifndef BATON_SERVICE_HEAD_HEAD_H
#define BATON_SERVICE_HEAD_HEAD_H

#include <stdbool.h>
#include <stddef.h>

/* Points into the bytes of a head; p NULL: what it would be is not there. */
struct request_text {
	const char *p;
	size_t n;
};

/* A head from its second line on: whole, and clean (head_is_clean). */
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

/*
 * The length of the head at the start of bytes, its empty line included; 0: it is
 * not complete; -1: it never will be (a bare LF).  from: bytes before it were
 * looked at already.
 */
ptrdiff_t head_length(const char *bytes, size_t len, size_t from);

/* May a token have it (tchar of RFC 9110, 5.6.2)? */
bool head_is_tchar(unsigned char ch);

/* Is it a header's name, as HTTP spells them? */
bool head_is_token(const struct request_text *t);

/* Tab is the only control byte that a head may hold inside a line; each line ends
 * in CRLF and starts with what is no blank (a folded line). */
bool head_is_clean(const char *head, size_t len);

/* The first member of a list with commas, which loses it; empty ones are none.  False: none
 * is left. */
bool head_next_member(struct request_text *list, struct request_text *member);

#define HEAD_MEMBERS_MAX 32 /* of Connection, all its lines together; more are 431 or 502 */

/* What all lines of Connection say together (RFC 9112, 9.3); begins as zeros. */
struct head_connection {
	size_t members;
	bool close, keep;
};

/* Adds a line's members.  False: there are more than HEAD_MEMBERS_MAX. */
bool head_add_connection(struct head_connection *c, const struct request_text *line);

/* How many it has; counts no further than max + 1. */
size_t head_count_members(struct request_text list, size_t max);

#endif
