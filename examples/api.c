/*
 * api: a small JSON API, to show what is done where.
 *
 *	gcc -shared -fPIC -O2 $(pkg-config --cflags baton) -o api.so api.c
 *
 *	[listen:api]
 *	address = 127.0.0.1:8081
 *	service = api
 *
 *	[service:api]
 *	type = module
 *	path = /where/it/is/api.so
 *	budget = 2s
 *	backend = 127.0.0.1:7000
 *	health = /health
 *
 *	GET  /primes/{n}		is n a prime?  One task in a thread.
 *	GET  /primes?from=A&to=B	how many are there?  Four tasks, a group.
 *	POST /notes			how long is the body?  Answered at once.
 *	GET  /ping			does the backend, an echo service, say back what
 *					it hears?  A pool, and a breaker before it.
 *
 * The loop never computes: what takes time is offloaded, with a ctx that ends when the
 * client hangs up or the budget is used up, and the work asks now and then whether
 * anybody still waits for it.
 */
#include <baton.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define JSON  "application/json"
#define PARTS 4

/* --- answers --- */

static void
answer_error(baton_request r, int status, const char *text)
{
	char body[256];
	int n = snprintf(body, sizeof body, "{\"error\": \"%s\"}\n", text);

	baton_answer(r, status, JSON, body, (size_t)n);
}

/* Full, cancelled, over its budget: come back later. */
static void
answer_failure(baton_request r, int status)
{
	baton_answer_header(r, "Retry-After", "1");
	answer_error(r, 503, baton_status_text(status));
}

static bool
read_number(const char *text, uint64_t *n)
{
	char *end;

	if (text == NULL || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*n = strtoull(text, &end, 10);
	return *end == '\0' && errno == 0;
}

/* A ctx below the request's, with the budget of the configuration. */
static struct baton_ctx *
new_budget(baton_request r)
{
	int64_t ms = baton_service_number(baton_request_service(r), "budget");

	return baton_ctx_new(baton_request_ctx(r), (uint64_t)ms);
}

/* --- in threads --- */

static bool
is_prime(uint64_t n)
{
	if (n < 2)
		return false;
	for (uint64_t d = 2; d <= n / d; d++) {
		if (n % d == 0)
			return false;
		if (d % 65536 == 0 && baton_task_cause() != 0)
			return false;
	}
	return true;
}

/* --- one prime --- */

struct question {
	baton_request r;
	struct baton_ctx *ctx;
	uint64_t n;
	bool prime;
};

static int
work_one(void *arg)
{
	struct question *q = arg;

	q->prime = is_prime(q->n);
	return baton_task_cause();
}

static void
done_one(void *arg, int status)
{
	struct question *q = arg;
	char body[128];
	int n;

	if (status != 0) {
		answer_failure(q->r, status);
		return;
	}
	n = snprintf(body, sizeof body, "{\"n\": %" PRIu64 ", \"prime\": %s}\n", q->n,
	             q->prime ? "true" : "false");
	baton_answer(q->r, 200, JSON, body, (size_t)n);
}

static void
release_one(void *arg)
{
	struct question *q = arg;

	baton_ctx_drop(&q->ctx);
	free(q);
}

static void
get_prime(baton_request r)
{
	struct question *q;
	struct baton_task task = {
	    .name = "prime", .work = work_one, .done = done_one, .release = release_one};
	uint64_t n;
	int status;

	if (!read_number(baton_request_var(r, "n"), &n)) {
		answer_error(r, 400, "n is not a number");
		return;
	}
	q = calloc(1, sizeof *q);
	q->r = r;
	q->n = n;
	q->ctx = new_budget(r);
	task.arg = q;
	status = baton_offload(q->ctx, &task);
	if (status == 0)
		return;
	answer_failure(r, status);
	release_one(q);
}

/* --- many primes: parts, in a group --- */

struct count {
	baton_request r;
	struct baton_ctx *ctx;
	uint64_t primes;
};

struct part {
	struct count *count;
	uint64_t from, to, primes;
};

static int
work_part(void *arg)
{
	struct part *p = arg;

	for (uint64_t n = p->from; n < p->to && baton_task_cause() == 0; n++)
		p->primes += is_prime(n);
	return baton_task_cause();
}

/* The part may still run when it is cancelled: only what has ended well is looked at. */
static void
done_part(void *arg, int status)
{
	struct part *p = arg;

	if (status == 0)
		p->count->primes += p->primes;
}

static void
done_count(void *arg, int status)
{
	struct count *c = arg;
	char body[64];
	int n = snprintf(body, sizeof body, "{\"count\": %" PRIu64 "}\n", c->primes);

	if (status == 0)
		baton_answer(c->r, 200, JSON, body, (size_t)n);
	else
		answer_failure(c->r, status);
	baton_ctx_drop(&c->ctx);
	free(c);
}

static void
get_primes(baton_request r)
{
	struct baton_task task = {
	    .name = "primes", .work = work_part, .done = done_part, .release = free};
	uint64_t from, to;
	struct baton_group *group;
	struct count *c;

	if (!read_number(baton_request_query(r, "from"), &from) ||
	    !read_number(baton_request_query(r, "to"), &to) || from > to) {
		answer_error(r, 400, "from and to are numbers, the smaller first");
		return;
	}
	c = calloc(1, sizeof *c);
	c->r = r;
	c->ctx = new_budget(r);
	group = baton_group_new(c->ctx, done_count, c);
	for (uint64_t i = 0; i < PARTS; i++) {
		struct part *p = calloc(1, sizeof *p);
		uint64_t step = (to - from) / PARTS;

		*p = (struct part){c, from + i * step, from + (i + 1) * step, 0};
		if (i == PARTS - 1)
			p->to = to;
		task.arg = p;
		if (baton_group_offload(group, &task) != 0)
			free(p); /* refused: the group knows */
	}
	baton_group_close(group);
}

/* --- notes --- */

static void
post_note(baton_request r)
{
	char body[64];
	size_t n;
	int len;

	baton_request_body(r, &n);
	len = snprintf(body, sizeof body, "{\"bytes\": %zu}\n", n);
	baton_answer(r, 201, JSON, body, (size_t)len);
}

/* --- ping: another server --- */

static const char ping[] = "ping\n";

/* Of the worker. */
struct api {
	struct baton_pool *pool;
	struct baton_breaker *breaker;
};

struct asked {
	baton_request r;
	struct baton_ctx *ctx;
	struct api *api;
	struct baton_link *link;
	size_t got;
	char said[sizeof ping];
};

/* The one end of it.  good: the upstream did what it should.  Of a client that has hung up
 * the breaker learns nothing: it is not the upstream's fault. */
static void
end_ping(struct asked *a, bool good, int failure, const char *text)
{
	if (a->link != NULL)
		baton_link_put(a->link, good);
	if (good || baton_ctx_cause(a->ctx) != BATON_CLOSED)
		baton_breaker_tell(a->api->breaker, good);
	if (good)
		baton_answer(a->r, 200, JSON, "{\"pong\": true}\n", 15);
	else
		answer_error(a->r, failure, text);
	baton_ctx_drop(&a->ctx);
	free(a);
}

static void
on_pong(void *arg, int status)
{
	struct asked *a = arg;
	ssize_t n;

	if (status != 0) {
		end_ping(a, false, 504, baton_status_text(status));
		return;
	}
	n = read(baton_link_fd(a->link), a->said + a->got, sizeof ping - 1 - a->got);
	if (n <= 0) {
		end_ping(a, false, 502, "the upstream hung up");
		return;
	}
	a->got += (size_t)n;
	if (a->got < sizeof ping - 1)
		baton_link_wait(a->link, false, a->ctx, on_pong, a);
	else
		end_ping(a, memcmp(a->said, ping, a->got) == 0, 502, "that was no echo");
}

static void
on_link(void *arg, int status, struct baton_link *link)
{
	struct asked *a = arg;

	a->link = link;
	if (status != 0)
		end_ping(a, false, status == BATON_UNREACHABLE ? 502 : 503,
		         baton_status_text(status));
	else if (send(baton_link_fd(link), ping, sizeof ping - 1, MSG_NOSIGNAL) < 0)
		end_ping(a, false, 502, "the upstream hung up");
	else
		baton_link_wait(link, false, a->ctx, on_pong, a);
}

static void
get_ping(baton_request r)
{
	struct baton_service *service = baton_request_service(r);
	const char *upstream = baton_service_text(service, "backend");
	struct api *api = baton_service_data(service);
	struct asked *a;
	int status;

	if (upstream == NULL) {
		answer_error(r, 501, "there is no backend");
		return;
	}
	if ((status = baton_breaker_ask(api->breaker)) != 0) {
		answer_failure(r, status);
		return;
	}
	a = calloc(1, sizeof *a);
	a->r = r;
	a->api = api;
	a->ctx = new_budget(r);
	status = baton_pool_get(api->pool, a->ctx, upstream, on_link, a);
	if (status != 0)
		end_ping(a, false, 503, baton_status_text(status));
}

/* --- the module --- */

static int
api_start(struct baton_service *service)
{
	static const struct baton_breaker_rules rules = {.percent = 50, .calls = 10};
	struct api *api = calloc(1, sizeof *api);

	if (api == NULL)
		return baton_service_fail(service, "out of memory");
	api->pool = baton_pool_new(NULL);
	api->breaker = baton_breaker_new("api upstream", &rules);
	if (api->breaker == NULL)
		return baton_service_fail(service, "there are too many breakers");
	baton_service_set_data(service, api);
	return 0;
}

static void
api_stop(struct baton_service *service)
{
	struct api *api = baton_service_data(service);

	baton_pool_free(&api->pool);
	baton_breaker_free(&api->breaker);
	free(api);
}

static const struct baton_key keys[] = {
    {.name = "budget",
     .type = BATON_KEY_DURATION,
     .dflt = "2s",
     .min = 1,
     .max = 20000,
     .help = "what a question may take"},
    {.name = "backend", .type = BATON_KEY_TEXT, .help = "HOST:PORT of an echo service"},
    {.name = NULL},
};

static const struct baton_route routes[] = {
    {.method = "GET", .path = "/primes/{n}", .handle = get_prime},
    {.method = "GET", .path = "/primes", .handle = get_primes},
    {.method = "POST", .path = "/notes", .handle = post_note},
    {.method = "GET", .path = "/ping", .handle = get_ping},
    {.path = NULL},
};

const struct baton_module baton_module = {
    .abi = BATON_ABI,
    .size = sizeof(struct baton_module),
    .name = "api",
    .keys = keys,
    .start = api_start,
    .stop = api_stop,
    .routes = routes,
};
