/* timelist and waitgroup: small, and everything leans on them. */
#include <check.h>
#include <stdlib.h>

#include <event2/event.h>

#include "base/clock.h"
#include "wire/stats.h"
#include "worker/core/timelist.h"
#include "worker/core/waitgroup.h"

struct thing {
	int expired;
	struct timed timed;
};

static struct event_base *base;
static struct timelist *again; /* an expired thing joins it, when set */
static int told_done, told_late;

static void
on_expired(struct timed *t)
{
	struct thing *thing = timed_owner(t, struct thing, timed);

	thing->expired++;
	ck_assert_ptr_null(t->list);
	if (again != NULL)
		timelist_join(again, t);
}

static void
on_wait(bool done)
{
	if (done)
		told_done++;
	else
		told_late++;
}

static void
set_up(void)
{
	base = event_base_new();
	again = NULL;
	told_done = told_late = 0;
}

static void
tear_down(void)
{
	event_base_free(base);
}

/* Run the loop until *fact is at least n; the test's own limit is the failure. */
static void
run_until(const int *fact, int n)
{
	while (*fact < n)
		event_base_loop(base, EVLOOP_ONCE);
}

START_TEST(each_expires_at_its_own_time_in_order)
{
	struct timelist *list = timelist_new(base, 30, on_expired);
	struct thing first = {0}, second = {0};
	uint64_t begun = clock_ms();

	timelist_join(list, &first.timed);
	while (clock_ms() < begun + 15)
		;
	timelist_join(list, &second.timed);
	run_until(&first.expired, 1);
	ck_assert_int_eq(second.expired, 0);
	ck_assert_uint_ge(clock_ms() - begun + 10, 30);
	run_until(&second.expired, 1);
	ck_assert_int_eq(first.expired, 1);
	timelist_free(&list);
	ck_assert_ptr_null(list);
}
END_TEST

START_TEST(who_leaves_or_joins_again_does_not_expire)
{
	struct timelist *list = timelist_new(base, 20, on_expired);
	struct timelist *longer = timelist_new(base, 40, on_expired);
	struct thing leaves = {0}, moves = {0}, stays = {0};

	timelist_join(list, &leaves.timed);
	timelist_join(list, &moves.timed);
	timelist_join(list, &stays.timed);
	timelist_leave(&leaves.timed);
	timelist_leave(&leaves.timed); /* allowed on no list */
	timelist_join(longer, &moves.timed);
	ck_assert_ptr_eq(moves.timed.list, longer);
	run_until(&stays.expired, 1);
	ck_assert_int_eq(moves.expired, 0);
	run_until(&moves.expired, 1);
	ck_assert_int_eq(leaves.expired, 0);
	timelist_free(&list);
	timelist_free(&longer);
}
END_TEST

START_TEST(a_member_may_join_again_when_it_expires)
{
	struct timelist *list = timelist_new(base, 10, on_expired);
	struct thing thing = {0};

	again = list;
	timelist_join(list, &thing.timed);
	run_until(&thing.expired, 3);
	timelist_free(&list);
	ck_assert_ptr_null(thing.timed.list); /* freeing a list lets its members go */
}
END_TEST

START_TEST(a_limit_of_0_is_none)
{
	struct timelist *list = timelist_new(base, 0, on_expired);
	struct thing thing = {0};

	timelist_join(list, &thing.timed);
	ck_assert_ptr_null(thing.timed.list);
	timelist_free(&list);
}
END_TEST

/* What is left was set between two looks at the clock. */
static void
must_be_left(const struct thing *thing, uint64_t left, uint64_t begun)
{
	ck_assert_uint_ge(thing->timed.expires_ms, begun + left);
	ck_assert_uint_le(thing->timed.expires_ms, clock_tick_ms() + left);
}

static void
must_follow(const struct thing *first, const struct thing *second)
{
	ck_assert_ptr_eq(TAILQ_NEXT(&first->timed, link), &second->timed);
	ck_assert_uint_le(first->timed.expires_ms, second->timed.expires_ms);
}

START_TEST(what_is_left_gives_a_place_in_the_order)
{
	struct timelist *list = timelist_new(base, 60000, on_expired);
	struct timelist *other = timelist_new(base, 10, on_expired);
	struct thing full = {0}, half = {0}, early = {0}, between = {0}, last = {0};
	uint64_t begun = clock_tick_ms();

	timelist_join_left(list, &full.timed, 60000); /* the first of a list */
	timelist_join_left(list, &early.timed, 10000);
	timelist_join(other, &half.timed);
	timelist_join_left(list, &half.timed, 30000); /* leaves the other */
	timelist_join_left(list, &between.timed, 20000);
	timelist_join(list, &last.timed);
	ck_assert_ptr_eq(half.timed.list, list);
	must_follow(&early, &between);
	must_follow(&between, &half);
	must_follow(&half, &full);
	must_follow(&full, &last);
	ck_assert_ptr_null(TAILQ_NEXT(&last.timed, link));
	must_be_left(&early, 10000, begun);
	must_be_left(&between, 20000, begun);
	must_be_left(&half, 30000, begun);
	must_be_left(&full, 60000, begun);
	timelist_join_left(list, &early.timed, 50000); /* joins anew, elsewhere */
	must_follow(&half, &early);
	must_follow(&early, &full);
	timelist_free(&other);
	timelist_free(&list);
}
END_TEST

/* Its place is looked for among so many. */
#define SEARCHED 64

START_TEST(a_place_too_far_away_is_not_looked_for)
{
	struct timelist *list = timelist_new(base, 60000, on_expired);
	static struct thing crowd[SEARCHED + 1], near, far;
	uint64_t begun = clock_tick_ms();

	for (int i = 0; i < SEARCHED; i++)
		timelist_join(list, &crowd[i].timed);
	timelist_join_left(list, &near.timed, 1000); /* all are looked at */
	must_follow(&near, &crowd[0]);
	must_be_left(&near, 1000, begun);
	timelist_leave(&near.timed);
	timelist_join(list, &crowd[SEARCHED].timed);
	timelist_join_left(list, &far.timed, 1000);
	must_follow(&crowd[0], &far);
	must_follow(&far, &crowd[1]);
	ck_assert_uint_eq(far.timed.expires_ms, crowd[0].timed.expires_ms);
	timelist_free(&list);
}
END_TEST

START_TEST(an_earlier_head_is_not_late)
{
	struct timelist *list = timelist_new(base, 3600000, on_expired);
	struct thing late = {0}, early = {0}, now = {0};

	timelist_join(list, &late.timed); /* the timer is armed for this one */
	timelist_join_left(list, &early.timed, 20);
	run_until(&early.expired, 1);
	timelist_join_left(list, &now.timed, 0);
	run_until(&now.expired, 1);
	ck_assert_int_eq(late.expired, 0);
	timelist_free(&list);
}
END_TEST

START_TEST(no_more_is_left_than_the_limit)
{
	struct timelist *list = timelist_new(base, 5000, on_expired);
	struct timelist *none = timelist_new(base, 0, on_expired);
	struct thing much = {0}, endless = {0};
	uint64_t begun = clock_tick_ms();

	timelist_join_left(list, &much.timed, 5001);
	must_be_left(&much, 5000, begun);
	timelist_join_left(list, &endless.timed, UINT64_MAX);
	must_be_left(&endless, 5000, begun);
	must_follow(&much, &endless);
	timelist_join_left(none, &endless.timed, 100);
	ck_assert_ptr_null(endless.timed.list);
	ck_assert_ptr_null(TAILQ_NEXT(&much.timed, link));
	timelist_free(&list);
	timelist_free(&none);
}
END_TEST

START_TEST(what_is_left_can_be_told)
{
	struct timelist *list = timelist_new(base, 5000, on_expired);
	struct thing thing = {0}, over = {0};
	uint64_t begun = clock_tick_ms(), left;

	ck_assert_uint_eq(timelist_left(&thing.timed), UINT64_MAX);
	timelist_join(list, &thing.timed);
	left = timelist_left(&thing.timed);
	ck_assert_uint_le(left, 5000);
	ck_assert_uint_ge(left + (clock_tick_ms() - begun), 5000);
	timelist_join_left(list, &over.timed, 0);
	ck_assert_uint_eq(timelist_left(&over.timed), 0);
	while (clock_tick_ms() <= over.timed.expires_ms)
		;
	ck_assert_uint_eq(timelist_left(&over.timed), 0); /* and not below */
	timelist_leave(&thing.timed);
	ck_assert_uint_eq(timelist_left(&thing.timed), UINT64_MAX);
	timelist_free(&list);
}
END_TEST

START_TEST(the_count_moves_between_states_and_wakes_the_waiter_at_0)
{
	static struct stats_page page;

	waitgroup_start(base, &page);
	waitgroup_add(CONN_NEW);
	waitgroup_add(CONN_NEW);
	waitgroup_move(CONN_NEW, CONN_BUSY);
	ck_assert_uint_eq(page.fresh, 1);
	ck_assert_uint_eq(page.busy, 1);
	ck_assert_uint_eq(waitgroup_count(), 2);
	waitgroup_wait(0, on_wait);
	waitgroup_done(CONN_NEW);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(told_done, 0);
	waitgroup_done(CONN_BUSY);
	run_until(&told_done, 1);
	ck_assert_uint_eq(page.fresh + page.idle + page.busy, 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(told_done, 1); /* once */
	waitgroup_wait(0, on_wait);     /* it is 0 already */
	run_until(&told_done, 2);
}
END_TEST

START_TEST(the_waiter_has_a_deadline)
{
	static struct stats_page page;

	waitgroup_start(base, &page);
	waitgroup_add(CONN_NEW);
	waitgroup_wait(clock_ms() + 20, on_wait);
	run_until(&told_late, 1);
	ck_assert_int_eq(told_done, 0);
	waitgroup_wait(clock_ms() + 20, on_wait);
	waitgroup_unwait();
	waitgroup_done(CONN_NEW);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(told_done + told_late, 1);
}
END_TEST

START_TEST(a_count_below_0_is_our_bug)
{
	static struct stats_page page;

	waitgroup_start(base, &page);
	waitgroup_done(CONN_NEW); /* aborts */
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("timelist");
	TCase *t = tcase_create("limits");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, each_expires_at_its_own_time_in_order);
	tcase_add_test(t, who_leaves_or_joins_again_does_not_expire);
	tcase_add_test(t, a_member_may_join_again_when_it_expires);
	tcase_add_test(t, a_limit_of_0_is_none);
	tcase_add_test(t, what_is_left_gives_a_place_in_the_order);
	tcase_add_test(t, a_place_too_far_away_is_not_looked_for);
	tcase_add_test(t, an_earlier_head_is_not_late);
	tcase_add_test(t, no_more_is_left_than_the_limit);
	tcase_add_test(t, what_is_left_can_be_told);
	tcase_add_test(t, the_count_moves_between_states_and_wakes_the_waiter_at_0);
	tcase_add_test(t, the_waiter_has_a_deadline);
	tcase_add_test_raise_signal(t, a_count_below_0_is_our_bug, 6);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
