/*
 * health: asks an upstream now and then whether it is well.
 *
 * A GET of `check` on a connection of its own every `check_interval`; well is an answer
 * from 200 to 399.  Two failures in a row make it ill, one answer makes it well again;
 * until the first outcome it is what other workers have found last, dead ones and those
 * of other generations included, or well.
 */
#ifndef BATON_SERVICE_HTTP_HEALTH_H
#define BATON_SERVICE_HTTP_HEALTH_H

#include <stdbool.h>

struct conf_service;
struct health;

/* Begin with it at once.  target and host are as long-lived as the conf_service. */
struct health *health_new(const struct conf_service *conf, const char *target,
                          const char *host);

/* *h becomes NULL; NULL is allowed. */
void health_free(struct health **h);

bool health_is_good(const struct health *h);

/* It is not good, but only others say so. */
bool health_is_hearsay(const struct health *h);

#endif
