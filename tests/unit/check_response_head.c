/* answer: heads, dates and the short bodies of errors. */
#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/http/response_head.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static const struct {
	time_t t;
	const char *text;
} dates[] = {
    {784111777, DATE},
    {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
    {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
    {4102444799, "Thu, 31 Dec 2099 23:59:59 GMT"},
    {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    /* what a file may claim, but no header can say */
    {-1, "Thu, 01 Jan 1970 00:00:00 GMT"},
    {253402300800, "Fri, 31 Dec 9999 23:59:59 GMT"},
    {LONG_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
    {LONG_MIN, "Thu, 01 Jan 1970 00:00:00 GMT"},
};

START_TEST(each_date)
{
	char text[RESPONSE_HEAD_DATE_LEN + 1];

	memset(text, 'x', sizeof text);
	response_head_date(dates[_i].t, text);
	ck_assert_str_eq(text, dates[_i].text);
}
END_TEST

static const struct {
	int status;
	enum response_head_connection c;
	bool head_only;
	const char *text;
} errors[] = {
    {404, RESPONSE_HEAD_KEEP, false,
     "HTTP/1.1 404 Not Found\r\nDate: " DATE "\r\nContent-Type: text/plain\r\n"
     "Content-Length: 14\r\n\r\n404 Not Found\n"},
    {404, RESPONSE_HEAD_KEEP, true,
     "HTTP/1.1 404 Not Found\r\nDate: " DATE "\r\nContent-Type: text/plain\r\n"
     "Content-Length: 14\r\n\r\n"},
    {400, RESPONSE_HEAD_CLOSE, false,
     "HTTP/1.1 400 Bad Request\r\nDate: " DATE "\r\nConnection: close\r\n"
     "Content-Type: text/plain\r\nContent-Length: 16\r\n\r\n400 Bad Request\n"},
    {405, RESPONSE_HEAD_KEEP_ALIVE, false,
     "HTTP/1.1 405 Method Not Allowed\r\nDate: " DATE "\r\nConnection: keep-alive\r\n"
     "Allow: GET, HEAD\r\nContent-Type: text/plain\r\nContent-Length: 23\r\n\r\n"
     "405 Method Not Allowed\n"},
    {304, RESPONSE_HEAD_KEEP, false, "HTTP/1.1 304 Not Modified\r\nDate: " DATE "\r\n\r\n"},
};

START_TEST(each_error)
{
	char buf[RESPONSE_HEAD_MAX];
	size_t len = response_head_error(buf, errors[_i].status, DATE, errors[_i].c,
	                                 errors[_i].head_only);

	ck_assert_uint_eq(len, strlen(errors[_i].text));
	ck_assert_mem_eq(buf, errors[_i].text, len);
}
END_TEST

static const int statuses[] = {200, 206, 301, 304, 400, 403, 404, 405, 408, 412,
                               413, 414, 416, 417, 431, 500, 501, 503, 505};

/* The promised length is that of the body, for each status that is ours. */
START_TEST(each_status_has_a_name_and_the_right_length)
{
	char buf[RESPONSE_HEAD_MAX + 1], line[80];
	const char *body, *length;
	size_t len = response_head_error(buf, statuses[_i], DATE, RESPONSE_HEAD_KEEP, false);

	buf[len] = '\0';
	ck_assert_str_ne(response_head_reason(statuses[_i]), "Unknown");
	snprintf(line, sizeof line, "HTTP/1.1 %d %s\r\n", statuses[_i],
	         response_head_reason(statuses[_i]));
	ck_assert_int_eq(strncmp(buf, line, strlen(line)), 0);
	body = strstr(buf, "\r\n\r\n") + 4;
	length = strstr(buf, "Content-Length: ");
	ck_assert_uint_eq(length != NULL ? strtoul(length + 16, NULL, 10) : 0, strlen(body));
}
END_TEST

START_TEST(a_header_that_does_not_fit_is_left_out_whole)
{
	static char buf[RESPONSE_HEAD_MAX + 16], value[RESPONSE_HEAD_MAX];
	size_t begun = response_head_begin(buf, 301, DATE, RESPONSE_HEAD_KEEP), len;

	memset(buf + RESPONSE_HEAD_MAX, '!', 16);
	for (size_t n = RESPONSE_HEAD_MAX - begun - 32; n < sizeof value - 1; n++) {
		memset(value, 'v', n);
		value[n] = '\0';
		len = response_head_header(buf, begun, "Location: %s\r\n", value);
		ck_assert(len == begun || len == begun + n + 12);
		len = response_head_end(buf, len);
		ck_assert_uint_le(len, RESPONSE_HEAD_MAX);
		ck_assert_mem_eq(buf + len - 4, "\r\n\r\n", 4);
		ck_assert_mem_eq(buf + RESPONSE_HEAD_MAX, "!!!!!!!!!!!!!!!!", 16);
	}
}
END_TEST

START_TEST(what_is_not_ours_is_unknown)
{
	ck_assert_str_eq(response_head_reason(299), "Unknown");
	ck_assert_str_eq(response_head_reason(0), "Unknown");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("answer");
	TCase *t = tcase_create("heads");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(t, each_date, 0, sizeof dates / sizeof *dates);
	tcase_add_loop_test(t, each_error, 0, sizeof errors / sizeof *errors);
	tcase_add_loop_test(t, each_status_has_a_name_and_the_right_length, 0,
	                    sizeof statuses / sizeof *statuses);
	tcase_add_test(t, a_header_that_does_not_fit_is_left_out_whole);
	tcase_add_test(t, what_is_not_ours_is_unknown);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
