/* aim: who hands its connections to whom, as the workers are told it. */
#include <check.h>

#include "crew.h"
#include "master/workers/successors.h"

static void
run(void)
{
	successors_run();
	crew_listen();
}

static bool
gives_to(size_t giver, size_t taker)
{
	for (size_t i = 0; i < far[giver].naims; i++)
		if (far[giver].aims[i] == taker + 1)
			return true;
	return false;
}

/* far[0 .. n) of one that drains, far[n .. n + m) of one that serves. */
static struct generation *old, *new;

static void
two(uint32_t n, uint32_t m, const char *more)
{
	old = crew_generation(OWN, n, more);
	generation_activate(old);
	for (uint32_t i = 0; i < n; i++)
		crew_join(old, i, i, true)->leaving = true;
	new = crew_generation(OWN, m, "");
	for (uint32_t i = 0; i < m; i++)
		crew_join(new, n + i, i, true);
	generation_drain(old);
	generation_activate(new);
}

START_TEST(each_giver_has_a_taker_and_each_taker_a_giver)
{
	static const uint32_t pairs[][2] = {{1, 1}, {1, 3}, {2, 2}, {2, 3}, {3, 2}, {4, 1}};

	for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
		uint32_t n = pairs[k][0], m = pairs[k][1];

		two(n, m, "");
		run();
		for (uint32_t i = 0; i < n; i++) {
			ck_assert_uint_eq(far[i].naimed, 1);
			ck_assert_uint_ge(far[i].naims, 1);
			ck_assert_uint_eq(far[i].npairs, far[i].naims);
		}
		for (uint32_t j = 0; j < m; j++) {
			size_t givers = 0;

			for (uint32_t i = 0; i < n; i++)
				givers += gives_to(i, n + j);
			ck_assert_uint_ge(givers, 1);
			ck_assert_uint_eq(far[n + j].npairs, givers);
			ck_assert_uint_eq(far[n + j].naimed, 0);
		}
		ck_assert(!successors_incomplete());
		crew_tear_down();
		crew_set_up();
	}
}
END_TEST

START_TEST(each_end_says_who_has_the_other)
{
	two(1, 1, "");
	run();
	ck_assert_uint_eq(far[0].pair[0].birth, 2);
	ck_assert_uint_eq(far[0].pair[0].generation, new->id);
	ck_assert_uint_eq(far[0].pair[0].taker, 0);
	ck_assert_uint_eq(far[1].pair[0].birth, 1);
	ck_assert_uint_eq(far[1].pair[0].generation, old->id);
	ck_assert_uint_eq(far[1].pair[0].taker, 1);
}
END_TEST

START_TEST(the_same_is_not_said_twice)
{
	two(1, 1, "");
	run();
	run();
	ck_assert_uint_eq(far[0].naimed, 1);
	ck_assert_uint_eq(far[0].npairs, 1);
}
END_TEST

START_TEST(a_taker_that_is_replaced)
{
	two(1, 1, "");
	run();
	far[1].worker.ready = false;
	run();
	ck_assert_uint_eq(far[0].naimed, 2);
	ck_assert_uint_eq(far[0].naims, 0);
	crew_join(new, 2, 0, true);
	run();
	ck_assert_uint_eq(far[0].naimed, 3);
	ck_assert(gives_to(0, 2) && !gives_to(0, 1));
	ck_assert_uint_eq(far[0].npairs, 2);
}
END_TEST

START_TEST(one_more_taker_is_one_more_pair)
{
	two(1, 1, "");
	run();
	crew_join(new, 2, 1, true);
	run();
	ck_assert(gives_to(0, 1) && gives_to(0, 2));
	ck_assert_uint_eq(far[0].npairs, 2);
	ck_assert_uint_eq(far[1].npairs, 1);
}
END_TEST

START_TEST(who_may_have_missed_an_end_is_paired_once_more)
{
	two(2, 1, "");
	run();
	successors_again(&far[2].worker); /* a taker: with both that give to it */
	run();
	ck_assert_uint_eq(far[0].npairs, 2);
	ck_assert_uint_eq(far[1].npairs, 2);
	ck_assert_uint_eq(far[2].npairs, 4);
	successors_again(&far[0].worker); /* a giver */
	run();
	ck_assert_uint_eq(far[0].npairs, 3);
	ck_assert_uint_eq(far[1].npairs, 2);
	ck_assert_uint_eq(far[2].npairs, 5);
}
END_TEST

START_TEST(nothing_goes_to_one_on_probation)
{
	two(1, 1, "");
	generation_activate(old);
	generation_pause(old);
	crew_join(old, 2, 1, true);
	run();
	ck_assert(gives_to(0, 2) && !gives_to(0, 1)); /* the paused one stays in any case */
}
END_TEST

START_TEST(nobody_gives_at_a_stop_or_without_handoff)
{
	two(1, 1, "");
	env.stop = STOP_DRAIN;
	run();
	ck_assert_uint_eq(far[0].naimed, 0);
	crew_tear_down();
	crew_set_up();
	two(1, 1, "[drain]\nhandoff = no\n");
	run();
	ck_assert_uint_eq(far[0].naimed, 0);
}
END_TEST

START_TEST(at_a_stop_who_gives_is_told_to_keep_them)
{
	two(1, 1, "");
	run();
	env.stop = STOP_DRAIN;
	run();
	ck_assert_uint_eq(far[0].naimed, 2);
	ck_assert_uint_eq(far[0].naims, 0);
}
END_TEST

START_TEST(who_serves_gives_nothing)
{
	two(2, 1, "");
	far[1].worker.leaving = false;
	far[0].worker.killed = true;
	run();
	ck_assert_uint_eq(far[0].naimed, 0);
	ck_assert_uint_eq(far[1].naimed, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("aim");
	TCase *tc = tcase_create("aim");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, crew_set_up, crew_tear_down);
	tcase_add_test(tc, each_giver_has_a_taker_and_each_taker_a_giver);
	tcase_add_test(tc, each_end_says_who_has_the_other);
	tcase_add_test(tc, the_same_is_not_said_twice);
	tcase_add_test(tc, a_taker_that_is_replaced);
	tcase_add_test(tc, one_more_taker_is_one_more_pair);
	tcase_add_test(tc, who_may_have_missed_an_end_is_paired_once_more);
	tcase_add_test(tc, nothing_goes_to_one_on_probation);
	tcase_add_test(tc, nobody_gives_at_a_stop_or_without_handoff);
	tcase_add_test(tc, at_a_stop_who_gives_is_told_to_keep_them);
	tcase_add_test(tc, who_serves_gives_nothing);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
