/* stats: counters never go back, whoever dies. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/stats.h"

static struct stats *stats;

static void
set_up(void)
{
	stats = stats_create(NULL);
	ck_assert_ptr_nonnull(stats);
}

static void
tear_down(void)
{
	stats_free(&stats);
}

START_TEST(a_sum_is_the_dead_and_the_living)
{
	struct stats_page *a = stats_page_open(stats, 1, 1, 0);
	struct stats_page *b = stats_page_open(stats, 2, 1, 1);

	stats_add(a, STATS_REQUESTS, 10);
	stats_add(b, STATS_REQUESTS, 5);
	ck_assert_uint_eq(stats_sum(stats, STATS_REQUESTS), 15);
	ck_assert_uint_eq(stats_page_fold(stats, a), 0);
	ck_assert_uint_eq(stats_sum(stats, STATS_REQUESTS), 15);
	ck_assert_ptr_null(stats_page_find(stats, 1));
	ck_assert_ptr_eq(stats_page_find(stats, 2), b);
	stats_total_add(stats, STATS_WORKER_DEATHS, 1);
	ck_assert_uint_eq(stats_sum(stats, STATS_WORKER_DEATHS), 1);
}
END_TEST

START_TEST(a_fold_keeps_every_counter)
{
	for (uint64_t birth = 1; birth <= 3; birth++) {
		struct stats_page *page = stats_page_open(stats, birth, 1, 0);

		for (int c = 0; c < STATS_COUNTERS_N; c++)
			stats_add(page, (enum stats_counter)c, (uint64_t)c + 1);
		ck_assert_uint_eq(stats_page_fold(stats, page), 0);
	}
	for (int c = 0; c < STATS_COUNTERS_N; c++)
		ck_assert_uint_eq(stats_sum(stats, (enum stats_counter)c),
		                  3 * ((uint64_t)c + 1));
}
END_TEST

START_TEST(what_a_dead_worker_held_is_cut_and_closed)
{
	struct stats_page *a = stats_page_open(stats, 1, 1, 0);

	stats_add(a, STATS_ACCEPTED, 6);
	a->fresh = 1;
	a->idle = 2;
	a->busy = 3;
	ck_assert_uint_eq(stats_page_fold(stats, a), 6);
	ck_assert_uint_eq(stats_sum(stats, STATS_CLOSED), 6);
	ck_assert_uint_eq(stats_sum(stats, STATS_CUT), 6);
	ck_assert_uint_eq(stats_sum(stats, STATS_ACCEPTED), 6);
}
END_TEST

START_TEST(what_a_dead_worker_had_offered_is_not_cut)
{
	struct stats_page *a = stats_page_open(stats, 1, 1, 0);

	stats_add(a, STATS_ACCEPTED, 6);
	a->fresh = 1;
	a->idle = 2;
	a->busy = 3;
	a->moving = 4; /* whoever got them counts them now */
	ck_assert_uint_eq(stats_page_fold(stats, a), 2);
	ck_assert_uint_eq(stats_sum(stats, STATS_CLOSED), 2);
	ck_assert_uint_eq(stats_sum(stats, STATS_CUT), 2);
	a = stats_page_open(stats, 2, 1, 0);
	ck_assert_uint_eq(a->moving, 0);
	a->idle = a->moving = 2;
	ck_assert_uint_eq(stats_page_fold(stats, a), 0);
	a = stats_page_open(stats, 3, 1, 0);
	a->idle = 1;
	a->moving = 2; /* it died between two stores */
	ck_assert_uint_eq(stats_page_fold(stats, a), 0);
	ck_assert_uint_eq(stats_sum(stats, STATS_CLOSED), 2);
	ck_assert_uint_eq(stats_sum(stats, STATS_CUT), 2);
}
END_TEST

START_TEST(pages_are_used_again_and_start_at_zero)
{
	struct stats_page *first = stats_page_open(stats, 1, 1, 0), *again;

	stats_add(first, STATS_BYTES_IN, 99);
	stats_page_fold(stats, first);
	again = stats_page_open(stats, 2, 3, 4);
	ck_assert_ptr_eq(first, again);
	ck_assert_uint_eq(again->counter[STATS_BYTES_IN], 0);
	ck_assert_uint_eq(again->generation, 3);
	ck_assert_uint_eq(again->slot, 4);
	ck_assert_uint_eq(stats_sum(stats, STATS_BYTES_IN), 99);
}
END_TEST

START_TEST(named_counters_are_found_by_their_names)
{
	struct stats_page *a = stats_page_open(stats, 1, 1, 0);
	struct stats_page *b = stats_page_open(stats, 2, 1, 1);
	char name[32];

	ck_assert_ptr_null(stats_named(a, ""));
	ck_assert_ptr_null(stats_named(a, "a name that is longer than 27"));
	stats_named(a, "first")->value += 1;
	stats_named(a, "second")->value += 2;
	stats_named(b, "second")->value += 20; /* at another place */
	stats_named(b, "second")->value += 20;
	ck_assert_uint_eq(stats_named_sum(stats, "first"), 1);
	ck_assert_uint_eq(stats_named_sum(stats, "second"), 42);
	ck_assert_uint_eq(stats_named_sum(stats, "third"), 0);
	stats_page_fold(stats, b);
	ck_assert_uint_eq(stats_named_sum(stats, "second"), 42);
	b = stats_page_open(stats, 3, 2, 1);
	stats_named(b, "second")->value += 1;
	stats_page_fold(stats, a);
	ck_assert_uint_eq(stats_named_sum(stats, "first"), 1);
	ck_assert_uint_eq(stats_named_sum(stats, "second"), 43);
	for (int i = 1; i < STATS_NAMED; i++) {
		snprintf(name, sizeof name, "n%d", i);
		ck_assert_ptr_nonnull(stats_named(b, name));
	}
	ck_assert_ptr_null(stats_named(b, "no room"));
}
END_TEST

/* Who spoke last is right, alive or dead; the future is not heard; room is bounded. */
START_TEST(flags_are_what_was_said_last)
{
	struct stats_page *a = stats_page_open(stats, 1, 1, 0);
	struct stats_page *b = stats_page_open(stats, 2, 1, 1);
	uint64_t x = stats_hash("x"), y = stats_hash("y");

	ck_assert(!stats_flag_is_set(stats, x, 1000));
	stats_flag_set(stats_flag(stats, a, x), true, 100);
	ck_assert(stats_flag_is_set(stats, x, 1000));
	ck_assert(!stats_flag_is_set(stats, y, 1000));
	ck_assert(!stats_flag_is_set(stats, x, 99));
	stats_flag_set(stats_flag(stats, b, x), false, 200);
	ck_assert(!stats_flag_is_set(stats, x, 1000));
	stats_flag_set(stats_flag(stats, a, x), true, 300);
	stats_page_fold(stats, a);
	ck_assert(stats_flag_is_set(stats, x, 1000));
	stats_page_fold(stats, b); /* what it said is older */
	ck_assert(stats_flag_is_set(stats, x, 1000));
	a = stats_page_open(stats, 3, 2, 0);
	stats_flag_set(stats_flag(stats, a, x), false, 400);
	stats_page_fold(stats, a);
	ck_assert(!stats_flag_is_set(stats, x, 1000));
}
END_TEST

/* A place that is given back is for a new name, and not for one that has its own behind it. */
START_TEST(a_flag_has_one_place)
{
	struct stats_page *page = stats_page_open(stats, 1, 1, 0);
	uint64_t x = stats_hash("x"), y = stats_hash("y");
	struct stats_flag *of_x = stats_flag(stats, page, x),
	                  *of_y = stats_flag(stats, page, y);

	stats_flag_set(of_y, true, 100);
	stats_flag_give_back(of_x);
	ck_assert_ptr_eq(stats_flag(stats, page, y), of_y);
	ck_assert_ptr_eq(stats_flag(stats, page, x), of_x);
	stats_flag_give_back(of_y);
	ck_assert(!stats_flag_is_set(stats, y, 1000));
}
END_TEST

START_TEST(flags_have_room_for_who_is_named_lately)
{
	struct stats_page *page = NULL;
	char name[32];

	for (int i = 0; i < 2000; i++) {
		if (i % STATS_FLAGS == 0) {
			if (page != NULL)
				stats_page_fold(stats, page);
			page = stats_page_open(stats, (uint64_t)i + 1, 1, 0);
		}
		snprintf(name, sizeof name, "n%d", i);
		stats_flag_set(stats_flag(stats, page, stats_hash(name)), true,
		               (uint64_t)i + 1);
	}
	ck_assert_ptr_null(stats_flag(stats, page, stats_hash("one more")));
	ck_assert_ptr_nonnull(stats_flag(stats, page, stats_hash("n1999")));
	stats_page_fold(stats, page);
	ck_assert(stats_flag_is_set(stats, stats_hash("n1999"), 9999));
	ck_assert(stats_flag_is_set(stats, stats_hash("n1000"), 9999));
	ck_assert(!stats_flag_is_set(stats, stats_hash("n0"), 9999)); /* 1,024 fit */
}
END_TEST

struct names {
	int n;
	char name[STATS_NAMED][STATS_NAME_MAX + 1];
	uint64_t sum[STATS_NAMED];
};

static void
note_name(void *arg, const char name[STATS_NAME_MAX], uint64_t sum)
{
	struct names *names = arg;

	memcpy(names->name[names->n], name, STATS_NAME_MAX);
	names->sum[names->n++] = sum;
}

START_TEST(every_named_counter_is_told_once_with_its_sum)
{
	struct stats_page *a = stats_page_open(stats, 1, 1, 0);
	struct stats_page *b = stats_page_open(stats, 2, 1, 1);
	struct names names = {0};
	static const char longest[] = "a name of 27 bytes, no more";
	static const char *const want[] = {longest, "third", "first",
	                                   "xxxxxxxxxxxxxxxxxxxxxxxxxxx"};
	static const uint64_t sums[] = {22, 7, 1, 0};

	stats_named_each(stats, note_name, &names);
	ck_assert_int_eq(names.n, 0);
	stats_named(a, "first")->value += 1;
	stats_named(a, longest)->value += 2;
	stats_named(b, longest)->value += 20;
	stats_named(b, "third")->value += 3;
	stats_page_fold(stats, b);
	b = stats_page_open(stats, 3, 2, 1);
	stats_named(b, "third")->value += 4;
	memset(stats_named(b, "worker's scribble")->name, 'x', STATS_NAME_MAX + 1);
	stats_named_each(stats, note_name, &names);
	ck_assert_int_eq(names.n, 4);
	for (int i = 0; i < names.n; i++) {
		ck_assert_str_eq(names.name[i], want[i]);
		ck_assert_uint_eq(names.sum[i], sums[i]);
	}
}
END_TEST

START_TEST(tasks_of_a_dead_worker_are_no_connections)
{
	struct stats_page *a = stats_page_open(stats, 1, 1, 0);

	a->busy = 5;
	a->tasks = 3;
	ck_assert_uint_eq(stats_page_fold(stats, a), 2);
	ck_assert_uint_eq(stats_sum(stats, STATS_CUT), 2);
}
END_TEST

START_TEST(pages_end)
{
	size_t n = 0;

	while (stats_page_open(stats, n + 1, 1, 0) != NULL)
		n++;
	ck_assert_uint_eq(n, STATS_BIRTHS);
}
END_TEST

START_TEST(numbers_are_never_given_twice_also_to_another_reader)
{
	struct stats *other;
	uint64_t b = stats_next_birth(stats);
	uint32_t g = stats_next_generation(stats);

	other = stats_attach(dup(stats_fd(stats)), NULL);
	ck_assert_ptr_nonnull(other);
	ck_assert_uint_eq(stats_next_birth(other), b + 1);
	ck_assert_uint_eq(stats_next_generation(other), g + 1);
	ck_assert_uint_eq(stats_next_birth(stats), b + 2);
	stats_free(&other);
}
END_TEST

START_TEST(another_process_counts_and_is_killed)
{
	struct stats_page *page = stats_page_open(stats, 1, 1, 0);
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		stats_protect(stats, page);
		for (int i = 0; i < 1000; i++)
			stats_add(page, STATS_REQUESTS, 1);
		kill(getpid(), SIGKILL);
	}
	stats_page_born(stats, page, pid);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	stats_page_fold(stats, page);
	ck_assert_uint_eq(stats_sum(stats, STATS_REQUESTS), 1000);
}
END_TEST

START_TEST(a_worker_cannot_write_a_page_of_others)
{
	struct stats_page *own = stats_page_open(stats, 1, 1, 0);
	struct stats_page *other = stats_page_open(stats, 2, 1, 1);

	stats_protect(stats, own);
	stats_add(own, STATS_REQUESTS, 1);
	stats_add(other, STATS_REQUESTS, 1); /* SIGSEGV */
}
END_TEST

/* Beyond what mprotect, or any mapping of the memory's descriptor, gives back. */
START_TEST(what_is_not_a_workers_own_stays_out_of_its_reach)
{
	struct stats_page *own = stats_page_open(stats, 1, 1, 0);
	struct stats_page *other = stats_page_open(stats, 2, 1, 1);
	size_t size;
	void *board = stats_board(stats, &size);

	stats_protect(stats, own);
	ck_assert_int_lt(mprotect(other, STATS_PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
	ck_assert_int_lt(mprotect(board, size, PROT_READ | PROT_WRITE), 0);
	stats_add(own, STATS_REQUESTS, 1);
	ck_assert_int_eq(mprotect(own, STATS_PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
	ck_assert_uint_eq(stats_sum(stats, STATS_REQUESTS), 1);
}
END_TEST

START_TEST(what_no_worker_writes_is_noticed)
{
	struct stats_page *page = stats_page_open(stats, 7, 3, 1);

	stats_page_born(stats, page, 1234);
	page->started = 5;
	stats_page_ready(stats, page);
	stats_add(page, STATS_REQUESTS, 10);
	ck_assert_ptr_null(stats_page_look(stats, page));
	switch (_i) {
	case 0:
		page->birth = 8;
		break;
	case 1:
		page->birth = 0;
		break;
	case 2:
		page->pid = 1;
		break;
	case 3:
		page->generation = 4;
		break;
	case 4:
		page->started = 6;
		break;
	case 5:
		page->counter[STATS_REQUESTS] = 9;
		break;
	case 6:
		page->counter[STATS_BYTES_IN] = UINT64_MAX;
		break;
	case 7:
		page->counter[STATS_SLOTS - 1] = UINT64_C(1) << 60;
		break;
	case 8:
		page->idle = UINT64_C(1) << 40;
		break;
	case 9:
		page->heartbeat_ms = UINT64_MAX;
		break;
	case 10:
		page->state = STATS_FREE;
		break;
	case 11:
		page->slot = 2;
		break;
	default:
		ck_abort();
	}
	ck_assert_ptr_nonnull(stats_page_look(stats, page));
	ck_assert_uint_ge(stats_sum(stats, STATS_REQUESTS), 10);
	ck_assert_uint_le(stats_sum(stats, STATS_BYTES_IN), 0);
	ck_assert_uint_eq(stats_page_fold(stats, page), 0); /* nobody knows what it held */
	ck_assert_uint_eq(stats_sum(stats, STATS_REQUESTS), 10);
	ck_assert_uint_eq(stats_sum(stats, STATS_BYTES_IN), 0);
}
END_TEST

/* Whose it is the master knows by itself. */
START_TEST(a_page_that_says_to_be_free_is_not_given_to_another)
{
	struct stats_page *page = stats_page_open(stats, 1, 1, 0);

	page->birth = 0;
	ck_assert_ptr_ne(stats_page_open(stats, 2, 1, 1), page);
	ck_assert_ptr_eq(stats_page_find(stats, 1), page);
	ck_assert_ptr_null(stats_page_unclaimed(stats, NULL));
}
END_TEST

START_TEST(a_page_is_claimed_once_by_its_number)
{
	struct stats_page *a = stats_page_open(stats, 1, 1, 0);
	struct stats_page *b = stats_page_open(stats, 2, 1, 1);
	size_t index = stats_page_index(stats, b);
	struct stats_claim claim = {.birth = 2, .generation = 1, .slot = 1, .pid = 22};
	struct stats *other = stats_attach(dup(stats_fd(stats)), NULL);

	stats_page_born(stats, a, 21);
	stats_page_born(stats, b, 22);
	ck_assert_ptr_null(stats_page_claim(other, STATS_BIRTHS + 1, &claim));
	a->birth = 2; /* it says to be another, but has another pid, or number */
	ck_assert_ptr_null(stats_page_claim(other, 0, &claim));
	claim.started = 5;
	ck_assert_ptr_eq(stats_page_claim(other, index, &claim),
	                 stats_page_number(other, index));
	ck_assert_ptr_null(stats_page_claim(other, index, &claim));
	ck_assert_ptr_eq(stats_page_unclaimed(other, NULL),
	                 stats_page_number(other, stats_page_index(stats, a)));
	stats_free(&other);
}
END_TEST

START_TEST(a_foreign_descriptor_is_refused)
{
	char *cause = NULL;
	int end[2];

	ck_assert_int_eq(pipe(end), 0);
	ck_assert_ptr_null(stats_attach(end[0], &cause));
	ck_assert_ptr_nonnull(cause);
	free(cause);
	close(end[0]);
	close(end[1]);
}
END_TEST

START_TEST(every_counter_and_state_has_a_name)
{
	for (enum stats_counter c = 0; c < STATS_COUNTERS_N; c++) {
		ck_assert_ptr_nonnull(stats_counter_name(c));
		ck_assert_ptr_nonnull(stats_counter_unit(c));
		ck_assert_ptr_nonnull(stats_counter_help(c));
	}
	ck_assert_str_eq(stats_counter_name(STATS_WORKER_DEATHS), "worker_deaths");
	ck_assert_str_eq(stats_state_name(STATS_CUTTING), "cutting");
	ck_assert_str_eq(stats_state_name(STATS_STATES_N), "unknown");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("stats");
	TCase *t = tcase_create("pages");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_sum_is_the_dead_and_the_living);
	tcase_add_test(t, a_fold_keeps_every_counter);
	tcase_add_test(t, what_a_dead_worker_held_is_cut_and_closed);
	tcase_add_test(t, what_a_dead_worker_had_offered_is_not_cut);
	tcase_add_test(t, pages_are_used_again_and_start_at_zero);
	tcase_add_test(t, named_counters_are_found_by_their_names);
	tcase_add_test(t, flags_are_what_was_said_last);
	tcase_add_test(t, a_flag_has_one_place);
	tcase_add_test(t, flags_have_room_for_who_is_named_lately);
	tcase_add_test(t, every_named_counter_is_told_once_with_its_sum);
	tcase_add_test(t, tasks_of_a_dead_worker_are_no_connections);
	tcase_add_test(t, pages_end);
	tcase_add_test(t, numbers_are_never_given_twice_also_to_another_reader);
	tcase_add_test(t, another_process_counts_and_is_killed);
#if !defined(__SANITIZE_ADDRESS__)
	tcase_add_test_raise_signal(t, a_worker_cannot_write_a_page_of_others, SIGSEGV);
#else
	(void)a_worker_cannot_write_a_page_of_others;
#endif
	tcase_add_test(t, what_is_not_a_workers_own_stays_out_of_its_reach);
	tcase_add_loop_test(t, what_no_worker_writes_is_noticed, 0, 12);
	tcase_add_test(t, a_page_that_says_to_be_free_is_not_given_to_another);
	tcase_add_test(t, a_page_is_claimed_once_by_its_number);
	tcase_add_test(t, a_foreign_descriptor_is_refused);
	tcase_add_test(t, every_counter_and_state_has_a_name);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
