/* handle: numbers that are never used again. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>

#include "service/http/handler_id.h"
#include "worker/runtime/loop.h"

struct handler {
	int unused;
};

static struct handler one, two;
static bool on_loop = true;

void
loop_need(const char *function)
{
	if (!on_loop)
		abort();
	(void)function;
}

START_TEST(a_handle_means_its_call_until_it_ends)
{
	baton_request a = handler_id_new(&one), b = handler_id_new(&two);
	int status;

	ck_assert_ptr_eq(handler_id_look_up(__func__, a), &one);
	ck_assert_ptr_eq(handler_id_look_up(__func__, b), &two);
	handler_id_end(a, BATON_DEADLINE);
	ck_assert_ptr_null(handler_id_find(__func__, a, &status));
	ck_assert_int_eq(status, BATON_DEADLINE);
	ck_assert_ptr_eq(handler_id_look_up(__func__, b), &two);
	handler_id_end(b, BATON_CLOSED);
}
END_TEST

START_TEST(a_place_that_is_used_again_has_another_number)
{
	baton_request a = handler_id_new(&one), b;
	int status;

	handler_id_end(a, BATON_ANSWERED);
	b = handler_id_new(&two);
	ck_assert_uint_ne(a.id, b.id);
	ck_assert_uint_eq((uint32_t)a.id, (uint32_t)b.id);
	ck_assert_ptr_null(handler_id_find(__func__, a, &status));
	ck_assert_int_eq(status, BATON_ANSWERED);
	handler_id_end(b, BATON_DEADLINE);
	ck_assert_ptr_null(handler_id_find(__func__, a, &status));
	ck_assert_int_eq(status, BATON_ANSWERED);
}
END_TEST

START_TEST(who_is_late_is_told_why)
{
	baton_request late[1024], first = handler_id_new(&one), r;
	int status;

	handler_id_end(first, BATON_CLOSED);
	for (int i = 0; i < 1024; i++) {
		late[i] = handler_id_new(&one);
		handler_id_end(late[i], BATON_DEADLINE);
		r = handler_id_new(&two);
		handler_id_end(r, BATON_ANSWERED);
	}
	for (int i = 0; i < 1024; i++) {
		ck_assert_ptr_null(handler_id_find(__func__, late[i], &status));
		ck_assert_int_eq(status, BATON_DEADLINE);
	}
	ck_assert_uint_eq((uint32_t)r.id, (uint32_t)first.id); /* they do not rest for ever */
	ck_assert_ptr_null(handler_id_look_up(__func__, first));
}
END_TEST

START_TEST(a_thread_has_no_requests)
{
	baton_request r = handler_id_new(&one);

	on_loop = false;
	handler_id_look_up(__func__, r);
}
END_TEST

START_TEST(what_was_never_given_out_is_an_error)
{
	int status = 0;

	ck_assert_ptr_null(handler_id_find(__func__, (baton_request){0}, &status));
	ck_assert_int_ne(status, 0);
	handler_id_new(&one);
	ck_assert_ptr_null(handler_id_find(__func__, (baton_request){0}, &status));
	ck_assert_int_ne(status, 0);
	ck_assert_ptr_null(handler_id_find(__func__, (baton_request){UINT64_MAX}, &status));
	ck_assert_int_ne(status, 0);
}
END_TEST

/* The numbers of a place in the table are not endless: it is given up before the first
 * comes again. */
START_TEST(no_number_comes_again)
{
	baton_request first = handler_id_new(&one), r = first;

	for (int i = 0; i < 3 * HANDLER_ID_LAST; i++) {
		handler_id_end(r, BATON_ANSWERED);
		ck_assert_ptr_null(handler_id_look_up(__func__, r));
		r = handler_id_new(&two);
		ck_assert_uint_le(r.id >> 32, HANDLER_ID_LAST);
		ck_assert_uint_ne(r.id, first.id);
	}
	ck_assert_ptr_null(handler_id_look_up(__func__, first));
	ck_assert_ptr_eq(handler_id_look_up(__func__, r), &two);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("handle");
	TCase *tc = tcase_create("handle");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, NULL, handler_id_free_all);
	tcase_add_test(tc, a_handle_means_its_call_until_it_ends);
	tcase_add_test(tc, a_place_that_is_used_again_has_another_number);
	tcase_add_test(tc, who_is_late_is_told_why);
	tcase_add_test_raise_signal(tc, a_thread_has_no_requests, SIGABRT);
	tcase_add_test(tc, what_was_never_given_out_is_an_error);
	tcase_add_test(tc, no_number_comes_again);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
