/* "did you mean ...?": distances, and how near is near enough. */
#include "conf/suggest.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))
#define X63      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *a, *b;
	size_t distance;
} pairs[] = {
    {"", "", 0},
    {"", "abc", 3},
    {"workers", "workers", 0},
    {"WORKERS", "workers", 0},
    {"worker", "workers", 1},
    {"workerss", "workers", 1},
    {"wirkers", "workers", 1},
    {"wokrers", "workers", 1},
    {"owkresr", "workers", 3},
    {"sevrer", "server", 1},
    {"kitten", "sitting", 3},
    {"ca", "abc", 3},
    {"abcd", "wxyz", 4},
    {X63, X63, 0},
    {X63, "", 63},
    {X63 "x", X63, SIZE_MAX},
};

START_TEST(distance)
{
	ck_assert_uint_eq(suggest_distance(pairs[_i].a, pairs[_i].b), pairs[_i].distance);
	ck_assert_uint_eq(suggest_distance(pairs[_i].b, pairs[_i].a), pairs[_i].distance);
}
END_TEST

static const char *const candidates[] = {"log",  "log_level", "user", "no", "max_generations",
                                         "info", NULL};

static const struct {
	const char *word, *best;
} guesses[] = {
    {"log", "log"},
    {"Log", "log"},
    {"lg", "log"},
    {"logs", "log"},
    {"users", "user"},
    {"usre", "user"},
    {"loglevel", "log_level"},
    {"log-level", "log_level"},
    {"inof", "info"},
    {"max_genrations", "max_generations"},
    {"max_gnrtions", "max_generations"},
    {"mx_gnrtns", NULL},
    {"foo", NULL},
    {"usxx", NULL},
    {"n", NULL},
    {"", NULL},
    {"xyzzy", NULL},
    {X63 X63, NULL},
};

START_TEST(guess)
{
	struct suggest s = suggest_for(guesses[_i].word);

	suggest_offer_all(&s, candidates);
	if (guesses[_i].best == NULL)
		ck_assert_msg(s.best == NULL, "%s for %s", s.best, guesses[_i].word);
	else
		ck_assert_pstr_eq(s.best, guesses[_i].best);
}
END_TEST

START_TEST(first_of_equals)
{
	struct suggest s = suggest_for("bat");

	suggest_offer(&s, "cat");
	suggest_offer(&s, "rat");
	ck_assert_pstr_eq(s.best, "cat");
	suggest_offer(&s, "bat");
	ck_assert_pstr_eq(s.best, "bat");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("suggest");
	TCase *tc = tcase_create("suggest");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, distance, 0, COUNT(pairs));
	tcase_add_loop_test(tc, guess, 0, COUNT(guesses));
	tcase_add_test(tc, first_of_equals);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
