/*
 * fuzz_http: what a client's bytes may do to the pure parts of the http service.
 *
 * The first byte chooses the part, the second where the rest is cut in two.  Each
 * part must come to the same result whole, in two pieces and byte by byte, and
 * what it lets through must keep its promises.
 *
 * tests/fuzz/run builds and runs it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "service/head/chunked.h"
#include "service/http/range.h"
#include "service/head/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An assertion that no NDEBUG takes away. */
#define MUST(what)                                                                             \
	do {                                                                                   \
		if (!(what))                                                                   \
			abort();                                                               \
	} while (0)

static void
must_be_within(const struct request_text *t, const char *head, size_t len)
{
	MUST(t->p == NULL || (t->p >= head && t->p + t->n <= head + len));
	MUST(t->p == NULL || memchr(t->p, '\n', t->n) == NULL);
}

static void
check_path(const struct request_text *target)
{
	char path[TARGET_MAX + 1], small[8];
	int status = target_path(target, path, sizeof path);

	MUST(status == 0 || status == 400 || status == 414);
	if (status != 0)
		return;
	MUST(memchr(path, '\0', sizeof path) != NULL);
	MUST(path[0] != '/'); /* nothing absolute reaches the kernel */
	MUST(strlen(path) <= target->n);
	status = target_path(target, small, sizeof small);
	MUST(status == (strlen(path) < sizeof small ? 0 : 414));
}

/* The lengths of a body that two readers could understand in two ways. */
static void
check_framing(const struct request *r, const char *head, size_t len)
{
	MUST(!r->chunked || (r->length == 0 && !r->http10));
	for (const char *p = head; (p = memchr(p, '\n', len - (size_t)(p - head))); p++) {
		MUST(p > head && p[-1] == '\r');
		MUST(p + 1 == head + len || (p[1] != ' ' && p[1] != '\t'));
	}
	MUST(memchr(head, '\0', len) == NULL);
	if (!r->chunked && r->length == 0)
		MUST(memmem(head, len, "\nTransfer-Encoding:", 19) == NULL);
}

static void
check_head(const char *head, size_t len)
{
	struct request r;
	int status = request_parse(head, len, &r);

	MUST(status == 0 || (status >= 400 && status <= 505));
	if (status != 0)
		return;
	MUST(r.target.p != NULL && r.target.n > 0 && r.target.n <= TARGET_MAX);
	MUST(r.method != METHOD_CONNECT);
	must_be_within(&r.target, head, len);
	must_be_within(&r.range, head, len);
	must_be_within(&r.if_range, head, len);
	MUST(r.if_match.n <= REQUEST_LINES_MAX && r.if_none_match.n <= REQUEST_LINES_MAX);
	for (unsigned i = 0; i < REQUEST_LINES_MAX; i++) {
		must_be_within(&r.if_match.line[i], head, len);
		must_be_within(&r.if_none_match.line[i], head, len);
	}
	must_be_within(&r.if_modified_since, head, len);
	must_be_within(&r.if_unmodified_since, head, len);
	check_framing(&r, head, len);
	check_path(&r.target);
	range_precondition(&r, "\"a\"", 784111777);
	range_allowed(&r, "\"a\"", 784111777);
}

/* The head of a stream: found at the same place however it comes. */
static void
fuzz_request(const char *bytes, size_t len, size_t cut)
{
	ptrdiff_t whole = head_length(bytes, len, 0), n = 0;

	for (size_t i = 0; i < len && n == 0; i++)
		n = head_length(bytes, i + 1, i);
	/* Byte by byte a bare LF is seen before the end; whole, request_parse finds it. */
	if (n > 0)
		MUST(whole == n);
	else if (n == 0)
		MUST(whole == 0);
	else if (whole > 0) {
		struct request r;

		MUST(request_parse(bytes, (size_t)whole, &r) != 0);
	}
	n = head_length(bytes, cut, 0);
	MUST(n <= 0 || n == whole);
	if (n == 0) {
		n = head_length(bytes, len, cut);
		MUST(n == whole);
	}
	if (whole > 0)
		check_head(bytes, (size_t)whole);
}

struct fed {
	struct chunked c;
	enum chunked_result result;
	size_t used;
};

static void
feed(struct fed *f, const char *bytes, size_t len)
{
	size_t used = SIZE_MAX;

	if (f->result != CHUNKED_MORE)
		return;
	f->result = chunked_feed(&f->c, bytes, len, &used);
	MUST(used <= len);
	MUST(f->result != CHUNKED_MORE || used == len);
	MUST(f->c.extra <= CHUNKED_TRAILER_MAX + 1);
	f->used += used;
}

static void
must_agree(const struct fed *a, const struct fed *b)
{
	MUST(a->result == b->result);
	MUST(a->used == b->used);
	MUST(a->c.total == b->c.total);
	MUST(a->c.extra == b->c.extra);
}

static void
fuzz_chunked(const char *bytes, size_t len)
{
	struct fed whole = {0}, slow = {0};

	feed(&whole, bytes, len);
	for (size_t i = 0; i < len; i++)
		feed(&slow, bytes + i, 1);
	must_agree(&whole, &slow);
	for (size_t cut = 0; cut <= len && cut < 300; cut++) {
		struct fed two = {0};

		feed(&two, bytes, cut);
		feed(&two, bytes + cut, len - cut);
		must_agree(&whole, &two);
	}
	if (whole.result == CHUNKED_DONE)
		MUST(whole.c.total <= whole.used && whole.used >= 5 &&
		     bytes[whole.used - 1] == '\n');
}

static void
fuzz_range(const char *bytes, size_t len, uint64_t size)
{
	struct request_text value = {bytes, len};
	struct request_list list = {1, {value}};
	uint64_t first = 0, last = 0;

	if (range_parse(&value, size, &first, &last) == RANGE_PART)
		MUST(first <= last && last < size);
	MUST(range_date(&value) >= -1);
	/* What a strong comparison finds, a weak one finds, too. */
	MUST(!range_has_etag(&list, "\"a\"", 0) || range_has_etag(&list, "\"a\"", 1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t sizes[] = {0, 1, 10, UINT64_C(1) << 40, INT64_MAX};
	size_t len, cut;
	char *bytes;

	if (size < 2)
		return 0;
	len = size - 2;
	cut = data[1] < len ? data[1] : len;
	bytes = malloc(len > 0 ? len : 1); /* of its own: a step beside it is seen */
	MUST(bytes != NULL);
	memcpy(bytes, data + 2, len);
	switch (data[0] % 4) {
	case 0:
		fuzz_request(bytes, len, cut);
		break;
	case 1:
		fuzz_chunked(bytes, len);
		break;
	case 2:
		fuzz_range(bytes, len, sizes[data[1] % 5]);
		break;
	default:
		if (memchr(bytes, '\0', len) == NULL) /* request_parse sees to that */
			check_path(&(struct request_text){bytes, len});
	}
	free(bytes);
	return 0;
}
