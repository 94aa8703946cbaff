/* old: a module as version 2 of baton.h made it.  The structs are those of that version, and
 * stay as they are. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct baton_request {
	uint64_t id;
} baton_request;

struct baton_route {
	const char *method;
	const char *path;
	void (*handle)(baton_request r);
	uint64_t deadline_ms;
	bool streamed;
};

struct baton_module {
	uint32_t abi, size;
	const char *name;
	const void *keys;
	int (*start)(void *service);
	void (*stop)(void *service);
	const struct baton_route *routes;
	void *of_streams[9];
};

const char *baton_request_var(baton_request r, const char *name);
int baton_request_readable(baton_request r, void (*fn)(void *arg), void *arg);
int baton_answer(baton_request r, int status, const char *type, const void *body, size_t n);

static void
tell(baton_request r)
{
	const char *v = baton_request_var(r, "v");

	baton_answer(r, 200, NULL, v, strlen(v));
}

/* Is the body in pieces, as the row says? */
static void
tell_streamed(baton_request r)
{
	baton_answer(r, baton_request_readable(r, NULL, NULL) == 0 ? 200 : 500, NULL, "", 0);
}

static void
forget(baton_request r)
{
	(void)r;
}

static const struct baton_route routes[] = {
    {"GET", "/a/{v}", tell, 0, false},
    {"GET", "/soon", forget, 100, false},
    {"POST", "/streamed", tell_streamed, 0, true},
    {"GET", "/b/{v...}", tell, 0, false},
    {0},
};

const struct baton_module baton_module = {
    .abi = 2,
    .size = sizeof(struct baton_module),
    .name = "old",
    .routes = routes,
};
