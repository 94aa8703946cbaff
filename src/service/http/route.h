/*
 * route: which handler a request is for.  Pure: a table of baton_route, a method and a
 * path as it is written.
 */
#ifndef BATON_SERVICE_HTTP_ROUTE_H
#define BATON_SERVICE_HTTP_ROUTE_H

#include <stddef.h>

#include "baton.h"
#include "service/head/request.h"

#define ROUTE_DEADLINE_MS 30000 /* of one that names none */

/* A variable of the route and what stands for it, not decoded. */
struct route_var {
	struct request_text name, value;
};

struct route_match {
	const struct baton_route *route;
	struct route_var var[BATON_VARS_MAX];
	size_t n;
};

/* 0 with *match, 404, or 405. */
int route_find(const struct baton_route *routes, const char *method,
               const struct request_text *path, struct route_match *match);

/* The first one for what no route has ("*" as its path), for that method; NULL: there is
 * none. */
const struct baton_route *route_of_none(const struct baton_route *routes, const char *method);

/* The methods for which there is a route with this path, "GET, HEAD, PUT", into buf;
 * returns buf. */
const char *route_allow(const struct baton_route *routes, const struct request_text *path,
                        char *buf, size_t size);

/* The latest deadline of all, in ms. */
uint64_t route_longest(const struct baton_route *routes);

/* Does one from first on, before route, say the same?  Then it would never be called. */
bool route_is_twice(const struct baton_route *first, const struct baton_route *route);

/* What is wrong with a route; NULL: nothing.  A literal. */
const char *route_fault(const struct baton_route *route);

#endif
