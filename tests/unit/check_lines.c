/* Bytes to lines: everything is a title, a key, a comment or an error. */
#include "conf/lines.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/errors.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof(a)[0]))

static void
hear_section(void *arg, int line, const char *title)
{
	fprintf(arg, "%d [%s]\n", line, title);
}

static void
hear_key(void *arg, int line, const char *name, const char *value, bool quoted)
{
	fprintf(arg, quoted ? "%d %s=\"%s\"\n" : "%d %s=(%s)\n", line, name, value);
}

static void
hear_malformed(void *arg, int line, const char *name)
{
	fprintf(arg, "%d %s malformed\n", line, name);
}

/* What the sink was told and the errors, as one text. */
static char *
story(const char *text, size_t len)
{
	struct conf_errors errors = {0};
	char *told;
	size_t size;
	FILE *out = open_memstream(&told, &size);
	struct lines_sink sink = {hear_section, hear_key, out, hear_malformed};

	lines_read(text, len, &sink, &errors);
	for (size_t i = 0; i < errors.n; i++)
		fprintf(out, "%d! %s\n", errors.at[i].line, errors.at[i].text);
	fclose(out);
	conf_errors_free(&errors);
	return told;
}

/* A literal with its length, for NUL bytes. */
#define T(s) s, sizeof(s) - 1

static const struct {
	const char *text;
	size_t len;
	const char *story;
} cases[] = {
    {T(""), ""},
    {T("\n\n"), ""},
    {T("; comment\n# comment\n  ; comment [x]\n\t# a = b\n"), ""},
    {T("a=b"), "1 a=(b)\n"},
    {T("a=b\n"), "1 a=(b)\n"},
    {T("\n  a \t=\t b c \t\n"), "2 a=(b c)\n"},
    {T("a =\n"), "1 a=()\n"},
    {T("a = b = c\n"), "1 a=(b = c)\n"},
    {T("a = b : c\n"), "1 a=(b : c)\n"},
    {T("a = [x]\n"), "1 a=([x])\n"},

    /* comments after a value need a blank */
    {T("a = b ; c\n"), "1 a=(b)\n"},
    {T("a = b;c\n"), "1 a=(b;c)\n"},
    {T("a = b\t;c\n"), "1 a=(b)\n"},
    {T("a = b;c ;d\n"), "1 a=(b;c)\n"},
    {T("a = ; c\n"), "1 a=()\n"},
    {T("a =;c\n"), "1 a=(;c)\n"},
    {T("a = b # c\n"), "1 a=(b # c)\n"},

    /* quotes */
    {T("a = \"b ; c # d\"\n"), "1 a=\"b ; c # d\"\n"},
    {T("a =\"b\" ; c\n"), "1 a=\"b\"\n"},
    {T("a = \" b \"\t;c\n"), "1 a=\" b \"\n"},
    {T("a = \"\"\n"), "1 a=\"\"\n"},
    {T("a = \"b\\\"c\\\\\" ;d\n"), "1 a=\"b\"c\\\"\n"},
    {T("a = b\"c\"\n"), "1 a=(b\"c\")\n"},
    {T("a = \"b\nc = d\n"),
     "1 a malformed\n2 c=(d)\n1! the quote that ends a = \"b is missing\n"},
    {T("a = \"b ; c\n"), "1 a malformed\n1! the quote that ends a = \"b ; c is missing\n"},
    {T("a = b \"c ;d\" e\n"), "1 a malformed\n1! a comment begins inside the quotes of b \"c "
                              ";d\" e; a ';' that belongs to a "
                              "value needs quotes around the whole of it\n"},
    {T("a = b \"c\" ;d\" e\n"), "1 a=(b \"c\")\n"},
    {T("a = 12\" ; wide\n"), "1 a malformed\n1! a comment begins inside the quotes of 12\" ; "
                             "wide; a ';' that belongs to a "
                             "value needs quotes around the whole of it\n"},
    {T("a = 12\" wide;\n"), "1 a=(12\" wide;)\n"},
    {T("a = \"b\\\"\n"), "1 a malformed\n1! the quote that ends a = \"b\\\" is missing\n"},
    {T("a = \"b\\n\"\n"),
     "1 a malformed\n1! in quotes a backslash stands before '\"' or another one only\n"},
    {T("a = \"b\" c\n"), "1 a malformed\n1! unexpected text 'c' behind the quotes\n"},
    {T("a = \"b\";c\n"), "1 a malformed\n1! unexpected text ';c' behind the quotes\n"},
    {T("a = \"b\"c\"\n"), "1 a malformed\n1! unexpected text 'c\"' behind the quotes\n"},

    /* a BOM, but only one; CRLF */
    {T("\xef\xbb\xbf[s]\n"), "1 [s]\n"},
    {T("\xef\xbb\xbf\xef\xbb\xbf"
       "a=b\n"),
     "1 \xef\xbb\xbf"
     "a=(b)\n"},
    {T("[s]\r\na = b\r\nc = d ; e\r\n\r\n; f\r\ng=\r\n"), "1 [s]\n2 a=(b)\n3 c=(d)\n6 g=()\n"},

    /* no continuation of a line */
    {T("a = b\n  c = d\n"), "1 a=(b)\n2 c=(d)\n"},
    {T("a = b\n  c\n"), "1 a=(b)\n2! expected KEY = VALUE, found 'c'\n"},

    /* malformed lines, each told */
    {T("a\n[s]\nb\n\nc=d\ne"), "2 [s]\n5 c=(d)\n"
                               "1! expected KEY = VALUE, found 'a'\n"
                               "3! expected KEY = VALUE, found 'b'\n"
                               "6! expected KEY = VALUE, found 'e'\n"},
    {T("a: b\n"), "1! expected KEY = VALUE, found 'a: b'\n"},
    {T("a 1:2 = b\n"), "1! expected KEY = VALUE, found 'a 1:2 = b'\n"},
    {T("= b\n"), "1! expected KEY = VALUE, found '= b'\n"},
    {T(": b\n"), "1! expected KEY = VALUE, found ': b'\n"},
    {T("a ; = b\n"), "1! expected KEY = VALUE, found 'a ; = b'\n"},
    {T("a\x01\n"), "1! expected KEY = VALUE, found 'a\\x01'\n"},

    /* titles */
    {T("[s]"), "1 [s]\n"},
    {T("  [ s ]  ; c\n"), "1 [s]\n"},
    {T("[s];c\n"), "1 [s]\n1! unexpected text ';c' after ']'\n"},
    {T("[s] x = y\n"), "1 [s]\n1! unexpected text 'x = y' after ']'\n"},
    {T("[s]]\n"), "1 [s]\n1! unexpected text ']' after ']'\n"},
    {T("[]\n"), "1 []\n"},
    {T("[s\na=b\n"), "1 [s]\n2 a=(b)\n1! ']' is missing in '[s'\n"},
    {T("["), "1 []\n1! ']' is missing in '['\n"},

    /* NUL bytes */
    {T("a=b\nc\0=d\ne=f\n"), "1 a=(b)\n3 e=(f)\n2! the line has a NUL byte\n"},
    {T("; \0\n[\0]\n\0"), "1! the line has a NUL byte\n2! the line has a NUL byte\n"
                          "3! the line has a NUL byte\n"},
};

START_TEST(line)
{
	/* Of exact size, so that ASan sees a read beyond it. */
	char *text = mem_alloc(cases[_i].len), *told;

	memcpy(text, cases[_i].text, cases[_i].len);
	told = story(text, cases[_i].len);
	ck_assert_str_eq(told, cases[_i].story);
	free(told);
	mem_free(&text);
}
END_TEST

/* A line `a=xxx...` of len bytes between two others. */
static char *
story_of_long(size_t len, char first)
{
	char *text = mem_alloc(len + 16), *told;
	size_t n = (size_t)sprintf(text, "b=1\n");

	memset(text + n, 'x', len);
	memcpy(text + n, "a=", 2);
	text[n] = first;
	n += len;
	n += (size_t)sprintf(text + n, "\nc=2\n");
	told = story(text, n);
	mem_free(&text);
	return told;
}

START_TEST(longest)
{
	char *told = story_of_long(LINES_LONGEST, 'a');

	ck_assert_uint_eq(strlen(told),
	                  strlen("1 b=(1)\n2 a=()\n3 c=(2)\n") + LINES_LONGEST - 2);
	free(told);
}
END_TEST

START_TEST(too_long)
{
	static const size_t lengths[] = {LINES_LONGEST + 1, LINES_LONGEST + 3, 1 << 20};

	for (int i = 0; i < COUNT(lengths); i++) {
		char *told = story_of_long(lengths[i], "a[;"[i]);

		ck_assert_str_eq(told, "1 b=(1)\n3 c=(2)\n"
		                       "2! the line is longer than 65536 bytes\n");
		free(told);
	}
}
END_TEST

/* inih cuts titles to 49 bytes. */
START_TEST(long_title)
{
	char text[300] = "[";
	char *told;

	memset(text + 1, 't', 200);
	text[201] = ']';
	told = story(text, 202);
	ck_assert_uint_eq(strlen(told), strlen("1 []\n") + 200);
	free(told);
}
END_TEST

/* Written, and read again, it is the same. */
START_TEST(what_is_quoted_is_read_as_it_was)
{
	static const struct {
		const char *value, *written;
	} values[] = {{"a", "a"},
	              {"a b", "a b"},
	              {"a;b#c", "a;b#c"},
	              {"a ;b", "\"a ;b\""},
	              {"a\t#b", "\"a\t#b\""},
	              {"\"a\"", "\"\\\"a\\\"\""},
	              {" a", "\" a\""},
	              {"a ", "\"a \""},
	              {"a\\b", "a\\b"},
	              {"; \\", "\"; \\\\\""}};

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		char *written = lines_quote(values[i].value), text[64], want[64], *told;

		ck_assert_str_eq(written, values[i].written);
		snprintf(text, sizeof text, "k = %s ; more", written);
		snprintf(want, sizeof want, *written == '"' ? "1 k=\"%s\"\n" : "1 k=(%s)\n",
		         values[i].value);
		told = story(text, strlen(text));
		ck_assert_str_eq(told, want);
		free(told);
		free(written);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("lines");
	TCase *tc = tcase_create("lines");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, what_is_quoted_is_read_as_it_was);
	tcase_add_loop_test(tc, line, 0, COUNT(cases));
	tcase_add_test(tc, longest);
	tcase_add_test(tc, too_long);
	tcase_add_test(tc, long_title);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
