/* chunked: the framing of a body, whole and in every two pieces. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "service/head/chunked.h"

static const struct {
	const char *bytes;
	enum chunked_result result;
	size_t used; /* of what is done */
	uint64_t total;
} cases[] = {
    {"0\r\n\r\n", CHUNKED_DONE, 5, 0},
    {"5\r\nhello\r\n0\r\n\r\nGET /", CHUNKED_DONE, 15, 5},
    {"a\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n", CHUNKED_DONE, 37, 20},
    {"2\r\n\r\n\r\n0\r\n\r\n", CHUNKED_DONE, 12, 2},
    {"1;a=b;c=\"d\"\r\nx\r\n0;e\r\n\r\n", CHUNKED_DONE, 23, 1},
    {"0\r\nX: y\r\nZ: a\tb\r\n\r\n", CHUNKED_DONE, 19, 0},
    {"000000000000005\r\nhello\r\n0\r\n\r\n", CHUNKED_DONE, 29, 5},
    {"0000000000000000000000000000000000000000000005\r\nhello\r\n0\r\n\r\n", CHUNKED_DONE, 60,
     5},
    {"00000000000000000000000000000000\r\n\r\n", CHUNKED_DONE, 36, 0},
    {"5 \t ;a=b\r\nhello\r\n0 ; c\r\n\r\n", CHUNKED_DONE, 26, 5},
    {"5;\r\nhello\r\n0\r\n\r\n", CHUNKED_DONE, 16, 5},
    {"", CHUNKED_MORE, 0, 0},
    {"5", CHUNKED_MORE, 0, 0},
    {"5\r\nhel", CHUNKED_MORE, 0, 5},
    {"5\r\nhello\r\n", CHUNKED_MORE, 0, 5},
    {"0\r\n\r", CHUNKED_MORE, 0, 0},
    {"fffffffffffffff\r\n", CHUNKED_MORE, 0, 0xfffffffffffffff},
    {"\r\n", CHUNKED_BAD, 0, 0},
    {";a\r\n", CHUNKED_BAD, 0, 0},
    {"g\r\n", CHUNKED_BAD, 0, 0},
    {"-1\r\n", CHUNKED_BAD, 0, 0},
    {"+1\r\n", CHUNKED_BAD, 0, 0},
    {" 1\r\n", CHUNKED_BAD, 0, 0},
    {"1 \r\n", CHUNKED_BAD, 0, 0},
    {"1\t\r\n", CHUNKED_BAD, 0, 0},
    {"1 1\r\n", CHUNKED_BAD, 0, 0},
    {"1 x\r\n", CHUNKED_BAD, 0, 0},
    {"1 \n", CHUNKED_BAD, 0, 0},
    {" ;\r\n", CHUNKED_BAD, 0, 0},
    {"0;a\x7f", CHUNKED_BAD, 0, 0},
    {"0x1\r\n", CHUNKED_BAD, 0, 0},
    {"1\nx\r\n", CHUNKED_BAD, 0, 0},
    {"1\rx\r\n", CHUNKED_BAD, 0, 0},
    {"1\r\nxy", CHUNKED_BAD, 0, 1},
    {"1\r\nx\n", CHUNKED_BAD, 0, 1},
    {"1\r\nx\r0", CHUNKED_BAD, 0, 1},
    {"0\r\n\n", CHUNKED_BAD, 0, 0},
    {"0\r\n\rx", CHUNKED_BAD, 0, 0},
    {"0\r\nX: y\n\r\n", CHUNKED_BAD, 0, 0},
    {"0\r\nX: y\rz", CHUNKED_BAD, 0, 0},
    {"0;a\nb", CHUNKED_BAD, 0, 0},
    {"0;a\x01", CHUNKED_BAD, 0, 0},
    {"1000000000000000\r\n", CHUNKED_BAD, 0, 0},
};

static void
assert_result(int i, size_t split, const struct chunked *c, enum chunked_result r, size_t used)
{
	ck_assert_msg(r == cases[i].result, "case %d split at %zu: %d", i, split, r);
	ck_assert_uint_eq(c->total, cases[i].total);
	if (r == CHUNKED_DONE)
		ck_assert_uint_eq(used, cases[i].used);
}

START_TEST(each_body_in_every_two_pieces)
{
	const char *bytes = cases[_i].bytes;
	size_t len = strlen(bytes);

	for (size_t split = 0; split <= len; split++) {
		struct chunked c = {0};
		size_t first = 0, second = 0;
		enum chunked_result r = chunked_feed(&c, bytes, split, &first);

		if (r == CHUNKED_MORE) {
			ck_assert_uint_eq(first, split);
			r = chunked_feed(&c, bytes + split, len - split, &second);
		}
		assert_result(_i, split, &c, r, first + second);
	}
}
END_TEST

START_TEST(each_body_byte_by_byte)
{
	const char *bytes = cases[_i].bytes;
	struct chunked c = {0};
	enum chunked_result r = CHUNKED_MORE;
	size_t n = 0;

	while (r == CHUNKED_MORE && bytes[n] != '\0') {
		size_t used = 0;

		r = chunked_feed(&c, bytes + n++, 1, &used);
		ck_assert_uint_eq(used, 1);
	}
	assert_result(_i, 1, &c, r, n);
}
END_TEST

START_TEST(what_is_bad_stays_bad)
{
	struct chunked c = {0};
	size_t used;

	if (cases[_i].result != CHUNKED_BAD)
		return;
	chunked_feed(&c, cases[_i].bytes, strlen(cases[_i].bytes), &used);
	ck_assert_int_eq(chunked_feed(&c, "\n", 1, &used), CHUNKED_BAD);
	ck_assert_int_eq(chunked_feed(&c, "0\r\n\r\n", 5, &used), CHUNKED_BAD);
}
END_TEST

static const struct {
	const char *before, *again, *after;
	size_t max;
} extras[] = {
    {"1;", "a", "\r\n", CHUNKED_LINE_MAX - 1},
    {"1", " ", ";\r\n", CHUNKED_LINE_MAX - 1},
    {"", "0", "1\r\n", CHUNKED_LINE_MAX},
    {"0\r\n", "a", "\r\n\r\n", CHUNKED_TRAILER_MAX},
};

/* So much in one line, or in the trailers, and one byte more. */
START_TEST(extras_are_bounded)
{
	for (size_t more = 0; more < 2; more++) {
		enum chunked_result r = CHUNKED_MORE;
		struct chunked c = {0};
		size_t used;

		chunked_feed(&c, extras[_i].before, strlen(extras[_i].before), &used);
		for (size_t n = 0; n < extras[_i].max + more && r == CHUNKED_MORE; n++)
			r = chunked_feed(&c, extras[_i].again, 1, &used);
		if (r == CHUNKED_MORE)
			r = chunked_feed(&c, extras[_i].after, strlen(extras[_i].after), &used);
		ck_assert_int_eq(r == CHUNKED_BAD, more);
	}
}
END_TEST

/* A body of any length has as many lines. */
START_TEST(each_line_has_a_bound_of_its_own)
{
	static const char chunk[] = "1  ;0123456789abcdef\r\nx\r\n";
	struct chunked c = {0};
	size_t used;

	for (int i = 0; i < 100000; i++)
		ck_assert_int_eq(chunked_feed(&c, chunk, sizeof chunk - 1, &used),
		                 CHUNKED_MORE);
	ck_assert_int_eq(chunked_feed(&c, "0\r\nX: y\r\n\r\n", 11, &used), CHUNKED_DONE);
	ck_assert_uint_eq(c.total, 100000);
}
END_TEST

START_TEST(a_chunk_of_many_pieces)
{
	static char data[4096];
	struct chunked c = {0};
	size_t used;

	ck_assert_int_eq(chunked_feed(&c, "100000000\r\n", 11, &used), CHUNKED_MORE);
	ck_assert_uint_eq(c.total, UINT64_C(0x100000000)); /* known before it comes */
	for (uint64_t n = 0; n < UINT64_C(0x100000000); n += sizeof data)
		ck_assert(chunked_feed(&c, data, sizeof data, &used) == CHUNKED_MORE &&
		          used == sizeof data);
	ck_assert_int_eq(chunked_feed(&c, "\r\n0\r\n\r\n", 7, &used), CHUNKED_DONE);
	ck_assert_uint_eq(used, 7);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("chunked");
	TCase *t = tcase_create("bodies");
	SRunner *sr;
	int failed, n = sizeof cases / sizeof *cases;

	tcase_add_loop_test(t, each_body_in_every_two_pieces, 0, n);
	tcase_add_loop_test(t, each_body_byte_by_byte, 0, n);
	tcase_add_loop_test(t, what_is_bad_stays_bad, 0, n);
	tcase_add_loop_test(t, extras_are_bounded, 0, sizeof extras / sizeof *extras);
	tcase_add_test(t, each_line_has_a_bound_of_its_own);
	tcase_add_test(t, a_chunk_of_many_pieces);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
