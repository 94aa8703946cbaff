/* One event in its three forms: nothing in it breaks a line, and what is cut is whole. */
#include "base/logline.h"

#include <check.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/escape.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

static const struct logline_who master_ = {.name = "master", .pid = 7};
static const struct logline_who worker_ = {.name = "worker 2",
                                           .pid = 8,
                                           .is_worker = true,
                                           .generation = 5,
                                           .slot = 2,
                                           .birth = INT64_MAX};

/* 2026-11-21T13:52:53.123Z */
static struct logline
line(const struct logline_who *who, const char *message)
{
	return (struct logline){.level = LOGL_WARN,
	                        .time = {1795269173, 123456789},
	                        .who = who,
	                        .message = message};
}

static const char *
text(const struct logline *l, size_t form(const struct logline *, char *, size_t))
{
	static char buf[LOGLINE_MAX + 1];
	size_t n = form(l, buf, LOGLINE_MAX);

	ck_assert_uint_le(n, LOGLINE_MAX);
	buf[n] = '\0';
	return buf;
}

START_TEST(as_text)
{
	struct logline l = line(&master_, "reload begins");

	ck_assert_str_eq(text(&l, logline_text),
	                 "2026-11-21T13:52:53.123Z master[7] warn: reload begins\n");
	ck_assert_str_eq(text(&l, logline_stderr), "<4>master: reload begins\n");
}
END_TEST

/* As gmtime has it, for four centuries. */
START_TEST(every_day)
{
	struct logline l = line(&master_, "m");

	for (int day = 0; day < 400 * 366; day++) {
		char want[64];
		struct tm tm;

		l.time = (struct timespec){.tv_sec = (time_t)day * 86400 + day % 86400};
		gmtime_r(&l.time.tv_sec, &tm);
		strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
		ck_assert_int_eq(memcmp(text(&l, logline_text), want, strlen(want)), 0);
	}
}
END_TEST

START_TEST(as_json)
{
	struct logline l = line(&worker_, "say \"x\"\n\x1b[31m");

	l.kind = &event_kinds[EVENT_CUT];
	l.fields = EVENT_FIELDS(EVENT_TEXT("PEER", "a\\b"), EVENT_NUMBER("BYTES_IN", 3));
	ck_assert_str_eq(
	    text(&l, logline_json),
	    "{\"time\":\"2026-11-21T13:52:53.123Z\",\"level\":\"warn\",\"who\":\"worker 2\","
	    "\"pid\":8,\"generation\":5,\"slot\":2,\"birth\":9223372036854775807,"
	    "\"event\":\"cut\",\"message_id\":\"ac73912412344bf0946d667d28ee3a0c\",\"peer\":"
	    "\"a\\\\b\",\"bytes_in\":3,"
	    "\"message\":\"say \\\"x\\\"\\n\\u001b[31m\"}\n");
}
END_TEST

/* An event of the master about a worker, and one of a worker about another. */
START_TEST(whom_it_is_about)
{
	struct logline l = line(&worker_, "m");

	l.fields = EVENT_FIELDS(EVENT_NUMBER("SLOT", 9));
	ck_assert_str_eq(text(&l, logline_journal),
	                 "SYSLOG_IDENTIFIER=baton\nPRIORITY=4\nMESSAGE=worker 2: m\n"
	                 "GENERATION=5\nBIRTH=9223372036854775807\nSLOT=9\n");
	l.who = &master_;
	l.fields = NULL;
	ck_assert_str_eq(text(&l, logline_journal),
	                 "SYSLOG_IDENTIFIER=baton\nPRIORITY=4\nMESSAGE=master: m\n");
}
END_TEST

/* A text with a line feed is told with its length: it cannot add a field. */
START_TEST(journal_of_several_lines)
{
	static const char want[] = "SYSLOG_IDENTIFIER=baton\nPRIORITY=4\n"
	                           "MESSAGE\n\x10\0\0\0\0\0\0\0master: a\nUNIT=b\n"
	                           "REASON\n\x03\0\0\0\0\0\0\0x\ny\n";
	struct logline l = line(&master_, "a\nUNIT=b");
	char buf[LOGLINE_MAX];
	size_t n;

	l.fields = EVENT_FIELDS(EVENT_TEXT("REASON", "x\ny"));
	n = logline_journal(&l, buf, sizeof buf);
	ck_assert_uint_eq(n, sizeof want - 1);
	ck_assert_mem_eq(buf, want, n);
}
END_TEST

/* text -> what escape_text, escape_quoted and escape_json make of it */
static const struct {
	const char *from, *text, *quoted, *json;
} escapes[] = {
    {"plain ~", "plain ~", "plain ~", "plain ~"},
    {"a\nb", "a\n\tb", "a\\x0ab", "a\\nb"},
    {"\x1b[2J\r\x7f", "\\x1b[2J\\x0d\\x7f", "\\x1b[2J\\x0d\\x7f", "\\u001b[2J\\u000d\\u007f"},
    {"\"\\", "\"\\", "\\x22\\x5c", "\\\"\\\\"},
    {"\t", "\t", "\\x09", "\\t"},
    {"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80",
     "gr\\xc3\\xbc\\xc3\\x9f \\xf0\\x9f\\x98\\x80", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"},
    {"\xc2\x9b"
     "31m",
     "\\x9b31m", "\\xc2\\x9b31m", "\\u009b31m"}, /* CSI of one character */
    {"\x9b\xff\xc3", "\\x9b\\xff\\xc3", "\\x9b\\xff\\xc3", "\\u009b\\u00ff\\u00c3"},
};

static void
check_escape(void escape(struct escape_out *, const char *, size_t), const char *from,
             const char *want)
{
	for (size_t room = 0; room <= strlen(want); room++) {
		char buf[64];
		struct escape_out o = {buf, buf + room};

		escape(&o, from, strlen(from));
		ck_assert_uint_le((size_t)(o.at - buf), room);
		ck_assert_mem_eq(buf, want, (size_t)(o.at - buf));
		if (room == strlen(want))
			ck_assert_uint_eq((size_t)(o.at - buf), room);
	}
}

START_TEST(escaped)
{
	check_escape(escape_text, escapes[_i].from, escapes[_i].text);
	check_escape(escape_quoted, escapes[_i].from, escapes[_i].quoted);
	check_escape(escape_json, escapes[_i].from, escapes[_i].json);
}
END_TEST

/* However long and odd the parts are: one line, whole in its form, and no room is left. */
START_TEST(cut)
{
	static char longest[4096];
	struct logline l = line(&worker_, longest);
	json_t *j;
	const char *s;

	memset(longest, "x\x01\"\xc3\n"[_i], sizeof longest - 1);
	l.kind = &event_kinds[EVENT_CUT];
	l.fields =
	    EVENT_FIELDS(EVENT_TEXT("PEER", longest), EVENT_TEXT("REASON", longest),
	                 EVENT_TEXT("SERVICE", longest), EVENT_TEXT("LISTENER", longest));
	s = text(&l, logline_json);
	ck_assert_ptr_eq(strchr(s, '\n'), s + strlen(s) - 1);
	j = json_loads(s, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(j);
	ck_assert_uint_gt(strlen(json_string_value(json_object_get(j, "message"))), 70);
	json_decref(j);
	s = text(&l, logline_text);
	ck_assert_int_eq(s[strlen(s) - 1], '\n');
	text(&l, logline_journal);
}
END_TEST

/* A name and an id of its own for each, and fields of capital letters. */
START_TEST(table)
{
	const struct event_kind *kind = &event_kinds[_i];

	ck_assert_uint_eq(strlen(kind->id), 32);
	ck_assert_uint_eq(strspn(kind->id, "0123456789abcdef"), 32);
	ck_assert_uint_eq(strspn(kind->fields, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_ "),
	                  strlen(kind->fields));
	for (int i = 0; i < _i; i++) {
		ck_assert_str_ne(kind->id, event_kinds[i].id);
		ck_assert_str_ne(kind->name, event_kinds[i].name);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("logline");
	TCase *t = tcase_create("logline");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, as_text);
	tcase_add_test(t, every_day);
	tcase_add_test(t, as_json);
	tcase_add_test(t, whom_it_is_about);
	tcase_add_test(t, journal_of_several_lines);
	tcase_add_loop_test(t, escaped, 0, COUNT(escapes));
	tcase_add_loop_test(t, cut, 0, 5);
	tcase_add_loop_test(t, table, 0, EVENTS_N);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
