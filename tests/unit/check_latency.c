#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/latency.h"
#include "wire/stats.h"

static struct stats *stats;

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

START_TEST(each_time_is_below_the_end_of_its_bucket_and_not_of_the_one_before)
{
	uint64_t us = 0;

	for (unsigned i = 0; i < 40000; i++, us += 1 + us / 1000) {
		unsigned b = latency_bucket(us);

		ck_assert_uint_lt(b, LATENCY_BUCKETS);
		ck_assert_uint_lt(us, latency_end(b));
		if (b > 0)
			ck_assert_uint_ge(us, latency_end(b - 1));
	}
	ck_assert_uint_eq(latency_bucket(0), 0);
	ck_assert_uint_eq(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
	ck_assert_uint_eq(latency_end(LATENCY_BUCKETS - 1), UINT64_MAX);
}
END_TEST

START_TEST(a_bucket_is_at_most_a_quarter_of_its_time)
{
	for (unsigned b = 1; b < LATENCY_BUCKETS - 1; b++)
		ck_assert_uint_le((latency_end(b) - latency_end(b - 1)) * 4,
		                  latency_end(b - 1));
}
END_TEST

START_TEST(quantiles_are_ends_of_buckets)
{
	struct latency l = {.used = 1};

	ck_assert_uint_eq(latency_quantile(&l, 0.5), 0);
	for (int i = 0; i < 90; i++)
		latency_record(&l, 20);
	for (int i = 0; i < 10; i++)
		latency_record(&l, 5000);
	ck_assert_uint_eq(latency_count(&l), 100);
	ck_assert_uint_eq(l.sum_us, 90 * 20 + 10 * 5000);
	ck_assert_uint_eq(latency_quantile(&l, 0.5), latency_end(latency_bucket(20)));
	ck_assert_uint_eq(latency_quantile(&l, 0.89), latency_end(latency_bucket(20)));
	ck_assert_uint_eq(latency_quantile(&l, 0.9), latency_end(latency_bucket(5000)));
	ck_assert_uint_eq(latency_quantile(&l, 1), latency_end(latency_bucket(5000)));
}
END_TEST

static uint64_t
counted(const char *name)
{
	static struct latency sum[64];
	size_t n = latency_sums(stats, sum, 64);

	for (size_t i = 0; i < n; i++)
		if (strcmp(sum[i].name, name) == 0)
			return latency_count(&sum[i]);
	return 0;
}

START_TEST(a_sum_is_the_dead_and_the_living_by_name)
{
	struct stats_page *a = stats_page_open(stats, 1, 1, 0);
	struct stats_page *b = stats_page_open(stats, 2, 1, 1);

	ck_assert_ptr_nonnull(latency_row(stats, a, "other"));
	latency_record(latency_row(stats, a, "site"), 10);
	latency_record(latency_row(stats, b, "site"), 20);
	ck_assert_uint_eq(counted("site"), 2);
	stats_page_fold(stats, a);
	ck_assert_uint_eq(counted("site"), 2);
	stats_page_fold(stats, b);
	ck_assert_uint_eq(counted("site"), 2);
	a = stats_page_open(stats, 3, 1, 0);
	latency_record(latency_row(stats, a, "site"), 20);
	ck_assert_uint_eq(counted("site"), 3);
	ck_assert_uint_eq(counted("other"), 0);
}
END_TEST

START_TEST(what_an_older_master_has_freed_is_not_lost)
{
	struct stats_page *a = stats_page_open(stats, 1, 1, 0);

	latency_record(latency_row(stats, a, "site"), 10);
	memset(a, 0, sizeof *a); /* as it folds: it knows the page only */
	ck_assert_uint_eq(counted("site"), 1);
	a = stats_page_open(stats, 2, 1, 0);
	ck_assert_uint_eq(counted("site"), 1);
	latency_record(latency_row(stats, a, "site"), 10);
	ck_assert_uint_eq(counted("site"), 2);
}
END_TEST

START_TEST(rows_end)
{
	struct stats_page *a = stats_page_open(stats, 1, 1, 0);
	char name[16], long_name[LATENCY_NAME_MAX + 2];
	int n = 0;

	for (; n < 100; n++) {
		snprintf(name, sizeof name, "s%d", n);
		if (latency_row(stats, a, name) == NULL)
			break;
	}
	ck_assert_int_ge(n, 8);
	ck_assert_int_lt(n, 100);
	ck_assert_ptr_nonnull(latency_row(stats, a, "s0"));
	memset(long_name, 'x', sizeof long_name);
	long_name[LATENCY_NAME_MAX + 1] = '\0';
	ck_assert_ptr_null(latency_row(stats, a, long_name));
}
END_TEST

START_TEST(the_first_and_the_last_page_have_rows_of_their_own)
{
	struct stats_page *page = NULL, *next, *first = stats_page_open(stats, 1, 1, 0);

	for (uint64_t i = 2; (next = stats_page_open(stats, i, 1, 0)) != NULL; i++)
		page = next;
	latency_record(latency_row(stats, first, "site"), 10);
	latency_record(latency_row(stats, page, "site"), 10);
	ck_assert_uint_eq(counted("site"), 2);
	ck_assert_uint_eq(latency_count(latency_row(stats, first, "site")), 1);
	ck_assert_uint_eq(latency_count(latency_row(stats, page, "site")), 1);
}
END_TEST

START_TEST(a_worker_writes_its_own_rows_only)
{
	struct stats_page *own = stats_page_open(stats, 1, 1, 0);
	struct stats_page *other = stats_page_open(stats, 2, 1, 1);

	stats_protect(stats, own);
	latency_record(latency_row(stats, own, "site"), 10);
	latency_row(stats, other, "site"); /* SIGSEGV */
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("latency");
	TCase *t = tcase_create("rows");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, each_time_is_below_the_end_of_its_bucket_and_not_of_the_one_before);
	tcase_add_test(t, a_bucket_is_at_most_a_quarter_of_its_time);
	tcase_add_test(t, quantiles_are_ends_of_buckets);
	tcase_add_test(t, a_sum_is_the_dead_and_the_living_by_name);
	tcase_add_test(t, what_an_older_master_has_freed_is_not_lost);
	tcase_add_test(t, rows_end);
	tcase_add_test(t, the_first_and_the_last_page_have_rows_of_their_own);
#if !defined(__SANITIZE_ADDRESS__)
	tcase_add_test_raise_signal(t, a_worker_writes_its_own_rows_only, SIGSEGV);
#else
	(void)a_worker_writes_its_own_rows_only;
#endif
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
