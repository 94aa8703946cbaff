/* reply: what an upstream's head means, and which heads are refused. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/head/upstream_head.h"

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
	const char *head;
	bool head_only;
	unsigned status;
	enum upstream_body body;
	uint64_t length;
	bool told, keeps;
} meanings[] = {
    {OK "Content-Length: 5\r\n\r\n", false, 200, UPSTREAM_BODY_LENGTH, 5, true, true},
    {OK "content-LENGTH:5 \r\n\r\n", false, 200, UPSTREAM_BODY_LENGTH, 5, true, true},
    {OK "Content-Length: 007\r\n\r\n", false, 200, UPSTREAM_BODY_LENGTH, 7, true, true},
    {OK "Content-Length: 0\r\n\r\n", false, 200, UPSTREAM_BODY_NONE, 0, true, true},
    {OK "Content-Length: 999999999999999999\r\n\r\n", false, 200, UPSTREAM_BODY_LENGTH,
     999999999999999999, true, true},
    {OK "Content-Length:\t5\t\r\n\r\n", false, 200, UPSTREAM_BODY_LENGTH, 5, true, true},
    {OK "X : z\r\nY\t: z\r\nContent-Length: 5\r\n\r\n", false, 200, UPSTREAM_BODY_LENGTH, 5,
     true, true},
    {OK "Connection : ,close,\r\nContent-Length: 5\r\n\r\n", false, 200, UPSTREAM_BODY_LENGTH,
     5, true, false},
    {"HTTP/1.1 600 OK\r\nContent-Length: 5\r\n\r\n", false, 600, UPSTREAM_BODY_LENGTH, 5, true,
     true},
    {"HTTP/1.1 999 OK\r\nContent-Length: 5\r\n\r\n", false, 999, UPSTREAM_BODY_LENGTH, 5, true,
     true},
    {OK "Transfer-Encoding: chunked\r\n\r\n", false, 200, UPSTREAM_BODY_CHUNKED, 0, false,
     true},
    {OK "transfer-encoding:CHUNKED\r\n\r\n", false, 200, UPSTREAM_BODY_CHUNKED, 0, false, true},
    {OK "\r\n", false, 200, UPSTREAM_BODY_TO_CLOSE, 0, false, false},
    {OK "Connection: keep-alive\r\n\r\n", false, 200, UPSTREAM_BODY_TO_CLOSE, 0, false, false},
    /* HEAD: the length is another's */
    {OK "Content-Length: 5\r\n\r\n", true, 200, UPSTREAM_BODY_NONE, 5, true, true},
    {OK "Transfer-Encoding: chunked\r\n\r\n", true, 200, UPSTREAM_BODY_NONE, 0, false, true},
    {OK "\r\n", true, 200, UPSTREAM_BODY_NONE, 0, false, true},
    /* what never has a body */
    {"HTTP/1.1 204 No Content\r\n\r\n", false, 204, UPSTREAM_BODY_NONE, 0, false, true},
    {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", false, 204, UPSTREAM_BODY_NONE, 5,
     true, true},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false, 304, UPSTREAM_BODY_NONE,
     5, true, true},
    {"HTTP/1.1 304 Not Modified\r\n\r\n", false, 304, UPSTREAM_BODY_NONE, 0, false, true},
    {"HTTP/1.1 100 Continue\r\n\r\n", false, 100, UPSTREAM_BODY_NONE, 0, false, true},
    {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", false, 103, UPSTREAM_BODY_NONE, 0, false,
     true},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", false,
     101, UPSTREAM_BODY_NONE, 0, false, true},
    /* what does, whatever its number */
    {"HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\n", false, 205,
     UPSTREAM_BODY_LENGTH, 2, true, true},
    {"HTTP/1.1 404 x\r\nContent-Length: 2\r\n\r\n", false, 404, UPSTREAM_BODY_LENGTH, 2, true,
     true},
    {"HTTP/1.1 599 x\r\nContent-Length: 2\r\n\r\n", false, 599, UPSTREAM_BODY_LENGTH, 2, true,
     true},
    /* is the connection kept */
    {OK "Content-Length: 1\r\nConnection: close\r\n\r\n", false, 200, UPSTREAM_BODY_LENGTH, 1,
     true, false},
    {OK "Content-Length: 1\r\nConnection: X, Close\r\n\r\n", false, 200, UPSTREAM_BODY_LENGTH,
     1, true, false},
    {OK "Content-Length: 1\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false, 200,
     UPSTREAM_BODY_LENGTH, 1, true, false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", false, 200, UPSTREAM_BODY_LENGTH, 1, true,
     false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: Keep-Alive\r\n\r\n", false, 200,
     UPSTREAM_BODY_LENGTH, 1, true, true},
    {"HTTP/1.0 200 OK\r\n\r\n", false, 200, UPSTREAM_BODY_TO_CLOSE, 0, false, false},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", false, 200, UPSTREAM_BODY_TO_CLOSE, 0,
     false, false},
    /* bytes beyond ASCII in a value are the client's business */
    {OK "X: \xc3\xa4\tb\r\nContent-Length: 1\r\n\r\n", false, 200, UPSTREAM_BODY_LENGTH, 1,
     true, true},
    {OK "X:\r\nContent-Length: 1\r\n\r\n", false, 200, UPSTREAM_BODY_LENGTH, 1, true, true},
};

START_TEST(each_meaning)
{
	const char *head = meanings[_i].head;
	struct upstream_head r;
	const char *wrong = upstream_head_parse(head, strlen(head), meanings[_i].head_only, &r);

	ck_assert_msg(wrong == NULL, "%s: %s", head, wrong);
	ck_assert_uint_eq(r.status, meanings[_i].status);
	ck_assert_msg(r.body == meanings[_i].body, "%s: body %d", head, r.body);
	ck_assert_uint_eq(r.length, meanings[_i].length);
	ck_assert_msg(r.length_told == meanings[_i].told, "%s", head);
	ck_assert_msg(r.keep_alive == meanings[_i].keeps, "%s: kept %d", head, r.keep_alive);
}
END_TEST

#define LEN(bytes) bytes, sizeof bytes - 1

static const struct {
	const char *head;
	size_t len;
} refused[] = {
    /* two readers could find two ends */
    {LEN(OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n")},
    {LEN(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n")},
    {LEN(OK "Content-Length: 5, 5\r\n\r\n")},
    {LEN(OK "Content-Length: 5,5\r\n\r\n")},
    {LEN(OK "Content-Length: +5\r\n\r\n")},
    {LEN(OK "Content-Length: -5\r\n\r\n")},
    {LEN(OK "Content-Length: 5 5\r\n\r\n")},
    {LEN(OK "Content-Length: 0x5\r\n\r\n")},
    {LEN(OK "Content-Length: 5.0\r\n\r\n")},
    {LEN(OK "Content-Length:\r\n\r\n")},
    {LEN(OK "Content-Length: five\r\n\r\n")},
    {LEN(OK "Content-Length: 1000000000000000000\r\n\r\n")}, /* 19 digits */
    {LEN(OK "Content-Length: 18446744073709551616\r\n\r\n")},
    {LEN(OK "Content-Length: 18446744073709551621\r\n\r\n")},
    {LEN(OK "Content-Length : 5\r\n\r\n")},
    {LEN(OK "Content-Length\t: 5\r\n\r\n")},
    {LEN(OK "Transfer-Encoding : chunked\r\n\r\n")},
    {LEN(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n")},
    {LEN(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n")},
    {LEN(OK "Transfer-Encoding: gzip, chunked\r\n\r\n")},
    {LEN(OK "Transfer-Encoding: chunked, gzip\r\n\r\n")},
    {LEN(OK "Transfer-Encoding: gzip\r\n\r\n")},
    {LEN(OK "Transfer-Encoding: identity\r\n\r\n")},
    {LEN(OK "Transfer-Encoding: xchunked\r\n\r\n")},
    {LEN(OK "Transfer-Encoding: \"chunked\"\r\n\r\n")},
    {LEN(OK "Transfer-Encoding:\r\n\r\n")},
    {LEN(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n")},
    {LEN("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")}, /* it has no chunks */
    {LEN("HTTP/1.1 204 x\r\nContent-Length: x\r\n\r\n")},
    {LEN("HTTP/1.1 103 x\r\nTransfer-Encoding: chunked\r\n\r\n")},
    /* bytes */
    {LEN(OK "X: a\r\n b\r\n\r\n")},
    {LEN(OK "X: a\r\n\tb\r\n\r\n")},
    {LEN(OK " X: a\r\n\r\n")},
    {LEN(OK "X: a\nY: b\r\n\r\n")},
    {LEN(OK "X: a\rY: b\r\n\r\n")},
    {LEN("HTTP/1.1 200 OK\nX: a\r\n\r\n")},
    {LEN(OK "X: a\0b\r\n\r\n")},
    {LEN(OK "X\0: b\r\n\r\n")},
    {LEN("HTTP/1.1 200 O\0K\r\n\r\n")},
    {LEN("HTTP/1.1 200 O\x01K\r\n\r\n")},
    {LEN(OK "X: \x7f\r\n\r\n")},
    {LEN(OK "X: \x1b[2J\r\n\r\n")},
    /* lines */
    {LEN(OK "nonsense\r\n\r\n")},
    {LEN(OK ": x\r\n\r\n")},
    {LEN(OK "X y: z\r\n\r\n")},
    {LEN(OK "X(y): z\r\n\r\n")},
    {LEN(OK "\xc3\xa4: z\r\n\r\n")},
    /* the status line */
    {LEN("HTTP/2 200\r\n\r\n")},
    {LEN("HTTP/2.0 200 OK\r\n\r\n")},
    {LEN("HTTP/0.9 200 OK\r\n\r\n")},
    {LEN("HTTP/1.x 200 OK\r\n\r\n")},
    {LEN("HTTP/1.10 200 OK\r\n\r\n")},
    {LEN("HTTP/1.1  200 OK\r\n\r\n")},
    {LEN("HTTP/1.1 20 OK\r\n\r\n")},
    {LEN("HTTP/1.1 2 0 OK\r\n\r\n")},
    {LEN("HTTP/1.1 2000 OK\r\n\r\n")},
    {LEN("HTTP/1.1 099 OK\r\n\r\n")},
    {LEN("HTTP/1.1 000 OK\r\n\r\n")},
    {LEN("HTTP/1.1 +20 OK\r\n\r\n")},
    {LEN("HTTP/1.1 20x OK\r\n\r\n")},
    {LEN("HTTP/1.1 200OK\r\n\r\n")},
    {LEN("HTTP/1.1\t200 OK\r\n\r\n")},
    {LEN("http/1.1 200 OK\r\n\r\n")},
    {LEN("ICY 200 OK\r\n\r\n")},
    {LEN("HTTP/1.1\r\n\r\n")},
    {LEN("GET / HTTP/1.1\r\n\r\n")},
    {LEN("\r\n\r\n")},
    {LEN("\r\nHTTP/1.1 200 OK\r\n\r\n")},
};

START_TEST(each_doubt_is_refused)
{
	size_t len = refused[_i].len;
	char *head = malloc(len); /* of its own: a step beside it is seen */
	struct upstream_head r;
	const char *wrong;

	ck_assert_ptr_nonnull(head);
	memcpy(head, refused[_i].head, len);
	wrong = upstream_head_parse(head, len, false, &r);
	ck_assert_msg(wrong != NULL, "let through: %s", refused[_i].head);
	free(head);
}
END_TEST

static const struct {
	const char *line, *reason;
} reasons[] = {
    {"HTTP/1.1 200 OK\r\n\r\n", "OK"},
    {"HTTP/1.1 200 \r\n\r\n", ""},
    {"HTTP/1.1 200\r\n\r\n", ""},
    {"HTTP/1.1 404 Not  Found!\r\n\r\n", "Not  Found!"},
    {"HTTP/1.1 200 \xc3\xa4\r\n\r\n", "\xc3\xa4"},
    {"HTTP/1.0 500 a:b\tc\r\n\r\n", "a:b\tc"},
};

START_TEST(the_reason_is_kept)
{
	struct upstream_head r;

	ck_assert_ptr_null(
	    upstream_head_parse(reasons[_i].line, strlen(reasons[_i].line), false, &r));
	ck_assert_uint_eq(r.reason.n, strlen(reasons[_i].reason));
	if (r.reason.n > 0)
		ck_assert_mem_eq(r.reason.p, reasons[_i].reason, r.reason.n);
}
END_TEST

/* The caller has the limit; libhttp-parser's own is 80 kB. */
START_TEST(a_long_head_is_read)
{
	size_t n = 200000;
	char *head = malloc(n + 200);
	struct upstream_head r;
	int at = sprintf(head, OK "Content-Length: 7\r\nX: ");

	memset(head + at, 'x', n);
	strcpy(head + at + n, "\r\n\r\n");
	ck_assert_ptr_null(upstream_head_parse(head, (size_t)at + n + 4, false, &r));
	ck_assert_uint_eq(r.length, 7);
	free(head);
}
END_TEST

/* What is too much is named, so that whoever has the upstream can mend it. */
START_TEST(numbers_are_bounded)
{
	static char head[1 << 16];
	struct upstream_head r;

	for (int more = 0; more <= 1; more++) {
		size_t n = (size_t)sprintf(head, "HTTP/1.1 200 OK\r\n"), tail;
		const char *why;

		for (int i = 0; i < REQUEST_FIELDS_MAX - 2 + more; i++)
			n += (size_t)sprintf(head + n, "b:\r\n");
		tail = n;
		n += (size_t)sprintf(head + n, "Connection: x\r\nContent-Length: 1\r\n\r\n");
		why = upstream_head_parse(head, n, false, &r);
		ck_assert_pstr_eq(why, more != 0 ? "too many header fields" : NULL);
		n = tail - 4 * (size_t)(10 + more);
		n += (size_t)sprintf(head + n, "Connection: x,,x\r\nConnection: ");
		for (int i = 0; i < HEAD_MEMBERS_MAX - 2 + more; i++)
			n += (size_t)sprintf(head + n, "a,");
		n += (size_t)sprintf(head + n, "\r\n\r\n");
		why = upstream_head_parse(head, n, false, &r);
		ck_assert_pstr_eq(why, more != 0 ? "too many members in its Connection header"
		                                 : NULL);
	}
}
END_TEST

static const struct {
	const char *bytes;
	size_t length;      /* 0: not whole */
	const char *mended; /* NULL: as it is */
} ends[] = {
    {OK "X: y\r\n\r\nrest\n\n", 25, NULL},
    {"HTTP/1.1 200 OK\nX: y\n\nrest", 22, OK "X: y\r\n\r\n"},
    {"HTTP/1.1 200 OK\nX: y\n\r\nrest", 23, OK "X: y\r\n\r\n"},
    {OK "X: y\r\n\nrest", 24, OK "X: y\r\n\r\n"},
    {OK "X: y\nZ: a\r\n\r\n", 30, OK "X: y\r\nZ: a\r\n\r\n"},
    {OK "X: y\n\r", 0, NULL},
    {OK "X: y\r\n\r", 0, NULL},
    {OK "X: y\r\n\rz", 0, NULL},
    {OK "X: y\n", 0, NULL},
};

/* RFC 9112, 2.2: an LF ends a line, whether a CR is before it or not; however the bytes come.
 */
START_TEST(lines_end_as_they_like)
{
	const char *bytes = ends[_i].bytes;
	size_t len = strlen(bytes), from = 0, found = 0;
	char *mended;

	ck_assert_uint_eq(upstream_head_length(bytes, len, 0), ends[_i].length);
	for (size_t n = 1; n <= len && found == 0; from = n++)
		found = upstream_head_length(bytes, n, from);
	ck_assert_uint_eq(found, ends[_i].length);
	if (found == 0)
		return;
	mended = upstream_head_mend(bytes, &found);
	ck_assert_int_eq(mended != NULL, ends[_i].mended != NULL);
	if (mended != NULL) {
		ck_assert_uint_eq(found, strlen(ends[_i].mended));
		ck_assert_mem_eq(mended, ends[_i].mended, found);
	}
	free(mended);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("reply");
	TCase *t = tcase_create("heads");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(t, each_meaning, 0, sizeof meanings / sizeof *meanings);
	tcase_add_loop_test(t, each_doubt_is_refused, 0, sizeof refused / sizeof *refused);
	tcase_add_loop_test(t, the_reason_is_kept, 0, sizeof reasons / sizeof *reasons);
	tcase_add_loop_test(t, lines_end_as_they_like, 0, sizeof ends / sizeof *ends);
	tcase_add_test(t, a_long_head_is_read);
	tcase_add_test(t, numbers_are_bounded);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
