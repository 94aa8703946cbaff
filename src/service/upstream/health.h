/*
 * health: asks an upstream now and then whether it is well.
 *
 * Every `check_interval`, on a connection of its own: a GET of `check`, and well is an
 * answer from 200 to 399; or, where `check = connect`, the connection is enough.  Two failures
 * in a row make it ill, one success makes it well again; until the first outcome it is
 * what other workers have found last, dead ones and those of other generations included, or
 * well.
 */
#ifndef BATON_SERVICE_UPSTREAM_HEALTH_H
#define BATON_SERVICE_UPSTREAM_HEALTH_H

#include <stdbool.h>

struct conf_service;
struct health;

/* Begin with it at once.  name is that in messages, target is dialled, host is asked for;
 * they and the conf_service outlive it. */
struct health *health_new(const struct conf_service *conf, const char *name, const char *target,
                          const char *host);

/* *h becomes NULL; NULL is allowed.  forget: what was found is not to be known any more. */
void health_free(struct health **h, bool forget);

bool health_is_good(const struct health *h);

/* It is not good, but only others say so. */
bool health_is_hearsay(const struct health *h);

#endif
