/*
 * fuzz_upstream: what a client's and an upstream's bytes may do to the heads that a
 * reverse proxy passes on.
 *
 * The first byte chooses the part and its rules.  A head that is let through and written
 * anew must be one that we let through ourselves, and mean the same: the same body with
 * the same end, no header that belonged to one connection.
 *
 * tests/fuzz/run builds and runs it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "service/head/upstream_head.h"
#include "service/head/request.h"
#include "service/head/connections.h"
#include "service/http/rewrite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An assertion that no NDEBUG takes away. */
#define MUST(what)                                                                             \
	do {                                                                                   \
		if (!(what)) {                                                                 \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what);     \
			abort();                                                               \
		}                                                                              \
	} while (0)

static char out[1 << 20];

/* Bytes in memory of their own: a step beside them is seen. */
static char *
copy(const char *bytes, size_t n)
{
	char *to = malloc(n > 0 ? n : 1);

	MUST(to != NULL);
	memcpy(to, bytes, n);
	return to;
}

static void
must_not_have(const char *head, size_t n, const char *name)
{
	MUST(request_header(head, n, name).p == NULL);
}

/* A head that had almost as many lines as we take has more with those that we add. */
static bool
has_too_many_lines(const char *head, size_t n)
{
	size_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += head[i] == '\n';
	return lines - 2 > request_fields_max(n);
}

/* --- requests --- */

static void
check_request(const char *head, size_t n, const struct request *before, bool upgrade)
{
	static const char *const hops[] = {"Keep-Alive", "Proxy-Connection", "HTTP2-Settings",
	                                   "Expect"};
	struct request r;

	MUST(head_length(head, n, 0) == (ptrdiff_t)n);
	MUST(request_parse(head, n, &r) == 0);
	MUST(r.method == before->method && !r.http10);
	MUST(r.method_name.n == before->method_name.n &&
	     memcmp(r.method_name.p, before->method_name.p, r.method_name.n) == 0);
	MUST(r.chunked == before->chunked && r.length == before->length);
	MUST(r.target.n <= before->target.n + 1);
	for (size_t i = 0; i < sizeof hops / sizeof *hops; i++)
		must_not_have(head, n, hops[i]);
	MUST((request_header(head, n, "Connection").p != NULL) ==
	     (upgrade || before->takes_trailers));
	MUST((request_header(head, n, "TE").p != NULL) == before->takes_trailers);
	MUST((request_header(head, n, "Upgrade").p != NULL) == upgrade);
}

static void
fuzz_request(const char *bytes, size_t len, unsigned rule)
{
	struct rewrite_rules rules = {.forwarded = (enum rewrite_forwarded)(rule & 3),
	                              .trusted = (rule & 4) != 0,
	                              .host = (rule & 8) != 0 ? "inner:80" : NULL,
	                              .own_host = "own",
	                              .via = (rule & 32) != 0};
	const char *peer = (rule & 16) != 0 ? "2001:db8::7" : "192.0.2.7";
	struct request r;
	bool upgrade;
	char *fit;
	size_t n;

	if (len == 0 || head_length(bytes, len, 0) != (ptrdiff_t)len ||
	    request_parse(bytes, len, &r) != 0)
		return;
	upgrade = connections_upgrade(bytes, len);
	rules.upgrade = upgrade;
	rules.peer = peer;
	n = rewrite_request(&rules, bytes, len, &r, out, sizeof out);
	if (n == 0)
		return; /* more lines of Connection than are read */
	if (!has_too_many_lines(out, n))
		check_request(out, n, &r, upgrade);
	fit = malloc(n);
	MUST(fit != NULL);
	rules.peer = peer;
	MUST(rewrite_request(&rules, bytes, len, &r, fit, n) == n);
	MUST(memcmp(fit, out, n) == 0);
	rules.peer = peer;
	MUST(rewrite_request(&rules, bytes, len, &r, fit, n - 1) == 0);
	free(fit);
}

/* --- answers --- */

static void
check_upstream_head(const char *head, size_t n, const struct upstream_head *before,
                    bool head_only, bool wrapped, bool unwrapped)
{
	enum upstream_body body = before->body;
	struct upstream_head r;

	if (wrapped)
		body = UPSTREAM_BODY_CHUNKED;
	if (unwrapped)
		body = UPSTREAM_BODY_TO_CLOSE;
	MUST(upstream_head_parse(head, n, head_only, &r) == NULL);
	MUST(r.status == before->status && r.body == body);
	MUST(r.length == (r.length_told ? before->length : 0));
	MUST(body != UPSTREAM_BODY_LENGTH || r.length_told);
	must_not_have(head, n, "Keep-Alive");
	must_not_have(head, n, "Proxy-Connection");
	MUST((request_header(head, n, "Transfer-Encoding").p != NULL) ==
	     (body == UPSTREAM_BODY_CHUNKED));
}

static void
check_whole_reply(const char *bytes, size_t len, unsigned rule)
{
	bool head_only = (rule & 1) != 0, http10 = (rule & 2) != 0, chunked;
	struct rewrite_answer rules = {.connection = http10 ? RESPONSE_HEAD_KEEP_ALIVE
	                                                    : RESPONSE_HEAD_KEEP,
	                               .via = (rule & 4) != 0,
	                               .date = (rule & 8) != 0 ? "now" : NULL};
	struct upstream_head r;
	size_t n;

	if (upstream_head_parse(bytes, len, head_only, &r) != NULL)
		return;
	MUST(r.status >= 100 && r.status <= 999);
	MUST(r.reason.p == NULL ||
	     (r.reason.p >= bytes && r.reason.p + r.reason.n <= bytes + len));
	chunked =
	    !http10 && (r.body == UPSTREAM_BODY_CHUNKED || r.body == UPSTREAM_BODY_TO_CLOSE);
	rules.chunked = chunked;
	n = rewrite_reply(&rules, bytes, len, &r, out, sizeof out);
	if (n > 0 && !has_too_many_lines(out, n))
		check_upstream_head(out, n, &r, head_only,
		                    chunked && r.body == UPSTREAM_BODY_TO_CLOSE,
		                    http10 && r.body == UPSTREAM_BODY_CHUNKED);
}

static void
fuzz_reply(const char *bytes, size_t len, unsigned rule)
{
	char *mended;

	if (len == 0 || upstream_head_length(bytes, len, 0) != len)
		return;
	mended = upstream_head_mend(bytes, &len);
	if (mended != NULL) {
		size_t n = len;

		MUST(upstream_head_mend(mended, &n) == NULL && n == len);
		MUST(head_length(mended, len, 0) == (ptrdiff_t)len);
	}
	check_whole_reply(mended != NULL ? mended : bytes, len, rule);
	free(mended);
}

/* --- trailers --- */

/* What is left has no line more, each is a field, and none of them frames anything. */
static void
fuzz_trailers(char *bytes, size_t len, bool answer)
{
	ptrdiff_t n = rewrite_trailers(bytes, len, answer);

	MUST(n <= (ptrdiff_t)len);
	if (n <= 0)
		return;
	MUST(bytes[n - 1] == '\n');
	MUST(rewrite_trailers(bytes, (size_t)n, answer) == n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes;

	if (size < 1)
		return 0;
	bytes = copy((const char *)data + 1, size - 1);
	if ((data[0] & 0xc0) == 0xc0)
		fuzz_trailers(bytes, size - 1, (data[0] & 1) != 0);
	else if ((data[0] & 0x80) != 0)
		fuzz_reply(bytes, size - 1, data[0]);
	else
		fuzz_request(bytes, size - 1, data[0]);
	free(bytes);
	return 0;
}
