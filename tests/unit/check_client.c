/* client: who has asked, whatever a client puts before the words of those who pass it on. */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/nets.h"
#include "service/http/client.h"

#define FIRST "GET / HTTP/1.1\r\nHost: h\r\n"

static struct nets trusted;

static void
set_up(void)
{
	ck_assert_int_eq(nets_read("10.0.0.0/8, 2001:db8::/32", &trusted, NULL), 0);
}

/* NULL: nobody is named. */
static const char *
named(const char *lines)
{
	static char text[INET6_ADDRSTRLEN];
	char head[16384];
	struct net_addr addr;
	int n = snprintf(head, sizeof head, "%s%s\r\n", FIRST, lines);

	ck_assert_int_lt(n, (int)sizeof head);
	if (!client_address(head, (size_t)n, &trusted, &addr))
		return NULL;
	net_addr_text(&addr, text);
	return text;
}

static const struct {
	const char *lines, *client;
} rows[] = {
    {"", NULL},
    {"X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"},
    {"X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n", "192.0.2.7"},
    {"X-Forwarded-For: 192.0.2.7, 10.0.0.1, 10.0.0.2\r\n", "192.0.2.7"},
    {"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 10.0.0.1\r\n", "192.0.2.7"},
    {"X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n", "10.0.0.1"},
    {"X-Forwarded-For: 192.0.2.7,, ,10.0.0.1,\r\n", "192.0.2.7"},
    {"X-Forwarded-For: 192.0.2.7:80, [2001:db8::1]:80\r\n", "192.0.2.7"},
    {"X-Forwarded-For: 6.6.6.6, unknown, 10.0.0.1\r\n", "10.0.0.1"},
    {"X-Forwarded-For: unknown\r\n", NULL},
    {"X-Forwarded-For: \r\n", NULL},
    {"Forwarded: for=192.0.2.7\r\n", "192.0.2.7"},
    {"Forwarded: proto=http; FOR=192.0.2.7 , for=\"[2001:db8::1]:80\"\r\n", "192.0.2.7"},
    {"Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"},
    {"Forwarded: proto=http\r\n", NULL},
    {"Forwarded: for=_hidden, for=10.0.0.1\r\n", "10.0.0.1"},
    /* what is quoted is one word */
    {"Forwarded: for=192.0.2.7, for=10.0.0.1;by=\"a, for=6.6.6.6\"\r\n", "192.0.2.7"},
    {"Forwarded: host=\"a;for=6.6.6.6\\\"\";for=192.0.2.7\r\n", "192.0.2.7"},
    /* a client's quotation without an end hides nobody's words behind it */
    {"Forwarded: for=6.6.6.6;by=\", for=192.0.2.7\r\n", "192.0.2.7"},
    {"Forwarded: for=6.6.6.6;by=\"\\, for=\"192.0.2.7:80\"\r\n", "192.0.2.7"},
    {"Forwarded: \"\r\nForwarded: for=192.0.2.7\r\n", "192.0.2.7"},
    {"X-Forwarded-For: \", 192.0.2.7\r\n", "192.0.2.7"},
};

START_TEST(who_has_asked)
{
	const char *client = named(rows[_i].lines);

	ck_assert_pstr_eq(client, rows[_i].client);
}
END_TEST

/* Only the nearest ones are looked at, however many there are. */
START_TEST(hops_are_bounded)
{
	char lines[12000] = "X-Forwarded-For: 192.0.2.7";

	for (int i = 1; i < CLIENT_HOPS_MAX; i++)
		strcat(lines, ",10.0.0.1");
	strcat(lines, "\r\n");
	ck_assert_pstr_eq(named(lines), "192.0.2.7");
	lines[strlen(lines) - 2] = '\0';
	for (int i = 0; i < 1000; i++)
		strcat(lines, ",10.0.0.2");
	strcat(lines, "\r\n");
	ck_assert_pstr_eq(named(lines), "10.0.0.2");
}
END_TEST

/* Whatever bytes a line may have: nothing is read beyond them, and who is named was named. */
START_TEST(any_bytes)
{
	static const char alphabet[] = "\",;= \\.:1[]for";
	char line[64];

	srand(7);
	for (int i = 0; i < 200000; i++) {
		int n = rand() % 40, to = snprintf(line, sizeof line, "Forwarded: ");

		for (int k = 0; k < n; k++)
			line[to++] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
		strcpy(line + to, "\r\n");
		if (named(line) != NULL)
			ck_assert_ptr_nonnull(strstr(line, "for="));
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("client");
	TCase *t = tcase_create("client");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, who_has_asked, 0, (int)(sizeof rows / sizeof *rows));
	tcase_add_test(t, hops_are_bounded);
	tcase_add_test(t, any_bytes);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
