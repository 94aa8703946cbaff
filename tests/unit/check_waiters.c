/* waiters: each who asked for a change is answered, once, and with the right words. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>

#include "crew.h"
#include "master/change/waiters.h"
#include "master/control/control.h"
#include "master/control/requester.h"

#define CLIENTS 6

/* The socket's side, instead of control.c: what a client was told. */
static struct control_client {
	unsigned answers, lines;
	int exit_code;
	char text[128], line[128];
	void (*gone)(void *owed);
	void *owed;
} client[CLIENTS];

void
control_owe(struct control_client *c, void (*gone)(void *owed), void *owed)
{
	c->gone = gone;
	c->owed = owed;
}

void
control_answer(struct control_client *c, int exit_code, json_t *data, const char *fmt, ...)
{
	va_list ap;

	json_decref(data);
	c->answers++;
	c->exit_code = exit_code;
	va_start(ap, fmt);
	vsnprintf(c->text, sizeof c->text, fmt, ap);
	va_end(ap);
}

void
control_progress(struct control_client *c, const char *text, int percent)
{
	c->lines++;
	snprintf(c->line, sizeof c->line, "%d %s", percent, text);
}

/* Numbers are from 1: 0 is nobody. */
struct control_client *
control_find(uint32_t id)
{
	return id > 0 ? &client[id - 1] : NULL;
}

uint32_t
control_id(const struct control_client *c)
{
	return (uint32_t)(c - client) + 1;
}

static void
set_up(void)
{
	crew_set_up();
	memset(client, 0, sizeof client);
}

static void
tear_down(void)
{
	for (enum waiters_list i = 0; i < WAITERS_N; i++)
		waiters_answer(i, 0, "the test is over");
	crew_tear_down();
}

static struct requester
by(int i)
{
	return (struct requester){
	    .how = REQUESTER_CONTROL, .uid = 1000 + (uid_t)i, .client = &client[i]};
}

static void
asks(enum waiters_list list, int i, bool wait)
{
	struct requester who = by(i);

	waiters_add(list, &who, wait);
}

static void
was_told(int i, int exit_code, const char *text)
{
	ck_assert_msg(client[i].answers == 1, "client %d has %u answers", i, client[i].answers);
	ck_assert_int_eq(client[i].exit_code, exit_code);
	ck_assert_str_eq(client[i].text, text);
}

static void
waits(int i)
{
	ck_assert_msg(client[i].answers == 0, "client %d was told: %s", i, client[i].text);
}

static void
hangs_up(int i)
{
	client[i].gone(client[i].owed);
	client[i].gone = NULL;
}

START_TEST(a_list_is_answered_and_no_other)
{
	asks(WAITERS_NOW, 0, false);
	asks(WAITERS_NOW, 1, true);
	asks(WAITERS_NEXT, 2, false);
	waiters_answer(WAITERS_NOW, 1, "refused: line 3");
	was_told(0, 1, "refused: line 3");
	was_told(1, 1, "refused: line 3"); /* there is nothing to wait for */
	waits(2);
	ck_assert(!waiters_any(WAITERS_NOW));
	ck_assert(waiters_any(WAITERS_NEXT));
	waiters_answer(WAITERS_NOW, 0, "again");
	ck_assert_uint_eq(client[0].answers, 1);
}
END_TEST

START_TEST(who_came_meanwhile_is_answered_by_the_next_run)
{
	asks(WAITERS_NEXT, 0, false);
	asks(WAITERS_NEXT, 1, false);
	waiters_take_next();
	ck_assert(!waiters_any(WAITERS_NEXT));
	asks(WAITERS_NEXT, 2, false);
	waiters_answer(WAITERS_NOW, 0, "done");
	was_told(0, 0, "done");
	was_told(1, 0, "done");
	waits(2);
}
END_TEST

START_TEST(the_way_back_is_a_success_for_who_asked_for_it)
{
	struct requester who = by(1);

	asks(WAITERS_NOW, 0, false);
	waiters_add_abort(&who);
	waiters_answer(WAITERS_NOW, 1, "aborted");
	was_told(0, 1, "aborted");
	was_told(1, 0, "the old generation takes over again");
}
END_TEST

START_TEST(who_hangs_up_is_answered_no_more_and_the_request_goes_on)
{
	json_t *list;

	asks(WAITERS_NOW, 0, true);
	asks(WAITERS_NOW, 1, false);
	hangs_up(0);
	list = waiters_requesters();
	ck_assert_uint_eq(json_array_size(list), 2);
	json_decref(list);
	ck_assert(waiters_any(WAITERS_NOW));
	waiters_tell_progress("starting", 10);
	ck_assert_uint_eq(client[0].lines, 0);
	ck_assert_str_eq(client[1].line, "10 starting");
	waiters_committed(1, "generation 1 serves");
	waits(0);
	was_told(1, 0, "generation 1 serves");
}
END_TEST

START_TEST(a_signal_has_no_answer)
{
	struct requester who = {.how = REQUESTER_SIGNAL, .uid = 0, .pid = 1};

	waiters_add(WAITERS_NOW, &who, true);
	ck_assert(waiters_any(WAITERS_NOW));
	waiters_tell_progress("starting", 10);
	waiters_answer(WAITERS_NOW, 0, "done");
	ck_assert(!waiters_any(WAITERS_NOW));
}
END_TEST

START_TEST(requesters_are_named_once)
{
	struct requester who = by(0);
	json_t *list;

	waiters_add(WAITERS_NOW, &who, false);
	waiters_add(WAITERS_NOW, &who, true);
	asks(WAITERS_NOW, 1, false);
	asks(WAITERS_NEXT, 2, false);
	list = waiters_requesters();
	ck_assert_uint_eq(json_array_size(list), 2);
	json_decref(list);
}
END_TEST

/* As with --wait. */
START_TEST(who_waits_for_the_old_ones_is_answered_when_the_last_is_gone)
{
	struct generation *one = crew_generation(OWN, 1, ""),
	                  *two = crew_generation(OWN, 1, ""),
	                  *three = crew_generation(OWN, 1, "");

	asks(WAITERS_NOW, 0, true);
	asks(WAITERS_NOW, 1, false);
	waiters_committed(three->id, "generation 3 serves");
	was_told(1, 0, "generation 3 serves");
	waits(0);
	generation_drain(two);
	TAILQ_REMOVE(generation_all(), two, link);
	waiters_generation_gone(two);
	waits(0);
	TAILQ_REMOVE(generation_all(), one, link);
	waiters_generation_gone(one);
	was_told(0, 0, "generation 3 serves, the ones before it are gone");
	TAILQ_INSERT_HEAD(generation_all(), two, link); /* crew frees them */
	TAILQ_INSERT_HEAD(generation_all(), one, link);
}
END_TEST

START_TEST(with_nothing_older_it_is_answered_at_once)
{
	struct generation *g = crew_generation(OWN, 1, "");

	asks(WAITERS_NOW, 0, true);
	waiters_committed(g->id, "it serves");
	ck_assert_uint_eq(client[0].answers, 1);
	ck_assert_int_eq(client[0].exit_code, 0);
}
END_TEST

START_TEST(what_was_cut_is_told_with_an_exit_code_of_its_own)
{
	struct generation *one = crew_generation(OWN, 1, ""),
	                  *two = crew_generation(OWN, 1, "");
	char text[128];

	asks(WAITERS_NOW, 0, true);
	waiters_committed(two->id, "it serves");
	one->cut = 3;
	TAILQ_REMOVE(generation_all(), one, link);
	waiters_generation_gone(one);
	snprintf(text, sizeof text,
	         "generation %u serves; 3 connections of the ones before it had to be cut",
	         two->id);
	was_told(0, 4, text);
	TAILQ_INSERT_HEAD(generation_all(), one, link);
}
END_TEST

/* A newer one's end is not what they wait for, and its cuts are not counted. */
START_TEST(what_a_newer_one_has_cut_does_not_count)
{
	struct generation *one = crew_generation(OWN, 1, ""),
	                  *two = crew_generation(OWN, 1, ""),
	                  *three = crew_generation(OWN, 1, "");

	asks(WAITERS_NOW, 0, true);
	waiters_committed(two->id, "it serves");
	three->cut = 5;
	TAILQ_REMOVE(generation_all(), three, link);
	waiters_generation_gone(three);
	waits(0);
	TAILQ_REMOVE(generation_all(), one, link);
	waiters_generation_gone(one);
	ck_assert_int_eq(client[0].exit_code, 0);
	TAILQ_INSERT_HEAD(generation_all(), one, link);
	TAILQ_INSERT_TAIL(generation_all(), three, link);
}
END_TEST

START_TEST(an_aborted_one_is_not_waited_for)
{
	struct generation *one = crew_generation(OWN, 1, ""),
	                  *two = crew_generation(OWN, 1, "");
	char text[128];

	asks(WAITERS_NOW, 0, true);
	waiters_committed(two->id, "it serves");
	waiters_aborted(two->id); /* one after it: nobody waits for that */
	waits(0);
	waiters_aborted(one->id);
	snprintf(text, sizeof text,
	         "generation %u served, but was aborted: generation %u takes over again",
	         two->id, one->id);
	was_told(0, 1, text);
	ck_assert(!waiters_any(WAITERS_WAITING));
}
END_TEST

START_TEST(each_list_is_told_of_its_own_progress)
{
	struct generation *one = crew_generation(OWN, 1, ""),
	                  *two = crew_generation(OWN, 1, "");

	ck_assert_ptr_nonnull(one);
	asks(WAITERS_NOW, 0, true);
	waiters_committed(two->id, "it serves");
	asks(WAITERS_NOW, 1, false);
	asks(WAITERS_NEXT, 2, false);
	waiters_tell_progress("starting workers", 40);
	ck_assert_str_eq(client[0].line, "100 1 old generation with 0 connections");
	ck_assert_str_eq(client[1].line, "40 starting workers");
	ck_assert_str_eq(client[2].line, "0 waiting for the change before");
}
END_TEST

static void
forget(void)
{
	for (enum waiters_list i = 0; i < WAITERS_N; i++)
		waiters_answer(i, 0, "forgotten");
	memset(client, 0, sizeof client);
}

/* Over an exec: who waits for what, for whom, and what has been cut so far. */
START_TEST(all_lists_outlive_an_upgrade)
{
	struct generation *one = crew_generation(OWN, 1, ""),
	                  *two = crew_generation(OWN, 1, ""),
	                  *three = crew_generation(OWN, 1, "");
	struct requester abort = by(3);
	json_t *saved, *again;

	asks(WAITERS_NOW, 0, true);
	waiters_committed(three->id, "it serves");
	one->cut = 2;
	TAILQ_REMOVE(generation_all(), one, link);
	waiters_generation_gone(one);
	asks(WAITERS_NOW, 1, true);
	waiters_add_abort(&abort);
	asks(WAITERS_NEXT, 2, false);
	saved = waiters_save();
	forget();
	waiters_restore(saved);
	again = waiters_save();
	ck_assert_msg(json_equal(saved, again), "%s\n%s", json_dumps(saved, 0),
	              json_dumps(again, 0));
	json_decref(saved);
	json_decref(again);
	hangs_up(2); /* it is owed to by this image */
	waiters_answer(WAITERS_NOW, 1, "failed");
	was_told(1, 1, "failed");
	was_told(3, 0, "the old generation takes over again");
	waits(0);
	TAILQ_REMOVE(generation_all(), two, link);
	waiters_generation_gone(two);
	ck_assert_uint_eq(client[0].answers, 1);
	ck_assert_int_eq(client[0].exit_code, 4); /* two were cut before the exec */
	waiters_take_next();
	waiters_answer(WAITERS_NOW, 0, "done");
	waits(2);
	TAILQ_INSERT_HEAD(generation_all(), two, link);
	TAILQ_INSERT_HEAD(generation_all(), one, link);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("waiters");
	TCase *tc = tcase_create("waiters");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_list_is_answered_and_no_other);
	tcase_add_test(tc, who_came_meanwhile_is_answered_by_the_next_run);
	tcase_add_test(tc, the_way_back_is_a_success_for_who_asked_for_it);
	tcase_add_test(tc, who_hangs_up_is_answered_no_more_and_the_request_goes_on);
	tcase_add_test(tc, a_signal_has_no_answer);
	tcase_add_test(tc, requesters_are_named_once);
	tcase_add_test(tc, who_waits_for_the_old_ones_is_answered_when_the_last_is_gone);
	tcase_add_test(tc, with_nothing_older_it_is_answered_at_once);
	tcase_add_test(tc, what_was_cut_is_told_with_an_exit_code_of_its_own);
	tcase_add_test(tc, what_a_newer_one_has_cut_does_not_count);
	tcase_add_test(tc, an_aborted_one_is_not_waited_for);
	tcase_add_test(tc, each_list_is_told_of_its_own_progress);
	tcase_add_test(tc, all_lists_outlive_an_upgrade);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
