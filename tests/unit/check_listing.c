/* listing: what workers tell becomes one answer, whatever they tell.  The test plays the
 * generations, the channel to a worker, and the client. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <jansson.h>

#include "master/control/control.h"
#include "master/core/env.h"
#include "master/verbs/listing.h"
#include "master/workers/generation.h"

#define WORKERS 3

struct env env;

static struct generation_list generations = TAILQ_HEAD_INITIALIZER(generations);
static struct generation gen;
static struct conf conf;
static struct conf_listen listens[1];
static char web[] = "web", site[] = "site";
static struct worker workers[WORKERS];
static struct msg_list order; /* the last that was sent */
static size_t order_len;
static int nasked;
static json_t *data;
static char text[128];

struct generation_list *
generation_all(void)
{
	return &generations;
}

void
slot_ask(struct worker *w, const struct msg_list *body, size_t len)
{
	ck_assert_ptr_nonnull(w);
	memset(&order, 0, sizeof order);
	memcpy(&order, body, len);
	order_len = len;
	nasked++;
}

static struct {
	void (*gone)(void *owed);
	void *owed;
} debt;

void
control_owe(struct control_client *client, void (*gone)(void *owed), void *owed)
{
	ck_assert_ptr_nonnull(client);
	debt.gone = gone;
	debt.owed = owed;
}

/* What the client gets must be JSON. */
void
control_answer_bytes(struct control_client *client, int exit_code, struct evbuffer *bytes,
                     const char *fmt, ...)
{
	size_t len = evbuffer_get_length(bytes);
	va_list ap;

	ck_assert_ptr_nonnull(client);
	ck_assert_int_eq(exit_code, 0);
	ck_assert_ptr_null(data);
	data = json_loadb((const char *)evbuffer_pullup(bytes, -1), len, 0, NULL);
	ck_assert_ptr_nonnull(data);
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
}

static void
set_up(void)
{
	env.base = event_base_new();
	listens[0] = (struct conf_listen){.name = web, .service = site};
	conf = (struct conf){.listen = listens, .nlisten = 1};
	gen = (struct generation){.id = 7, .conf = &conf};
	TAILQ_INIT(&gen.workers);
	for (int i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){.gen = &gen,
		                             .birth = 100 + (uint64_t)i,
		                             .slot = (uint32_t)i,
		                             .pid = 1000 + i,
		                             .ready = true};
		TAILQ_INSERT_TAIL(&gen.workers, &workers[i], link);
	}
	TAILQ_INIT(&generations);
	TAILQ_INSERT_TAIL(&generations, &gen, link);
	nasked = 0;
	data = NULL;
}

static void
tear_down(void)
{
	listings_stop();
	json_decref(data);
	event_base_free(env.base);
}

static struct control_client *
client(void)
{
	static int one;

	return (struct control_client *)(void *)&one;
}

static void
say(struct worker *w, enum msg_type type, const void *body, size_t len)
{
	struct msg m = {.type = type, .birth = w->birth, .data = body, .len = len};

	if (type == MSG_LIST_END)
		listings_end(w, &m);
	else
		listings_line(w, &m);
}

static void
say_conn(struct worker *w, uint64_t id)
{
	struct msg_conn c = {
	    .token = order.token, .id = id, .state = "idle", .peer = "1.2.3.4:5"};

	say(w, MSG_CONN, &c, sizeof c);
}

static void
say_end(struct worker *w, uint64_t left_off)
{
	struct msg_list_end end = {.token = order.token, .left_off = left_off};

	say(w, MSG_LIST_END, &end, sizeof end);
}

static json_t *
row(size_t i)
{
	json_t *list = json_object_get(data, "connections");

	return json_array_get(list != NULL ? list : json_object_get(data, "tasks"), i);
}

static size_t
nrows(void)
{
	return json_array_size(json_object_get(data, "connections"));
}

static int64_t
number(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}

static const char *
string(const json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key));
}

START_TEST(lines_come_in_the_order_of_workers)
{
	listings_begin(client(), MSG_LIST_CONNS);
	ck_assert_int_eq(nasked, WORKERS);
	ck_assert_uint_eq(order_len, sizeof order);
	say_conn(&workers[2], 5);
	say_conn(&workers[0], 1);
	say_end(&workers[2], 0);
	say_conn(&workers[0], 2);
	say_end(&workers[0], 3);
	ck_assert_ptr_null(data);
	say_end(&workers[1], 4);
	ck_assert_ptr_nonnull(data);
	ck_assert_str_eq(text, "3 connections");
	ck_assert_uint_eq(nrows(), 3);
	ck_assert_int_eq(number(row(0), "id"), 1);
	ck_assert_int_eq(number(row(1), "id"), 2);
	ck_assert_int_eq(number(row(2), "id"), 5);
	ck_assert_int_eq(number(row(2), "pid"), 1002);
	ck_assert_str_eq(string(row(0), "listener"), "web");
	ck_assert_str_eq(string(row(0), "service"), "site");
	ck_assert_int_eq(number(data, "left_off"), 7);
	ck_assert_uint_eq(json_array_size(json_object_get(data, "silent")), 0);
}
END_TEST

START_TEST(a_drain_asks_in_the_form_that_every_worker_knows)
{
	listings_begin(client(), MSG_LIST_HOLDERS);
	ck_assert_int_eq(nasked, 0); /* nobody drains */
	ck_assert_str_eq(text, "0 connections hold a drain");
	json_decref(data);
	data = NULL;
	workers[1].leaving = true;
	listings_begin(client(), MSG_LIST_HOLDERS);
	ck_assert_int_eq(nasked, 1);
	ck_assert_uint_eq(order_len, sizeof order.token);
	say(&workers[1], MSG_CONN, &(struct msg_conn){.token = order.token, .flags = ~0u},
	    MSG_CONN_MIN);
	say(&workers[1], MSG_LIST_END, &order.token, sizeof order.token);
	ck_assert_str_eq(text, "1 connection holds a drain");
}
END_TEST

START_TEST(who_is_starting_is_not_asked)
{
	workers[0].ready = workers[1].ready = false;
	listings_begin(client(), MSG_LIST_TASKS);
	ck_assert_int_eq(nasked, 1);
	say_end(&workers[2], 0);
	ck_assert_str_eq(text, "0 tasks");
}
END_TEST

START_TEST(what_nobody_has_asked_for_is_dropped)
{
	struct msg_task t = {.token = 0};
	struct msg_conn c = {.token = 12345};
	struct worker stranger = workers[0];

	listings_begin(client(), MSG_LIST_CONNS);
	say(&workers[0], MSG_CONN, &c, sizeof c); /* of another question */
	t.token = order.token;
	say(&workers[0], MSG_TASK, &t, sizeof t); /* of another kind */
	stranger.birth = 999;
	say_conn(&stranger, 1);
	say_end(&stranger, 0);
	say_end(&workers[0], 0);
	say_conn(&workers[0], 1); /* after its end */
	say_end(&workers[0], 0);
	say_end(&workers[1], 0);
	ck_assert_ptr_null(data);
	say_end(&workers[2], 0);
	ck_assert_uint_eq(nrows(), 0);
	say_conn(&workers[2], 1); /* late */
	say_end(&workers[2], 0);
}
END_TEST

START_TEST(any_bytes_are_told_as_text)
{
	struct msg_conn c;
	struct msg_task t;

	workers[1].ready = workers[2].ready = false;
	listings_begin(client(), MSG_LIST_CONNS);
	memset(&c, 0xff, sizeof c);
	c.token = order.token;
	say(&workers[0], MSG_CONN, &c, sizeof c);
	say_end(&workers[0], UINT64_MAX);
	ck_assert_uint_eq(nrows(), 1);
	ck_assert_str_eq(string(row(0), "listener"), "?");
	ck_assert_uint_eq(strlen(string(row(0), "peer")), sizeof c.peer);
	json_decref(data);
	data = NULL;
	listings_begin(client(), MSG_LIST_TASKS);
	memset(&t, 0xff, sizeof t);
	t.token = order.token;
	memset(t.name, '"', sizeof t.name);
	say(&workers[0], MSG_TASK, &t, sizeof t);
	say_end(&workers[0], 0);
	ck_assert_str_eq(string(row(0), "kind"), "unknown");
	ck_assert_uint_eq(strlen(string(row(0), "name")), sizeof t.name);
	ck_assert(json_is_null(json_object_get(row(0), "left_ms")));
}
END_TEST

START_TEST(an_older_worker_says_less)
{
	struct msg_conn c = {.flags = ~0u, .from_birth = 5};

	workers[1].ready = workers[2].ready = false;
	listings_begin(client(), MSG_LIST_CONNS);
	c.token = order.token;
	memcpy(c.state, "busy", 5);
	say(&workers[0], MSG_CONN, &c, MSG_CONN_MIN);
	say(&workers[0], MSG_LIST_END, &order.token, sizeof order.token);
	ck_assert_str_eq(string(row(0), "state"), "busy");
	ck_assert_str_eq(string(json_object_get(row(0), "born"), "how"), "accepted");
	ck_assert(json_is_null(json_object_get(row(0), "quiet_ms")));
}
END_TEST

START_TEST(when_the_last_byte_came_is_told_where_it_is_known)
{
	struct msg_conn c = {.flags = MSG_CONN_QUIET, .quiet_ms = 40};

	workers[1].ready = workers[2].ready = false;
	listings_begin(client(), MSG_LIST_CONNS);
	c.token = order.token;
	say(&workers[0], MSG_CONN, &c, sizeof c);
	c.flags = 0; /* a unix socket */
	say(&workers[0], MSG_CONN, &c, sizeof c);
	say(&workers[0], MSG_LIST_END, &order.token, sizeof order.token);
	ck_assert_int_eq(number(row(0), "quiet_ms"), 40);
	ck_assert(json_is_null(json_object_get(row(1), "quiet_ms")));
}
END_TEST

START_TEST(what_the_dead_have_told_goes_with_them)
{
	listings_begin(client(), MSG_LIST_CONNS);
	say_conn(&workers[0], 1);
	say_conn(&workers[1], 2);
	listings_gone(&workers[1]);
	listings_gone(&workers[1]);
	say_end(&workers[0], 0);
	listings_gone(&workers[0]); /* it had answered: that was so */
	listings_gone(&workers[2]);
	ck_assert_uint_eq(nrows(), 1);
	ck_assert_int_eq(number(row(0), "id"), 1);
	ck_assert_uint_eq(json_array_size(json_object_get(data, "silent")), 0);
}
END_TEST

START_TEST(who_says_nothing_is_named)
{
	for (int i = 0; i < WORKERS; i++)
		workers[i].leaving = true;
	listings_begin(client(), MSG_LIST_HOLDERS);
	say_conn(&workers[0], 1);
	say_conn(&workers[1], 2);
	say_end(&workers[1], 0);
	while (data == NULL)
		event_base_loop(env.base, EVLOOP_ONCE);
	ck_assert_uint_eq(nrows(), 2); /* as much as there is */
	ck_assert_uint_eq(json_array_size(json_object_get(data, "silent")), 2);
	ck_assert_int_eq(number(json_array_get(json_object_get(data, "silent"), 0), "pid"),
	                 1000);
	ck_assert_int_eq(number(json_array_get(json_object_get(data, "silent"), 1), "slot"), 2);
}
END_TEST

START_TEST(who_hung_up_gets_nothing)
{
	listings_begin(client(), MSG_LIST_CONNS);
	say_conn(&workers[0], 1);
	ck_assert_ptr_nonnull(debt.gone);
	debt.gone(debt.owed);
	ck_assert_ptr_null(debt.gone);
	for (int i = 0; i < WORKERS; i++)
		say_end(&workers[i], 0);
	ck_assert_ptr_null(data);
}
END_TEST

/* It is counted, and not kept. */
START_TEST(a_flood_has_a_bound)
{
	uint64_t n = 400000;

	listings_begin(client(), MSG_LIST_CONNS);
	for (uint64_t i = 0; i < n; i++)
		say_conn(&workers[0], i);
	for (int i = 0; i < WORKERS; i++)
		say_end(&workers[i], 0);
	ck_assert_uint_gt(nrows(), 100000);
	ck_assert_uint_lt(nrows(), n);
	ck_assert_int_eq(number(data, "left_off"), (int64_t)(n - nrows()));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("survey");
	TCase *t = tcase_create("answers");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, lines_come_in_the_order_of_workers);
	tcase_add_test(t, a_drain_asks_in_the_form_that_every_worker_knows);
	tcase_add_test(t, who_is_starting_is_not_asked);
	tcase_add_test(t, what_nobody_has_asked_for_is_dropped);
	tcase_add_test(t, any_bytes_are_told_as_text);
	tcase_add_test(t, an_older_worker_says_less);
	tcase_add_test(t, when_the_last_byte_came_is_told_where_it_is_known);
	tcase_add_test(t, what_the_dead_have_told_goes_with_them);
	tcase_add_test(t, who_says_nothing_is_named);
	tcase_add_test(t, who_hung_up_gets_nothing);
	tcase_add_test(t, a_flood_has_a_bound);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
