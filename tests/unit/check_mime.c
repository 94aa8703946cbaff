/* mime: the end of a name tells the type. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "service/http/mime.h"

#define UNKNOWN "application/octet-stream"

static const struct {
	const char *name;
	const char *type;
} cases[] = {
    {"a.html", "text/html; charset=utf-8"},
    {"a.HtM", "text/html; charset=utf-8"},
    {"dir/a.css", "text/css; charset=utf-8"},
    {"a.min.js", "text/javascript; charset=utf-8"},
    {"a.json", "application/json"},
    {"a.txt", "text/plain; charset=utf-8"},
    {"a.svg", "image/svg+xml"},
    {"a.png", "image/png"},
    {"a.JPEG", "image/jpeg"},
    {"a.woff2", "font/woff2"},
    {"a.tar.gz", "application/gzip"},
    {"a.wasm", "application/wasm"},
    {"", UNKNOWN},
    {".", UNKNOWN},
    {"html", UNKNOWN},
    {"a.", UNKNOWN},
    {"a.htmlx", UNKNOWN},
    {"a.ht", UNKNOWN},
    {"a.html/b", UNKNOWN},
    {"a.html.bak", UNKNOWN},
    {"a.html ", UNKNOWN},
};

START_TEST(each_name_has_its_type)
{
	ck_assert_msg(strcmp(mime_type(cases[_i].name), cases[_i].type) == 0, "%s: %s",
	              cases[_i].name, mime_type(cases[_i].name));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mime");
	TCase *t = tcase_create("names");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(t, each_name_has_its_type, 0, sizeof cases / sizeof *cases);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
