/* policy: a table of cases for each rule, and a random walk over the whole. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "master/core/policy.h"

#define NOW 100000

/* A small world that tests set up. */
static struct policy_slot slots[4][8];
static struct policy_worker workers[4][16];
static struct policy_gen gens[4];
static struct policy_view view;
static struct policy_plan plan;

static void
set_up(void)
{
	memset(slots, 0, sizeof slots);
	memset(workers, 0, sizeof workers);
	memset(gens, 0, sizeof gens);
	view = (struct policy_view){.now_ms = NOW,
	                            .gen = gens,
	                            .changing = -1,
	                            .start_timeout_ms = 10000,
	                            .probation_ms = 1000,
	                            .cut_over_ms = 1000,
	                            .max_generations = 8};
}

static struct policy_gen *
add_gen(enum gen_state state, uint32_t want)
{
	struct policy_gen *g = &gens[view.ngen];

	*g = (struct policy_gen){.state = state,
	                         .since_ms = NOW,
	                         .want = want,
	                         .may_spawn = true,
	                         .slot = slots[view.ngen],
	                         .worker = workers[view.ngen]};
	view.ngen++;
	return g;
}

static struct policy_worker *
add_worker(size_t gen, uint32_t slot, bool ready)
{
	struct policy_worker *w = &workers[gen][gens[gen].nworkers++];

	*w = (struct policy_worker){.slot = slot, .ready = ready, .since_ms = NOW};
	return w;
}

static size_t
count(enum policy_verb verb)
{
	size_t n = 0;

	policy_next(&view, &plan);
	for (size_t i = 0; i < plan.n; i++)
		n += plan.action[i].verb == verb;
	return n;
}

START_TEST(an_empty_slot_is_filled)
{
	add_gen(GEN_ACTIVE, 2);
	add_worker(0, 1, true);
	ck_assert_uint_eq(count(POLICY_SPAWN), 1);
	ck_assert_uint_eq(plan.action[0].index, 0);
}
END_TEST

START_TEST(a_stuck_worker_is_killed_in_any_state)
{
	for (int state = GEN_STARTING; state < GEN_GONE; state++) {
		set_up();
		add_gen((enum gen_state)state, 1);
		add_worker(0, 0, true);
		ck_assert_uint_eq(count(POLICY_KILL), 0);
		workers[0][0].stuck = true;
		ck_assert_uint_eq(count(POLICY_KILL), 1);
		workers[0][0].killed = true;
		ck_assert_uint_eq(count(POLICY_KILL), 0);
	}
}
END_TEST

START_TEST(a_leaving_worker_does_not_hold_its_slot)
{
	add_gen(GEN_ACTIVE, 1);
	add_worker(0, 0, true)->leaving = true;
	workers[0][0].deadline_ms = NOW + 5000;
	ck_assert_uint_eq(count(POLICY_SPAWN), 1);
}
END_TEST

START_TEST(a_slot_waits_for_its_back_off)
{
	add_gen(GEN_ACTIVE, 1);
	slots[0][0].retry_ms = NOW + 700;
	ck_assert_uint_eq(count(POLICY_SPAWN), 0);
	ck_assert_uint_eq(plan.wake_ms, NOW + 700);
	view.now_ms = NOW + 700;
	ck_assert_uint_eq(count(POLICY_SPAWN), 1);
}
END_TEST

START_TEST(another_binary_is_not_spawned)
{
	add_gen(GEN_ACTIVE, 1)->may_spawn = false;
	ck_assert_uint_eq(count(POLICY_SPAWN), 0);
}
END_TEST

START_TEST(the_back_off_doubles_to_its_limit)
{
	static const uint64_t want[] = {0, 0, 1000, 2000, 4000, 8000, 16000, 30000, 30000};

	for (uint32_t i = 0; i < sizeof want / sizeof *want; i++)
		ck_assert_uint_eq(policy_backoff_ms(i), want[i]);
	ck_assert_uint_eq(policy_backoff_ms(1000000), 30000);
}
END_TEST

START_TEST(promoted_when_all_are_ready_and_not_before)
{
	add_gen(GEN_STARTING, 2);
	view.changing = 0;
	add_worker(0, 0, true);
	ck_assert_uint_eq(count(POLICY_PROMOTE), 0);
	add_worker(0, 1, false);
	ck_assert_uint_eq(count(POLICY_PROMOTE), 0);
	workers[0][1].ready = true;
	ck_assert_uint_eq(count(POLICY_PROMOTE), 1);
}
END_TEST

START_TEST(a_start_has_a_limit)
{
	add_gen(GEN_STARTING, 1);
	view.changing = 0;
	add_worker(0, 0, false);
	ck_assert_uint_eq(count(POLICY_FAIL_TIMEOUT), 0);
	ck_assert_uint_eq(plan.wake_ms, NOW + 10000);
	view.now_ms = NOW + 10000;
	ck_assert_uint_eq(count(POLICY_FAIL_TIMEOUT), 1);
}
END_TEST

START_TEST(a_death_before_ready_fails_the_start)
{
	add_gen(GEN_STARTING, 1)->died = true;
	view.changing = 0;
	ck_assert_uint_eq(count(POLICY_FAIL_DIED), 1);
	ck_assert_uint_eq(count(POLICY_SPAWN), 0);
}
END_TEST

START_TEST(probation_ends_in_a_commit)
{
	add_gen(GEN_PAUSED, 1);
	add_gen(GEN_ACTIVE, 1);
	add_worker(1, 0, true);
	view.changing = 1;
	view.has_old = true;
	ck_assert_uint_eq(count(POLICY_COMMIT), 0);
	ck_assert_uint_eq(plan.wake_ms, NOW + 1000);
	view.now_ms = NOW + 1000;
	ck_assert_uint_eq(count(POLICY_COMMIT), 1);
}
END_TEST

START_TEST(a_death_on_probation_rolls_back)
{
	add_gen(GEN_PAUSED, 1);
	add_gen(GEN_ACTIVE, 1)->died = true;
	view.changing = 1;
	view.has_old = true;
	ck_assert_uint_eq(count(POLICY_FAIL_DIED), 1);
	view.now_ms = NOW + 1000; /* also at the very end of it */
	ck_assert_uint_eq(count(POLICY_FAIL_DIED), 1);
	ck_assert_uint_eq(count(POLICY_COMMIT), 0);
}
END_TEST

START_TEST(the_first_generation_has_no_probation)
{
	add_gen(GEN_ACTIVE, 1);
	add_worker(0, 0, true);
	view.changing = 0;
	ck_assert_uint_eq(count(POLICY_COMMIT), 1);
}
END_TEST

START_TEST(a_paused_generation_is_not_refilled)
{
	add_gen(GEN_PAUSED, 2);
	ck_assert_uint_eq(count(POLICY_SPAWN), 0);
}
END_TEST

START_TEST(surplus_workers_leave)
{
	add_gen(GEN_ACTIVE, 1);
	for (uint32_t s = 0; s < 4; s++)
		add_worker(0, s, true);
	ck_assert_uint_eq(count(POLICY_LEAVE), 3);
	for (size_t i = 1; i < 4; i++)
		workers[0][i].leaving = true;
	ck_assert_uint_eq(count(POLICY_LEAVE), 0);
}
END_TEST

START_TEST(a_stuck_worker_is_killed_after_its_grace)
{
	struct policy_worker *w;

	add_gen(GEN_DRAINING, 1);
	w = add_worker(0, 0, true);
	w->leaving = true;
	w->deadline_ms = NOW;
	view.now_ms = NOW + POLICY_KILL_GRACE_MS - 1;
	ck_assert_uint_eq(count(POLICY_KILL), 0);
	ck_assert_uint_eq(plan.wake_ms, NOW + POLICY_KILL_GRACE_MS);
	view.now_ms++;
	ck_assert_uint_eq(count(POLICY_KILL), 1);
	w->killed = true;
	ck_assert_uint_eq(count(POLICY_KILL), 0);
}
END_TEST

START_TEST(one_that_cuts_has_cut_over_more)
{
	struct policy_worker *w;

	add_gen(GEN_DRAINING, 1);
	w = add_worker(0, 0, true);
	w->leaving = w->cutting = true;
	w->deadline_ms = NOW;
	view.now_ms = NOW + POLICY_KILL_GRACE_MS + 999;
	ck_assert_uint_eq(count(POLICY_KILL), 0);
	view.now_ms++;
	ck_assert_uint_eq(count(POLICY_KILL), 1);
}
END_TEST

START_TEST(a_late_replacement_is_killed)
{
	add_gen(GEN_ACTIVE, 1);
	add_worker(0, 0, false);
	view.now_ms = NOW + 9999;
	ck_assert_uint_eq(count(POLICY_KILL), 0);
	view.now_ms = NOW + 10000;
	ck_assert_uint_eq(count(POLICY_KILL), 1);
}
END_TEST

START_TEST(an_empty_drain_is_retired)
{
	add_gen(GEN_DRAINING, 1);
	add_gen(GEN_FAILED, 1);
	ck_assert_uint_eq(count(POLICY_RETIRE), 2);
	add_worker(0, 0, true)->leaving = true;
	workers[0][0].deadline_ms = NOW + 1000;
	ck_assert_uint_eq(count(POLICY_RETIRE), 1);
}
END_TEST

START_TEST(who_may_have_to_serve_again_is_kept)
{
	add_gen(GEN_DRAINING, 2)->kept = true;
	add_gen(GEN_DRAINING, 2);
	add_worker(1, 0, true)->leaving = true;
	workers[1][0].deadline_ms = NOW + 1000;
	view.stop = STOP_DRAIN;
	ck_assert_uint_eq(count(POLICY_RETIRE), 0);
	gens[1].nworkers = 0;
	ck_assert_uint_eq(count(POLICY_RETIRE), 1);
	ck_assert_uint_eq(count(POLICY_EXIT), 1);
}
END_TEST

START_TEST(a_drain_is_ordered_when_no_handshake_is_under_way)
{
	for (int state = GEN_DRAINING; state <= GEN_FAILED; state++) {
		set_up();
		add_gen((enum gen_state)state, 2);
		add_worker(0, 0, true);
		add_worker(0, 1, true)->leaving = true;
		workers[0][1].deadline_ms = NOW + 1000;
		ck_assert_uint_eq(count(POLICY_ORDER), 1);
		view.half_open = true;
		ck_assert_uint_eq(count(POLICY_ORDER), 0);
		ck_assert_uint_eq(plan.wake_ms, NOW + POLICY_LOOK_MS);
		view.now_ms = NOW + POLICY_HALF_OPEN_MS; /* but not for ever */
		ck_assert_uint_eq(count(POLICY_ORDER), 1);
		workers[0][0].leaving = true;
		workers[0][0].deadline_ms = NOW + 1000;
		ck_assert_uint_eq(count(POLICY_ORDER), 0);
	}
}
END_TEST

START_TEST(the_oldest_beyond_the_cap_is_cut)
{
	view.max_generations = 2;
	for (size_t i = 0; i < 3; i++) {
		add_gen(i < 2 ? GEN_DRAINING : GEN_ACTIVE, 1);
		add_worker(i, 0, true)->leaving = i < 2;
		workers[i][0].deadline_ms = NOW + 30000;
	}
	ck_assert_uint_eq(count(POLICY_CUT), 0); /* most are gone in a moment by themselves */
	ck_assert_uint_eq(plan.wake_ms, NOW + POLICY_HANDOFF_MS);
	view.now_ms = NOW + POLICY_HANDOFF_MS;
	ck_assert_uint_eq(count(POLICY_CUT), 1);
	ck_assert_uint_eq(plan.action[0].gen, 0);
	gens[0].told = true;
	ck_assert_uint_eq(count(POLICY_CUT), 0);
}
END_TEST

START_TEST(a_new_generation_waits_for_room)
{
	view.max_generations = 3;
	view.waiting = true;
	for (size_t i = 0; i < 3; i++) {
		add_gen(i < 2 ? GEN_DRAINING : GEN_ACTIVE, 1);
		add_worker(i, 0, true)->leaving = i < 2;
		workers[i][0].deadline_ms = NOW + 30000;
	}
	ck_assert_uint_eq(count(POLICY_BEGIN), 0);
	ck_assert_uint_eq(count(POLICY_CUT), 0);
	ck_assert_uint_eq(plan.wake_ms, NOW + POLICY_HANDOFF_MS);
	gens[0].moved_ms = NOW + 500; /* it hands over yet */
	view.now_ms = NOW + POLICY_HANDOFF_MS;
	ck_assert_uint_eq(count(POLICY_CUT), 0);
	ck_assert_uint_eq(plan.wake_ms, NOW + 500 + POLICY_HANDOFF_MS);
	gens[0].moved_ms = NOW + POLICY_ROOM_MS - 1; /* but not for ever */
	view.now_ms = NOW + POLICY_ROOM_MS;
	ck_assert_uint_eq(count(POLICY_CUT), 1);
	ck_assert_uint_eq(plan.action[0].gen, 0);
	gens[0].told = true;
	ck_assert_uint_eq(count(POLICY_BEGIN), 0); /* it is not gone yet */
	gens[0].state = GEN_GONE;
	ck_assert_uint_eq(count(POLICY_BEGIN), 1);
	ck_assert_uint_eq(count(POLICY_CUT), 0);
	view.max_generations = 1; /* nothing more can be done than to cut the other drain */
	gens[1].state = GEN_GONE;
	ck_assert_uint_eq(count(POLICY_BEGIN), 1);
	view.stop = STOP_LAME;
	ck_assert_uint_eq(count(POLICY_BEGIN), 0);
}
END_TEST

START_TEST(a_stop_goes_through_its_phases)
{
	add_gen(GEN_ACTIVE, 1);
	add_worker(0, 0, true);
	view.stop = STOP_LAME;
	view.stop_since_ms = NOW;
	view.lame_duck_ms = 5000;
	ck_assert_uint_eq(count(POLICY_STOP_FILTER), 0);
	ck_assert_uint_eq(plan.wake_ms, NOW + 5000);
	view.now_ms = NOW + 5000;
	ck_assert_uint_eq(count(POLICY_STOP_FILTER), 1);

	view.stop = STOP_FILTER;
	view.stop_since_ms = view.now_ms;
	view.half_open = true;
	ck_assert_uint_eq(count(POLICY_STOP_DRAIN), 0);
	view.half_open = false;
	ck_assert_uint_eq(count(POLICY_STOP_DRAIN), 1);
	view.half_open = true; /* but not for ever */
	view.now_ms += POLICY_HALF_OPEN_MS;
	ck_assert_uint_eq(count(POLICY_STOP_DRAIN), 1);

	view.stop = STOP_DRAIN;
	gens[0].state = GEN_DRAINING;
	workers[0][0].leaving = true;
	workers[0][0].deadline_ms = view.now_ms + 1000;
	ck_assert_uint_eq(count(POLICY_EXIT), 0);
	gens[0].nworkers = 0;
	ck_assert_uint_eq(count(POLICY_EXIT), 1);
}
END_TEST

START_TEST(a_dead_worker_is_replaced_during_the_lame_duck_only)
{
	add_gen(GEN_ACTIVE, 1);
	view.stop = STOP_LAME;
	view.stop_since_ms = NOW;
	view.lame_duck_ms = 5000;
	ck_assert_uint_eq(count(POLICY_SPAWN), 1);
	view.stop = STOP_DRAIN;
	gens[0].state = GEN_DRAINING;
	ck_assert_uint_eq(count(POLICY_SPAWN), 0);
}
END_TEST

START_TEST(nobody_is_born_or_promoted_in_a_stop)
{
	static const enum policy_stop stops[] = {STOP_LAME, STOP_FILTER, STOP_DRAIN, STOP_NOW};

	add_gen(GEN_STARTING, 2);
	view.changing = 0;
	view.stop_since_ms = NOW;
	add_worker(0, 0, true);
	for (size_t i = 0; i < 4; i++) {
		view.stop = stops[i];
		ck_assert_uint_eq(count(POLICY_SPAWN), 0);
	}
	add_worker(0, 1, true);
	for (size_t i = 0; i < 4; i++) {
		view.stop = stops[i];
		ck_assert_uint_eq(count(POLICY_PROMOTE), 0);
	}
	gens[0].died = true; /* nor is its failure anybody's affair any more */
	for (size_t i = 0; i < 4; i++) {
		view.stop = stops[i];
		ck_assert_uint_eq(count(POLICY_FAIL_DIED), 0);
	}
	view.stop = STOP_NO;
	ck_assert_uint_eq(count(POLICY_FAIL_DIED), 1);
}
END_TEST

START_TEST(no_generation_is_cut_for_its_number_in_a_stop)
{
	view.max_generations = 2;
	for (size_t i = 0; i < 3; i++) {
		add_gen(GEN_DRAINING, 1);
		add_worker(i, 0, true)->leaving = true;
		workers[i][0].deadline_ms = NOW + 30000;
	}
	view.now_ms = NOW + POLICY_HANDOFF_MS;
	ck_assert_uint_eq(count(POLICY_CUT), 1);
	view.stop = STOP_DRAIN;
	ck_assert_uint_eq(count(POLICY_CUT), 0);
}
END_TEST

START_TEST(stop_now_kills_what_does_not_go)
{
	add_gen(GEN_DRAINING, 2);
	add_worker(0, 0, true)->leaving = true;
	workers[0][0].deadline_ms = NOW + 30000;
	view.stop = STOP_NOW;
	view.stop_since_ms = NOW;
	ck_assert_uint_eq(count(POLICY_KILL), 0);
	view.now_ms = NOW + POLICY_NOW_MS;
	ck_assert_uint_eq(count(POLICY_KILL), 1);
}
END_TEST

/* --- the walk: random events, a toy master that obeys, and what must hold --- */

static unsigned seed;

static unsigned
dice(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % n;
}

static void
drop_worker(size_t g, size_t i)
{
	gens[g].nworkers--;
	memmove(&workers[g][i], &workers[g][i + 1],
	        (gens[g].nworkers - i) * sizeof workers[g][0]);
}

static void
drain_gen(size_t g, enum gen_state state)
{
	gens[g].state = state;
	gens[g].since_ms = view.now_ms;
}

static void
order_gen(size_t g)
{
	for (size_t i = 0; i < gens[g].nworkers; i++) {
		workers[g][i].leaving = true;
		workers[g][i].deadline_ms = view.now_ms + 3000;
	}
}

static void
obey(const struct policy_action *a)
{
	struct policy_gen *g = &gens[a->gen];

	switch (a->verb) {
	case POLICY_SPAWN:
		ck_assert(g->state == GEN_STARTING || g->state == GEN_ACTIVE);
		ck_assert_uint_lt(g->nworkers, 16);
		*add_worker(a->gen, (uint32_t)a->index, false) =
		    (struct policy_worker){.slot = (uint32_t)a->index, .since_ms = view.now_ms};
		break;
	case POLICY_PROMOTE:
		ck_assert_int_eq(view.changing, (int)a->gen);
		if (view.has_old)
			gens[0].state = GEN_PAUSED;
		g->state = GEN_ACTIVE;
		g->since_ms = view.now_ms;
		g->died = false;
		break;
	case POLICY_FAIL_DIED:
	case POLICY_FAIL_TIMEOUT:
		ck_assert_int_eq(view.changing, (int)a->gen);
		gens[0].state = GEN_ACTIVE;
		gens[0].died = false;
		drain_gen(a->gen, GEN_FAILED);
		view.changing = -1;
		break;
	case POLICY_COMMIT:
		ck_assert_int_eq(view.changing, (int)a->gen);
		ck_assert(!view.has_old || view.now_ms >= g->since_ms + view.probation_ms);
		drain_gen(0, GEN_DRAINING);
		view.changing = -1;
		break;
	case POLICY_LEAVE:
		workers[a->gen][a->index].leaving = true;
		workers[a->gen][a->index].deadline_ms = view.now_ms + 3000;
		break;
	case POLICY_KILL:
		ck_assert(!workers[a->gen][a->index].killed);
		workers[a->gen][a->index].killed = true;
		break;
	case POLICY_ORDER:
		ck_assert(g->state == GEN_DRAINING || g->state == GEN_FAILED);
		order_gen(a->gen);
		break;
	case POLICY_RETIRE:
		ck_assert_uint_eq(g->nworkers, 0);
		g->state = GEN_GONE;
		break;
	case POLICY_CUT:
		g->told = true;
		break;
	case POLICY_BEGIN:
	case POLICY_STOP_FILTER:
	case POLICY_STOP_DRAIN:
	case POLICY_EXIT:
		ck_abort_msg("no stop was asked for");
	}
}

static void
settle(void)
{
	for (int round = 0; round < 100; round++) {
		policy_next(&view, &plan);
		if (plan.n == 0)
			return;
		/* as the master does: after a change of state the plan is void */
		for (size_t i = 0; i < plan.n; i++) {
			obey(&plan.action[i]);
			if (plan.action[i].verb != POLICY_SPAWN &&
			    plan.action[i].verb != POLICY_KILL &&
			    plan.action[i].verb != POLICY_LEAVE)
				break;
		}
	}
	ck_abort_msg("the policy does not settle");
}

static void
random_event(void)
{
	size_t g = dice((unsigned)view.ngen);
	size_t i;

	view.now_ms += dice(2000);
	if (gens[g].nworkers == 0)
		return;
	i = dice((unsigned)gens[g].nworkers);
	switch (dice(4)) {
	case 0:
		workers[g][i].ready = true;
		break;
	case 1: /* a death */
		if (!workers[g][i].leaving) {
			uint32_t s = workers[g][i].slot;

			gens[g].died = true;
			slots[g][s].deaths++;
			slots[g][s].retry_ms =
			    view.now_ms + policy_backoff_ms(slots[g][s].deaths);
		}
		drop_worker(g, i);
		break;
	case 2: /* leaves when told, dies when killed */
		if (workers[g][i].leaving || workers[g][i].killed)
			drop_worker(g, i);
		break;
	default:
		break;
	}
}

/* Whatever happens: exactly one generation is there to accept, before, during and
 * after a change, and no slot has two workers. */
static void
invariants(void)
{
	size_t accepting = 0;

	for (size_t g = 0; g < view.ngen; g++) {
		accepting += gens[g].state == GEN_ACTIVE;
		for (size_t i = 0; i < gens[g].nworkers; i++)
			for (size_t k = 0; k < i; k++)
				ck_assert(workers[g][i].leaving || workers[g][k].leaving ||
				          workers[g][i].slot != workers[g][k].slot);
	}
	ck_assert_uint_eq(accepting, 1);
}

START_TEST(a_random_walk_keeps_one_active_generation)
{
	seed = (unsigned)_i + 1;
	add_gen(GEN_ACTIVE, 2);
	add_worker(0, 0, true);
	add_worker(0, 1, true);
	add_gen(GEN_STARTING, 2);
	view.changing = 1;
	view.has_old = true;
	for (int step = 0; step < 300; step++) {
		settle();
		invariants();
		random_event();
	}
	ck_assert_int_eq(view.changing, -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("policy");
	TCase *t = tcase_create("rules");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, an_empty_slot_is_filled);
	tcase_add_test(t, a_stuck_worker_is_killed_in_any_state);
	tcase_add_test(t, a_leaving_worker_does_not_hold_its_slot);
	tcase_add_test(t, a_slot_waits_for_its_back_off);
	tcase_add_test(t, another_binary_is_not_spawned);
	tcase_add_test(t, the_back_off_doubles_to_its_limit);
	tcase_add_test(t, promoted_when_all_are_ready_and_not_before);
	tcase_add_test(t, a_start_has_a_limit);
	tcase_add_test(t, a_death_before_ready_fails_the_start);
	tcase_add_test(t, probation_ends_in_a_commit);
	tcase_add_test(t, a_death_on_probation_rolls_back);
	tcase_add_test(t, the_first_generation_has_no_probation);
	tcase_add_test(t, a_paused_generation_is_not_refilled);
	tcase_add_test(t, surplus_workers_leave);
	tcase_add_test(t, a_stuck_worker_is_killed_after_its_grace);
	tcase_add_test(t, one_that_cuts_has_cut_over_more);
	tcase_add_test(t, a_late_replacement_is_killed);
	tcase_add_test(t, an_empty_drain_is_retired);
	tcase_add_test(t, who_may_have_to_serve_again_is_kept);
	tcase_add_test(t, a_drain_is_ordered_when_no_handshake_is_under_way);
	tcase_add_test(t, the_oldest_beyond_the_cap_is_cut);
	tcase_add_test(t, a_new_generation_waits_for_room);
	tcase_add_test(t, a_stop_goes_through_its_phases);
	tcase_add_test(t, a_dead_worker_is_replaced_during_the_lame_duck_only);
	tcase_add_test(t, nobody_is_born_or_promoted_in_a_stop);
	tcase_add_test(t, no_generation_is_cut_for_its_number_in_a_stop);
	tcase_add_test(t, stop_now_kills_what_does_not_go);
	tcase_add_loop_test(t, a_random_walk_keeps_one_active_generation, 0, 200);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
