/* breaker: opens, half-opens, closes, over the cells of several workers. */
#include <check.h>
#include <string.h>

#include "worker/runtime/breaker.h"

static const struct baton_breaker_rules rules = {
    .percent = 50, .calls = 4, .window_ms = 1000, .open_ms = 500};

static struct stats_breaker cell[2];
static struct breaker_cells cells;

static void
set_up(void)
{
	memset(cell, 0, sizeof cell);
	cells = (struct breaker_cells){.cell = {&cell[0], &cell[1]}, .n = 2};
}

static void
tell(int i, bool good, uint64_t now)
{
	breaker_tell(&rules, &cells, &cell[i], good, now);
}

static bool
ask(int i, uint64_t now)
{
	return breaker_ask(&rules, &cells, &cell[i], now);
}

static enum baton_breaker_state
state(uint64_t now)
{
	return breaker_state(&rules, &cells, now);
}

START_TEST(opens_when_the_share_is_reached_by_enough_calls)
{
	tell(0, false, 10000);
	tell(0, false, 10000);
	tell(1, false, 10000);
	ck_assert_int_eq(state(10001), BATON_BREAKER_CLOSED); /* three are too few */
	tell(1, true, 10001);
	ck_assert_int_eq(state(10001), BATON_BREAKER_CLOSED); /* a success opens nothing */
	tell(0, false, 10002);
	ck_assert_int_eq(state(10002), BATON_BREAKER_OPEN); /* two workers' calls together */
	ck_assert(!ask(0, 10003));
	ck_assert(!ask(1, 10003));
}
END_TEST

START_TEST(stays_closed_below_the_share)
{
	for (int i = 0; i < 100; i++) {
		tell(i % 2, true, 10000);
		tell(i % 2, true, 10000);
		tell(i % 2, false, 10000);
	}
	ck_assert_int_eq(state(10000), BATON_BREAKER_CLOSED);
}
END_TEST

START_TEST(old_failures_are_forgotten)
{
	tell(0, false, 10000);
	tell(0, false, 10000);
	tell(0, false, 12500); /* two windows later */
	tell(0, false, 12500);
	ck_assert_int_eq(state(12500), BATON_BREAKER_CLOSED);
	tell(0, false, 13500); /* the window before counts */
	ck_assert_int_eq(state(13500), BATON_BREAKER_CLOSED);
	tell(0, false, 13500);
	ck_assert_int_eq(state(13500), BATON_BREAKER_OPEN);
}
END_TEST

static void
open_it(uint64_t now)
{
	for (int i = 0; i < 4; i++)
		tell(0, false, now);
	ck_assert_int_eq(state(now), BATON_BREAKER_OPEN);
}

START_TEST(half_open_lets_one_through_and_a_success_closes)
{
	open_it(10000);
	ck_assert(!ask(1, 10499));
	ck_assert_int_eq(state(10500), BATON_BREAKER_HALF_OPEN);
	tell(0, true, 10500); /* of a call from before: not the trial */
	ck_assert_int_eq(state(10500), BATON_BREAKER_HALF_OPEN);
	ck_assert(ask(1, 10501));
	ck_assert(!ask(1, 10502));
	ck_assert(!ask(0, 10502));
	tell(1, true, 10510);
	ck_assert_int_eq(state(10510), BATON_BREAKER_CLOSED);
	ck_assert(ask(0, 10511));
	tell(0, false, 10511); /* what was counted before is forgotten, everywhere */
	tell(1, false, 10511);
	ck_assert_int_eq(state(10511), BATON_BREAKER_CLOSED);
}
END_TEST

START_TEST(a_failed_trial_opens_it_again_and_one_without_end_is_given_up)
{
	open_it(10000);
	ck_assert(ask(1, 10600));
	tell(1, false, 10650);
	ck_assert_int_eq(state(10651), BATON_BREAKER_OPEN);
	ck_assert(!ask(0, 11149));
	ck_assert(ask(0, 11150));
	ck_assert(!ask(1, 11649)); /* the trial has no end yet */
	ck_assert(ask(1, 11650));
}
END_TEST

START_TEST(a_new_worker_knows_what_the_others_know)
{
	struct stats_breaker fresh = {0};

	open_it(10000);
	breaker_inherit(&cells, &fresh, 10001);
	cells = (struct breaker_cells){.cell = {&fresh}, .n = 1};
	ck_assert_int_eq(state(10001), BATON_BREAKER_OPEN);
	ck_assert_int_eq(state(10500), BATON_BREAKER_HALF_OPEN);
}
END_TEST

/* Of a worker in hostile hands. */
START_TEST(what_is_yet_to_come_is_not_believed)
{
	struct stats_breaker fresh = {0};

	cell[0].opened_ms = UINT64_MAX;
	cell[0].trial_ms = UINT64_MAX;
	ck_assert_int_eq(state(10000), BATON_BREAKER_CLOSED);
	cell[0].opened_ms = 20000;
	ck_assert_int_eq(state(10000), BATON_BREAKER_CLOSED);
	open_it(10000);
	cell[1].closed_ms = UINT64_MAX;
	ck_assert_int_eq(state(10001), BATON_BREAKER_OPEN);
	ck_assert(ask(1, 10500)); /* nobody tries yet */
	cell[0].opened_ms = UINT64_MAX;
	breaker_inherit(&cells, &fresh, 10001);
	ck_assert_uint_eq(fresh.closed_ms, 0);
	ck_assert_uint_le(fresh.opened_ms, 10001);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("breaker");
	TCase *tc = tcase_create("breaker");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, opens_when_the_share_is_reached_by_enough_calls);
	tcase_add_test(tc, stays_closed_below_the_share);
	tcase_add_test(tc, old_failures_are_forgotten);
	tcase_add_test(tc, half_open_lets_one_through_and_a_success_closes);
	tcase_add_test(tc, a_failed_trial_opens_it_again_and_one_without_end_is_given_up);
	tcase_add_test(tc, a_new_worker_knows_what_the_others_know);
	tcase_add_test(tc, what_is_yet_to_come_is_not_believed);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
