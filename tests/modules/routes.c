/* routes: an HTTP module whose handlers fall into every trap there is. */
#include <baton.h>

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
files(baton_request r)
{
	tell(r, "files");
}

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
	later(r, "after return", answer_later, 20);
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

/* --- a slow downstream, and one that ignores its deadline --- */

struct call {
	baton_request r;
	uint64_t begun_ms;
};

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

static const struct baton_route routes[] = {
    {"GET", "/now", now, 0},          {"POST", "/echo", echo, 0},
    {"PUT", "/users/{v}", user, 0},   {"GET", "/users/{v}", user, 0},
    {"GET", "/users/me", me, 0},      {"GET", "/files/{v...}", files, 0},
    {"GET", "/big", big, 0},          {"GET", "/later", after_return, 0},
    {"GET", "/never", never, 100},    {"GET", "/twice", twice, 0},
    {"GET", "/late", late, 100},      {"GET", "/slow", slow, 60000},
    {"GET", "/impatient", slow, 100}, {"GET", "/deaf", deaf, 100},
    {"GET", "/fan", fan, 0},          {"GET", "/stream/{n}", stream, 0},
    {"GET", "/half", half, 100},      {NULL, NULL, NULL, 0},
};

const struct baton_module baton_module = {
    .abi = BATON_ABI,
    .size = sizeof(struct baton_module),
    .name = "routes",
    .routes = routes,
};
