/* screen, rates and the words of the history: what is shown, at every size. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/history.h"
#include "ctl/rates.h"
#include "ctl/screen.h"
#include "ctl/words.h"

static const char STATUS[] =
    "{\"pid\":4711,\"version\":\"0.1.0\",\"uptime_ms\":%d,\"state\":\"running\","
    "\"generations\":["
    "{\"id\":2,\"state\":\"%s\",\"version\":\"0.0.9\",\"age_ms\":9900,\"slots\":2,"
    "\"workers\":[{}],\"new\":0,\"idle\":0,\"busy\":%d,\"left_ms\":12000},"
    "{\"id\":3,\"state\":\"active\",\"version\":\"0.1.0\",\"age_ms\":65000,\"slots\":1,"
    "\"workers\":[{}],\"new\":1,\"idle\":30,\"busy\":9}],"
    "\"listeners\":[{\"name\":\"web\",\"address\":\"127.0.0.1:8080\",\"service\":\"site\","
    "\"answers\":{\"1xx\":0,\"2xx\":12,\"3xx\":null,\"4xx\":3,\"5xx\":0}},"
    "{\"name\":\"ec\\u001b[2Jho\",\"address\":\"[::1]:7000\",\"service\":\"echo\"}],"
    "\"last\":{\"what\":\"reload\",\"outcome\":\"rolled_back\",\"reason\":\"a\\nb\","
    "\"took_ms\":12},"
    "\"totals\":{\"accepted\":%d,\"requests\":%d,\"bytes_in\":0,\"bytes_out\":4096,"
    "\"cut\":1,\"handed_off\":2,\"refused\":3,\"worker_deaths\":4},"
    "\"warnings\":[\"one\",\"two\",\"three\",\"four\"]}";

static json_t *
loaded(char *text)
{
	json_t *j = json_loads(text, 0, NULL);

	ck_assert_msg(j != NULL, "%s", text);
	free(text);
	return j;
}

static void
set_status(struct screen *s, int uptime, const char *state, int busy, int requests)
{
	json_t *j = loaded(mem_printf(STATUS, uptime, state, busy, requests / 10, requests));

	screen_set_status(s, j);
	json_decref(j);
}

static void
set_history(struct screen *s, int n)
{
	json_t *list = json_array(), *j;

	for (int i = 1; i <= n; i++)
		json_array_append_new(
		    list, json_pack("{s:i, s:s, s:s, s:s, s:i, s:I, s:[{s:s, s:i, s:s}]}",
		                    "seq", i, "what", "reload", "outcome", "committed",
		                    "reason", "", "took_ms", i, "at_ms", (json_int_t)i * 1000,
		                    "by", "how", "control", "uid", 0, "user", "root"));
	j = json_pack("{s:o}", "history", list);
	screen_set_history(s, j);
	json_decref(j);
}

/* The lines as one text; the caller's. */
static char *
drawn(const struct screen *s, size_t width, size_t height)
{
	struct screen_frame f = screen_draw(s, width, height, "12:34:56");
	char *all = mem_strdup(""), *more;

	ck_assert_uint_le(f.n, height);
	for (size_t i = 0; i < f.n; i++) {
		ck_assert_uint_le(words_width(f.line[i].text), width);
		ck_assert_ptr_null(strpbrk(f.line[i].text, "\033\n\r"));
		more = mem_printf("%s%s\n", all, f.line[i].text);
		free(all);
		all = more;
	}
	screen_frame_free(&f);
	return all;
}

static void
expect(const struct screen *s, size_t width, size_t height, const char *part)
{
	char *all = drawn(s, width, height);

	ck_assert_msg(strstr(all, part) != NULL, "no '%s' in\n%s", part, all);
	free(all);
}

static void
expect_not(const struct screen *s, size_t width, size_t height, const char *part)
{
	char *all = drawn(s, width, height);

	ck_assert_msg(strstr(all, part) == NULL, "'%s' in\n%s", part, all);
	free(all);
}

START_TEST(a_usual_terminal)
{
	struct screen *s = screen_new();

	set_status(s, 1000, "draining", 40, 100);
	set_history(s, 5);
	expect(s, 80, 24, "baton 0.1.0, pid 4711, up 1.0s: running");
	expect(s, 80, 24, " 12:34:56\n");
	expect(s, 80, 24, "\nlast reload: rolled back after 12ms: a; b\n");
	expect(s, 80, 24, "per second: requests -  connections -  in -  out -\n");
	expect(s, 80, 24,
	       "so far: accepted 10  handed off 2  cut 1  refused 3  worker deaths 4\n");
	expect(s, 80, 24, "\nwarning: one\nwarning: two\nand 2 more warnings");
	expect(s, 80, 24,
	       "    2  draining   1 of 2  [####################]    40 of 40, 0% done, 12s ");
	expect(s, 80, 24,
	       "    3  active          1  [####===============.]    40 new 1 idle 30 busy 9");
	expect(s, 80, 24,
	       "  web            127.0.0.1:8080               site: 12 2xx, 3 4xx\n");
	expect(s, 80, 24, "  ec?[2Jho ");
	expect(s, 80, 24, "q ends\n");
	screen_free(&s);
}
END_TEST

/* The bar of a drain is measured by what there was, which nobody tells later. */
START_TEST(a_drain_goes_on)
{
	struct screen *s = screen_new();

	set_status(s, 1000, "active", 60, 0);
	set_status(s, 1500, "active", 40, 0);
	set_status(s, 2000, "draining", 30, 0);
	set_status(s, 2500, "draining", 10, 0);
	expect(s, 80, 24, "[#####               ]    10 of 40, 75% done, 12s");
	expect(s, 40, 24, "  2 draining [##      ] 10 of 40, 12s");
	set_status(s, 3000, "draining", 0, 0);
	expect(s, 80, 24, "[                    ]     0 of 40, 100% done");
	screen_free(&s);
}
END_TEST

START_TEST(a_change_is_under_way)
{
	struct screen *s = screen_new();
	json_t *j = loaded(mem_printf(STATUS, 1, "active", 0, 0, 0));

	json_object_set_new(j, "change",
	                    json_pack("{s:s, s:s, s:i, s:i}", "what", "upgrade", "text",
	                              "generation 4: 1 of 2 workers ready", "percent", 50,
	                              "took_ms", 700));
	screen_set_status(s, j);
	expect(s, 80, 24,
	       "[##########          ] upgrade generation 4: 1 of 2 workers ready, 700ms\n");
	for (int percent = -7; percent < 300; percent += 101) {
		json_object_set_new(json_object_get(j, "change"), "percent",
		                    json_integer(percent));
		expect(s, 80, 24, "workers ready, 700ms\n");
	}
	screen_set_status(s, j);
	json_decref(j);
	screen_notice(s, "LOST");
	expect(s, 80, 24, "\nLOST\n[");
	screen_notice(s, NULL);
	expect_not(s, 80, 24, "LOST");
	screen_free(&s);
}
END_TEST

START_TEST(a_long_reason)
{
	struct screen *s = screen_new();
	json_t *j = loaded(mem_printf(STATUS, 1, "active", 0, 0, 0));
	char reason[1001], *two;

	memset(reason, 'x', sizeof reason - 1);
	reason[sizeof reason - 1] = '\0';
	json_object_set_new(json_object_get(j, "last"), "reason", json_string(reason));
	screen_set_status(s, j);
	two = mem_printf("last reload: rolled back after 12ms: %.43s\n%.80s\n%.80s\nper second",
	                 reason, reason, reason);
	expect(s, 80, 24, two);
	expect(s, 80, 19, "xxx\nper second");
	expect_not(s, 80, 19, "\nxxx");
	json_decref(j);
	free(two);
	screen_free(&s);
}
END_TEST

/* What goes on in a next line, in one. */
static char *
joined(char *all)
{
	char *to = all;

	for (const char *from = all; *from != '\0'; from++) {
		if (strncmp(from, "\n        ", 9) == 0) {
			*to++ = ' ';
			from += 8;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return all;
}

/* At 80 columns, and wherever it is not said in short. */
START_TEST(nothing_is_lost)
{
	static const char path[] = "unix:/run/baton/a/very/long/path/of/a/socket/that/fills/it";
	static const char *const facts[] = {
	    "2  draining   1 of 2  [",
	    " 12345 of 12345, 0% done, 12s left; 0.0.9, age 9.9s\n",
	    " 40 new 1 idle 30 busy 9; 0.1.0, age 1m 5s\n",
	    "worker deaths 4000000000\n",
	    "unix:/run/baton/a/very/long/path",
	    " site: 12 2xx, 3 4xx\n",
	    " root: why it is as it is, and what is to be done about it\n"};
	struct screen *s = screen_new();
	json_t *j = loaded(mem_printf(STATUS, 1000, "draining", 12345, 1000000000, 1));
	json_t *entry = json_pack(
	    "{s:s, s:s, s:i, s:i, s:[{s:s, s:s, s:i}], s:s}", "what", "upgrade", "outcome",
	    "rolled_back", "took_ms", 1200, "at_ms", 1000, "by", "how", "control", "user",
	    "root", "uid", 0, "reason", "why it is as it is, and what is to be done about it");

	json_object_set_new(json_object_get(j, "totals"), "worker_deaths",
	                    json_integer(4000000000));
	json_object_set_new(json_array_get(json_object_get(j, "listeners"), 0), "address",
	                    json_string(path));
	screen_set_status(s, j);
	json_decref(j);
	j = json_pack("{s:[o]}", "history", entry);
	screen_set_history(s, j);
	json_decref(j);
	for (size_t width = 80; width < 130; width++) {
		char *all = joined(drawn(s, width, 40));

		for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
			ck_assert_msg(strstr(all, facts[i]) != NULL, "at %zu no '%s' in\n%s",
			              width, facts[i], all);
		free(all);
	}
	screen_free(&s);
}
END_TEST

/* What keeps requests from one, what a service has answered; nothing where there are none. */
START_TEST(upstreams_and_services)
{
	static const char *const facts[] = {
	    "SERVICES\n  api            7 2xx, 1 5xx\n  new            no answer yet\n",
	    "UPSTREAMS\n",
	    " api            127.0.0.1:80                 ill  7 requests, 2 failed, 1 ",
	    "unix:/x                      open 0 requests",
	    "127.0.0.1:5432               up   3 "};
	struct screen *s = screen_new();
	json_t *j = loaded(mem_printf(STATUS, 1000, "active", 1, 1, 1));
	char *all;

	screen_set_status(s, j);
	all = joined(drawn(s, 80, 40));
	ck_assert_ptr_null(strstr(all, "UPSTREAMS"));
	ck_assert_ptr_null(strstr(all, "SERVICES"));
	free(all);
	json_object_set_new(j, "answers",
	                    json_pack("[{s:s, s:i, s:i}, {s:s, s:n}]", "service", "api", "2xx",
	                              7, "5xx", 1, "service", "new", "2xx"));
	json_object_set_new(
	    j, "upstreams",
	    json_pack(
	        "[{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i}, {s:s, s:s, s:n, s:s, s:i, s:i}, "
	        "{s:s, s:s, s:n, s:n, s:i, s:i}]",
	        "service", "api", "address", "127.0.0.1:80", "check", "ill", "breaker",
	        "closed", "requests", 7, "failures", 2, "busy", 1, "idle", 4, "service", "api",
	        "address", "unix:/x", "check", "breaker", "open", "requests", 0, "failures", 9,
	        "service", "db", "address", "127.0.0.1:5432", "check", "breaker", "requests", 3,
	        "failures", 0));
	screen_set_status(s, j);
	json_decref(j);
	all = joined(drawn(s, 80, 40));
	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
		ck_assert_msg(strstr(all, facts[i]) != NULL, "no '%s' in\n%s", facts[i], all);
	free(all);
	screen_free(&s);
}
END_TEST

/* Where there is no room for it, how many there are. */
START_TEST(no_section_vanishes)
{
	static const char *const titles[] = {"LISTENERS", "SERVICES", "UPSTREAMS"};
	struct screen *s = screen_new();
	json_t *j = loaded(mem_printf(STATUS, 1000, "active", 1, 1, 1)), *list;

	list = json_array();
	for (int i = 0; i < 9; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:i}", "service", "api",
		                                      "address", "127.0.0.1:80", "2xx", 1));
	json_object_set(j, "upstreams", list);
	json_object_set_new(j, "answers", list);
	screen_set_status(s, j);
	json_decref(j);
	set_history(s, 9);
	for (size_t height = 18; height < 60; height++) {
		char *all = drawn(s, 80, height);

		for (size_t i = 0; i < 3; i++)
			ck_assert_msg(strstr(all, titles[i]) != NULL, "no %s at %zu in\n%s",
			              titles[i], height, all);
		free(all);
	}
	screen_free(&s);
}
END_TEST

START_TEST(every_size)
{
	struct screen *s = screen_new();

	for (int with = 0; with < 2; with++) {
		for (size_t width = 1; width < 130; width += width < 12 ? 1 : 7)
			for (size_t height = 1; height < 60; height++)
				free(drawn(s, width, height));
		set_status(s, 1000, "draining", 40, 100);
		set_history(s, 100);
	}
	expect(s, 80, 1, "baton 0.1.0");
	expect(s, 40, 12, "GENERATIONS");
	expect(s, 40, 12, "  3 active ");
	expect(s, 40, 12, "per s: req ");
	expect(s, 80, 24, "LAST CHANGES\n");
	expect(s, 80, 24, " more\n");
	expect_not(s, 80, 200, " more\n");
	screen_free(&s);
}
END_TEST

START_TEST(the_newest_first)
{
	struct screen *s = screen_new();
	char *all, *newest, *older;

	set_status(s, 1000, "active", 0, 0);
	set_history(s, 100);
	all = drawn(s, 80, 30);
	newest = strstr(all, " 100ms  root\n");
	older = strstr(all, "  99ms  root\n");
	ck_assert(newest != NULL && older > newest);
	ck_assert_ptr_null(strstr(all, "   1ms  root\n"));
	free(all);
	screen_free(&s);
}
END_TEST

/* Of another version, or of no baton at all. */
START_TEST(what_is_missing_or_strange)
{
	static const char *const texts[] = {
	    "{}", "[]",
	    "{\"generations\":[1,null,{}],\"listeners\":[{}],\"totals\":7,\"last\":[],"
	    "\"change\":{},\"warnings\":[1]}",
	    "{\"generations\":[{\"id\":-1,\"state\":\"draining\",\"new\":5,\"idle\":"
	    "9223372036854775807,\"busy\":\"x\",\"left_ms\":null}],\"uptime_ms\":-3}",
	    "{\"generations\":{},\"listeners\":3,\"history\":{\"by\":[7,{}]}}"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct screen *s = screen_new();
		json_t *j = json_loads(texts[i], 0, NULL);

		ck_assert_ptr_nonnull(j);
		for (int again = 0; again < 3; again++) {
			screen_set_status(s, j);
			screen_set_history(s, j);
			free(drawn(s, 80, 24));
			free(drawn(s, 30, 9));
		}
		json_decref(j);
		screen_free(&s);
	}
}
END_TEST

static void
sample(struct rates *r, int64_t at, int64_t value)
{
	int64_t v[RATES_COUNTERS] = {value, 0, 0, value * 2};

	rates_add(r, at, v);
}

START_TEST(rates)
{
	struct rates r = {0};

	ck_assert_int_eq(rates_per_10s(&r, 0), -1);
	sample(&r, 1000, 100);
	ck_assert_int_eq(rates_per_10s(&r, 0), -1);
	sample(&r, 1500, 150);
	ck_assert_int_eq(rates_per_10s(&r, 0), 1000);
	ck_assert_int_eq(rates_per_10s(&r, 1), 0);
	ck_assert_int_eq(rates_per_10s(&r, 3), 2000);
	for (int i = 0; i < 20; i++)
		sample(&r, 2000 + i * 500, 150);
	ck_assert_int_eq(rates_per_10s(&r, 0), 0);
	sample(&r, 12000, 10); /* another baton, which has just begun to count */
	ck_assert_int_eq(rates_per_10s(&r, 0), -1);
	sample(&r, 12000, 20); /* no time */
	ck_assert_int_eq(rates_per_10s(&r, 0), -1);
	sample(&r, 13000, 21);
	ck_assert_int_eq(rates_per_10s(&r, 0), 10);
	sample(&r, 500, 22); /* its clock has begun anew */
	ck_assert_int_eq(rates_per_10s(&r, 0), -1);
}
END_TEST

static void
expect_askers(const char *by, const char *want)
{
	json_t *j = loaded(mem_printf("{\"by\":%s}", by));
	char *got = history_askers(j);

	ck_assert_str_eq(got, want);
	free(got);
	json_decref(j);
}

START_TEST(askers)
{
	expect_askers("[]", "-");
	expect_askers("null", "-");
	expect_askers("[{\"how\":\"start\",\"uid\":null}]", "start");
	expect_askers("[{\"how\":\"signal\",\"uid\":null,\"pid\":null}]", "signal");
	expect_askers("[{\"how\":\"signal\",\"uid\":0,\"user\":\"root\",\"pid\":7}]",
	              "signal of root (pid 7)");
	expect_askers("[{\"how\":\"control\",\"uid\":1000,\"user\":null,\"pid\":7}]",
	              "uid 1000");
	expect_askers("[{\"how\":\"control\",\"uid\":0,\"user\":\"root\",\"pid\":7},"
	              "{\"how\":\"control\",\"uid\":0,\"user\":\"root\",\"pid\":8},"
	              "{\"how\":\"control\",\"uid\":5,\"user\":\"roo\",\"pid\":9}]",
	              "root, roo");
	expect_askers("[{\"how\":\"control\",\"uid\":0,\"user\":\"root\",\"abort\":true}]",
	              "abort by root");
	expect_askers("[{\"how\":\"control\"},{},7]", "control, -");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("screen");
	TCase *t = tcase_create("frames");
	SRunner *sr;
	int failed;

	tcase_add_test(t, a_usual_terminal);
	tcase_add_test(t, a_drain_goes_on);
	tcase_add_test(t, a_change_is_under_way);
	tcase_add_test(t, a_long_reason);
	tcase_add_test(t, nothing_is_lost);
	tcase_add_test(t, upstreams_and_services);
	tcase_add_test(t, no_section_vanishes);
	tcase_add_test(t, every_size);
	tcase_add_test(t, the_newest_first);
	tcase_add_test(t, what_is_missing_or_strange);
	tcase_add_test(t, rates);
	tcase_add_test(t, askers);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
