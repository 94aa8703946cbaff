/* pool and dial: links are used again, waited for in order, and their death is seen. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "baton.h"
#include "wire/stats.h"
#include "worker/core/waitgroup.h"
#include "worker/runtime/dial.h"
#include "worker/runtime/pool.h"
#include "worker/runtime/runtime.h"

static struct event_base *base;
static struct stats_page page;
static struct baton_pool *pool;
static int server; /* listens */
static char target[64];
static int told;
static int order[8], statuses[8];
static struct baton_link *given[8];

static void
set_up(void)
{
	struct runtime_limits limits = {.threads = 1, .queue = 8, .background = 1};
	struct baton_pool_rules rules = {.max_open = 2, .max_waiting = 3, .connect_ms = 60000};
	struct event_config *config = event_config_new();
	struct sockaddr_in sin = {.sin_family = AF_INET,
	                          .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof sin;

	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	memset(&page, 0, sizeof page);
	waitgroup_start(base, &page);
	runtime_start(base, &limits);
	pool = baton_pool_new(&rules);
	server = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(server, (struct sockaddr *)&sin, sizeof sin), 0);
	ck_assert_int_eq(listen(server, 16), 0);
	getsockname(server, (struct sockaddr *)&sin, &len);
	snprintf(target, sizeof target, "127.0.0.1:%d", ntohs(sin.sin_port));
	told = 0;
}

static void
tear_down(void)
{
	baton_pool_free(&pool);
	event_base_loop(base, EVLOOP_NONBLOCK);
	close(server);
	ck_assert(runtime_stop());
	runtime_free();
	event_base_free(base);
}

static void
on_link(void *arg, int status, struct baton_link *link)
{
	order[told] = *(int *)arg;
	statuses[told] = status;
	given[told++] = link;
}

static int names[8] = {0, 1, 2, 3, 4, 5, 6, 7};

static int
get(struct baton_ctx *ctx, int i)
{
	return baton_pool_get(pool, ctx, target, on_link, &names[i]);
}

static void
run_until(int n)
{
	while (told < n)
		event_base_loop(base, EVLOOP_ONCE);
}

static struct baton_pool_stats
stats(void)
{
	struct baton_pool_stats s;

	baton_pool_stats(pool, &s);
	return s;
}

START_TEST(a_link_is_used_again)
{
	ck_assert_int_eq(get(NULL, 0), 0);
	run_until(1);
	ck_assert_int_eq(statuses[0], 0);
	ck_assert(!baton_link_reused(given[0]));
	baton_link_put(given[0], true);
	ck_assert_uint_eq(stats().idle, 1);
	ck_assert_int_eq(get(NULL, 1), 0);
	run_until(2);
	ck_assert_ptr_eq(given[0], given[1]);
	ck_assert(baton_link_reused(given[1]));
	baton_link_put(given[1], false);
	ck_assert_uint_eq(stats().open, 0);
	ck_assert_uint_eq(stats().dialled, 1);
}
END_TEST

/* The last link there is. */
static struct runtime_task seen;
static int nseen;

static void
note(void *arg, const struct runtime_task *t)
{
	(void)arg;
	seen = *t;
	nseen++;
}

static void
look(void)
{
	nseen = 0;
	pool_each(note, NULL);
}

START_TEST(links_are_told_idle_and_out)
{
	struct baton_ctx *request = baton_ctx_new(NULL, 60000);
	struct baton_ctx *patience = baton_ctx_new(request, 30000);

	get(patience, 0);
	run_until(1);
	look();
	ck_assert_int_eq(nseen, 1);
	ck_assert_str_eq(seen.name, target);
	ck_assert_str_eq(seen.state, "out");
	ck_assert_ptr_nonnull(strstr(seen.place, "check_pool.c:"));
	/* By the request's time, whatever the patience of the wait. */
	ck_assert_uint_ge(seen.deadline_ms, baton_now() + 50000);
	ck_assert_ptr_null(runtime_warning(&seen, seen.due_ms - 1));
	ck_assert_ptr_nonnull(runtime_warning(&seen, seen.due_ms));
	baton_link_put(given[0], true);
	look();
	ck_assert_int_eq(nseen, 1);
	ck_assert_str_eq(seen.state, "idle");
	ck_assert_ptr_null(runtime_warning(&seen, UINT64_MAX));
	get(NULL, 1);
	run_until(2);
	look();
	ck_assert_str_eq(seen.state, "out");
	ck_assert_ptr_null(runtime_warning(&seen, UINT64_MAX)); /* for as long as it likes */
	baton_link_put(given[1], false);
	look();
	ck_assert_int_eq(nseen, 0);
	baton_ctx_drop(&patience);
	baton_ctx_drop(&request);
}
END_TEST

static void
on_ready(void *arg, int status)
{
	*(int *)arg = status;
	told++;
}

/* Who waits need not hold the ctx: a request's is gone with the request. */
START_TEST(a_wait_ends_with_its_ctx_and_says_why)
{
	struct baton_ctx *ctx = baton_ctx_new(NULL, 0);
	int status = 1;

	ck_assert_int_eq(get(NULL, 0), 0);
	run_until(1);
	baton_link_wait(given[0], false, ctx, on_ready, &status);
	baton_ctx_cancel(ctx, BATON_CLOSED);
	baton_ctx_drop(&ctx);
	run_until(2);
	ck_assert_int_eq(status, BATON_CLOSED);
	ctx = baton_ctx_new(NULL, 0);
	baton_ctx_cancel(ctx, BATON_DEADLINE);
	baton_link_wait(given[0], false, ctx, on_ready, &status);
	baton_ctx_drop(&ctx);
	run_until(3);
	ck_assert_int_eq(status, BATON_DEADLINE);
	baton_link_put(given[0], true);
}
END_TEST

START_TEST(waiters_are_served_in_order_and_bounded)
{
	struct baton_ctx *ctx = baton_ctx_new(NULL, 0);

	ck_assert_int_eq(get(NULL, 0), 0);
	ck_assert_int_eq(get(NULL, 1), 0);
	run_until(2);
	ck_assert_int_eq(get(NULL, 2), 0);
	ck_assert_int_eq(get(ctx, 3), 0);
	ck_assert_int_eq(get(NULL, 4), 0);
	ck_assert_int_eq(get(NULL, 5), BATON_FULL);
	ck_assert_uint_eq(stats().open, 2);
	ck_assert_uint_eq(stats().waiting, 3);
	baton_ctx_cancel(ctx, BATON_DEADLINE);
	run_until(3);
	ck_assert_int_eq(order[2], 3);
	ck_assert_int_eq(statuses[2], BATON_DEADLINE);
	ck_assert_ptr_null(given[2]);
	baton_link_put(given[0], true);
	baton_link_put(given[1], false); /* a new one is dialled for who waits */
	run_until(5);
	ck_assert_int_eq(order[3], 2);
	ck_assert_int_eq(order[4], 4);
	ck_assert_ptr_eq(given[3], given[0]);
	ck_assert_uint_eq(stats().dialled, 3);
	baton_link_put(given[3], true);
	baton_link_put(given[4], true);
	ck_assert_int_eq(get(ctx, 6), BATON_DEADLINE);
	baton_ctx_drop(&ctx);
}
END_TEST

START_TEST(a_link_that_died_while_idle_is_noticed)
{
	char byte;
	int peer;

	ck_assert_int_eq(get(NULL, 0), 0);
	run_until(1);
	peer = accept(server, NULL, NULL);
	baton_link_put(given[0], true);
	close(peer);
	while (recv(baton_link_fd(given[0]), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
		continue;
	ck_assert_int_eq(get(NULL, 1), 0);
	run_until(2);
	ck_assert_int_eq(statuses[1], 0);
	ck_assert(!baton_link_reused(given[1]));
	ck_assert_uint_eq(stats().dead, 1);
	ck_assert_uint_eq(stats().dialled, 2);
	baton_link_put(given[1], true);
}
END_TEST

START_TEST(nobody_there_is_unreachable)
{
	close(server);
	ck_assert_int_eq(get(NULL, 0), 0);
	ck_assert_int_eq(get(NULL, 1), 0);
	ck_assert_int_eq(get(NULL, 2), 0);
	run_until(3);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(order[i], i);
		ck_assert_int_eq(statuses[i], BATON_UNREACHABLE);
	}
	ck_assert_uint_eq(stats().open, 0);
	server = socket(AF_INET, SOCK_STREAM, 0);
}
END_TEST

START_TEST(names_are_resolved_in_a_thread)
{
	char *colon = strrchr(target, ':'), port[16];

	snprintf(port, sizeof port, "%s", colon);
	snprintf(target, sizeof target, "localhost%s", port);
	ck_assert_int_eq(get(NULL, 0), 0);
	run_until(1);
	ck_assert_int_eq(statuses[0], 0);
	baton_link_put(given[0], true);
}
END_TEST

static int readable, wait_status;

static void
on_readable(void *arg, int status)
{
	(void)arg;
	wait_status = status;
	readable++;
}

START_TEST(a_link_can_be_waited_for_with_a_ctx)
{
	struct baton_ctx *ctx = baton_ctx_new(NULL, 0);
	int peer;

	readable = 0;
	ck_assert_int_eq(get(NULL, 0), 0);
	run_until(1);
	peer = accept(server, NULL, NULL);
	baton_link_wait(given[0], false, ctx, on_readable, NULL);
	ck_assert_int_eq(write(peer, "x", 1), 1);
	while (readable < 1)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(wait_status, 0);
	ck_assert_int_eq(read(baton_link_fd(given[0]), &wait_status, 1), 1);
	baton_link_wait(given[0], false, ctx, on_readable, NULL);
	baton_ctx_cancel(ctx, BATON_CLOSED);
	ck_assert_int_eq(readable, 1);
	while (readable < 2)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(wait_status, BATON_CLOSED);
	baton_ctx_drop(&ctx);
	baton_link_put(given[0], true);
	close(peer);
}
END_TEST

START_TEST(who_waits_hears_of_the_end)
{
	ck_assert_int_eq(get(NULL, 0), 0);
	ck_assert_int_eq(get(NULL, 1), 0);
	baton_pool_free(&pool);
	run_until(2);
	ck_assert_int_eq(statuses[0], BATON_CLOSED);
	ck_assert_int_eq(statuses[1], BATON_CLOSED);
}
END_TEST

START_TEST(targets)
{
	ck_assert(dial_target_is_good("host:80"));
	ck_assert(dial_target_is_good("[::1]:80"));
	ck_assert(dial_target_is_good("unix:/x"));
	ck_assert(!dial_target_is_good("host"));
	ck_assert(!dial_target_is_good(":80"));
	ck_assert(!dial_target_is_good("::1:80"));
	ck_assert(!dial_target_is_good("[::1]"));
	ck_assert(!dial_target_is_good("host:"));
	ck_assert(!dial_target_is_good("unix:"));
}
END_TEST

START_TEST(families_alternate)
{
	struct dial_addr a[5] = {{.len = 1}, {.len = 2}, {.len = 3}, {.len = 4}, {.len = 5}};
	socklen_t want[5] = {1, 4, 2, 5, 3};

	for (int i = 0; i < 5; i++)
		a[i].sa.ss_family = i < 3 ? AF_INET6 : AF_INET;
	dial_order(a, 5);
	for (int i = 0; i < 5; i++)
		ck_assert_uint_eq(a[i].len, want[i]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pool");
	TCase *tc = tcase_create("pool");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_link_is_used_again);
	tcase_add_test(tc, links_are_told_idle_and_out);
	tcase_add_test(tc, a_wait_ends_with_its_ctx_and_says_why);
	tcase_add_test(tc, waiters_are_served_in_order_and_bounded);
	tcase_add_test(tc, a_link_that_died_while_idle_is_noticed);
	tcase_add_test(tc, nobody_there_is_unreachable);
	tcase_add_test(tc, names_are_resolved_in_a_thread);
	tcase_add_test(tc, a_link_can_be_waited_for_with_a_ctx);
	tcase_add_test(tc, who_waits_hears_of_the_end);
	tcase_add_test(tc, targets);
	tcase_add_test(tc, families_alternate);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
