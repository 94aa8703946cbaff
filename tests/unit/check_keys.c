/* The table itself, and each type's way from text to field and back. */
#include "conf/keys.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

/* Room for the struct of any section. */
static union {
	struct conf_server server;
	struct conf_drain drain;
	struct conf_listen listen;
	struct conf_service service;
} seat;

static const size_t sizes[] = {
    sizeof(struct conf_server),
    sizeof(struct conf_drain),
    sizeof(struct conf_listen),
    sizeof(struct conf_service),
    sizeof(struct conf_tls),
};

static const struct keys_row *
the(enum conf_section section, const char *name)
{
	const struct keys_row *row = keys_find(section, name, 0);

	ck_assert_msg(row != NULL, "no key '%s'", name);
	return row;
}

START_TEST(row_is_whole)
{
	const struct keys_row *row = &keys_table[_i];
	char *expect = keys_expect(row);

	ck_assert_msg(row->name != NULL && *row->name != '\0', "row %d has no name", _i);
	ck_assert_msg(row->help != NULL && strlen(row->help) > 5, "%s: no help", row->name);
	ck_assert_msg(strlen(row->help) <= 64, "%s: the help is long", row->name);
	ck_assert_msg((row->dflt == NULL) != (row->example == NULL),
	              "%s: a default or an example, not both", row->name);
	ck_assert_msg(row->offset < sizes[row->section], "%s: offset", row->name);
	ck_assert_msg(row->min <= row->max, "%s: range", row->name);
	ck_assert_msg(row->types == 0 || row->section == CONF_SERVICE, "%s: types", row->name);
	ck_assert_msg(strlen(expect) > 5, "%s: expects '%s'", row->name, expect);
	ck_assert_msg(!(row->flags & KEYS_MAY_EMPTY) || row->dflt == NULL, "%s: empty",
	              row->name);
	ck_assert_msg(row->type > KEYS_ENUM || row->dflt != NULL, "%s: a number has a default",
	              row->name);
	mem_free(&expect);
}
END_TEST

/* Defaults and examples are values that the parser takes, and read back. */
START_TEST(row_reads_its_own)
{
	const struct keys_row *row = &keys_table[_i];
	const char *value = row->dflt != NULL ? row->dflt : row->example;
	char *cause = NULL, *text, *again;

	ck_assert_msg(keys_set(row, &seat, 1, value, &cause) == 0, "%s: %s", row->name, cause);
	text = keys_text(row, &seat, 0);
	ck_assert_ptr_nonnull(text);
	keys_clear(row->section, &seat);
	ck_assert_int_eq(keys_set(row, &seat, 1, text, NULL), 0);
	again = keys_text(row, &seat, 0);
	ck_assert_str_eq(text, again);
	keys_clear(row->section, &seat);
	mem_free(&text);
	mem_free(&again);
}
END_TEST

/* A default is within the range, and a key without one stays unset. */
START_TEST(row_default)
{
	const struct keys_row *row = &keys_table[_i];
	char *text;

	memset(&seat, 0, sizeof seat);
	keys_set_default(row, &seat);
	text = keys_text(row, &seat, 0);
	ck_assert_int_eq(text != NULL, row->dflt != NULL);
	if (row->dflt != NULL && row->type < KEYS_ENUM && row->type != KEYS_BOOL &&
	    row->zero == NULL)
		ck_assert(keys_number(row, &seat) >= row->min &&
		          keys_number(row, &seat) <= row->max);
	mem_free(&text);
	keys_clear(row->section, &seat);
}
END_TEST

/* As keys.h promises: the parser may read a key before it knows the type. */
START_TEST(row_agrees_with_namesakes)
{
	const struct keys_row *a = &keys_table[_i], *b = keys_find(a->section, a->name, 0);

	ck_assert_uint_eq(a->offset, b->offset);
	ck_assert_int_eq(a->type, b->type);
	ck_assert_uint_eq(a->flags | KEYS_BEHIND, b->flags | KEYS_BEHIND);
	ck_assert(a->min == b->min && a->max == b->max);
	if (a->type != KEYS_HOST)
		ck_assert_ptr_eq(a->words, b->words);
	ck_assert_pstr_eq(a->cap, b->cap);
	ck_assert(a == b || (a->types & b->types) == 0);
	if (a->cap != NULL)
		ck_assert_ptr_nonnull(keys_find(a->section, a->cap, a->types));
}
END_TEST

START_TEST(find)
{
	unsigned echo = keys_type_bit("echo"), http = keys_type_bit("http");

	ck_assert_ptr_null(keys_find(CONF_SERVER, "worker", 0));
	ck_assert_ptr_null(keys_find(CONF_SERVER, "deadline", 0));
	ck_assert_str_eq(keys_find(CONF_SERVICE, "idle_timeout", http)->dflt, "75s");
	ck_assert_str_eq(keys_find(CONF_SERVICE, "idle_timeout", echo)->dflt, "0s");
	ck_assert(!keys_fits(keys_find(CONF_SERVICE, "root", echo), echo));
	ck_assert(keys_fits(keys_find(CONF_SERVICE, "root", http), http));
	ck_assert(keys_fits(keys_find(CONF_SERVICE, "root", 0), 0));
	ck_assert(keys_fits(keys_find(CONF_SERVICE, "type", echo), echo));
	ck_assert_ptr_ne(keys_find(CONF_DRAIN, "handoff", 0),
	                 keys_find(CONF_LISTEN, "handoff", 0));
	ck_assert_uint_ne(echo, http);
	ck_assert_uint_eq(keys_type_bit("gopher"), 0);
	ck_assert_uint_eq(keys_type_bit(NULL), 0);
	ck_assert(!keys_section_named(CONF_SERVER) && !keys_section_named(CONF_DRAIN));
	ck_assert(keys_section_named(CONF_LISTEN) && keys_section_named(CONF_SERVICE));
}
END_TEST

/* Values at the edges of each key's range.  A NULL cause: it is taken. */
static const struct value_case {
	enum conf_section section;
	const char *key, *value, *cause;
} values[] = {
    {CONF_SERVER, "workers", "auto", NULL},
    {CONF_SERVER, "workers", "1", NULL},
    {CONF_SERVER, "workers", "256", NULL},
    {CONF_SERVER, "workers", "0", "expected auto or a number from 1 to 256"},
    {CONF_SERVER, "workers", "257", "expected auto or a number from 1 to 256"},
    {CONF_SERVER, "workers", "99999999999999999999", "expected auto or a number from 1 to 256"},
    {CONF_SERVER, "workers", "", "expected auto or a number from 1 to 256"},
    {CONF_SERVER, "workers", "atuo", "did you mean 'auto'?"},
    {CONF_SERVER, "control", "/x", NULL},
    {CONF_SERVER, "control", "", NULL},
    {CONF_SERVER, "control", "x", "expected an absolute path of at most 107 bytes"},
    {CONF_SERVER, "control",
     "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
     "xxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "expected an absolute path of at most 107 bytes"},
    {CONF_SERVER, "user", "www-data", NULL},
    {CONF_SERVER, "user", "1000", NULL},
    {CONF_SERVER, "user", "", NULL},
    {CONF_SERVER, "user", "a b", "expected a name or a number"},
    {CONF_SERVER, "user", "a:b", "expected a name or a number"},
    {CONF_SERVER, "group", "a/b", "expected a name or a number"},
    {CONF_SERVER, "log", "stderr", NULL},
    {CONF_SERVER, "log", "/var/log/baton.log", NULL},
    {CONF_SERVER, "log", "baton.log", "expected auto, stderr or an absolute path"},
    {CONF_SERVER, "log", "sdterr", "did you mean 'stderr'?"},
    {CONF_SERVER, "log", "", "expected auto, stderr or an absolute path"},
    {CONF_SERVER, "log_level", "debug", NULL},
    {CONF_SERVER, "log_level", "inof", "did you mean 'info'?"},
    {CONF_SERVER, "log_level", "verbose", "expected debug, info, warn or error"},
    {CONF_SERVER, "pid_file", "baton.pid", "expected an absolute path"},
    {CONF_SERVER, "start_timeout", "10ms", NULL},
    {CONF_SERVER, "start_timeout", "9ms",
     "expected a duration from 10ms to 1h, like 250ms, 30s, 5m or 1h"},
    {CONF_SERVER, "start_timeout", "61m",
     "expected a duration from 10ms to 1h, like 250ms, 30s, 5m or 1h"},
    {CONF_SERVER, "start_timeout", "10",
     "expected a duration from 10ms to 1h, like 250ms, 30s, 5m or 1h"},
    {CONF_SERVER, "probation", "0", NULL},
    {CONF_SERVER, "max_generations", "2", NULL},
    {CONF_SERVER, "max_generations", "64", NULL},
    {CONF_SERVER, "max_generations", "1", "expected a number from 2 to 64"},
    {CONF_SERVER, "max_generations", "65", "expected a number from 2 to 64"},
    {CONF_SERVER, "max_generations", "auto", "expected a number from 2 to 64"},
    {CONF_SERVER, "max_connections", "10000000", NULL},
    {CONF_SERVER, "max_connections", "10000001", "expected a number from 0 to 10000000"},

    {CONF_DRAIN, "lame_duck", "1h", NULL},
    {CONF_DRAIN, "deadline", "168h", NULL},
    {CONF_DRAIN, "deadline", "169h",
     "expected a duration from 0s to 168h, like 250ms, 30s, 5m or 1h"},
    {CONF_DRAIN, "handoff", "no", NULL},
    {CONF_DRAIN, "handoff", "true", "expected yes or no"},
    {CONF_DRAIN, "handoff", "on", "expected yes or no"},
    {CONF_DRAIN, "handoff", "", "expected yes or no"},
    {CONF_DRAIN, "cut_over", "11m",
     "expected a duration from 0s to 10m, like 250ms, 30s, 5m or 1h"},

    {CONF_LISTEN, "address", "", "expected HOST:PORT, [IPV6]:PORT, unix:/PATH or systemd:NAME"},
    {CONF_LISTEN, "address", "80", "the port is missing, write HOST:PORT or :PORT"},
    {CONF_LISTEN, "service", "", "expected some text"},
    {CONF_LISTEN, "backlog", "0", "expected a number from 1 to 65535"},
    {CONF_LISTEN, "backlog", "65535", NULL},
    {CONF_LISTEN, "mode", "0777", NULL},
    {CONF_LISTEN, "mode", "600", NULL},
    {CONF_LISTEN, "mode", "1777", "expected octal permissions from 0000 to 0777"},
    {CONF_LISTEN, "mode", "rw", "expected octal permissions from 0000 to 0777"},

    {CONF_SERVICE, "type", "echo", NULL},
    {CONF_SERVICE, "type", "htpp", "did you mean 'http'?"},
    {CONF_SERVICE, "type", "gopher", "expected echo, http, proxy, module or admin"},
    {CONF_SERVICE, "type", "", "expected echo, http, proxy, module or admin"},
    {CONF_SERVICE, "respond", "any thing: a;b = [c]", NULL},
    {CONF_SERVICE, "respond", "", "expected some text"},
    {CONF_SERVICE, "root", "www", "expected an absolute path"},
    {CONF_SERVICE, "index", "a/b", "expected a file name without '/'"},
    {CONF_SERVICE, "index", "..", "expected a file name without '/'"},
    {CONF_SERVICE, "index", "main page.html", NULL},
    {CONF_SERVICE, "health", "/-/health", NULL},
    {CONF_SERVICE, "health", "", NULL},
    {CONF_SERVICE, "health", "health",
     "expected a path that begins with '/', without blanks, '?' and '#'"},
    {CONF_SERVICE, "health", "/a b",
     "expected a path that begins with '/', without blanks, '?' and '#'"},
    {CONF_SERVICE, "health", "/a?b",
     "expected a path that begins with '/', without blanks, '?' and '#'"},
    {CONF_SERVICE, "max_header", "256", NULL},
    {CONF_SERVICE, "max_header", "255",
     "expected a size from 256 to 1m, like 64k, 1m or plain bytes"},
    {CONF_SERVICE, "max_body", "0", NULL},
    {CONF_SERVICE, "max_body", "1024g", NULL},
    {CONF_SERVICE, "max_body", "1025g",
     "expected a size from 0 to 1024g, like 64k, 1m or plain bytes"},
    {CONF_SERVICE, "request_timeout", "24h", NULL},
    {CONF_SERVICE, "idle_timeout", "0s", NULL},
};

START_TEST(value)
{
	const struct value_case *c = &values[_i];
	const struct keys_row *row = the(c->section, c->key);
	char *cause = NULL;
	int rc = keys_set(row, &seat, 1, c->value, &cause);

	ck_assert_int_eq(rc, c->cause == NULL ? 0 : -1);
	ck_assert_pstr_eq(cause, c->cause);
	mem_free(&cause);
	keys_clear(c->section, &seat);
}
END_TEST

/* The fields really hold it, and a refused value leaves them alone. */
START_TEST(fields)
{
	struct conf_server s = {.workers = 7};

	ck_assert_int_eq(keys_set(the(CONF_SERVER, "workers"), &s, 1, "300", NULL), -1);
	ck_assert_int_eq(s.workers, 7);
	ck_assert_int_eq(keys_set(the(CONF_SERVER, "workers"), &s, 1, "auto", NULL), 0);
	ck_assert_int_eq(s.workers, 0);
	keys_set(the(CONF_SERVER, "log_level"), &s, 1, "warn", NULL);
	ck_assert_int_eq(s.log_level, LOGL_WARN);
	keys_set(the(CONF_SERVER, "start_timeout"), &s, 1, "2s", NULL);
	ck_assert_int_eq(s.start_timeout, 2000);
	keys_set(the(CONF_SERVER, "user"), &s, 1, "baton", NULL);
	ck_assert_str_eq(s.user, "baton");
	ck_assert_int_eq(keys_set(the(CONF_SERVER, "user"), &s, 1, "a b", NULL), -1);
	ck_assert_str_eq(s.user, "baton");
	keys_set(the(CONF_SERVER, "user"), &s, 1, "nobody", NULL);
	ck_assert_str_eq(s.user, "nobody");
	keys_set(the(CONF_SERVER, "user"), &s, 1, "", NULL);
	ck_assert_ptr_null(s.user);
	keys_set(the(CONF_SERVER, "control"), &s, 1, "/x", NULL);
	keys_clear(CONF_SERVER, &s);
	ck_assert_ptr_null(s.control);
}
END_TEST

START_TEST(addresses)
{
	struct conf_listen l = {.name = NULL};
	const struct keys_row *row = the(CONF_LISTEN, "address");
	char text[32], *back;

	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof text, "127.0.0.1:%d", i);
		ck_assert_int_eq(keys_set(row, &l, i, text, NULL), 0);
	}
	ck_assert_int_eq(keys_set(row, &l, 20, "nonsense", NULL), -1);
	ck_assert_uint_eq(l.naddr, 20);
	ck_assert_int_eq(l.addr[19].line, 19);
	back = keys_text(row, &l, 19);
	ck_assert_str_eq(back, "127.0.0.1:19");
	mem_free(&back);
	ck_assert_ptr_null(keys_text(row, &l, 20));
	keys_clear(CONF_LISTEN, &l);
	ck_assert_uint_eq(l.naddr, 0);
	ck_assert_ptr_null(l.addr);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("keys");
	TCase *tc = tcase_create("keys");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, row_is_whole, 0, (int)keys_count);
	tcase_add_loop_test(tc, row_reads_its_own, 0, (int)keys_count);
	tcase_add_loop_test(tc, row_default, 0, (int)keys_count);
	tcase_add_loop_test(tc, row_agrees_with_namesakes, 0, (int)keys_count);
	tcase_add_test(tc, find);
	tcase_add_loop_test(tc, value, 0, COUNT(values));
	tcase_add_test(tc, fields);
	tcase_add_test(tc, addresses);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
