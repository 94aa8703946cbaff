/*
 * handoff: a stream's connection on its way to another worker: what is unread, what is unsent,
 * and the module's blob in an envelope.  The functions are those of worker/core/service.h.
 */
#ifndef BATON_SERVICE_MODULE_HANDOFF_H
#define BATON_SERVICE_MODULE_HANDOFF_H

#include <stdbool.h>

struct conn;
struct handoff_record;

bool module_freeze(struct conn *c, struct handoff_record *r);
const char *module_thaw(struct conn *c, struct handoff_record *r);

#endif
