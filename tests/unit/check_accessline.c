/* A line of an access log, whatever a client sends. */
#include "worker/access/accessline.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static struct accessline_time now;

static struct accessline_text
text(const char *s)
{
	return (struct accessline_text){s, s != NULL ? strlen(s) : 0};
}

static struct accessline
request(const char *target, const char *agent)
{
	accessline_set_time(&now, 1795269173);
	return (struct accessline){.time = &now,
	                           .ms = 42,
	                           .peer = "[::1]:4711",
	                           .listener = "web",
	                           .service = "site",
	                           .upstream = "127.0.0.1:80",
	                           .method = text("GET"),
	                           .target = text(target),
	                           .agent = text(agent),
	                           .version = "HTTP/1.1",
	                           .status = 200,
	                           .bytes_in = 80,
	                           .bytes_out = UINT64_MAX,
	                           .body_out = 1234,
	                           .us = 12345};
}

static const char *
form(const struct accessline *l, size_t fn(const struct accessline *, char *))
{
	static char buf[ACCESSLINE_MAX + 1];
	size_t n = fn(l, buf);

	ck_assert_uint_le(n, ACCESSLINE_MAX);
	buf[n] = '\0';
	ck_assert_ptr_eq(strchr(buf, '\n'), buf + n - 1);
	for (size_t i = 0; i + 1 < n; i++)
		ck_assert_uint_ge((unsigned char)buf[i], ' ');
	return buf;
}

START_TEST(combined)
{
	struct accessline l = request("/a b\"\n\x1b\xff", "curl");

	ck_assert_str_eq(form(&l, accessline_combined),
	                 "::1 - - [21/Nov/2026:13:52:53 +0000] "
	                 "\"GET /a b\\x22\\x0a\\x1b\\xff HTTP/1.1\" 200 1234 "
	                 "\"-\" \"curl\" web site 80 12.345 127.0.0.1:80 4711 \"-\"\n");
}
END_TEST

START_TEST(json)
{
	struct accessline l = request("/\"\n\xff", NULL);

	ck_assert_str_eq(form(&l, accessline_json),
	                 "{\"time\":\"2026-11-21T13:52:53.042Z\",\"peer\":\"[::1]:4711\","
	                 "\"client\":\"::1\","
	                 "\"listener\":\"web\",\"service\":\"site\",\"method\":\"GET\","
	                 "\"target\":\"/\\\"\\n\\u00ff\",\"version\":\"HTTP/1.1\","
	                 "\"status\":200,\"bytes_in\":80,\"bytes_out\":18446744073709551615,"
	                 "\"body_out\":1234,"
	                 "\"duration_ms\":12.345,\"upstream\":\"127.0.0.1:80\",\"fault\":null,"
	                 "\"referer\":null,\"agent\":null}\n");
}
END_TEST

/* A connection without requests; what is no request; an answer that was never begun. */
START_TEST(what_is_not_there)
{
	struct accessline l = {
	    .time = &now, .peer = "unix", .listener = "echo", .service = "echo"};

	accessline_set_time(&now, 0);
	ck_assert_str_eq(
	    form(&l, accessline_combined),
	    "unix - - [01/Jan/1970:00:00:00 +0000] \"-\" - 0 \"-\" \"-\" echo echo "
	    "0 0.000 - - \"-\"\n");
	ck_assert_str_eq(
	    form(&l, accessline_json),
	    "{\"time\":\"1970-01-01T00:00:00.000Z\",\"peer\":\"unix\",\"client\":\"unix\","
	    "\"listener\":\"echo\",\"service\":\"echo\",\"method\":null,"
	    "\"target\":null,\"version\":null,\"status\":null,\"bytes_in\":0,"
	    "\"bytes_out\":0,\"body_out\":0,\"duration_ms\":0.000,"
	    "\"upstream\":null,\"fault\":null,"
	    "\"referer\":null,\"agent\":null}\n");
}
END_TEST

/* Where TLS is spoken it stands behind all else; a client may call itself what it likes. */
START_TEST(tls_is_told)
{
	struct accessline l = request("/", NULL);
	char fingerprint[32];
	const char *line, *end;

	memset(fingerprint, 0xa5, sizeof fingerprint);
	l.tls = "TLSv1.3";
	l.suite = "TLS_AES_128_GCM_SHA256";
	line = form(&l, accessline_combined);
	end = " \"-\" TLSv1.3 TLS_AES_128_GCM_SHA256 \"-\" -\n";
	ck_assert_str_eq(line + strlen(line) - strlen(end), end);
	l.subject = (struct accessline_text){"CN=a\"b\n", 7};
	l.fingerprint = (struct accessline_text){fingerprint, sizeof fingerprint};
	line = form(&l, accessline_combined);
	end = " \"CN=a\\x22b\\x0a\" "
	      "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5\n";
	ck_assert_str_eq(line + strlen(line) - strlen(end), end);
	line = form(&l, accessline_json);
	ck_assert_ptr_nonnull(
	    strstr(line, ",\"tls\":\"TLSv1.3\",\"suite\":\"TLS_AES_128_GCM_SHA256\","
	                 "\"subject\":\"CN=a\\\"b\\n\",\"fingerprint\":\"a5a5"));
}
END_TEST

static const struct {
	const char *peer, *client, *begin, *end;
} peers[] = {
    {"192.0.2.1:80", NULL, "192.0.2.1 - - ", " 80 \"gone\"\n"},
    {"[2001:db8::1]:65535", NULL, "2001:db8::1 - - ", " 65535 \"gone\"\n"},
    {"192.0.2.1:80", "2001:db8::7", "2001:db8::7 - - ", " 80 \"gone\"\n"},
    {"unix", "192.0.2.9", "192.0.2.9 - - ", " - \"gone\"\n"},
    {"gone", NULL, "gone - - ", " - \"gone\"\n"},
};

/* The first field is an address and nothing else; whose word is taken stands behind. */
START_TEST(who_has_asked)
{
	struct accessline l = request("/", NULL);
	const char *line;

	l.peer = peers[_i].peer;
	l.client = peers[_i].client;
	l.fault = "gone";
	line = form(&l, accessline_combined);
	ck_assert_mem_eq(line, peers[_i].begin, strlen(peers[_i].begin));
	ck_assert_str_eq(line + strlen(line) - strlen(peers[_i].end), peers[_i].end);
}
END_TEST

/* All is as long as can be and each byte needs its longest form: a line, and whole. */
START_TEST(cut)
{
	static char longest[9000];
	struct accessline l;
	json_t *j;

	memset(longest, "x\x01\"\xff"[_i], sizeof longest - 1);
	l = request(longest, longest);
	l.method = l.referer = text(longest);
	l.peer = l.listener = l.service = l.upstream = l.client = l.fault = longest;
	l.status = 599;
	l.bytes_in = l.us = l.body_out = UINT64_MAX;
	ck_assert_ptr_nonnull(strstr(form(&l, accessline_combined), " HTTP/1.1\" 599 "));
	form(&l, accessline_json);
	l.bytes_in = l.bytes_out = l.body_out = l.us = INT64_MAX; /* more is beyond jansson */
	j = json_loads(form(&l, accessline_json), JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(j);
	ck_assert_int_eq(json_integer_value(json_object_get(j, "status")), 599);
	json_decref(j);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("accessline");
	TCase *t = tcase_create("accessline");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, combined);
	tcase_add_test(t, json);
	tcase_add_test(t, tls_is_told);
	tcase_add_test(t, what_is_not_there);
	tcase_add_loop_test(t, who_has_asked, 0, sizeof peers / sizeof *peers);
	tcase_add_loop_test(t, cut, 0, 4);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
