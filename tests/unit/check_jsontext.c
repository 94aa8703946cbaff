/* Bytes in the state: what goes in comes out, and nothing else does. */
#include "master/state/jsontext.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

START_TEST(every_byte_comes_back)
{
	char all[256], *back;
	size_t len = 0;
	json_t *j;

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	j = jsontext_bytes(all, sizeof all);
	ck_assert_ptr_nonnull(j);
	back = jsontext_read(j, &len);
	ck_assert_uint_eq(len, sizeof all);
	ck_assert_mem_eq(back, all, sizeof all);
	ck_assert_int_eq(back[len], '\0');
	free(back);
	json_decref(j);
}
END_TEST

START_TEST(a_text_comes_back)
{
	static const char *const texts[] = {"", "plain", "/tmp/u\xff", "\xc3\xa4"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		json_t *j = jsontext_text(texts[i]);
		char *back = jsontext_read_text(j);

		ck_assert_str_eq(back, texts[i]);
		free(back);
		json_decref(j);
	}
}
END_TEST

START_TEST(null_is_no_text)
{
	json_t *j = jsontext_text(NULL);

	ck_assert(json_is_null(j));
	ck_assert_ptr_null(jsontext_read_text(j));
	ck_assert_ptr_null(jsontext_read_text(NULL));
}
END_TEST

START_TEST(what_is_damaged_is_no_text)
{
	static const char *const bad[] = {"1", "123", "0g", "g0", "  ", "AB", "0\xc3\xa4"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		json_t *j = json_string(bad[i]);

		ck_assert_ptr_nonnull(j);
		ck_assert_ptr_null(jsontext_read_text(j));
		json_decref(j);
	}
}
END_TEST

START_TEST(what_is_shown_is_always_a_string)
{
	static const char full[4] = {'a', '\xc3', '\xa4', '\xc3'};
	json_t *j = jsontext_shown("u\xff", SIZE_MAX);

	ck_assert_str_eq(json_string_value(j), "u?");
	json_decref(j);
	j = jsontext_shown(full, sizeof full);
	ck_assert_str_eq(json_string_value(j), "a\xc3\xa4?");
	json_decref(j);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("record");
	TCase *tc = tcase_create("record");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, every_byte_comes_back);
	tcase_add_test(tc, a_text_comes_back);
	tcase_add_test(tc, null_is_no_text);
	tcase_add_test(tc, what_is_damaged_is_no_text);
	tcase_add_test(tc, what_is_shown_is_always_a_string);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
