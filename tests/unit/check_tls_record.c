/* record: the vectors of RFC 8448, and whatever a peer may say. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "base/log.h"
#include "tls/record.h"

static uint8_t bytes[TLS_RECORD_MAX + 1], plain_text[TLS_PLAIN_MAX];

static void
hex(const char *text, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned byte;

		while (*text == ' ')
			text++;
		ck_assert_int_eq(sscanf(text, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
		text += 2;
	}
}

/* What a peer of s is: its mirror. */
static struct tls_state
mirror(const struct tls_state *s)
{
	struct tls_state m = *s;

	m.rx = s->tx;
	m.tx = s->rx;
	m.rx.serial = m.tx.serial = 0;
	return m;
}

static struct tls_state
fresh_state(const struct tls_suite *suite)
{
	struct tls_state s = {.suite = suite, .max_plain = TLS_PLAIN_MAX};
	uint8_t master[48], client[32], server[32];

	RAND_bytes(master, sizeof master);
	RAND_bytes(client, sizeof client);
	RAND_bytes(server, sizeof server);
	if (suite->version == TLS_1_2) {
		ck_assert_int_eq(tls_state_from_master(&s, master, client, server), 0);
		RAND_bytes((uint8_t *)&s.tx.prefix, sizeof s.tx.prefix);
		s.rx.seq = s.tx.seq = 1;
		return s;
	}
	RAND_bytes(s.rx.secret, suite->hash_len);
	RAND_bytes(s.tx.secret, suite->hash_len);
	ck_assert_int_eq(tls_half_derive(suite, &s.rx), 0);
	ck_assert_int_eq(tls_half_derive(suite, &s.tx), 0);
	return s;
}

static size_t
seal(struct tls_state *s, enum tls_type type, const void *p, size_t n, uint8_t *out)
{
	struct iovec iov = {(void *)(uintptr_t)p, n};
	struct tls_source source = {.iov = &iov, .n = 1};
	size_t len = tls_seal(s, type, &source, n, out);

	ck_assert_uint_eq(tls_source_left(&source), 0);
	ck_assert_uint_le(len, n + TLS_MORE_MAX);
	return len;
}

/* How it is taken, when it comes whole; *n as tls_take tells it. */
static enum tls_result
take(struct tls_state *s, size_t len, size_t *n)
{
	uint8_t *plain;
	size_t used;
	enum tls_result result = tls_take(s, bytes, len, &used, &plain, n);

	if (result == TLS_GOT_DATA) {
		ck_assert_uint_eq(used, len);
		memcpy(plain_text, plain, *n);
	}
	return result;
}

/* --- RFC 8448, 3 --- */

static struct tls_state
rfc_server(void)
{
	struct tls_state s = {.suite = tls_suite_find(TLS_1_3, 0x1301),
	                      .max_plain = TLS_PLAIN_MAX};

	hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5", s.rx.secret,
	    32);
	hex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643", s.tx.secret,
	    32);
	ck_assert_int_eq(tls_half_derive(s.suite, &s.rx), 0);
	ck_assert_int_eq(tls_half_derive(s.suite, &s.tx), 0);
	return s;
}

START_TEST(keys_are_those_of_the_rfc)
{
	struct tls_state s = rfc_server();
	uint8_t want[16];

	hex("17422dda596ed5d9acd890e3c63f5051", want, 16);
	ck_assert_mem_eq(s.rx.key, want, 16);
	hex("5b78923dee08579033e523d9", want, 12);
	ck_assert_mem_eq(s.rx.iv, want, 12);
	hex("9f02283b6c9c07efc26bb9f2ac92e356", want, 16);
	ck_assert_mem_eq(s.tx.key, want, 16);
	hex("cf782b88dd83549aadf1e984", want, 12);
	ck_assert_mem_eq(s.tx.iv, want, 12);
}
END_TEST

START_TEST(records_are_those_of_the_rfc)
{
	static const char up[] = "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bca"
	                         "b3f2b9819a8a5b46b395bd5"
	                         "4a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4";
	static const char down[] =
	    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc"
	    "60"
	    "2dcb501a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d";
	struct tls_state s = rfc_server();
	uint8_t want[72], text[50], out[128];
	size_t n;

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)i;
	hex(up, bytes, 72);
	ck_assert_int_eq(take(&s, 72, &n), TLS_GOT_DATA);
	ck_assert_uint_eq(n, 50);
	ck_assert_mem_eq(plain_text, text, 50);
	s.tx.seq = 1; /* the ticket was the first */
	ck_assert_uint_eq(seal(&s, TLS_DATA, text, 50, out), 72);
	hex(down, want, 72);
	ck_assert_mem_eq(out, want, 72);
	hex("1703030013c9872760655666b74d7ff1153efd6db6d0b0e3", bytes, 24);
	ck_assert_int_eq(take(&s, 24, &n), TLS_GOT_END);
	ck_assert(s.closed_in);
	ck_assert_uint_eq(tls_seal_alert(&s, TLS_CLOSE_NOTIFY, out), 24);
	hex("1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9", want, 24);
	ck_assert_mem_eq(out, want, 24);
}
END_TEST

/* --- to and fro, as bytes in between --- */

static void
travel(struct tls_state *s)
{
	uint8_t buf[TLS_STATE_MAX];
	size_t n = tls_state_write(s, buf);
	struct tls_state back;

	ck_assert_uint_le(n, sizeof buf);
	ck_assert_ptr_null(tls_state_read(&back, buf, n));
	*s = back;
}

START_TEST(each_suite_goes_to_and_fro)
{
	static const size_t sizes[] = {1, 15, 16, 17, 1000, TLS_PLAIN_MAX};
	const struct tls_suite *suite = tls_suite_at((size_t)_i);
	struct tls_state s = fresh_state(suite), peer = mirror(&s);
	size_t n;

	RAND_bytes(plain_text, sizeof plain_text);
	for (unsigned round = 0; round < 200; round++) {
		size_t size = sizes[round % 6], len;
		static uint8_t text[TLS_PLAIN_MAX];

		RAND_bytes(text, (int)size);
		len = seal(&s, TLS_DATA, text, size, bytes);
		ck_assert_int_eq(take(&peer, len, &n), TLS_GOT_DATA);
		ck_assert_uint_eq(n, size);
		ck_assert_mem_eq(plain_text, text, size);
		len = seal(&peer, TLS_DATA, text, size, bytes);
		ck_assert_int_eq(take(&s, len, &n), TLS_GOT_DATA);
		ck_assert_mem_eq(plain_text, text, size);
		if (round % 3 == 0)
			travel(&s);
	}
	ck_assert_uint_eq(s.tx.seq, 200 + (suite->version == TLS_1_2));
}
END_TEST

START_TEST(a_source_may_be_in_pieces)
{
	struct tls_state s = fresh_state(tls_suite_at(0)), peer = mirror(&s);
	char a[] = "abc", b[] = "de", c[] = "";
	struct iovec iov[] = {{c, 0}, {a, 3}, {c, 0}, {b, 2}, {c, 0}};
	struct tls_source source = {.iov = iov, .n = 5};
	size_t n;

	ck_assert_uint_eq(tls_source_left(&source), 5);
	n = tls_seal(&s, TLS_DATA, &source, 4, bytes);
	ck_assert_int_eq(take(&peer, n, &n), TLS_GOT_DATA);
	ck_assert_mem_eq(plain_text, "abcd", 4);
	ck_assert_uint_eq(tls_source_left(&source), 1);
}
END_TEST

START_TEST(a_state_that_is_damaged_is_refused)
{
	for (size_t i = 0; tls_suite_at(i) != NULL; i++) {
		struct tls_state s = fresh_state(tls_suite_at(i)), back;
		uint8_t buf[TLS_STATE_MAX + 1];
		size_t n = tls_state_write(&s, buf);

		for (size_t cut = 0; cut < n; cut++)
			ck_assert_ptr_nonnull(tls_state_read(&back, buf, cut));
		ck_assert_ptr_nonnull(tls_state_read(&back, buf, n + 1));
		for (size_t at = 0; at < 5; at++) { /* form, version, suite */
			buf[at] ^= 0x40;
			ck_assert_ptr_nonnull(tls_state_read(&back, buf, n));
			buf[at] ^= 0x40;
		}
		buf[5] = buf[6] = 0; /* max_plain */
		ck_assert_ptr_nonnull(tls_state_read(&back, buf, n));
	}
}
END_TEST

/* --- bad peers --- */

static void
must_be_wrong(struct tls_state *s, size_t len, unsigned alert)
{
	size_t n = 0;

	ck_assert_int_eq(take(s, len, &n), TLS_GOT_WRONG);
	ck_assert_uint_eq(n, alert);
}

START_TEST(a_flipped_bit_is_seen)
{
	struct tls_state s = fresh_state(tls_suite_at((size_t)_i)), peer = mirror(&s);
	uint8_t record[64];
	size_t len = seal(&s, TLS_DATA, "hello", 5, record), n;

	for (size_t bit = 0; bit < 8 * len; bit++) {
		struct tls_state copy = peer;
		enum tls_result result;

		memcpy(bytes, record, len);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		result = take(&copy, len, &n);
		ck_assert(result == TLS_GOT_WRONG || result == TLS_GOT_PART);
	}
	memcpy(bytes, record, len);
	ck_assert_int_eq(take(&peer, len, &n), TLS_GOT_DATA);
	memcpy(bytes, record, len);
	must_be_wrong(&peer, len, TLS_BAD_RECORD_MAC); /* a replay */
}
END_TEST

START_TEST(a_record_that_comes_in_parts_waits)
{
	struct tls_state s = fresh_state(tls_suite_at(0)), peer = mirror(&s);
	size_t len = seal(&s, TLS_DATA, "hello", 5, bytes), n, used;
	uint8_t *plain;

	for (size_t have = 0; have < len; have++) {
		ck_assert_int_eq(tls_take(&peer, bytes, have, &used, &plain, &n), TLS_GOT_PART);
		ck_assert_uint_eq(used, 0);
	}
	ck_assert_int_eq(tls_take(&peer, bytes, len, &used, &plain, &n), TLS_GOT_DATA);
}
END_TEST

START_TEST(what_is_too_long_or_none_is_wrong_at_once)
{
	struct tls_state s = fresh_state(tls_suite_at(0));

	memcpy(bytes, "\x17\x03\x03\xff\xff", 5);
	must_be_wrong(&s, 5, TLS_RECORD_OVERFLOW);
	memcpy(bytes, "\x17\x03\x03\x41\x01", 5);
	must_be_wrong(&s, 5, TLS_RECORD_OVERFLOW);
	memcpy(bytes, "\x14\x03\x03\x00\x01\x01", 6); /* a CCS, behind the switch */
	must_be_wrong(&s, 6, TLS_UNEXPECTED_MESSAGE);
	memcpy(bytes, "\x17\x03\x03\x00\x00", 5);
	must_be_wrong(&s, 5, TLS_BAD_RECORD_MAC);
	memcpy(bytes, "\x17\x03\x01\x00\x20", 5);
	must_be_wrong(&s, 37, TLS_DECODE_ERROR);
}
END_TEST

START_TEST(records_without_data_are_bounded)
{
	struct tls_state s = fresh_state(tls_suite_at((size_t)_i)), peer = mirror(&s);
	size_t n;

	for (int i = 0; i < 32; i++)
		ck_assert_int_eq(take(&peer, seal(&s, TLS_DATA, "", 0, bytes), &n),
		                 TLS_GOT_NOTHING);
	ck_assert_int_eq(take(&peer, seal(&s, TLS_DATA, "x", 1, bytes), &n), TLS_GOT_DATA);
	for (int i = 0; i < 32; i++)
		ck_assert_int_eq(take(&peer, seal(&s, TLS_DATA, "", 0, bytes), &n),
		                 TLS_GOT_NOTHING);
	must_be_wrong(&peer, seal(&s, TLS_DATA, "", 0, bytes), TLS_UNEXPECTED_MESSAGE);
}
END_TEST

/* --- KeyUpdate --- */

static size_t
seal_update(struct tls_state *s, uint8_t wanted)
{
	uint8_t message[] = {24, 0, 0, 1, wanted};
	size_t len = seal(s, TLS_HANDSHAKE, message, sizeof message, bytes);

	ck_assert_int_eq(tls_half_update(s->suite, &s->tx), 0);
	return len;
}

START_TEST(keys_are_updated_in_both_directions)
{
	struct tls_state s = fresh_state(tls_suite_at((size_t)_i)), peer = mirror(&s);
	size_t n;

	for (unsigned i = 1; i <= 5; i++) {
		uint8_t out[TLS_SAYS_MAX];
		ptrdiff_t said;

		ck_assert_int_eq(take(&peer, seal_update(&s, 1), &n), TLS_GOT_NOTHING);
		travel(&peer);
		ck_assert(peer.owe_update);
		ck_assert_int_eq(take(&peer, seal(&s, TLS_DATA, "a", 1, bytes), &n),
		                 TLS_GOT_DATA);
		said = tls_say(&peer, out);
		ck_assert_int_gt(said, 0);
		ck_assert(!peer.owe_update && tls_say(&peer, out + said) == 0);
		memcpy(bytes, out, (size_t)said);
		ck_assert_int_eq(take(&s, (size_t)said, &n), TLS_GOT_NOTHING);
		ck_assert(!s.owe_update);
		ck_assert_int_eq(take(&s, seal(&peer, TLS_DATA, "b", 1, bytes), &n),
		                 TLS_GOT_DATA);
		ck_assert_uint_eq(peer.rx.epoch, i);
		ck_assert_uint_eq(peer.tx.epoch, i);
	}
}
END_TEST

START_TEST(an_update_may_come_in_pieces_and_has_bounds)
{
	struct tls_state s = fresh_state(tls_suite_at(1)), peer = mirror(&s);
	size_t n;

	ck_assert_int_eq(take(&peer, seal(&s, TLS_HANDSHAKE, "\x18\0", 2, bytes), &n),
	                 TLS_GOT_NOTHING);
	travel(&peer);
	ck_assert_int_eq(take(&peer, seal(&s, TLS_HANDSHAKE, "\0\1\0", 3, bytes), &n),
	                 TLS_GOT_NOTHING);
	ck_assert_int_eq(tls_half_update(s.suite, &s.tx), 0);
	for (int i = 1; i < 32; i++)
		ck_assert_int_eq(take(&peer, seal_update(&s, 0), &n), TLS_GOT_NOTHING);
	must_be_wrong(&peer, seal_update(&s, 0), TLS_UNEXPECTED_MESSAGE);
}
END_TEST

START_TEST(what_is_no_update_is_wrong)
{
	static const struct {
		const char *text;
		size_t n;
		unsigned alert;
	} cases[] = {{"\x18\0\0\1\2", 5, TLS_ILLEGAL_PARAMETER},
	             {"\x18\0\0\2\0", 5, TLS_UNEXPECTED_MESSAGE},
	             {"\x18\0\0\1\0\x18", 6, TLS_UNEXPECTED_MESSAGE}, /* it ends its record */
	             {"\x01\0\0\0", 4, TLS_UNEXPECTED_MESSAGE},
	             {"", 0, TLS_UNEXPECTED_MESSAGE}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tls_state s = fresh_state(tls_suite_at(0)), peer = mirror(&s);

		must_be_wrong(&peer, seal(&s, TLS_HANDSHAKE, cases[i].text, cases[i].n, bytes),
		              cases[i].alert);
	}
}
END_TEST

START_TEST(a_part_of_an_update_is_not_followed_by_data)
{
	struct tls_state s = fresh_state(tls_suite_at(0)), peer = mirror(&s);
	size_t n;

	take(&peer, seal(&s, TLS_HANDSHAKE, "\x18\0", 2, bytes), &n);
	must_be_wrong(&peer, seal(&s, TLS_DATA, "x", 1, bytes), TLS_UNEXPECTED_MESSAGE);
}
END_TEST

START_TEST(our_key_is_renewed_in_time)
{
	struct tls_state s = fresh_state(tls_suite_at(0)), old = fresh_state(tls_suite_at(3));
	uint8_t out[TLS_SAYS_MAX];
	struct iovec iov = {(void *)(uintptr_t) "x", 1};
	struct tls_source source = {.iov = &iov, .n = 1};

	s.tx.seq = (1 << 24) - 1;
	ck_assert_int_eq(tls_say(&s, out), 0);
	s.tx.seq++;
	ck_assert_int_gt(tls_say(&s, out), 0);
	ck_assert_uint_eq(s.tx.epoch, 1);
	ck_assert_uint_eq(s.tx.seq, 0);
	old.tx.seq = 1 << 24; /* TLS 1.2 can't, and ends */
	ck_assert_uint_eq(tls_seal(&old, TLS_DATA, &source, 1, bytes), 0);
}
END_TEST

/* --- alerts, renegotiation --- */

START_TEST(alerts_are_told_apart)
{
	struct tls_state s = fresh_state(tls_suite_at((size_t)_i)), peer = mirror(&s);
	size_t n;

	ck_assert_int_eq(take(&peer, seal(&s, TLS_ALERT, "\x01\x5a", 2, bytes), &n),
	                 TLS_GOT_NOTHING); /* user_canceled */
	ck_assert_int_eq(take(&peer, seal(&s, TLS_ALERT, "\x02\x28", 2, bytes), &n),
	                 TLS_GOT_ALERT);
	ck_assert_uint_eq(n, 0x28);
	ck_assert_int_eq(take(&peer, seal(&s, TLS_ALERT, "\x01\x00", 2, bytes), &n),
	                 TLS_GOT_END);
	must_be_wrong(&peer, seal(&s, TLS_ALERT, "\x01", 1, bytes), TLS_DECODE_ERROR);
}
END_TEST

START_TEST(a_wish_to_renegotiate_is_declined)
{
	struct tls_state s = fresh_state(tls_suite_at(3)), peer = mirror(&s);
	uint8_t out[TLS_SAYS_MAX];
	size_t n;
	ptrdiff_t said;

	ck_assert_int_eq(take(&peer, seal(&s, TLS_HANDSHAKE, "\1\0\0\1x", 5, bytes), &n),
	                 TLS_GOT_NOTHING);
	travel(&peer);
	said = tls_say(&peer, out);
	ck_assert_int_gt(said, 0);
	memcpy(bytes, out, (size_t)said);
	ck_assert_int_eq(take(&s, (size_t)said, &n), TLS_GOT_NOTHING);
	ck_assert_uint_eq(n, TLS_NO_RENEGOTIATION);
	for (int i = 1; i < 32; i++)
		take(&peer, seal(&s, TLS_HANDSHAKE, "\1\0\0\1x", 5, bytes), &n);
	must_be_wrong(&peer, seal(&s, TLS_HANDSHAKE, "\1\0\0\1x", 5, bytes),
	              TLS_NO_RENEGOTIATION);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tls record");
	TCase *t = tcase_create("record");
	SRunner *r;
	int suites = 0, failed;

	while (tls_suite_at((size_t)suites) != NULL)
		suites++;
	tcase_set_timeout(t, 60);
	tcase_add_test(t, keys_are_those_of_the_rfc);
	tcase_add_test(t, records_are_those_of_the_rfc);
	tcase_add_loop_test(t, each_suite_goes_to_and_fro, 0, suites);
	tcase_add_test(t, a_source_may_be_in_pieces);
	tcase_add_test(t, a_state_that_is_damaged_is_refused);
	tcase_add_loop_test(t, a_flipped_bit_is_seen, 0, suites);
	tcase_add_test(t, a_record_that_comes_in_parts_waits);
	tcase_add_test(t, what_is_too_long_or_none_is_wrong_at_once);
	tcase_add_loop_test(t, records_without_data_are_bounded, 0, suites);
	tcase_add_loop_test(t, keys_are_updated_in_both_directions, 0, 3);
	tcase_add_test(t, an_update_may_come_in_pieces_and_has_bounds);
	tcase_add_test(t, what_is_no_update_is_wrong);
	tcase_add_test(t, a_part_of_an_update_is_not_followed_by_data);
	tcase_add_test(t, our_key_is_renewed_in_time);
	tcase_add_loop_test(t, alerts_are_told_apart, 0, suites);
	tcase_add_test(t, a_wish_to_renegotiate_is_declined);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
