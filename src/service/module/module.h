/*
 * module: what is loaded from a file.  `path` names a shared object that exports a
 * struct baton_module (baton.h); it is loaded in each worker at its start, never in the
 * master, and tried in the process that checks a configuration.
 *
 * One with `data` is a stream (stream.h); one with routes is HTTP (service/http, where
 * handler.h is the handlers' side).  The instance's service_type is one of those from
 * its start on.
 */
#ifndef BATON_SERVICE_MODULE_MODULE_H
#define BATON_SERVICE_MODULE_MODULE_H

#include "worker/core/service.h"

extern const struct service_type module_service;

#endif
