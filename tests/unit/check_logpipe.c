/* logpipe: what of a worker's bytes is passed on. */
#include "master/workers/logpipe.h"

#include <string.h>

#include <check.h>

START_TEST(whole_lines_are_ready)
{
	ck_assert_uint_eq(logpipe_ready("", 0), 0);
	ck_assert_uint_eq(logpipe_ready("half", 4), 0);
	ck_assert_uint_eq(logpipe_ready("\n", 1), 1);
	ck_assert_uint_eq(logpipe_ready("a\nb\nhalf", 8), 4);
	ck_assert_uint_eq(logpipe_ready("a\nb\n", 4), 4);
	ck_assert_uint_eq(logpipe_ready("\0\n\0", 3), 2);
}
END_TEST

START_TEST(a_line_without_an_end_is_so_at_its_limit)
{
	static char bytes[LOGPIPE_MAX];

	memset(bytes, 'x', sizeof bytes);
	ck_assert_uint_eq(logpipe_ready(bytes, sizeof bytes - 1), 0);
	ck_assert_uint_eq(logpipe_ready(bytes, sizeof bytes), sizeof bytes);
	bytes[7] = '\n';
	ck_assert_uint_eq(logpipe_ready(bytes, sizeof bytes), 8);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("logpipe");
	TCase *tc = tcase_create("logpipe");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, whole_lines_are_ready);
	tcase_add_test(tc, a_line_without_an_end_is_so_at_its_limit);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
