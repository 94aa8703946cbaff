/*
 * reply: the head of an upstream's answer, from bytes to meaning.  Pure.
 *
 * What would leave a doubt about where the answer ends is refused: a bare LF, control
 * bytes, folded lines, two lengths, a length beside chunks, a coding that is not chunked,
 * chunks of HTTP/1.0.  So is what has more lines than a request may have (request.h), or more
 * of Connection.
 */
#ifndef BATON_SERVICE_HTTP_REPLY_H
#define BATON_SERVICE_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/http/request.h"

/* How the end of its body is found. */
enum reply_body {
	REPLY_NONE,
	REPLY_LENGTH,
	REPLY_CHUNKED,
	REPLY_TO_CLOSE,
};

struct reply {
	unsigned status;
	struct request_text reason; /* perhaps empty */
	enum reply_body body;
	uint64_t length; /* with REPLY_LENGTH; and of HEAD, if length_told */
	bool length_told;
	bool keep_alive; /* the upstream takes another request after it */
	bool too_much;   /* what is wrong with it is that a limit of ours is in the way */
};

/* Parse a whole head (request_head_length); head_only: the request was HEAD.  NULL, or what
 * is wrong with it: a literal. */
const char *reply_parse(const char *head, size_t len, bool head_only, struct reply *r);

#endif
