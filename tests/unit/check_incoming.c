/* incoming: what may come by hand-off, and from whom. */
#include <check.h>
#include <stdlib.h>

#include "worker/core/incoming.h"

static struct stats *stats;
static uint64_t births;

static void
set_up(void)
{
	stats = stats_create(NULL);
	ck_assert_ptr_nonnull(stats);
	births = 0;
}

static void
tear_down(void)
{
	stats_free(&stats);
}

static struct stats_page *
holds(uint32_t generation, uint32_t slot, uint64_t idle)
{
	struct stats_page *p = stats_page_open(stats, ++births, generation, slot);

	p->idle = idle;
	return p;
}

static void
come_to(const struct stats_page *p, uint64_t n)
{
	ck_assert_uint_eq(incoming_count(stats, p, 100), n);
}

START_TEST(alone_nobody_gives)
{
	struct stats_page *a = holds(3, 0, 7);

	holds(3, 1, 9);
	come_to(a, 0);
}
END_TEST

/* It was told to leave: who serves on, and its successor once it is ready, take what it has. */
START_TEST(a_sibling_that_leaves_gives)
{
	struct stats_page *a = holds(3, 0, 8), *b = holds(3, 1, 9), *next;

	a->state = b->state = STATS_ACTIVE;
	a->state = STATS_DRAINING;
	come_to(b, 8);
	next = holds(3, 0, 0);
	come_to(b, 8);
	next->state = STATS_ACTIVE;
	come_to(next, 0); /* slot 0 gives to the first of two, which is b */
	come_to(b, 8);
	b->state = STATS_DRAINING;
	come_to(next, 17);
}
END_TEST

START_TEST(a_slot_gives_to_the_same_slot)
{
	struct stats_page *old = holds(1, 0, 5), *other = holds(1, 1, 8);
	struct stats_page *a = holds(2, 0, 0), *b = holds(2, 1, 40);

	come_to(a, 5);
	come_to(b, 8);
	old->fresh = 1;
	old->busy = 4;
	old->tasks = 3; /* of those that are busy */
	come_to(a, 7);
	come_to(old, 0); /* and the other way round, after an abort */
	come_to(other, 40);
	stats_page_fold(stats, other);
	come_to(b, 4); /* nothing tells that there was a slot more: too much is kept free */
}
END_TEST

START_TEST(several_generations_give)
{
	struct stats_page *a;

	holds(1, 0, 5);
	holds(2, 0, 6);
	a = holds(3, 0, 0);
	come_to(a, 11);
}
END_TEST

START_TEST(fewer_and_more_slots)
{
	struct stats_page *a, *b, *c;

	holds(1, 0, 5);
	holds(1, 1, 7);
	holds(1, 2, 1);
	a = holds(2, 0, 0);
	come_to(a, 13);
	b = holds(2, 1, 0);
	come_to(a, 6);
	come_to(b, 7);
	stats_page_fold(stats, a);
	stats_page_fold(stats, b);
	for (uint32_t slot = 0; slot < 5; slot++)
		c = holds(4, slot, 0);
	come_to(c, 4); /* slot 1 gives to 1 and 4 */
}
END_TEST

START_TEST(a_liar_is_not_believed)
{
	struct stats_page *liar = holds(1, 0, 101), *a = holds(2, 0, 0);

	come_to(a, 100); /* it may have had more room */
	liar->idle = UINT64_MAX;
	liar->busy = UINT64_MAX;
	come_to(a, 0);
	liar->idle = liar->busy = 0;
	liar->tasks = UINT64_MAX;
	come_to(a, 0);
	liar->slot = UINT32_MAX;
	liar->tasks = 0;
	liar->idle = 5;
	come_to(a, 0);
	liar->slot = STATS_BIRTHS - 1;
	come_to(a, 5);
	for (uint32_t g = 10; g < 40; g++)
		holds(g, 0, 1); /* more than are told apart */
	ck_assert_uint_le(incoming_count(stats, a, 100), 35);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("incoming");
	TCase *tc = tcase_create("incoming");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, alone_nobody_gives);
	tcase_add_test(tc, a_sibling_that_leaves_gives);
	tcase_add_test(tc, a_slot_gives_to_the_same_slot);
	tcase_add_test(tc, several_generations_give);
	tcase_add_test(tc, fewer_and_more_slots);
	tcase_add_test(tc, a_liar_is_not_believed);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
