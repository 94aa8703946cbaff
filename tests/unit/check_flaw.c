/* The order of flaws, their limit, and foreign words in sentences. */
#include "conf/flaw.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

static struct flaws flaws;

START_TEST(order_of_lines)
{
	static const char *const expected[] = {"one", "three", "three again", "seven", "end"};

	flaw_add(&flaws, 7, "seven");
	flaw_add(&flaws, FLAW_NO_LINE, "end");
	flaw_add(&flaws, 3, "three");
	flaw_add(&flaws, 1, "%s", "one");
	flaw_add(&flaws, 3, "three again");
	ck_assert_uint_eq(flaws.n, 5);
	for (int i = 0; i < 5; i++)
		ck_assert_str_eq(flaws.at[i].text, expected[i]);
	flaw_clear(&flaws);
	ck_assert_uint_eq(flaws.n, 0);
}
END_TEST

START_TEST(limit)
{
	for (int line = 1; line <= FLAWS_MAX; line++)
		flaw_add(&flaws, line * 2, "%d", line * 2);
	ck_assert_uint_eq(flaws.n, FLAWS_MAX);
	ck_assert_uint_eq(flaws.more, 0);
	flaw_add(&flaws, 1000, "late");
	flaw_add(&flaws, FLAWS_MAX * 2, "as late as the last");
	ck_assert_str_eq(flaws.at[FLAWS_MAX - 1].text, "200");
	flaw_add(&flaws, 1, "early");
	ck_assert_str_eq(flaws.at[0].text, "early");
	ck_assert_str_eq(flaws.at[FLAWS_MAX - 1].text, "198");
	ck_assert_uint_eq(flaws.n, FLAWS_MAX);
	ck_assert_uint_eq(flaws.more, 3);
	flaw_clear(&flaws);
	ck_assert_uint_eq(flaws.more, 0);
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
	ck_assert_str_eq(flaw_word(words[_i].s).text, words[_i].word);
}
END_TEST

START_TEST(widest_word)
{
	char bytes[1000];

	memset(bytes, 0xff, sizeof bytes);
	bytes[FLAW_WORD_MAX] = '\0';
	ck_assert_uint_eq(strlen(flaw_word(bytes).text), FLAW_WORD_MAX * 4);
	bytes[FLAW_WORD_MAX] = (char)0xff;
	bytes[999] = '\0';
	ck_assert_uint_eq(strlen(flaw_word(bytes).text), (FLAW_WORD_MAX - 3) * 4 + 3);
}
END_TEST

START_TEST(escape_keeps_all)
{
	char *s = flaw_escape(X57 X57 "\n\r.");

	ck_assert_str_eq(s, X57 X57 "\\x0a\\x0d.");
	mem_free(&s);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("flaw");
	TCase *tc = tcase_create("flaw");
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
