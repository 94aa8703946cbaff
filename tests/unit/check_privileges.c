/* Whom workers run as: a name that is not there, and a list that cannot be read. */
#include "master/workers/privileges.h"

#include <sys/resource.h>

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "wire/heritage.h"

/* What is said about these lines of [server], NULL: nothing. */
static char *
said(const char *lines)
{
	char *text = mem_printf("[server]\n%s[listen:x]\naddress = :1\nservice = x\n"
	                        "[service:x]\ntype = echo\n",
	                        lines);
	struct conf_errors errors = {0};
	struct conf *conf = conf_parse("x", text, strlen(text), &errors);
	struct heritage h;
	char *cause = NULL;

	ck_assert_ptr_nonnull(conf);
	ck_assert_int_eq(privileges_of(conf, &h, &cause), cause != NULL ? -1 : 0);
	conf_free(&conf);
	free(text);
	return cause;
}

static void
says(const char *lines, const char *sentence)
{
	char *cause = said(lines);

	ck_assert_str_eq(cause, sentence);
	free(cause);
}

START_TEST(a_name_that_is_not_there)
{
	says("user = no-such-user\n",
	     "x:2: there is no user 'no-such-user' (user in [server])");
	says("user = nobody\ngroup = no-such-group\n",
	     "x:3: there is no group 'no-such-group' (group in [server])");
}
END_TEST

/* Each with its line, in the order of the lines. */
START_TEST(both_are_told)
{
	says("group = no-such-group\nuser = no-such-user\n",
	     "x:2: there is no group 'no-such-group' (group in [server])\n"
	     "x:3: there is no user 'no-such-user' (user in [server])");
}
END_TEST

/* Beside the errors that the file has of itself. */
START_TEST(of_a_file_with_other_errors)
{
	const char *text = "[server]\nworker = 1\nuser = no-such-user\nlog_level = x\n";
	struct conf_errors errors = {0};

	ck_assert_ptr_null(conf_examine("x", text, strlen(text), privileges_look, &errors));
	ck_assert_uint_eq(errors.n, 4);
	ck_assert_int_eq(errors.at[1].line, 3);
	ck_assert_str_eq(errors.at[1].text,
	                 "there is no user 'no-such-user' (user in [server])");
	ck_assert_int_eq(errors.at[2].line, 4);
	conf_errors_free(&errors);
}
END_TEST

START_TEST(only_root_can)
{
	if (geteuid() == 0)
		ck_assert_int_eq(setresuid(61238, 61238, 61238), 0);
	says("user = daemon\n", "x:2: only root can make its workers run as 'daemon'");
	says("group = daemon\n", "x:2: only root can give its workers the group 'daemon'");
	says("user = 61237\n",
	     "x:2: user 61237 is in no list, so say which group it has (group "
	     "in [server])");
}
END_TEST

START_TEST(a_list_that_cannot_be_read)
{
	struct rlimit none = {0}, some;

	says("user = no-such-user\n",
	     "x:2: there is no user 'no-such-user' (user in [server])");
	getrlimit(RLIMIT_NOFILE, &some);
	none = some;
	none.rlim_cur = (rlim_t)open("/dev/null", O_RDONLY);
	close((int)none.rlim_cur);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	/* Not nobody: nss-systemd knows him by heart. */
	says("user = daemon\n",
	     "x:2: cannot look up user 'daemon' (user in [server]): Too many open files");
	setrlimit(RLIMIT_NOFILE, &some); /* for a sanitizer's last look */
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("privileges");
	TCase *tc = tcase_create("privileges");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, a_name_that_is_not_there);
	tcase_add_test(tc, both_are_told);
	tcase_add_test(tc, of_a_file_with_other_errors);
	tcase_add_test(tc, only_root_can);
	tcase_add_test(tc, a_list_that_cannot_be_read); /* forked: its limit is its own */
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
