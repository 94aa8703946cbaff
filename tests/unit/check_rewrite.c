/* rewrite: what of a head is passed on, and what is told instead. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/head/connections.h"
#include "service/http/rewrite.h"

#define GET "GET / HTTP/1.1\r\nHost: h\r\n"
#define UP  "GET / HTTP/1.1\r\nHost: h\r\n"

#define NO                                                                                     \
	{                                                                                      \
		.forwarded = REWRITE_NO, .trusted = false, .own_host = "own"                   \
	}
#define X                                                                                      \
	{                                                                                      \
		.forwarded = REWRITE_X_FORWARDED, .trusted = false, .own_host = "own"          \
	}
#define X_TRUSTED                                                                              \
	{                                                                                      \
		.forwarded = REWRITE_X_FORWARDED, .trusted = true, .own_host = "own"           \
	}
#define F                                                                                      \
	{                                                                                      \
		.forwarded = REWRITE_FORWARDED, .trusted = false, .own_host = "own"            \
	}
#define F_TRUSTED                                                                              \
	{                                                                                      \
		.forwarded = REWRITE_FORWARDED, .trusted = true, .own_host = "own"             \
	}
#define BOTH                                                                                   \
	{                                                                                      \
		.forwarded = REWRITE_BOTH, .trusted = false, .own_host = "own"                 \
	}

static const struct {
	const char *head;
	struct rewrite_rules rules;
	const char *peer;
	bool upgrade;
	const char *want;
} requests[] = {
    {GET "\r\n", NO, "1.2.3.4", false, UP "\r\n"},
    {GET "X: y\r\nA:  b \r\n\r\n", NO, "", false, UP "X: y\r\nA:  b \r\n\r\n"},
    /* hop-by-hop, with and without being named */
    {GET "Connection: close\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers\r\n"
         "Upgrade: x\r\nHTTP2-Settings: AA\r\nX: y\r\n\r\n",
     NO, "", false, UP "X: y\r\nTE: trailers\r\nConnection: TE\r\n\r\n"},
    {GET "TE: deflate;q=0.5, , Trailers\r\n\r\n", NO, "", false,
     UP "TE: trailers\r\nConnection: TE\r\n\r\n"},
    {GET "TE: gzip, trailersX\r\nConnection: TE\r\n\r\n", NO, "", false, UP "\r\n"},
    /* methods that nobody knows */
    {"get / HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false, "get / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"X!#$%&'*+-.^_`|~9 /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n", NO, "", false,
     "X!#$%&'*+-.^_`|~9 /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n"},
    /* how far it may go is for two methods only */
    {"OPTIONS /a HTTP/1.1\r\nHost: h\r\nmax-forwards: 2\r\n\r\n", NO, "", false,
     "OPTIONS /a HTTP/1.1\r\nHost: h\r\nMax-Forwards: 1\r\n\r\n"},
    {"TRACE /a HTTP/1.1\r\nHost: h\r\nMax-Forwards: 10\r\n\r\n", NO, "", false,
     "TRACE /a HTTP/1.1\r\nHost: h\r\nMax-Forwards: 9\r\n\r\n"},
    {"TRACE /a HTTP/1.1\r\nHost: h\r\nMax-Forwards: many\r\n\r\n", NO, "", false,
     "TRACE /a HTTP/1.1\r\nHost: h\r\nMax-Forwards: many\r\n\r\n"},
    {GET "Max-Forwards: 2\r\n\r\n", NO, "", false, UP "Max-Forwards: 2\r\n\r\n"},
    /* who has passed it on; what the client waits for */
    {GET "Via: 1.1 other\r\n\r\n",
     {.own_host = "own", .via = true},
     "",
     false,
     UP "Via: 1.1 other\r\nVia: 1.1 baton\r\n\r\n"},
    {"GET / HTTP/1.0\r\nHost: h\r\n\r\n",
     {.own_host = "own", .via = true},
     "",
     false,
     UP "Via: 1.0 baton\r\n\r\n"},
    {"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
     {.own_host = "own", .expect = true},
     "",
     false,
     "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"},
    {GET "CONNECTION: x-one , ,X-Two\r\nX-One: 1\r\nx-two: 2\r\nX-Three: 3\r\n\r\n", NO, "",
     false, UP "X-Three: 3\r\n\r\n"},
    {GET
     "X-One: 1\r\nConnection: a\r\nConnection: X-one\r\nConnection:\r\nA: b\r\nX: y\r\n\r\n",
     NO, "", false, UP "X: y\r\n\r\n"},
    {GET "Connection: X-On\r\nX-One: 1\r\n\r\n", NO, "", false, UP "X-One: 1\r\n\r\n"},
    {GET "Connection: \tX-One\t\r\nX-One: 1\r\n\r\n", NO, "", false, UP "\r\n"},
    {GET "Connection: close, Cookie\r\nCookie: a=b\r\n\r\n", NO, "", false, UP "\r\n"},
    /* what nobody may have taken away by naming it */
    {"POST / HTTP/1.1\r\nHost: h\r\nConnection: host, content-length, X-Forwarded-For\r\n"
     "Content-Length: 3\r\n\r\n",
     X, "9.9.9.9", false,
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nX-Forwarded-For: 9.9.9.9\r\n"
     "X-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n\r\n"},
    {"POST / HTTP/1.1\r\nHost: h\r\nConnection: Transfer-Encoding\r\n"
     "Transfer-Encoding: chunked\r\n\r\n",
     NO, "", false, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"},
    /* what somebody who is trusted says in another form goes on as it came */
    {GET "Forwarded: for=1.2.3.4;proto=https\r\nForwarded: for=b\r\n\r\n", X_TRUSTED, "9.9.9.9",
     false,
     UP "Forwarded: for=1.2.3.4;proto=https\r\nForwarded: for=b\r\n"
        "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n\r\n"},
    {GET "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n\r\n", F_TRUSTED, "9.9.9.9",
     false,
     UP "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n"
        "Forwarded: for=9.9.9.9;proto=http;host=\"h\"\r\n\r\n"},
    {GET "X-Forwarded-For: 1.2.3.4\r\nForwarded: for=a\r\n\r\n",
     {.forwarded = REWRITE_NO, .trusted = true, .own_host = "own"},
     "9.9.9.9",
     false,
     UP "X-Forwarded-For: 1.2.3.4\r\nForwarded: for=a\r\n\r\n"},
    {GET "Forwarded: for=1.2.3.4\r\n\r\n", X, "9.9.9.9", false,
     UP "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n\r\n"},
    /* a client of TLS */
    {GET "X-Forwarded-Proto: http\r\n\r\n",
     {.forwarded = REWRITE_BOTH, .secure = true, .own_host = "own"},
     "9.9.9.9",
     false,
     UP "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: h\r\n"
        "Forwarded: for=9.9.9.9;proto=https;host=\"h\"\r\n\r\n"},
    /* a client's certificate: nobody else tells of it */
    {GET "X-Client-Cert-Subject: CN=me\r\nx_client-cert_fingerprint: aa\r\nX: y\r\n\r\n",
     {.forwarded = REWRITE_NO, .trusted = true, .tells_certificate = true},
     "9.9.9.9",
     false,
     UP "X: y\r\n\r\n"},
    {GET "X-Client-Cert-Subject: CN=me\r\n\r\n",
     {.forwarded = REWRITE_NO,
      .tells_certificate = true,
      .subject = {"CN=a\r\nb", 7},
      .fingerprint = {"\x01\xfe", 2}},
     "9.9.9.9",
     false,
     UP "X-Client-Cert-Subject: CN=a??b\r\nX-Client-Cert-Fingerprint: 01fe\r\n\r\n"},
    {GET "X-Client-Cert-Subject: CN=me\r\n\r\n",
     {.forwarded = REWRITE_NO},
     "9.9.9.9",
     false,
     UP "X-Client-Cert-Subject: CN=me\r\n\r\n"},
    /* framing */
    {"POST / HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false,
     "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"},
    {"PUT / HTTP/1.1\r\nHost: h\r\ncontent-length: 007\r\n\r\n", NO, "", false,
     "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n"},
    {GET "Content-Length: 0\r\n\r\n", NO, "", false, UP "\r\n"},
    /* a length to those to whom '_' and '-' are one */
    {GET "Content_Length: 5\r\nTRANSFER_Encoding: chunked\r\nContent_Type: x\r\n"
         "Transfer_Encodings: y\r\n\r\n",
     NO, "", false, UP "Content_Type: x\r\nTransfer_Encodings: y\r\n\r\n"},
    {GET "Content-Length: 5\r\n\r\n", NO, "", false, UP "Content-Length: 5\r\n\r\n"},
    {"DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false,
     "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n", NO, "",
     false, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"},
    {"HEAD /a?b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", NO, "", false,
     "HEAD /a?b HTTP/1.1\r\nHost: own\r\n\r\n"},
    /* targets */
    {"GET http://other:8/p/a?q=1 HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false,
     "GET /p/a?q=1 HTTP/1.1\r\nHost: other:8\r\n\r\n"},
    {"GET HTTP://other HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false,
     "GET / HTTP/1.1\r\nHost: other\r\n\r\n"},
    {"GET http://other/?q HTTP/1.1\r\nHost: h\r\n\r\n", X, "1.2.3.4", false,
     "GET /?q HTTP/1.1\r\nHost: other\r\nX-Forwarded-For: 1.2.3.4\r\n"
     "X-Forwarded-Proto: http\r\nX-Forwarded-Host: other\r\n\r\n"},
    {"GET http://[::1]:80/x HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false,
     "GET /x HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"},
    {"GET /a://b HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false,
     "GET /a://b HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"GET /p? HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false,
     "GET /p? HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"GET /p#f HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false,
     "GET /p HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"GET /%2e%2E/a%00b//c HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false,
     "GET /%2e%2E/a%00b//c HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false,
     "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"},
    {"OPTIONS http://other:8 HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false,
     "OPTIONS * HTTP/1.1\r\nHost: other:8\r\n\r\n"},
    {"OPTIONS http://other/ HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false,
     "OPTIONS / HTTP/1.1\r\nHost: other\r\n\r\n"},
    {"OPTIONS http://other?q HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false,
     "OPTIONS /?q HTTP/1.1\r\nHost: other\r\n\r\n"},
    {"GET http://other HTTP/1.1\r\nHost: h\r\n\r\n", NO, "", false,
     "GET / HTTP/1.1\r\nHost: other\r\n\r\n"},
    /* hosts */
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", NO, "", false, "GET / HTTP/1.1\r\nHost: own\r\n\r\n"},
    {"GET / HTTP/1.1\r\nX: y\r\nhOST:  h:1 \r\n\r\n", NO, "", false,
     "GET / HTTP/1.1\r\nHost: h:1\r\nX: y\r\n\r\n"},
    {GET "\r\n",
     {.host = "inner:1", .own_host = "own"},
     "",
     false,
     "GET / HTTP/1.1\r\nHost: inner:1\r\n\r\n"},
    {"GET http://other/ HTTP/1.1\r\nHost: h\r\n\r\n",
     {.forwarded = REWRITE_BOTH, .host = "inner", .own_host = "own"},
     "1.2.3.4",
     false,
     "GET / HTTP/1.1\r\nHost: inner\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\n"
     "X-Forwarded-Host: other\r\nForwarded: for=1.2.3.4;proto=http;host=\"other\"\r\n\r\n"},
    /* who asked: a client that is not trusted has said nothing */
    {GET
     "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n"
     "X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nx-forwarded-FOR: 7.7.7.7\r\n\r\n",
     BOTH, "1.2.3.4", false,
     UP "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n"
        "Forwarded: for=1.2.3.4;proto=http;host=\"h\"\r\n\r\n"},
    {GET "X-Forwarded-Port: 1\r\nX_Forwarded_For: 6.6.6.6\r\nx-real_ip: 6.6.6.6\r\n"
         "X-Forwarded-Prefix: /a\r\nX-Forwarded: 1\r\nX-Forward: 2\r\nX-Real-IPs: 3\r\n\r\n",
     NO, "1.2.3.4", false, UP "X-Forwarded: 1\r\nX-Forward: 2\r\nX-Real-IPs: 3\r\n\r\n"},
    {GET "X-Forwarded-Port: 1\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7\r\n\r\n",
     X_TRUSTED, "1.2.3.4", false,
     UP "X-Forwarded-Port: 1\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-For: 7.7.7.7, 1.2.3.4\r\n"
        "X-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n\r\n"},
    {GET "X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n\r\n", NO, "1.2.3.4", false,
     UP "\r\n"},
    {GET "X-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n\r\n", F, "1.2.3.4", false,
     UP "Forwarded: for=1.2.3.4;proto=http;host=\"h\"\r\n\r\n"},
    {GET "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: public\r\n"
         "X-Forwarded-For: 7.7.7.7, 8.8.8.8\r\n\r\n",
     X_TRUSTED, "1.2.3.4", false,
     UP "X-Forwarded-For: 6.6.6.6, 7.7.7.7, 8.8.8.8, 1.2.3.4\r\nX-Forwarded-Proto: https\r\n"
        "X-Forwarded-Host: public\r\n\r\n"},
    {GET "Forwarded: for=6.6.6.6;by=_x\r\nForwarded: for=\"[::6]\"\r\n\r\n", F_TRUSTED, "::1",
     false,
     UP "Forwarded: for=6.6.6.6;by=_x, for=\"[::6]\", for=\"[::1]\";proto=http;host=\"h\"\r\n"
        "\r\n"},
    {GET "\r\n", F, "2001:db8::7", false,
     UP "Forwarded: for=\"[2001:db8::7]\";proto=http;host=\"h\"\r\n\r\n"},
    {GET "\r\n", X, "2001:db8::7", false,
     UP
     "X-Forwarded-For: 2001:db8::7\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n\r\n"},
    {GET "\r\n", BOTH, "", false, /* a unix client has no address */
     UP "X-Forwarded-Proto: http\r\nX-Forwarded-Host: h\r\n"
        "Forwarded: for=unknown;proto=http;host=\"h\"\r\n\r\n"},
    {"GET / HTTP/1.0\r\n\r\n", BOTH, "1.2.3.4", false,
     "GET / HTTP/1.1\r\nHost: own\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: http\r\n"
     "Forwarded: for=1.2.3.4;proto=http\r\n\r\n"},
    /* another protocol */
    {GET "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n", NO, "",
     true, UP "Sec-WebSocket-Key: k\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"},
    {GET "Connection: Upgrade, Sec-WebSocket-Key\r\nUpgrade: websocket\r\n"
         "Sec-WebSocket-Key: k\r\n\r\n",
     NO, "", true, UP "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"},
    {GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", NO, "", false, UP "\r\n"},
};

static size_t
rewritten(int i, char *out, size_t size)
{
	const char *head = requests[i].head;
	struct rewrite_rules rules = requests[i].rules;
	struct request r;

	ck_assert_msg(request_parse(head, strlen(head), &r) == 0, "case %d is no request", i);
	rules.upgrade = requests[i].upgrade;
	rules.peer = requests[i].peer;
	return rewrite_request(&rules, head, strlen(head), &r, out, size);
}

START_TEST(each_request)
{
	char out[4096];
	size_t n = rewritten(_i, out, sizeof out - 1);

	out[n] = '\0';
	ck_assert_str_eq(out, requests[_i].want);
}
END_TEST

/* Into memory that it just fits in, and that is one byte too small. */
START_TEST(a_limit_is_met_exactly)
{
	size_t n = strlen(requests[_i].want);
	char *out = malloc(n);

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(rewritten(_i, out, n), n);
	ck_assert_mem_eq(out, requests[_i].want, n);
	ck_assert_uint_eq(rewritten(_i, out, n - 1), 0);
	ck_assert_uint_eq(rewritten(_i, out, 0), 0);
	free(out);
}
END_TEST

/* The name is in the last line; what has more of them than are read goes nowhere. */
START_TEST(every_line_of_connection_counts)
{
	char head[4096], out[4096];
	struct rewrite_rules rules = NO;
	struct request r;
	size_t n;
	int at = sprintf(head, GET "X-Secret: s\r\n");

	for (int i = 0; i < _i; i++)
		at += sprintf(head + at, "Connection: a%d\r\n", i);
	at += sprintf(head + at, "Connection: X-Secret\r\nX: y\r\n\r\n");
	ck_assert_int_eq(request_parse(head, (size_t)at, &r), 0);
	rules.peer = "";
	n = rewrite_request(&rules, head, (size_t)at, &r, out, sizeof out - 1);
	out[n] = '\0';
	if (_i < 8)
		ck_assert_msg(strcmp(out, UP "X: y\r\n\r\n") == 0, "behind %d: %s", _i, out);
	else
		ck_assert_msg(n == 0, "behind %d: %s", _i, out);
}
END_TEST

/* So it is with the members of one line, which no parsed head has more of. */
START_TEST(every_member_of_connection_counts)
{
	char head[4096], out[4096];
	struct rewrite_rules rules = NO;
	struct request r;
	size_t n;
	int at = sprintf(head, GET "\r\n");

	ck_assert_int_eq(request_parse(head, (size_t)at, &r), 0);
	at = sprintf(head, GET "X-Secret: s\r\nX: y\r\nConnection: ");
	for (int i = 0; i < _i; i++)
		at += sprintf(head + at, "a%d, ,", i);
	at += sprintf(head + at, "X-Secret\r\n\r\n");
	rules.peer = "";
	n = rewrite_request(&rules, head, (size_t)at, &r, out, sizeof out - 1);
	out[n] = '\0';
	if (_i < HEAD_MEMBERS_MAX)
		ck_assert_msg(strcmp(out, UP "X: y\r\n\r\n") == 0, "behind %d: %s", _i, out);
	else
		ck_assert_msg(n == 0, "behind %d: %s", _i, out);
}
END_TEST

/* A trusted chain keeps who is nearest to us, whatever its lines. */
START_TEST(a_long_chain_keeps_the_peer_last)
{
	char head[4096], out[4096];
	struct rewrite_rules rules = X_TRUSTED;
	struct request r;
	size_t n;
	const char *line, *end;
	int at = sprintf(head, GET);

	for (int i = 0; i < _i; i++)
		at += sprintf(head + at, "X-Forwarded-For: 10.0.0.%d\r\n", i);
	at += sprintf(head + at, "\r\n");
	ck_assert_int_eq(request_parse(head, (size_t)at, &r), 0);
	rules.peer = "1.2.3.4";
	n = rewrite_request(&rules, head, (size_t)at, &r, out, sizeof out - 1);
	out[n] = '\0';
	line = strstr(out, "X-Forwarded-For: ");
	ck_assert_ptr_nonnull(line);
	ck_assert_ptr_null(strstr(line + 1, "X-Forwarded-For"));
	end = strstr(line, "\r\n");
	ck_assert_mem_eq(end - 7, "1.2.3.4", 7);
	if (_i > 0) { /* and whom that one has named, just before him */
		char near[32];

		sprintf(near, "10.0.0.%d, 1.2.3.4\r\n", _i - 1);
		ck_assert_msg(strstr(line, near) != NULL, "%d lines: %s", _i, line);
	}
}
END_TEST

static const struct {
	const char *lines;
	bool upgrades;
} upgrades[] = {
    {"Connection: Upgrade\r\nUpgrade: websocket\r\n", true},
    {"Upgrade: WebSocket\r\nConnection: keep-alive, UPGRADE\r\n", true},
    {"Connection: keep-alive\r\nConnection: upgrade\r\nUpgrade: x/1, y\r\n", true},
    {"Upgrade: websocket\r\n", false},
    {"Connection: upgrade\r\n", false},
    {"Connection: upgrades\r\nUpgrade: websocket\r\n", false},
    {"Connection: close\r\nUpgrade: websocket\r\n", false},
    {"Connection: upgrade\r\nUpgrade: h2c\r\n", false},
    {"Connection: upgrade\r\nUpgrade: H2C\r\n", false},
    {"Connection: upgrade, HTTP2-Settings\r\nUpgrade: websocket, h2c\r\n", false},
    {"Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n", true}, /* the first */
    {"Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n", false},
    {"Connection: upgrade\r\nUpgrade:\r\n", false},
    /* no more than 16 are looked at: the next one might be h2c */
    {"Connection: upgrade\r\nUpgrade: 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16\r\n", true},
    {"Connection: upgrade\r\nUpgrade: 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\r\n", false},
};

START_TEST(who_asks_for_another_protocol)
{
	char head[512];
	int n = sprintf(head, GET "%s\r\n", upgrades[_i].lines);

	ck_assert_msg(connections_upgrade(head, (size_t)n) == upgrades[_i].upgrades, "%s",
	              head);
}
END_TEST

static const struct {
	const char *bytes, *want; /* NULL: they are no fields */
} trailers[] = {
    {"", ""},
    {"X-Sum: 1\r\nY:\r\n", "X-Sum: 1\r\nY:\r\n"},
    {"Content-Length: 5\r\nX: y\r\nTransfer-Encoding: chunked\r\n", "X: y\r\n"},
    {"content_length: 5\r\nTransfer_Encoding: x\r\nHost: a\r\nConnection: b\r\n", ""},
    {"X-Forwarded-For: 1.2.3.4\r\nForwarded: for=a\r\nX_Real_IP: 1\r\nA: b\r\n", "A: b\r\n"},
    {"Authorization: a\r\nCookie: b\r\nIf-Match: c\r\nTE: d\r\nTrailer: e\r\n", ""},
    {"Iffy: a\r\nContents: b\r\nHosts: c\r\n", "Iffy: a\r\nContents: b\r\nHosts: c\r\n"},
    {"no colon\r\n", NULL},
    {"X: y\r\n folded\r\n", NULL},
    {": y\r\n", NULL},
};

START_TEST(what_may_trail)
{
	char bytes[256];
	ptrdiff_t n;

	for (int answer = 0; answer < 2; answer++) {
		strcpy(bytes, trailers[_i].bytes);
		n = rewrite_trailers(bytes, strlen(bytes), answer);
		if (trailers[_i].want == NULL) {
			ck_assert_int_eq(n, -1);
			continue;
		}
		ck_assert_int_eq(n, strlen(trailers[_i].want));
		ck_assert_mem_eq(bytes, trailers[_i].want, (size_t)n);
	}
}
END_TEST

/* As in a head: in an answer it goes, in a request it is an error. */
START_TEST(a_blank_before_the_colon)
{
	char bytes[] = "X-A \t: b\r\nContent-Length : 3\r\nY:z\r\n";
	ptrdiff_t n = rewrite_trailers(bytes, strlen(bytes), true);

	ck_assert_int_eq(n, strlen("X-A: b\r\nY:z\r\n"));
	ck_assert_mem_eq(bytes, "X-A: b\r\nY:z\r\n", (size_t)n);
	strcpy(bytes, "X : y\r\n");
	ck_assert_int_eq(rewrite_trailers(bytes, strlen(bytes), false), -1);
}
END_TEST

START_TEST(trailers_are_bounded)
{
	char bytes[(REQUEST_FIELDS_MAX + 1) * 5 + 1] = "";

	for (int i = 0; i < REQUEST_FIELDS_MAX; i++)
		strcat(bytes, "a:b\r\n");
	ck_assert_int_eq(rewrite_trailers(bytes, strlen(bytes), true), strlen(bytes));
	strcat(bytes, "a:b\r\n");
	ck_assert_int_eq(rewrite_trailers(bytes, strlen(bytes), true), -1);
}
END_TEST

#define OK "HTTP/1.1 200 OK\r\n"

static const struct {
	const char *head;
	bool head_only;
	enum response_head_connection connection;
	bool chunked;
	const char *want;
} replies[] = {
    {OK "Content-Length: 5\r\nX: y\r\n\r\n", false, RESPONSE_HEAD_KEEP, false,
     OK "X: y\r\nContent-Length: 5\r\n\r\n"},
    {OK "X-A : b \r\nX-B\t:c\r\nConnection : X-Hop\r\nX-Hop : d\r\nContent-Length: 5\r\n\r\n",
     false, RESPONSE_HEAD_KEEP, false, OK "X-A: b \r\nX-B:c\r\nContent-Length: 5\r\n\r\n"},
    {OK "content-length: 05\r\n\r\n", false, RESPONSE_HEAD_CLOSE, false,
     OK "Content-Length: 5\r\nConnection: close\r\n\r\n"},
    {"HTTP/1.0 200 Fine\r\nContent-Length: 0\r\n\r\n", false, RESPONSE_HEAD_KEEP_ALIVE, false,
     "HTTP/1.1 200 Fine\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"},
    {"HTTP/1.1 426 Up\r\nConnection: upgrade\r\nUpgrade: foo/2\r\nContent-Length: 0\r\n\r\n",
     false, RESPONSE_HEAD_CLOSE, false,
     "HTTP/1.1 426 Up\r\nUpgrade: foo/2\r\nContent-Length: 0\r\nConnection: upgrade\r\n"
     "Connection: close\r\n\r\n"},
    {OK "Upgrade: foo/2\r\nContent-Length: 0\r\n\r\n", false, RESPONSE_HEAD_KEEP, false,
     OK "Content-Length: 0\r\n\r\n"},
    {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: close\r\n\r\n", false,
     RESPONSE_HEAD_CLOSE, false, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"},
    {"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", false, RESPONSE_HEAD_KEEP, false,
     "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n"},
    {OK "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n", false, RESPONSE_HEAD_KEEP, true,
     OK "Trailer: X\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {OK "Transfer-Encoding: chunked\r\n\r\n", false, RESPONSE_HEAD_CLOSE, false,
     OK "Connection: close\r\n\r\n"},
    {OK "\r\n", false, RESPONSE_HEAD_KEEP, true, OK "Transfer-Encoding: chunked\r\n\r\n"},
    {OK "\r\n", false, RESPONSE_HEAD_CLOSE, false, OK "Connection: close\r\n\r\n"},
    /* the length that GET would have had */
    {OK "Content-Length: 5\r\n\r\n", true, RESPONSE_HEAD_KEEP, false,
     OK "Content-Length: 5\r\n\r\n"},
    {OK "\r\n", true, RESPONSE_HEAD_KEEP, false, OK "\r\n"},
    {"HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", false, RESPONSE_HEAD_KEEP, false,
     "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n"},
    {"HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n", false, RESPONSE_HEAD_KEEP, false,
     "HTTP/1.1 204 x\r\n\r\n"},
    /* hop-by-hop */
    {OK "Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\n"
        "Proxy-Connection: a\r\nTE: b\r\nContent-Length: 0\r\nSet-Cookie: a\r\n"
        "Set-Cookie: b\r\n\r\n",
     false, RESPONSE_HEAD_KEEP, false,
     OK "Set-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n"},
    {OK "Content-Length: 3\r\nConnection: content-length\r\n\r\n", false, RESPONSE_HEAD_KEEP,
     false, OK "Content-Length: 3\r\n\r\n"},
    {"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
     "Sec-WebSocket-Accept: k\r\n\r\n",
     false, RESPONSE_HEAD_KEEP, false,
     "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: k\r\n"
     "Connection: upgrade\r\n\r\n"},
};

static size_t
rewritten_reply(int i, char *out, size_t size)
{
	const char *head = replies[i].head;
	struct rewrite_answer rules = {.connection = replies[i].connection,
	                               .chunked = replies[i].chunked};
	struct upstream_head r;

	ck_assert_ptr_null(upstream_head_parse(head, strlen(head), replies[i].head_only, &r));
	return rewrite_reply(&rules, head, strlen(head), &r, out, size);
}

START_TEST(each_reply)
{
	size_t n = strlen(replies[_i].want), got;
	char *out = malloc(n), large[4096];

	got = rewritten_reply(_i, large, sizeof large - 1);
	large[got] = '\0';
	ck_assert_str_eq(large, replies[_i].want);
	ck_assert_uint_eq(rewritten_reply(_i, out, n), n);
	ck_assert_uint_eq(rewritten_reply(_i, out, n - 1), 0);
	free(out);
}
END_TEST

/* Who passes an answer on, and when, of one that does not say it; of heads before it nothing.
 */
START_TEST(what_an_answer_is_told)
{
	static const struct {
		const char *head, *want;
	} rows[] = {
	    {OK "Content-Length: 0\r\n\r\n",
	     OK "Content-Length: 0\r\nDate: now\r\nVia: 1.1 baton\r\n\r\n"},
	    {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nVia: 1.1 a\r\ndate : then\r\n\r\n",
	     OK "Via: 1.1 a\r\ndate: then\r\nContent-Length: 0\r\nVia: 1.0 baton\r\n\r\n"},
	    {"HTTP/1.1 103 Early\r\n\r\n", "HTTP/1.1 103 Early\r\n\r\n"},
	};
	struct rewrite_answer rules = {.via = true, .date = "now"};
	const char *head = rows[_i].head;
	struct upstream_head r;
	char out[256];

	ck_assert_ptr_null(upstream_head_parse(head, strlen(head), false, &r));
	out[rewrite_reply(&rules, head, strlen(head), &r, out, sizeof out - 1)] = '\0';
	ck_assert_str_eq(out, rows[_i].want);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("rewrite");
	TCase *t = tcase_create("heads");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(t, each_request, 0, sizeof requests / sizeof *requests);
	tcase_add_loop_test(t, a_limit_is_met_exactly, 0, sizeof requests / sizeof *requests);
	tcase_add_loop_test(t, every_line_of_connection_counts, 0, 20);
	tcase_add_loop_test(t, every_member_of_connection_counts, HEAD_MEMBERS_MAX - 2,
	                    HEAD_MEMBERS_MAX + 2);
	tcase_add_loop_test(t, a_long_chain_keeps_the_peer_last, 0, 20);
	tcase_add_loop_test(t, who_asks_for_another_protocol, 0,
	                    sizeof upgrades / sizeof *upgrades);
	tcase_add_loop_test(t, each_reply, 0, sizeof replies / sizeof *replies);
	tcase_add_loop_test(t, what_an_answer_is_told, 0, 3);
	tcase_add_loop_test(t, what_may_trail, 0, sizeof trailers / sizeof *trailers);
	tcase_add_test(t, a_blank_before_the_colon);
	tcase_add_test(t, trailers_are_bounded);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
