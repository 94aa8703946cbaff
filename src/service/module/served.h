/*
 * served: a module as one service of this worker, and what it may ask of that (baton.h).
 */
#ifndef BATON_SERVICE_MODULE_SERVED_H
#define BATON_SERVICE_MODULE_SERVED_H

#include "baton.h"
#include "service/module/modulekeys.h"
#include "worker/core/service.h"

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
void served_stop(struct baton_service *s);

/* One whose start has failed. */
void served_free(struct baton_service *s);

#endif
