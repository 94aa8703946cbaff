/* Values alone: what is read, what is refused, and that text reads back. */
#include "conf/value.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"

#define COUNT(a)  ((int)(sizeof(a) / sizeof(a)[0]))
#define UNTOUCHED INT64_C(-4711)
#define X50       "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

typedef int reader(const char *s, int64_t *out);

static const struct number_case {
	reader *read;
	const char *text;
	int64_t value; /* UNTOUCHED: refused */
} numbers[] = {
    {value_int, "0", 0},
    {value_int, "4096", 4096},
    {value_int, "007", 7},
    {value_int, "9223372036854775807", INT64_MAX},
    {value_int, "9223372036854775808", UNTOUCHED},
    {value_int, "99999999999999999999999999", UNTOUCHED},
    {value_int, "", UNTOUCHED},
    {value_int, "-1", UNTOUCHED},
    {value_int, "+1", UNTOUCHED},
    {value_int, " 1", UNTOUCHED},
    {value_int, "1 ", UNTOUCHED},
    {value_int, "1x", UNTOUCHED},
    {value_int, "0x10", UNTOUCHED},
    {value_int, "1.5", UNTOUCHED},

    {value_octal, "0666", 0666},
    {value_octal, "666", 0666},
    {value_octal, "0", 0},
    {value_octal, "0888", UNTOUCHED},
    {value_octal, "777777777777777777777", INT64_MAX},
    {value_octal, "1000000000000000000000", UNTOUCHED},
    {value_octal, "rw-", UNTOUCHED},

    {value_duration, "0", 0},
    {value_duration, "0s", 0},
    {value_duration, "0ms", 0},
    {value_duration, "250ms", 250},
    {value_duration, "30s", 30000},
    {value_duration, "5m", 300000},
    {value_duration, "1h", 3600000},
    {value_duration, "9223372036854775807ms", INT64_MAX},
    {value_duration, "9223372036854775807s", UNTOUCHED},
    {value_duration, "2562047788015h", INT64_C(2562047788015) * 3600000},
    {value_duration, "2562047788016h", UNTOUCHED},
    {value_duration, "99999999999999999h", UNTOUCHED},
    {value_duration, "30", UNTOUCHED},
    {value_duration, "00", UNTOUCHED},
    {value_duration, "1d", 86400000},
    {value_duration, "106751991167d", INT64_C(106751991167) * 86400000},
    {value_duration, "106751991168d", UNTOUCHED},
    {value_duration, "1D", UNTOUCHED},
    {value_duration, "d", UNTOUCHED},
    {value_duration, "1S", UNTOUCHED},
    {value_duration, "30 s", UNTOUCHED},
    {value_duration, "1m30s", UNTOUCHED},
    {value_duration, "1.5s", UNTOUCHED},
    {value_duration, "-1s", UNTOUCHED},
    {value_duration, "s", UNTOUCHED},
    {value_duration, "", UNTOUCHED},

    {value_size, "0", 0},
    {value_size, "512", 512},
    {value_size, "64k", 65536},
    {value_size, "1m", 1048576},
    {value_size, "1g", 1073741824},
    {value_size, "8589934591g", INT64_C(8589934591) << 30},
    {value_size, "8589934592g", UNTOUCHED},
    {value_size, "64K", UNTOUCHED},
    {value_size, "64kb", UNTOUCHED},
    {value_size, "k", UNTOUCHED},
    {value_size, "1 k", UNTOUCHED},
    {value_size, "", UNTOUCHED},
};

START_TEST(number)
{
	const struct number_case *c = &numbers[_i];
	int64_t n = UNTOUCHED;
	int rc = c->read(c->text, &n);

	ck_assert_msg(n == c->value, "'%s' is %lld", c->text, (long long)n);
	ck_assert_int_eq(rc, c->value == UNTOUCHED ? -1 : 0);
}
END_TEST

START_TEST(boolean)
{
	static const char *const refused[] = {"",   "true", "false", "1",    "0",    "Yes",
	                                      "NO", "on",   "off",   "yes ", "yess", "n"};
	bool b = false;

	ck_assert_int_eq(value_bool("yes", &b), 0);
	ck_assert(b);
	ck_assert_int_eq(value_bool("no", &b), 0);
	ck_assert(!b);
	for (int i = 0; i < COUNT(refused); i++) {
		b = true;
		ck_assert_msg(value_bool(refused[i], &b) == -1, "'%s'", refused[i]);
		ck_assert(b);
	}
}
END_TEST

typedef char *writer(int64_t n);

static const struct text_case {
	writer *write;
	reader *read;
	int64_t value;
	const char *text;
} texts[] = {
    {value_duration_text, value_duration, 0, "0s"},
    {value_duration_text, value_duration, 1, "1ms"},
    {value_duration_text, value_duration, 1500, "1500ms"},
    {value_duration_text, value_duration, 1000, "1s"},
    {value_duration_text, value_duration, 75000, "75s"},
    {value_duration_text, value_duration, 60000, "1m"},
    {value_duration_text, value_duration, 5400000, "90m"},
    {value_duration_text, value_duration, 7200000, "2h"},
    {value_duration_text, value_duration, INT64_MAX, "9223372036854775807ms"},
    {value_size_text, value_size, 0, "0"},
    {value_size_text, value_size, 1023, "1023"},
    {value_size_text, value_size, 1024, "1k"},
    {value_size_text, value_size, 1025, "1025"},
    {value_size_text, value_size, 3 << 20, "3m"},
    {value_size_text, value_size, INT64_C(1) << 40, "1024g"},
};

START_TEST(text)
{
	const struct text_case *c = &texts[_i];
	char *s = c->write(c->value);
	int64_t back = UNTOUCHED;

	ck_assert_str_eq(s, c->text);
	ck_assert_int_eq(c->read(s, &back), 0);
	ck_assert(back == c->value);
	mem_free(&s);
}
END_TEST

static const struct tcp_case {
	const char *text, *host;
	int family, port;
} tcps[] = {
    {"127.0.0.1:8080", "127.0.0.1", AF_INET, 8080},
    {"127.0.0.1:0", "127.0.0.1", AF_INET, 0},
    {"0.0.0.0:65535", "0.0.0.0", AF_INET, 65535},
    {"*:80", "0.0.0.0", AF_INET, 80},
    {":80", "0.0.0.0", AF_INET, 80},
    {"[::]:80", "::", AF_INET6, 80},
    {"[::1]:0", "::1", AF_INET6, 0},
    {"[2001:db8::7]:443", "2001:db8::7", AF_INET6, 443},
    {"[fe80::1%lo]:80", "fe80::1", AF_INET6, 80},
    {"[fe80::1%1]:80", "fe80::1", AF_INET6, 80},
};

START_TEST(tcp)
{
	const struct tcp_case *c = &tcps[_i];
	struct conf_addr a;
	char *cause = NULL, host[INET6_ADDRSTRLEN];

	ck_assert_int_eq(value_addr(c->text, &a, &cause), 0);
	ck_assert_ptr_null(cause);
	ck_assert_str_eq(a.text, c->text);
	ck_assert_int_eq(a.kind, CONF_ADDR_TCP);
	ck_assert_int_eq(a.sa.ss_family, c->family);
	if (c->family == AF_INET) {
		struct sockaddr_in *sin = (struct sockaddr_in *)&a.sa;

		ck_assert_uint_eq(a.salen, sizeof *sin);
		ck_assert_int_eq(ntohs(sin->sin_port), c->port);
		inet_ntop(AF_INET, &sin->sin_addr, host, sizeof host);
	} else {
		struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&a.sa;

		ck_assert_uint_eq(a.salen, sizeof *sin6);
		ck_assert_int_eq(ntohs(sin6->sin6_port), c->port);
		inet_ntop(AF_INET6, &sin6->sin6_addr, host, sizeof host);
	}
	ck_assert_str_eq(host, c->host);
	value_addr_clear(&a);
}
END_TEST

START_TEST(unix_path)
{
	struct conf_addr a;
	const struct sockaddr_un *sun = (struct sockaddr_un *)&a.sa;

	ck_assert_int_eq(value_addr("unix:/run/x.sock", &a, NULL), 0);
	ck_assert_int_eq(a.kind, CONF_ADDR_UNIX);
	ck_assert_int_eq(sun->sun_family, AF_UNIX);
	ck_assert_str_eq(sun->sun_path, "/run/x.sock");
	ck_assert_uint_eq(a.salen, offsetof(struct sockaddr_un, sun_path) + 12);
	value_addr_clear(&a);

	ck_assert_int_eq(value_addr("unix:@name", &a, NULL), 0);
	ck_assert_int_eq(memcmp(sun->sun_path, "\0name", 6), 0);
	ck_assert_uint_eq(a.salen, offsetof(struct sockaddr_un, sun_path) + 5);
	value_addr_clear(&a);
}
END_TEST

START_TEST(unix_longest)
{
	struct conf_addr a;
	char path[5 + 108 + 1] = "unix:/", *cause = NULL;

	memset(path + 6, 'p', 106); /* 107 bytes of path */
	ck_assert_int_eq(value_addr(path, &a, NULL), 0);
	ck_assert_uint_eq(a.salen, sizeof(struct sockaddr_un));
	value_addr_clear(&a);
	path[5 + 107] = 'p';
	ck_assert_int_eq(value_addr(path, &a, &cause), -1);
	ck_assert_str_eq(cause, "the path of a unix socket has at most 107 bytes");
	path[5] = '@';
	ck_assert_int_eq(value_addr(path, &a, NULL), -1);
	mem_free(&cause);
}
END_TEST

START_TEST(systemd)
{
	struct conf_addr a;

	ck_assert_int_eq(value_addr("systemd:web socket", &a, NULL), 0);
	ck_assert_int_eq(a.kind, CONF_ADDR_SYSTEMD);
	ck_assert_str_eq(a.name, "web socket");
	value_addr_clear(&a);
	ck_assert_ptr_null(a.name);
}
END_TEST

static const struct {
	const char *text, *cause;
} refused[] = {
    {"8080", "the port is missing, write HOST:PORT or :PORT"},
    {"127.0.0.1", "the port is missing, write HOST:PORT or :PORT"},
    {"[::1]", "the port is missing, write HOST:PORT or :PORT"},
    {"[::1]80", "the port is missing, write HOST:PORT or :PORT"},
    {"/run/x.sock", "a unix socket is written like unix:/run/x.sock"},
    {"[::1:80", "']' is missing"},
    {"::1:80", "an IPv6 address stands in brackets, like [::1]:80"},
    {"127.0.0.1:80:81", "an IPv6 address stands in brackets, like [::1]:80"},
    {"127.0.0.1:", "the port is a number from 0 to 65535"},
    {":", "the port is a number from 0 to 65535"},
    {":http", "the port is a number from 0 to 65535"},
    {":65536", "the port is a number from 0 to 65535"},
    {":99999999999999999999", "the port is a number from 0 to 65535"},
    {":-1", "the port is a number from 0 to 65535"},
    {"[::1]:", "the port is a number from 0 to 65535"},
    {"[]:80", "what stands in brackets is not an IPv6 address"},
    {"[127.0.0.1]:80", "what stands in brackets is not an IPv6 address"},
    {"[::1%lo]:80", "only a link-local address has an interface behind '%'"},
    {"[fe80::1]:80", "a link-local address needs its interface, like [fe80::1%eth0]:80"},
    {"[fe80::1%]:80", "there is no interface ''"},
    {"[fe80::1%none]:80", "there is no interface 'none'"},
    {"[fe80::1%0]:80", "there is no interface '0'"},
    {"[fe80::1%4294967297]:80", "there is no interface '4294967297'"},
    {"[%lo]:80", "what stands in brackets is not an IPv6 address"},
    {"[::ffff:10.0.0.1]:443", "an IPv4 address stands without brackets, like 127.0.0.1:80"},
    {"http://127.0.0.1:80", "an address has no scheme, write HOST:PORT"},
    {"[" X50 "]:80", "what stands in brackets is not an IPv6 address"},
    {"localhost:80", "host names are not looked up, write the address in numbers, "
                     "like 127.0.0.1:80"},
    {X50 ":80", "host names are not looked up, write the address in numbers, "
                "like 127.0.0.1:80"},
    {"127.0.0.256:80", "an IPv4 address is four numbers from 0 to 255, like 127.0.0.1"},
    {"127.1:80", "an IPv4 address is four numbers from 0 to 255, like 127.0.0.1"},
    {"unix:", "a unix socket needs an absolute path, like unix:/run/x.sock, or an "
              "abstract @NAME"},
    {"unix:x.sock", "a unix socket needs an absolute path, like unix:/run/x.sock, or an "
                    "abstract @NAME"},
    {"unix:/", "the name of the unix socket is missing"},
    {"unix:/run/", "the name of the unix socket is missing"},
    {"unix:@", "the name of the unix socket is missing"},
    {"systemd:", "the name after 'systemd:' has 1 to 255 bytes"},
    {"systemd:" X50 X50 X50 X50 X50 "123456", "the name after 'systemd:' has 1 to 255 bytes"},
    {"systemd:a:b", "the name after 'systemd:' is printable ASCII without ':'"},
    {"systemd:a\tb", "the name after 'systemd:' is printable ASCII without ':'"},
    {"systemd:\xc3\xa4", "the name after 'systemd:' is printable ASCII without ':'"},
};

START_TEST(refusal)
{
	struct conf_addr a = {.line = 7};
	char *cause = NULL;

	ck_assert_int_eq(value_addr(refused[_i].text, &a, &cause), -1);
	ck_assert_str_eq(cause, refused[_i].cause);
	ck_assert_int_eq(a.line, 7);
	ck_assert_ptr_null(a.text);
	ck_assert_int_eq(value_addr(refused[_i].text, &a, NULL), -1);
	mem_free(&cause);
}
END_TEST

static const struct {
	const char *a, *b;
	bool same;
} pairs[] = {
    {"127.0.0.1:80", "127.0.0.1:80", true},
    {":80", "*:80", true},
    {":80", "0.0.0.0:80", true},
    {"[::1]:80", "[0:0::1]:80", true},
    {"127.0.0.1:80", "127.0.0.1:81", false},
    {"127.0.0.1:80", "127.0.0.2:80", false},
    {"127.0.0.1:80", ":80", false},
    {":80", "[::]:80", false},
    {"127.0.0.1:0", "127.0.0.1:0", false},
    {"[::]:0", "[::]:0", false},
    {"unix:/a", "unix:/a", true},
    {"unix:/a", "unix:/ab", false},
    {"unix:/a", "unix:@a", false},
    {"unix:@a", "unix:@a", true},
    {"systemd:a", "systemd:a", true},
    {"systemd:a", "systemd:b", false},
    {"systemd:a", "unix:@a", false},
};

START_TEST(sameness)
{
	struct conf_addr a, b;

	ck_assert_int_eq(value_addr(pairs[_i].a, &a, NULL), 0);
	ck_assert_int_eq(value_addr(pairs[_i].b, &b, NULL), 0);
	ck_assert(value_addr_same(&a, &b) == pairs[_i].same);
	ck_assert(value_addr_same(&b, &a) == pairs[_i].same);
	value_addr_clear(&a);
	value_addr_clear(&b);
}
END_TEST

/* An upstream is no listener: what it cannot be is not proposed. */
static const struct {
	const char *text, *cause;
} no_upstreams[] = {
    {"x", "the port is missing, write HOST:PORT"},
    {"127.0.0.1", "the port is missing, write HOST:PORT"},
    {"[::1]", "the port is missing, write HOST:PORT"},
    {"127.0.0.1:", "the port is a number from 1 to 65535"},
    {"127.0.0.1:0", "the port is a number from 1 to 65535"},
    {"[::1]:65536", "the port is a number from 1 to 65535"},
    {"a:0", "the port is a number from 1 to 65535"},
    {":80", "nobody can be reached there; write HOST:PORT"},
    {"0.0.0.0:80", "nobody can be reached there; write HOST:PORT"},
    {"http://a:80", "it has no scheme, write HOST:PORT"},
};

START_TEST(no_upstream)
{
	struct conf_addr a;
	char *cause = NULL;

	ck_assert_int_ne(value_upstream(no_upstreams[_i].text, &a, &cause), 0);
	ck_assert_str_eq(cause, no_upstreams[_i].cause);
	free(cause);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("value");
	TCase *tc = tcase_create("value");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, number, 0, COUNT(numbers));
	tcase_add_test(tc, boolean);
	tcase_add_loop_test(tc, text, 0, COUNT(texts));
	tcase_add_loop_test(tc, tcp, 0, COUNT(tcps));
	tcase_add_test(tc, unix_path);
	tcase_add_test(tc, unix_longest);
	tcase_add_test(tc, systemd);
	tcase_add_loop_test(tc, refusal, 0, COUNT(refused));
	tcase_add_loop_test(tc, no_upstream, 0, COUNT(no_upstreams));
	tcase_add_loop_test(tc, sameness, 0, COUNT(pairs));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
