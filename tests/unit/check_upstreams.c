/* upstream, balance: a set that changes while it is in use, and which one is next. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/mem.h"
#include "baton.h"
#include "conf/conf.h"
#include "service/upstream/balance.h"
#include "service/upstream/upstream.h"
#include "wire/figures.h"
#include "wire/heritage.h"
#include "wire/stats.h"
#include "worker/core/self.h"
#include "worker/core/waitgroup.h"
#include "worker/runtime/dial.h"
#include "worker/runtime/runtime.h"

#define PORT 9 /* nobody is asked */

static char a[] = "a:9", b[] = "b:9", px[] = "px";
static struct event_base *base;
static struct heritage heritage;
static struct conf_addr line[2];
static struct conf_service conf;
static struct upstreams *set;

static struct dial_addr
at(unsigned last)
{
	struct dial_addr addr = {.len = sizeof(struct sockaddr_in)};
	struct sockaddr_in *sin = (struct sockaddr_in *)(void *)&addr.sa;

	sin->sin_family = AF_INET;
	sin->sin_port = htons(PORT);
	sin->sin_addr.s_addr = htonl(0x7f000000 | last);
	return addr;
}

/* Addresses of the line i: 127.0.0.LAST, up to a 0. */
static void
replace(size_t i, const unsigned *last)
{
	struct dial_addr addr[80];
	size_t n = 0;

	for (; last[n] != 0; n++)
		addr[n] = at(last[n]);
	upstreams_replace(set, i, addr, n);
}

#define REPLACE(i, ...) replace((i), (const unsigned[]){__VA_ARGS__, 0})

static void
begin(void)
{
	struct runtime_limits limits = {.threads = 1, .queue = 8, .background = 1};

	base = event_base_new();
	heritage.stats = stats_create(NULL);
	ck_assert_ptr_nonnull(heritage.stats);
	heritage.page = stats_page_open(heritage.stats, 1, 1, 0);
	stats_page_born(heritage.stats, heritage.page, 1);
	self.heritage = &heritage;
	waitgroup_start(base, heritage.page);
	runtime_start(base, &limits);
	line[0] = (struct conf_addr){.kind = CONF_ADDR_TCP, .text = a};
	line[1] = (struct conf_addr){.kind = CONF_ADDR_TCP, .text = b};
	conf = (struct conf_service){.name = px,
	                             .upstream = line,
	                             .nupstream = 2,
	                             .breaker = true,
	                             .breaker_percent = 50,
	                             .breaker_calls = 2,
	                             .breaker_window = 3600000,
	                             .breaker_open = 3600000,
	                             .check_interval = 3600000,
	                             .check_timeout = 3600000,
	                             .connect_timeout = 3600000};
	set = upstreams_new(&conf, NULL);
	/* names from here on, whose addresses are what the test says */
	line[0].kind = line[1].kind = CONF_ADDR_NAME;
	upstreams_replace(set, 0, NULL, 0);
	upstreams_replace(set, 1, NULL, 0);
}

static void
end(void)
{
	upstreams_free(&set);
	ck_assert(runtime_stop());
	runtime_free();
	stats_free(&heritage.stats);
	event_base_free(base);
}

static const char *
next(uint64_t *tried)
{
	const struct upstream *u = balance_next(set, tried);

	return u != NULL ? u->name : "none";
}

/* With nothing tried yet. */
static const char *
turn(void)
{
	uint64_t tried = 0;

	return next(&tried);
}

START_TEST(an_empty_set)
{
	struct dial_addr addr = at(1);

	ck_assert_str_eq(turn(), "none");
	ck_assert_ptr_null(upstreams_find(set, &addr.sa, addr.len));
}
END_TEST

START_TEST(in_turn_each_once)
{
	uint64_t tried = 0;

	REPLACE(1, 3);
	REPLACE(0, 1, 2);                                    /* in the order of the file */
	ck_assert_str_eq(next(&tried), "b:9 (127.0.0.3:9)"); /* whose turn it was */
	ck_assert_str_eq(next(&tried), "a:9 (127.0.0.1:9)");
	ck_assert_str_eq(next(&tried), "a:9 (127.0.0.2:9)");
	ck_assert_str_eq(next(&tried), "none");
	ck_assert_str_eq(turn(), "b:9 (127.0.0.3:9)");
	ck_assert_str_eq(turn(), "a:9 (127.0.0.1:9)");
}
END_TEST

START_TEST(what_is_known_of_one_that_stays_stays)
{
	uint64_t tried = 0;
	struct upstream *u;

	REPLACE(0, 1, 2);
	u = balance_next(set, &tried);
	upstream_bad(u, true);
	REPLACE(0, 3, 1, 1); /* named twice */
	ck_assert_uint_eq(set->n, 2);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(turn(), "a:9 (127.0.0.3:9)");
	tried = 0;
	next(&tried);
	ck_assert_str_eq(next(&tried), "a:9 (127.0.0.1:9)"); /* with nobody else */
}
END_TEST

START_TEST(one_that_is_held_outlives_its_place)
{
	struct dial_addr addr = at(1);
	uint64_t tried = 0;
	struct upstream *u;

	REPLACE(0, 1);
	u = upstream_hold(balance_next(set, &tried));
	ck_assert_uint_eq(upstream_busy(u), 1);
	ck_assert_ptr_eq(upstreams_find(set, &addr.sa, addr.len), u);
	REPLACE(0, 2);
	ck_assert_ptr_null(upstreams_find(set, &addr.sa, addr.len));
	ck_assert_str_eq(turn(), "a:9 (127.0.0.2:9)");
	ck_assert_str_eq(u->dialled, "127.0.0.1:9");
	upstream_asked(u);
	upstream_bad(u, true);
	upstream_good(u);
	ck_assert_uint_eq(set->figures[0]->v[FIGURES_ASKED], 1);
	upstreams_free(&set); /* which it outlives, too */
	upstream_drop(&u);
	ck_assert_ptr_null(u);
	upstream_drop(&u);
}
END_TEST

START_TEST(whose_turn_it_is_when_others_go)
{
	REPLACE(0, 1, 2, 3);
	REPLACE(1, 4);
	ck_assert_str_eq(turn(), "a:9 (127.0.0.1:9)");
	ck_assert_str_eq(turn(), "a:9 (127.0.0.2:9)");
	REPLACE(0, 2, 3); /* one before it */
	ck_assert_str_eq(turn(), "a:9 (127.0.0.3:9)");
	REPLACE(1, 5); /* itself */
	ck_assert_str_eq(turn(), "a:9 (127.0.0.2:9)");
	REPLACE(0, 2, 3, 6, 7); /* new ones behind it */
	ck_assert_str_eq(turn(), "a:9 (127.0.0.3:9)");
	ck_assert_str_eq(turn(), "a:9 (127.0.0.6:9)");
	ck_assert_str_eq(turn(), "a:9 (127.0.0.7:9)");
	ck_assert_str_eq(turn(), "b:9 (127.0.0.5:9)");
}
END_TEST

START_TEST(the_least_busy_one)
{
	struct dial_addr addr[3] = {at(1), at(2), at(3)};
	struct upstream *one, *again, *two, *three;

	conf.balance = CONF_LEAST_BUSY;
	REPLACE(0, 1, 2, 3);
	one = upstream_hold(upstreams_find(set, &addr[0].sa, addr[0].len));
	again = upstream_hold(one);
	two = upstream_hold(upstreams_find(set, &addr[1].sa, addr[1].len));
	three = upstream_hold(upstreams_find(set, &addr[2].sa, addr[2].len));
	ck_assert_str_eq(turn(), two->name); /* in turn among equals */
	ck_assert_str_eq(turn(), three->name);
	ck_assert_str_eq(turn(), two->name);
	upstream_drop(&three);
	ck_assert_str_eq(turn(), "a:9 (127.0.0.3:9)");
	upstream_drop(&two);
	upstream_drop(&again);
	upstream_drop(&one);
}
END_TEST

START_TEST(a_breaker_of_each)
{
	uint64_t tried = 0;
	struct upstream *u;

	REPLACE(0, 1, 2);
	u = balance_next(set, &tried);
	for (int i = 0; i < 2; i++)
		upstream_bad(u, false);
	for (int i = 0; i < 4; i++)
		ck_assert_str_eq(turn(), "a:9 (127.0.0.2:9)");
	REPLACE(0, 2); /* it goes, and comes again while its breaker is open */
	REPLACE(0, 1, 2);
	for (int i = 0; i < 4; i++)
		ck_assert_str_eq(turn(), "a:9 (127.0.0.2:9)");
	tried = 0;
	next(&tried);
	ck_assert_str_eq(next(&tried), "a:9 (127.0.0.1:9)"); /* with nobody else */
}
END_TEST

/* There are 16 places for breakers: they are for those that there are. */
START_TEST(places_of_those_that_went_are_given_again)
{
	for (unsigned i = 1; i < 100; i++) {
		uint64_t tried = 0;
		struct upstream *u;

		REPLACE(0, i);
		u = balance_next(set, &tried);
		ck_assert_ptr_nonnull(u->breaker);
		ck_assert_int_eq(baton_breaker_state(u->breaker), BATON_BREAKER_CLOSED);
		upstream_bad(u, false); /* what was said of the one before it does not count */
		ck_assert_int_eq(baton_breaker_state(u->breaker), BATON_BREAKER_CLOSED);
		upstream_bad(u, false);
		ck_assert_int_eq(baton_breaker_state(u->breaker), BATON_BREAKER_OPEN);
	}
}
END_TEST

/* Who has tried the one before has not tried the one that came for it. */
START_TEST(one_that_comes_is_not_tried_yet)
{
	uint64_t tried = 0;

	REPLACE(0, 1);
	ck_assert_str_eq(next(&tried), "a:9 (127.0.0.1:9)");
	REPLACE(0, 2);
	ck_assert_str_eq(next(&tried), "a:9 (127.0.0.2:9)");
	REPLACE(0, 3);
	ck_assert_str_eq(next(&tried), "a:9 (127.0.0.3:9)");
	ck_assert_str_eq(next(&tried), "none");
}
END_TEST

START_TEST(more_than_there_are_bits)
{
	unsigned last[80] = {0};
	uint64_t tried = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < 70; i++)
		last[i] = i + 1;
	replace(0, last);
	while (balance_next(set, &tried) != NULL)
		n++;
	ck_assert_uint_eq(n, 64);
	replace(0, last + 10); /* bits are free again */
	tried = 0;
	for (n = 0; balance_next(set, &tried) != NULL;)
		n++;
	ck_assert_uint_eq(n, 54);
	REPLACE(1, 100, 101, 102, 103, 104);
	tried = 0;
	for (n = 0; balance_next(set, &tried) != NULL;)
		n++;
	ck_assert_uint_eq(n, 59);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("upstreams");
	TCase *tc = tcase_create("upstreams");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, an_empty_set);
	tcase_add_test(tc, in_turn_each_once);
	tcase_add_test(tc, what_is_known_of_one_that_stays_stays);
	tcase_add_test(tc, one_that_is_held_outlives_its_place);
	tcase_add_test(tc, whose_turn_it_is_when_others_go);
	tcase_add_test(tc, the_least_busy_one);
	tcase_add_test(tc, a_breaker_of_each);
	tcase_add_test(tc, places_of_those_that_went_are_given_again);
	tcase_add_test(tc, one_that_comes_is_not_tried_yet);
	tcase_add_test(tc, more_than_there_are_bits);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
