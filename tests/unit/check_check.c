/* The rules across keys and sections: each broken, and each just kept. */
#include "conf/check.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "conf/errors.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

#define ECHO   "[service:e]\ntype = echo\n"
#define LISTEN "[listen:l]\naddress = :1\nservice = e\n"

static const struct {
	const char *text, *said;
} cases[] = {
    {ECHO LISTEN, ""},
    {ECHO, "f: nothing to serve: there is no section [listen:NAME]"},

    /* what a section needs */
    {ECHO "[listen:l]\nservice = e\n",
     "f:3: [listen:l] needs 'address', such as 'address = 127.0.0.1:8080'"},
    {ECHO "[listen:l]\naddress = :1\n",
     "f:3: [listen:l] needs 'service', such as 'service = site'"},
    {ECHO "[listen:l]\n",
     "f:3: [listen:l] needs 'address', such as 'address = 127.0.0.1:8080'\n"
     "f:3: [listen:l] needs 'service', such as 'service = site'"},
    {"[service:e]\n" LISTEN, "f:1: [service:e] needs 'type', such as 'type = http'"},
    {"[service:e]\nrespond = x\nroot = /x\n" LISTEN,
     "f:1: [service:e] needs 'type', such as 'type = http'"},
    /* a line that is wrong already is not missed as well */
    {ECHO "[listen:l]\naddress = 80\nservice = e\n",
     "f:4: bad value '80' for 'address' in [listen:l]; the port is missing, write "
     "HOST:PORT or :PORT"},
    {ECHO "[listen:l]\naddress = :1\nservise = e\n",
     "f:5: unknown key 'servise' in [listen:l]; did you mean 'service'?"},

    /* services */
    {ECHO "[listen:l]\naddress = :1\nservice = ee\n",
     "f:5: unknown service 'ee' in [listen:l]; did you mean 'e'?"},
    {"[service:site]\ntype = echo\n[listen:l]\naddress = :1\nservice = stie\n",
     "f:5: unknown service 'stie' in [listen:l]; did you mean 'site'?"},
    {ECHO "[listen:l]\naddress = :1\nservice = xyz\n",
     "f:5: unknown service 'xyz' in [listen:l]; there is no section [service:xyz]"},
    {ECHO "[listen:l]\naddress = :1\nservice = x\x1b[m\n",
     "f:5: unknown service 'x\\x1b[m' in [listen:l]; there is no section "
     "[service:x\\x1b[m]"},
    {LISTEN ECHO, ""},                              /* later in the file */
    {ECHO LISTEN "[service:f]\ntype = echo\n", ""}, /* used by nobody */
    {ECHO LISTEN "[listen:m]\naddress = :2\nservice = e\n", ""},

    /* reserves, which all have to fit */
    {ECHO LISTEN "reserve = 10000000\n", ""}, /* as RLIMIT_NOFILE is not known here */
    {ECHO LISTEN "reserve = 20\n[server]\nmax_connections = 20\n", ""},
    {ECHO LISTEN "reserve = 21\n[server]\nmax_connections = 20\n",
     "f:6: the reserves up to [listen:l] are 21 connections, and max_connections is 20"},
    {ECHO LISTEN "reserve = 15\n[listen:m]\naddress = :2\nservice = e\nreserve = 5\n"
                 "[listen:n]\naddress = :3\nservice = e\nreserve = 1\n"
                 "[server]\nmax_connections = 20\n",
     "f:14: the reserves up to [listen:n] are 21 connections, and max_connections is 20"},
    {ECHO LISTEN "reserve = 15\n[listen:m]\naddress = :2\nservice = a\n" /* it gets less */
                 "[service:a]\ntype = admin\n[server]\nmax_connections = 20\n",
     ""},
    {ECHO LISTEN "reserve = -1\n",
     "f:6: bad value '-1' for 'reserve' in [listen:l]; expected a number from 0 to 10000000"},

    /* keys of another type */
    {"[service:e]\ntype = echo\nroot = /x\n" LISTEN,
     "f:3: key 'root' in [service:e] is of type 'http', not of 'echo'"},
    {"[service:e]\nmax_body = 1k\ntype = echo\n" LISTEN,
     "f:2: key 'max_body' in [service:e] is of type 'http' or 'module' or 'admin', not of "
     "'echo'"},
    {"[service:e]\ntype = echo\nidle_timeout = 1s\n" LISTEN, ""},
    {"[service:e]\ntype = gopher\nroot = /x\n" LISTEN,
     "f:2: bad value 'gopher' for 'type' in [service:e]; expected echo, http, proxy, module or "
     "admin"},

    /* one of */
    {"[service:e]\ntype = http\nrespond = x\n" LISTEN, ""},
    {"[service:e]\ntype = http\nroot = /x\n" LISTEN, ""},
    {"[service:e]\ntype = http\n" LISTEN,
     "f:1: [service:e] needs 'respond' or 'root' or 'upstream'"},
    {"[service:e]\ntype = http\nrespond = a\nbalance = least_busy\n" LISTEN,
     "f:4: key 'balance' in [service:e] means nothing without 'upstream'"},
    {"[service:e]\ntype = module\n" LISTEN, "f:1: [service:e] needs 'path'"},
    {"[service:e]\ntype = http\nrespond = x\nroot = /x\n" LISTEN,
     "f:4: 'respond' and 'root' in [service:e] exclude each other"},
    {"[service:e]\nroot = /x\nrespond = x\ntype = http\n" LISTEN,
     "f:3: 'respond' and 'root' in [service:e] exclude each other"},
    {"[service:e]\ntype = http\nroot = x\n" LISTEN,
     "f:3: bad value 'x' for 'root' in [service:e]; expected an absolute path"},
    {"[service:e]\ntype = http\nrespnd = x\nroot = /x\n" LISTEN,
     "f:3: unknown key 'respnd' in [service:e]; did you mean 'respond'?"},

    /* a written cut_over may be longer than the deadline: cuts begin there */
    {"[drain]\ncut_over = 31s\n" ECHO LISTEN, ""},
    {"[drain]\ndeadline = 0\n" ECHO LISTEN, ""},
    {"[drain]\ncut_over = 31s\ndeadline = 60\n" ECHO LISTEN,
     "f:3: bad value '60' for 'deadline' in [drain]; expected a duration from 0s to 168h, "
     "like 250ms, 30s, 5m or 1h"},

    /* addresses */
    {ECHO LISTEN "[listen:m]\naddress = 0.0.0.0:1\nservice = e\n",
     "f:7: address '0.0.0.0:1' is in line 4 already, for [listen:l]"},
    {ECHO LISTEN "address = :2\naddress = *:1\n",
     "f:7: address '*:1' is in line 4 already, for [listen:l]"},
    {ECHO LISTEN "address = 127.0.0.1:0\naddress = 127.0.0.1:0\n", ""},
    {ECHO LISTEN "address = [::]:1\naddress = 127.0.0.1:1\n", ""},
    {ECHO LISTEN "address = unix:/a\n[listen:m]\naddress = unix:/a\nservice = e\n",
     "f:8: address 'unix:/a' is in line 6 already, for [listen:l]"},
    {ECHO LISTEN "address = unix:/d//s\naddress = unix:/d/./s\n",
     "f:7: address 'unix:/d/./s' is in line 6 already, for [listen:l]"},
    {ECHO LISTEN "address = unix:/d/s\naddress = unix:/d/s/t\naddress = unix:@d/s\n", ""},
    {ECHO LISTEN "address = systemd:a\naddress = systemd:a\n",
     "f:7: address 'systemd:a' is in line 6 already, for [listen:l]"},
    {ECHO LISTEN "address = :1\naddress = :1\n",
     "f:6: address ':1' is in line 4 already, for [listen:l]\n"
     "f:7: address ':1' is in line 4 already, for [listen:l]"},

    /* paths */
    {"[server]\ncontrol = /d/c\npid_file = /d/p\nlog = /d/l\n" ECHO LISTEN
     "access_log = /d/a\naddress = unix:/d/s\n",
     ""},
    {"[server]\ncontrol = /d/x\npid_file = /d//x\n" ECHO LISTEN,
     "f:3: path '/d/x' is in line 2 already, for 'control' in [server]"},
    {"[server]\nlog = /d/./x\n" ECHO LISTEN "access_log = /d/x\n",
     "f:8: path '/d/x' is in line 2 already, for 'log' in [server]"},
    {"[server]\nlog = /dev/stdout\n" ECHO LISTEN "access_log = /dev/stdout\n", ""},
    {ECHO LISTEN "access_log = /d/x\n[listen:m]\naddress = :2\nservice = e\n"
                 "access_log = /d//x\n",
     ""},
    {ECHO LISTEN "address = unix:/d/x\n[server]\ncontrol = ///d/x\n",
     "f:8: path '/d/x' is in line 6 already, for 'address' in [listen:l]"},
    {ECHO LISTEN "address = unix:/d/x\naccess_log = /d/x\n[server]\npid_file = /d/x\n",
     "f:7: path '/d/x' is in line 6 already, for 'address' in [listen:l]\n"
     "f:9: path '/d/x' is in line 6 already, for 'address' in [listen:l]"},

    /* TLS */
    {ECHO LISTEN "tls = x\n[tls:x]\ncertificate = /c\nkey = /k\n", ""},
    {ECHO LISTEN "tls = site, sitte\n[tls:site]\ncertificate = /c\nkey = /k\n",
     "f:6: unknown tls 'sitte' in [listen:l]; did you mean 'site'?"},
    {ECHO LISTEN "tls = x\n",
     "f:6: unknown tls 'x' in [listen:l]; there is no section [tls:x]"},
    {ECHO LISTEN "[tls:x]\n",
     "f:6: [tls:x] needs 'certificate', such as 'certificate = /etc/ssl/example.pem'\n"
     "f:6: [tls:x] needs 'key', such as 'key = /etc/ssl/private/example.key'"},
    {ECHO LISTEN "[tls:x]\ncertificate = /c\nkey = /k\nkey = /l\n",
     "f:6: [tls:x] has 1 'certificate' and 2 'key'"},
    {ECHO LISTEN "[tls:x]\ncertificate = c\nkey = /k\n",
     "f:7: bad value 'c' for 'certificate' in [tls:x]; expected an absolute path"},
    {ECHO LISTEN "[tls:x]\ncertificate = /c\nkey = /k\nverify = required\n",
     "f:9: [tls:x] asks clients for certificates, and needs 'client_ca'"},
    {"[service:e]\ntype = proxy\nupstream = 127.0.0.1:1\naccept_proxy = yes\n" LISTEN
     "tls = x\n[tls:x]\ncertificate = /c\nkey = /k\n",
     "f:8: [listen:l] has 'tls', and its service 'accept_proxy': a PROXY header in front of "
     "TLS "
     "is not read"},
    {"[service:e]\ntype = http\nrespond = x\n" LISTEN "redirect = https:65535\n", ""},
    {"[service:e]\ntype = http\nrespond = x\n" LISTEN "redirect = http\n",
     "f:7: bad value 'http' for 'redirect' in [listen:l]; expected https or https:PORT"},
    {"[service:e]\ntype = http\nrespond = x\n" LISTEN "redirect = https:65536\n",
     "f:7: bad value 'https:65536' for 'redirect' in [listen:l]; expected https or https:PORT"},
    {ECHO LISTEN "redirect = https\n",
     "f:6: 'redirect' in [listen:l] needs a service of type 'http', not 'echo'"},
};

START_TEST(rule)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_parse("f", cases[_i].text, strlen(cases[_i].text), &errors);
	char *said = conf_errors_join(&errors);

	ck_assert_str_eq(said, cases[_i].said);
	ck_assert_int_eq(conf == NULL, errors.n > 0);
	conf_free(&conf);
	conf_errors_free(&errors);
	mem_free(&said);
}
END_TEST

/* Pure: a tree that was found good is found good again, and is not changed. */
START_TEST(twice)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_parse("f", ECHO LISTEN, strlen(ECHO LISTEN), &errors);

	ck_assert_ptr_nonnull(conf);
	check_tree(conf, &errors);
	ck_assert_uint_eq(errors.n, 0);
	conf->drain.deadline = 1;
	check_tree(conf, &errors); /* cut_over is a default */
	ck_assert_uint_eq(errors.n, 0);
	strcpy(conf->listen[0].service, "x");
	check_tree(conf, &errors);
	ck_assert_uint_eq(errors.n, 1);
	ck_assert_int_eq(errors.at[0].line, 5);
	conf_errors_free(&errors);
	conf_free(&conf);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("check");
	TCase *tc = tcase_create("check");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, rule, 0, COUNT(cases));
	tcase_add_test(tc, twice);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
