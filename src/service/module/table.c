#include "service/module/table.h"

#include <string.h>

#include "base/mem.h"
#include "service/http/route.h"
#include "service/http/work.h"

/* As version 2 has it: what was added since is 0. */
struct route_2 {
	const char *method;
	const char *path;
	void (*handle)(baton_request r);
	uint64_t deadline_ms;
	bool streamed;
};

static const size_t size_of[] = {
    [2] = sizeof(struct route_2), [BATON_ABI] = sizeof(struct baton_route)};

struct baton_route *
table_read(const struct baton_module *m)
{
	const char *from = (const char *)m->routes;
	size_t size = size_of[m->abi], n = 0;
	struct baton_route *routes = NULL, end = {0};

	if (from == NULL)
		return NULL;
	do {
		routes = mem_grow(routes, n, sizeof *routes);
		routes[n] = end;
		memcpy(&routes[n], from + n * size, size);
	} while (routes[n++].path != NULL);
	return routes;
}

int
table_judge(const struct baton_route *routes, char **cause)
{
	for (const struct baton_route *r = routes; r != NULL && r->path != NULL; r++) {
		const char *fault = route_fault(r);

		if (fault == NULL && route_is_twice(routes, r))
			fault = "it stands there twice";
		if (fault != NULL)
			return cause_set(cause, "route '%s': %s", r->path, fault);
	}
	return 0;
}

void
table_prepare(struct baton_route *routes)
{
	for (struct baton_route *r = routes; r->path != NULL; r++)
		if (r->work != NULL)
			r->handle = work_handle;
}
