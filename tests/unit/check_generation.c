/* generation: its transitions, and what its workers are told at each. */
#include <sys/wait.h>

#include <check.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "crew.h"

static struct generation *g;

/* far[0 .. n) serve. */
static void
serving(uint32_t n)
{
	g = crew_generation(OWN, n, "[drain]\ndeadline = 1h\n");
	for (uint32_t i = 0; i < n; i++)
		crew_join(g, i, i, true);
	generation_activate(g);
}

static struct generation *
another(void)
{
	return crew_generation(OWN, 1, "");
}

START_TEST(the_order_follows_the_drain)
{
	uint64_t now = clock_ms();

	serving(2);
	far[1].worker.ready = false;
	generation_drain(g);
	crew_listen();
	ck_assert_int_eq(g->state, GEN_DRAINING);
	ck_assert_uint_eq(far[0].ndrains, 0);
	generation_order(g);
	crew_listen();
	for (size_t i = 0; i < 2; i++) {
		ck_assert(far[i].worker.leaving);
		ck_assert_uint_eq(far[i].ndrains, 1);
		ck_assert_uint_eq(far[i].drain.flags, MSG_DRAIN_SWEEP | MSG_DRAIN_SUCCESSOR);
		ck_assert_uint_ge(far[i].drain.deadline_ms, now + 3600000);
		ck_assert_uint_le(far[i].drain.deadline_ms, clock_ms() + 3600000);
	}
}
END_TEST

START_TEST(at_a_stop_nobody_serves_on)
{
	serving(1);
	env.stop = STOP_DRAIN;
	generation_drain(g);
	generation_order(g);
	crew_listen();
	ck_assert_uint_eq(far[0].drain.flags, MSG_DRAIN_SWEEP);
}
END_TEST

START_TEST(the_limits_are_those_of_who_serves)
{
	struct generation *next;

	serving(1);
	next = crew_generation(OWN, 1, "[drain]\ndeadline = 5s\n");
	generation_pause(g);
	generation_activate(next);
	generation_drain(g);
	generation_order(g);
	crew_listen();
	ck_assert_uint_le(far[0].drain.deadline_ms, clock_ms() + 5000);
}
END_TEST

START_TEST(a_deadline_is_never_put_off)
{
	uint64_t by = clock_ms() + 20;

	serving(2);
	far[0].worker.leaving = true;
	far[0].worker.deadline_ms = by;
	far[1].worker.leaving = true;
	far[1].worker.deadline_ms = 0; /* it has asked to leave itself: there was none */
	generation_drain(g);
	generation_order(g);
	crew_listen();
	ck_assert_uint_eq(far[0].drain.deadline_ms, by);
	ck_assert_uint_gt(far[1].drain.deadline_ms, by);
}
END_TEST

START_TEST(who_leaves_keeps_the_queues_of_what_is_retired)
{
	const struct listener *l;
	struct worker *w = &far[0].worker;

	serving(1);
	l = g->use[0].listener;
	w->held = mem_alloc(2 * sizeof *w->held);
	w->held[0] = l->sock[0].id;
	w->held[1] = l->sock[0].id + 1; /* of no listener: it is gone */
	w->nheld = 2;
	generation_drain(g);
	generation_order(g);
	crew_listen();
	ck_assert_uint_eq(far[0].norders, 1);
	ck_assert_uint_eq(far[0].naccept, 1);
	ck_assert_uint_eq(far[0].accept[0], l->sock[0].id + 1);
}
END_TEST

START_TEST(a_drain_is_called_off)
{
	serving(4);
	g->aborted = g->told_to_cut = true;
	generation_drain(g);
	generation_order(g);
	far[1].worker.killed = true;
	g->want = 3;              /* far[3] is one too many by now */
	crew_join(g, 4, 2, true); /* the successor of far[2] */
	generation_resume(g);
	crew_listen();
	ck_assert_int_eq(g->state, GEN_ACTIVE);
	ck_assert(!g->aborted && !g->told_to_cut);
	ck_assert_uint_eq(far[0].nresumed, 1);
	ck_assert(!far[0].worker.leaving);
	ck_assert(far[0].worker.unsure && far[0].worker.successors_unsure);
	for (size_t i = 1; i <= 3; i++) {
		ck_assert_uint_eq(far[i].nresumed, 0);
		ck_assert(far[i].worker.leaving);
	}
}
END_TEST

START_TEST(one_that_fails_keeps_who_is_ready)
{
	int status;
	pid_t child;

	serving(2);
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	far[1].worker.ready = false;
	far[1].worker.pid = child;
	generation_fail(g);
	ck_assert_int_eq(g->state, GEN_FAILED);
	ck_assert(!far[0].worker.killed && !far[0].worker.leaving);
	ck_assert(far[1].worker.killed && far[1].worker.leaving);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
END_TEST

START_TEST(whom_to_go_back_to)
{
	struct generation *second, *third;

	serving(1);
	ck_assert_ptr_eq(generation_own(), g);
	second = another();
	third = another();
	generation_pause(g);
	generation_activate(second);
	ck_assert_ptr_eq(generation_own(), g); /* the paused one first */
	ck_assert_ptr_null(generation_before(second));
	generation_drain(g);
	ck_assert_ptr_eq(generation_own(), second);
	ck_assert_ptr_eq(generation_before(second), g);
	generation_activate(third);
	generation_drain(second);
	ck_assert_ptr_eq(generation_before(third), second);
	second->aborted = true;
	ck_assert_ptr_eq(generation_before(third), g);
	third->image = 2; /* another binary's */
	ck_assert_ptr_eq(generation_own(), g);
	g->aborted = true;
	ck_assert_ptr_null(generation_own());
	ck_assert(generation_serves());
}
END_TEST

START_TEST(what_only_starts_or_failed_serves_nobody)
{
	g = another();
	ck_assert(!generation_serves());
	ck_assert_ptr_null(generation_active());
	generation_fail(g);
	ck_assert(!generation_serves());
}
END_TEST

START_TEST(deaths_in_a_row_wait_longer)
{
	uint64_t now = clock_ms();

	serving(2);
	generation_note_death(g, 0, 1, "worker 0 was killed");
	ck_assert_uint_eq(g->slot[0].deaths, 1);
	ck_assert_uint_ge(g->slot[0].retry_ms, now + policy_backoff_ms(1));
	for (int i = 0; i < 5; i++)
		generation_note_death(g, 0, 1, "worker 0 was killed once more");
	ck_assert_uint_eq(g->slot[0].deaths, 6);
	ck_assert_uint_ge(g->slot[0].retry_ms, now + policy_backoff_ms(6));
	ck_assert_uint_eq(g->slot[1].deaths, 0);
	ck_assert_str_eq(g->cause, "worker 0 was killed once more");
	generation_note_death(g, 0, POLICY_HEALTHY_MS, "it had lived long");
	ck_assert_uint_eq(g->slot[0].deaths, 1);
	generation_note_death(g, 77, 1, "of no slot"); /* a scale lies between */
}
END_TEST

START_TEST(more_slots_and_fewer)
{
	serving(2);
	generation_note_death(g, 1, 1, "x");
	generation_scale(g, 5);
	ck_assert_uint_eq(g->want, 5);
	ck_assert_uint_eq(g->nslots, 5);
	ck_assert_uint_eq(g->slot[1].deaths, 1);
	ck_assert_uint_eq(g->slot[4].deaths, 0);
	generation_scale(g, 1);
	ck_assert_uint_eq(g->want, 1);
	ck_assert_uint_eq(g->nslots, 5); /* who is in them leaves yet */
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("generation");
	TCase *tc = tcase_create("generation");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, crew_set_up, crew_tear_down);
	tcase_add_test(tc, the_order_follows_the_drain);
	tcase_add_test(tc, at_a_stop_nobody_serves_on);
	tcase_add_test(tc, the_limits_are_those_of_who_serves);
	tcase_add_test(tc, a_deadline_is_never_put_off);
	tcase_add_test(tc, who_leaves_keeps_the_queues_of_what_is_retired);
	tcase_add_test(tc, a_drain_is_called_off);
	tcase_add_test(tc, one_that_fails_keeps_who_is_ready);
	tcase_add_test(tc, whom_to_go_back_to);
	tcase_add_test(tc, what_only_starts_or_failed_serves_nobody);
	tcase_add_test(tc, deaths_in_a_row_wait_longer);
	tcase_add_test(tc, more_slots_and_fewer);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
