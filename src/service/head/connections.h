/*
 * connections: what a head says of the connection that it comes over, and what of it belongs to
 * that alone (RFC 9110, section 7.6.1).  Pure.
 */
#ifndef BATON_SERVICE_HEAD_CONNECTIONS_H
#define BATON_SERVICE_HEAD_CONNECTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "service/head/head.h"

/* What Connection names in a head: small, as each line of the head is held against all. */
struct connections {
	struct request_text member[HEAD_MEMBERS_MAX];
	size_t n, lines;
	bool more; /* than are kept: what else it names is not known */
};

/* Of a whole head. */
void connections_find(const char *head, size_t len, struct connections *c);

/* Does Connection name it? */
bool connections_name(const struct connections *c, const struct request_text *name);

/* Does it belong to one connection, whatever Connection says? */
bool connections_own(const struct request_text *name);

/* Of a request: does it ask for another protocol (Upgrade, named in Connection)?  HTTP/2
 * counts as none: behind it requests would pass that nobody here has looked at. */
bool connections_upgrade(const char *head, size_t len);

#endif
