/* handoff: which records are let in, and the steps one by one. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "wire/handoff.h"

/* --- the record --- */

/* The form again, as it travels: a change of it must be seen here. */
#define MAGIC      0x6f746162u
#define HEAD_SIZE  12
#define FIELD_SIZE 8

#define TAG_SERVICE  1
#define TAG_LISTENER 2
#define TAG_STATE    3
#define TAG_NFD      10
#define TAG_BLOB     14
#define TAG_UPSTREAM 17
#define TAG_TLS      18
#define TAGS_END     26

#define AT(member) offsetof(struct handoff_record, member)

static const struct {
	unsigned tag;
	size_t at;
	uint64_t max;
} numbers[] = {
    {TAG_STATE, AT(state), 2},          {4, AT(age_ms), UINT64_MAX},
    {5, AT(state_ms), UINT64_MAX},      {6, AT(left_ms), UINT64_MAX},
    {7, AT(bytes_in), UINT64_MAX},      {8, AT(bytes_out), UINT64_MAX},
    {9, AT(requests), UINT32_MAX},      {TAG_NFD, AT(nfd), HANDOFF_FDS_MAX},
    {11, AT(blob_version), UINT32_MAX},
};

/* What one record has room for when the others are as small as they may be. */
#define ROOM (HANDOFF_RECORD_MAX - HEAD_SIZE - 11 * FIELD_SIZE - 9 * 8 - 2)

static const struct {
	unsigned tag;
	size_t at;
	size_t min, max;
	unsigned since; /* the version that brought it; 0: the first */
} texts[] = {
    {TAG_SERVICE, AT(service), 1, 64, 0},
    {TAG_LISTENER, AT(listener), 1, 256, 0},
    {12, AT(unread), 0, ROOM - FIELD_SIZE, 0},
    {13, AT(unsent), 0, ROOM - FIELD_SIZE, 0},
    {TAG_BLOB, AT(blob), 0, ROOM - FIELD_SIZE, 0},
    {15, AT(peer), 0, 64, 2},
    {16, AT(client), 0, 64, 2},
    {TAG_UPSTREAM, AT(upstream), 0, 64, 2},
    {TAG_TLS, AT(tls), 0, 256, 3},
    {19, AT(tls_in), 0, ROOM - FIELD_SIZE, 3},
    {20, AT(tls_plain), 0, ROOM - FIELD_SIZE, 3},
    {21, AT(tls_out), 0, ROOM - FIELD_SIZE, 3},
    {22, AT(tls_name), 0, 255, 3},
    {23, AT(tls_protocol), 0, 255, 3},
    {24, AT(tls_subject), 0, 512, 3},
    {25, AT(tls_fingerprint), 0, 32, 3},
};

#define NUMBERS_N (sizeof numbers / sizeof *numbers)
#define TEXTS_N   (sizeof texts / sizeof *texts)

static char stuff[2 * HANDOFF_RECORD_MAX]; /* bytes to fill a field with */

/* A record written by hand, so that it can be wrong. */
static struct {
	unsigned fields;
	size_t len;
	char bytes[2 * HANDOFF_RECORD_MAX];
} raw;

static void
raw_put(size_t at, const void *p, size_t n)
{
	memcpy(raw.bytes + at, p, n);
}

static void
raw_field(unsigned tag, const void *p, size_t n)
{
	uint16_t head[2] = {(uint16_t)tag, 0};
	uint32_t length = (uint32_t)n;

	raw_put(raw.len, head, sizeof head);
	raw_put(raw.len + 4, &length, sizeof length);
	raw_put(raw.len + FIELD_SIZE, p, n);
	raw.len += FIELD_SIZE + n;
	raw.fields++;
}

static void
raw_number(unsigned tag, uint64_t n)
{
	raw_field(tag, &n, sizeof n);
}

static void
raw_head(uint32_t magic, unsigned version, unsigned fields, size_t len)
{
	uint16_t pair[2] = {(uint16_t)version, (uint16_t)fields};
	uint32_t length = (uint32_t)len;

	raw_put(0, &magic, sizeof magic);
	raw_put(4, pair, sizeof pair);
	raw_put(8, &length, sizeof length);
}

/* All that a record needs, one descriptor, but not this tag. */
static void
raw_without(unsigned tag)
{
	raw.len = HEAD_SIZE;
	raw.fields = 0;
	for (size_t i = 0; i < NUMBERS_N; i++)
		if (numbers[i].tag != tag)
			raw_number(numbers[i].tag, numbers[i].tag == TAG_NFD);
	if (tag != TAG_SERVICE)
		raw_field(TAG_SERVICE, "http", 4);
	if (tag != TAG_LISTENER)
		raw_field(TAG_LISTENER, "web", 3);
}

static const char *
decode(const void *bytes, size_t len, size_t nfd)
{
	struct handoff_record r;
	char *own = malloc(len + 1); /* of its own: a step beside it is seen */
	const char *fault;

	ck_assert_ptr_nonnull(own);
	memcpy(own + 1, bytes, len); /* and nowhere aligned */
	fault = handoff_decode(own + 1, len, nfd, &r);
	free(own);
	return fault;
}

static const char *
raw_decode(void)
{
	raw_head(MAGIC, HANDOFF_VERSION, raw.fields, raw.len);
	return decode(raw.bytes, raw.len, 1);
}

#define REFUSED(fault, why)                                                                    \
	do {                                                                                   \
		const char *fault_ = (fault);                                                  \
		ck_assert_ptr_nonnull(fault_);                                                 \
		ck_assert_str_eq(fault_, why);                                                 \
	} while (0)

static struct handoff_record
plain(void)
{
	return (struct handoff_record){.service = {"echo", 4},
	                               .listener = {"e", 1},
	                               .state = 1,
	                               .age_ms = 1,
	                               .state_ms = 2,
	                               .left_ms = HANDOFF_NO_LIMIT,
	                               .bytes_in = 4,
	                               .bytes_out = 5,
	                               .requests = 6,
	                               .nfd = 1,
	                               .blob_version = 7,
	                               .unread = {"unread", 6},
	                               .unsent = {"uns\0nt", 6},
	                               .blob = {"\0", 1},
	                               .peer = {"192.0.2.1:80", 12},
	                               .client = {"::1", 3},
	                               .upstream = {"192.0.2.2:80", 12}};
}

static uint64_t *
number_of(struct handoff_record *r, size_t i)
{
	return (uint64_t *)(void *)((char *)r + numbers[i].at);
}

static struct handoff_bytes *
text_of(struct handoff_record *r, size_t i)
{
	return (struct handoff_bytes *)(void *)((char *)r + texts[i].at);
}

/* As one looks that went in the form of that version. */
static void
must_be_same(struct handoff_record *a, struct handoff_record *b, unsigned version)
{
	for (size_t i = 0; i < NUMBERS_N; i++)
		ck_assert_uint_eq(*number_of(a, i), *number_of(b, i));
	for (size_t i = 0; i < TEXTS_N; i++) {
		size_t n = version < texts[i].since ? 0 : text_of(a, i)->n;

		ck_assert_uint_eq(n, text_of(b, i)->n);
		if (n > 0)
			ck_assert_mem_eq(text_of(a, i)->p, text_of(b, i)->p, text_of(a, i)->n);
	}
}

static void
must_travel(struct handoff_record *r)
{
	static char bytes[HANDOFF_RECORD_MAX];

	for (unsigned v = HANDOFF_VERSION_OLDEST; v <= HANDOFF_VERSION; v++) {
		size_t len = handoff_encode(r, v, bytes, sizeof bytes);
		struct handoff_record back;

		if (v < 3 && r->tls.n > 0) { /* that version would go on in clear */
			ck_assert_uint_eq(len, 0);
			continue;
		}
		ck_assert_uint_gt(len, 0);
		ck_assert_ptr_null(handoff_decode(bytes, len, r->nfd, &back));
		must_be_same(r, &back, v);
	}
}

START_TEST(what_is_written_is_read)
{
	struct handoff_record r = plain();

	must_travel(&r);
	for (size_t i = 0; i < TEXTS_N; i++)
		*text_of(&r, i) = (struct handoff_bytes){stuff, texts[i].min};
	for (size_t i = 0; i < NUMBERS_N; i++)
		*number_of(&r, i) = numbers[i].tag == TAG_NFD;
	must_travel(&r);
	for (size_t i = 0; i < NUMBERS_N; i++)
		*number_of(&r, i) = numbers[i].max;
	must_travel(&r);
}
END_TEST

START_TEST(each_number_may_be_as_large_as_it_can)
{
	struct handoff_record r = plain();

	*number_of(&r, (size_t)_i) = numbers[_i].max;
	must_travel(&r);
	raw_without(numbers[_i].tag);
	raw_number(numbers[_i].tag, numbers[_i].tag == TAG_NFD ? 1 : numbers[_i].max);
	ck_assert_ptr_null(raw_decode());
	if (numbers[_i].max == UINT64_MAX)
		return;
	raw_without(numbers[_i].tag);
	raw_number(numbers[_i].tag, numbers[_i].max + 1);
	REFUSED(raw_decode(), "has a number out of range");
}
END_TEST

START_TEST(each_text_may_be_as_long_as_it_can)
{
	struct handoff_record r = {
	    .service = {"s", 1}, .listener = {"l", 1}, .nfd = 1, .left_ms = 1};

	*text_of(&r, (size_t)_i) = (struct handoff_bytes){stuff, texts[_i].max};
	must_travel(&r);
	if (texts[_i].max >= ROOM - FIELD_SIZE)
		return; /* the record ends before the field does */
	raw_without(texts[_i].tag);
	raw_field(texts[_i].tag, stuff, texts[_i].max + 1);
	REFUSED(raw_decode(), "has a field of a wrong length");
	if (texts[_i].min == 0)
		return;
	raw_without(texts[_i].tag);
	raw_field(texts[_i].tag, stuff, 0);
	REFUSED(raw_decode(), "has a field of a wrong length");
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	struct handoff_record r = plain();
	size_t len = handoff_encode(&r, HANDOFF_VERSION, raw.bytes, sizeof raw.bytes);

	ck_assert_ptr_null(decode(raw.bytes, len, 1));
	memcpy(&raw.fields, raw.bytes + 6, sizeof(uint16_t));
	for (size_t n = 0; n < len; n++)
		ck_assert_ptr_nonnull(decode(raw.bytes, n, 1));
	for (size_t n = HEAD_SIZE; n < len; n++) { /* even if it knows how long it is */
		raw_head(MAGIC, HANDOFF_VERSION, raw.fields, n);
		REFUSED(decode(raw.bytes, n, 1), "ends amid a field");
	}
}
END_TEST

START_TEST(a_head_that_is_not_ours_is_refused)
{
	raw_without(0);
	ck_assert_ptr_null(raw_decode());
	raw_head(MAGIC, 0, raw.fields, raw.len);
	REFUSED(decode(raw.bytes, raw.len, 1), "is of a version that this one does not read");
	raw_head(MAGIC, HANDOFF_VERSION + 1, raw.fields, raw.len);
	REFUSED(decode(raw.bytes, raw.len, 1), "is of a version that this one does not read");
	raw_head(MAGIC, HANDOFF_VERSION + 256, raw.fields, raw.len);
	REFUSED(decode(raw.bytes, raw.len, 1), "is of a version that this one does not read");
	raw_head(MAGIC ^ 1, HANDOFF_VERSION, raw.fields, raw.len);
	REFUSED(decode(raw.bytes, raw.len, 1), "is no record of a connection");
	raw_head(MAGIC, HANDOFF_VERSION, raw.fields, raw.len - 1);
	REFUSED(decode(raw.bytes, raw.len, 1), "is not as long as it says");
	raw_head(MAGIC, HANDOFF_VERSION, raw.fields, raw.len + 1);
	REFUSED(decode(raw.bytes, raw.len, 1), "is not as long as it says");
	REFUSED(decode(raw.bytes, HEAD_SIZE - 1, 1), "is shorter than its head");
}
END_TEST

START_TEST(the_number_of_fields_is_exact)
{
	raw_without(0);
	raw_head(MAGIC, HANDOFF_VERSION, raw.fields + 1, raw.len);
	REFUSED(decode(raw.bytes, raw.len, 1), "ends amid a field");
	raw_head(MAGIC, HANDOFF_VERSION, raw.fields - 1, raw.len);
	REFUSED(decode(raw.bytes, raw.len, 1), "goes on after its last field");
	raw.bytes[raw.len++] = '\0';
	REFUSED(raw_decode(), "goes on after its last field");
	raw_head(MAGIC, HANDOFF_VERSION, UINT16_MAX, raw.len);
	REFUSED(decode(raw.bytes, raw.len, 1), "ends amid a field");
}
END_TEST

START_TEST(a_field_comes_once)
{
	for (size_t i = 0; i < NUMBERS_N; i++) {
		raw_without(0);
		raw_number(numbers[i].tag, 1);
		REFUSED(raw_decode(), "has a field twice");
	}
	for (size_t i = 0; i < TEXTS_N; i++) {
		raw_without(texts[i].tag);
		raw_field(texts[i].tag, "x", 1);
		ck_assert_ptr_null(raw_decode());
		raw_field(texts[i].tag, "x", 1);
		REFUSED(raw_decode(), "has a field twice");
	}
}
END_TEST

START_TEST(a_field_that_is_not_known_is_refused)
{
	static const unsigned tags[] = {
	    0, TAGS_END, 63, 64, 64 + TAG_STATE, 256 + TAG_BLOB, UINT16_MAX};

	for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
		raw_without(0);
		raw_field(tags[i], "x", 1);
		REFUSED(raw_decode(), "has a field that its version does not know");
	}
	for (size_t i = 0; i < TEXTS_N; i++) { /* before the version that brought it */
		raw_without(texts[i].tag);
		raw_field(texts[i].tag, "x", 1);
		raw_head(MAGIC, 1, raw.fields, raw.len);
		if (texts[i].since <= 1)
			ck_assert_ptr_null(decode(raw.bytes, raw.len, 1));
		else
			REFUSED(decode(raw.bytes, raw.len, 1),
			        "has a field that its version does not know");
	}
	raw_without(0);
	raw.bytes[HEAD_SIZE + 2] = 1; /* what is kept for later is not for now */
	REFUSED(raw_decode(), "has a field that its version does not know");
}
END_TEST

START_TEST(a_field_that_is_needed_is_missed)
{
	for (unsigned tag = TAG_SERVICE; tag <= 11; tag++) {
		raw_without(tag);
		REFUSED(raw_decode(), "lacks a field");
	}
}
END_TEST

START_TEST(a_number_has_its_size)
{
	static const size_t sizes[] = {0, 4, 7, 9, 16};

	for (size_t i = 0; i < NUMBERS_N; i++)
		for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
			raw_without(numbers[i].tag);
			raw_field(numbers[i].tag, stuff, sizes[k]);
			REFUSED(raw_decode(), "has a number of a wrong length");
		}
}
END_TEST

START_TEST(a_field_ends_within_the_record)
{
	static const uint32_t lengths[] = {4, 0x7fffffff, 0xfffffff8, UINT32_MAX};
	size_t at;

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		raw_without(0);
		at = raw.len;
		raw_field(TAG_BLOB, "abc", 3);
		raw_put(at + 4, &lengths[i], sizeof *lengths);
		REFUSED(raw_decode(), "ends amid a field");
	}
}
END_TEST

START_TEST(the_descriptors_are_those_it_names)
{
	const char *why = "came with another number of descriptors";

	for (uint64_t nfd = 0; nfd <= HANDOFF_FDS_MAX; nfd++) {
		raw_without(TAG_NFD);
		raw_number(TAG_NFD, nfd);
		raw_head(MAGIC, HANDOFF_VERSION, raw.fields, raw.len);
		for (size_t came = 0; came <= HANDOFF_FDS_MAX + 1; came++) {
			const char *fault = decode(raw.bytes, raw.len, came);

			if (nfd > 0 && came == nfd)
				ck_assert_ptr_null(fault);
			else
				REFUSED(fault, why);
		}
	}
}
END_TEST

START_TEST(a_record_has_a_largest_size)
{
	size_t room;

	raw_without(0);
	room = HANDOFF_RECORD_MAX - raw.len - FIELD_SIZE;
	raw_field(TAG_BLOB, stuff, room);
	ck_assert_uint_eq(raw.len, HANDOFF_RECORD_MAX);
	ck_assert_ptr_null(raw_decode());
	raw_without(0);
	raw_field(TAG_BLOB, stuff, room + 1);
	REFUSED(raw_decode(), "is too long");
}
END_TEST

START_TEST(what_does_not_fit_is_not_written)
{
	struct handoff_record r = plain();
	size_t len = handoff_encode(&r, HANDOFF_VERSION, raw.bytes, sizeof raw.bytes);

	for (size_t size = 0; size <= len; size++) {
		char *own = malloc(size + 1);

		ck_assert_ptr_nonnull(own);
		own[size] = '#';
		ck_assert_uint_eq(handoff_encode(&r, HANDOFF_VERSION, own, size),
		                  size < len ? 0 : len);
		ck_assert_int_eq(own[size], '#');
		free(own);
	}
	r.unsent = (struct handoff_bytes){stuff, HANDOFF_RECORD_MAX};
	ck_assert_uint_eq(handoff_encode(&r, HANDOFF_VERSION, raw.bytes, HANDOFF_RECORD_MAX),
	                  0);
}
END_TEST

START_TEST(each_refusal_has_a_text)
{
	const char *other = handoff_refusal_text(0);

	for (unsigned i = 1; i < HANDOFF_REFUSALS_N; i++)
		ck_assert_str_ne(handoff_refusal_text(i), other);
	ck_assert_str_eq(handoff_refusal_text(HANDOFF_REFUSALS_N), other);
	ck_assert_str_eq(handoff_refusal_text(UINT32_MAX), other);
}
END_TEST

/* --- the steps --- */

static const struct {
	enum handoff_state state;
	enum handoff_event event;
	enum handoff_state next;
	enum handoff_action action;
} rows[] = {
    {HANDOFF_HERE, HANDOFF_OFFER, HANDOFF_SENT, HANDOFF_WAIT},
    {HANDOFF_SENT, HANDOFF_ACK, HANDOFF_GONE, HANDOFF_LET_GO},
    {HANDOFF_SENT, HANDOFF_NACK, HANDOFF_HERE, HANDOFF_TAKE_BACK},
    {HANDOFF_SENT, HANDOFF_RECALL, HANDOFF_HERE, HANDOFF_TAKE_BACK},
    {HANDOFF_SENT, HANDOFF_CALL, HANDOFF_CALLED, HANDOFF_WAIT},
    {HANDOFF_CALLED, HANDOFF_NACK, HANDOFF_HERE, HANDOFF_TAKE_BACK},
    {HANDOFF_CALLED, HANDOFF_RECALL, HANDOFF_HERE, HANDOFF_TAKE_BACK},
    {HANDOFF_CALLED, HANDOFF_END, HANDOFF_HERE, HANDOFF_TAKE_BACK},
    {HANDOFF_CALLED, HANDOFF_NEVER, HANDOFF_STAYS, HANDOFF_KEEP},
    {HANDOFF_SENT, HANDOFF_END, HANDOFF_HERE, HANDOFF_TAKE_BACK},
    {HANDOFF_SENT, HANDOFF_NEVER, HANDOFF_STAYS, HANDOFF_KEEP},
    {HANDOFF_NONE, HANDOFF_ACCEPT, HANDOFF_HELD, HANDOFF_COUNT},
    {HANDOFF_HELD, HANDOFF_RELEASE, HANDOFF_LIVE, HANDOFF_START},
    {HANDOFF_HELD, HANDOFF_END, HANDOFF_LIVE, HANDOFF_START},
    {HANDOFF_HELD, HANDOFF_CANCEL, HANDOFF_NONE, HANDOFF_DROP},
};

static void
check_step(enum handoff_state state, enum handoff_event event)
{
	enum handoff_state next = state, now = state;
	enum handoff_action action = HANDOFF_IGNORE;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].state == state && rows[i].event == event) {
			next = rows[i].next;
			action = rows[i].action;
		}
	ck_assert_int_eq(handoff_step(&now, event), action);
	ck_assert_int_eq(now, next);
}

START_TEST(what_is_not_a_step_moves_nothing)
{
	for (int state = HANDOFF_HERE; state <= HANDOFF_LIVE; state++)
		for (int event = HANDOFF_OFFER; event <= HANDOFF_CANCEL; event++)
			check_step((enum handoff_state)state, (enum handoff_event)event);
}
END_TEST

static TCase *
record_tests(void)
{
	TCase *t = tcase_create("record");

	tcase_add_test(t, what_is_written_is_read);
	tcase_add_loop_test(t, each_number_may_be_as_large_as_it_can, 0, NUMBERS_N);
	tcase_add_loop_test(t, each_text_may_be_as_long_as_it_can, 0, TEXTS_N);
	tcase_add_test(t, every_truncation_is_refused);
	tcase_add_test(t, a_head_that_is_not_ours_is_refused);
	tcase_add_test(t, the_number_of_fields_is_exact);
	tcase_add_test(t, a_field_comes_once);
	tcase_add_test(t, a_field_that_is_not_known_is_refused);
	tcase_add_test(t, a_field_that_is_needed_is_missed);
	tcase_add_test(t, a_number_has_its_size);
	tcase_add_test(t, a_field_ends_within_the_record);
	tcase_add_test(t, the_descriptors_are_those_it_names);
	tcase_add_test(t, a_record_has_a_largest_size);
	tcase_add_test(t, what_does_not_fit_is_not_written);
	tcase_add_test(t, each_refusal_has_a_text);
	tcase_add_test(t, what_is_not_a_step_moves_nothing);
	return t;
}

int
main(void)
{
	Suite *s = suite_create("handoff");
	SRunner *sr;
	int failed;

	suite_add_tcase(s, record_tests());
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
