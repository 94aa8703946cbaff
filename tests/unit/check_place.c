/*
 * place: what stands at a path is changed, replaced and removed only if it is ours, whoever
 * else may write in the directory.  Check forks for each case.
 */
#include "base/diskfile.h"
#include "base/place.h"
#include "base/unixsock.h"

#include <check.h>

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define STRANGER 61238

static char dir[] = "/tmp/check_place.XXXXXX";
static char *why;

static void
begin(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static void
end(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(why);
}

/* Names there but . and .. */
static size_t
count(void)
{
	DIR *d = opendir(dir);
	size_t n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

static char *
path_of(const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

static int
listen_as(const char *name, mode_t mode, struct place_id *own)
{
	char *path = path_of(name);
	int fd = unixsock_listen(path, mode, 5, own, &why);

	free(path);
	return fd;
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(lstat(name, &st), 0);
	return st.st_mode & 07777;
}

static bool
answers(const char *name)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool yes;

	snprintf(un.sun_path, sizeof un.sun_path, "%s", name);
	yes = connect(fd, (struct sockaddr *)&un, sizeof un) == 0;
	close(fd);
	return yes;
}

static void
make_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	chmod(name, 0600);
}

static void
holds(const char *name, const char *text)
{
	char buf[64] = "";
	FILE *f = fopen(name, "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fread(buf, 1, sizeof buf - 1, f), strlen(text));
	fclose(f);
	ck_assert_str_eq(buf, text);
	ck_assert_uint_eq(mode_of(name), 0600);
}

START_TEST(a_socket_has_its_mode_from_the_start)
{
	static const mode_t modes[] = {0600, 0666, 0640, 0, 0777};
	struct place_id own;

	umask(077);
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		int fd = listen_as("s", modes[i], &own);

		ck_assert_int_ge(fd, 0);
		ck_assert_uint_eq(mode_of("s"), modes[i]);
		ck_assert(answers("s") || modes[i] == 0);
		ck_assert_uint_eq(count(), 1);
		place_remove("s", &own, S_IFSOCK);
		ck_assert_uint_eq(count(), 0);
		close(fd);
	}
	ck_assert_uint_eq(umask(0), 077);
}
END_TEST

START_TEST(only_a_socket_that_nobody_answers_is_replaced)
{
	struct place_id first, second;
	int fd, dgram = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "d"};

	fd = listen_as("s", 0600, &first);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(listen_as("s", 0600, &second), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_str_eq(why, "somebody answers there");
	ck_assert(answers("s"));
	close(fd);
	fd = listen_as("s", 0600, &second);
	ck_assert_int_ge(fd, 0);
	ck_assert(answers("s"));
	ck_assert(place_is_own("s", &second, S_IFSOCK));
	ck_assert(!place_is_own("s", &first, S_IFSOCK) || first.inode == second.inode);
	ck_assert_uint_eq(count(), 1);
	ck_assert_int_eq(bind(dgram, (struct sockaddr *)&un, sizeof un), 0);
	ck_assert_int_eq(listen_as("d", 0600, &first), -1);
	ck_assert_uint_eq(count(), 2);
	close(dgram);
	close(fd);
}
END_TEST

START_TEST(whatever_else_stands_there_stays)
{
	struct place_id own;

	make_file("file", "text");
	ck_assert_int_eq(symlink("file", "link"), 0);
	ck_assert_int_eq(symlink("nothing", "dangling"), 0);
	ck_assert_int_eq(mkdir("directory", 0700), 0);
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	ck_assert_int_eq(listen_as("file", 0666, &own), -1);
	ck_assert_str_eq(why, "a file stands there already");
	ck_assert_int_eq(listen_as("link", 0666, &own), -1);
	ck_assert_str_eq(why, "a symbolic link stands there already");
	ck_assert_int_eq(listen_as("dangling", 0666, &own), -1);
	ck_assert_int_eq(listen_as("directory", 0666, &own), -1);
	ck_assert_str_eq(why, "a directory stands there already");
	ck_assert_int_eq(listen_as("fifo", 0666, &own), -1);
	ck_assert_int_eq(diskfile_write("link", "1\n", 0644, &own, &why), -1);
	ck_assert_str_eq(why, "a symbolic link stands there already");
	ck_assert_int_eq(diskfile_write("fifo", "1\n", 0644, &own, &why), -1);
	ck_assert_str_eq(why, "a FIFO stands there already");
	ck_assert_int_eq(diskfile_write("directory", "1\n", 0644, &own, &why), -1);
	holds("file", "text");
	ck_assert_uint_eq(count(), 5);
}
END_TEST

START_TEST(what_was_put_in_our_place_is_not_ours)
{
	struct place_id own, unknown;
	int fd;

	fd = listen_as("s", 0600, &own);
	unknown = (struct place_id){.inode = own.inode};
	make_file("secret", "root's");
	ck_assert_int_eq(rename("s", "away"), 0);
	ck_assert_int_eq(symlink("secret", "s"), 0);
	ck_assert_int_eq(unixsock_chmod("s", &own, 0666, &why), -1);
	ck_assert_str_eq(why, "what stands there is not what we have put there");
	place_remove("s", &own, S_IFSOCK);
	ck_assert_uint_eq(mode_of("away"), 0600);
	holds("secret", "root's");
	ck_assert_uint_eq(count(), 3);
	unlink("s");
	ck_assert_int_eq(link("secret", "s"), 0);
	ck_assert_int_eq(unixsock_chmod("s", &own, 0666, &why), -1);
	place_remove("s", &own, S_IFSOCK);
	holds("s", "root's");
	ck_assert_int_eq(rename("away", "s"), 0);
	ck_assert_int_eq(unixsock_chmod("s", &unknown, 0640, &why), 0);
	ck_assert_uint_eq(mode_of("s"), 0640);
	own.device++; /* the same number on another file system */
	ck_assert_int_eq(unixsock_chmod("s", &own, 0666, &why), -1);
	place_remove("s", &own, S_IFSOCK);
	ck_assert_uint_eq(mode_of("s"), 0640);
	place_remove("s", &(struct place_id){0}, S_IFSOCK);
	place_remove("s", &unknown, S_IFREG);
	ck_assert_uint_eq(count(), 2);
	place_remove("s", &unknown, S_IFSOCK);
	ck_assert_uint_eq(count(), 1);
	close(fd);
}
END_TEST

START_TEST(a_file_is_written_whole_or_not_at_all)
{
	struct rlimit none = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY}, before;
	struct place_id own;

	umask(077);
	ck_assert_int_eq(diskfile_write("pid", "1\n", 0644, &own, &why), 0);
	ck_assert_int_eq(diskfile_write("pid", "2\n", 0644, &own, &why), 0);
	holds("pid", "2\n");
	ck_assert(place_is_own("pid", &own, S_IFREG));
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	ck_assert_int_eq(diskfile_write("pid", "3\n", 0644, &own, &why), -1);
	ck_assert_int_eq(diskfile_write("new", "3\n", 0644, &own, &why), -1);
	setrlimit(RLIMIT_FSIZE, &before);
	holds("pid", "2\n");
	ck_assert_uint_eq(count(), 1);
	ck_assert_int_eq(diskfile_write("no/where", "1\n", 0644, &own, &why), -1);
	ck_assert_str_eq(why, "No such file or directory");
	place_remove("pid", &own, S_IFREG);
	ck_assert_uint_eq(count(), 0);
}
END_TEST

START_TEST(what_is_only_tried_leaves_nothing)
{
	struct rlimit none = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY}, before;
	struct place_id own;
	int fd;

	ck_assert_int_eq(unixsock_try("s", &why), 0);
	ck_assert_int_eq(diskfile_try("f", "1\n", &why), 0);
	ck_assert_uint_eq(count(), 0);
	make_file("f", "text");
	fd = listen_as("s", 0600, &own);
	ck_assert_int_eq(diskfile_try("f", "1\n", &why), 0);
	holds("f", "text");
	ck_assert_int_eq(diskfile_try("s", "1\n", &why), -1);
	ck_assert_str_eq(why, "a socket stands there already");
	ck_assert_int_eq(unixsock_try("f", &why), -1);
	ck_assert_str_eq(why, "a file stands there already");
	ck_assert_int_eq(unixsock_try("s", &why), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_int_eq(unixsock_try("no/where", &why), -1);
	ck_assert_str_eq(why, "No such file or directory");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	ck_assert_int_eq(diskfile_try("g", "1\n", &why), -1);
	setrlimit(RLIMIT_FSIZE, &before);
	ck_assert_uint_eq(count(), 2);
	close(fd);
	ck_assert_int_eq(unixsock_try("s", &why), 0); /* nobody answers any more */
	ck_assert(place_is_own("s", &own, S_IFSOCK));
}
END_TEST

/* The master's: its directory is nobody else's, and theirs is not its own. */
static void
two_users(void)
{
	chmod(dir, 0755);
	ck_assert_int_eq(mkdir("theirs", 0755), 0);
	ck_assert_int_eq(mkdir("ours", 0755), 0);
	ck_assert_int_eq(chown("theirs", STRANGER, STRANGER), 0);
	make_file("ours/secret", "root's");
}

static int
lines(const char *path, const char *text)
{
	int fd = diskfile_open_lines(path);

	if (fd >= 0)
		ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	if (fd >= 0)
		close(fd);
	return fd;
}

START_TEST(a_strangers_link_leads_nowhere)
{
	struct place_id own;
	int fd;

	if (geteuid() != 0)
		return;
	two_users();
	ck_assert_int_eq(seteuid(STRANGER), 0);
	ck_assert_int_eq(symlink("../ours", "theirs/way"), 0);
	ck_assert_int_eq(symlink("../ours/secret", "theirs/log"), 0);
	ck_assert_int_eq(symlink("../ours/new", "theirs/dangling"), 0);
	ck_assert_int_eq(symlink("/proc/self/fd/1", "theirs/stdout"), 0);
	ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(lines("theirs/log", "x"), -1);
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_ptr_nonnull(strstr(place_error(errno), "neither root's nor our own"));
	ck_assert_int_eq(lines("theirs/way/secret", "x"), -1);
	ck_assert_int_eq(lines("theirs/dangling", "x"), -1);
	ck_assert_int_eq(lines("theirs/stdout", "x"), -1);
	ck_assert_int_eq(listen_as("theirs/way/s", 0666, &own), -1);
	ck_assert_int_eq(diskfile_write("theirs/way/pid", "1\n", 0644, &own, &why), -1);
	ck_assert_int_eq(access("ours/s", F_OK), -1);
	ck_assert_int_eq(access("ours/new", F_OK), -1);
	holds("ours/secret", "root's");
	fd = listen_as("theirs/s", 0666, &own); /* no link: they may move it, and no more */
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(rename("theirs/s", "ours/s"), 0);
	ck_assert_int_eq(unixsock_chmod("theirs/way/s", &own, 0600, &why), -1);
	place_remove("theirs/way/s", &own, S_IFSOCK);
	ck_assert_uint_eq(mode_of("ours/s"), 0666);
	close(fd);
}
END_TEST

START_TEST(a_link_of_roots_or_ours_is_followed)
{
	char *absolute;

	if (geteuid() == 0) {
		ck_assert_int_eq(mkdir("theirs", 0777), 0);
		ck_assert_int_eq(chown("theirs", STRANGER, STRANGER), 0);
	} else {
		ck_assert_int_eq(mkdir("theirs", 0777), 0);
	}
	ck_assert_int_eq(mkdir("ours", 0755), 0);
	absolute = path_of("ours/../ours/./log");
	ck_assert_int_eq(symlink(absolute, "theirs/log"), 0);
	ck_assert_int_eq(symlink("../ours//", "theirs/way"), 0);
	ck_assert_int_eq(symlink("circle", "circle"), 0);
	ck_assert_int_ge(lines("theirs/log", "a"), 0);
	ck_assert_int_ge(lines("theirs/way/log", "b"), 0);
	chmod("ours/log", 0600);
	holds("ours/log", "ab");
	ck_assert_int_eq(lines("circle", "c"), -1);
	ck_assert_int_eq(errno, ELOOP);
	ck_assert_int_eq(lines("ours", "c"), -1);
	ck_assert_int_eq(errno, EISDIR);
	ck_assert_int_eq(lines("ours/log/x", "c"), -1);
	ck_assert_int_eq(errno, ENOTDIR);
	ck_assert_int_eq(lines("/", "c"), -1);
	ck_assert_int_eq(lines("", "c"), -1);
	free(absolute);
}
END_TEST

/* In a directory where only root can put one it is root who has put it there. */
START_TEST(a_link_given_away_is_followed)
{
	if (geteuid() != 0)
		return;
	ck_assert_int_eq(mkdir("ours", 0755), 0);
	ck_assert_int_eq(symlink("log", "ours/link"), 0);
	ck_assert_int_eq(lchown("ours/link", STRANGER, STRANGER), 0);
	ck_assert_int_ge(lines("ours/link", "a"), 0);
	chmod("ours", 01777);
	ck_assert_int_eq(lines("ours/link", "a"), -1);
}
END_TEST

START_TEST(lines_go_where_they_went)
{
	int p[2], fd;
	char buf[8];

	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(dup2(p[1], 200), 200);
	ck_assert_int_ge(lines("/proc/self/fd/200", "ab"), 0);
	ck_assert_int_eq(symlink("/proc/self/fd/200", "out"), 0);
	ck_assert_int_ge(lines("out", "cd"), 0);
	ck_assert_int_eq(read(p[0], buf, sizeof buf), 4);
	ck_assert_int_eq(memcmp(buf, "abcd", 4), 0);
	ck_assert_int_ge(lines("/dev/null", "x"), 0);
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	fd = diskfile_open_lines("fifo"); /* without a reader */
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	close(fd);
}
END_TEST

/* What may be done, and that nothing was. */
static void
may(int (*fn)(const char *, char **), const char *path, const char * not )
{
	size_t before = count();

	free(why);
	why = NULL;
	ck_assert_int_eq(fn(path, &why) >= 0, not == NULL);
	if (not != NULL)
		ck_assert_str_eq(why, not );
	ck_assert_uint_eq(count(), before);
}

START_TEST(a_look_makes_nothing)
{
	ck_assert_int_eq(mkdir("d", 0755), 0);
	ck_assert_int_eq(mkfifo("fifo", 0600), 0);
	make_file("file", "x");
	may(diskfile_may_write, "new", NULL);
	may(diskfile_may_write, "file", NULL);
	may(diskfile_may_write, "d", "a directory stands there already");
	may(diskfile_may_write, "none/new", "No such file or directory");
	may(diskfile_may_write, "file/new", "Not a directory");
	may(diskfile_may_open_lines, "new", NULL);
	may(diskfile_may_open_lines, "file", NULL);
	may(diskfile_may_open_lines, "fifo", NULL);
	may(diskfile_may_open_lines, "/dev/null", NULL);
	may(diskfile_may_open_lines, "d", "Is a directory");
	may(diskfile_may_open_lines, "none/new", "No such file or directory");
}
END_TEST

START_TEST(a_look_is_with_ones_own_eyes)
{
	char *barrier;

	if (geteuid() != 0)
		return;
	ck_assert_int_eq(mkdir("d", 0755), 0);
	ck_assert_int_eq(mkdir("d/secret", 0700), 0);
	make_file("file", "x");
	ck_assert_int_eq(chmod(".", 0755), 0);
	ck_assert_int_eq(setresuid(STRANGER, STRANGER, STRANGER), 0);
	may(diskfile_may_write, "new", "Permission denied");
	may(diskfile_may_write, "d/secret/new", "Permission denied");
	may(diskfile_may_open_lines, "new", "Permission denied");
	may(diskfile_may_open_lines, "file", "Permission denied");
	barrier = diskfile_barrier("d/secret/deep/file");
	ck_assert_str_eq(barrier, "d/secret");
	free(barrier);
	ck_assert_ptr_null(diskfile_barrier("d/secret"));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("place");
	TCase *tc = tcase_create("place");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, begin, end);
	tcase_add_test(tc, a_socket_has_its_mode_from_the_start);
	tcase_add_test(tc, only_a_socket_that_nobody_answers_is_replaced);
	tcase_add_test(tc, whatever_else_stands_there_stays);
	tcase_add_test(tc, what_was_put_in_our_place_is_not_ours);
	tcase_add_test(tc, a_file_is_written_whole_or_not_at_all);
	tcase_add_test(tc, what_is_only_tried_leaves_nothing);
	tcase_add_test(tc, a_strangers_link_leads_nowhere);
	tcase_add_test(tc, a_link_of_roots_or_ours_is_followed);
	tcase_add_test(tc, a_link_given_away_is_followed);
	tcase_add_test(tc, lines_go_where_they_went);
	tcase_add_test(tc, a_look_makes_nothing);
	tcase_add_test(tc, a_look_is_with_ones_own_eyes);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
