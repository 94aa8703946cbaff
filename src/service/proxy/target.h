/*
 * target: the upstreams of a proxy, and which is next.
 *
 * Names are looked up when the worker starts.  One that could not be reached is passed
 * over for a moment while there are others.
 */
#ifndef BATON_SERVICE_PROXY_TARGET_H
#define BATON_SERVICE_PROXY_TARGET_H

#include <sys/socket.h>

#include <stddef.h>
#include <stdint.h>

struct conf_service;

struct target {
	const char *text; /* as in the file */
	struct sockaddr_storage sa;
	socklen_t len;
	uint64_t down_until_ms;
};

struct targets {
	struct target *v;
	size_t n;
	size_t next;
};

/* All addresses of all upstreams.  0, or -1 with *cause: a name that nobody knows. */
int targets_resolve(struct targets *list, const struct conf_service *conf, char **cause);
void targets_free(struct targets *list);

/* In turn; one that is down only when all are. */
struct target *targets_next(struct targets *list);

/* It could not be reached. */
void target_down(struct target *t);

#endif
