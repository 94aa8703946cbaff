/*
 * check_control: the default places of the control socket and their directory.
 * Check forks for each case, so a case may change its environment and, run by
 * root, its user.
 */
#include "wire/control.h"

#include <check.h>

#include <sys/prctl.h>
#include <sys/stat.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define COUNT(a) (int)(sizeof(a) / sizeof *(a))
#define NOBODY   61234 /* of whom there is nothing in /tmp but what these cases make */

/* Whoever runs this: a user who is not root.  Root picks one. */
static uid_t
be_user(void)
{
	if (geteuid() == 0)
		ck_assert_int_eq(seteuid(NOBODY), 0);
	return geteuid();
}

/* Back again.  A change of user forbids others to look into us; the leak checker
 * of a sanitized build has to. */
static void
be_root(void)
{
	if (getuid() != 0)
		return;
	ck_assert_int_eq(seteuid(0), 0);
	prctl(PR_SET_DUMPABLE, 1);
}

static void
set(const char *name, const char *value)
{
	if (value != NULL)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

static const struct {
	bool root;
	const char *runtime, *xdg;
	const char *want[5]; /* "TMP": /tmp/baton-UID/control.sock */
} places[] = {
    {true, NULL, NULL, {"/run/baton/control.sock"}},
    {true, NULL, "/run/user/0", {"/run/baton/control.sock"}},
    {true, "/run/x", NULL, {"/run/x/control.sock", "/run/baton/control.sock"}},
    {true, "/run/x:/run/y", NULL, {"/run/x/control.sock", "/run/baton/control.sock"}},
    {true, "run/x", NULL, {"/run/baton/control.sock"}},
    {true, "", NULL, {"/run/baton/control.sock"}},
    {false, NULL, NULL, {"TMP", "/run/baton/control.sock"}},
    {false,
     NULL,
     "/run/user/7",
     {"/run/user/7/baton/control.sock", "TMP", "/run/baton/control.sock"}},
    {false, NULL, "user/7", {"TMP", "/run/baton/control.sock"}},
    {false,
     "/run/x",
     "/run/user/7",
     {"/run/x/control.sock", "/run/user/7/baton/control.sock", "TMP",
      "/run/baton/control.sock"}},
};

START_TEST(candidates)
{
	char tmp[64], **paths, *first;
	size_t i;

	if (places[_i].root && geteuid() != 0)
		return;
	snprintf(tmp, sizeof tmp, "/tmp/baton-%lu/control.sock",
	         (unsigned long)(places[_i].root ? 0 : be_user()));
	set("RUNTIME_DIRECTORY", places[_i].runtime);
	set("XDG_RUNTIME_DIR", places[_i].xdg);
	paths = control_path_candidates();
	first = control_path_default();
	ck_assert_str_eq(first, paths[0]);
	for (i = 0; places[_i].want[i] != NULL; i++)
		ck_assert_pstr_eq(paths[i], strcmp(places[_i].want[i], "TMP") == 0
		                                ? tmp
		                                : places[_i].want[i]);
	ck_assert_ptr_null(paths[i]);
	be_root();
	free(first);
	control_path_candidates_free(&paths);
	ck_assert_ptr_null(paths);
}
END_TEST

static unsigned
mode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

START_TEST(make_directory)
{
	char dir[] = "/tmp/check_control.XXXXXX", *cause = NULL;
	char *socket, *deep, *file;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	socket = mem_printf("%s/baton/control.sock", dir);
	deep = mem_printf("%s/a/b/control.sock", dir);
	file = mem_printf("%s/baton", dir);
	umask(0);
	ck_assert_int_eq(control_make_directory(socket, NULL, &cause), 0);
	ck_assert_uint_eq(mode_of(file), 0700);
	chmod(file, 0750); /* outside /tmp/baton-UID the owner decides */
	ck_assert_int_eq(control_make_directory(socket, NULL, &cause), 0);
	ck_assert_uint_eq(mode_of(file), 0750);
	ck_assert_ptr_null(cause);
	ck_assert_int_eq(control_make_directory(deep, NULL, &cause), -1);
	ck_assert_ptr_nonnull(strstr(cause, "/a/b: No such file or directory"));
	rmdir(file);
	fclose(fopen(file, "w"));
	ck_assert_int_eq(control_make_directory(socket, NULL, &cause), -1);
	ck_assert_ptr_nonnull(strstr(cause, "is not a directory"));
	unlink(file);
	ck_assert_int_eq(symlink("/nonexistent", file), 0);
	ck_assert_int_eq(control_make_directory(socket, NULL, &cause), -1);
	ck_assert_ptr_nonnull(strstr(cause, "No such file"));
	unlink(file);
	rmdir(dir);
	free(socket);
	free(deep);
	free(file);
	free(cause);
}
END_TEST

START_TEST(needs_no_directory)
{
	char *cause = NULL;

	ck_assert_int_eq(control_make_directory("control.sock", NULL, &cause), 0);
	ck_assert_int_eq(control_make_directory("/control.sock", NULL, &cause), 0);
	ck_assert_int_eq(control_make_directory("/tmp/control.sock", NULL, &cause), 0);
	ck_assert_ptr_null(cause);
}
END_TEST

START_TEST(below_run)
{
	char dir[] = "/run/check_control.XXXXXX", *socket, *cause = NULL;

	if (geteuid() != 0 || mkdtemp(dir) == NULL)
		return;
	socket = mem_printf("%s/control.sock", dir);
	rmdir(dir);
	umask(077);
	ck_assert_int_eq(control_make_directory(socket, NULL, &cause), 0);
	ck_assert_uint_eq(mode_of(dir), 0755);
	rmdir(dir);
	free(socket);
}
END_TEST

/* The traps that somebody else can lay in /tmp.  They need a uid of which
 * nothing is there, so only root lays them. */
START_TEST(traps)
{
	char *dir = mem_printf("/tmp/baton-%d", NOBODY), *cause = NULL;
	char *socket = mem_printf("%s/control.sock", dir);

	if (geteuid() != 0)
		goto out;
	rmdir(dir);
	ck_assert_int_eq(mkdir(dir, 0700), 0); /* root's */
	be_user();
	ck_assert_int_eq(control_make_directory(socket, NULL, &cause), -1);
	ck_assert_ptr_nonnull(strstr(cause, "belongs to uid 0"));
	be_root();
	rmdir(dir);
	ck_assert_int_eq(symlink("/tmp", dir), 0);
	be_user();
	ck_assert_int_eq(control_make_directory(socket, NULL, &cause), -1);
	ck_assert_ptr_nonnull(strstr(cause, "is not a directory"));
	be_root();
	unlink(dir);
	be_user();
	umask(0);
	ck_assert_int_eq(control_make_directory(socket, NULL, &cause), 0);
	ck_assert_uint_eq(mode_of(dir), 0700);
	chmod(dir, 0770);
	ck_assert_int_eq(control_make_directory(socket, NULL, &cause), -1);
	ck_assert_ptr_nonnull(strstr(cause, "has mode 0770, and must have 0700"));
	chmod(dir, 0700);
	ck_assert_int_eq(control_make_directory(socket, NULL, NULL), 0);
	rmdir(dir);
	be_root();
out:
	free(dir);
	free(socket);
	free(cause);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("control");
	TCase *tc = tcase_create("control");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, candidates, 0, COUNT(places));
	tcase_add_test(tc, make_directory);
	tcase_add_test(tc, needs_no_directory);
	tcase_add_test(tc, below_run);
	tcase_add_test(tc, traps);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
