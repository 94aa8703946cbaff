/*
 * target: the target of a request and what stands in it: a host, a path, a query (RFC 9112,
 * section 3.2; RFC 3986).  Pure.
 */
#ifndef BATON_SERVICE_HEAD_TARGET_H
#define BATON_SERVICE_HEAD_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "service/head/head.h"

#define TARGET_MAX 8192 /* bytes; longer is 414 */

/* Of a query, where a handler may look for each of them; more are 400. */
#define TARGET_PARAMETERS_MAX 256

/* Is it what a Host header may say: a name, an address or "[...]", perhaps a port (RFC 3986,
 * 3.2.2)?  It may be empty. */
bool target_is_host(const struct request_text *t);

/* "http://authority" and what follows, as it is written.  False: it is no such target. */
bool target_split_absolute(const struct request_text *target, struct request_text *authority,
                           struct request_text *rest);

/*
 * The path of a target, percent-decoded, without leading slashes, "" for the
 * root: into path (size bytes, NUL-terminated).  0, or the status code.
 */
int target_path(const struct request_text *target, char *path, size_t size);

/* The path and the query of a target, both as they are written; without '?' the query's p
 * is NULL. */
void target_split(const struct request_text *target, struct request_text *path,
                  struct request_text *query);

/* Percent-decode t; plus: a '+' is a blank.  What is broken stays as it is.  malloc'd. */
char *target_decode(const struct request_text *t, bool plus);

/* Is t, decoded like that, these n bytes?  Stops where it is not. */
bool target_says(const struct request_text *t, bool plus, const char *text, size_t n);

/* How many parameters a query has; a p of NULL has none. */
size_t target_count_parameters(const struct request_text *query);

#endif
