/* ctx, timer, group, offload, background, free lists: what a handler is given. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "baton.h"
#include "wire/stats.h"
#include "worker/core/waitgroup.h"
#include "worker/runtime/offload.h"
#include "worker/runtime/runtime.h"

BATON_CTX_VALUE(number, int)
BATON_CTX_VALUE(other, int)

static struct event_base *base;
static struct stats_page page;
static int order, cause_seen, statuses[8], ndone, nreleased;

/* A gate that threads wait at. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void
set_up(void)
{
	struct runtime_limits limits = {.threads = 2, .queue = 2, .background = 3};
	struct event_config *config = event_config_new();

	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(config);
	event_config_free(config);
	memset(&page, 0, sizeof page);
	waitgroup_start(base, &page);
	runtime_start(base, &limits);
	order = cause_seen = ndone = nreleased = 0;
}

static void
tear_down(void)
{
	ck_assert(runtime_stop());
	runtime_free();
	ck_assert_uint_eq(waitgroup_count(), 0);
	event_base_free(base);
}

static void
run_until(const int *fact, int n)
{
	while (*fact < n)
		event_base_loop(base, EVLOOP_ONCE);
}

static void
on_end(void *arg, int cause)
{
	cause_seen = cause;
	*(int *)arg = ++order;
}

/* --- ctx --- */

START_TEST(a_ctx_ends_with_all_below_it_and_nothing_above)
{
	struct baton_ctx *a = baton_ctx_new(NULL, 0), *b = baton_ctx_new(a, 0);
	struct baton_ctx *c = baton_ctx_new(b, 0);

	baton_ctx_cancel(b, BATON_CLOSED);
	ck_assert_int_eq(baton_ctx_cause(a), 0);
	ck_assert_int_eq(baton_ctx_cause(b), BATON_CLOSED);
	ck_assert_int_eq(baton_ctx_cause(c), BATON_CLOSED);
	baton_ctx_cancel(b, BATON_DEADLINE);
	ck_assert_int_eq(baton_ctx_cause(b), BATON_CLOSED);
	baton_ctx_drop(&a);
	ck_assert_ptr_null(a);
	baton_ctx_drop(&c);
	baton_ctx_drop(&b);
}
END_TEST

START_TEST(a_ctx_born_below_one_that_has_ended_has_ended)
{
	struct baton_ctx *a = baton_ctx_new(NULL, 0), *b;
	struct baton_watch w = {0};
	int n = 0;

	baton_ctx_cancel(a, BATON_CANCELLED);
	b = baton_ctx_new(a, 1000);
	ck_assert_int_eq(baton_ctx_cause(b), BATON_CANCELLED);
	ck_assert_uint_eq(baton_ctx_left(b), 0);
	ck_assert_int_eq(baton_ctx_watch(b, &w, on_end, &n), BATON_CANCELLED);
	baton_ctx_drop(&b);
	baton_ctx_drop(&a);
	ck_assert_int_eq(n, 0);
}
END_TEST

START_TEST(watches_are_called_once_and_those_taken_back_are_not)
{
	struct baton_ctx *a = baton_ctx_new(NULL, 0);
	struct baton_watch w[3] = {{0}};
	int n[3] = {0};

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(baton_ctx_watch(a, &w[i], on_end, &n[i]), 0);
	baton_ctx_unwatch(&w[1]);
	baton_ctx_unwatch(&w[1]);
	baton_ctx_cancel(a, BATON_CLOSED);
	ck_assert_int_eq(n[1], 0);
	ck_assert_int_eq(n[0] + n[2], 3);
	ck_assert_int_eq(cause_seen, BATON_CLOSED);
	baton_ctx_drop(&a);
	ck_assert_int_eq(order, 2);
}
END_TEST

START_TEST(a_deadline_ends_it_and_a_later_one_than_the_parents_has_no_effect)
{
	struct baton_ctx *a = baton_ctx_new(NULL, 10), *b = baton_ctx_new(a, 60000);
	struct baton_watch w = {0};
	int n = 0;

	ck_assert_uint_le(baton_ctx_left(b), 10);
	baton_ctx_watch(b, &w, on_end, &n);
	run_until(&n, 1);
	ck_assert_int_eq(cause_seen, BATON_DEADLINE);
	ck_assert_int_eq(baton_ctx_cause(a), BATON_DEADLINE);
	baton_ctx_drop(&a);
	baton_ctx_drop(&b);
}
END_TEST

static void
count_free(void *value)
{
	(*(int *)value)++;
}

START_TEST(values_are_seen_from_below_the_nearest_first)
{
	struct baton_ctx *a = baton_ctx_new(NULL, 0), *b = baton_ctx_new(a, 0);
	int one = 1, two = 2;

	ck_assert_ptr_null(number_get(b));
	number_set(a, &one, count_free);
	ck_assert_ptr_eq(number_get(b), &one);
	ck_assert_ptr_null(other_get(b));
	number_set(b, &two, NULL);
	ck_assert_ptr_eq(number_get(b), &two);
	ck_assert_ptr_eq(number_get(a), &one);
	baton_ctx_drop(&b);
	baton_ctx_drop(&a);
	ck_assert_int_eq(one, 2);
	ck_assert_int_eq(two, 2);
}
END_TEST

/* --- timer --- */

static struct baton_timer *timer;

static void
on_timer(void *arg)
{
	(*(int *)arg)++;
	baton_timer_free(&timer);
}

START_TEST(a_timer_may_free_itself)
{
	int n = 0;

	timer = baton_timer_new(on_timer, &n);
	baton_timer_set(timer, 1);
	run_until(&n, 1);
	ck_assert_ptr_null(timer);
}
END_TEST

/* --- offload --- */

static int
give_seven(void *arg)
{
	(void)arg;
	return 7;
}

static int
wait_at_gate(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return baton_task_cause();
}

static void
task_done(void *arg, int status)
{
	(void)arg;
	statuses[ndone++] = status;
}

static void
task_released(void *arg)
{
	(void)arg;
	nreleased++;
}

static struct baton_task
task(int (*work)(void *))
{
	return (struct baton_task){
	    .name = "test", .work = work, .done = task_done, .release = task_released};
}

START_TEST(a_task_comes_back_with_its_result)
{
	struct baton_task t = task(give_seven);

	ck_assert_int_eq(baton_offload(NULL, &t), 0);
	ck_assert_uint_eq(waitgroup_count(), 1);
	ck_assert_uint_eq(page.busy, 1);
	run_until(&nreleased, 1);
	ck_assert_int_eq(statuses[0], 7);
	ck_assert_uint_eq(waitgroup_count(), 0);
}
END_TEST

START_TEST(a_task_may_have_nobody_who_waits_for_its_end)
{
	struct baton_task t = task(give_seven);

	t.done = NULL;
	ck_assert_int_eq(baton_offload(NULL, &t), 0);
	run_until(&nreleased, 1);
	ck_assert_int_eq(ndone, 0);
	ck_assert_uint_eq(waitgroup_count(), 0);
}
END_TEST

START_TEST(a_full_queue_refuses)
{
	struct baton_task t = task(wait_at_gate);

	pthread_mutex_lock(&gate);
	for (int i = 0; i < 4; i++) /* two threads, two that wait */
		ck_assert_int_eq(baton_offload(NULL, &t), 0);
	ck_assert_int_eq(baton_offload(NULL, &t), BATON_FULL);
	ck_assert_uint_eq(waitgroup_tasks(), 4);
	pthread_mutex_unlock(&gate);
	run_until(&nreleased, 4);
	ck_assert_int_eq(ndone, 4);
	ck_assert_int_eq(baton_offload(NULL, &t), 0);
	run_until(&nreleased, 5);
}
END_TEST

START_TEST(the_end_of_its_ctx_is_its_result_at_once_and_release_waits_for_work)
{
	struct baton_ctx *ctx = baton_ctx_new(NULL, 0);
	struct baton_task t = task(wait_at_gate);
	struct offload_stats s = {0};

	pthread_mutex_lock(&gate);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(baton_offload(ctx, &t), 0);
	while (s.running < 2)
		offload_stats(&s);
	baton_ctx_cancel(ctx, BATON_CLOSED);
	ck_assert_int_eq(ndone, 0); /* not from within */
	run_until(&ndone, 3);
	ck_assert_int_eq(statuses[0], BATON_CLOSED);
	ck_assert_int_eq(nreleased, 1); /* two are in a thread */
	pthread_mutex_unlock(&gate);
	run_until(&nreleased, 3);
	ck_assert_int_eq(ndone, 3);
	ck_assert_int_eq(baton_offload(ctx, &t), BATON_CLOSED);
	baton_ctx_drop(&ctx);
}
END_TEST

START_TEST(a_task_that_hangs_is_told_of)
{
	struct baton_task t = task(wait_at_gate);
	struct offload_stats s = {0};

	t.limit_ms = 1;
	pthread_mutex_lock(&gate);
	ck_assert_int_eq(baton_offload(NULL, &t), 0);
	for (; s.stuck == 0; offload_stats(&s))
		event_base_loop(base, EVLOOP_ONCE);
	pthread_mutex_unlock(&gate);
	run_until(&nreleased, 1);
}
END_TEST

START_TEST(what_is_left_behind_does_not_count)
{
	struct baton_task t = task(wait_at_gate);
	struct baton_background *b = baton_background("test", NULL, NULL);

	pthread_mutex_lock(&gate);
	ck_assert_int_eq(baton_offload(NULL, &t), 0);
	ck_assert_uint_eq(waitgroup_count(), 2);
	runtime_cut();
	ck_assert_int_eq(baton_ctx_cause(baton_background_ctx(b)), BATON_DRAIN);
	run_until(&ndone, 1);
	ck_assert_int_eq(statuses[0], BATON_DRAIN);
	ck_assert_uint_ge(waitgroup_count(), 1);
	runtime_abandon();
	ck_assert_uint_eq(waitgroup_count(), 0);
	runtime_abandon();
	pthread_mutex_unlock(&gate);
	run_until(&nreleased, 1);
	baton_background_end(&b);
	ck_assert_uint_eq(waitgroup_count(), 0);
}
END_TEST

/* --- background --- */

static struct baton_background *bg[4];

static void
told_to_drain(void *arg)
{
	(*(int *)arg)++;
	baton_background_end(&bg[0]);
	baton_background_end(&bg[1]);
}

START_TEST(background_tasks_are_bounded_counted_and_told)
{
	int told = 0;

	for (int i = 0; i < 3; i++)
		bg[i] = baton_background("test", i == 0 ? told_to_drain : NULL, &told);
	ck_assert_ptr_nonnull(bg[2]);
	ck_assert_ptr_null(baton_background("test", NULL, NULL));
	ck_assert_uint_eq(waitgroup_count(), 3);
	runtime_drain();
	run_until(&told, 1);
	ck_assert_uint_eq(waitgroup_count(), 1);
	baton_background_end(&bg[2]);
	ck_assert_ptr_null(bg[2]);
	ck_assert_int_eq(told, 1);
}
END_TEST

/* --- group --- */

static int group_status, group_done;

static void
on_group(void *arg, int status)
{
	(void)arg;
	group_status = status;
	group_done++;
}

static void
end_background(void *arg, int cause)
{
	cause_seen = cause;
	baton_background_end(arg);
}

START_TEST(a_background_task_may_end_with_its_ctx_also_when_the_worker_stops)
{
	static struct baton_background *job[2];
	static struct baton_watch watch[2];

	for (int i = 0; i < 2; i++) {
		job[i] = baton_background("job", NULL, NULL);
		watch[i] = (struct baton_watch){0};
		baton_ctx_watch(baton_background_ctx(job[i]), &watch[i], end_background,
		                &job[i]);
	}
	baton_background_end(&job[0]); /* its watch ends it a second time */
	ck_assert_int_eq(cause_seen, BATON_CANCELLED);
	ck_assert_uint_eq(waitgroup_tasks(), 1);
	ck_assert(runtime_stop());
	ck_assert_int_eq(cause_seen, BATON_DRAIN);
	ck_assert_uint_eq(waitgroup_tasks(), 0);
}
END_TEST

START_TEST(a_module_that_stops_may_end_what_was_left_behind)
{
	struct baton_background *job = baton_background("job", NULL, NULL);
	struct baton_timer *t;

	ck_assert(runtime_stop());
	ck_assert_int_eq(baton_ctx_cause(baton_background_ctx(job)), BATON_DRAIN);
	t = baton_timer_new(on_timer, NULL);
	baton_timer_free(&t);
	baton_background_end(&job);
	ck_assert_uint_eq(waitgroup_tasks(), 0);
}
END_TEST

START_TEST(a_drain_that_is_called_off_after_its_deadline_leaves_no_trace)
{
	struct baton_ctx *old = baton_ctx_new(NULL, 0), *ctx;
	struct baton_task t = task(give_seven);

	runtime_drain();
	runtime_cut();
	ck_assert_int_eq(baton_ctx_cause(old), BATON_DRAIN);
	runtime_undrain();
	ctx = baton_ctx_new(NULL, 0);
	ck_assert_int_eq(baton_ctx_cause(ctx), 0);
	ck_assert_int_eq(baton_offload(NULL, &t), 0);
	run_until(&nreleased, 1);
	baton_ctx_drop(&ctx);
	baton_ctx_drop(&old);
}
END_TEST

START_TEST(a_group_ends_once_when_all_have_ended)
{
	struct baton_group *g = baton_group_new(NULL, on_group, NULL);
	struct baton_task t = task(wait_at_gate);

	group_done = 0;
	pthread_mutex_lock(&gate);
	baton_group_begin(g);
	ck_assert_int_eq(baton_group_offload(g, &t), 0);
	ck_assert_int_eq(baton_group_offload(g, &t), 0);
	baton_group_close(g);
	baton_group_end(g, 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(group_done, 0);
	pthread_mutex_unlock(&gate);
	run_until(&group_done, 1);
	ck_assert_int_eq(group_status, 0);
	ck_assert_int_eq(ndone, 2);
}
END_TEST

START_TEST(the_first_error_cancels_the_others)
{
	struct baton_group *g = baton_group_new(NULL, on_group, NULL);
	struct baton_ctx *ctx = baton_ctx_hold(baton_group_ctx(g));
	struct baton_task slow = task(wait_at_gate), quick = task(give_seven);

	group_done = 0;
	pthread_mutex_lock(&gate);
	ck_assert_int_eq(baton_group_offload(g, &slow), 0);
	ck_assert_int_eq(baton_group_offload(g, &quick), 0);
	baton_group_close(g);
	run_until(&group_done, 1); /* although the slow one hangs */
	ck_assert_int_eq(group_status, 7);
	ck_assert_int_eq(baton_ctx_cause(ctx), 7);
	pthread_mutex_unlock(&gate);
	run_until(&nreleased, 2);
	baton_ctx_drop(&ctx);
}
END_TEST

START_TEST(the_first_error_counts_and_the_end_waits_for_the_last)
{
	struct baton_group *g = baton_group_new(NULL, on_group, NULL);
	int turned = 0;

	group_done = 0;
	for (int i = 0; i < 3; i++)
		baton_group_begin(g);
	baton_group_close(g);
	baton_group_end(g, 7);
	baton_group_end(g, 9);
	for (int i = 0; i < 3; i++) { /* an end would be heard in the first turn */
		baton_post(count_free, &turned);
		run_until(&turned, i + 1);
	}
	ck_assert_int_eq(group_done, 0);
	baton_group_end(g, 0);
	run_until(&group_done, 1);
	ck_assert_int_eq(group_status, 7);
}
END_TEST

START_TEST(a_refused_task_fails_its_group)
{
	struct baton_group *g = baton_group_new(NULL, on_group, NULL);
	struct baton_task slow = task(wait_at_gate);

	group_done = 0;
	pthread_mutex_lock(&gate);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(baton_group_offload(g, &slow), 0);
	ck_assert_int_eq(baton_group_offload(g, &slow), BATON_FULL);
	baton_group_close(g);
	run_until(&group_done, 1);
	ck_assert_int_eq(group_status, BATON_FULL);
	pthread_mutex_unlock(&gate);
	run_until(&nreleased, 4);
}
END_TEST

START_TEST(an_empty_group_ends_and_one_ended_from_above_says_why)
{
	struct baton_ctx *ctx = baton_ctx_new(NULL, 0);
	struct baton_group *g = baton_group_new(ctx, on_group, NULL);

	group_done = 0;
	baton_group_close(g);
	run_until(&group_done, 1);
	ck_assert_int_eq(group_status, 0);
	g = baton_group_new(ctx, on_group, NULL);
	baton_group_begin(g);
	baton_group_close(g);
	baton_ctx_cancel(ctx, BATON_CLOSED);
	baton_group_end(g, 0);
	run_until(&group_done, 2);
	ck_assert_int_eq(group_status, BATON_CLOSED);
	baton_ctx_drop(&ctx);
}
END_TEST

/* --- the loop's thread and others --- */

static void *
begin_background(void *arg)
{
	(void)arg;
	baton_background("job", NULL, NULL);
	return NULL;
}

static void *
make_ctx(void *arg)
{
	(void)arg;
	baton_ctx_new(NULL, 0);
	return NULL;
}

static void *
offload(void *arg)
{
	struct baton_task t = task(give_seven);

	(void)arg;
	baton_offload(NULL, &t);
	return NULL;
}

static void
note(void *arg)
{
	ck_assert_int_eq(*(int *)arg, order);
	order++;
}

/* What is there already is the loop's, too. */
static struct baton_group *loops_group;
static struct baton_timer *loops_timer;
static struct baton_pool *loops_pool;

static void *
end_member(void *arg)
{
	baton_group_end(loops_group, 0);
	return arg;
}

static void *
begin_member(void *arg)
{
	baton_group_begin(loops_group);
	return arg;
}

static void *
set_timer(void *arg)
{
	baton_timer_set(loops_timer, 1);
	return arg;
}

static void *
get_link(void *arg)
{
	baton_pool_get(loops_pool, NULL, "127.0.0.1:1", NULL, NULL);
	return arg;
}

static void *(*const loops_own[])(void *) = {
    begin_background, make_ctx, offload, end_member, begin_member, set_timer, get_link,
};

#define LOOPS_OWN (int)(sizeof loops_own / sizeof *loops_own)

START_TEST(what_is_the_loops_is_a_panic_in_a_thread)
{
	pthread_t thread;

	loops_group = baton_group_new(NULL, on_group, NULL);
	baton_group_begin(loops_group);
	loops_timer = baton_timer_new(note, NULL);
	loops_pool = baton_pool_new(NULL);
	pthread_create(&thread, NULL, loops_own[_i], NULL);
	pthread_join(thread, NULL);
}
END_TEST

/* --- post, free lists --- */

static void *
post_many(void *arg)
{
	int *n = arg;

	for (int i = 0; i < 1000; i++)
		baton_post(note, &n[i]);
	return NULL;
}

/* --- what is alive --- */

struct seen {
	int n[MSG_TASK_KINDS_N];
	struct runtime_task last[MSG_TASK_KINDS_N];
	char state[MSG_TASK_KINDS_N][64];
};

static void
note_task(void *arg, const struct runtime_task *t)
{
	struct seen *seen = arg;

	seen->n[t->kind]++;
	seen->last[t->kind] = *t;
	snprintf(seen->state[t->kind], sizeof seen->state[0], "%s", t->state);
}

static struct seen
look(void)
{
	struct seen seen = {0};

	runtime_each_task(note_task, &seen);
	return seen;
}

START_TEST(what_lives_is_told_with_its_place)
{
	struct baton_task t = task(wait_at_gate);
	struct baton_background *sweep;
	struct baton_group *g;
	struct seen s;

	group_done = 0;
	s = look();
	for (int kind = 0; kind < MSG_TASK_KINDS_N; kind++)
		ck_assert_int_eq(s.n[kind], 0);
	pthread_mutex_lock(&gate);
	baton_offload(NULL, &t);
	sweep = baton_background("sweep", NULL, NULL);
	g = baton_group_new(NULL, on_group, NULL);
	baton_group_begin(g);
	s = look();
	ck_assert_int_eq(s.n[MSG_TASK_OFFLOAD], 1);
	ck_assert_int_eq(s.n[MSG_TASK_BACKGROUND], 1);
	ck_assert_int_eq(s.n[MSG_TASK_GROUP], 1);
	ck_assert_int_eq(s.n[MSG_TASK_CTX], 2); /* theirs */
	ck_assert_str_eq(s.last[MSG_TASK_OFFLOAD].name, "test");
	ck_assert(s.last[MSG_TASK_OFFLOAD].counted);
	ck_assert_str_eq(s.last[MSG_TASK_BACKGROUND].name, "sweep");
	ck_assert_str_eq(s.state[MSG_TASK_GROUP], "1 member, more may come");
	for (int kind = 0; kind < MSG_TASK_LINK; kind++)
		ck_assert_ptr_nonnull(strstr(s.last[kind].place, "check_runtime.c:"));
	baton_background_end(&sweep);
	baton_group_close(g);
	s = look();
	ck_assert_int_eq(s.n[MSG_TASK_BACKGROUND], 0);
	ck_assert_str_eq(s.state[MSG_TASK_GROUP], "1 member");
	baton_group_end(g, 0);
	pthread_mutex_unlock(&gate);
	run_until(&group_done, 1);
	run_until(&nreleased, 1);
	s = look();
	for (int kind = 0; kind < MSG_TASK_KINDS_N; kind++)
		ck_assert_int_eq(s.n[kind], 0);
}
END_TEST

/* What is wrong with one of a kind at a time before and after it is due. */
static void
expect(enum msg_task_kind kind, const char *warning)
{
	struct seen s = look();
	const struct runtime_task *t = &s.last[kind];

	ck_assert_int_eq(s.n[kind], 1);
	if (warning == NULL) {
		ck_assert_ptr_null(runtime_warning(t, UINT64_MAX));
		return;
	}
	ck_assert_ptr_null(runtime_warning(t, t->due_ms - 1));
	ck_assert_str_eq(runtime_warning(t, t->due_ms), warning);
}

START_TEST(a_ctx_that_is_held_beyond_its_end_is_wrong)
{
	struct baton_ctx *a = baton_ctx_new(NULL, 60000);
	struct seen s;

	expect(MSG_TASK_CTX, NULL);
	baton_ctx_cancel(a, BATON_CLOSED);
	expect(MSG_TASK_CTX, "it has ended, and is still held");
	s = look();
	ck_assert_str_eq(s.state[MSG_TASK_CTX], baton_status_text(BATON_CLOSED));
	ck_assert_uint_eq(s.last[MSG_TASK_CTX].due_ms,
	                  s.last[MSG_TASK_CTX].since_ms + RUNTIME_GRACE_MS);
	baton_ctx_drop(&a);
}
END_TEST

START_TEST(a_task_is_wrong_from_the_earlier_of_its_limit_and_its_ctxs_end)
{
	struct baton_ctx *a = baton_ctx_new(NULL, 0);
	struct baton_task t = task(wait_at_gate);
	struct seen s;

	t.limit_ms = 60000;
	pthread_mutex_lock(&gate);
	baton_offload(a, &t);
	do
		s = look();
	while (strcmp(s.state[MSG_TASK_OFFLOAD], "waits for a thread") == 0);
	expect(MSG_TASK_OFFLOAD, "it has run for longer than its limit");
	baton_ctx_cancel(a, BATON_CANCELLED);
	expect(MSG_TASK_OFFLOAD, "it runs on after the end of its ctx");
	pthread_mutex_unlock(&gate);
	run_until(&nreleased, 1);
	baton_ctx_drop(&a);
}
END_TEST

START_TEST(a_background_task_is_wrong_from_the_deadline_on)
{
	struct baton_background *sweep = baton_background("sweep", NULL, NULL);
	struct seen s;

	expect(MSG_TASK_BACKGROUND, NULL);
	runtime_cut();
	expect(MSG_TASK_BACKGROUND, "it outlives the drain's deadline");
	s = look();
	ck_assert_uint_eq(s.last[MSG_TASK_BACKGROUND].due_ms,
	                  s.last[MSG_TASK_BACKGROUND].since_ms);
	baton_background_end(&sweep);
}
END_TEST

START_TEST(posts_of_a_thread_come_in_order)
{
	static int n[1000];
	pthread_t thread;

	for (int i = 0; i < 1000; i++)
		n[i] = i;
	pthread_create(&thread, NULL, post_many, n);
	run_until(&order, 1000);
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(a_free_list_gives_zeroed_objects_again)
{
	struct baton_freelist list = BATON_FREELIST(32, 1);
	char *a = baton_freelist_get(&list), *b = baton_freelist_get(&list);

	memset(a, 1, 32);
	baton_freelist_put(&list, a);
	baton_freelist_put(&list, b);
	ck_assert_uint_eq(list.n, 1);
	ck_assert_ptr_eq(baton_freelist_get(&list), a);
	for (int i = 0; i < 32; i++)
		ck_assert_int_eq(a[i], 0);
	baton_freelist_put(&list, a);
	baton_freelist_empty(&list);
	ck_assert_uint_eq(list.n, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("runtime");
	TCase *tc = tcase_create("runtime");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_ctx_ends_with_all_below_it_and_nothing_above);
	tcase_add_test(tc, a_ctx_born_below_one_that_has_ended_has_ended);
	tcase_add_test(tc, watches_are_called_once_and_those_taken_back_are_not);
	tcase_add_test(tc, a_deadline_ends_it_and_a_later_one_than_the_parents_has_no_effect);
	tcase_add_test(tc, values_are_seen_from_below_the_nearest_first);
	tcase_add_test(tc, a_timer_may_free_itself);
	tcase_add_test(tc, a_task_comes_back_with_its_result);
	tcase_add_test(tc, a_task_may_have_nobody_who_waits_for_its_end);
	tcase_add_test(tc, a_full_queue_refuses);
	tcase_add_test(tc, the_end_of_its_ctx_is_its_result_at_once_and_release_waits_for_work);
	tcase_add_test(tc, a_task_that_hangs_is_told_of);
	tcase_add_test(tc, what_is_left_behind_does_not_count);
	tcase_add_test(tc, background_tasks_are_bounded_counted_and_told);
	tcase_add_test(tc, a_background_task_may_end_with_its_ctx_also_when_the_worker_stops);
	tcase_add_test(tc, a_module_that_stops_may_end_what_was_left_behind);
	tcase_add_test(tc, a_drain_that_is_called_off_after_its_deadline_leaves_no_trace);
	tcase_add_test(tc, a_group_ends_once_when_all_have_ended);
	tcase_add_test(tc, the_first_error_cancels_the_others);
	tcase_add_test(tc, the_first_error_counts_and_the_end_waits_for_the_last);
	tcase_add_test(tc, a_refused_task_fails_its_group);
	tcase_add_test(tc, an_empty_group_ends_and_one_ended_from_above_says_why);
	tcase_add_test(tc, what_lives_is_told_with_its_place);
	tcase_add_test(tc, a_ctx_that_is_held_beyond_its_end_is_wrong);
	tcase_add_test(tc, a_task_is_wrong_from_the_earlier_of_its_limit_and_its_ctxs_end);
	tcase_add_test(tc, a_background_task_is_wrong_from_the_deadline_on);
	tcase_add_loop_test_raise_signal(tc, what_is_the_loops_is_a_panic_in_a_thread, SIGABRT,
	                                 0, LOOPS_OWN);
	tcase_add_test(tc, posts_of_a_thread_come_in_order);
	tcase_add_test(tc, a_free_list_gives_zeroed_objects_again);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
