/* source: clients per address. */
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "service/proxy/source.h"

static struct sockaddr_storage
address(const char *text)
{
	struct sockaddr_storage sa = {.ss_family = AF_INET};

	if (strchr(text, ':') != NULL) {
		sa.ss_family = AF_INET6;
		inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&sa)->sin6_addr);
	} else {
		inet_pton(AF_INET, text, &((struct sockaddr_in *)&sa)->sin_addr);
	}
	return sa;
}

static struct source *
enter(struct sources *s, const char *text, uint64_t max)
{
	struct sockaddr_storage sa = address(text);
	struct source_key key = source_key_of(&sa);

	return sources_enter(s, &key, max);
}

START_TEST(each_address_has_its_own_count)
{
	struct sources *s = sources_new();
	struct source *a = enter(s, "192.0.2.1", 2), *b = enter(s, "192.0.2.1", 2);

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	ck_assert_ptr_null(enter(s, "192.0.2.1", 2));
	ck_assert_ptr_nonnull(enter(s, "192.0.2.2", 2));
	source_leave(s, &a);
	ck_assert_ptr_null(a);
	a = enter(s, "192.0.2.1", 2);
	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_null(enter(s, "192.0.2.1", 2));
	source_leave(s, &a);
	source_leave(s, &b);
	source_leave(s, &b); /* of one that was never counted: nothing */
	sources_free(&s);
	ck_assert_ptr_null(s);
}
END_TEST

START_TEST(of_ipv6_the_network_counts)
{
	struct sources *s = sources_new();

	ck_assert_ptr_nonnull(enter(s, "2001:db8:0:1::1", 1));
	ck_assert_ptr_null(enter(s, "2001:db8:0:1:ffff::2", 1));
	ck_assert_ptr_nonnull(enter(s, "2001:db8:0:2::1", 1));
	sources_free(&s);
}
END_TEST

/* As a PROXY header of IPv6 names clients of IPv4. */
START_TEST(an_ipv4_address_in_ipv6_is_that_address)
{
	struct sources *s = sources_new();

	ck_assert_ptr_nonnull(enter(s, "::ffff:192.0.2.1", 1));
	ck_assert_ptr_nonnull(enter(s, "::ffff:192.0.2.2", 1));
	ck_assert_ptr_null(enter(s, "192.0.2.1", 1));
	ck_assert_ptr_nonnull(enter(s, "::1", 1));
	sources_free(&s);
}
END_TEST

START_TEST(many_addresses)
{
	struct sources *s = sources_new();
	struct source *one[20000];
	char text[32];

	for (unsigned i = 0; i < 20000; i++) {
		snprintf(text, sizeof text, "10.0.%u.%u", i / 256, i % 256);
		one[i] = enter(s, text, 1);
		ck_assert_ptr_nonnull(one[i]);
		ck_assert_ptr_null(enter(s, text, 1));
	}
	for (unsigned i = 0; i < 20000; i += 2)
		source_leave(s, &one[i]);
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(text, sizeof text, "10.0.%u.%u", i / 256, i % 256);
		ck_assert_int_eq(enter(s, text, 1) != NULL, i % 2 == 0);
	}
	sources_free(&s);
}
END_TEST

/* Whoever has many addresses may choose those that a factor known to all puts into one bucket;
 * ours is another each time. */
START_TEST(no_bucket_can_be_filled)
{
	const uint64_t known = UINT64_C(0x9e3779b97f4a7c15);
	struct sources *s = sources_new();
	struct timespec a, b;
	uint64_t inverse = known;
	double seconds;

	for (int i = 0; i < 6; i++)
		inverse *= 2 - known * inverse;
	ck_assert(inverse * known == 1);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	for (uint64_t i = 0; i < 40000; i++) {
		struct source_key key = {.address = i * inverse, .family = AF_INET6};

		ck_assert_ptr_nonnull(sources_enter(s, &key, 1));
	}
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	seconds = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
	ck_assert_msg(seconds < 0.3, "%.3f s", seconds);
	sources_free(&s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("source");
	TCase *t = tcase_create("counts");
	SRunner *sr;
	int failed;

	tcase_add_test(t, each_address_has_its_own_count);
	tcase_add_test(t, no_bucket_can_be_filled);
	tcase_add_test(t, of_ipv6_the_network_counts);
	tcase_add_test(t, an_ipv4_address_in_ipv6_is_that_address);
	tcase_add_test(t, many_addresses);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
