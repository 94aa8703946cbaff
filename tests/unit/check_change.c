/* change: each step of a change, and what its failure leaves behind. */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "crew.h"
#include "master/change/change.h"
#include "master/change/preflight.h"
#include "master/change/settings.h"
#include "master/change/waiters.h"
#include "master/change/warnings.h"
#include "master/control/control.h"
#include "master/control/requester.h"
#include "master/state/upgrade.h"
#include "master/workers/privileges.h"
#include "master/workers/retire.h"

#define CLIENTS 4
#define FILE_OF "[listen:a]\naddress = 127.0.0.1:0\nservice = s\n[service:s]\ntype = echo\n"

/* --- what stands below it --- */

/* The socket's side: what a client was told. */
static struct control_client {
	unsigned answers;
	int exit_code;
	char text[160];
} client[CLIENTS];

void
control_owe(struct control_client *c, void (*gone)(void *owed), void *owed)
{
	(void)c;
	(void)gone;
	(void)owed;
}

void
control_answer(struct control_client *c, int exit_code, json_t *data, const char *fmt, ...)
{
	va_list ap;

	json_decref(data);
	c->answers++;
	c->exit_code = exit_code;
	va_start(ap, fmt);
	vsnprintf(c->text, sizeof c->text, fmt, ap);
	va_end(ap);
}

void
control_progress(struct control_client *c, const char *text, int percent)
{
	(void)c;
	(void)text;
	(void)percent;
}

struct control_client *
control_find(uint32_t id)
{
	return id > 0 ? &client[id - 1] : NULL;
}

uint32_t
control_id(const struct control_client *c)
{
	return (uint32_t)(c - client) + 1;
}

/* What is to fail, and what was done. */
static struct {
	bool start, say_no; /* a preflight */
	bool privileges, try, log, acquire, open, grow, state, exec, back;
} fails;

static struct {
	unsigned preflights, cancelled, acquired, opened, retired;
	unsigned again, applied, execs, backs, commits;
	struct preflight_asker asker;
} did;

static struct preflight *const under_way = (struct preflight *)&did;

static int
unless(bool failing, const char *sentence, char **cause)
{
	return failing ? cause_set(cause, "%s", sentence) : 0;
}

static struct preflight *
begin(const struct preflight_asker *asker, char **cause)
{
	did.preflights++;
	did.asker = *asker;
	return unless(fails.start, "no child", cause) == 0 ? under_way : NULL;
}

struct preflight *
preflight_conf(const char *path, const char *text, size_t len,
               const struct preflight_asker *asker, char **cause)
{
	(void)path;
	(void)text;
	(void)len;
	return begin(asker, cause);
}

struct preflight *
preflight_binary(const char *binary, int state, const char *conf_path,
                 const struct preflight_asker *asker, char **cause)
{
	(void)binary;
	(void)state;
	(void)conf_path;
	return begin(asker, cause);
}

void
preflight_cancel(struct preflight **p)
{
	did.cancelled += *p != NULL;
	*p = NULL;
}

int
privileges_of(const struct conf *conf, struct heritage *h, char **cause)
{
	(void)conf;
	(void)h;
	return unless(fails.privileges, "no such user", cause);
}

int
settings_try(const struct conf *conf, char **cause)
{
	(void)conf;
	return unless(fails.try, "no control socket", cause);
}

int
settings_open_log(const struct conf *conf, char **cause)
{
	(void)conf;
	return unless(fails.log, "no log", cause);
}

void
settings_apply(const struct conf *conf)
{
	(void)conf;
	did.applied++;
}

void
settings_again(const struct conf *conf)
{
	(void)conf;
	did.again++;
}

int
listener_acquire(const struct conf *conf, uint32_t slots, struct generation_use **use,
                 size_t *nuse, char **cause)
{
	(void)conf;
	(void)slots;
	*use = NULL;
	*nuse = 0;
	did.acquired++;
	return unless(fails.acquire, "the address is in use", cause);
}

int
listener_open(const struct generation *g, char **cause)
{
	(void)g;
	did.opened++;
	return unless(fails.open, "cannot listen", cause);
}

int
listener_grow(const struct generation *g, uint32_t slots, char **cause)
{
	(void)g;
	(void)slots;
	(void)cause;
	return 0;
}

int
listener_grow_ahead(const struct conf *conf, uint32_t slots, char **cause)
{
	(void)conf;
	(void)slots;
	return unless(fails.grow, "no more sockets", cause);
}

void
retire_unused(void)
{
	did.retired++;
}

void
retire_close_swept(void)
{
}

json_t *
warnings_of_paths(void)
{
	return json_array();
}

int
upgrade_make_state(char **cause)
{
	return unless(fails.state, "no state", cause) == 0 ? dup(0) : -1;
}

int
upgrade_exec(const char *binary, uint64_t limit_ms, char **cause)
{
	(void)limit_ms;
	did.execs++;
	return cause_set(cause, "cannot execute %s", binary); /* or it does not return */
}

void
upgrade_back(const char *reason)
{
	(void)reason;
	did.backs++; /* it returns: the old binary cannot be executed */
}

void
upgrade_commit(void)
{
	did.commits++;
}

void
upgrade_forget_old(void)
{
}

void
upgrade_limit(uint64_t ms)
{
	(void)ms;
}

bool
upgrade_has_old(void)
{
	return false;
}

uint32_t
upgrade_old_image(void)
{
	return 0;
}

/* --- the scene: generation 1 serves --- */

static char file[64];
static struct event *converge;
static struct generation *old;

static void
on_converge(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void
write_file(const char *text)
{
	FILE *f = fopen(file, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static struct requester
by(int i)
{
	return (struct requester){.how = REQUESTER_CONTROL, .uid = 1000, .client = &client[i]};
}

static void
ask(enum change_kind kind, const char *binary, int i)
{
	struct requester who = by(i);

	change_request(kind, binary, false, &who);
}

static void
was_told(int i, int exit_code, const char *text)
{
	ck_assert_msg(client[i].answers == 1, "client %d has %u answers", i, client[i].answers);
	ck_assert_msg(strstr(client[i].text, text) != NULL, "client %d: %s", i, client[i].text);
	ck_assert_int_eq(client[i].exit_code, exit_code);
}

/* Nothing has changed: generation 1 serves, and another change may begin. */
static void
nothing_has_changed(void)
{
	ck_assert(!change_busy());
	ck_assert_ptr_null(change_new());
	ck_assert_ptr_null(change_old());
	ck_assert_ptr_eq(generation_active(), old);
	ck_assert_uint_eq(did.applied, 0);
}

static void
answer_preflight(bool yes, const char *text)
{
	ck_assert(change_busy());
	did.asker.fn(did.asker.arg, yes, text);
}

static void
ready_for_room(enum change_kind kind)
{
	ask(kind, kind == CHANGE_UPGRADE ? "/bin/true" : NULL, 0);
	answer_preflight(true, "good");
	ck_assert(change_waiting());
}

static struct generation *
starting(void)
{
	ready_for_room(CHANGE_RELOAD);
	change_begin();
	ck_assert_ptr_nonnull(change_new());
	ck_assert_int_eq(change_new()->state, GEN_STARTING);
	ck_assert_ptr_eq(change_old(), old);
	return change_new();
}

static struct generation *
on_probation(void)
{
	struct generation *g = starting();

	change_promote(g);
	ck_assert_int_eq(g->state, GEN_ACTIVE);
	ck_assert_int_eq(old->state, GEN_PAUSED);
	return g;
}

static void
set_up(void)
{
	struct conf_errors errors = {0};
	char *cause = NULL;
	int fd;

	crew_set_up();
	memset(client, 0, sizeof client);
	memset(&fails, 0, sizeof fails);
	memset(&did, 0, sizeof did);
	strcpy(file, "/tmp/check_change.XXXXXX");
	fd = mkstemp(file);
	ck_assert_int_ge(fd, 0);
	close(fd);
	write_file(FILE_OF);
	env.conf_path = file;
	env.exe_path = file; /* which is no binary */
	converge = event_new(env.base, -1, 0, on_converge, NULL);
	env_on_converge(converge);
	ck_assert_int_eq(change_first(conf_load(file, &errors), &cause), 0);
	old = change_new();
	change_promote(old);
	change_commit(old);
	memset(&did, 0, sizeof did);
}

static void
tear_down(void)
{
	change_stop(true);
	event_free(converge);
	unlink(file);
	crew_tear_down();
}

/* --- a reload, step by step --- */

START_TEST(it_goes_well)
{
	struct generation *g = on_probation();

	ck_assert_uint_eq(client[0].answers, 0);
	change_commit(g);
	was_told(0, 0, "generation 2 serves");
	ck_assert(!change_busy());
	ck_assert_int_eq(old->state, GEN_DRAINING);
	ck_assert_ptr_eq(generation_active(), g);
	ck_assert_uint_eq(did.applied, 1);
	ck_assert_uint_eq(did.retired, 1);
	ck_assert_uint_eq(did.commits, 1);
	ck_assert_uint_eq(did.again, 0);
}
END_TEST

START_TEST(the_file_cannot_be_read)
{
	unlink(file);
	ask(CHANGE_RELOAD, NULL, 0);
	was_told(0, 1, file);
	ck_assert_uint_eq(did.preflights, 0);
	nothing_has_changed();
}
END_TEST

START_TEST(no_check_can_be_started)
{
	fails.start = true;
	ask(CHANGE_RELOAD, NULL, 0);
	was_told(0, 1, "no child");
	nothing_has_changed();
}
END_TEST

START_TEST(the_check_says_no)
{
	ask(CHANGE_RELOAD, NULL, 0);
	ck_assert_uint_eq(client[0].answers, 0);
	answer_preflight(false, "line 3 is bad");
	was_told(0, 1, "line 3 is bad");
	ck_assert_uint_eq(did.acquired, 0);
	nothing_has_changed();
}
END_TEST

/* What was checked is what is used, whatever the file says by now. */
START_TEST(the_file_changes_after_the_check)
{
	ready_for_room(CHANGE_RELOAD);
	write_file("nonsense");
	change_begin();
	ck_assert_ptr_nonnull(change_new());
	ck_assert_str_eq(change_new()->conf->listen[0].name, "a");
}
END_TEST

START_TEST(a_step_before_the_workers_fails)
{
	static const struct {
		bool *fails;
		const char *cause;
		unsigned again; /* the log is the old one again */
	} step[] = {{&fails.privileges, "no such user", 0},
	            {&fails.try, "no control socket", 0},
	            {&fails.log, "no log", 0},
	            {&fails.acquire, "the address is in use", 1}};

	env.scale = 5;
	write_file("[server]\nworkers = 2\n" FILE_OF); /* which ends it */
	ready_for_room(CHANGE_RELOAD);
	*step[_i].fails = true;
	change_begin();
	was_told(0, 1, step[_i].cause);
	ck_assert_uint_eq(env.scale, 5);
	ck_assert_uint_eq(did.again, step[_i].again);
	nothing_has_changed();
	ck_assert_ptr_eq(TAILQ_LAST(generation_all(), generation_list), old);
}
END_TEST

static void
was_rolled_back(const struct generation *failed)
{
	nothing_has_changed();
	ck_assert_int_eq(failed->state, GEN_FAILED);
	ck_assert_int_eq(old->state, GEN_ACTIVE);
	ck_assert_uint_eq(did.again, 1);
	ck_assert_uint_eq(did.retired, 1);
	ck_assert_uint_eq(did.commits, 0);
}

START_TEST(the_workers_fail)
{
	struct generation *g = starting();

	change_fail(g, "worker 0 died");
	was_told(0, 1, "worker 0 died");
	was_rolled_back(g);
}
END_TEST

START_TEST(it_cannot_listen)
{
	struct generation *g = starting();

	fails.open = true;
	change_promote(g);
	was_told(0, 1, "cannot listen");
	was_rolled_back(g);
}
END_TEST

START_TEST(it_fails_on_probation)
{
	struct generation *g = on_probation();

	change_fail(g, "worker 1 died");
	was_told(0, 1, "worker 1 died");
	was_rolled_back(g);
}
END_TEST

START_TEST(it_is_aborted)
{
	struct generation *g = _i == 0 ? starting() : on_probation();
	struct requester who = by(1);
	char *cause = NULL;

	ck_assert_int_eq(change_abort(&who, &cause), 0);
	was_told(0, 1, "aborted by request");
	was_told(1, 0, "takes over again");
	was_rolled_back(g);
}
END_TEST

START_TEST(there_is_nothing_to_abort_yet)
{
	struct requester who = by(1);
	char *cause = NULL;

	ask(CHANGE_RELOAD, NULL, 0);
	if (_i == 1)
		answer_preflight(true, "good");
	ck_assert_int_eq(change_abort(&who, &cause), -1);
	ck_assert_ptr_nonnull(strstr(cause, "has changed nothing yet"));
	ck_assert(change_busy());
	free(cause);
}
END_TEST

START_TEST(a_drain_is_aborted)
{
	struct generation *g = on_probation();
	struct requester who = by(1);
	char *cause = NULL;

	change_commit(g);
	fails.acquire = true; /* it hasn't what it needs */
	ck_assert_int_eq(change_abort(&who, &cause), -1);
	ck_assert_str_eq(cause, "the address is in use");
	free(cause);
	ck_assert_ptr_eq(generation_active(), g);
	ck_assert_int_eq(old->state, GEN_DRAINING);
	fails.acquire = false;
	ck_assert_int_eq(change_abort(&who, &cause), 0);
	was_told(1, 0, "generation 1 takes over again");
	ck_assert_ptr_eq(generation_active(), old);
	ck_assert_int_eq(g->state, GEN_DRAINING);
}
END_TEST

/* --- a stop in each phase --- */

START_TEST(a_stop_comes)
{
	struct generation *g = NULL;

	ask(CHANGE_RELOAD, NULL, 0);
	if (_i >= 1)
		answer_preflight(true, "good");
	if (_i >= 2) {
		change_begin();
		g = change_new();
	}
	if (_i >= 3)
		change_promote(g);
	ask(CHANGE_RELOAD, NULL, 1); /* for the next one, which is none */
	change_stop(false);
	was_told(0, 1, "baton is stopping");
	was_told(1, 1, "baton is stopping");
	ck_assert_uint_eq(did.cancelled, _i == 0);
	ck_assert_uint_eq(did.commits, 0);
	nothing_has_changed();
	if (g != NULL)
		ck_assert_int_eq(g->state, GEN_FAILED);
}
END_TEST

START_TEST(nothing_begins_in_a_stop)
{
	env.stop = STOP_LAME;
	ask(CHANGE_RELOAD, NULL, 0);
	was_told(0, 1, "baton is stopping");
	ck_assert_uint_eq(did.preflights, 0);
	ck_assert(!change_busy());
}
END_TEST

/* --- an upgrade --- */

START_TEST(there_is_no_such_binary)
{
	ask(CHANGE_UPGRADE, _i == 0 ? "/nowhere/baton" : NULL, 0);
	was_told(0, 1, _i == 0 ? "/nowhere/baton" : "is not executable");
	nothing_has_changed();
}
END_TEST

START_TEST(the_state_cannot_be_made)
{
	fails.state = true;
	ask(CHANGE_UPGRADE, "/bin/true", 0);
	was_told(0, 1, "no state");
	ck_assert_uint_eq(did.preflights, 0);
	nothing_has_changed();
}
END_TEST

START_TEST(the_binary_says_no)
{
	fails.start = _i == 0;
	ask(CHANGE_UPGRADE, "/bin/true", 0);
	if (_i == 1)
		answer_preflight(false, "it cannot take over");
	was_told(0, 1, _i == 0 ? "no child" : "it cannot take over");
	ck_assert_uint_eq(did.execs, 0);
	nothing_has_changed();
}
END_TEST

START_TEST(it_cannot_be_executed)
{
	ready_for_room(CHANGE_UPGRADE);
	fails.grow = _i == 0;
	change_begin();
	was_told(0, 1, _i == 0 ? "no more sockets" : "cannot execute /bin/true");
	ck_assert_uint_eq(did.execs, _i == 0 ? 0 : 1);
	nothing_has_changed();
}
END_TEST

/* The image before has failed us, and is executed again: its newest generation serves. */
START_TEST(the_new_image_has_failed)
{
	struct generation *g = on_probation();

	g->image = 2;
	change_rolled_back("the new binary crashed");
	was_told(0, 1, "the new binary crashed");
	was_rolled_back(g);
	ck_assert_uint_eq(did.acquired, 2);
}
END_TEST

/* --- who comes meanwhile --- */

START_TEST(the_next_one_serves_all_who_came)
{
	struct generation *g = on_probation();

	ask(CHANGE_RELOAD, NULL, 1);
	ask(CHANGE_UPGRADE, "/bin/true", 2);
	ask(CHANGE_RELOAD, NULL, 3);
	if (_i == 0)
		change_commit(g);
	else
		change_fail(g, "worker 0 died");
	was_told(0, _i, _i == 0 ? "generation 2 serves" : "worker 0 died");
	ck_assert(change_busy());
	ck_assert_int_eq(change_kind(), CHANGE_UPGRADE); /* which is a reload, too */
	answer_preflight(false, "no");
	for (int i = 1; i < 4; i++)
		was_told(i, 1, "no");
	ck_assert(!change_busy());
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("change");
	TCase *tc = tcase_create("change");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, it_goes_well);
	tcase_add_test(tc, the_file_cannot_be_read);
	tcase_add_test(tc, no_check_can_be_started);
	tcase_add_test(tc, the_check_says_no);
	tcase_add_test(tc, the_file_changes_after_the_check);
	tcase_add_loop_test(tc, a_step_before_the_workers_fails, 0, 4);
	tcase_add_test(tc, the_workers_fail);
	tcase_add_test(tc, it_cannot_listen);
	tcase_add_test(tc, it_fails_on_probation);
	tcase_add_loop_test(tc, it_is_aborted, 0, 2);
	tcase_add_loop_test(tc, there_is_nothing_to_abort_yet, 0, 2);
	tcase_add_test(tc, a_drain_is_aborted);
	tcase_add_loop_test(tc, a_stop_comes, 0, 4);
	tcase_add_test(tc, nothing_begins_in_a_stop);
	tcase_add_loop_test(tc, there_is_no_such_binary, 0, 2);
	tcase_add_test(tc, the_state_cannot_be_made);
	tcase_add_loop_test(tc, the_binary_says_no, 0, 2);
	tcase_add_loop_test(tc, it_cannot_be_executed, 0, 2);
	tcase_add_test(tc, the_new_image_has_failed);
	tcase_add_loop_test(tc, the_next_one_serves_all_who_came, 0, 2);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
