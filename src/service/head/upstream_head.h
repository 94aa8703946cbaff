/*
 * upstream_head: the head of an upstream's answer, from bytes to meaning.  Pure.
 *
 * What would leave a doubt about where the answer ends is refused: control bytes, folded lines,
 * two lengths, a length beside chunks, a coding that is not chunked, chunks of HTTP/1.0.  So is
 * what has more lines than a request may have (request.h), or more of Connection.
 */
#ifndef BATON_SERVICE_HEAD_UPSTREAM_HEAD_H
#define BATON_SERVICE_HEAD_UPSTREAM_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/head/request.h"

/* How the end of its body is found. */
enum upstream_body {
	UPSTREAM_BODY_NONE,
	UPSTREAM_BODY_LENGTH,
	UPSTREAM_BODY_CHUNKED,
	UPSTREAM_BODY_TO_CLOSE,
};

struct upstream_head {
	unsigned status;
	struct request_text reason; /* perhaps empty */
	enum upstream_body body;
	uint64_t length; /* with UPSTREAM_BODY_LENGTH; and of HEAD, if length_told */
	bool length_told;
	bool http10;
	bool dated;      /* it has a Date */
	bool keep_alive; /* the upstream takes another request after it */
	bool too_much;   /* what is wrong with it is that a limit of ours is in the way */
};

/* As head_length; but an LF without its CR ends a line, too (RFC 9112, 2.2).  What is
 * passed on has none: upstream_head_mend.  -1 is not among its answers. */
size_t upstream_head_length(const char *bytes, size_t len, size_t from);

/* A whole head with a CR before each LF, malloc'd; *len becomes its length.  NULL: it has them
 * all. */
char *upstream_head_mend(const char *head, size_t *len);

/* Parse a whole head with CRLFs; head_only: the request was HEAD.  NULL, or what
 * is wrong with it: a literal. */
const char *upstream_head_parse(const char *head, size_t len, bool head_only,
                                struct upstream_head *r);

#endif
