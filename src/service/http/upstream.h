/*
 * upstream: the servers behind a reverse proxy, and which is next.
 *
 * One that fails to answer is passed over: for a moment after a failed connect, as long
 * as its breaker is open, and while its health check says no.
 */
#ifndef BATON_SERVICE_HTTP_UPSTREAM_H
#define BATON_SERVICE_HTTP_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct baton_breaker;
struct baton_pool;
struct conf_service;
struct figures_row;
struct health;
struct pool_target;

struct upstream {
	const char *text; /* as in the file */
	const char *host; /* as a Host header names it */
	struct pool_target *target;
	struct baton_breaker *breaker; /* NULL: there are too many */
	struct figures_row *figures;   /* NULL: no room */
	struct health *health;         /* NULL: not checked */
	uint64_t down_until_ms;        /* clock_tick_ms */
};

struct upstreams {
	struct upstream *v;
	size_t n;
	size_t next;
	bool least_busy; /* else in turn */
	struct baton_pool *pool;
	struct baton_timer *look; /* what is so now, for the statistics */
};

/* The runtime has started.  The conf_service outlives them. */
struct upstreams *upstreams_new(const struct conf_service *conf);
void upstreams_free(struct upstreams **us);

/* The next one that is not in `tried` (a bit for each; the 64th and later share one), which
 * it joins: if need be one whose breaker is open.  NULL: there is none that may be asked. */
struct upstream *upstreams_choose(struct upstreams *us, uint64_t *tried);

/* A request goes to it. */
void upstream_asked(struct upstream *u);

/* How an attempt has ended: with an answer, or without; down: it could not be reached. */
void upstream_good(struct upstream *u);
void upstream_bad(struct upstream *u, bool down);

#endif
