/*
 * services: the types there are, for main to hand to the worker.
 */
#ifndef BATON_SERVICES_H
#define BATON_SERVICES_H

#include "worker/core/service.h"

/* Ended by NULL. */
extern const struct service_type *const services[];

#endif
