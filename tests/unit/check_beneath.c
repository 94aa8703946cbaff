/* The walk of our own finds what the kernel's does: over a tree of links and traps. */
#include "service/http/beneath.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

static char top[] = "/tmp/check_beneath.XXXXXX";
static int root;

static const char *const folders[] = {"root", "root/a", "root/a/b", "root/closed", NULL};
static const char *const plain[] = {"outside", "root/f", "root/a/f", "root/a/b/f", NULL};
static const char *const links[][2] = {
    {"root/to-f", "f"},          {"root/a/up", "../f"},       {"root/a/here", "."},
    {"root/a/b/top", "../.."},   {"root/dir", "a/b"},         {"root/slash", "a/"},
    {"root/fslash", "f/"},       {"root/out", "../outside"},  {"root/a/out", "../../outside"},
    {"root/abs", "/etc/passwd"}, {"root/loop", "loop"},       {"root/ping", "pong"},
    {"root/pong", "ping"},       {"root/nowhere", "missing"}, {"root/chain", "a/b/top/dir/f"},
    {"root/back", "a/../f"},     {"root/root", "../root/f"},
};

static void
make_tree(void)
{
	char *made = mkdtemp(top);

	ck_assert_ptr_nonnull(made);
	ck_assert_int_eq(chdir(top), 0);
	for (size_t i = 0; folders[i] != NULL; i++)
		ck_assert_int_eq(mkdir(folders[i], 0755), 0);
	for (size_t i = 0; plain[i] != NULL; i++)
		close(open(plain[i], O_WRONLY | O_CREAT, 0644));
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		ck_assert_int_eq(symlink(links[i][1], links[i][0]), 0);
	chmod("root/closed", 0);
	root = open("root", O_PATH | O_DIRECTORY);
	ck_assert_int_ge(root, 0);
}

static void
remove_tree(void)
{
	close(root);
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		unlink(links[i][0]);
	for (size_t i = 0; plain[i] != NULL; i++)
		unlink(plain[i]);
	for (size_t i = sizeof folders / sizeof *folders - 1; i-- > 0;)
		rmdir(folders[i]);
	ck_assert_int_eq(chdir("/"), 0);
	rmdir(top);
}

static int
by_kernel(const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
	                       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

	int fd;

	do
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
	while (fd < 0 && errno == EAGAIN); /* somebody renamed something */
	if (fd < 0 && errno == EACCES) {   /* a directory may be passed through */
		how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
	}
	return fd;
}

/* What was found: its inode, or minus errno. */
static long long
found(int fd)
{
	struct stat st;

	if (fd < 0)
		return -errno;
	ck_assert_int_eq(fstat(fd, &st), 0);
	close(fd);
	return (long long)st.st_ino;
}

static unsigned
descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static void
compare(const char *path)
{
	long long want = found(by_kernel(path)), got = found(beneath_open(root, path));

	ck_assert_msg(got == want, "%s: want %lld, got %lld", path, want, got);
}

START_TEST(one_by_one)
{
	static const char *const paths[] = {
	    "f",       "a/f",    "a/b/f",  "a",         "a/",      ".",         "a/.",
	    "a/..",    "..",     "../f",   "a/../../f", "a/../f",  "f/",        "f/x",
	    "missing", "a//f",   "/f",     "to-f",      "to-f/",   "a/up",      "a/here/f",
	    "dir",     "dir/f",  "dir/..", "slash",     "slash/f", "fslash",    "out",
	    "a/out",   "abs",    "loop",   "ping",      "nowhere", "chain",     "back",
	    "root",    "closed", "",       "closed/x",  "a/b/top", "a/b/top/f", "dir/../f",
	};
	unsigned before;

	make_tree();
	before = descriptors();
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		compare(paths[i]);
	ck_assert_uint_eq(descriptors(), before);
	remove_tree();
}
END_TEST

static long long
inode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return (long long)st.st_ino;
}

/* It leads in where its path comes by the directory, by whatever name; and nowhere else. */
START_TEST(absolute_links)
{
	static const struct {
		const char *to;   /* behind the top */
		const char *want; /* NULL: it is not beneath */
	} rows[] = {
	    {"/root/a/f", "root/a/f"},
	    {"/root", "root"},
	    {"/root/", "root"},
	    {"/root/a/..", "root"},
	    {"/byname/f", "root/f"},
	    {"/./root//a/../f", "root/f"},
	    {"/root/a/up", "root/f"},
	    {"/root/../outside", NULL},
	    {"/outside", NULL},
	    {"/missing", NULL},
	    {"", NULL},
	    {"/root/out", NULL},
	    {"/root/dir/f", "root/a/b/f"},
	    {"/../../../../../..", NULL},
	    {"/byname/..", NULL},
	};
	char path[PATH_MAX];
	unsigned before;

	make_tree();
	ck_assert_int_eq(symlink("root", "byname"), 0);
	before = descriptors();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		long long want = rows[i].want != NULL ? inode_of(rows[i].want) : -EXDEV;

		snprintf(path, sizeof path, "%s%s", top, rows[i].to);
		ck_assert_int_eq(symlink(path, "root/link"), 0);
		ck_assert_msg(found(beneath_open(root, "link")) == want, "to %s", rows[i].to);
		ck_assert_int_eq(unlink("root/link"), 0);
	}
	snprintf(path, sizeof path, "%s/root/link", top);
	ck_assert_int_eq(symlink(path, "root/link"), 0);
	ck_assert_int_eq(found(beneath_open(root, "link")), -ELOOP);
	unlink("root/link");
	unlink("byname");
	ck_assert_uint_eq(descriptors(), before);
	remove_tree();
}
END_TEST

START_TEST(the_whole_tree)
{
	char path[PATH_MAX];
	int slash = open("/", O_PATH | O_DIRECTORY);
	unsigned before;

	make_tree();
	before = descriptors();
	snprintf(path, sizeof path, "%s/root/f", top);
	ck_assert_int_eq(symlink(path, "root/link"), 0);
	snprintf(path, sizeof path, "%s/root/link", top);
	ck_assert_int_eq(found(beneath_open(slash, path + 1)), inode_of("root/f"));
	unlink("root/link");
	ck_assert_uint_eq(descriptors(), before);
	remove_tree();
	close(slash);
}
END_TEST

START_TEST(at_random)
{
	static const char *const names[] = {
	    "a",    "b",   "f",    "..",    ".",     "",  "up", "here", "top",  "dir",
	    "to-f", "out", "loop", "chain", "slash", "a", "b",  "a",    "root", "missing"};
	char path[512];
	unsigned before;

	srand(1);
	make_tree();
	before = descriptors();
	for (unsigned i = 0; i < 50000; i++) {
		int n = 0;

		for (int parts = rand() % 8; parts >= 0; parts--)
			n += snprintf(path + n, sizeof path - (size_t)n, "%s%s",
			              n > 0 ? "/" : "",
			              names[(size_t)rand() % (sizeof names / sizeof *names)]);
		compare(path);
	}
	ck_assert_uint_eq(descriptors(), before);
	remove_tree();
}
END_TEST

START_TEST(too_long_or_too_deep)
{
	char path[PATH_MAX + 8];

	make_tree();
	memset(path, 'x', sizeof path);
	path[sizeof path - 1] = '\0';
	compare(path);
	path[300] = '\0';
	compare(path);
	*path = '\0';
	for (unsigned i = 0; i < 70; i++)
		strcat(path, "a/../");
	strcat(path, "f");
	compare(path);
	remove_tree();
}
END_TEST

/* How many names are walked is bounded, whether they stand in the path or in links; what
 * costs nothing is not counted. */
START_TEST(names_are_bounded)
{
	char path[PATH_MAX];

	make_tree();
	for (unsigned n = 126; n <= 129; n++) {
		*path = '\0';
		for (unsigned i = 0; i < n; i++)
			strcat(path, "a/../");
		strcat(path, "f");
		ck_assert_msg((found(beneath_open(root, path)) > 0) == (n * 2 + 1 <= 256),
		              "%u times", n);
	}
	ck_assert_int_eq(found(beneath_open(root, path)), -ENAMETOOLONG);
	*path = '\0';
	for (unsigned i = 0; i < 20; i++) /* 10 names each, 4 of them in links */
		strcat(path, "a/b/top/dir/../../");
	ck_assert_int_gt(found(beneath_open(root, path)), 0);
	for (unsigned i = 0; i < 30; i++)
		strcat(path, "a/../");
	strcat(path, "f");
	ck_assert_int_eq(found(beneath_open(root, path)), -ENAMETOOLONG);
	*path = '\0';
	for (unsigned i = 0; i < 1000; i++)
		strcat(path, "./");
	strcat(path, "///f");
	ck_assert_int_gt(found(beneath_open(root, path)), 0);
	remove_tree();
}
END_TEST

START_TEST(while_somebody_renames_something)
{
	pid_t pid;

	make_tree();
	pid = fork();
	if (pid == 0)
		for (;;)
			if (rename("outside", "elsewhere") < 0 ||
			    rename("elsewhere", "outside") < 0)
				_exit(1);
	for (unsigned i = 0; i < 20000; i++)
		ck_assert_int_ge(found(beneath_open(root, "a/b/../../a/up")), 0);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	unlink("elsewhere");
	remove_tree();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("beneath");
	TCase *tc = tcase_create("beneath");
	SRunner *sr;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, one_by_one);
	tcase_add_test(tc, absolute_links);
	tcase_add_test(tc, the_whole_tree);
	tcase_add_test(tc, at_random);
	tcase_add_test(tc, too_long_or_too_deep);
	tcase_add_test(tc, names_are_bounded);
	tcase_add_test(tc, while_somebody_renames_something);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
