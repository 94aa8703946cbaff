/* record: the members of a struct, there and back. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "master/state/record.h"

struct sample {
	int number;
	uint32_t small;
	uint64_t large;
	bool so;
	uint64_t later;
};

static const struct record_field fields[] = {RECORD(sample, number),      RECORD(sample, small),
                                             RECORD(sample, large),       RECORD(sample, so),
                                             RECORD_LATER(sample, later), {.name = NULL}};

static const struct sample full = {
    .number = -7, .small = UINT32_MAX, .large = INT64_MAX, .so = true, .later = 9};

START_TEST(there_and_back)
{
	json_t *j = record_save(fields, &full);
	struct sample to = {.number = 1};

	ck_assert_uint_eq(json_object_size(j), 5);
	ck_assert_int_eq(record_restore(fields, j, &to), 0);
	ck_assert_int_eq(to.number, -7);
	ck_assert_uint_eq(to.small, UINT32_MAX);
	ck_assert_uint_eq(to.large, INT64_MAX);
	ck_assert(to.so);
	ck_assert_uint_eq(to.later, 9);
	json_decref(j);
}
END_TEST

/* One is missing, or of another kind: nothing is changed. */
START_TEST(a_damaged_one)
{
	static const char *const needed[] = {"number", "small", "large", "so"};
	json_t *j = record_save(fields, &full);
	struct sample to = {.number = 1};

	if (_i < 4)
		json_object_del(j, needed[_i]);
	else
		json_object_set_new(j, needed[_i - 4], json_string("7"));
	ck_assert_int_eq(record_restore(fields, j, &to), -1);
	ck_assert_int_eq(to.number, 1);
	ck_assert_uint_eq(to.small, 0);
	json_decref(j);
}
END_TEST

START_TEST(one_of_a_build_before)
{
	json_t *j = record_save(fields, &full);
	struct sample to = {.later = 3};

	json_object_del(j, "later");
	json_object_set_new(j, "what nobody knows", json_true());
	ck_assert_int_eq(record_restore(fields, j, &to), 0);
	ck_assert_uint_eq(to.later, 3); /* it stays as it was */
	ck_assert_uint_eq(to.large, INT64_MAX);
	json_decref(j);
}
END_TEST

START_TEST(nothing_at_all)
{
	struct sample to = {.number = 1};

	ck_assert_int_eq(record_restore(fields, NULL, &to), -1);
	ck_assert_int_eq(to.number, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("record");
	TCase *tc = tcase_create("record");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tc, there_and_back);
	tcase_add_loop_test(tc, a_damaged_one, 0, 8);
	tcase_add_test(tc, one_of_a_build_before);
	tcase_add_test(tc, nothing_at_all);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
