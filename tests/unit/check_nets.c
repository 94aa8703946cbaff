/* nets: who is in a network, however both are written. */
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/nets.h"

static const struct {
	const char *nets, *addr;
	bool in;
} rows[] = {
    {"10.0.0.0/8", "10.255.1.2", true},
    {"10.0.0.0/8", "11.0.0.1", false},
    {"10.0.0.0/9", "10.127.255.255", true},
    {"10.0.0.0/9", "10.128.0.0", false},
    {"10.1.2.3/8", "10.0.0.0", true},
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.0", false},
    {"192.0.2.1/32", "192.0.2.1:80", true},
    {"0.0.0.0/0", "203.0.113.9", true},
    {"0.0.0.0/0", "2001:db8::1", false},
    {"::/0", "2001:db8::1", true},
    {"::/0", "192.0.2.1", true},
    {"::ffff:10.0.0.0/104", "10.1.1.1", true},
    {"10.0.0.0/8", "::ffff:10.1.1.1", true},
    {"2001:db8::/32", "[2001:db8:1::1]:443", true},
    {"2001:db8::/33", "2001:db8:8000::", false},
    {"2001:db8::/128", "2001:db8::", true},
    {"192.0.2.1,10.0.0.0/8 ,\t::1", "::1", true},
    {"192.0.2.1, 10.0.0.0/8, ::1", "10.0.0.1", true},
    {"192.0.2.1, 10.0.0.0/8, ::1", "::2", false},
    {"unix", "192.0.2.1", false},
    {"unix", "::", false},
};

START_TEST(who_is_in)
{
	struct nets nets;
	struct net_addr addr;

	ck_assert_int_eq(nets_read(rows[_i].nets, &nets, NULL), 0);
	ck_assert(net_addr_read(rows[_i].addr, strlen(rows[_i].addr), &addr));
	ck_assert_msg(nets_have(&nets, &addr) == rows[_i].in, "%s in %s", rows[_i].addr,
	              rows[_i].nets);
}
END_TEST

static const char *const bad[] = {
    "",          "10.0.0.0/33", "::/129",        "10.0.0/8",  "host",
    "10.0.0.1,", ",::1",        "10.0.0.1 /8",   "::1/-1",    "::1/",
    "[::1]",     "10.0.0.1/8x", "10.0.0.1/08.0", "fe80::1%lo"};

START_TEST(what_is_none)
{
	struct nets nets;
	char *cause = NULL;

	ck_assert_int_eq(nets_read(bad[_i], &nets, &cause), -1);
	ck_assert_ptr_nonnull(strstr(cause, "10.0.0.0/8"));
	mem_free(&cause);
}
END_TEST

START_TEST(a_list_is_bounded)
{
	char list[NETS_MAX * 8 + 16] = "10.0.0.1";
	struct nets nets;
	char *cause = NULL;

	for (int i = 1; i < NETS_MAX; i++)
		strcat(list, ",::1");
	ck_assert_int_eq(nets_read(list, &nets, NULL), 0);
	ck_assert_uint_eq(nets.n, NETS_MAX);
	strcat(list, ",::1");
	ck_assert_int_eq(nets_read(list, &nets, &cause), -1);
	ck_assert_ptr_nonnull(strstr(cause, "at most 64"));
	mem_free(&cause);
}
END_TEST

/* "unix" is for peers that have no address; text is read back as it is written. */
START_TEST(names_of_sockets)
{
	struct sockaddr_storage sa = {.ss_family = AF_UNIX};
	struct sockaddr_in *v4 = (void *)&sa;
	struct nets nets;
	struct net_addr addr;
	char text[INET6_ADDRSTRLEN];

	ck_assert_int_eq(nets_read("unix", &nets, NULL), 0);
	ck_assert(net_addr_of(&sa, &addr) && nets_have(&nets, &addr));
	v4->sin_family = AF_INET;
	v4->sin_addr.s_addr = htonl(0xc0000207);
	ck_assert(net_addr_of(&sa, &addr) && !nets_have(&nets, &addr));
	net_addr_text(&addr, text);
	ck_assert_str_eq(text, "192.0.2.7");
	ck_assert(net_addr_read("[2001:db8::7]:80", 16, &addr));
	net_addr_text(&addr, text);
	ck_assert_str_eq(text, "2001:db8::7");
	sa.ss_family = AF_UNSPEC;
	ck_assert(!net_addr_of(&sa, &addr));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("nets");
	TCase *t = tcase_create("nets");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(t, who_is_in, 0, (int)(sizeof rows / sizeof *rows));
	tcase_add_loop_test(t, what_is_none, 0, (int)(sizeof bad / sizeof *bad));
	tcase_add_test(t, a_list_is_bounded);
	tcase_add_test(t, names_of_sockets);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
