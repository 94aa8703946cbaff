/*
 * proxy: TCP to TCP.
 *
 * A client is connected to one of the upstreams, and what one side says the other
 * hears, until both have ended.  Half a close and a reset are passed on.  A pair moves
 * to another worker at any moment from its connect on, with what is between its two
 * sockets.
 */
#ifndef BATON_SERVICE_PROXY_PROXY_H
#define BATON_SERVICE_PROXY_PROXY_H

#include "worker/core/service.h"

extern const struct service_type proxy_service;

#endif
