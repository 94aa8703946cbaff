#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "wire/board.h"
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

static void
expect(const char *text)
{
	uint64_t written_ms = 0;
	char *read = board_read(stats, &written_ms);

	ck_assert_ptr_nonnull(read);
	ck_assert_str_eq(read, text);
	ck_assert_uint_le(clock_ms() - written_ms, 10000);
	free(read);
}

START_TEST(the_last_text_is_shown)
{
	uint64_t ms;

	ck_assert_ptr_null(board_read(stats, &ms));
	board_write(stats, "one", 3);
	expect("one");
	board_write(stats, "another one", 11);
	expect("another one");
	board_write(stats, "", 0);
	expect("");
}
END_TEST

START_TEST(a_text_may_fill_its_side_and_leaves_the_other_alone)
{
	size_t n = board_room(stats);
	char *large = malloc(n + 1);

	ck_assert_uint_gt(n, 100000);
	memset(large, 'x', n);
	large[n] = '\0';
	board_write(stats, "small", 5);
	board_write(stats, large, n);
	expect(large);
	memset(large, 'y', n);
	board_write(stats, large, n);
	expect(large);
	free(large);
}
END_TEST

/* Texts of one letter each: a mixture would be one that was written while it was read. */
static _Noreturn void
write_for_ever(size_t n)
{
	char *text = malloc(n);

	for (unsigned i = 0;; i++) {
		size_t len = n - i % 1000;

		memset(text, 'a' + (int)(i % 26), len);
		board_write(stats, text, len);
	}
}

static void
judge(const char *text)
{
	size_t n = strlen(text), same = 0;

	while (same < n && text[same] == text[0])
		same++;
	ck_assert_uint_ge(n, 30000 - 1000);
	ck_assert_uint_eq(same, n);
}

START_TEST(a_reader_never_has_half_a_text_also_of_a_writer_that_is_killed)
{
	uint64_t ms;
	pid_t pid = fork();
	int read = 0;

	if (pid == 0)
		write_for_ever(30000);
	while (board_number(stats) == 0)
		usleep(1000);
	for (int i = 0; i < 5000; i++) {
		char *text = board_read(stats, &ms);

		if (text == NULL)
			continue;
		judge(text);
		free(text);
		read++;
	}
	ck_assert_int_gt(read, 100);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 3; i++) {
		char *text = board_read(stats, &ms);

		ck_assert_ptr_nonnull(text);
		judge(text);
		free(text);
		board_write(stats, text = memset(malloc(30000), 'z', 30000), 30000);
		free(text);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("board");
	TCase *t = tcase_create("texts");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_last_text_is_shown);
	tcase_add_test(t, a_text_may_fill_its_side_and_leaves_the_other_alone);
	tcase_add_test(t, a_reader_never_has_half_a_text_also_of_a_writer_that_is_killed);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
