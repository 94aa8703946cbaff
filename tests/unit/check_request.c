/* request: what a head means, and which status refuses it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/head/request.h"

#define H   "Host: x\r\n"
#define GET "GET / HTTP/1.1\r\n" H

static const struct {
	const char *head;
	int status;
} judged[] = {
    {GET "\r\n", 0},
    {"GET / HTTP/1.0\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nhOST:x:80 \t\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 0},
    {"M-SEARCH * HTTP/1.1\r\n" H "\r\n", 0},
    {"GET http://x/y HTTP/1.1\r\n" H "\r\n", 0},
    {GET "X: \xc3\xa4\tb\r\n\r\n", 0},
    {GET "X:\r\n\r\n", 0},
    {GET "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 0},
    {GET "Expect: 100-Continue\r\n\r\n", 0},
    {GET "Expect:\r\n\r\n", 0},
    {GET "Expect: ,\r\n\r\n", 0},
    {GET "Expect: 100-continue, ,100-Continue,\r\nExpect: 100-continue\r\n\r\n", 0},
    {GET "Expect: 100-continue, the-moon\r\n\r\n", 417},
    {GET "Expect: \t \r\n\r\n", 0},
    {GET "Content-Length: 2\t\r\n\r\n", 0},
    {GET "Content-Length:\t2 \t \r\n\r\n", 0},
    {GET "Content-Length: 000000000000000002\r\n\r\n", 0},
    {GET "Transfer-Encoding:\tchunked\t\r\n\r\n", 0},
    {GET "Connection: close\t\r\n\r\n", 0},
    {"GET / HTTP/1.2\r\n" H "\r\n", 0},
    {"GET / HTTP/1.9\r\n" H "\r\n", 0},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", 0},
    {"GET http://x HTTP/1.1\r\n" H "\r\n", 0},
    {"GET http://x?q=1 HTTP/1.1\r\n" H "\r\n", 0},
    {"GET HtTpS://[::1]:443/ HTTP/1.1\r\n" H "\r\n", 0},
    {"GET http://x/y HTTP/1.0\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: x:\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: x:65535\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: a_b-c.d~e%41!$&'()*+;=:80\r\n\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: [2001:db8::1.2.3.4]\r\n\r\n", 0},
    {GET "Transfer-Encoding: Chunked \r\n\r\n", 0},
    {"GET / HTTP/1.1\r\n\r\n", 400}, /* no host */
    {GET "Host: x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: 1.2.3.4:9000:80\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [abcd\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [abcd]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a]b\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [::1]:80:\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: [fe80::1%lo]\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: x:65536\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: x:-1\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: x:000080\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: u@x\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: a%4\r\n\r\n", 400},
    {"GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n", 400},
    {"GET * HTTP/1.1\r\n" H "\r\n", 400},
    {"POST * HTTP/1.1\r\n" H "\r\n", 400},
    {"OPTIONS *x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET ftp://x/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET httpx://x/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http:/x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http:///x HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://?q HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http:// HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://u@x/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://u:p@x/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://a]b/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET http://x/y HTTP/1.1\r\n\r\n", 400}, /* no Host, all the same */
    {"GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", 400},
    {GET "Content-Length: 2 \t2\r\n\r\n", 400},
    {GET "Content-Length: \t\r\n\r\n", 400},
    {GET "Content-Length: 0000000000000000002\r\n\r\n", 400},
    {"\r\n\r\n", 400},
    {"GET\r\n\r\n", 400},
    {" GET / HTTP/1.1\r\n" H "\r\n", 400},
    {"GET  / HTTP/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.1 \r\n" H "\r\n", 400},
    {"GET /  HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /\tHTTP/1.1\r\n" H "\r\n", 400}, /* a tab is no blank, and no target has one */
    {"GET\t/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET\t/\tHTTP/1.1\r\n" H "\r\n", 400},
    {"GET \t/ HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /\t HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /a\tb HTTP/1.1\r\n" H "\r\n", 400},
    {"GET /a?\tb HTTP/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.1\t\r\n" H "\r\n", 400},
    {"GET /\vHTTP/1.1\r\n" H "\r\n", 400},
    {"GET /\fHTTP/1.1\r\n" H "\r\n", 400},
    {"GET /\x01\r\n\r\n", 400},
    {"GET / http/1.1\r\n" H "\r\n", 400},
    {"GET / HTTP/1.1x\r\n" H "\r\n", 400},
    {"GET x HTTP/1.1\r\n" H "\r\n", 400},
    {"G/T / HTTP/1.1\r\n" H "\r\n", 400},
    {GET "nonsense\r\n\r\n", 400},
    {GET ": x\r\n\r\n", 400},
    {GET "X y: z\r\n\r\n", 400},
    {GET "X\t: z\r\n\r\n", 400},
    {GET "X: a\r\n b\r\n\r\n", 400}, /* folded */
    {GET "X: a\r\n\tb\r\n\r\n", 400},
    {GET "X: a\nY: b\r\n\r\n", 400},
    {GET "X: a\rY: b\r\n\r\n", 400},
    {GET "X: a\r\r\n\r\n", 400},
    {GET "X: \x01\r\n\r\n", 400},
    {GET "X: \x7f\r\n\r\n", 400},
    {GET "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
    {GET "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {GET "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400},
    {GET "Content-Length: 1, 1\r\n\r\n", 400},
    {GET "Content-Length: +1\r\n\r\n", 400},
    {GET "Content-Length: -1\r\n\r\n", 400},
    {GET "Content-Length: 1a\r\n\r\n", 400},
    {GET "Content-Length: 0x1\r\n\r\n", 400},
    {GET "Content-Length:\r\n\r\n", 400},
    {GET "Content-Length: 1 1\r\n\r\n", 400},
    {GET "Content-Length: 9999999999999999999\r\n\r\n", 400},
    {GET "Content-Length: 18446744073709551617\r\n\r\n", 400},
    {GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {GET "Transfer-Encoding: identity\r\n\r\n", 400},
    {GET "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
    {GET "Transfer-Encoding: chunked,\r\n\r\n", 400},
    {GET "Transfer-Encoding:\r\n\r\n", 400},
    {"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
    {GET "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {GET "Transfer-Encoding: gzip,chunked\r\n\r\n", 501},
    {GET "Expect: 200-ok\r\n\r\n", 417},
    {"BREW / HTTP/1.1\r\n" H "\r\n", 0},
    {"get / HTTP/1.1\r\n" H "\r\n", 0},
    {"CONNECT x:80 HTTP/1.1\r\n" H "\r\n", 501},
    {"GET /\r\n\r\n", 505},
    {"GET / HTTP/2.0\r\n" H "\r\n", 505},
    {"GET / HTTP/0.9\r\n" H "\r\n", 505},
};

START_TEST(each_head_is_judged)
{
	struct request r;
	const char *head = judged[_i].head;
	int status = request_parse(head, strlen(head), &r);

	ck_assert_msg(status == judged[_i].status, "%s: %d, not %d", head, status,
	              judged[_i].status);
}
END_TEST

START_TEST(a_zero_byte_is_refused_anywhere)
{
	const char good[] = "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n";
	struct request r;
	char head[sizeof good];

	for (size_t i = 0; i < sizeof good - 5; i++) {
		memcpy(head, good, sizeof good);
		head[i] = '\0';
		ck_assert_msg(request_parse(head, sizeof good - 1, &r) >= 400, "at %zu", i);
	}
}
END_TEST

static const struct {
	const char *headers;
	int minor;
	bool keep;
} kept[] = {
    {"", 1, true},
    {"Connection: close\r\n", 1, false},
    {"Connection: Close\r\n", 1, false},
    {"Connection: x, close\r\n", 1, false},
    {"Connection: keep-alive\r\n", 1, true},
    {"Connection: closed\r\n", 1, true},
    {"", 0, false},
    {"Connection: keep-alive\r\n", 0, true},
    {"Connection: Keep-Alive\r\n", 0, true},
    {"Connection: keep-alive, close\r\n", 0, false},
    {"Connection: keep-alive\r\nConnection: close\r\n", 0, false},
    {"Connection: close\t\r\n", 1, false},
    {"Connection:\tclose\r\n", 1, false},
    {"Connection: ,close,\r\n", 1, false},
    {"Connection: ,, ,close\r\n", 1, false},
    {"Connection: x,\tclose\t, y\r\n", 1, false},
    {"Connection: ,\tkeep-alive\t,\r\n", 0, true},
    {"Connection: close-x, xclose, clo se\r\n", 1, true},
    {"Connection:\r\n", 1, true},
    {"Connection: close\r\n", 2, false},
    {"", 2, true},
};

START_TEST(a_connection_is_kept_or_not)
{
	char head[200];
	struct request r;
	int n = snprintf(head, sizeof head, "GET / HTTP/1.%d\r\n" H "%s\r\n", kept[_i].minor,
	                 kept[_i].headers);

	ck_assert_int_eq(request_parse(head, (size_t)n, &r), 0);
	ck_assert_msg(r.keep_alive == kept[_i].keep, "%s", head);
	ck_assert_int_eq(r.http10, kept[_i].minor == 0);
}
END_TEST

static void
assert_text(struct request_text t, const char *want)
{
	ck_assert_ptr_nonnull(t.p);
	ck_assert_msg(t.n == strlen(want) && memcmp(t.p, want, t.n) == 0, "%.*s, not %s",
	              (int)t.n, t.p, want);
}

START_TEST(what_is_wanted_is_kept)
{
	static const char head[] =
	    "POST /a?b HTTP/1.1\r\nHost: x\r\nrange:  bytes=0- \r\n"
	    "If-Range: r\r\nIf-Match: m\r\nIf-None-Match: n\r\n"
	    "If-Modified-Since: s\r\nIf-Unmodified-Since: u\r\n"
	    "Content-Length: 12345678901\r\nExpect: 100-continue\r\n\r\n";
	struct request r;

	ck_assert_int_eq(request_parse(head, sizeof head - 1, &r), 0);
	ck_assert_uint_eq(r.method, METHOD_POST);
	ck_assert_uint_eq(r.length, 12345678901);
	ck_assert(r.expects_continue && !r.chunked);
	assert_text(r.target, "/a?b");
	assert_text(r.range, "bytes=0-");
	assert_text(r.if_range, "r");
	ck_assert_uint_eq(r.if_match.n, 1);
	assert_text(r.if_match.line[0], "m");
	ck_assert_uint_eq(r.if_none_match.n, 1);
	assert_text(r.if_none_match.line[0], "n");
	assert_text(r.if_modified_since, "s");
	assert_text(r.if_unmodified_since, "u");
	ck_assert_int_eq(request_parse(GET "\r\n", sizeof GET + 1, &r), 0);
	ck_assert(r.range.p == NULL && r.if_match.n == 0 && !r.expects_continue);
	ck_assert_uint_eq(r.length, 0);
}
END_TEST

START_TEST(the_lines_of_a_list_are_kept_in_order)
{
	static const char head[] = GET "If-Match: a\r\nIf-None-Match: 1\r\nif-match: b, c\r\n"
	                               "If-Match:\r\nX: y\r\nIf-None-Match: 2\r\n\r\n";
	struct request r;

	ck_assert_int_eq(request_parse(head, sizeof head - 1, &r), 0);
	ck_assert_uint_eq(r.if_match.n, 3);
	assert_text(r.if_match.line[0], "a");
	assert_text(r.if_match.line[1], "b, c");
	assert_text(r.if_match.line[2], "");
	ck_assert_uint_eq(r.if_none_match.n, 2);
	assert_text(r.if_none_match.line[0], "1");
	assert_text(r.if_none_match.line[1], "2");
}
END_TEST

START_TEST(a_list_has_its_limit)
{
	static const char *const names[] = {"If-Match", "If-None-Match"};
	char head[400];
	struct request r;

	for (int lines = 0; lines <= REQUEST_LINES_MAX + 2; lines++) {
		int n = sprintf(head, GET);

		for (int i = 0; i < lines; i++)
			n += sprintf(head + n, "%s: \"%d\"\r\n", names[_i], i);
		n += sprintf(head + n, "\r\n");
		ck_assert_int_eq(request_parse(head, (size_t)n, &r),
		                 lines > REQUEST_LINES_MAX ? 431 : 0);
	}
}
END_TEST

static const struct {
	const char *name;
	size_t offset;
} singles[] = {
    {"Range", offsetof(struct request, range)},
    {"If-Range", offsetof(struct request, if_range)},
    {"If-Modified-Since", offsetof(struct request, if_modified_since)},
    {"If-Unmodified-Since", offsetof(struct request, if_unmodified_since)},
};

/* Neither the first nor the last, whatever they say. */
START_TEST(a_second_line_of_what_is_no_list_unsays_the_first)
{
	static const char *const values[][3] = {
	    {"x", "y", ""}, {"x", "x", ""}, {"", "x", ""}, {"x", "", ""}, {"x", "y", "z"}};
	const char *name = singles[_i].name;
	char head[200];
	struct request r;

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		int n = sprintf(head, GET "%s: %s\r\nX: y\r\n%s: %s\r\n%s: %s\r\n\r\n", name,
		                values[i][0], name, values[i][1],
		                *values[i][2] != '\0' ? name : "X", values[i][2]);

		ck_assert_int_eq(request_parse(head, (size_t)n, &r), 0);
		assert_text(*(struct request_text *)(void *)((char *)&r + singles[_i].offset),
		            "");
	}
}
END_TEST

/* n times `each`, whose %d is a number, between `before` and `after`. */
static size_t
repeat(char *head, const char *before, const char *each, int n, const char *after)
{
	size_t len = (size_t)sprintf(head, "%s", before);

	for (int i = 0; i < n; i++)
		len += (size_t)sprintf(head + len, each, i);
	return len + (size_t)sprintf(head + len, "%s", after);
}

static const struct {
	const char *before, *each;
	int most;
} numbers[] = {
    {GET, "X%d:\r\n", REQUEST_FIELDS_MAX - 1}, /* beside Host */
    {GET "Connection: ", "a%d,", HEAD_MEMBERS_MAX},
    {GET "Connection: ", ", ,a%d,,", HEAD_MEMBERS_MAX},
    {GET "Connection: a, b\r\nConnection:", " c%d ,", HEAD_MEMBERS_MAX - 2},
    {GET "If-Match: ", "\"%d\",", REQUEST_TAGS_MAX},
    {GET "If-None-Match: \"a\"\r\nIf-None-Match:", " W/\"%d\" ,", REQUEST_TAGS_MAX - 1},
};

START_TEST(numbers_are_bounded)
{
	static char head[1 << 16];
	struct request r;
	size_t n;

	for (int more = -1; more <= 1000; more += more < 1 ? 1 : 999) {
		n = repeat(head, numbers[_i].before, numbers[_i].each, numbers[_i].most + more,
		           strchr(numbers[_i].each, '\r') != NULL ? "\r\n" : "\r\n\r\n");
		ck_assert_msg(request_parse(head, n, &r) == (more > 0 ? 431 : 0), "%d: %s",
		              more, head);
	}
}
END_TEST

START_TEST(members_of_a_list)
{
	static const char text[] = " ,\t, one,two\t ,, thr ee , ,";
	static const char *const want[] = {"one", "two", "thr ee"};
	struct request_text list = {text, sizeof text - 1}, member;

	ck_assert_uint_eq(head_count_members(list, 9), 3);
	ck_assert_uint_eq(head_count_members(list, 1), 2);
	for (size_t i = 0; i < 3; i++) {
		ck_assert(head_next_member(&list, &member));
		ck_assert_uint_eq(member.n, strlen(want[i]));
		ck_assert_mem_eq(member.p, want[i], member.n);
	}
	ck_assert(!head_next_member(&list, &member));
	ck_assert(!head_next_member(&list, &member));
	ck_assert_uint_eq(head_count_members((struct request_text){NULL, 0}, 9), 0);
}
END_TEST

START_TEST(long_heads_and_targets)
{
	static char head[1 << 20];
	struct request r;
	int n = sprintf(head, GET);

	while (n < 900000)
		n += sprintf(head + n, "X: %0500d\r\n", n);
	n += sprintf(head + n, "\r\n");
	ck_assert_int_eq(request_parse(head, (size_t)n, &r), 0);
	for (int target = TARGET_MAX - 1; target <= TARGET_MAX + 1; target++) {
		n = sprintf(head, "GET /%0*d HTTP/1.1\r\n" H "\r\n", target - 1, 0);
		ck_assert_int_eq(request_parse(head, (size_t)n, &r),
		                 target > TARGET_MAX ? 414 : 0);
	}
	ck_assert_int_eq(request_too_long("GET /aaa", 8), 414);
	ck_assert_int_eq(request_too_long("GET /\r\nX", 8), 431);
}
END_TEST

static const struct {
	const char *bytes;
	ptrdiff_t length;
} lengths[] = {
    {"", 0},
    {"GET / HTTP/1.1\r\n", 0},
    {"GET / HTTP/1.1\r\nHost: x\r\n\r", 0},
    {"a\r\n\r\n", 5},
    {"a\r\nb\r\n\r\nmore\r\n\r\n", 8},
    {"a\n", -1},
    {"\n", -1},
    {"a\r\nb\nc", -1},
    {"a\r\n\n", -1},
};

/* Byte by byte, with what was looked at told, and all at once. */
START_TEST(the_length_of_a_head)
{
	const char *bytes = lengths[_i].bytes;
	size_t len = strlen(bytes), n = 0;
	ptrdiff_t slow = 0;

	ck_assert_int_eq(head_length(bytes, len, 0), lengths[_i].length);
	for (size_t from = 0; n < len && slow == 0; from = n)
		slow = head_length(bytes, ++n, from);
	ck_assert_int_eq(slow, lengths[_i].length);
}
END_TEST

static const struct {
	const char *bytes;
	int status;
	size_t at; /* bytes, when it is refused */
} line_by_line[] = {
    {"GET / HTTP/1.1\r\nHost: x\r\nA:\r\n", 0, 0},
    {"GET /", 0, 0},
    {"GET /\r\n", 505, 7},
    {"GET x\r\n", 400, 7},
    {"EHLO x\r\nGET / HTTP/1.1\r\n", 400, 8},
    {"GET / HTTP/3.0\r\n", 505, 16},
    {"GET ftp://x/ HTTP/1.1\r\n", 400, 23},
    {"GET * HTTP/1.1\r\n", 400, 16},
    {"CONNECT x:1 HTTP/1.1\r\n", 501, 22},
    {"GET / HTTP/1.1\r\nX Y: z\r\nB: c\r\n", 400, 24},
    {"GET / HTTP/1.1\r\nA: b\r\nHost: a]b\r\n", 400, 33},
    {"GET / HTTP/1.1\r\nContent-Length: x\r\n", 400, 35},
    {"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n", 400, 41},
    {"GET / HTTP/1.1\r\nnone\r\n", 400, 22},
    {"GET / HTTP/1.1\r\n: x\r\n", 400, 21},
    {"GET / HTTP/1.1\r\nA: b\r\n c\r\n", 400, 26},
};

/* At once, and byte by byte: when the line ends, and not before. */
START_TEST(a_line_is_judged_when_it_ends)
{
	const char *bytes = line_by_line[_i].bytes;
	size_t len = strlen(bytes);
	int status = 0;

	ck_assert_int_eq(request_judge_lines(bytes, len, 0), line_by_line[_i].status);
	for (size_t n = 0; n < len && status == 0; n++) {
		char *own = strndup(bytes, n + 1); /* of its own: a step beside it is seen */

		status = request_judge_lines(own, n + 1, n);
		ck_assert(status == 0 || n + 1 == line_by_line[_i].at);
		free(own);
	}
	ck_assert_int_eq(status, line_by_line[_i].status);
}
END_TEST

static const struct {
	const char *head, *host;
} hosts[] = {
    {"GET / HTTP/1.1\r\nHost: a:80\t\r\n\r\n", "a:80"},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", ""},
    {"GET / HTTP/1.0\r\n\r\n", NULL},
    {"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "b"},
    {"GET http://b:8?x HTTP/1.1\r\nHost: a\r\n\r\n", "b:8"},
    {"GET https://[::1] HTTP/1.0\r\n\r\n", "[::1]"},
};

START_TEST(the_host_is_the_targets_or_hosts)
{
	struct request r;

	ck_assert_int_eq(request_parse(hosts[_i].head, strlen(hosts[_i].head), &r), 0);
	if (hosts[_i].host != NULL)
		assert_text(r.host, hosts[_i].host);
	else
		ck_assert_ptr_null(r.host.p);
}
END_TEST

static const struct {
	const char *target, *path, *query;
} splits[] = {
    {"/a?b", "/a", "b"},
    {"/a", "/a", NULL},
    {"/?", "/", ""},
    {"/a#?b", "/a", NULL},
    {"http://h?q=1", "/", "q=1"},
    {"http://h", "/", NULL},
    {"http://h#x?y", "/", NULL},
    {"http://h/p?q#f", "/p", "q"},
    {"HTTPS://h/p", "/p", NULL},
    {"*", "*", NULL},
};

START_TEST(a_target_has_a_path_and_a_query)
{
	struct request_text t = {splits[_i].target, strlen(splits[_i].target)}, path, query;

	target_split(&t, &path, &query);
	assert_text(path, splits[_i].path);
	if (splits[_i].query != NULL)
		assert_text(query, splits[_i].query);
	else
		ck_assert_ptr_null(query.p);
}
END_TEST

static const struct {
	const char *target;
	int status;
	const char *path;
} paths[] = {
    {"/", 0, ""},
    {"///", 0, ""},
    {"/a/b", 0, "a/b"},
    {"//a//b/", 0, "a//b/"},
    {"/%61%2Fb%2e", 0, "a/b."},
    {"/%2fa", 0, "a"},
    {"/%25%32%65", 0, "%2e"},
    {"/a?b/c", 0, "a"},
    {"/a#b", 0, "a"},
    {"/a%3fb", 0, "a?b"},
    {"/?x", 0, ""},
    {"/..", 0, ".."}, /* the kernel's affair */
    {"http://host", 0, ""},
    {"http://host/a", 0, "a"},
    {"HTTPS://host:1/a?b", 0, "a"},
    {"http://host?a/b", 0, ""},
    {"http://host#a/b", 0, ""},
    {"*", 400, NULL},
    {"", 400, NULL},
    {"a", 400, NULL},
    {"/%", 400, NULL},
    {"/%4", 400, NULL},
    {"/%4g", 400, NULL},
    {"/%00", 400, NULL},
    {"/0123456789abcde", 0, "0123456789abcde"},
    {"/0123456789abcdef", 414, NULL}, /* into 16 bytes */
};

START_TEST(the_path_of_a_target)
{
	struct request_text t = {paths[_i].target, strlen(paths[_i].target)};
	char path[16];
	int status = target_path(&t, path, sizeof path);

	ck_assert_msg(status == paths[_i].status, "%s: %d", t.p, status);
	if (status == 0)
		ck_assert_str_eq(path, paths[_i].path);
}
END_TEST

static const struct {
	const char *written, *text;
	bool plus, says;
} said[] = {
    {"", "", false, true},         {"a", "a", false, true},
    {"a", "", false, false},       {"", "a", false, false},
    {"a", "ab", false, false},     {"ab", "a", false, false},
    {"%61%62", "ab", false, true}, {"%61%62", "a", false, false},
    {"%61", "ab", false, false},   {"a+b", "a b", true, true},
    {"a+b", "a b", false, false},  {"a+b", "a+b", false, true},
    {"a%2bb", "a+b", true, true},  {"%", "%", false, true},
    {"%6", "%6", false, true},     {"%zz", "%zz", false, true},
    {"%00", "%00", false, true},   {"%00", "", false, false},
    {"%4a%4A", "JJ", false, true}, {"%25%34", "%4", false, true},
    {"%%41", "%A", false, true},   {"%c3%a4", "\xc3\xa4", false, true},
};

/* As decoded, and without: it is the same. */
START_TEST(what_a_text_says)
{
	struct request_text t = {said[_i].written, strlen(said[_i].written)};
	char *decoded = target_decode(&t, said[_i].plus);
	size_t n = strlen(said[_i].text);

	ck_assert(target_says(&t, said[_i].plus, said[_i].text, n) == said[_i].says);
	ck_assert((strcmp(decoded, said[_i].text) == 0) == said[_i].says);
	free(decoded);
}
END_TEST

START_TEST(parameters_are_counted)
{
	static const struct {
		const char *query;
		size_t n;
	} queries[] = {{NULL, 0}, {"", 1}, {"a", 1}, {"a=b&c", 2}, {"&&", 3}, {"a&", 2}};

	for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
		const char *q = queries[i].query;
		struct request_text t = {q, q != NULL ? strlen(q) : 0};

		ck_assert_uint_eq(target_count_parameters(&t), queries[i].n);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("request");
	TCase *t = tcase_create("heads");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(t, each_head_is_judged, 0, sizeof judged / sizeof *judged);
	tcase_add_test(t, a_zero_byte_is_refused_anywhere);
	tcase_add_loop_test(t, a_connection_is_kept_or_not, 0, sizeof kept / sizeof *kept);
	tcase_add_test(t, what_is_wanted_is_kept);
	tcase_add_test(t, the_lines_of_a_list_are_kept_in_order);
	tcase_add_loop_test(t, a_list_has_its_limit, 0, 2);
	tcase_add_loop_test(t, a_second_line_of_what_is_no_list_unsays_the_first, 0,
	                    sizeof singles / sizeof *singles);
	tcase_add_loop_test(t, numbers_are_bounded, 0, sizeof numbers / sizeof *numbers);
	tcase_add_test(t, members_of_a_list);
	tcase_add_loop_test(t, what_a_text_says, 0, sizeof said / sizeof *said);
	tcase_add_test(t, parameters_are_counted);
	tcase_add_test(t, long_heads_and_targets);
	tcase_add_loop_test(t, the_length_of_a_head, 0, sizeof lengths / sizeof *lengths);
	tcase_add_loop_test(t, a_line_is_judged_when_it_ends, 0,
	                    sizeof line_by_line / sizeof *line_by_line);
	tcase_add_loop_test(t, the_host_is_the_targets_or_hosts, 0,
	                    sizeof hosts / sizeof *hosts);
	tcase_add_loop_test(t, a_target_has_a_path_and_a_query, 0,
	                    sizeof splits / sizeof *splits);
	tcase_add_loop_test(t, the_path_of_a_target, 0, sizeof paths / sizeof *paths);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
