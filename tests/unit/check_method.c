/* method: each is found by its name as it is written, and by nothing else. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "service/head/method.h"

START_TEST(each_is_found_by_its_name)
{
	for (int m = 0; m < METHOD_OTHER; m++) {
		const char *name = method_name((enum method)m);
		size_t n = strlen(name);

		ck_assert_uint_gt(n, 0);
		ck_assert_int_eq(method_find(name, n), m);
		ck_assert_int_eq(method_find(name, n - 1), METHOD_OTHER);
		ck_assert_int_eq(method_find(name, n + 1), METHOD_OTHER);
	}
}
END_TEST

START_TEST(any_other_token_is_another)
{
	ck_assert_int_eq(method_find("get", 3), METHOD_OTHER);
	ck_assert_int_eq(method_find("BREW", 4), METHOD_OTHER);
	ck_assert_int_eq(method_find("", 0), METHOD_OTHER);
	ck_assert_int_eq(method_find("M-SEARCH", 8), METHOD_MSEARCH);
	ck_assert_str_eq(method_name(METHOD_OTHER), "");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("method");
	TCase *t = tcase_create("method");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(t, each_is_found_by_its_name);
	tcase_add_test(t, any_other_token_is_another);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
