/*
 * admin: how baton is doing, over HTTP: a page at /, /events behind it, /metrics for
 * Prometheus, /status.json, /healthz and /readyz.
 *
 * It is http's service with routes of its own.  All that it tells comes from the
 * statistics memory: the master is never asked, so it cannot be kept from its work.
 * Nothing can be changed here: that is batonctl's alone.
 */
#ifndef BATON_SERVICE_ADMIN_ADMIN_H
#define BATON_SERVICE_ADMIN_ADMIN_H

#include "worker/core/service.h"

extern const struct service_type admin_service;

#endif
