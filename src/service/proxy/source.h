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

/* The key that clients are counted by.  Its layout is fixed: it travels with a connection. */
struct source_key {
	uint64_t address;
	uint64_t family; /* AF_UNSPEC: not known */
};

struct sources *sources_new(void);
void sources_free(struct sources **s);

struct source_key source_key_of(const struct sockaddr_storage *sa);

/* One client more; NULL when the address has max already.  source_leave gives it back. */
struct source *sources_enter(struct sources *s, const struct source_key *key, uint64_t max);
void source_leave(struct sources *s, struct source **one);

/* NULL: not known. */
struct source_key source_key(const struct source *one);

#endif
