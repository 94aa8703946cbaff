/* leaks: a stream module that makes one of everything and holds it as long as a test says,
 * one order a line; `free` lets go of all that can be let go of. */
#include <baton.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SAY(conn, text) baton_conn_write((conn), (text), strlen(text))

#define MOST 30000

/* What is held. */
static struct baton_ctx *ctx[MOST];
static int nctx;
static struct baton_group *group;
static struct baton_background *background;
static struct baton_pool *pool;
static struct baton_link *taken;
static struct baton_conn *taker; /* who waits for it */
static volatile bool stop_work;

static void
nothing(void *arg, int status)
{
	(void)arg;
	(void)status;
}

/* --- ctx N MS: n of them, which end after ms (0: never), and are held --- */

static void
make_ctx(int n, uint64_t ms)
{
	while (n-- > 0 && nctx < MOST)
		ctx[nctx++] = baton_ctx_new(NULL, ms);
}

/* --- work MS LIMIT: a task below a ctx of ms, deaf to its end --- */

static int
work(void *arg)
{
	(void)arg;
	while (!stop_work)
		usleep(1000);
	return 0;
}

static void
make_work(uint64_t ms, uint64_t limit)
{
	struct baton_ctx *c = baton_ctx_new(NULL, ms);
	struct baton_task t = {
	    .name = "deaf", .work = work, .done = nothing, .limit_ms = limit};

	baton_offload(c, &t);
	baton_ctx_drop(&c);
}

/* --- take MS: the pool's connection, for a ctx of ms that is not the wait's alone --- */

static void
on_link(void *arg, int status, struct baton_link *link)
{
	(void)arg;
	taken = link;
	SAY(taker, status == 0 ? "taken\n" : "not taken\n");
	baton_conn_drop(taker);
}

static void
take(struct baton_conn *conn, uint64_t ms)
{
	struct baton_ctx *c = baton_ctx_new(NULL, ms);

	taker = baton_conn_hold(conn);
	baton_pool_get(pool, c, baton_service_text(baton_conn_service(conn), "target"), on_link,
	               NULL);
	baton_ctx_drop(&c);
}

/* --- orders --- */

static void
free_all(void)
{
	while (nctx > 0)
		baton_ctx_drop(&ctx[--nctx]);
	if (group != NULL) {
		baton_group_end(group, 0);
		baton_group_close(group);
		group = NULL;
	}
	if (background != NULL)
		baton_background_end(&background);
	if (taken != NULL)
		baton_link_put(taken, true);
	taken = NULL;
	stop_work = true;
}

static void
obey(struct baton_conn *conn, const char *order)
{
	char verb[32] = "";
	int a = 0, b = 0;

	sscanf(order, "%31s %d %d", verb, &a, &b);
	if (strcmp(verb, "ctx") == 0) {
		make_ctx(a, (uint64_t)b);
	} else if (strcmp(verb, "work") == 0) {
		make_work((uint64_t)a, (uint64_t)b);
	} else if (strcmp(verb, "group") == 0) {
		group = baton_group_new(NULL, nothing, NULL);
		baton_group_begin(group);
	} else if (strcmp(verb, "background") == 0) {
		background = baton_background("sweeper", NULL, NULL);
	} else if (strcmp(verb, "take") == 0) {
		take(conn, (uint64_t)a);
		return;
	} else if (strcmp(verb, "put") == 0) {
		baton_link_put(taken, true);
		taken = NULL;
	} else if (strcmp(verb, "busy") == 0) {
		baton_conn_busy(conn, a != 0);
	} else if (strcmp(verb, "count") == 0) {
		baton_counter_add(baton_counter("cache_hits"), (uint64_t)a);
		baton_counter_add(baton_counter("bytes_saved"), 2 * (uint64_t)a);
	} else if (strcmp(verb, "spin") == 0) {
		uint64_t end = baton_now() + (uint64_t)a;

		while (baton_now() < end)
			;
	} else if (strcmp(verb, "free") == 0) {
		free_all();
	}
	SAY(conn, "done\n");
}

static size_t
on_data(struct baton_conn *conn, const char *bytes, size_t n)
{
	const char *at = bytes, *end;
	char order[256];

	while ((end = memchr(at, '\n', n - (size_t)(at - bytes))) != NULL) {
		snprintf(order, sizeof order, "%.*s", (int)(end - at), at);
		obey(conn, order);
		at = end + 1;
	}
	return (size_t)(at - bytes);
}

static int
start(struct baton_service *service)
{
	(void)service;
	pool = baton_pool_new(&(struct baton_pool_rules){.max_open = 1});
	return 0;
}

static void
stop(struct baton_service *service)
{
	(void)service;
	group = NULL; /* what has not ended by now was left behind */
	background = NULL;
	free_all();
	baton_pool_free(&pool);
}

static const struct baton_key keys[] = {
    {.name = "target", .type = BATON_KEY_TEXT},
    {.name = NULL},
};

const struct baton_module baton_module = {
    .abi = BATON_ABI,
    .size = sizeof(struct baton_module),
    .name = "leaks",
    .keys = keys,
    .start = start,
    .stop = stop,
    .data = on_data,
};
