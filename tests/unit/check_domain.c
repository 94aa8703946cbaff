/* domain: what of files and other processes is within reach, for each kind of worker. */
#include "worker/sandbox/domain.h"

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "conf/conf.h"
#include "worker/core/service.h"

static char dir[] = "/tmp/check_domain.XXXXXX";
static struct conf *conf;
static pid_t outside; /* a process that waits to be attacked */

static void
put(const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs("text\n", f);
	fclose(f);
}

static void
set_up(void)
{
	struct conf_errors errors = {0};
	char text[512], path[128];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/root", dir);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	put("root/inside");
	put("beside");
	snprintf(text, sizeof text,
	         "[listen:a]\naddress = 127.0.0.1:0\nservice = s\n"
	         "[service:s]\ntype = http\nroot = %s/root\n",
	         dir);
	conf = conf_parse("x.ini", text, strlen(text), &errors);
	ck_assert_ptr_nonnull(conf);
	outside = fork();
	if (outside == 0)
		for (;;)
			pause();
}

static void
tear_down(void)
{
	char command[128];

	kill(outside, SIGKILL);
	waitpid(outside, NULL, 0);
	conf_free(&conf);
	snprintf(command, sizeof command, "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0); /* NOLINT */
}

static int
try_open(const char *name, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, *name == '/' ? "%s" : "%.0s%s/%s", *name == '/' ? name : "",
	         dir, name);
	fd = open(path, flags, 0600);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static int
read_inside(void)
{
	return try_open("root/inside", O_RDONLY);
}

static int
read_beside(void)
{
	return try_open("beside", O_RDONLY);
}

static int
write_inside(void)
{
	return try_open("root/inside", O_WRONLY);
}

static int
make_inside(void)
{
	return try_open("root/new", O_WRONLY | O_CREAT);
}

static int
read_etc(void)
{
	return try_open("/etc/passwd", O_RDONLY);
}

static int
memory(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/mem", (int)outside);
	return try_open(path, O_RDWR);
}

static int
trace(void)
{
	return (int)ptrace(PTRACE_ATTACH, outside, NULL, NULL);
}

static int
move(void)
{
	char from[128], to[128];

	snprintf(from, sizeof from, "%s/beside", dir);
	snprintf(to, sizeof to, "%s/root/moved", dir);
	return rename(from, to);
}

enum role { PLAIN, FILES, CONNECTS, MODULE, ROLES };

static const unsigned needs[ROLES] = {0, SERVICE_OPENS_FILES, SERVICE_CONNECTS,
                                      SERVICE_IS_FREE};

static const struct {
	const char *name;
	int (*fn)(void);
	bool may[ROLES];
} tries[] = {
    {"read inside", read_inside, {true, true, true, true}},
    {"read beside", read_beside, {false, false, false, true}},
    {"read /etc", read_etc, {false, false, true, true}},
    {"write inside", write_inside, {false, false, false, true}},
    {"make inside", make_inside, {false, false, false, true}},
    {"memory of another", memory, {false}},
    {"trace another", trace, {false}},
    {"move", move, {false, false, false, true}},
};

#ifdef __SANITIZE_ADDRESS__
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

static bool
is_there(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) >= 2;
}

static int
attempt(size_t i, unsigned role)
{
	char *cause = NULL;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (domain_enter(conf, needs[role], &cause) < 0)
		return 9;
	return tries[i].fn() == 0 ? 0 : 1;
}

/* As root, too: no other right is in the way there. */
START_TEST(each_role_reaches_what_it_needs)
{
	int status;
	pid_t pid;

	for (size_t i = 0; is_there() && i < sizeof tries / sizeof *tries; i++)
		for (unsigned role = 0; role < ROLES; role++) {
			if (sanitized && !tries[i].may[role] &&
			    strncmp(tries[i].name, "read", 4) == 0)
				continue; /* such a build reads more */
			pid = fork();
			if (pid == 0)
				_exit(attempt(i, role));
			ck_assert_int_eq(waitpid(pid, &status, 0), pid);
			ck_assert_msg(status == (tries[i].may[role] ? 0 : 1 << 8),
			              "%s in role %u: status %d", tries[i].name, role, status);
		}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("domain");
	TCase *tc = tcase_create("domain");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, each_role_reaches_what_it_needs);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
