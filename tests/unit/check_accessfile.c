/* accessfile: a line is whole, and nobody is waited for.  A disk that is full all of a sudden
 * is played by a limit on the size of files. */
#include "worker/access/accessfile.h"

#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#define LINE     20
#define PATIENCE 60000 /* ms */

static char path[] = "/tmp/check_accessfile.XXXXXX";
static struct accessfile *f;
static int other; /* another one who has the file */

static void
begin(void)
{
	int fd = mkstemp(path);

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_ge(fd, 0);
	other = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
	fcntl(fd, F_SETFL, O_APPEND);
	f = accessfile_new(fd);
	ck_assert_ptr_nonnull(f);
}

static void
end(void)
{
	unlink(path);
	close(other);
}

static void
limit(rlim_t bytes)
{
	struct rlimit l;

	getrlimit(RLIMIT_FSIZE, &l);
	l.rlim_cur = bytes;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* "aaaa...\n", "bbbb...\n" */
static void
add(char name, unsigned n)
{
	for (; n > 0; n--, name++) {
		char *room = accessfile_room(f, LINE);

		ck_assert_ptr_nonnull(room);
		memset(room, name, LINE - 1);
		room[LINE - 1] = '\n';
		accessfile_add(f, LINE);
	}
	accessfile_tick(f);
}

static void
wait_size(off_t size)
{
	struct stat st = {0};

	for (int ms = 0; ms < PATIENCE && st.st_size != size; ms += 5) {
		usleep(5000);
		fstat(other, &st);
	}
	ck_assert_int_eq(st.st_size, size);
}

static void
wait_dropped(uint64_t n)
{
	uint64_t got = 0;

	for (int ms = 0; ms < PATIENCE && got < n; ms += 5) {
		usleep(5000);
		got += accessfile_dropped(f);
	}
	ck_assert_uint_eq(got, n);
}

/* names: of the lines that are there, in order. */
static void
lines_are(const char *names)
{
	char text[4096];
	ssize_t n = pread(other, text, sizeof text, 0);

	ck_assert_int_eq(n, (ssize_t)strlen(names) * LINE);
	for (ssize_t i = 0; i < n; i++)
		ck_assert_int_eq(text[i], i % LINE == LINE - 1 ? '\n' : names[i / LINE]);
}

START_TEST(half_a_line_is_ended_before_another_begins)
{
	limit(2 * LINE + LINE / 2);
	add('a', 10);
	wait_size(2 * LINE + LINE / 2);
	wait_dropped(7);
	ck_assert_int_lt(flock(other, LOCK_EX | LOCK_NB), 0);
	add('l', 2);
	wait_dropped(2);
	ck_assert_int_lt(flock(other, LOCK_EX | LOCK_NB), 0);
	limit(RLIM_INFINITY);
	wait_size(3 * LINE); /* by itself */
	lines_are("abc");
	add('x', 2);
	wait_size(5 * LINE);
	lines_are("abcxy");
	ck_assert_uint_eq(accessfile_free(&f, 10000), 0);
	ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
}
END_TEST

START_TEST(nobody_waits_for_ever_for_the_lock)
{
	ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
	add('a', 10);
	wait_dropped(10);
	flock(other, LOCK_UN);
	add('x', 1);
	wait_size(LINE);
	ck_assert_uint_eq(accessfile_free(&f, 10000), 0);
	lines_are("x");
}
END_TEST

START_TEST(nor_at_the_end)
{
	ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
	for (int i = 0; i < 10; i++)
		add('a', 1);
	ck_assert_uint_eq(accessfile_free(&f, 10), 10);
}
END_TEST

START_TEST(the_end_gives_half_a_line_up)
{
	limit(LINE + 1);
	add('a', 2);
	wait_size(LINE + 1);
	ck_assert_uint_eq(accessfile_free(&f, 10000), 1);
	ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
}
END_TEST

START_TEST(the_end_of_half_a_line_is_tried_once_more)
{
	limit(LINE + 1);
	add('a', 2);
	wait_size(LINE + 1);
	limit(RLIM_INFINITY);
	ck_assert_uint_eq(accessfile_free(&f, 10000), 0);
	lines_are("ab");
}
END_TEST

START_TEST(another_file_begins_with_a_line)
{
	int old = other;

	limit(LINE + 1);
	add('a', 2);
	wait_size(LINE + 1);
	unlink(path);
	other = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	accessfile_reopen(f, open(path, O_WRONLY | O_APPEND | O_CLOEXEC));
	wait_dropped(1);
	add('x', 1);
	wait_size(LINE);
	lines_are("x");
	ck_assert_int_eq(flock(old, LOCK_EX | LOCK_NB), 0);
	ck_assert_uint_eq(accessfile_free(&f, 10000), 0);
	close(old);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("accessfile");
	TCase *tc = tcase_create("accessfile");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 2 * PATIENCE / 1000);
	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, half_a_line_is_ended_before_another_begins);
	tcase_add_test(tc, nobody_waits_for_ever_for_the_lock);
	tcase_add_test(tc, nor_at_the_end);
	tcase_add_test(tc, the_end_gives_half_a_line_up);
	tcase_add_test(tc, the_end_of_half_a_line_is_tried_once_more);
	tcase_add_test(tc, another_file_begins_with_a_line);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
