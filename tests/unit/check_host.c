/* host: addresses, localhost and the one name that was given, and nothing that looks like it.
 */
#include "service/admin/host.h"

#include <check.h>
#include <stdlib.h>

static const struct {
	const char *host;
	bool ours;
} cases[] = {
    {NULL, true},
    {"", true},
    {"127.0.0.1", true},
    {"127.0.0.1:9180", true},
    {"10.1.2.3:80", true},
    {"[::1]", true},
    {"[::1]:9180", true},
    {"[fe80::1]", true},
    {"localhost", true},
    {"LocalHost:9180", true},
    {"localhost.", true},
    {"admin.example.net", true},
    {"ADMIN.example.net:443", true},
    {"admin.example.net.", true},
    {"evil.example", false},
    {"evil.example:9180", false},
    {"localhost.evil.example", false},
    {"xlocalhost", false},
    {"localhos", false},
    {"admin.example.net.evil.example", false},
    {"sub.admin.example.net", false},
    {"127.0.0.1.evil.example", false},
    {"127.0.0.1.", true},
    {"127.1", false},
    {"2130706433", false},
    {"::1", false},
    {"[evil.example]", false},
    {"[127.0.0.1]", false},
    {"[", false},
    {".", false},
    {":", false},
    {":80", false},
    {"1111111111111111111111111111111111111111111111111111111111111111111111", false},
};

START_TEST(one)
{
	bool ours = host_is_ours(cases[_i].host, "admin.example.net:9180");

	ck_assert_msg(ours == cases[_i].ours, "Host: %s", cases[_i].host);
}
END_TEST

START_TEST(without_a_name)
{
	ck_assert(!host_is_ours("admin.example.net", NULL));
	ck_assert(host_is_ours("localhost", NULL));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("host");
	TCase *tc = tcase_create("host");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, one, 0, (int)(sizeof cases / sizeof *cases));
	tcase_add_test(tc, without_a_name);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
