/* acquire: addresses become listeners with sockets, or nothing has changed. */
#include <sys/socket.h>
#include <sys/stat.h>

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "master/listen/listener.h"
#include "master/listen/listener_int.h"
#include "master/workers/generation.h"

static char dir[] = "/tmp/check_acquire.XXXXXX";

/* What listens there already is not ours. */
static int foreign;
static uint16_t foreign_port;

static uint16_t
port_of(int fd)
{
	struct sockaddr_in sin;
	socklen_t len = sizeof sin;

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	return ntohs(sin.sin_port);
}

static void
set_up(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
	                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	foreign = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(foreign, (struct sockaddr *)&sin, sizeof sin), 0);
	ck_assert_int_eq(listen(foreign, 1), 0);
	foreign_port = port_of(foreign);
}

static void
tear_down(void)
{
	listener_stop();
	close(foreign);
}

/* Of "listen" sections; last, if wished, one whose address is had by a stranger. */
static struct conf *
conf_of(const char *sections, bool busy)
{
	struct conf_errors errors = {0};
	char *last =
	    busy ? mem_printf("[listen:z]\naddress = 127.0.0.1:%d\nservice = s\n", foreign_port)
	         : mem_strdup("");
	char *text = mem_printf("%s%s[service:s]\ntype = echo\n", sections, last);
	struct conf *conf = conf_parse("c.ini", text, strlen(text), &errors);

	ck_assert_msg(conf != NULL, "%s", errors.n > 0 ? errors.at[0].text : "");
	conf_errors_free(&errors);
	free(last);
	free(text);
	return conf;
}

/* What is had for it; the conf goes with it. */
static struct generation
acquired(const char *sections, uint32_t slots)
{
	struct generation g = {.conf = conf_of(sections, false)};
	char *cause = NULL;

	ck_assert_msg(listener_acquire(g.conf, slots, &g.use, &g.nuse, &cause) == 0, "%s",
	              cause);
	return g;
}

static void
forget(struct generation *g)
{
	free(g->use);
	conf_free(&g->conf);
}

/* It fails, and says so. */
static void
refused(const char *sections, bool busy, uint32_t slots, const char *why)
{
	struct conf *conf = conf_of(sections, busy);
	struct generation_use *use;
	char *cause = NULL;
	size_t n;

	ck_assert_int_eq(listener_acquire(conf, slots, &use, &n, &cause), -1);
	ck_assert_msg(strstr(cause, why) != NULL, "%s", cause);
	ck_assert_ptr_null(use);
	ck_assert_uint_eq(n, 0);
	free(cause);
	conf_free(&conf);
}

static void
open_all(struct generation *g)
{
	char *cause = NULL;

	ck_assert_msg(listener_open(g, &cause) == 0, "%s", cause);
}

static size_t
count(void)
{
	size_t n = 0;

	for (struct listener *l = listener_first(); l != NULL; l = TAILQ_NEXT(l, link))
		n++;
	return n;
}

static bool
lets_in(const struct listener *l)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	int fd;
	bool in;

	ck_assert_int_eq(getsockname(l->sock[0].fd, (struct sockaddr *)&sa, &len), 0);
	fd = socket(sa.ss_family, SOCK_STREAM, 0);
	in = connect(fd, (struct sockaddr *)&sa, len) == 0;
	close(fd);
	return in;
}

#define FREE "[listen:a]\naddress = 127.0.0.1:0\nservice = s\n"
#define MORE "[listen:b]\naddress = 127.0.0.1:0\nservice = s\n"

START_TEST(nobody_comes_before_it_is_opened)
{
	struct generation g = acquired(FREE MORE, 3);

	ck_assert_uint_eq(g.nuse, 2);
	ck_assert_uint_eq(g.use[0].listen_ix, 0);
	ck_assert_uint_eq(g.use[1].listen_ix, 1);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(g.use[i].listener->nsock, 3);
		ck_assert(!lets_in(g.use[i].listener));
	}
	open_all(&g);
	ck_assert(lets_in(g.use[0].listener) && lets_in(g.use[1].listener));
	forget(&g);
}
END_TEST

START_TEST(the_same_address_is_the_same_listener)
{
	struct generation g = acquired(FREE, 1), again;
	uint32_t id = g.use[0].listener->sock[0].id;

	open_all(&g);
	again = acquired(MORE FREE, 2);
	ck_assert_ptr_eq(again.use[1].listener, g.use[0].listener);
	ck_assert_uint_eq(again.use[1].listener->sock[0].id, id);
	ck_assert_uint_eq(again.use[1].listener->nsock, 2);
	ck_assert(lets_in(again.use[1].listener));
	ck_assert_uint_eq(count(), 2);
	forget(&again);
	forget(&g);
}
END_TEST

START_TEST(what_was_opened_is_closed_when_another_fails)
{
	struct generation g = acquired(FREE, 1);

	open_all(&g);
	refused(FREE MORE, true, 1, "c.ini:8: cannot listen on 127.0.0.1:");
	ck_assert_uint_eq(count(), 1);
	ck_assert_ptr_eq(listener_first(), g.use[0].listener);
	ck_assert(lets_in(g.use[0].listener));
	forget(&g);
}
END_TEST

START_TEST(what_is_retired_stays_so_when_another_fails)
{
	struct generation g = acquired(FREE, 1);
	struct listener *l = g.use[0].listener;

	open_all(&g);
	l->retired = true;
	refused(FREE, true, 1, "cannot listen");
	ck_assert(l->retired && !l->coming);
	refused(FREE MORE, true, 4, "cannot listen");
	ck_assert(l->retired && !l->coming);
	ck_assert_uint_eq(count(), 1);
	forget(&g);
	g = acquired(FREE, 1);
	ck_assert_ptr_eq(g.use[0].listener, l);
	ck_assert(!l->retired && l->coming);
	open_all(&g);
	ck_assert(!l->coming);
	forget(&g);
}
END_TEST

START_TEST(a_path_is_left_as_it_was)
{
	char *path = mem_printf("%s/sock", dir);
	char *mine = mem_printf("[listen:u]\naddress = unix:%s\nservice = s\n", path);
	struct generation g;
	struct stat st, now;

	refused(mine, true, 1, "cannot listen");
	ck_assert_int_eq(lstat(path, &st), -1);
	g = acquired(mine, 1);
	ck_assert_int_eq(lstat(path, &st), 0);
	refused(mine, true, 1, "cannot listen");
	ck_assert_int_eq(lstat(path, &now), 0);
	ck_assert(now.st_ino == st.st_ino && S_ISSOCK(now.st_mode));
	forget(&g);
	listener_unlink_all();
	free(mine);
	free(path);
}
END_TEST

START_TEST(a_foreign_file_is_no_address)
{
	char *path = mem_printf("%s/file", dir);
	char *text = mem_printf("[listen:u]\naddress = unix:%s\nservice = s\n", path);
	FILE *f = fopen(path, "w");

	fclose(f);
	refused(text, false, 1, "a file stands there already");
	ck_assert_int_eq(access(path, F_OK), 0);
	ck_assert_uint_eq(count(), 0);
	unlink(path);
	free(text);
	free(path);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("acquire");
	TCase *tc = tcase_create("acquire");
	SRunner *sr = srunner_create(s);
	int failed;

	if (mkdtemp(dir) == NULL)
		return 1;
	suite_add_tcase(s, tc);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, nobody_comes_before_it_is_opened);
	tcase_add_test(tc, the_same_address_is_the_same_listener);
	tcase_add_test(tc, what_was_opened_is_closed_when_another_fails);
	tcase_add_test(tc, what_is_retired_stays_so_when_another_fails);
	tcase_add_test(tc, a_path_is_left_as_it_was);
	tcase_add_test(tc, a_foreign_file_is_no_address);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	rmdir(dir);
	return failed > 0;
}
