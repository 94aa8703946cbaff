/* What peers send, at its worst: each pure reader of it is through with 16 kB within 1 ms. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "service/head/chunked.h"
#include "service/http/range.h"
#include "service/head/request.h"
#include "service/head/connections.h"
#include "service/http/rewrite.h"
#include "service/http/route.h"
#include "service/http/unsent.h"
#include "service/head/upstream_head.h"
#include "service/proxyheader.h"

#define SIZE   16384
#define RUNS   20
#define ROUTES 100

#ifdef __SANITIZE_ADDRESS__
#	define NS_MAX 10000000
#else
#	define NS_MAX 1000000
#endif

#define GET "GET / HTTP/1.1\r\nHost: h\r\n"
#define OK  "HTTP/1.1 200 OK\r\n"

static char in[SIZE + 1], out[4 * SIZE];

/* `begin`, then `one` as often as there is room before `end`. */
static size_t
fill(const char *begin, const char *one, const char *end)
{
	size_t n = (size_t)sprintf(in, "%s", begin);

	while (n + strlen(one) + strlen(end) <= SIZE)
		n += (size_t)sprintf(in + n, "%s", one);
	return n + (size_t)sprintf(in + n, "%s", end);
}

/* Half of it is Connection, the other half lines to be held against it. */
static size_t
half_and_half(const char *begin)
{
	char names[SIZE];
	size_t n = (size_t)sprintf(names, "%sConnection: ", begin);

	while (n < SIZE / 2)
		n += (size_t)sprintf(names + n, "a,");
	sprintf(names + n, "\r\n");
	return fill(names, "b:\r\n", "\r\n");
}

/* Many lines of one length with the members that they are held against: all that is allowed. */
static size_t
at_the_bounds(const char *begin)
{
	char names[SIZE], line[200];
	size_t n = (size_t)sprintf(names, "%sConnection: ", begin);

	for (int i = 0; i < HEAD_MEMBERS_MAX; i++)
		n += (size_t)sprintf(names + n, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab,");
	sprintf(names + n, "\r\n");
	sprintf(line, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac: %0110d\r\n", 0);
	return fill(names, line, "\r\n");
}

/* --- those that read */

/* A head that came in pieces of 64 bytes, and all that is done with it then. */
static void
request(size_t n)
{
	static struct rewrite_rules rules = {
	    .forwarded = REWRITE_BOTH, .trusted = true, .own_host = "own", .upgrade = true};
	struct request_text path, query;
	struct request r;

	for (size_t i = 0; i < n; i += 64)
		head_length(in, i + 64 < n ? i + 64 : n, i);
	request_parse(in, n, &r);
	request_parse(GET "\r\n", sizeof GET + 1, &r); /* the rest has its own bounds */
	connections_upgrade(in, n);
	rules.peer = "1.2.3.4";
	rewrite_request(&rules, in, n, &r, out, sizeof out);
	for (int i = 0; i < 2; i++)
		request_header(in, n, "X-Nobody");
	target_split(&r.target, &path, &query);
}

static void
reply(size_t n)
{
	static const struct rewrite_answer rules = {
	    .chunked = true, .via = true, .date = "now"};
	size_t len = n;
	struct upstream_head r;

	for (size_t i = 0; i < n; i += 64)
		upstream_head_length(in, i + 64 < n ? i + 64 : n, i);
	free(upstream_head_mend(in, &len));
	upstream_head_parse(in, n, false, &r);
	upstream_head_parse(OK "\r\n", sizeof OK + 1, false, &r);
	rewrite_reply(&rules, in, n, &r, out, sizeof out);
}

/* All that is done with a target that has so much of everything. */
static void
target(size_t n)
{
	static struct baton_route routes[ROUTES + 1];
	struct request_text t = {in, n}, path, query;
	struct route_match m;

	for (int i = 0; i < ROUTES; i++)
		routes[i] = (struct baton_route){.method = "GET",
		                                 .path = "/aaaaaaaa/{x}/aaaaaaaa/{y}/{z...}",
		                                 .handle = NULL};
	target_path(&t, out, sizeof out);
	target_split(&t, &path, &query);
	target_count_parameters(&query);
	route_find(routes, "GET", &path, &m);
	for (int i = 0; i < 16; i++)
		target_says(&t, true, out, strlen(out));
}

static void
tags(size_t n)
{
	struct request_list list = {1, {{in, n}}};
	uint64_t first, last;

	range_has_etag(&list, "\"abc\"", 1);
	range_has_etag(&list, "\"abc\"", 0);
	range_parse(&list.line[0], 1000, &first, &last);
	range_date(&list.line[0]);
}

static void
chunks(size_t n)
{
	struct chunked c = {0};
	size_t used, kept;

	chunked_take(&c, in, n, &used, out, &kept);
	memset(&c, 0, sizeof c);
	for (size_t at = 0; at < n; at += 64)
		chunked_take(&c, in + at, n - at < 64 ? n - at : 64, &used, out, &kept);
}

/* As the header comes, byte by byte; behind it nothing is looked at. */
static void
greeting(size_t n)
{
	struct proxyheader g;

	for (size_t i = 0; i <= PROXYHEADER_MAX && i <= n; i++)
		proxyheader_read(in, i, &g);
}

static void
tail(size_t n)
{
	struct unsent t = {NULL, 0, 0, 0};

	for (size_t i = 0; i < n; i++)
		unsent_add(&t, in + i, 1);
	unsent_clear(&t);
}

/* --- what they read */

static const struct {
	void (*read)(size_t n);
	const char *begin, *one, *end;
} inputs[] = {
    {request, GET, "b:\r\n", "\r\n"},
    {request, GET, "connection:\r\n", "\r\n"},
    {request, GET, "Connection: a\r\n", "\r\n"},
    {request, GET "Connection: ", "a,", "\r\n\r\n"},
    {request, GET "Connection: ", ",", "a\r\n\r\n"},
    {request, GET "Connection: ", " ", "a\r\n\r\n"},
    {request, GET "Connection: a", " ", "b\r\n\r\n"},
    {request, GET "Connection: upgrade\r\nUpgrade: ", "a,", "\r\n\r\n"},
    {request, GET "Connection: upgrade\r\nUpgrade: ", ",", "\r\n\r\n"},
    {request, GET, "If-None-Match: \"\",\"\"\r\n", "\r\n"},
    {request, GET "If-Match: ", "\"\",", "\r\n\r\n"},
    {request, GET "If-Match: ", ",", "\r\n\r\n"},
    {request, GET, "X-Forwarded-For: a\r\n", "\r\n"},
    {request, GET, "Forwarded: a\r\n", "\r\n"},
    {request, GET "Forwarded: ", "a,", "\r\n\r\n"},
    {request, GET, "x_forwarded_:\r\n", "\r\n"},
    {request, GET "Transfer-Encoding: ", "a,", "\r\n\r\n"},
    {request, GET "Content-Length: ", "0", "\r\n\r\n"},
    {request, GET, "Content-Length: 0\r\n", "\r\n"},
    {request, GET "Expect: ", "1", "\r\n\r\n"},
    {request, GET "Range: bytes=", "0-0,", "\r\n\r\n"},
    {request, GET "Cookie: ", "a=b; ", "\r\n\r\n"},
    {request, GET, "~", ": x\r\n\r\n"},
    {request, "GET / HTTP/1.1\r\nHost: ", "a", "\r\n\r\n"},
    {request, "GET http://", "a", "/ HTTP/1.1\r\nHost: h\r\n\r\n"},
    {request, "GET ://", "://", " HTTP/1.1\r\nHost: h\r\n\r\n"},
    {request, "GET ", " ", "\r\n\r\n"},
    {request, "", "~", "\r\n\r\n"},
    {request, GET "a: b", "\t", "\r\n\r\n"},
    {reply, OK, "b:\r\n", "\r\n"},
    {reply, OK "Connection: ", "a,", "\r\n\r\n"},
    {reply, OK "Connection: ", ",", "\r\n\r\n"},
    {reply, OK, "Connection: a\r\n", "\r\n"},
    {reply, OK, "Content-Length: 1\r\n", "\r\n"},
    {reply, OK "Transfer-Encoding: ", "a,", "\r\n\r\n"},
    {reply, "HTTP/1.1 200 ", "a", "\r\n\r\n"},
    {target, "/", "%61", ""},
    {target, "/aaaaaaaa/x/", "a/", ""},
    {target, "/aaaaaaaa/", "x", "/aaaaaaaa/x/x"},
    {target, "/aaaaaaa", "%61", ""},
    {target, "", "/", ""},
    {target, "/", "../", ""},
    {target, "/?", "&", ""},
    {target, "/?", "a=b&", ""},
    {target, "http://", "a", "/"},
    {tags, "", "\"\"", ""},
    {tags, "", "\"\",", ""},
    {tags, "", ",", ""},
    {tags, "", "W/\"\"", ""},
    {tags, "", "\"", ""},
    {tags, "bytes=", "0-0,", ""},
    {tags, "bytes=", "0", "-"},
    {chunks, "", "1\r\na\r\n", ""},
    {chunks, "1;", "x", ""},
    {chunks, "0\r\n", "a:\r\n", "\r\n"},
    {chunks, "", "1;a\r\na\r\n", ""},
    {chunks, "3fff\r\n", "a", ""},
    {greeting, "PROXY UNKNOWN ", "a ", "\r\n"},
    {greeting, "PROXY TCP4 ", "1", ""},
    {greeting, "\r\n\r\n", "", ""},
    {tail, "", "a", ""},
};

/* The best of several, as others have the machine, too. */
static long
best(void (*read)(size_t n), size_t n)
{
	long least = -1;

	for (int i = 0; i < RUNS; i++) {
		struct timespec a, b;
		long ns;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		read(n);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		ns = (b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec;
		least = least < 0 || ns < least ? ns : least;
	}
	return least;
}

START_TEST(each_is_read_in_time)
{
	size_t n = *inputs[_i].one != '\0'
	               ? fill(inputs[_i].begin, inputs[_i].one, inputs[_i].end)
	               : (size_t)sprintf(in, "%s", inputs[_i].begin);
	long ns = best(inputs[_i].read, n);

	ck_assert_msg(ns < NS_MAX, "%ld us: %.60s", ns / 1000, in);
}
END_TEST

START_TEST(names_and_what_they_may_name)
{
	long ns = best(request, half_and_half(GET));

	ck_assert_msg(ns < NS_MAX, "%ld us: half and half", ns / 1000);
	ns = best(reply, half_and_half(OK));
	ck_assert_msg(ns < NS_MAX, "%ld us: an answer, half and half", ns / 1000);
	ns = best(request, at_the_bounds(GET));
	ck_assert_msg(ns < NS_MAX, "%ld us: at the bounds", ns / 1000);
	ns = best(reply, at_the_bounds(OK));
	ck_assert_msg(ns < NS_MAX, "%ld us: an answer at the bounds", ns / 1000);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("linear");
	TCase *t = tcase_create("linear");
	SRunner *sr;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, each_is_read_in_time, 0, sizeof inputs / sizeof *inputs);
	tcase_add_test(t, names_and_what_they_may_name);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
