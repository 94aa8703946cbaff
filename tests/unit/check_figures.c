/* figures: found by name, summed over the dead and the living, with room for so many. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "wire/figures.h"
#include "wire/stats.h"

static struct stats *stats;
static const struct figures_name api = {"service", "api", NULL};

static void
set_up(void)
{
	stats = stats_create(NULL);
	ck_assert_ptr_nonnull(stats);
}

static void
tear_down(void)
{
	stats_free(&stats);
}

static struct figures_sum
sum_of(struct figures_name name)
{
	struct figures_sum sum;

	figures_sum(stats, name, &sum);
	return sum;
}

START_TEST(counters_stay_and_gauges_go)
{
	struct stats_page *a = stats_page_open(stats, 1, 1, 0);
	struct stats_page *b = stats_page_open(stats, 2, 1, 1);
	struct figures_row *of_a = figures_row(stats, a, api);
	struct figures_row *of_b = figures_row(stats, b, api);

	ck_assert_ptr_eq(figures_row(stats, a, api), of_a);
	figures_answer(of_a, 200);
	figures_answer(of_a, 204);
	figures_answer(of_b, 101);
	figures_answer(of_b, 599);
	figures_answer(of_b, 999);
	figures_answer(NULL, 200);
	of_a->v[FIGURES_BUSY] = 3;
	of_b->v[FIGURES_BUSY] = 4;
	of_a->v[FIGURES_ILL] = 1;
	of_b->v[FIGURES_ILL] = 3;
	ck_assert_uint_eq(sum_of(api).v[FIGURES_2XX], 2);
	ck_assert_uint_eq(sum_of(api).v[FIGURES_1XX], 1);
	ck_assert_uint_eq(sum_of(api).v[FIGURES_5XX], 2);
	ck_assert_uint_eq(sum_of(api).v[FIGURES_BUSY], 7);
	ck_assert_uint_eq(sum_of(api).ill, 2);
	ck_assert_uint_eq(sum_of(api).open, 1);
	of_b->v[FIGURES_ILL] = FIGURES_NO_BREAKER;
	ck_assert_uint_eq(sum_of(api).ill, 1);
	ck_assert_uint_eq(sum_of(api).open, 0);
	ck_assert_uint_eq(sum_of(api).bare, 1);
	of_b->v[FIGURES_ILL] = 3;
	ck_assert_uint_eq(sum_of(api).rows, 2);
	stats_page_fold(stats, b);
	ck_assert_uint_eq(sum_of(api).v[FIGURES_5XX], 2);
	ck_assert_uint_eq(sum_of(api).v[FIGURES_BUSY], 3);
	ck_assert_uint_eq(sum_of(api).open, 0);
	b = stats_page_open(stats, 3, 2, 0);
	ck_assert_uint_eq(figures_row(stats, b, api)->v[FIGURES_5XX], 0);
	stats_page_fold(stats, a);
	stats_page_fold(stats, b);
	ck_assert_uint_eq(sum_of(api).v[FIGURES_2XX], 2);
}
END_TEST

START_TEST(names_are_not_mixed)
{
	static const struct figures_name names[] = {{"service", "api", NULL},
	                                            {"listener", "api", NULL},
	                                            {"upstream", "api", "a:1"},
	                                            {"upstream", "api", "a:2"},
	                                            {"upstream", "ap", "i a:1"}};
	struct stats_page *page = stats_page_open(stats, 1, 1, 0);

	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k <= i; k++)
			figures_count(figures_row(stats, page, names[i]), FIGURES_ASKED);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(sum_of(names[i]).v[FIGURES_ASKED], i + 1);
}
END_TEST

START_TEST(room_is_bounded)
{
	struct stats_page *page = stats_page_open(stats, 1, 1, 0);
	char name[32];
	unsigned n = 0;

	for (;; n++) {
		struct figures_row *row;

		snprintf(name, sizeof name, "n%u", n);
		row = figures_row(stats, page, (struct figures_name){"service", name, NULL});
		if (row == NULL)
			break;
		figures_count(row, FIGURES_2XX);
	}
	ck_assert_uint_gt(n, 200);
	ck_assert_uint_eq(sum_of((struct figures_name){"service", name, NULL}).rows, 0);
	ck_assert_uint_eq(sum_of((struct figures_name){"service", "n0", NULL}).rows, 1);
	stats_page_fold(stats, page);
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof name, "n%u", i);
		ck_assert_uint_eq(
		    sum_of((struct figures_name){"service", name, NULL}).v[FIGURES_2XX], 1);
	}
}
END_TEST

/* What nobody can have counted is not believed. */
START_TEST(a_lie_is_no_number)
{
	struct stats_page *page = stats_page_open(stats, 1, 1, 0);
	struct figures_row *row = figures_row(stats, page, api);

	row->v[FIGURES_2XX] = UINT64_MAX;
	row->v[FIGURES_4XX] = 7;
	ck_assert_uint_eq(sum_of(api).v[FIGURES_2XX], 0);
	stats_page_fold(stats, page);
	ck_assert_uint_eq(sum_of(api).v[FIGURES_2XX], 0);
	ck_assert_uint_eq(sum_of(api).v[FIGURES_4XX], 7);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("figures");
	TCase *t = tcase_create("figures");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, counters_stay_and_gauges_go);
	tcase_add_test(t, names_are_not_mixed);
	tcase_add_test(t, room_is_bounded);
	tcase_add_test(t, a_lie_is_no_number);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
