/* scale: the number that holds, over changes of the file and what becomes of them. */
#include <check.h>

#include "crew.h"
#include "master/change/scale.h"

/* env_converge has been asked for. */
static struct event *converges;

static void
on_converge(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void
set_up(void)
{
	crew_set_up();
	converges = event_new(env.base, -1, 0, on_converge, NULL);
	env_on_converge(converges);
}

static void
tear_down(void)
{
	event_free(converges);
	env_on_converge(NULL);
	crew_tear_down();
}

static struct generation *
of(int workers)
{
	char *more = mem_printf("[server]\nworkers = %d\n", workers);
	struct generation *g = crew_generation(OWN, (uint32_t)workers, more);

	free(more);
	return g;
}

START_TEST(the_file_says_unless_scale_did)
{
	struct generation *g = of(3);

	ck_assert_uint_eq(scale_workers(g->conf), 3);
	env.scale = 7;
	ck_assert_uint_eq(scale_workers(g->conf), 7);
	env.scale = 100000;
	ck_assert_uint_eq(scale_workers(g->conf), 256);
}
END_TEST

START_TEST(every_one_that_may_serve_gets_them)
{
	struct generation *paused = of(2), *active = of(2), *draining = of(2);

	generation_activate(paused);
	generation_pause(paused);
	generation_activate(active);
	generation_drain(draining);
	scale_request(4, NULL);
	ck_assert_uint_eq(env.scale, 4);
	ck_assert_uint_eq(paused->want, 4);
	ck_assert_uint_eq(active->want, 4);
	ck_assert_uint_eq(draining->want, 2);
	ck_assert_uint_eq(active->use[0].listener->nsock, 4);
	ck_assert(event_pending(converges, EV_TIMEOUT, NULL));
}
END_TEST

START_TEST(none_at_a_stop)
{
	struct generation *g = of(2);

	generation_activate(g);
	env.stop = STOP_LAME;
	scale_request(4, NULL);
	ck_assert_uint_eq(env.scale, 0);
	ck_assert_uint_eq(g->want, 2);
}
END_TEST

START_TEST(one_more_or_less)
{
	struct generation *g = of(2);

	scale_step(1); /* nobody serves yet */
	ck_assert_uint_eq(g->want, 2);
	generation_activate(g);
	scale_step(1);
	ck_assert_uint_eq(g->want, 3);
	scale_step(-1);
	scale_step(-1);
	scale_step(-1); /* there is one, at least */
	ck_assert_uint_eq(g->want, 1);
}
END_TEST

START_TEST(it_holds_until_the_file_says_another)
{
	struct generation *g = of(2), *same, *other;

	generation_activate(g);
	scale_request(5, NULL);
	same = of(2);
	ck_assert_uint_eq(scale_ahead(same->conf), 5);
	scale_begin_change(same->conf);
	ck_assert_uint_eq(scale_workers(same->conf), 5);
	other = of(3);
	ck_assert_uint_eq(scale_ahead(other->conf), 3);
	ck_assert_uint_eq(env.scale, 5); /* to ask ahead changes nothing */
	scale_begin_change(other->conf);
	ck_assert_uint_eq(scale_workers(other->conf), 3);
}
END_TEST

START_TEST(a_change_that_fails_gives_it_back)
{
	struct generation *g = of(2), *other = of(3);

	generation_activate(g);
	scale_request(5, NULL);
	scale_begin_change(other->conf);
	scale_undo_change();
	ck_assert_uint_eq(env.scale, 5);
	scale_undo_change(); /* once */
	scale_begin_change(other->conf);
	scale_request(6, NULL); /* given meanwhile */
	scale_undo_change();
	ck_assert_uint_eq(env.scale, 6);
}
END_TEST

START_TEST(what_a_change_has_put_an_end_to_does_not_come_back)
{
	struct generation *g = of(2), *other = of(3), *next = of(3);

	generation_activate(g);
	scale_request(5, NULL);
	scale_begin_change(other->conf);
	generation_drain(g); /* that one is committed */
	generation_activate(other);
	scale_begin_change(next->conf);
	scale_undo_change();
	ck_assert_uint_eq(env.scale, 0);
}
END_TEST

START_TEST(who_takes_over_again_has_as_many_as_are_wanted_by_now)
{
	struct generation *g = of(2);

	generation_drain(g);
	env.scale = 3;
	scale_want_again(g);
	ck_assert_uint_eq(g->want, 3);
	ck_assert_uint_eq(g->use[0].listener->nsock, 3);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scale");
	TCase *tc = tcase_create("scale");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, the_file_says_unless_scale_did);
	tcase_add_test(tc, every_one_that_may_serve_gets_them);
	tcase_add_test(tc, none_at_a_stop);
	tcase_add_test(tc, one_more_or_less);
	tcase_add_test(tc, it_holds_until_the_file_says_another);
	tcase_add_test(tc, a_change_that_fails_gives_it_back);
	tcase_add_test(tc, what_a_change_has_put_an_end_to_does_not_come_back);
	tcase_add_test(tc, who_takes_over_again_has_as_many_as_are_wanted_by_now);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
