/*
 * source: how many clients an address has, in this worker.
 *
 * Addresses of IPv6 count by their /64, which is one customer's.
 */
#ifndef BATON_SERVICE_PROXY_SOURCE_H
#define BATON_SERVICE_PROXY_SOURCE_H

#include <sys/socket.h>

#include <stdint.h>

struct source;
struct sources;

struct sources *sources_new(void);
void sources_free(struct sources **s);

/* One client more; NULL when the address has max already.  source_leave gives it back. */
struct source *sources_enter(struct sources *s, const struct sockaddr_storage *sa,
                             uint64_t max);
void source_leave(struct sources *s, struct source **one);

#endif
