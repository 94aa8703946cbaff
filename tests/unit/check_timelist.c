/* timelist and waitgroup: small, and everything leans on them. */
#include <check.h>
#include <stdlib.h>

#include <event2/event.h>

#include "base/clock.h"
#include "wire/stats.h"
#include "worker/timelist.h"
#include "worker/waitgroup.h"

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
