/* assign: who accepts on what, as the workers are told it. */
#include <check.h>

#include "crew.h"
#include "master/workers/assign.h"

/* What they were told arrives. */
static void
run(void)
{
	assign_run();
	crew_listen();
}

static bool
has(size_t i, uint32_t id)
{
	for (size_t k = 0; k < far[i].naccept; k++)
		if (far[i].accept[k] == id)
			return true;
	return false;
}

/* How many of them accept on the socket. */
static size_t
holders(uint32_t id)
{
	size_t n = 0;

	for (size_t i = 0; i < WORKERS_MAX; i++)
		n += has(i, id);
	return n;
}

START_TEST(each_has_the_socket_of_its_slot)
{
	struct generation *g = crew_generation(OWN, 3, "");
	const struct listener *l = g->use[0].listener;

	ck_assert_uint_eq(l->nsock, 3);
	generation_activate(g);
	for (uint32_t i = 0; i < 3; i++)
		crew_join(g, i, 2 - i, true);
	run();
	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(far[i].naccept, 1);
		ck_assert_uint_eq(far[i].accept[0], l->sock[2 - i].id);
		ck_assert_uint_eq(far[i].ngiven, 1);
	}
}
END_TEST

START_TEST(no_socket_is_without_a_worker)
{
	struct generation *g = crew_generation(OWN, 4, "");
	const struct listener *l = g->use[0].listener;

	generation_activate(g);
	crew_join(g, 0, 1, true);
	crew_join(g, 1, 3, false); /* it is not ready */
	run();
	for (size_t k = 0; k < 4; k++)
		ck_assert(has(0, l->sock[k].id));
	ck_assert_uint_eq(far[1].norders, 0);
	far[1].worker.ready = true;
	run();
	ck_assert(has(1, l->sock[3].id) && !has(0, l->sock[3].id));
	for (size_t k = 0; k < 4; k++)
		ck_assert_uint_eq(holders(l->sock[k].id), 1);
}
END_TEST

START_TEST(who_leaves_is_told_nothing)
{
	struct generation *g = crew_generation(OWN, 2, "");
	const struct listener *l = g->use[0].listener;

	generation_activate(g);
	crew_join(g, 0, 0, true);
	crew_join(g, 1, 1, true);
	far[0].worker.leaving = true;
	run();
	ck_assert_uint_eq(far[0].norders, 0);
	ck_assert(has(1, l->sock[0].id) && has(1, l->sock[1].id));
}
END_TEST

START_TEST(all_have_the_shared_one)
{
	struct generation *g = crew_generation(SHARED, 3, "");
	const struct listener *l = g->use[0].listener;

	ck_assert_uint_eq(l->nsock, 1);
	generation_activate(g);
	for (uint32_t i = 0; i < 3; i++)
		crew_join(g, i, i, true);
	far[1].worker.barred = true;
	run();
	ck_assert(has(0, l->sock[0].id) && has(2, l->sock[0].id));
	ck_assert(!has(1, l->sock[0].id));
	far[0].worker.barred = far[2].worker.barred = true; /* better one of them than none */
	run();
	ck_assert_uint_eq(holders(l->sock[0].id), 3);
}
END_TEST

START_TEST(the_same_is_not_said_twice)
{
	struct generation *g = crew_generation(OWN, 1, "");

	generation_activate(g);
	crew_join(g, 0, 0, true);
	run();
	run();
	ck_assert_uint_eq(far[0].norders, 1);
	far[0].worker.unsure = true; /* an exec lies between */
	run();
	ck_assert_uint_eq(far[0].norders, 2);
}
END_TEST

START_TEST(one_that_only_starts_accepts_nothing)
{
	struct generation *g = crew_generation(OWN, 1, "");

	crew_join(g, 0, 0, true);
	run();
	ck_assert_uint_eq(far[0].norders, 0);
}
END_TEST

START_TEST(the_paused_one_goes_on_where_nobody_follows)
{
	struct generation *old = crew_generation(OWN, 1, ""), *new;
	uint32_t id = old->use[0].listener->sock[0].id;

	generation_activate(old);
	crew_join(old, 0, 0, true);
	run();
	new = crew_generation("address = 127.0.0.2:0\n", 1, "");
	crew_join(new, 1, 0, true);
	generation_pause(old);
	generation_activate(new);
	run();
	ck_assert(has(0, id) && !has(1, id));
	ck_assert_uint_eq(far[1].naccept, 1);
	old->use[0].listener->retired = true;
	run();
	ck_assert_uint_eq(far[0].naccept, 0);
}
END_TEST

START_TEST(at_a_stop_nobody_is_told_anything)
{
	struct generation *g = crew_generation(OWN, 1, "");

	generation_activate(g);
	crew_join(g, 0, 0, true);
	env.stop = STOP_DRAIN;
	run();
	ck_assert_uint_eq(far[0].norders, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("assign");
	TCase *tc = tcase_create("assign");
	SRunner *sr = srunner_create(s);
	int failed;

	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, crew_set_up, crew_tear_down);
	tcase_add_test(tc, each_has_the_socket_of_its_slot);
	tcase_add_test(tc, no_socket_is_without_a_worker);
	tcase_add_test(tc, who_leaves_is_told_nothing);
	tcase_add_test(tc, all_have_the_shared_one);
	tcase_add_test(tc, the_same_is_not_said_twice);
	tcase_add_test(tc, one_that_only_starts_accepts_nothing);
	tcase_add_test(tc, the_paused_one_goes_on_where_nobody_follows);
	tcase_add_test(tc, at_a_stop_nobody_is_told_anything);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed > 0;
}
