/* Files to trees and back: the sentences, the defaults, the printed form. */
#include "conf/conf.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/keys.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))
#define X64      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* The least that is without error; it stands behind what a case is about, so
 * that the case's lines count from 1. */
#define REST "[listen:rest]\naddress = :1\nservice = rest\n[service:rest]\ntype = echo\n"

/* The sentences about a text, "" when there are none. */
static char *
sentences(const char *text, size_t len)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_parse("server.ini", text, len, &errors);
	char *all = conf_errors_join(&errors);

	ck_assert_msg((conf == NULL) == (errors.n > 0), "a tree or sentences: %s", all);
	conf_free(&conf);
	conf_errors_free(&errors);
	return all;
}

static struct conf *
parse(const char *text)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_parse("server.ini", text, strlen(text), &errors);
	char *all = conf_errors_join(&errors);

	ck_assert_msg(conf != NULL, "%s", all);
	mem_free(&all);
	return conf;
}

#define T(s) s, sizeof(s) - 1

static const struct {
	const char *text;
	size_t len;
	const char *said;
} cases[] = {
    {T(REST), ""},
    {T(""), "server.ini: the file is empty, there is nothing to serve"},
    {T("\n; nothing\n"), "server.ini: nothing to serve: there is no section [listen:NAME]"},
    {T("[server]\n"), "server.ini: nothing to serve: there is no section [listen:NAME]"},

    /* what is not UTF-8: values may not, comments may */
    {T("[listen:x]\naddress = unix:/tmp/u\xff\nservice = rest\n" REST),
     "server.ini:2: bad value 'unix:/tmp/u\\xff' for 'address' in [listen:x]; expected UTF-8"},
    {T("; gr\xfc\xdf\n[server] ; \xff\nworkers = 4 ; \xff\n" REST), ""},
    {T("[listen:\xff]\naddress = :2\nservice = rest\n" REST),
     "server.ini:1: the name '\\xff' may only have letters, digits, '-', '_' and '.'"},
    {T("[server]\nlog = /tmp/\xc3\xa4\n" REST), ""},

    /* keys */
    {T("[server]\nworker = 4\n" REST),
     "server.ini:2: unknown key 'worker' in [server]; did you mean 'workers'?"},
    {T("[server]\nWorkers = 4\n" REST),
     "server.ini:2: unknown key 'Workers' in [server]; did you mean 'workers'?"},
    {T(REST "topic = 4\n"), "server.ini:6: unknown key 'topic' in [service:rest]"},
    {T("[listen:a]\naddress = :0\nservice = a\n[service:a]\nfoo = 1\ntype = module\n"
       "path = /x\nfoo = 2\n"),
     "server.ini:8: duplicate key 'foo' in [service:a]; it is set in line 5 already"},
    {T("[server]\nxyzzy = 4\n" REST), "server.ini:2: unknown key 'xyzzy' in [server]"},
    {T("[server]\n\x1b[31m = 4\n" REST), "server.ini:2: unknown key '\\x1b[31m' in [server]"},
    {T("[drain]\nworkers = 4\n" REST),
     "server.ini:2: unknown key 'workers' in [drain]; it belongs in [server]"},
    {T("[server]\nbacklog = 4\n" REST),
     "server.ini:2: unknown key 'backlog' in [server]; it belongs in [listen:NAME]"},
    {T("[server]\nworkers = 4\n\nworkers = 5\n" REST),
     "server.ini:4: duplicate key 'workers' in [server]; it is set in line 2 already"},
    {T("[server]\nworkers = x\nworkers = 5\n" REST),
     "server.ini:2: bad value 'x' for 'workers' in [server]; expected auto or a number "
     "from 1 to 256\n"
     "server.ini:3: duplicate key 'workers' in [server]; it is set in line 2 already"},
    {T("[server]\nworker = 4\nworkers = 5\n" REST),
     "server.ini:2: unknown key 'worker' in [server]; did you mean 'workers'?"},
    {T("workers = 4\n[server]\n" REST),
     "server.ini:1: key 'workers' stands before any section, such as [server]"},

    /* values */
    {T("[server]\nworkers =\n" REST), "server.ini:2: empty value for 'workers' in "
                                      "[server]; expected auto or a number from 1 to 256"},
    {T("[server]\nworkers = ; four\n" REST),
     "server.ini:2: empty value for 'workers' in [server]; expected auto or a number from "
     "1 to 256"},
    {T("[server]\nworkers = 4 # four\n" REST),
     "server.ini:2: bad value '4 # four' for 'workers' in [server]; expected auto or a "
     "number from 1 to 256 (a comment after a value begins with ' ;')"},
    {T("[server]\nworkers = 4\x80\n" REST),
     "server.ini:2: bad value '4\\x80' for 'workers' in [server]; expected auto or a "
     "number from 1 to 256"},
    {T("[server]\nlog_level = inof\n" REST),
     "server.ini:2: bad value 'inof' for 'log_level' in [server]; did you mean 'info'?"},
    {T("[drain]\ndeadline = 99999999999999999999h\n" REST),
     "server.ini:2: bad value '99999999999999999999h' for 'deadline' in [drain]; expected "
     "a duration from 0s to 168h, like 250ms, 30s, 5m or 1h"},
    {T("[listen:a]\naddress = localhost:80\nservice = rest\n" REST),
     "server.ini:2: bad value 'localhost:80' for 'address' in [listen:a]; host names are "
     "not looked up, write the address in numbers, like 127.0.0.1:80"},
    {T("[service:a]\ntype = http\nupstream = http://a.example:80\n" REST),
     "server.ini:3: bad value 'http://a.example:80' for 'upstream' in [service:a]; it has no "
     "scheme, write HOST:PORT"},
    {T("[service:a]\ntype = http\nupstream = http://a.example\n" REST),
     "server.ini:3: bad value 'http://a.example' for 'upstream' in [service:a]; it has no "
     "scheme, write HOST:PORT"},
    {T("[service:a]\ntype = http\nupstream = a b:80\n" REST),
     "server.ini:3: bad value 'a b:80' for 'upstream' in [service:a]; a host name has "
     "letters, digits, '-', '.' and '_'"},
    {T("[service:a]\ntype = htpp\nrespond = x\n" REST),
     "server.ini:2: bad value 'htpp' for 'type' in [service:a]; did you mean 'http'?"},
    {T("[server]\nuser =\ncontrol =\ngroup =\npid_file =\n" REST), ""},

    /* sections */
    {T("[sevrer]\nworkers = x\n" REST),
     "server.ini:1: unknown section [sevrer]; did you mean [server]?\n"
     "server.ini:2: bad value 'x' for 'workers' in [server]; expected auto or a number "
     "from 1 to 256"},
    {T("[Server]\n" REST), "server.ini:1: unknown section [Server]; did you mean [server]?"},
    {T("[sever:x]\n" REST), "server.ini:1: unknown section [sever:x]; did you mean [server]?"},
    {T("[lisen:a]\naddress = :2\nservice = rest\n" REST),
     "server.ini:1: unknown section [lisen:a]; did you mean [listen:a]?"},
    {T("[listens]\naddress = :2\nservice = rest\n" REST),
     "server.ini:1: unknown section [listens]; did you mean [listen:NAME]?"},
    {T("[web]\nx = y\n" REST), "server.ini:1: unknown section [web]; there are [server], "
                               "[drain], [listen:NAME], [service:NAME] and [tls:NAME]"},
    {T("[]\n" REST), "server.ini:1: unknown section []; there are [server], [drain], "
                     "[listen:NAME], [service:NAME] and [tls:NAME]"},
    {T("[a\x02:b]\n" REST), "server.ini:1: unknown section [a\\x02:b]; there are "
                            "[server], [drain], [listen:NAME], [service:NAME] and [tls:NAME]"},
    {T("[server:x]\n" REST), "server.ini:1: section [server:x] takes no name; write [server]"},
    {T("[server:]\n" REST), "server.ini:1: section [server:] takes no name; write [server]"},
    {T("[listen]\naddress = :2\nservice = rest\n" REST),
     "server.ini:1: section [listen] needs a name: [listen:NAME]"},
    {T("[service:]\ntype = echo\n[service:]\ntype = echo\n" REST),
     "server.ini:1: section [service] needs a name: [service:NAME]\n"
     "server.ini:3: section [service] needs a name: [service:NAME]"},
    {T("[service:a b]\ntype = echo\n" REST), "server.ini:1: the name 'a b' may only have "
                                             "letters, digits, '-', '_' and '.'"},
    {T("[service:a:b]\ntype = echo\n" REST), "server.ini:1: the name 'a:b' may only have "
                                             "letters, digits, '-', '_' and '.'"},
    {T("[service:" X64 "]\ntype = echo\n" REST),
     "server.ini:1: the name 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...'"
     " is longer than 63 bytes"},
    {T("[service:A-1_.z]\ntype = echo\n" REST), ""},
    {T("[server]\nworkers = 4\n[drain]\n[server]\nworkers = 5\n" REST),
     "server.ini:4: duplicate section [server]; it stands in line 1 already"},
    {T("[drain]\n[drain]\nhandoff = no\nhandoff = no\n" REST),
     "server.ini:2: duplicate section [drain]; it stands in line 1 already\n"
     "server.ini:4: duplicate key 'handoff' in [drain]; it is set in line 3 already"},
    {T("[listen:a]\naddress = :2\nservice = rest\n[listen:a]\naddress = :3\n"
       "service = rest\n" REST),
     "server.ini:4: duplicate section [listen:a]; it stands in line 1 already"},
    {T("[service:rest]\ntype = echo\n" REST),
     "server.ini:6: duplicate section [service:rest]; it stands in line 1 already"},

    /* lines; more of them in check_lines */
    {T("[server\nworkers = 4\n" REST), "server.ini:1: ']' is missing in '[server'"},
    {T("[server]\nworkers\n" REST), "server.ini:2: expected KEY = VALUE, found 'workers'"},
    {T("[listen:a]\naddress = \":2\nservice = rest\n" REST),
     "server.ini:2: the quote that ends address = \":2 is missing"},
    {T("[server]\nwork\0ers = 4\n" REST), "server.ini:2: the line has a NUL byte"},
    {T("\xef\xbb\xbf[server]\r\nworkers = 4 ; four\r\n" REST), ""},

    /* several, in the order of lines, though found in another */
    {T("[listen:a]\nadress = :2\nservice = rets\n[drain]\ncut_over = 2m\nbogus\n" REST),
     "server.ini:2: unknown key 'adress' in [listen:a]; did you mean 'address'?\n"
     "server.ini:3: unknown service 'rets' in [listen:a]; did you mean 'rest'?\n"
     "server.ini:6: expected KEY = VALUE, found 'bogus'"},
};

START_TEST(sentence)
{
	char *text = mem_alloc(cases[_i].len), *said;

	memcpy(text, cases[_i].text, cases[_i].len);
	said = sentences(text, cases[_i].len);
	ck_assert_str_eq(said, cases[_i].said);
	mem_free(&said);
	mem_free(&text);
}
END_TEST

/* n times `line` behind `head`; the caller frees. */
static char *
repeat(const char *head, const char *line, int n)
{
	char *text, *p;

	text = p = mem_alloc(strlen(head) + (size_t)n * (strlen(line) + 16) + 1);
	p += sprintf(p, "%s", head);
	for (int i = 0; i < n; i++)
		p += sprintf(p, line, i + 1);
	return text;
}

START_TEST(thousands_of_errors)
{
	static const char first[] = "x:2: expected KEY = VALUE, found 'bogus1'\n";
	char *text = repeat("[server]\n", "bogus%d\n", 5000), *said;
	struct conf_errors errors = {0};

	ck_assert_ptr_null(conf_parse("x", text, strlen(text), &errors));
	ck_assert_uint_eq(errors.n, 100);
	said = conf_errors_join(&errors);
	ck_assert(strncmp(said, first, strlen(first)) == 0);
	/* the 101st to the 5000th, and that there is no listener */
	ck_assert_ptr_nonnull(strstr(said, "\nx:101: expected KEY = VALUE, found 'bogus100'\n"
	                                   "x: and 4901 more errors"));
	ck_assert_str_eq(strrchr(said, '\n'), "\nx: and 4901 more errors");
	conf_errors_free(&errors);
	mem_free(&said);
	mem_free(&text);
}
END_TEST

START_TEST(one_more_error)
{
	char *text = repeat(REST, "bogus%d\n", 101), *said = sentences(text, strlen(text));
	const char *last = strrchr(said, '\n');

	ck_assert_pstr_eq(last, "\nserver.ini: and 1 more error");
	mem_free(&said);
	mem_free(&text);
}
END_TEST

START_TEST(too_many)
{
	char *text = repeat(REST, "[service:s%d]\ntype = echo\n", CONF_SECTIONS_MAX), *said;

	said = sentences(text, strlen(text));
	ck_assert_str_eq(said, "server.ini:516: more than 256 sections [service:NAME]");
	mem_free(&said);
	mem_free(&text);

	text = repeat("[service:a]\ntype = echo\n[listen:a]\nservice = a\n",
	              "address = 127.0.0.1:%d\n", CONF_ADDR_MAX + 5);
	said = sentences(text, strlen(text));
	ck_assert_str_eq(said, "server.ini:1029: more than 1024 addresses");
	mem_free(&said);
	mem_free(&text);
}
END_TEST

START_TEST(defaults)
{
	struct conf *conf = parse("[listen:a]\naddress = :1\nservice = h\n"
	                          "[service:e]\ntype = echo\n"
	                          "[service:h]\nrespond = x\ntype = http\n");
	const struct conf_listen *l = &conf->listen[0];
	const struct conf_service *e = &conf->service[0], *h = &conf->service[1];

	ck_assert_int_eq(conf->server.workers, 0);
	ck_assert_ptr_null(conf->server.control);
	ck_assert_ptr_null(conf->server.user);
	ck_assert_ptr_null(conf->server.group);
	ck_assert_ptr_null(conf->server.pid_file);
	ck_assert_str_eq(conf->server.log, "auto");
	ck_assert_int_eq(conf->server.log_level, LOGL_INFO);
	ck_assert_int_eq(conf->server.start_timeout, 10000);
	ck_assert_int_eq(conf->server.probation, 1000);
	ck_assert_int_eq(conf->server.max_generations, 8);
	ck_assert_int_eq(conf->server.max_connections, 0);
	ck_assert_int_eq(conf->drain.lame_duck, 0);
	ck_assert_int_eq(conf->drain.deadline, 30000);
	ck_assert(conf->drain.handoff);
	ck_assert_int_eq(conf->drain.cut_over, 1000);
	ck_assert_uint_eq(conf->nlisten, 1);
	ck_assert_uint_eq(l->naddr, 1);
	ck_assert_int_eq(l->addr[0].line, 2);
	ck_assert_uint_eq(l->service_ix, 1);
	ck_assert_int_eq(l->backlog, 4096);
	ck_assert(l->reuseport && l->handoff);
	ck_assert_int_eq(l->reserve, 0);
	ck_assert_int_eq(l->mode, 0666);
	ck_assert_str_eq(e->type, "echo");
	ck_assert_int_eq(e->line, 4);
	ck_assert_int_eq(e->idle_timeout, 0);
	ck_assert_int_eq(e->header_timeout, 10000);
	ck_assert_ptr_null(e->respond);
	ck_assert_str_eq(h->respond, "x");
	ck_assert_ptr_null(h->root);
	ck_assert_str_eq(h->index, "index.html");
	ck_assert_ptr_null(h->health);
	ck_assert_int_eq(h->max_header, 16384);
	ck_assert_int_eq(h->max_body, 1 << 20);
	ck_assert_int_eq(h->header_timeout, 10000);
	ck_assert_int_eq(h->body_timeout, 30000);
	ck_assert_int_eq(h->send_timeout, 60000);
	ck_assert_int_eq(h->request_timeout, 60000);
	ck_assert_int_eq(h->idle_timeout, 75000);
	ck_assert_ptr_eq(conf_find_service(conf, "h"), h);
	ck_assert_ptr_null(conf_find_service(conf, "x"));
	conf_free(&conf);
	ck_assert_ptr_null(conf);
}
END_TEST

START_TEST(keeps_its_text)
{
	struct conf *conf = parse(REST);

	ck_assert_str_eq(conf->path, "server.ini");
	ck_assert_str_eq(conf->text, REST);
	ck_assert_uint_eq(conf->len, strlen(REST));
	conf_free(&conf);
}
END_TEST

/* A default gives way to the key that limits it; a written value does not. */
START_TEST(capped_default)
{
	struct conf *conf = parse("[drain]\ndeadline = 300ms\n" REST);
	char *text = conf_print(conf);

	ck_assert_int_eq(conf->drain.cut_over, 300);
	ck_assert_ptr_nonnull(strstr(text, "\ncut_over = 300ms               ; default 1s, but "
	                                   "at most deadline\n"));
	mem_free(&text);
	conf_free(&conf);
}
END_TEST

/* Same keys with same values?  Lines and origins may differ. */
static void
assert_same(const struct conf *a, const struct conf *b)
{
	for (const struct keys_row *row = keys_table; row < keys_table + keys_count; row++) {
		size_t n = conf_count(a, row->section);

		ck_assert_uint_eq(n, conf_count(b, row->section));
		for (size_t i = 0; i < n; i++)
			for (size_t k = 0; k < 4; k++) {
				char *at = keys_text(row, conf_base(a, row->section, i), k);
				char *bt = keys_text(row, conf_base(b, row->section, i), k);

				ck_assert_pstr_eq(at, bt);
				mem_free(&at);
				mem_free(&bt);
			}
	}
	for (size_t i = 0; i < a->nlisten; i++)
		ck_assert_str_eq(a->listen[i].name, b->listen[i].name);
	for (size_t i = 0; i < a->nservice; i++)
		ck_assert_str_eq(a->service[i].name, b->service[i].name);
}

static const char *const trips[] = {
    REST,
    "[service:a]\ntype = http\nrespond =;begins with a semicolon\n" REST,
    "[service:a]\ntype = http\nrespond = # ; x\n" REST,
    "[service:a]\ntype = http\nrespond = a;b \"c\" = d: [e]\n" REST,
    "[service:a]\ntype = http\nrespond = gr\xc3\xbc\xc3\x9f\x65\n" REST,
    "[service:a]\ntype = http\nroot = /srv/a b\nindex = a;b\nhealth = /h\n" REST,
    "[service:a]\ntype = http\nrespond = x\nhealth =\nmax_header = 1000\nmax_body = 3g\n"
    "header_timeout = 1500ms\nbody_timeout = 90s\nidle_timeout = 0\n" REST,
    "[listen:a]\naddress = :2\naddress = [::]:2\naddress = unix:@x;y\nservice = rest\n"
    "address = systemd:web\nmode = 600\nreuseport = no\nhandoff = no\nbacklog = 1\n" REST,
    "[server]\nworkers = 3\ncontrol = /c\nuser =\ngroup = g\nlog = /l\nlog_level = error\n"
    "pid_file = /p\nstart_timeout = 1m\nprobation = 0\nmax_generations = 2\n"
    "max_connections = 10000\n[drain]\nlame_duck = 5s\ndeadline = 500ms\nhandoff = no\n" REST,
};

/* An admin's reserve, unless the file says otherwise, by max_connections and what others
 * have in reserve. */
static const struct {
	const char *keys, *others;
	int max, reserve;
} reserves[] = {
    {"", "", 0, 8},
    {"", "", 16, 8},
    {"", "", 15, 7},
    {"", "", 1, 0},
    {"", "reserve = 10\n", 20, 5},
    {"", "reserve = 20\n", 20, 0},
    {"", "reserve = 100\n", 0, 8},
    {"reserve = 0\n", "", 0, 0},
    {"reserve = 3\n", "", 16, 3},
    {"reserve = 16\n", "", 16, 16},
};

START_TEST(an_admin_has_a_reserve)
{
	char *text = mem_printf("[server]\nmax_connections = %d\n"
	                        "[listen:a]\naddress = :1\nservice = a\n%s"
	                        "[listen:e]\naddress = :2\nservice = e\n%s"
	                        "[service:a]\ntype = admin\n[service:e]\ntype = echo\n",
	                        reserves[_i].max, reserves[_i].keys, reserves[_i].others);
	struct conf *a = parse(text), *b;
	char *again = conf_print(a);

	ck_assert_int_eq(a->listen[0].reserve, reserves[_i].reserve);
	b = parse(again);
	assert_same(a, b);
	conf_free(&a);
	conf_free(&b);
	mem_free(&again);
	mem_free(&text);
}
END_TEST

START_TEST(round_trip)
{
	struct conf *a = parse(trips[_i]), *b;
	char *text = conf_print(a), *again;

	b = parse(text);
	assert_same(a, b);
	again = conf_print(b);
	ck_assert_ptr_nonnull(again);
	conf_free(&a);
	conf_free(&b);
	mem_free(&text);
	mem_free(&again);
}
END_TEST

/* The longest line that is allowed must not grow beyond what is allowed. */
START_TEST(round_trip_of_longest_line)
{
	char *text = mem_alloc(70000 + sizeof REST), *printed;
	size_t n = (size_t)sprintf(text, "[service:a]\ntype=http\nrespond=");
	struct conf *a, *b;

	memset(text + n, 'x', 65536 - strlen("respond="));
	strcat(text, "\n" REST);
	a = parse(text);
	printed = conf_print(a);
	b = parse(printed);
	assert_same(a, b);
	ck_assert_uint_eq(strlen(b->service[0].respond), 65536 - strlen("respond="));
	conf_free(&a);
	conf_free(&b);
	mem_free(&printed);
	mem_free(&text);
}
END_TEST

START_TEST(print)
{
	static const char *const lines[] = {
	    "; every key, its value, and where it comes from\n\n[server]\n"
	    "workers = auto                 ; server.ini:2 (default auto)\n"
	    "; control =                    ; not set\n"
	    "user =                         ; server.ini:3\n"
	    "; group =                      ; not set\n",
	    "log_level = info               ; default\n",
	    "\n[drain]\n",
	    "\n[listen:rest]\n"
	    "address = :1                   ; server.ini:9\n"
	    "address = :2                   ; server.ini:10\n"
	    "service = rest                 ; server.ini:11\n"
	    "backlog = 4096                 ; default\n",
	    "\n[service:rest]\n"
	    "type = http                    ; server.ini:5\n"
	    "; server.ini:6\n"
	    "respond=;hello\n"
	    "; root =                       ; not set\n",
	    "send_timeout = 60s             ; default\n",
	    "header_timeout = 2m            ; server.ini:7 (default 10s)\n",
	    NULL,
	};
	struct conf *conf =
	    parse("[server]\nworkers = auto\nuser =\n"
	          "[service:rest]\ntype = http\nrespond =;hello\nheader_timeout = 2m\n"
	          "[listen:rest]\naddress = :1\naddress = :2\nservice = rest\n");
	char *text = conf_print(conf);

	conf_free(&conf);
	for (int i = 0; lines[i] != NULL; i++)
		ck_assert_msg(strstr(text, lines[i]) != NULL, "%s\nis not in\n%s", lines[i],
		              text);
	mem_free(&text);
}
END_TEST

/* An echo service has no keys of http. */
START_TEST(print_by_type)
{
	struct conf *conf = parse(REST);
	char *text = conf_print(conf);

	ck_assert_ptr_null(strstr(text, "respond"));
	ck_assert_ptr_nonnull(strstr(text, "\nidle_timeout = 0s              ; default\n"));
	mem_free(&text);
	conf_free(&conf);
}
END_TEST

/* What only a module knows is kept as it is written; another type has no such keys. */
START_TEST(keys_of_a_module)
{
	struct conf *conf =
	    parse("[listen:c]\naddress = :0\nservice = c\n[service:c]\n"
	          "topic = all; or none\ntype = module\npath = /x.so\nlimit = 3\n");
	const struct conf_service *s = &conf->service[0];
	char *text = conf_print(conf);

	ck_assert_uint_eq(s->nown, 2);
	ck_assert_str_eq(s->own[0].key, "topic");
	ck_assert_str_eq(s->own[0].value, "all; or none");
	ck_assert_int_eq(s->own[1].line, 8);
	ck_assert_ptr_nonnull(
	    strstr(text, "\nlimit = 3                      ; server.ini:8\n"));
	conf_free(&conf);
	conf = parse(text);
	ck_assert_uint_eq(conf->service[0].nown, 2);
	ck_assert_str_eq(conf->service[0].own[0].value, "all; or none");
	mem_free(&text);
	conf_free(&conf);
}
END_TEST

/* The sample runs, and says of every key what it would be without it. */
START_TEST(sample)
{
	char *text = conf_sample(), *bare;
	struct conf *conf = parse(text);
	size_t lines = 0;

	ck_assert_uint_eq(conf->nlisten, 2);
	ck_assert_str_eq(conf->listen[0].addr[0].text, "127.0.0.1:8080");
	ck_assert_str_eq(conf->service[conf->listen[0].service_ix].respond, "hello, world");
	ck_assert_str_eq(conf->listen[1].addr[0].text, "127.0.0.1:7000");
	ck_assert_str_eq(conf->service[conf->listen[1].service_ix].type, "echo");
	conf_free(&conf);
	for (const char *s = text; *s != '\0'; s++)
		lines += *s == '\n';
	ck_assert_uint_le(lines, 130);
	for (const struct keys_row *row = keys_table; row < keys_table + keys_count; row++) {
		bare = mem_printf("%s = ", row->name);
		ck_assert_msg(strstr(text, bare) != NULL, "%s", bare);
		ck_assert_msg(strstr(text, row->help) != NULL, "%s", row->help);
		mem_free(&bare);
	}
	mem_free(&text);
}
END_TEST

/* Each commented key of the sample can be uncommented. */
START_TEST(sample_uncommented)
{
	char *text = conf_sample(), *root;
	struct conf *conf;

	for (char *s = text; (s = strstr(s, "\n; ")) != NULL; s++)
		if (s[3] == '[' ||
		    (strchr(s + 3, '=') != NULL && strchr(s + 3, '=') < strchr(s + 3, '\n')))
			memcpy(s, "\n  ", 3);
	root = strstr(text, "\n  root = ");
	ck_assert_ptr_nonnull(root);
	root[1] = ';';
	conf = parse(text);
	ck_assert_str_eq(conf->server.user, "baton");
	ck_assert_str_eq(conf->service[0].health, "/health");
	conf_free(&conf);
	mem_free(&text);
}
END_TEST

static char *
slurp(const char *path)
{
	struct conf_errors errors = {0};
	size_t len;
	char *text = conf_read(path, &len, &errors);

	conf_errors_free(&errors);
	return text;
}

/* server.ini in the root of the tree is what the table says. */
START_TEST(sample_file)
{
	const char *source = getenv("SOURCE"), *srcdir = getenv("srcdir");
	char *path = mem_printf("%s/server.ini", source != NULL   ? source
	                                         : srcdir != NULL ? srcdir
	                                                          : ".");
	char *file = slurp(path), *text = conf_sample();

	ck_assert_msg(file != NULL, "no %s; run this in the root, or set SOURCE", path);
	ck_assert_str_eq(file, text);
	mem_free(&file);
	mem_free(&text);
	mem_free(&path);
}
END_TEST

static char dir[64];

static char *
in_dir(const char *name)
{
	return mem_printf("%s/%s", dir, name);
}

static void
make_dir(void)
{
	strcpy(dir, "/tmp/check_conf.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
remove_dir(void)
{
	static const char *const names[] = {"file", "fifo"};

	for (int i = 0; i < COUNT(names); i++) {
		char *path = in_dir(names[i]);

		unlink(path);
		mem_free(&path);
	}
	rmdir(dir);
}

static void
write_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
}

/* conf_load says this one sentence, behind the path. */
static void
assert_load_says(const char *path, const char *said)
{
	struct conf_errors errors = {0};
	char *expected = mem_printf("%s: %s", path, said), *all;

	ck_assert_ptr_null(conf_load(path, &errors));
	ck_assert_uint_eq(errors.n, 1);
	all = conf_errors_join(&errors);
	ck_assert_str_eq(all, expected);
	conf_errors_free(&errors);
	mem_free(&expected);
	mem_free(&all);
}

START_TEST(load)
{
	char *path = in_dir("file");
	struct conf_errors errors = {0};
	struct conf *conf;

	write_file(path, REST, strlen(REST));
	conf = conf_load(path, &errors);
	ck_assert_ptr_nonnull(conf);
	ck_assert_uint_eq(errors.n, 0);
	ck_assert_str_eq(conf->path, path);
	ck_assert_str_eq(conf->text, REST);
	conf_free(&conf);
	mem_free(&path);
}
END_TEST

START_TEST(load_strange_files)
{
	char *file = in_dir("file"), *fifo = in_dir("fifo"), *below = in_dir("file/below");

	assert_load_says(file, "there is no such file");
	assert_load_says(dir, "is a directory, not a file");
	ck_assert_int_eq(mkfifo(fifo, 0600), 0);
	assert_load_says(fifo, "is not a regular file"); /* and does not wait */
	assert_load_says("/dev/null", "is not a regular file");
	write_file(file, "", 0);
	assert_load_says(file, "the file is empty, there is nothing to serve");
	assert_load_says(below, "cannot be opened: Not a directory");
	assert_load_says("/proc/self/mem", "cannot be read: Input/output error");
	mem_free(&file);
	mem_free(&fifo);
	mem_free(&below);
}
END_TEST

START_TEST(load_unreadable)
{
	char *file = in_dir("file");

	write_file(file, REST, strlen(REST));
	ck_assert_int_eq(chmod(file, 0), 0);
	/* root may read everything */
	if (geteuid() == 0) {
		ck_assert_int_eq(chmod(dir, 0711), 0);
		ck_assert_int_eq(seteuid(65534), 0);
		assert_load_says(file, "cannot be opened: Permission denied");
		ck_assert_int_eq(seteuid(0), 0);
	} else {
		assert_load_says(file, "cannot be opened: Permission denied");
	}
	mem_free(&file);
}
END_TEST

START_TEST(load_largest)
{
	char *file = in_dir("file"), *text = mem_alloc(CONF_FILE_MAX + 2);
	struct conf_errors errors = {0};
	struct conf *conf;

	memset(text, '\n', CONF_FILE_MAX + 1);
	memcpy(text, REST, strlen(REST));
	write_file(file, text, CONF_FILE_MAX);
	conf = conf_load(file, &errors);
	ck_assert_ptr_nonnull(conf);
	conf_free(&conf);
	write_file(file, text, CONF_FILE_MAX + 1);
	assert_load_says(file, "is larger than 4194304 bytes");
	mem_free(&file);
	mem_free(&text);
}
END_TEST

/* A file that says it is empty and is not, as those of /proc. */
START_TEST(load_of_unknown_size)
{
	char *text = slurp("/proc/self/smaps");

	ck_assert_ptr_nonnull(text);
	ck_assert_uint_gt(strlen(text), 4096);
	mem_free(&text);
}
END_TEST

/* A path is data, too: no control bytes reach the terminal. */
START_TEST(strange_path)
{
	static const char found[] = "a\\x1b:1: expected KEY = VALUE, found 'x'\n";
	struct conf_errors errors = {0};
	char *said;

	ck_assert_ptr_null(conf_load("/no\nsuch", &errors));
	said = conf_errors_join(&errors);
	ck_assert_str_eq(said, "/no\\x0asuch: there is no such file");
	conf_errors_free(&errors);
	mem_free(&said);
	ck_assert_ptr_null(conf_parse("a\x1b", "x\n[listen:a]\n", 2, &errors));
	said = conf_errors_join(&errors);
	ck_assert(strncmp(said, found, strlen(found)) == 0);
	conf_errors_free(&errors);
	mem_free(&said);
}
END_TEST

START_TEST(errors_join)
{
	struct conf_errors errors = {0};
	char *none = conf_errors_join(&errors), *two;

	conf_error(&errors, CONF_NO_LINE, "two");
	conf_error(&errors, 7, "%s %d", "one", 1);
	two = conf_errors_join(&errors);
	ck_assert_str_eq(none, "");
	ck_assert_str_eq(two, "one 1\ntwo");
	mem_free(&two);
	errors.path = "f";
	two = conf_errors_join(&errors);
	ck_assert_str_eq(two, "f:7: one 1\nf: two");
	mem_free(&none);
	mem_free(&two);
	conf_errors_free(&errors);
	conf_errors_free(&errors);
}
END_TEST

/* However a file is cut or bent, it ends in a tree or in sentences. */
START_TEST(cut_and_bent)
{
	char *text = conf_sample(), *bent = mem_strdup(text), *said;
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i += 7) {
		said = sentences(text, i);
		mem_free(&said);
	}
	for (size_t i = 0; i < len; i += 5) {
		bent[i] = (char)(bent[i] ^ (1 << (i % 8)));
		said = sentences(bent, len);
		mem_free(&said);
	}
	mem_free(&bent);
	mem_free(&text);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("conf");
	TCase *tc = tcase_create("text"), *files = tcase_create("files");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, sentence, 0, COUNT(cases));
	tcase_add_test(tc, thousands_of_errors);
	tcase_add_test(tc, one_more_error);
	tcase_add_test(tc, too_many);
	tcase_add_test(tc, defaults);
	tcase_add_test(tc, keeps_its_text);
	tcase_add_test(tc, capped_default);
	tcase_add_loop_test(tc, an_admin_has_a_reserve, 0, COUNT(reserves));
	tcase_add_loop_test(tc, round_trip, 0, COUNT(trips));
	tcase_add_test(tc, round_trip_of_longest_line);
	tcase_add_test(tc, print);
	tcase_add_test(tc, print_by_type);
	tcase_add_test(tc, keys_of_a_module);
	tcase_add_test(tc, sample);
	tcase_add_test(tc, sample_uncommented);
	tcase_add_test(tc, sample_file);
	tcase_add_test(tc, strange_path);
	tcase_add_test(tc, errors_join);
	tcase_add_test(tc, cut_and_bent);
	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(files, make_dir, remove_dir);
	tcase_add_test(files, load);
	tcase_add_test(files, load_strange_files);
	tcase_add_test(files, load_unreadable);
	tcase_add_test(files, load_largest);
	tcase_add_test(files, load_of_unknown_size);
	suite_add_tcase(suite, files);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
