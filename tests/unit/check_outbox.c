/* outbox: what may be written to a stream's connection, and when not. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "service/module/outbox.h"
#include "service/module/streamed.h"

static struct conf_service conf = {.max_unsent = 100};
static struct service service = {.conf = &conf};
static struct baton_service module = {.service = &service};
static struct stream stream = {.service = &module};
static struct baton_conn bc;

static void
set_up(void)
{
	memset(&bc, 0, sizeof bc);
	bc.stream = &stream;
	bc.holds = 2;
	STAILQ_INIT(&bc.chunks);
}

static void *
write_ten(void *arg)
{
	*(int *)arg = baton_conn_write(&bc, "0123456789", 10);
	return NULL;
}

/* From another thread, as most are. */
static int
write_from_a_thread(void)
{
	pthread_t thread;
	int status;

	pthread_create(&thread, NULL, write_ten, &status);
	pthread_join(thread, NULL);
	return status;
}

START_TEST(it_is_full_at_its_bound)
{
	char all[100];

	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(write_from_a_thread(), 0);
	ck_assert_int_eq(write_from_a_thread(), BATON_FULL);
	ck_assert_uint_eq(baton_conn_unsent(&bc), 100);
	outbox_copy(&bc, all);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(all[i], '0' + i % 10);
	outbox_end(&bc, false);
	ck_assert_int_eq(write_from_a_thread(), BATON_CLOSED);
	ck_assert_uint_eq(baton_conn_unsent(&bc), 0);
}
END_TEST

/* It could be answered with success, and be lost. */
START_TEST(nothing_is_taken_while_it_moves)
{
	outbox_rest(&bc);
	ck_assert_int_eq(write_from_a_thread(), BATON_MOVING);
	outbox_resume(&bc);
	ck_assert_int_eq(write_from_a_thread(), 0);
	outbox_rest(&bc);
	outbox_end(&bc, true);
	ck_assert_int_eq(write_from_a_thread(), BATON_MOVING);
}
END_TEST

START_TEST(one_that_was_cut_while_it_moved_is_closed)
{
	outbox_rest(&bc);
	outbox_end(&bc, false);
	ck_assert_int_eq(write_from_a_thread(), BATON_CLOSED);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("outbox");
	TCase *tc = tcase_create("outbox");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, set_up, NULL);
	tcase_add_test(tc, it_is_full_at_its_bound);
	tcase_add_test(tc, nothing_is_taken_while_it_moves);
	tcase_add_test(tc, one_that_was_cut_while_it_moved_is_closed);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
