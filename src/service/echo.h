/*
 * echo: says back what it hears, byte for byte.
 *
 * What the client does not take is kept, and nothing more is read until it has.
 * A client that has ended its side gets the rest and then the end.
 */
#ifndef BATON_SERVICE_ECHO_H
#define BATON_SERVICE_ECHO_H

#include "worker/core/service.h"

extern const struct service_type echo_service;

#endif
