/* What ps shows, and what is left of the environment. */
#include "base/title.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* Its first line; the NULs behind it are no part of it. */
static char *
shown(void)
{
	static char text[65536];
	FILE *f = fopen("/proc/self/cmdline", "re");

	ck_assert_ptr_nonnull(f);
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
	return text;
}

START_TEST(shorter_and_longer_than_the_arguments)
{
	title_set("%s", "x");
	ck_assert_str_eq(shown(), "x");
	title_set(
	    "baton: worker %d, generation %d, and what makes it longer than its arguments",
	    4294967, 4294967);
	ck_assert_str_eq(shown(),
	                 "baton: worker 4294967, generation 4294967, and what makes it longer "
	                 "than its arguments");
}
END_TEST

START_TEST(the_environment_stays)
{
	char *before = strdup(getenv("TITLE"));

	title_set("%0200d", 0);
	ck_assert_str_eq(getenv("TITLE"), before);
	ck_assert_int_eq(setenv("TITLE", "new", 1), 0);
	ck_assert_str_eq(getenv("TITLE"), "new");
	ck_assert_int_eq(unsetenv("TITLE"), 0);
	ck_assert_ptr_null(getenv("TITLE"));
	free(before);
}
END_TEST

/* The name of the file stands behind the environment. */
START_TEST(too_long_is_cut)
{
	const char *file = (const char *)getauxval(AT_EXECFN);
	char *before = strdup(file);

	title_set("%0200000d", 0);
	ck_assert_uint_gt(strlen(shown()), strlen(before));
	ck_assert_str_eq(file, before);
	free(before);
}
END_TEST

static int
run_tests(void)
{
	Suite *suite = suite_create("title");
	TCase *tc = tcase_create("title");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, shorter_and_longer_than_the_arguments);
	tcase_add_test(tc, the_environment_stays);
	tcase_add_test(tc, too_long_is_cut);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Its own program again, so that the kernel lays out a variable that is known. */
int
main(int argc, char **argv)
{
	char again[] = "again";
	char *args[] = {argv[0], again, NULL};

	if (argc == 1) {
		setenv("TITLE", "a variable", 1);
		execv(argv[0], args);
		return EXIT_FAILURE;
	}
	title_begin(argv);
	return run_tests();
}
