/* tail: what a socket has not taken, in order and nothing twice. */
#include <sys/socket.h>

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/http/unsent.h"

static void
assert_rest(const struct unsent *t, const char *text)
{
	struct iovec rest = unsent_rest(t);

	ck_assert_uint_eq(rest.iov_len, strlen(text));
	ck_assert_mem_eq(rest.iov_base, text, rest.iov_len);
	ck_assert(!unsent_is_empty(t));
}

START_TEST(a_zeroed_one_is_empty)
{
	struct unsent t = {NULL, 0, 0, 0};

	ck_assert(unsent_is_empty(&t));
	ck_assert_uint_eq(unsent_rest(&t).iov_len, 0);
	unsent_clear(&t);
	unsent_clear(&t);
	ck_assert(unsent_is_empty(&t));
}
END_TEST

START_TEST(bytes_stay_in_order)
{
	struct unsent t = {NULL, 0, 0, 0};

	unsent_add(&t, "abc", 3);
	unsent_add(&t, "", 0);
	unsent_add(&t, "defg", 4);
	assert_rest(&t, "abcdefg");
	unsent_sent(&t, 2);
	assert_rest(&t, "cdefg");
	unsent_add(&t, "hi", 2); /* behind what is left of the first */
	assert_rest(&t, "cdefghi");
	unsent_sent(&t, 6);
	assert_rest(&t, "i");
	unsent_sent(&t, 1);
	ck_assert(unsent_is_empty(&t));
	ck_assert_ptr_null(t.p); /* the memory is gone with the last byte */
	unsent_add(&t, "again", 5);
	assert_rest(&t, "again");
	unsent_clear(&t);
}
END_TEST

/* Byte by byte it is not copied for each of them. */
START_TEST(it_grows_in_leaps)
{
	struct unsent t = {NULL, 0, 0, 0};
	size_t size = 0;
	int leaps = 0;

	for (int i = 0; i < 65536; i++) {
		unsent_add(&t, i % 2 != 0 ? "a" : "b", 1);
		leaps += t.size != size;
		size = t.size;
	}
	ck_assert_int_le(leaps, 17);
	ck_assert_uint_eq(unsent_rest(&t).iov_len, 65536);
	ck_assert_int_eq(t.p[65534], 'b');
	ck_assert_int_eq(t.p[65535], 'a');
	unsent_clear(&t);
}
END_TEST

/* One that is never empty does not grow with all that has gone through it. */
START_TEST(it_has_no_more_memory_than_it_needs)
{
	struct unsent t = {NULL, 0, 0, 0};
	char *p = NULL;
	int moves = 0;

	unsent_add(&t, "0123456789", 10);
	for (int i = 0; i < 65536; i++) {
		unsent_add(&t, "a", 1);
		unsent_sent(&t, 1);
		moves += t.p != p || t.from == 0;
		p = t.p;
		ck_assert_uint_le(t.size, 24);
	}
	ck_assert_int_le(moves, 65536 / 11 + 2);
	assert_rest(&t, "aaaaaaaaaa");
	unsent_clear(&t);
}
END_TEST

/* "head", nothing, "body", "end", of which so many bytes were sent. */
START_TEST(what_was_not_sent_of_pieces_is_kept)
{
	static const char whole[] = "headbodyend";
	struct iovec iov[] = {{(void *)(uintptr_t) "head", 4},
	                      {(void *)(uintptr_t) "", 0},
	                      {(void *)(uintptr_t) "body", 4},
	                      {(void *)(uintptr_t) "end", 3}};
	struct unsent t = {NULL, 0, 0, 0};

	unsent_keep(&t, iov, 4, (size_t)_i);
	if (_i == (int)sizeof whole - 1) {
		ck_assert(unsent_is_empty(&t));
		ck_assert_ptr_null(t.p);
	} else {
		assert_rest(&t, whole + _i);
	}
	unsent_clear(&t);
}
END_TEST

/* A socket that takes a part, then nothing, then all of the rest, then is gone. */
START_TEST(a_socket_takes_what_it_can)
{
	static char bytes[1 << 20], got[sizeof bytes];
	struct unsent t = {NULL, 0, 0, 0};
	size_t n = 0, before;
	int fd[2];

	signal(SIGPIPE, SIG_DFL); /* it must not come */
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7 + i / 251);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	unsent_add(&t, bytes, sizeof bytes);
	do {
		before = unsent_rest(&t).iov_len;
		ck_assert(unsent_send(&t, fd[0]));
	} while (unsent_rest(&t).iov_len < before);
	ck_assert_uint_gt(unsent_rest(&t).iov_len, 0);
	ck_assert_uint_lt(unsent_rest(&t).iov_len, sizeof bytes);
	while (n < sizeof bytes) {
		ssize_t r = read(fd[1], got + n, sizeof got - n);

		if (r > 0)
			n += (size_t)r;
		else if (!unsent_is_empty(&t))
			ck_assert(unsent_send(&t, fd[0]));
	}
	ck_assert_mem_eq(got, bytes, sizeof bytes);
	ck_assert(unsent_is_empty(&t));
	close(fd[1]);
	unsent_add(&t, "x", 1);
	ck_assert(!unsent_send(&t, fd[0]));
	assert_rest(&t, "x"); /* whoever owns it decides */
	unsent_clear(&t);
	close(fd[0]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tail");
	TCase *t = tcase_create("tail");
	SRunner *sr;
	int failed;

	tcase_add_test(t, a_zeroed_one_is_empty);
	tcase_add_test(t, bytes_stay_in_order);
	tcase_add_test(t, it_grows_in_leaps);
	tcase_add_test(t, it_has_no_more_memory_than_it_needs);
	tcase_add_loop_test(t, what_was_not_sent_of_pieces_is_kept, 0, 12);
	tcase_add_test(t, a_socket_takes_what_it_can);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
