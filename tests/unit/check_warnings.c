/* warnings: the sentences. */
#include <check.h>
#include <stdlib.h>

#include "master/change/warnings.h"

static void
expect(enum stats_overdue_kind kind, uint64_t n, uint64_t ms, const char *want)
{
	char *got = warnings_overdue(kind, n, ms);

	if (want == NULL)
		ck_assert_ptr_null(got);
	else
		ck_assert_str_eq(got, want);
	free(got);
}

START_TEST(one_and_many)
{
	expect(STATS_OVERDUE_CTX, 0, 12000, NULL);
	expect(STATS_OVERDUE_CTX, 1, 12999,
	       "1 ctx has ended and is still held, for 12 s; see `batonctl tasks`");
	expect(STATS_OVERDUE_CTX, 2, 0,
	       "2 ctxs have ended and are still held, the first for 0 s; see `batonctl tasks`");
	expect(
	    STATS_OVERDUE_CONN, UINT64_MAX, UINT64_MAX,
	    "18446744073709551615 connections are busy for longer than their service's limits "
	    "allow, the first for 18446744073709551 s; see `batonctl conns`");
}
END_TEST

START_TEST(every_kind_has_its_words)
{
	for (int kind = 0; kind < STATS_OVERDUE_N; kind++)
		for (uint64_t n = 1; n <= 2; n++) {
			char *text = warnings_overdue((enum stats_overdue_kind)kind, n, 1);

			ck_assert_ptr_nonnull(text);
			free(text);
		}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("warnings");
	TCase *t = tcase_create("sentences");
	SRunner *sr;
	int failed;

	tcase_add_test(t, one_and_many);
	tcase_add_test(t, every_kind_has_its_words);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
