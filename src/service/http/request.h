/*
 * request: what a head says, read by libhttp_parser and checked.
 *
 * Everything that decides where the body ends, or whose request it is, must be
 * said once and plainly: else the request is refused.  The parts that are kept
 * are offsets into the head, so the buffer may move.  Pure.
 */
#ifndef BATON_SERVICE_HTTP_REQUEST_H
#define BATON_SERVICE_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <http_parser.h>

#include "service/http/span.h"

/* The fields whose values are kept. */
enum request_field {
	REQUEST_HOST,
	REQUEST_CONTENT_LENGTH,
	REQUEST_TRANSFER_ENCODING,
	REQUEST_EXPECT,
	REQUEST_RANGE,
	REQUEST_IF_RANGE,
	REQUEST_IF_MATCH,
	REQUEST_IF_NONE_MATCH,
	REQUEST_IF_MODIFIED_SINCE,
	REQUEST_IF_UNMODIFIED_SINCE,
	REQUEST_FIELDS
};

/* A part of the head.  at is 0 for what is absent. */
struct request_part {
	uint32_t at, len;
};

struct request {
	enum http_method method;
	bool old;         /* HTTP/1.0 */
	bool keep_alive;  /* the client wants to go on */
	bool chunked;     /* the body is; else it has `length` bytes */
	bool expects;     /* 100-continue */
	uint64_t length;
	struct request_part target; /* as it came */
	struct request_part path;   /* of the target; "/" is not among its bytes
	                             * when an absolute target has none */
	struct request_part query;  /* after the question mark; with it */
	struct request_part field[REQUEST_FIELDS];
};

/* Once per process, before the first request: no limit but head's. */
void request_start(void);

/* Read a head that head_scan has let in.  0, or the status to refuse it with;
 * then method and keep_alive say what they can. */
int request_parse(struct request *r, const char *head, size_t len);

/* The value of a field in this head; .at is NULL when it is absent. */
struct span request_field(const struct request *r, const char *head, enum request_field f);

/* A part of this head. */
struct span request_span(const char *head, struct request_part part);

#endif
