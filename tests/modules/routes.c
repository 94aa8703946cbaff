/* routes: an HTTP module whose handlers fall into every trap there is. */
#include <baton.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT "text/plain"

static void
answer_text(baton_request r, int status, const char *text)
{
	baton_answer(r, status, TEXT, text, strlen(text));
}

/* --- plain --- */

static void
now(baton_request r)
{
	answer_text(r, 200, "now");
}

static void
echo(baton_request r)
{
	size_t n;
	const char *body = baton_request_body(r, &n);
	char length[32];

	snprintf(length, sizeof length, "%zu", n);
	baton_answer_header(r, "X-Length", length);
	if (baton_request_header(r, "x-bad") != NULL &&
	    baton_answer_header(r, "X-Bad", "a\r\nSet-Cookie: b") != BATON_INVALID)
		abort();
	baton_answer(r, 200, TEXT, body, n);
}

static void
tell(baton_request r, const char *what)
{
	char text[512];
	const char *q = baton_request_query(r, "q");

	snprintf(text, sizeof text, "%s %s %s %s", baton_request_method(r), what,
	         baton_request_var(r, "v") != NULL ? baton_request_var(r, "v") : "-",
	         q != NULL ? q : "-");
	answer_text(r, 200, text);
}

static void
user(baton_request r)
{
	tell(r, "user");
}

static void
me(baton_request r)
{
	tell(r, "me");
}

static void
segment(baton_request r)
{
	const char *v = baton_request_segment(r, "v");

	answer_text(r, v != NULL ? 200 : 400, v != NULL ? v : baton_request_var(r, "v"));
}

static int
work_segment(struct baton_work *w)
{
	const char *v = baton_work_segment(w, "v");

	baton_work_printf(w, "%s", v != NULL ? v : baton_work_var(w, "v"));
	return v != NULL ? 200 : 400;
}

static void
any(baton_request r)
{
	tell(r, "any");
}

static void
files(baton_request r)
{
	tell(r, "files");
}

#ifdef OWN_FORM
/* What no route has, in our own form. */
static void
refused(baton_request r)
{
	char text[512];
	size_t n;

	baton_request_body(r, &n);
	snprintf(text, sizeof text, "%d %s %s %zu", baton_request_refused(r),
	         baton_request_method(r), baton_request_path(r), n);
	baton_answer_header(r, "X-Ours", "yes");
	answer_text(r, baton_request_refused(r), text);
}
#endif

static void
big(baton_request r)
{
	size_t n = 3000000;
	char *body = malloc(n);

	memset(body, 'b', n);
	baton_answer(r, 200, TEXT, body, n);
	free(body);
}

/* --- later, never, twice, late --- */

struct later {
	baton_request r;
	struct baton_timer *timer;
	struct baton_watch watch;
	const char *name;
};

static struct later *
later(baton_request r, const char *name, void (*fn)(void *), uint64_t ms)
{
	struct later *l = calloc(1, sizeof *l);

	l->r = r;
	l->name = name;
	l->timer = baton_timer_new(fn, l);
	if (ms != 0)
		baton_timer_set(l->timer, ms);
	return l;
}

static void
answer_later(void *arg)
{
	struct later *l = arg;
	int first = baton_answer(l->r, 200, TEXT, l->name, strlen(l->name));
	int second = baton_answer(l->r, 200, TEXT, "no", 2);

	baton_log(BATON_INFO, "%s: %s, then %s", l->name, baton_status_text(first),
	          baton_status_text(second));
	baton_ctx_unwatch(&l->watch);
	baton_timer_free(&l->timer);
	free(l);
}

static void
after_return(baton_request r)
{
	later(r, "after return", answer_later, 300);
}

/* No deadline ends it, and nobody complains of it. */
static void
whenever(baton_request r)
{
	later(r, "whenever", answer_later, 4000);
}

static void
never(baton_request r)
{
	(void)r;
}

static void
twice(baton_request r)
{
	answer_text(r, 200, "once");
	baton_log(BATON_INFO, "twice: %s",
	          baton_status_text(baton_answer(r, 200, TEXT, "again", 5)));
}

static void
late(baton_request r)
{
	later(r, "late", answer_later, 200);
}

/* What tests/load expects: now, after a moment, or by a thread. */

static void
hello_later(void *arg)
{
	struct later *l = arg;

	answer_text(l->r, 200, "hello, world\n");
	baton_timer_free(&l->timer);
	free(l);
}

static int
no_work(void *arg)
{
	(void)arg;
	return 0;
}

static void
hello_done(void *arg, int status)
{
	struct later *l = arg;

	answer_text(l->r, status == 0 ? 200 : 503, "hello, world\n");
}

static void
hello(baton_request r)
{
	static unsigned n;
	struct baton_task t = {
	    .name = "hello", .work = no_work, .done = hello_done, .release = free};

	if (++n % 3 == 0) {
		answer_text(r, 200, "hello, world\n");
	} else if (n % 3 == 1) {
		later(r, "hello", hello_later, 1 + n % 7);
	} else {
		t.arg = calloc(1, sizeof(struct later));
		((struct later *)t.arg)->r = r;
		if (baton_offload(baton_request_ctx(r), &t) != 0)
			abort();
	}
}

/* --- a slow downstream, and one that ignores its deadline --- */

struct call {
	baton_request r;
	uint64_t begun_ms;
};

/* These sleeps wait for nothing: they are the downstream. */

static int
sleep_long(void *arg)
{
	(void)arg;
	while (baton_task_cause() == 0)
		usleep(1000);
	return 0;
}

static int
sleep_whatever(void *arg)
{
	(void)arg;
	usleep(700000);
	return 0;
}

static void
call_done(void *arg, int status)
{
	struct call *c = arg;

	baton_log(BATON_INFO, "downstream: %s", baton_status_text(status));
	baton_answer(c->r, status == 0 ? 200 : 503, TEXT, "downstream", 10);
}

static void
call(baton_request r, int (*work)(void *))
{
	struct call *c = malloc(sizeof *c);
	struct baton_task t = {
	    .name = "downstream", .work = work, .done = call_done, .release = free, .arg = c};
	int status;

	c->r = r;
	status = baton_offload(baton_request_ctx(r), &t);
	if (status == 0)
		return;
	free(c);
	answer_text(r, 503, baton_status_text(status));
}

static void
slow(baton_request r)
{
	call(r, sleep_long);
}

static void
deaf(baton_request r)
{
	call(r, sleep_whatever);
}

/* --- who holds the loop, in whatever of his functions --- */

static void
held_now(void *arg)
{
	struct later *l = arg;

	usleep(1200000);
	answer_text(l->r, 200, l->name);
	baton_timer_free(&l->timer);
	free(l);
}

static void
held_done(void *arg, int status)
{
	(void)status;
	held_now(arg);
}

static void
offload_and_cancel(struct baton_task *t)
{
	struct baton_ctx *ctx = baton_ctx_new(NULL, 0);

	t->work = sleep_long;
	baton_offload(ctx, t);
	baton_ctx_cancel(ctx, BATON_CANCELLED);
	baton_ctx_drop(&ctx);
}

static struct baton_link *held_link;

static void
held_ready(void *arg, int status)
{
	(void)status;
	baton_link_put(held_link, false);
	held_now(arg);
}

static void
held_got(void *arg, int status, struct baton_link *link)
{
	held_link = link;
	if (status != 0)
		held_now(arg);
	else
		baton_link_wait(link, true, NULL, held_ready, arg);
}

static struct baton_pool *shared_pool(baton_request r);
static struct baton_background *held_background;

static void
held_drain(void *arg)
{
	held_now(arg);
	baton_background_end(&held_background);
}

static void
hold_loop(baton_request r)
{
	const char *v = baton_request_var(r, "v");
	struct later *l = later(r, "held", held_now, strcmp(v, "timer") == 0 ? 1 : 0);
	struct baton_task t = {.name = "held", .work = no_work, .done = held_done, .arg = l};

	if (strcmp(v, "handler") == 0)
		held_now(l);
	else if (strcmp(v, "posted") == 0)
		baton_post(held_now, l);
	else if (strcmp(v, "done") == 0)
		baton_offload(NULL, &t);
	else if (strcmp(v, "cancelled") == 0)
		offload_and_cancel(&t);
	else if (strcmp(v, "pool") == 0)
		baton_pool_get(shared_pool(r), NULL, "127.0.0.1:1", held_got, l);
	else if (strcmp(v, "link") == 0)
		baton_pool_get(shared_pool(r), NULL,
		               baton_service_text(baton_request_service(r), "target"),
		               held_got, l);
	else if (strcmp(v, "drain") == 0)
		held_background = baton_background("held", held_drain, l);
}

/* --- crashes --- */

static volatile int *volatile nowhere;
static volatile int deepest = 1 << 30;
static void (*volatile no_function)(void);

static __attribute__((noinline)) int
fall_deeply(int n)
{
	volatile char room[4096];

	room[n % 4096] = 1;
	return n < deepest ? fall_deeply(n + 1) + room[0] : 0;
}

static __attribute__((noinline)) void
crash_here(const char *how)
{
	if (strcmp(how, "write") == 0)
		*nowhere = 1;
	else if (strcmp(how, "call") == 0)
		no_function();
	else if (strcmp(how, "stack") == 0)
		*nowhere = fall_deeply(0);
	else if (strcmp(how, "abort") == 0)
		abort();
	else
		raise(atoi(how));
	baton_log(BATON_ERROR, "%s is no crash", how);
}

static void
crash(baton_request r)
{
	crash_here(baton_request_var(r, "v"));
}

static void
crash_later(void *arg)
{
	(void)arg;
	crash_here("write");
}

static void
crash_by_timer(baton_request r)
{
	later(r, "crash", crash_later, 1);
}

static int
work_crash(struct baton_work *w)
{
	crash_here(baton_work_var(w, "v"));
	return 200;
}

/* --- fan-out --- */

static int
part_fails(void *arg)
{
	(void)arg;
	return 42;
}

static int
part_works(void *arg)
{
	(void)arg;
	return 0;
}

static void
part_done(void *arg, int status)
{
	(void)arg;
	baton_log(BATON_INFO, "part: %d", status);
}

static void
all_done(void *arg, int status)
{
	struct call *c = arg;
	char text[64];

	snprintf(text, sizeof text, "all: %d", status);
	answer_text(c->r, status == 0 ? 200 : 502, text);
	free(c);
}

static void
fan(baton_request r)
{
	struct call *c = malloc(sizeof *c);
	struct baton_group *g = baton_group_new(baton_request_ctx(r), all_done, c);
	bool fails = strcmp(baton_request_query(r, "q"), "fails") == 0;
	struct baton_task t = {.name = "part", .done = part_done};

	c->r = r;
	t.work = fails ? sleep_long : part_works;
	baton_group_offload(g, &t);
	baton_group_offload(g, &t);
	t.work = fails ? part_fails : part_works;
	baton_group_offload(g, &t);
	baton_group_close(g);
}

/* --- in pieces --- */

struct stream {
	baton_request r;
	int n;
};

static void
more(void *arg)
{
	struct stream *s = arg;
	char piece[4096];

	memset(piece, 's', sizeof piece);
	while (s->n > 0) {
		int status = baton_answer_write(s->r, piece, sizeof piece);

		if (status == BATON_FULL && baton_answer_flushed(s->r, more, s) == 0)
			return;
		if (status != 0)
			break;
		s->n--;
	}
	baton_log(BATON_INFO, "stream: %s", baton_status_text(baton_answer_end(s->r)));
	free(s);
}

static void
stream(baton_request r)
{
	struct stream *s = malloc(sizeof *s);

	s->r = r;
	s->n = atoi(baton_request_var(r, "n"));
	baton_answer_begin(r, 200, TEXT);
	more(s);
}

static void
half(baton_request r)
{
	baton_answer_begin(r, 200, TEXT);
	baton_answer_write(r, "half", 4);
}

/* --- without an end of its own --- */

static void
say_goodbye(void *arg)
{
	baton_request *r = arg;

	baton_answer_write(*r, "goodbye\n", 8);
	baton_answer_end(*r);
}

static void
ask_again(void *arg)
{
	baton_request *r = arg;

	baton_request_drain(*r, say_goodbye, r);
}

static void
forget_it(void *arg)
{
	baton_log(BATON_ERROR, "told of the drain when it was over: %p", arg);
}

/* It ends with the drain; /events/over is over before, /events/stays thinks better of it,
 * /events/again asks again when it is told. */
static void
events(baton_request r)
{
	static baton_request streams[64];
	static unsigned n;
	const char *kind = baton_request_var(r, "v");
	baton_request *own = &streams[n++ % 64];

	*own = r;
	baton_answer_begin(r, 200, TEXT);
	baton_answer_write(r, "hello\n", 6);
	if (strcmp(kind, "stays") != 0)
		baton_request_drain(r, strcmp(kind, "again") == 0 ? ask_again : say_goodbye,
		                    own);
	if (strcmp(kind, "stays") == 0 || strcmp(kind, "over") == 0)
		baton_request_drain(r, forget_it, own);
	if (strcmp(kind, "stays") == 0)
		baton_request_drain(r, NULL, NULL);
	if (strcmp(kind, "over") == 0)
		baton_answer_end(r);
}

/* --- a body in pieces --- */

struct upload {
	baton_request r;
	struct baton_timer *timer;
	bool slow, half, echo;
	size_t n, reads;
	bool wrong; /* byte i is not i % 251, or the request's head is another now */
	char kind[16];
};

static struct upload *held; /* takes nothing until somebody asks for /release */

static void
upload_end(struct upload *u)
{
	baton_timer_free(&u->timer);
	free(u);
}

static void
upload_answer(struct upload *u)
{
	const char *kind = baton_request_var(u->r, "v");
	char text[64];

	if (u->echo) {
		baton_answer_end(u->r);
		return;
	}
	u->wrong |= kind == NULL || strcmp(kind, u->kind) != 0;
	snprintf(text, sizeof text, "%zu %s", u->n, u->wrong ? "wrong" : "right");
	answer_text(u->r, 200, text);
}

static int
upload_take(struct upload *u, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		u->wrong |= (unsigned char)bytes[i] != (u->n + i) % 251;
	u->n += n;
	return u->echo ? baton_answer_write(u->r, bytes, n) : 0;
}

static void
upload_more(void *arg)
{
	struct upload *u = arg;
	int status = 0;

	while (status == 0) {
		char bytes[50000];
		size_t n = sizeof bytes;

		status = baton_request_read(u->r, bytes, &n);
		if (status == 0 && n > 0)
			status = upload_take(u, bytes, n);
		if (status != 0)
			break;
		if (n == 0 || u->half) {
			upload_answer(u);
			upload_end(u);
			return;
		}
		if (u->slow && ++u->reads % 4 == 0) { /* a downstream that takes its time */
			baton_timer_set(u->timer, 1);
			return;
		}
		if (u->echo && baton_answer_flushed(u->r, upload_more, u) == 0)
			return;
	}
	if (status == BATON_AGAIN && baton_request_readable(u->r, upload_more, u) == 0)
		return;
	baton_log(BATON_INFO, "upload: %s after %zu", baton_status_text(status), u->n);
	upload_end(u);
}

/* Waits for what it does not take. */
static void
upload_spin(void *arg)
{
	struct upload *u = arg;

	if (baton_request_readable(u->r, upload_spin, u) != 0)
		upload_end(u);
}

static void
upload(baton_request r)
{
	const char *kind = baton_request_var(r, "v");
	struct upload *u;

	if (strcmp(kind, "early") == 0) {
		answer_text(r, 403, "early");
		return;
	}
	u = calloc(1, sizeof *u);
	u->r = r;
	snprintf(u->kind, sizeof u->kind, "%s", kind);
	u->timer = baton_timer_new(upload_more, u);
	u->slow = strcmp(kind, "slow") == 0;
	u->half = strcmp(kind, "half") == 0;
	u->echo = strcmp(kind, "echo") == 0;
	if (u->echo)
		baton_answer_begin(r, 200, TEXT);
	baton_log(BATON_INFO, "upload: %s begins", kind);
	if (strcmp(kind, "held") == 0)
		held = u;
	else if (strcmp(kind, "spin") == 0)
		upload_spin(u);
	else
		upload_more(u);
}

static void
release_held(baton_request r)
{
	struct upload *u = held;

	held = NULL;
	answer_text(r, u != NULL ? 200 : 404, "released");
	if (u != NULL)
		upload_more(u);
}

/* --- routes that block --- */

static int
work_tell(struct baton_work *w)
{
	const char *q = baton_work_query(w, "q"), *host = baton_work_header(w, "host");
	const char *target = baton_service_text(baton_work_service(w), "target");
	size_t n;
	const char *body = baton_work_body(w, &n);

	baton_work_printf(w, "%s %s %s %s %s %s ", baton_work_method(w), baton_work_path(w),
	                  baton_work_var(w, "v"), q != NULL ? q : "-", host,
	                  target != NULL ? target : "-");
	baton_work_write(w, body, n);
	baton_work_answer_header(w, "Content-Type", TEXT);
	if (baton_work_answer_header(w, "X-Bad", "a\r\nSet-Cookie: b") != BATON_INVALID ||
	    baton_work_var(w, "no") != NULL || baton_work_header(w, "x-no") != NULL)
		abort();
	return 201;
}

/* What a thread must not do. */
static int
work_misuse(struct baton_work *w)
{
	struct baton_task t = {.name = "none", .work = no_work};
	const char *v = baton_work_var(w, "v");
	baton_request r = {0};
	size_t n = 1;

	if (strcmp(v, "baton_answer") == 0)
		baton_answer(r, 200, NULL, "", 0);
	else if (strcmp(v, "baton_answer_write") == 0)
		baton_answer_write(r, "", 0);
	else if (strcmp(v, "baton_request_var") == 0)
		baton_request_var(r, "v");
	else if (strcmp(v, "baton_request_read") == 0)
		baton_request_read(r, &n, &n);
	else if (strcmp(v, "baton_request_drain") == 0)
		baton_request_drain(r, NULL, NULL);
	else if (strcmp(v, "baton_offload_at") == 0)
		baton_offload(NULL, &t);
	else if (strcmp(v, "baton_timer_new") == 0)
		baton_timer_new(free, NULL);
	else if (strcmp(v, "baton_ctx_new_at") == 0)
		baton_ctx_new(NULL, 0);
	return 200;
}

/* These wait for nothing else: they are the downstream. */

static int
work_slow(struct baton_work *w)
{
	int cause;

	baton_log(BATON_INFO, "work: %s begins", baton_work_var(w, "v"));
	while ((cause = baton_task_cause()) == 0)
		usleep(1000);
	baton_log(BATON_INFO, "work: %s: %s, %d, %d left", baton_work_var(w, "v"),
	          baton_status_text(cause), baton_ctx_cause(baton_work_ctx(w)) == cause,
	          (int)baton_task_left());
	return 200;
}

static int
work_deaf(struct baton_work *w)
{
	usleep(500000);
	baton_work_printf(w, "deaf");
	baton_log(BATON_INFO, "work: deaf has ended");
	return 200;
}

static int
work_wrong(struct baton_work *w)
{
	baton_work_printf(w, "no status");
	return atoi(baton_work_var(w, "v"));
}

static int
work_big(struct baton_work *w)
{
	for (int i = 0; i < 100000; i++)
		baton_work_write(w, "0123456789", 10);
	return 200;
}

/* --- counter, breaker, pool --- */

static void
count(baton_request r)
{
	char text[64];

	baton_counter_add(baton_counter("hits"), 1);
	snprintf(text, sizeof text, "%llu", (unsigned long long)baton_counter_sum("hits"));
	answer_text(r, 200, text);
}

struct shared {
	struct baton_breaker *breaker;
	struct baton_pool *pool;
};

static struct shared *
shared_of(baton_request r)
{
	return baton_service_data(baton_request_service(r));
}

static struct baton_pool *
shared_pool(baton_request r)
{
	return shared_of(r)->pool;
}

static void
try_breaker(baton_request r)
{
	struct baton_breaker *b = shared_of(r)->breaker;
	int status = baton_breaker_ask(b);

	if (status != 0) {
		answer_text(r, 503, baton_status_text(status));
		return;
	}
	baton_breaker_tell(b, strcmp(baton_request_var(r, "v"), "good") == 0);
	answer_text(r, 200, "let through");
}

struct loan {
	baton_request r;
	struct baton_ctx *ctx;
	struct baton_timer *timer;
	struct baton_link *link;
	struct loan *next; /* of those that are held until they are told */
	uint64_t ms;
	char name[8];
};

static struct loan *held_loans;

static void
loan_end(struct loan *l)
{
	baton_timer_free(&l->timer);
	baton_ctx_drop(&l->ctx);
	free(l);
}

static void
give_back(void *arg)
{
	struct loan *l = arg;

	baton_log(BATON_INFO, "link: %s gives it back", l->name);
	baton_link_put(l->link, true);
	answer_text(l->r, 200, "held");
	loan_end(l);
}

static void
on_link(void *arg, int status, struct baton_link *link)
{
	struct loan *l = arg;

	baton_log(BATON_INFO, "link: %s gets %s", l->name, link != NULL ? "it" : "none");
	if (status != 0) {
		answer_text(l->r, 503, baton_status_text(status));
		loan_end(l);
		return;
	}
	l->link = link;
	if (l->ms == 0) {
		l->next = held_loans;
		held_loans = l;
		return;
	}
	l->timer = baton_timer_new(give_back, l);
	baton_timer_set(l->timer, l->ms);
}

static void
give_all_back(baton_request r)
{
	struct loan *l;

	while ((l = held_loans) != NULL) {
		held_loans = l->next;
		give_back(l);
	}
	answer_text(r, 200, "given");
}

/* Hold the pool's only link for so long, 0: until /give; wait for it at most 300 ms, or w. */
static void
hold(baton_request r)
{
	struct loan *l = calloc(1, sizeof *l);
	const char *target = baton_service_text(baton_request_service(r), "target");
	const char *w = baton_request_query(r, "w");
	int status;

	l->r = r;
	l->ms = (uint64_t)atoi(baton_request_var(r, "v"));
	if (baton_request_query(r, "q") != NULL)
		snprintf(l->name, sizeof l->name, "%s", baton_request_query(r, "q"));
	l->ctx = baton_ctx_new(baton_request_ctx(r), w != NULL ? (uint64_t)atoi(w) : 300);
	status = baton_pool_get(shared_of(r)->pool, l->ctx, target, on_link, l);
	if (status == 0)
		return;
	answer_text(r, 503, baton_status_text(status));
	loan_end(l);
}

static int
start(struct baton_service *service)
{
	struct shared *s = calloc(1, sizeof *s);

	s->breaker = baton_breaker_new(
	    "test",
	    &(struct baton_breaker_rules){.calls = 4, .window_ms = 60000, .open_ms = 300});
	s->pool = baton_pool_new(&(struct baton_pool_rules){.max_open = 1, .max_waiting = 2});
	baton_service_set_data(service, s);
	return 0;
}

static void
stop(struct baton_service *service)
{
	struct shared *s = baton_service_data(service);

	baton_pool_free(&s->pool);
	baton_breaker_free(&s->breaker);
	free(s);
}

static const struct baton_key keys[] = {
    {.name = "target", .type = BATON_KEY_TEXT},
    {.name = NULL},
};

static const struct baton_route routes[] = {
    {.method = "GET", .path = "/now", .handle = now},
    {.method = "POST", .path = "/echo", .handle = echo},
    {.method = "PUT", .path = "/users/{v}", .handle = user},
    {.method = "GET", .path = "/users/{v}", .handle = user},
    {.method = "GET", .path = "/users/me", .handle = me},
    {.method = "GET", .path = "/files/{v...}", .handle = files},
    {.method = "GET", .path = "/segment/{v}", .handle = segment},
    {.method = "GET", .path = "/segments/{v...}", .handle = segment},
    {.method = "GET", .path = "/work/segment/{v}", .work = work_segment},
    {.method = "*", .path = "/any/{v}", .handle = any},
    {.method = "PUT", .path = "/any/{v}", .handle = user},
#ifdef OWN_FORM
    {.method = "*", .path = "*", .handle = refused},
#endif
    {.method = "GET", .path = "/big", .handle = big},
    {.method = "GET", .path = "/hello", .handle = hello},
    {.method = "POST", .path = "/hello", .handle = hello},
    {.method = "GET", .path = "/later", .handle = after_return},
    {.method = "POST", .path = "/later", .handle = after_return},
    {.method = "GET", .path = "/whenever", .handle = whenever, .deadline_ms = BATON_NEVER},
    {.method = "GET", .path = "/never", .handle = never, .deadline_ms = 100},
    {.method = "GET", .path = "/twice", .handle = twice},
    {.method = "GET", .path = "/late", .handle = late, .deadline_ms = 100},
    {.method = "GET", .path = "/slow", .handle = slow, .deadline_ms = 60000},
    {.method = "GET", .path = "/impatient", .handle = slow, .deadline_ms = 100},
    {.method = "GET", .path = "/deaf", .handle = deaf, .deadline_ms = 100},
    {.method = "GET", .path = "/held/{v}", .handle = hold_loop},
    {.method = "GET", .path = "/crash/{v}", .handle = crash},
    {.method = "GET", .path = "/crash/by/timer", .handle = crash_by_timer},
    {.method = "*", .path = "/work/crash/{v}", .work = work_crash},
    {.method = "GET", .path = "/fan", .handle = fan},
    {.method = "GET", .path = "/stream/{n}", .handle = stream},
    {.method = "GET", .path = "/events/{v}", .handle = events, .deadline_ms = BATON_NEVER},
    {.method = "GET", .path = "/half", .handle = half, .deadline_ms = 100},
    {.method = "GET", .path = "/half/for-ever", .handle = half, .deadline_ms = BATON_NEVER},
    {.method = "POST", .path = "/upload/{v}", .handle = upload, .streamed = true},
    {.method = "POST",
     .path = "/upload/{v}/soon",
     .handle = upload,
     .deadline_ms = 100,
     .streamed = true},
    {.method = "GET", .path = "/release", .handle = release_held},
    {.method = "*", .path = "/work/tell/{v}", .work = work_tell},
    {.method = "GET", .path = "/work/misuse/{v}", .work = work_misuse},
    {.method = "GET", .path = "/work/slow/{v}", .work = work_slow, .deadline_ms = 60000},
    {.method = "GET", .path = "/work/soon/{v}", .work = work_slow, .deadline_ms = 100},
    {.method = "GET", .path = "/work/deaf", .work = work_deaf, .deadline_ms = 100},
    {.method = "GET", .path = "/work/wrong/{v}", .work = work_wrong},
    {.method = "GET", .path = "/work/big", .work = work_big},
    {.method = "GET", .path = "/count", .handle = count},
    {.method = "GET", .path = "/breaker/{v}", .handle = try_breaker},
    {.method = "GET", .path = "/hold/{v}", .handle = hold},
    {.method = "GET", .path = "/give", .handle = give_all_back},
    {.path = NULL},
};

const struct baton_module baton_module = {
    .abi = BATON_ABI,
    .size = sizeof(struct baton_module),
    .name = "routes",
    .keys = keys,
    .start = start,
    .stop = stop,
    .routes = routes,
};
