/*
 * resolve: the addresses of upstreams that are given by name.
 *
 * A name is looked up in a thread: at the start, when it is used and the answer is
 * AGE_MS old, and when one of its addresses could not be reached.  Each answer is told;
 * while there is none, or the lookup fails, the one before stays in use.
 */
#ifndef BATON_SERVICE_UPSTREAM_RESOLVE_H
#define BATON_SERVICE_UPSTREAM_RESOLVE_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>

struct conf_service;
struct dial_addr;
struct resolve;

/* The addresses of conf.upstream[line] are these n; at least one. */
typedef void resolve_fn(void *arg, size_t line, const struct dial_addr *addr, size_t n);

/* Somebody who waits for a lookup.  Zeroed: nobody. */
struct resolve_wait {
	TAILQ_ENTRY(resolve_wait) link;
	struct resolve *of; /* NULL: waits no more */
	void (*over)(void *arg);
	void *arg;
};

/* Looks up all names of the file.  The runtime has started; conf outlives it. */
struct resolve *resolve_new(const struct conf_service *conf, resolve_fn *found, void *arg);

/* found is not called any more.  *r becomes NULL; NULL is allowed. */
void resolve_free(struct resolve **r);

/* It is used; it has failed.  Nothing where it is no name. */
void resolve_used(struct resolve *r, size_t line);
void resolve_failed(struct resolve *r, size_t line);

/* Look up again what failed, and wait for what is being looked up: over(arg) is called once,
 * from the loop.  False: nothing is. */
bool resolve_wait(struct resolve *r, struct resolve_wait *w);
void resolve_wait_no_more(struct resolve_wait *w);

/* Why the first name that has no address has none, in words that last; NULL: all have. */
const char *resolve_fault(const struct resolve *r);

#endif
