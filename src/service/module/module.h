/*
 * module: what is loaded from a file.  `path` names a shared object that exports a
 * struct baton_module (baton.h); it is loaded in each worker at its start, never in the
 * master, and tried in the process that checks a configuration.
 *
 * One with `data` is a stream (stream.h); one with routes is HTTP (service/http, where
 * call.h is the handlers' side).  The instance's service_type is one of those from
 * its start on.
 */
#ifndef BATON_SERVICE_MODULE_MODULE_H
#define BATON_SERVICE_MODULE_MODULE_H

#include "baton.h"
#include "service/module/own.h"
#include "worker/service.h"

extern const struct service_type module_service;

/* A [service:NAME] of this type, in this worker. */
struct baton_service {
	struct service *service;
	const struct baton_module *module;
	struct baton_route *routes; /* the module's; NULL: it is a stream */
	struct own_value *value;    /* one for each of module->keys */
	void *data;                 /* the module's */
	char *cause;                /* why start fails */
};

/* The worker leaves: stop the module and free it. */
void module_stop(struct baton_service *s);

#endif
