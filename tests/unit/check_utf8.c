/* UTF-8: what is a character, and what becomes of the rest. */
#include "base/utf8.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

static const struct {
	const char *text, *repaired; /* the same when it is valid */
} cases[] = {
    {"", ""},
    {"plain\t\x7f", "plain\t\x7f"},
    {"\xc2\x80\xdf\xbf", "\xc2\x80\xdf\xbf"},
    {"\xe0\xa0\x80\xef\xbf\xbf", "\xe0\xa0\x80\xef\xbf\xbf"},
    {"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
    {"\xff", "?"},
    {"/tmp/u\xff/v", "/tmp/u?/v"},
    {"\x80", "?"},
    {"\xc3", "?"},
    {"\xc3(", "?("},
    {"\xe2\x82", "??"},
    {"\xe2\x82\xac\xe2", "\xe2\x82\xac?"},
    {"\xf0\x9f\x98", "???"},
    {"\xc0\xaf", "??"},           /* overlong */
    {"\xe0\x9f\xbf", "???"},      /* overlong */
    {"\xf0\x8f\xbf\xbf", "????"}, /* overlong */
    {"\xed\xa0\x80", "???"},      /* a surrogate */
    {"\xf4\x90\x80\x80", "????"}, /* beyond U+10FFFF */
    {"\xf8\x88\x80\x80\x80", "?????"},
    {"gr\xfc\xdf", "gr??"},
};

START_TEST(repaired)
{
	char *text = mem_strdup(cases[_i].text);

	ck_assert_int_eq(utf8_valid(text), strcmp(text, cases[_i].repaired) == 0);
	utf8_repair(text);
	ck_assert_str_eq(text, cases[_i].repaired);
	ck_assert(utf8_valid(text));
	free(text);
}
END_TEST

/* Whatever is repaired is a text for JSON. */
START_TEST(jansson_agrees)
{
	char text[5] = "";

	for (unsigned long i = 0; i < 1ul << 20; i++) {
		json_t *j;

		for (int k = 0; k < 4; k++) /* bytes of each kind, the bounds among them */
			text[k] = "\x01\x41\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1"
			          "\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xf7\xf8\xfb\xfc\xfd\xfe"
			          "\xff"[(i >> 5 * k) % 31];
		j = json_string(text);
		ck_assert_msg(utf8_valid(text) == (j != NULL), "%02x %02x %02x %02x",
		              text[0] & 255, text[1] & 255, text[2] & 255, text[3] & 255);
		json_decref(j);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("utf8");
	TCase *tc = tcase_create("utf8");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, repaired, 0, COUNT(cases));
	tcase_add_test(tc, jansson_agrees);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
