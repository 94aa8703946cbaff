/*
 * target: the upstreams of a proxy, and which is next.
 *
 * A name is looked up in a thread: when the worker starts, when a connection is dialled
 * and the answer is AGE_MS old, and when one of its addresses could not be reached.  The
 * answer before stays in use until there is another.  An address that could not be
 * reached is passed over for a moment while there are others.
 */
#ifndef BATON_SERVICE_PROXY_TARGET_H
#define BATON_SERVICE_PROXY_TARGET_H

#include <sys/queue.h>
#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_service;
struct event_base;
struct targets;

/* One address. */
struct target {
	const char *text; /* of its upstream, as in the file */
	struct sockaddr_storage sa;
	socklen_t len;
	size_t upstream;        /* into conf.upstream */
	uint64_t down_until_ms; /* clock_tick_ms */
};

/* Somebody who waits for a lookup.  Zeroed: nobody. */
struct target_wait {
	TAILQ_ENTRY(target_wait) link;
	struct targets *list; /* NULL: waits no more */
	void (*over)(void *arg);
	void *arg;
};

/* Numbers are known at once, names soon. */
struct targets *targets_new(const struct conf_service *conf, struct event_base *base);
void targets_free(struct targets **list);

/* How many addresses there are, at present. */
size_t targets_count(const struct targets *list);

/* Why the first name that has no address has none, in words that last; NULL: all have. */
const char *targets_fault(const struct targets *list);

/* In turn; one that is down only when all are.  There must be one.  A copy: it stays what
 * it is when a lookup ends. */
void targets_next(struct targets *list, struct target *t);

/* It could not be reached. */
void targets_down(struct targets *list, const struct target *t);

/* Look up again what failed, and wait for what is being looked up: over(arg) is called once,
 * from the loop.  False: nothing is. */
bool targets_wait(struct targets *list, struct target_wait *w);
void targets_wait_no_more(struct target_wait *w);

#endif
