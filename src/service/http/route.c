#include "service/http/route.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool
has_no_path(const struct baton_route *route)
{
	return strcmp(route->path, "*") == 0;
}

/* The segment that begins at *p, which is behind a slash; *p moves behind the slash after it,
 * or becomes NULL. */
static struct request_text
next_segment(const char **p, const char *end)
{
	const char *slash = memchr(*p, '/', (size_t)(end - *p));
	struct request_text s = {*p, (size_t)((slash != NULL ? slash : end) - *p)};

	*p = slash != NULL ? slash + 1 : NULL;
	return s;
}

enum kind { LITERAL, VARIABLE, TAIL };

static enum kind
kind_of(const struct request_text *s)
{
	if (s->n < 2 || s->p[0] != '{')
		return LITERAL;
	return s->n > 5 && memcmp(s->p + s->n - 4, "...}", 4) == 0 ? TAIL : VARIABLE;
}

static void
add(struct route_match *m, const struct request_text *s, size_t dots, struct request_text value)
{
	m->var[m->n++] = (struct route_var){{s->p + 1, s->n - 2 - dots}, value};
}

static bool
fits(const struct baton_route *route, const struct request_text *path, struct route_match *m)
{
	const char *a = route->path + 1, *a_end = route->path + strlen(route->path);
	const char *b = path->p + 1, *b_end = path->p + path->n;

	m->route = route;
	m->n = 0;
	if (has_no_path(route))
		return false;
	while (a != NULL && b != NULL) {
		struct request_text pattern = next_segment(&a, a_end), written;
		enum kind kind = kind_of(&pattern);

		if (kind == TAIL) {
			add(m, &pattern, 3, (struct request_text){b, (size_t)(b_end - b)});
			return true;
		}
		written = next_segment(&b, b_end);
		if (kind == VARIABLE && written.n == 0)
			return false;
		if (kind == LITERAL && !target_says(&written, false, pattern.p, pattern.n))
			return false;
		if (kind == VARIABLE)
			add(m, &pattern, 0, written);
	}
	return a == NULL && b == NULL;
}

/* Of two matching routes, is a the more specific? */
static bool
says_more(const struct baton_route *a, const struct baton_route *b)
{
	const char *p = a->path + 1, *p_end = a->path + strlen(a->path);
	const char *q = b->path + 1, *q_end = b->path + strlen(b->path);

	while (p != NULL && q != NULL) {
		struct request_text s = next_segment(&p, p_end), t = next_segment(&q, q_end);

		if (kind_of(&s) != kind_of(&t))
			return kind_of(&s) < kind_of(&t);
	}
	return false;
}

static bool
is_for_all(const struct baton_route *route)
{
	return strcmp(route->method, "*") == 0;
}

/* Of two matching routes for the method, is a meant?  The more specific path wins; with
 * equal paths, the route that names its method. */
static bool
is_meant(const struct baton_route *a, const struct baton_route *b)
{
	return says_more(a, b) || (!says_more(b, a) && is_for_all(b) && !is_for_all(a));
}

static bool
is_for(const struct baton_route *route, const char *method)
{
	return is_for_all(route) || strcmp(route->method, method) == 0 ||
	       (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

int
route_find(const struct baton_route *routes, const char *method,
           const struct request_text *path, struct route_match *match)
{
	struct route_match m;
	bool path_there = false;

	match->route = NULL;
	if (path->n == 0 || path->p[0] != '/')
		return 404;
	for (const struct baton_route *r = routes; r->path != NULL; r++) {
		if (!fits(r, path, &m))
			continue;
		path_there = true;
		if (!is_for(r, method))
			continue;
		if (match->route == NULL || is_meant(r, match->route))
			*match = m;
	}
	if (match->route != NULL)
		return 0;
	return path_there ? 405 : 404;
}

const struct baton_route *
route_of_none(const struct baton_route *routes, const char *method)
{
	for (const struct baton_route *r = routes; r->path != NULL; r++)
		if (has_no_path(r) && is_for(r, method))
			return r;
	return NULL;
}

static bool
listed(const char *list, const char *method)
{
	size_t n = strlen(method);

	for (const char *at = list; (at = strstr(at, method)) != NULL; at += n)
		if ((at == list || at[-1] == ' ') && (at[n] == ',' || at[n] == '\0'))
			return true;
	return false;
}

const char *
route_allow(const struct baton_route *routes, const struct request_text *path, char *buf,
            size_t size)
{
	struct route_match m;
	size_t n = 0;

	buf[0] = '\0';
	for (const struct baton_route *r = routes; r->path != NULL; r++) {
		const char *head = strcmp(r->method, "GET") == 0 ? ", HEAD" : "";

		if (!fits(r, path, &m) || listed(buf, r->method) ||
		    n + strlen(r->method) + strlen(head) + 3 > size)
			continue;
		n += (size_t)snprintf(buf + n, size - n, "%s%s%s", n > 0 ? ", " : "", r->method,
		                      head);
	}
	return buf;
}

static const char *
segment_fault(const struct request_text *s, bool last)
{
	const char *brace = memchr(s->p, '{', s->n), *end = memchr(s->p, '}', s->n);

	if (brace == NULL && end == NULL)
		return NULL;
	if (brace != s->p || end != s->p + s->n - 1)
		return "a variable is a whole segment, like {id}";
	if (s->n == 2)
		return "a variable has a name";
	if (kind_of(s) == TAIL && !last)
		return "{name...} is the last segment";
	return NULL;
}

/* Is there a variable of that name before it in the path? */
static bool
is_second(const struct baton_route *route, const struct request_text *segment)
{
	const char *p = route->path + 1;
	size_t n = segment->n - (kind_of(segment) == TAIL ? 4 : 1); /* "{name" */

	while (p < segment->p) {
		struct request_text s = next_segment(&p, segment->p);

		if (kind_of(&s) == VARIABLE && s.n == n + 1 && memcmp(s.p, segment->p, n) == 0)
			return true;
	}
	return false;
}

bool
route_is_twice(const struct baton_route *first, const struct baton_route *route)
{
	for (; first < route; first++)
		if (strcmp(first->method, route->method) == 0 &&
		    strcmp(first->path, route->path) == 0)
			return true;
	return false;
}

const char *
route_fault(const struct baton_route *route)
{
	const char *p = route->path + 1, *end = route->path + strlen(route->path);
	size_t vars = 0;

	if (route->method == NULL || *route->method == '\0')
		return "it has no method";
	if (!is_for_all(route) &&
	    method_find(route->method, strlen(route->method)) == METHOD_OTHER)
		return "its method is none of HTTP's, like GET";
	if (route->handle == NULL && route->work == NULL)
		return "it has no handler";
	if (route->handle != NULL && route->work != NULL)
		return "it has a handler and work";
	if (route->work != NULL && route->streamed)
		return "its work has the body whole";
	if (has_no_path(route))
		return NULL;
	if (route->path[0] != '/')
		return "its path begins with '/'";
	while (p != NULL) {
		struct request_text s = next_segment(&p, end);
		const char *fault = segment_fault(&s, p == NULL);

		if (fault != NULL)
			return fault;
		if (kind_of(&s) != LITERAL && ++vars > BATON_VARS_MAX)
			return "it has too many variables";
		if (kind_of(&s) != LITERAL && is_second(route, &s))
			return "it has two variables of one name";
	}
	return NULL;
}

uint64_t
route_longest(const struct baton_route *routes)
{
	uint64_t longest = 0;

	for (; routes->path != NULL; routes++) {
		uint64_t ms =
		    routes->deadline_ms != 0 ? routes->deadline_ms : ROUTE_DEADLINE_MS;

		longest = ms > longest ? ms : longest;
	}
	return longest;
}
