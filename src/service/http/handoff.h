/*
 * handoff: what of an http connection goes to another worker.
 *
 * It moves between two requests and in the first bytes of one: then it is no more
 * than what is unread, and how much is left of the request's limit.  A tunnel has a
 * record of its own (tunnel.h).
 */
#ifndef BATON_SERVICE_HTTP_HANDOFF_H
#define BATON_SERVICE_HTTP_HANDOFF_H

#include <stdbool.h>

struct conn;
struct handoff_record;

/* blob_version of a record */
#define MOVE_EXCHANGE 1
#define MOVE_TUNNEL   2

/* freeze and thaw of the service_type. */
bool http_freeze(struct conn *c, struct handoff_record *r);
const char *http_thaw(struct conn *c, struct handoff_record *r);

#endif
