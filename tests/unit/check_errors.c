/* The order of errors, their limit, and foreign words in sentences. */
#include "conf/errors.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

static struct conf_errors errors;

START_TEST(order_of_lines)
{
	static const char *const expected[] = {"one", "three", "three again", "seven", "end"};

	conf_error(&errors, 7, "seven");
	conf_error(&errors, CONF_NO_LINE, "end");
	conf_error(&errors, 3, "three");
	conf_error(&errors, 1, "%s", "one");
	conf_error(&errors, 3, "three again");
	ck_assert_uint_eq(errors.n, 5);
	for (int i = 0; i < 5; i++)
		ck_assert_str_eq(errors.at[i].text, expected[i]);
	conf_errors_free(&errors);
	ck_assert_uint_eq(errors.n, 0);
}
END_TEST

START_TEST(limit)
{
	for (int line = 1; line <= CONF_ERRORS_MAX; line++)
		conf_error(&errors, line * 2, "%d", line * 2);
	ck_assert_uint_eq(errors.n, CONF_ERRORS_MAX);
	ck_assert_uint_eq(errors.more, 0);
	conf_error(&errors, 1000, "late");
	conf_error(&errors, CONF_ERRORS_MAX * 2, "as late as the last");
	ck_assert_str_eq(errors.at[CONF_ERRORS_MAX - 1].text, "200");
	conf_error(&errors, 1, "early");
	ck_assert_str_eq(errors.at[0].text, "early");
	ck_assert_str_eq(errors.at[CONF_ERRORS_MAX - 1].text, "198");
	ck_assert_uint_eq(errors.n, CONF_ERRORS_MAX);
	ck_assert_uint_eq(errors.more, 3);
	conf_errors_free(&errors);
	ck_assert_uint_eq(errors.more, 0);
}
END_TEST

#define X57 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	const char *s, *word;
} words[] = {
    {"", ""},
    {"plain word", "plain word"},
    {"~", "~"},
    {"tab\there", "tab\\x09here"},
    {"\x1b[31mred", "\\x1b[31mred"},
    {"\x7f", "\\x7f"},
    {"\xc3\xa4", "\\xc3\\xa4"},
    {X57 "123", X57 "123"},
    {X57 "1234", X57 "..."},
};

START_TEST(word)
{
	ck_assert_str_eq(conf_word(words[_i].s).text, words[_i].word);
}
END_TEST

START_TEST(widest_word)
{
	char bytes[1000];

	memset(bytes, 0xff, sizeof bytes);
	bytes[CONF_WORD_MAX] = '\0';
	ck_assert_uint_eq(strlen(conf_word(bytes).text), CONF_WORD_MAX * 4);
	bytes[CONF_WORD_MAX] = (char)0xff;
	bytes[999] = '\0';
	ck_assert_uint_eq(strlen(conf_word(bytes).text), (CONF_WORD_MAX - 3) * 4 + 3);
}
END_TEST

START_TEST(escape_keeps_all)
{
	char *s = conf_escape(X57 X57 "\n\r.");

	ck_assert_str_eq(s, X57 X57 "\\x0a\\x0d.");
	mem_free(&s);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("errors");
	TCase *tc = tcase_create("errors");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, order_of_lines);
	tcase_add_test(tc, limit);
	tcase_add_loop_test(tc, word, 0, COUNT(words));
	tcase_add_test(tc, widest_word);
	tcase_add_test(tc, escape_keeps_all);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
