/* history: the last hundred, what is saved and what is read; askers and their records. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "master/change/history.h"
#include "master/control/requester.h"

static void
add(const char *what, const char *outcome, const char *reason)
{
	struct history_entry e = {
	    .what = what, .outcome = outcome, .reason = reason, .at_ms = 1000, .took_ms = 7};

	history_add(&e);
}

static void
add_many(int n)
{
	for (int i = 0; i < n; i++)
		add("reload", "committed", "");
}

/* The i-th of the list; borrowed from *all. */
static json_t *
entry(json_t **all, size_t i)
{
	*all = history_json();
	return json_array_get(json_object_get(*all, "history"), i);
}

static json_int_t
seq_of(size_t i)
{
	json_t *all, *e = entry(&all, i);
	json_int_t seq = json_integer_value(json_object_get(e, "seq"));

	json_decref(all);
	return seq;
}

static size_t
count(void)
{
	json_t *all = history_json();
	size_t n = json_array_size(json_object_get(all, "history"));

	json_decref(all);
	return n;
}

static const char *
last_string(json_t **last, const char *key)
{
	json_decref(*last);
	*last = history_last();
	return json_string_value(json_object_get(*last, key));
}

START_TEST(none_yet)
{
	json_t *last = history_last(), *saved = history_save();

	ck_assert(json_is_null(last));
	ck_assert(json_is_null(saved));
	ck_assert_uint_eq(count(), 0);
	history_restore(saved);
	ck_assert_uint_eq(count(), 0);
	json_decref(last);
	json_decref(saved);
}
END_TEST

START_TEST(the_last_hundred)
{
	add_many(HISTORY_MAX);
	ck_assert_uint_eq(count(), HISTORY_MAX);
	ck_assert_int_eq(seq_of(0), 1);
	add_many(1);
	ck_assert_uint_eq(count(), HISTORY_MAX);
	ck_assert_int_eq(seq_of(0), 2);
	ck_assert_int_eq(seq_of(HISTORY_MAX - 1), HISTORY_MAX + 1);
	history_stop();
}
END_TEST

START_TEST(saved_and_restored)
{
	json_t *saved;

	add_many(HISTORY_MAX + 5);
	saved = history_save();
	history_stop();
	history_restore(saved);
	json_decref(saved);
	ck_assert_uint_eq(count(), HISTORY_MAX);
	ck_assert_int_eq(seq_of(0), 6);
	add_many(1);
	ck_assert_int_eq(seq_of(HISTORY_MAX - 1), HISTORY_MAX + 6);
	history_stop();
}
END_TEST

/* A version without a list saved the last one, or null. */
START_TEST(the_form_before)
{
	json_t *before =
	    json_pack("{s:i, s:s, s:s, s:s, s:i}", "seq", 41, "what", "upgrade", "outcome",
	              "rolled_back", "reason", "no READY", "took_ms", 9);
	json_t *last = NULL;

	history_restore(before);
	json_decref(before);
	ck_assert_uint_eq(count(), 1);
	ck_assert_str_eq(last_string(&last, "reason"), "no READY");
	add_many(1);
	ck_assert_int_eq(seq_of(1), 42);
	json_decref(last);
	history_stop();
}
END_TEST

/* And reads what we save: all that it knows of stands where it was. */
START_TEST(for_the_form_before)
{
	json_t *saved;

	add("reload", "committed", "");
	add("reload", "refused", "a.ini:3: bad");
	add("crash", "adopted", "without a word");
	saved = history_save();
	ck_assert_str_eq(json_string_value(json_object_get(saved, "what")), "reload");
	ck_assert_str_eq(json_string_value(json_object_get(saved, "outcome")), "refused");
	ck_assert_str_eq(json_string_value(json_object_get(saved, "reason")), "a.ini:3: bad");
	ck_assert_int_eq(json_integer_value(json_object_get(saved, "took_ms")), 7);
	ck_assert_int_eq(json_integer_value(json_object_get(saved, "seq")), 3);
	json_decref(saved);
	history_stop();
}
END_TEST

START_TEST(what_is_damaged_is_left_out)
{
	static const char *const texts[] = {"null",
	                                    "[]",
	                                    "\"x\"",
	                                    "{}",
	                                    "{\"entries\":[1,null,\"x\",[],{},\"[]\",\"3\"]}",
	                                    "{\"what\":3}",
	                                    "{\"entries\":{\"what\":\"reload\"}}"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		json_t *j = json_loads(texts[i], JSON_DECODE_ANY, NULL);

		ck_assert_ptr_nonnull(j);
		history_restore(j);
		json_decref(j);
		ck_assert_uint_eq(count(), 0);
		add_many(1);
		ck_assert_uint_eq(count(), 1);
		history_stop();
	}
}
END_TEST

/* A crash is in the list, and is no change. */
START_TEST(a_crash_is_not_the_last_change)
{
	json_t *last = NULL;

	add("crash", "adopted", "");
	ck_assert_ptr_null(last_string(&last, "what"));
	add("abort", "committed", "aborted by request");
	add("crash", "adopted", "");
	ck_assert_str_eq(last_string(&last, "what"), "abort");
	ck_assert_uint_eq(json_object_size(last), 6);
	ck_assert_uint_eq(count(), 3);
	json_decref(last);
	history_stop();
}
END_TEST

START_TEST(the_short_list)
{
	json_t *list, *newest;

	add_many(HISTORY_SHORT + 3);
	add("crash", "adopted", "");
	list = history_list();
	newest = json_array_get(list, HISTORY_SHORT - 1);
	ck_assert_uint_eq(json_array_size(list), HISTORY_SHORT);
	ck_assert_int_eq(json_integer_value(json_object_get(newest, "seq")), HISTORY_SHORT + 3);
	ck_assert_str_eq(json_string_value(json_object_get(newest, "by")), "");
	json_decref(list);
	history_stop();
}
END_TEST

static void
expect_text(const char *by, const char *want)
{
	json_t *j = json_loads(by, 0, NULL);
	char *text = requester_text(j);

	ck_assert_str_eq(text, want);
	free(text);
	json_decref(j);
}

START_TEST(askers_by_number)
{
	expect_text("[]", "");
	expect_text("[{\"how\":\"start\"}]", "start");
	expect_text("[{\"how\":\"signal\",\"uid\":3,\"pid\":9}]", "signal of uid 3");
	expect_text("[{\"how\":\"signal\"}]", "signal");
	expect_text("[{\"how\":\"control\",\"uid\":0,\"pid\":9,\"login\":7}]",
	            "uid 0 (login uid 7)");
	expect_text("[{\"how\":\"control\",\"uid\":5,\"pid\":9,\"manager\":true},"
	            "{\"how\":\"control\",\"uid\":5,\"pid\":8,\"login\":5},"
	            "{\"how\":\"control\",\"uid\":5,\"pid\":7}]",
	            "systemd, uid 5");
}
END_TEST

/* Who asked is told by number, and not with the last change, which everybody may see. */
START_TEST(the_short_list_tells_who_asked)
{
	struct history_entry e = {
	    .what = "reload",
	    .outcome = "committed",
	    .reason = "",
	    .generation = 2,
	    .by = json_pack("[{s:s, s:i, s:i}]", "how", "control", "uid", 0, "pid", 1)};
	json_t *list, *one, *last;

	history_add(&e);
	list = history_list();
	one = json_array_get(list, 0);
	ck_assert_str_eq(json_string_value(json_object_get(one, "by")), "uid 0");
	ck_assert_int_eq(json_integer_value(json_object_get(one, "generation")), 2);
	json_decref(list);
	last = history_last();
	ck_assert_ptr_null(json_object_get(last, "by"));
	json_decref(last);
	history_stop();
}
END_TEST

/* All of it while it is the newest, and valid UTF-8 when it is cut within a character. */
START_TEST(a_long_reason_is_cut_later)
{
	char reason[3 * HISTORY_REASON_MAX + 1];
	json_t *last = NULL, *all, *e;

	memset(reason, 'x', sizeof reason - 1);
	reason[sizeof reason - 1] = '\0';
	memcpy(reason + HISTORY_REASON_MAX - 1, "\xc3\xa9", 2);
	add("reload", "refused", reason);
	ck_assert_str_eq(last_string(&last, "reason"), reason);
	add_many(1);
	e = entry(&all, 0);
	ck_assert_uint_ge(json_string_length(json_object_get(e, "reason")),
	                  HISTORY_REASON_MAX - 1);
	ck_assert_uint_le(json_string_length(json_object_get(e, "reason")),
	                  HISTORY_REASON_MAX + 3);
	json_decref(all);
	json_decref(last);
	history_stop();
}
END_TEST

static void
same_again(struct requester a)
{
	json_t *j = requester_json(&a);
	struct requester b = requester_read(j);

	ck_assert_int_eq(b.how, a.how);
	ck_assert_int_eq(b.abort, a.abort);
	ck_assert_uint_eq(b.uid, a.uid);
	ck_assert_int_eq(b.pid, a.pid);
	ck_assert_int_eq(b.manager, a.manager);
	ck_assert_int_eq(b.has_login, a.has_login);
	ck_assert_uint_eq(b.login, a.login);
	ck_assert_ptr_null(b.client);
	json_decref(j);
}

START_TEST(askers)
{
	json_t *j;
	struct requester nobody;

	same_again((struct requester){.how = REQUESTER_START});
	same_again((struct requester){.how = REQUESTER_SIGNAL, .uid = 1000, .pid = 17});
	same_again((struct requester){.how = REQUESTER_CONTROL, .uid = 4294967294u, .pid = 1});
	same_again(
	    (struct requester){.how = REQUESTER_CONTROL, .abort = true}); /* root, elsewhere */
	same_again(
	    (struct requester){.how = REQUESTER_CONTROL, .uid = 7, .pid = 1, .manager = true});
	same_again((struct requester){.how = REQUESTER_CONTROL, .pid = 1, .has_login = true});
	same_again((struct requester){
	    .how = REQUESTER_CONTROL, .pid = 1, .has_login = true, .login = 4294967294u});
	j = requester_json(
	    &(struct requester){.how = REQUESTER_SIGNAL, .uid = 3}); /* of the kernel */
	ck_assert(json_is_null(json_object_get(j, "uid")));
	ck_assert(json_is_null(json_object_get(j, "pid")));
	json_decref(j);
	nobody = requester_read(NULL);
	ck_assert_int_eq(nobody.how, REQUESTER_UNKNOWN);
	ck_assert_int_eq(nobody.pid, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("history");
	TCase *t = tcase_create("entries");
	SRunner *sr;
	int failed;

	tcase_add_test(t, none_yet);
	tcase_add_test(t, the_last_hundred);
	tcase_add_test(t, saved_and_restored);
	tcase_add_test(t, the_form_before);
	tcase_add_test(t, for_the_form_before);
	tcase_add_test(t, what_is_damaged_is_left_out);
	tcase_add_test(t, a_crash_is_not_the_last_change);
	tcase_add_test(t, a_long_reason_is_cut_later);
	tcase_add_test(t, the_short_list);
	tcase_add_test(t, askers_by_number);
	tcase_add_test(t, the_short_list_tells_who_asked);
	tcase_add_test(t, askers);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
