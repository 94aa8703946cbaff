/*
 * request: the head of an HTTP request, from bytes to meaning.  Pure.
 *
 * Strict by RFC 9112: what smugglers live by is refused: bare LF, control bytes, folded
 * lines, blanks before a colon, doubtful lengths.  Every fault is a status code.
 */
#ifndef BATON_SERVICE_HEAD_REQUEST_H
#define BATON_SERVICE_HEAD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/head/head.h"
#include "service/head/method.h"
#include "service/head/target.h"

#define REQUEST_LINES_MAX 4 /* of one header that is a list; more are 431 */

/* A head's numbers are bounded as its bytes are: whatever is done for each of its lines, or
 * for each member of a list, costs no more than so many times that.  More are 431; in an
 * upstream's answer, 502. */
#define REQUEST_FIELDS_MAX 100 /* lines of a head, but for the first; see below */
#define REQUEST_TAGS_MAX   100 /* of If-Match, and of If-None-Match */

/* A header that is a list: its lines in their order are one value, as if commas were
 * between them (RFC 9110, 5.2). */
struct request_list {
	unsigned n; /* 0: the header is not there */
	struct request_text line[REQUEST_LINES_MAX];
};

/*
 * Of range, if_range and the dates one line is allowed.  If there are several, none
 * counts (13.1.3, 13.1.4): the text is "", which is no range, tag or date.
 */
struct request {
	enum method method;
	struct request_text method_name;
	struct request_text target; /* "/path?query", "http://host/path?query" or "*" */
	struct request_text host; /* of the target, if it has one, else of Host; p NULL: none */
	bool http10;
	bool keep_alive; /* as version and Connection say */
	bool chunked;
	bool expects_continue;
	bool takes_trailers; /* TE: trailers */
	uint64_t length;     /* of the body, when not chunked; 0: none */
	struct request_text range;
	struct request_text if_range;
	struct request_text if_modified_since;
	struct request_text if_unmodified_since;
	struct request_text max_forwards; /* likewise */
	struct request_list if_match;
	struct request_list if_none_match;
};

/* Can these bytes never begin a request, whatever follows?  from: bytes before it were looked
 * at already. */
bool request_is_hopeless(const char *bytes, size_t len, size_t from);

/* Of a head that goes on, without empty lines before it: what refuses it by the lines that have
 * ended since `from` bytes of it were looked at; 0: nothing does yet. */
int request_judge_lines(const char *bytes, size_t len, size_t from);

/* How many header lines a head of len bytes may have: REQUEST_FIELDS_MAX, and where max_header
 * allows more than its default, in proportion. */
static inline size_t
request_fields_max(size_t len)
{
	size_t share = len / (16384 / REQUEST_FIELDS_MAX);

	return share > REQUEST_FIELDS_MAX ? share : REQUEST_FIELDS_MAX;
}

/* Parse a whole head.  0, or the status code that refuses it. */
int request_parse(const char *head, size_t len, struct request *r);

/* Is it a TRACE or OPTIONS that goes no further than here (RFC 9110, 7.6.2)?  Else hops is what
 * Max-Forwards is for the next one; UINT64_MAX: it is not told. */
bool request_ends_here(const struct request *r, uint64_t *hops);

/* The bytes of the head are elsewhere now: what points to them, too. */
void request_text_move(struct request_text *t, const char *from, const char *to);
void request_move(struct request *r, const char *from, const char *to);

/* The status for a head that is longer than allowed: 414 or 431. */
int request_too_long(const char *bytes, size_t len);

/* The first header of that name in a head that was parsed; p NULL: there is none. */
struct request_text request_header(const char *head, size_t len, const char *name);

#endif
