/* range: which part, and whether at all (RFC 9110, sections 13 and 14). */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "service/http/range.h"

#define TEXT(s) ((struct request_text){(s), (s) != NULL ? strlen(s) : 0})
#define LIST(s) ((struct request_list){(s) != NULL, {TEXT(s)}})

static const struct {
	const char *value;
	uint64_t size;
	enum range_result result;
	uint64_t first, last;
} parts[] = {
    {NULL, 10, RANGE_WHOLE, 0, 0},
    {"bytes=0-0", 10, RANGE_PART, 0, 0},
    {"bytes=0-9", 10, RANGE_PART, 0, 9},
    {"bytes=2-5", 10, RANGE_PART, 2, 5},
    {"bytes=2-99", 10, RANGE_PART, 2, 9},
    {"bytes=9-", 10, RANGE_PART, 9, 9},
    {"Bytes=0-", 10, RANGE_PART, 0, 9},
    {"bytes=-1", 10, RANGE_PART, 9, 9},
    {"bytes=-10", 10, RANGE_PART, 0, 9},
    {"bytes=-11", 10, RANGE_PART, 0, 9},
    {"bytes=-18446744073709551616", 10, RANGE_PART, 0, 9},
    {"bytes=-99999999999999999999999", 10, RANGE_PART, 0, 9},
    {"bytes=3-18446744073709551615", 10, RANGE_PART, 3, 9},
    {"bytes=3-99999999999999999999999", 10, RANGE_PART, 3, 9},
    {"bytes=00000000000000000000003-4", 10, RANGE_PART, 3, 4},
    {"bytes=9223372036854775806-", INT64_MAX, RANGE_PART, INT64_MAX - 1, INT64_MAX - 1},
    {"bytes=10-", 10, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=10-11", 10, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-0", 10, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=-5", 0, RANGE_WHOLE, 0, 0},
    {"bytes=18446744073709551615-", 10, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=99999999999999999999999-", 10, RANGE_UNSATISFIABLE, 0, 0},
    {"bytes=5-4", 10, RANGE_WHOLE, 0, 0},
    {"bytes=-", 10, RANGE_WHOLE, 0, 0},
    {"bytes=", 10, RANGE_WHOLE, 0, 0},
    {"bytes", 10, RANGE_WHOLE, 0, 0},
    {"", 10, RANGE_WHOLE, 0, 0},
    {"bytes=5", 10, RANGE_WHOLE, 0, 0},
    {"bytes=1-2,4-5", 10, RANGE_WHOLE, 0, 0},
    {"bytes=1-2x", 10, RANGE_WHOLE, 0, 0},
    {"bytes=1--2", 10, RANGE_WHOLE, 0, 0},
    {"bytes=--2", 10, RANGE_WHOLE, 0, 0},
    {"bytes=+1-2", 10, RANGE_WHOLE, 0, 0},
    {"bytes=1 - 2", 10, RANGE_WHOLE, 0, 0},
    {"bytes=0x1-2", 10, RANGE_WHOLE, 0, 0},
    {"lines=1-2", 10, RANGE_WHOLE, 0, 0},
};

START_TEST(each_part)
{
	struct request_text value = TEXT(parts[_i].value);
	uint64_t first = 0, last = 0;
	enum range_result r = range_parse(&value, parts[_i].size, &first, &last);

	ck_assert_msg(r == parts[_i].result, "%s: %d", parts[_i].value, r);
	if (r != RANGE_PART)
		return;
	ck_assert_uint_eq(first, parts[_i].first);
	ck_assert_uint_eq(last, parts[_i].last);
}
END_TEST

#define NOW 784111777

static const struct {
	const char *text;
	time_t t;
} dates[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", NOW},
    {"Sunday, 06-Nov-94 08:49:37 GMT", NOW},
    {"Sun Nov  6 08:49:37 1994", NOW},
    {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"Fri, 31 Dec 9999 23:59:59 GMT", 253402300799},
    {"Sun Nov  6 08:49:37 1194", 0}, /* a date, if an early one */
    {"Wed, 31 Dec 1969 23:59:59 GMT", 0},
    {NULL, -1},
    {"", -1},
    {"yesterday", -1},
    {"Sun, 06 Nov 1994 08:49:37", -1},
    {"Sun, 06 Nov 1994 08:49:37 GMT+1", -1},
    {"Sun, 06 Nov 1994 08:49:37 CET", -1},
    {"Sun, 06 Nov 1994 25:49:37 GMT", -1},
    {"784111777", -1},
    {"Sun, 06 Nov 1994 08:49:37 GMT                                        and on", -1},
};

START_TEST(each_date)
{
	struct request_text value = TEXT(dates[_i].text);

	ck_assert_int_eq(range_date(&value), dates[_i].t);
}
END_TEST

static const struct {
	const char *list;
	int strong, weak; /* does it have "a"? */
} lists[] = {
    {"\"a\"", 1, 1},
    {"*", 1, 1},
    {"W/\"a\"", 0, 1},
    {"\"b\"", 0, 0},
    {"\"b\", \"a\"", 1, 1},
    {"\"b\" , W/\"c\",,\"a\"", 1, 1},
    {"\"b,\", \"a\"", 1, 1},
    {"\"aa\"", 0, 0},
    {"\"\"", 0, 0},
    {"", 0, 0},
    {"a", 0, 0},
    {"\"a", 0, 0},
    {"a\"", 0, 0},
    {"W/", 0, 0},
    {"W/a", 0, 0},
    {"w/\"a\"", 0, 0},
    {"\"b\", a, \"a\"", 0, 0},
    {"**", 0, 0},
    {"\"", 0, 0},
    {"\"a\"\"b\"", 1, 1},
};

START_TEST(each_list_of_tags)
{
	const char *text = lists[_i].list;
	struct request_list list = LIST(text);

	ck_assert_msg(range_has_etag(&list, "\"a\"", 0) == lists[_i].strong, "%s", text);
	ck_assert_msg(range_has_etag(&list, "\"a\"", 1) == lists[_i].weak, "%s", text);
}
END_TEST

static const struct {
	const char *line[REQUEST_LINES_MAX];
	unsigned n;
	int strong, weak;
} spread[] = {
    {{"\"a\"", "\"b\""}, 2, 1, 1},
    {{"\"b\"", "\"a\""}, 2, 1, 1},
    {{"\"b\"", "\"c\"", "", "\"d\", \"a\""}, 4, 1, 1},
    {{"W/\"a\"", "\"b\""}, 2, 0, 1},
    {{"\"b\"", "W/\"a\""}, 2, 0, 1},
    {{"W/\"a\"", "\"a\""}, 2, 1, 1},
    {{"\"b\"", "\"c\""}, 2, 0, 0},
    {{"", ""}, 2, 0, 0},
    {{"a", "\"a\""}, 2, 0, 0}, /* as in one line: what is no tag ends it */
    {{"*", "\"b\""}, 2, 0, 0},
    {{"\"b\"", "*"}, 2, 0, 0},
    {{"*", "*"}, 2, 0, 0},
};

/* The lines, and the same in one line. */
START_TEST(each_list_in_several_lines)
{
	struct request_list list = {.n = spread[_i].n};
	char joined[100] = "";

	for (unsigned i = 0; i < list.n; i++) {
		list.line[i] = TEXT(spread[_i].line[i]);
		strcat(strcat(joined, i > 0 ? ", " : ""), spread[_i].line[i]);
	}
	ck_assert_msg(range_has_etag(&list, "\"a\"", 0) == spread[_i].strong, "%s", joined);
	ck_assert_msg(range_has_etag(&list, "\"a\"", 1) == spread[_i].weak, "%s", joined);
	list = LIST(joined);
	ck_assert_msg(range_has_etag(&list, "\"a\"", 0) == spread[_i].strong, "%s", joined);
	ck_assert_msg(range_has_etag(&list, "\"a\"", 1) == spread[_i].weak, "%s", joined);
}
END_TEST

#define AT     "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct {
	const char *match, *unmodified, *none, *modified;
	int status;
} conditions[] = {
    {NULL, NULL, NULL, NULL, 0},         {"\"a\"", NULL, NULL, NULL, 0},
    {"\"b\"", NULL, NULL, NULL, 412},    {"", NULL, NULL, NULL, 412},
    {"W/\"a\"", NULL, NULL, NULL, 412}, /* strong */
    {"*", BEFORE, NULL, NULL, 0},       /* the tag wins */
    {"\"b\"", AFTER, NULL, NULL, 412},   {NULL, AT, NULL, NULL, 0},
    {NULL, BEFORE, NULL, NULL, 412},     {NULL, "never", NULL, NULL, 0},
    {NULL, NULL, "\"a\"", NULL, 304},    {NULL, NULL, "W/\"a\"", NULL, 304},
    {NULL, NULL, "\"b\"", AFTER, 0}, /* the tag wins */
    {NULL, NULL, "\"a\"", BEFORE, 304},  {NULL, NULL, NULL, AT, 304},
    {NULL, NULL, NULL, AFTER, 304},      {NULL, NULL, NULL, BEFORE, 0},
    {NULL, NULL, NULL, "never", 0},      {"\"a\"", NULL, "\"a\"", NULL, 304},
    {"\"b\"", NULL, "\"a\"", NULL, 412}, /* first things first */
};

START_TEST(each_condition)
{
	struct request r = {.if_match = LIST(conditions[_i].match),
	                    .if_unmodified_since = TEXT(conditions[_i].unmodified),
	                    .if_none_match = LIST(conditions[_i].none),
	                    .if_modified_since = TEXT(conditions[_i].modified)};

	ck_assert_int_eq(range_precondition(&r, "\"a\"", NOW), conditions[_i].status);
}
END_TEST

static const struct {
	const char *if_range;
	time_t modified;
	int allowed;
} alloweds[] = {
    {NULL, NOW, 1},           {"\"a\"", NOW, 1},    {"\"b\"", NOW, 0},
    {"W/\"a\"", NOW, 0},      {AT, NOW, 1},         {BEFORE, NOW, 0},
    {AFTER, NOW, 0},          {"", NOW, 0},         {"nonsense", NOW, 0},
    {"nonsense", -1, 0},      {"*", NOW, 0},        {"\"a\", \"a\"", NOW, 0}, /* no list */
    {"\"b\", \"a\"", NOW, 0}, {AT ", " AT, NOW, 0},
};

START_TEST(each_if_range)
{
	struct request r = {.if_range = TEXT(alloweds[_i].if_range)};

	ck_assert_int_eq(range_allowed(&r, "\"a\"", alloweds[_i].modified),
	                 alloweds[_i].allowed);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("range");
	TCase *t = tcase_create("parts");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(t, each_part, 0, sizeof parts / sizeof *parts);
	tcase_add_loop_test(t, each_date, 0, sizeof dates / sizeof *dates);
	tcase_add_loop_test(t, each_list_of_tags, 0, sizeof lists / sizeof *lists);
	tcase_add_loop_test(t, each_list_in_several_lines, 0, sizeof spread / sizeof *spread);
	tcase_add_loop_test(t, each_condition, 0, sizeof conditions / sizeof *conditions);
	tcase_add_loop_test(t, each_if_range, 0, sizeof alloweds / sizeof *alloweds);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
