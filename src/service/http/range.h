/*
 * range: which part of a file a request wants, and whether it wants it at all
 * (RFC 9110, sections 13 and 14).  Pure.
 */
#ifndef BATON_SERVICE_HTTP_RANGE_H
#define BATON_SERVICE_HTTP_RANGE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "service/head/request.h"

enum range_result {
	RANGE_WHOLE, /* none asked for, several, or not understood: all of it */
	RANGE_PART,
	RANGE_UNSATISFIABLE,
};

/* Parse "bytes=..." against a size. */
enum range_result range_parse(const struct request_text *value, uint64_t size, uint64_t *first,
                              uint64_t *last);

/* Seconds since the epoch of an HTTP date; -1 when it is none. */
time_t range_date(const struct request_text *value);

/* Does a list of entity tags (or "*" alone) have this one?  weak: W/ does not matter. */
int range_has_etag(const struct request_list *list, const char *etag, int weak);

/* What the If-headers make of a file: 0 (send it), 304 or 412. */
int range_precondition(const struct request *r, const char *etag, time_t modified);

/* Does If-Range, one strong tag or one date, allow a part? */
int range_allowed(const struct request *r, const char *etag, time_t modified);

#endif
