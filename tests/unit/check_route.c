/* route: which handler a request is for. */
#include <check.h>
#include <string.h>

#include "service/http/route.h"

static void
handler(baton_request r)
{
	(void)r;
}

static int
work(struct baton_work *w)
{
	(void)w;
	return 200;
}

static const struct baton_route routes[] = {
    {.method = "GET", .path = "/", .handle = handler},
    {.method = "GET", .path = "/users", .handle = handler},
    {.method = "POST", .path = "/users", .handle = handler},
    {.method = "GET", .path = "/users/{id}", .handle = handler},
    {.method = "GET", .path = "/users/me", .handle = handler},
    {.method = "PUT", .path = "/users/{id}", .handle = handler},
    {.method = "GET", .path = "/users/{id}/notes/{note}", .handle = handler},
    {.method = "GET", .path = "/files/{path...}", .handle = handler},
    {.method = "GET", .path = "/files/{name}/info", .handle = handler},
    {.method = "DELETE", .path = "/a b", .handle = handler},
    {.method = "*", .path = "/any/{id}", .handle = handler},
    {.method = "GET", .path = "/any/{name}", .handle = handler},
    {.method = "PUT", .path = "/any/{name...}", .handle = handler},
    {.path = NULL},
};

static const struct {
	const char *method, *path;
	int want; /* the place in routes, or -404, -405 */
	const char *vars;
} cases[] = {
    {"GET", "/", 0, ""},
    {"HEAD", "/", 0, ""},
    {"POST", "/", -405, ""},
    {"GET", "/users", 1, ""},
    {"POST", "/users", 2, ""},
    {"GET", "/users/", -404, ""},
    {"GET", "/users/7", 3, "id=7;"},
    {"GET", "/users/me", 4, ""},
    {"GET", "/users/m%65", 4, ""},
    {"GET", "/users/m%6", 3, "id=m%6;"},
    {"GET", "/users/m%65e", 3, "id=m%65e;"},
    {"GET", "/users/%6d", 3, "id=%6d;"},
    {"GET", "/users/m%00", 3, "id=m%00;"},
    {"GET", "/%75ser%73", 1, ""},
    {"PUT", "/users/me", 5, "id=me;"},
    {"HEAD", "/users/me", 4, ""},
    {"GET", "/users/a%2Fb", 3, "id=a%2Fb;"},
    {"GET", "/users//notes/1", -404, ""},
    {"GET", "/users/1/notes/2", 6, "id=1;note=2;"},
    {"GET", "/users/1/notes/2/3", -404, ""},
    {"GET", "/files/", 7, "path=;"},
    {"GET", "/files/a/b", 7, "path=a/b;"},
    {"GET", "/files/a/info", 8, "name=a;"},
    {"GET", "/files", -404, ""},
    {"DELETE", "/a%20b", 9, ""},
    {"GET", "/a%20b", -405, ""},
    {"PUT", "/any/1", 10, "id=1;"},
    {"PATCH", "/any/1", 10, "id=1;"},
    {"GET", "/any/1", 11, "name=1;"},
    {"HEAD", "/any/1", 11, "name=1;"},
    {"PUT", "/any/1/2", 12, "name=1/2;"},
    {"GET", "/any/1/2", -405, ""},
    {"GET", "*", -404, ""},
    {"GET", "", -404, ""},
    {"GET", "//users", -404, ""},
};

static const struct baton_route of_none[] = {
    {.method = "GET", .path = "/", .handle = handler},
    {.method = "POST", .path = "*", .handle = handler},
    {.method = "*", .path = "*", .handle = handler},
    {.method = "GET", .path = "*", .handle = handler},
    {.path = NULL},
};

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

START_TEST(found)
{
	struct request_text path = {cases[_i].path, strlen(cases[_i].path)};
	struct route_match m;
	int status = route_find(routes, cases[_i].method, &path, &m);
	char vars[200] = "";

	if (status != 0) {
		ck_assert_int_eq(-status, cases[_i].want);
		return;
	}
	ck_assert_int_eq((int)(m.route - routes), cases[_i].want);
	for (size_t i = 0; i < m.n; i++) {
		strncat(vars, m.var[i].name.p, m.var[i].name.n);
		strcat(vars, "=");
		strncat(vars, m.var[i].value.p, m.var[i].value.n);
		strcat(vars, ";");
	}
	ck_assert_str_eq(vars, cases[_i].vars);
}
END_TEST

START_TEST(allowed)
{
	struct request_text path = {"/users/me", 9};
	char buf[64], small[10];

	ck_assert_str_eq(route_allow(routes, &path, buf, sizeof buf), "GET, HEAD, PUT");
	ck_assert_str_eq(route_allow(routes, &path, small, sizeof small), "PUT");
}
END_TEST

static const struct {
	const char *path, *fault;
} faults[] = {
    {"/{a}/{b}/{a}", "it has two variables of one name"},
    {"/{a}/{a...}", "it has two variables of one name"},
    {"/{a}/{ab}/a/{aa...}", NULL},
    {"/", NULL},
    {"/a/{b}/{c...}", NULL},
    {"*", NULL},
    {"**", "its path begins with '/'"},
    {"a", "its path begins with '/'"},
    {"/a{b}", "a variable is a whole segment, like {id}"},
    {"/{b", "a variable is a whole segment, like {id}"},
    {"/b}", "a variable is a whole segment, like {id}"},
    {"/{}", "a variable has a name"},
    {"/{a...}/b", "{name...} is the last segment"},
    {"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", "it has too many variables"},
};

START_TEST(what_no_route_has)
{
	struct request_text star = {"*", 1}, root = {"/", 1};
	struct route_match m;

	ck_assert_ptr_null(route_of_none(routes, "GET"));
	ck_assert_ptr_eq(route_of_none(of_none, "POST"), &of_none[1]);
	ck_assert_ptr_eq(route_of_none(of_none, "GET"), &of_none[2]);
	ck_assert_int_eq(route_find(of_none, "OPTIONS", &star, &m), 404);
	ck_assert_int_eq(route_find(of_none, "GET", &root, &m), 0);
	ck_assert_ptr_eq(m.route, &of_none[0]);
	ck_assert_int_eq(route_find(of_none, "POST", &root, &m), 405);
}
END_TEST

START_TEST(twice)
{
	const struct baton_route r[] = {
	    {.method = "GET", .path = "/a", .handle = handler},
	    {.method = "POST", .path = "/a", .handle = handler},
	    {.method = "GET", .path = "/a/", .handle = handler},
	    {.method = "GET", .path = "/a", .handle = handler, .streamed = true}};

	for (int i = 0; i < COUNT(r); i++)
		ck_assert(route_is_twice(r, &r[i]) == (i == 3));
}
END_TEST

START_TEST(fault)
{
	struct baton_route r = {.method = "GET", .path = faults[_i].path, .handle = handler};

	ck_assert_pstr_eq(route_fault(&r), faults[_i].fault);
	r.work = work;
	ck_assert_str_eq(route_fault(&r), "it has a handler and work");
	r.handle = NULL;
	ck_assert_pstr_eq(route_fault(&r), faults[_i].fault);
	r.streamed = true;
	ck_assert_str_eq(route_fault(&r), "its work has the body whole");
	r.work = NULL;
	ck_assert_str_eq(route_fault(&r), "it has no handler");
	r.handle = handler;
	r.method = "*";
	ck_assert_pstr_eq(route_fault(&r), faults[_i].fault);
	r.method = "get";
	ck_assert_str_eq(route_fault(&r), "its method is none of HTTP's, like GET");
	r.method = NULL;
	ck_assert_str_eq(route_fault(&r), "it has no method");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("route");
	TCase *tc = tcase_create("route");
	SRunner *sr;
	int failed;

	tcase_add_loop_test(tc, found, 0, COUNT(cases));
	tcase_add_test(tc, allowed);
	tcase_add_test(tc, what_no_route_has);
	tcase_add_test(tc, twice);
	tcase_add_loop_test(tc, fault, 0, COUNT(faults));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
