/* turn: who waits is served in a fair order, whoever leaves amid it. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "worker/conn/conn.h"
#include "worker/core/turn.h"

#define LISTENERS 3
#define N         12

static struct conn conns[N];

static void
set_up(void)
{
	memset(conns, 0, sizeof conns);
	for (uint32_t i = 0; i < N; i++) {
		conns[i].id = i;
		conns[i].listener = i % LISTENERS;
	}
	turn_start(LISTENERS);
}

static void
tear_down(void)
{
	turn_stop();
}

/* Whose turn it is, as the number of a connection; -1: nobody's. */
static int
next(void)
{
	bool again;
	struct conn *c = turn_next(&again);

	if (c == NULL)
		return -1;
	ck_assert_int_eq(c->place, CONN_NOWHERE);
	return (int)c->id;
}

static void
expect(const int *order, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_eq(turn_count(), n - i);
		ck_assert_int_eq(next(), order[i]);
	}
	ck_assert_uint_eq(turn_count(), 0);
	ck_assert_int_eq(next(), -1);
}

/* Four of the first listener came long before the others. */
START_TEST(listeners_take_turns)
{
	static const int order[] = {0, 1, 2, 3, 4, 6, 9};

	for (int i = 0; i < N; i += LISTENERS)
		turn_join(&conns[i], false);
	turn_join(&conns[1], false);
	turn_join(&conns[4], false);
	turn_join(&conns[2], false);
	expect(order, sizeof order / sizeof *order);
}
END_TEST

START_TEST(a_listener_that_has_just_had_a_turn_is_the_last)
{
	turn_join(&conns[0], false);
	turn_join(&conns[3], false);
	turn_join(&conns[1], false);
	ck_assert_int_eq(next(), 0);
	turn_join(&conns[0], true);
	turn_join(&conns[2], false);
	expect((int[]){1, 3, 2, 0}, 4);
}
END_TEST

/* Of one listener: who comes new is served before who has had a share, four to one. */
START_TEST(who_comes_new_is_first_and_nobody_starves)
{
	static const int order[] = {3, 4, 5, 6, 0, 7, 8, 9, 10, 1, 11, 2};

	for (int i = 0; i < N; i++) {
		conns[i].listener = 0;
		turn_join(&conns[i], i < 3);
	}
	expect(order, N);
}
END_TEST

START_TEST(it_is_told_who_has_had_a_share)
{
	bool again;

	turn_join(&conns[0], true);
	ck_assert_int_eq(conns[0].place, CONN_WAITS_AGAIN);
	ck_assert_ptr_eq(turn_next(&again), &conns[0]);
	ck_assert(again);
	turn_join(&conns[0], false);
	ck_assert_int_eq(conns[0].place, CONN_WAITS);
	ck_assert_ptr_eq(turn_next(&again), &conns[0]);
	ck_assert(!again);
}
END_TEST

/* One leaves, at each place of the line and of each kind; the others keep their order. */
START_TEST(who_leaves_is_gone)
{
	for (int gone = 0; gone < 4; gone++) {
		for (int i = 0; i < 4; i++)
			turn_join(&conns[i * LISTENERS], _i != 0);
		turn_leave(&conns[gone * LISTENERS]);
		ck_assert_int_eq(conns[gone * LISTENERS].place, CONN_NOWHERE);
		for (int i = 0; i < 4; i++)
			if (i != gone)
				ck_assert_int_eq(next(), i * LISTENERS);
		ck_assert_int_eq(next(), -1);
	}
}
END_TEST

/* The last of a listener leaves, be it the first listener or not; it comes back. */
START_TEST(a_listener_without_any_has_no_turn)
{
	for (int gone = 0; gone < LISTENERS; gone++) {
		for (int i = 0; i < LISTENERS; i++)
			turn_join(&conns[i], false);
		turn_leave(&conns[gone]);
		for (int i = 0; i < LISTENERS; i++)
			if (i != gone)
				ck_assert_int_eq(next(), i);
		ck_assert_int_eq(next(), -1);
		turn_join(&conns[gone], true);
		ck_assert_int_eq(next(), gone);
	}
}
END_TEST

/* Any order of joins, leaves and turns: each that has joined has one turn, or has left. */
START_TEST(a_random_walk)
{
	unsigned seed = (unsigned)_i + 1;
	size_t waits = 0;

	for (int step = 0; step < 20000; step++) {
		struct conn *c = &conns[(unsigned)rand_r(&seed) % N];
		bool joined = c->place != CONN_NOWHERE;

		if (rand_r(&seed) % 3 == 0) {
			ck_assert((next() >= 0) == (waits > 0));
			waits -= waits > 0;
		} else if (joined) {
			turn_leave(c);
			waits--;
		} else {
			turn_join(c, rand_r(&seed) % 2 == 0);
			waits++;
		}
		ck_assert_uint_eq(turn_count(), waits);
	}
	while (next() >= 0)
		;
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("turn");
	TCase *t = tcase_create("turn");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, listeners_take_turns);
	tcase_add_test(t, a_listener_that_has_just_had_a_turn_is_the_last);
	tcase_add_test(t, who_comes_new_is_first_and_nobody_starves);
	tcase_add_test(t, it_is_told_who_has_had_a_share);
	tcase_add_loop_test(t, who_leaves_is_gone, 0, 2);
	tcase_add_test(t, a_listener_without_any_has_no_turn);
	tcase_add_loop_test(t, a_random_walk, 0, 8);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
