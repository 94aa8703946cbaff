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
 *	health = /health
 *
 *	GET  /primes/{n}		is n a prime?  One task in a thread.
 *	GET  /primes?from=A&to=B	how many are there?  Four tasks, a group.
 *	POST /notes			how long is the body?  Answered at once.
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

/* --- the module --- */

static const struct baton_key keys[] = {
    {.name = "budget",
     .type = BATON_KEY_DURATION,
     .dflt = "2s",
     .min = 1,
     .max = 20000,
     .help = "what a question may take"},
    {.name = NULL},
};

static const struct baton_route routes[] = {
    {"GET", "/primes/{n}", get_prime, 30000},
    {"GET", "/primes", get_primes, 30000},
    {"POST", "/notes", post_note, 0},
    {NULL, NULL, NULL, 0},
};

const struct baton_module baton_module = {
    .abi = BATON_ABI,
    .size = sizeof(struct baton_module),
    .name = "api",
    .keys = keys,
    .routes = routes,
};
