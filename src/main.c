/*
 * main: argv to role.  The only file that sees both master/ and worker/.
 */
#include <config.h>

#include <sys/auxv.h>
#include <sys/prctl.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "base/title.h"
#include "conf/conf.h"
#include "conf/errors.h"
#include "master/change/preflight.h"
#include "master/change/scale.h"
#include "master/master.h"
#include "master/parts.h"
#include "master/state/upgrade.h"
#include "master/workers/privileges.h"
#include "services.h"
#include "wire/heritage.h"
#include "worker/core/service.h"
#include "worker/sandbox/confine.h"
#include "worker/sandbox/eyes.h"
#include "worker/tls/context.h"
#include "worker/worker.h"

static const char usage[] =
    "usage: baton [-c FILE]            serve, in the foreground\n"
    "       baton --check [-c FILE]    is the configuration good?\n"
    "       baton --print-config [-c FILE]\n"
    "                                  every key with value, default and origin\n"
    "       baton --version | --help\n"
    "\n"
    "FILE is " SYSCONFDIR "/" CONF_DEFAULT_PATH_NAME " unless named; see server.ini(5).\n"
    "Signals: TERM, INT, QUIT drain and stop (the second: now); HUP reload; USR2 upgrade;\n"
    "USR1 reopen log files; TTIN, TTOU one worker more, one less.  See also batonctl --help.\n";

#define FDS_OF_MASTER 32 /* beside the sockets, roughly */
#define FDS_OF_WORKER 2  /* in the master: its channel and its log */

enum command { SERVE, CHECK, PRINT, PREFLIGHT };

struct options {
	enum command command;
	const char *conf;
	int state; /* of a preflight */
};

/* A module runs code when it is loaded: not with the master's rights. */
static int
confine(const struct conf *conf, char **cause)
{
	return confine_reach(conf, cause) < 0 ? -1 : confine_calls(conf, cause);
}

/* False: this process is not as a worker is, and looks with its own eyes.  Of a user that is
 * not there privileges_look tells. */
static bool
become_worker(const struct conf *conf, struct conf_errors *errors)
{
	struct heritage h;
	char *cause = NULL;
	bool is_known = privileges_of(conf, &h, &cause) == 0, done = is_known;

	if (is_known && confine_user(&h, &cause) < 0) {
		conf_error(errors, conf_line(conf, CONF_SERVER, 0, "user"), "%s", cause);
		done = false;
	}
	free(cause);
	return done;
}

/* A master holds every listening socket, and a worker its own. */
static void
check_descriptors(const struct conf *conf, struct conf_errors *errors)
{
	uint64_t slots = scale_workers(conf), n = 0, limit = fd_raise_limit();

	for (size_t i = 0; i < conf->nlisten; i++)
		for (size_t k = 0; k < conf->listen[i].naddr; k++)
			n += conf->listen[i].addr[k].kind == CONF_ADDR_TCP &&
			             conf->listen[i].reuseport
			         ? slots
			         : 1;
	if (n + slots * FDS_OF_WORKER + FDS_OF_MASTER > limit)
		conf_error(errors, conf_line(conf, CONF_SERVER, 0, "workers"),
		           "%llu listening sockets of %llu workers do not fit into %llu "
		           "descriptors (RLIMIT_NOFILE)",
		           (unsigned long long)n, (unsigned long long)slots,
		           (unsigned long long)limit);
}

/* Services whose files are missing are left out. */
static void
check_services(const struct conf *conf, const bool *seen, struct conf_errors *errors)
{
	for (size_t i = 0; i < conf->nservice; i++) {
		const struct service_type *type = service_type_find(conf->service[i].type);

		if (seen[i] && type != NULL && type->examine != NULL)
			type->examine(conf, &conf->service[i], errors);
	}
}

static void
check_type(const struct conf *conf, size_t service, struct conf_errors *errors)
{
	if (service_type_find(conf->service[service].type) == NULL)
		conf_error(errors, conf_line(conf, CONF_SERVICE, service, "type"),
		           "type '%s' is not in this binary", conf->service[service].type);
}

/* What --check says beyond the syntax: do the things exist that the file names, for the
 * master's eyes and for the workers'?  In a process that does nothing else: it can do little
 * afterwards. */
static void
check_world(const struct conf *conf, struct conf_errors *errors)
{
	bool *seen = mem_alloc((conf->nservice + 1) * sizeof *seen), is_worker;
	char *cause = NULL;

	check_descriptors(conf, errors);
	context_start(conf, NULL, errors); /* as the master, who may read keys */
	context_stop();
	is_worker = become_worker(conf, errors);
	for (size_t i = 0; i < conf->nservice; i++) {
		check_type(conf, i, errors);
		seen[i] = eyes_look(conf, i, errors);
	}
	if (is_worker && confine(conf, &cause) < 0) {
		conf_error(errors, CONF_NO_LINE, "%s", cause);
		is_worker = false;
	}
	if (is_worker)
		check_services(conf, seen, errors);
	free(cause);
	free(seen);
}

static const struct program program = {
    .version = PACKAGE_VERSION,
    .worker = worker_main,
    .check = check_world,
};

/* The way that this process was started by, absolute but not resolved: a link in
 * it is followed afresh at each upgrade.  AT_EXECFN is what execve was given, so
 * a search through PATH is done with. */
static char *
executable_path(const char *argv0)
{
	const char *name = (const char *)getauxval(AT_EXECFN);
	char *cwd, *path;

	if (name == NULL || *name == '\0')
		name = argv0;
	if (*name == '/')
		return mem_strdup(name);
	cwd = get_current_dir_name(); /* honours PWD: a directory may be a link, too */
	path = mem_printf("%s/%s", cwd != NULL ? cwd : "", name);
	free(cwd);
	return path;
}

/* Once and for all: the images after us take it from the state, wherever they stand. */
static char *
absolute(const char *path)
{
	char *cwd, *result;

	if (*path == '/')
		return mem_strdup(path);
	cwd = get_current_dir_name(); /* honours PWD: it may be a link that is to be followed */
	if (cwd == NULL && upgrade_role() == UPGRADE_NONE) {
		fprintf(stderr,
		        "baton: %s is relative, and the working directory is gone: %s\n", path,
		        strerror(errno));
		exit(1);
	}
	result = mem_printf("%s/%s", cwd != NULL ? cwd : "", path);
	free(cwd);
	return result;
}

static _Noreturn void
misused(void)
{
	fputs(usage, stderr);
	exit(2);
}

static void
parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"check", no_argument, NULL, 'k'},
	                                      {"config", required_argument, NULL, 'c'},
	                                      {"help", no_argument, NULL, 'h'},
	                                      {"version", no_argument, NULL, 'V'},
	                                      {"print-config", no_argument, NULL, 'p'},
	                                      {"preflight", required_argument, NULL, 'P'},
	                                      {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->conf = optarg;
			break;
		case 'k':
			o->command = CHECK;
			break;
		case 'p':
			o->command = PRINT;
			break;
		case 'P':
			o->command = PREFLIGHT;
			o->state = atoi(optarg);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'V':
			puts("baton " PACKAGE_VERSION);
			exit(0);
		default:
			misused();
		}
	}
	if (optind < argc) {
		fprintf(stderr,
		        "baton: unexpected '%s'; is it the file, as in: baton -c %s ?\n\n",
		        argv[optind], argv[optind]);
		misused();
	}
}

static struct conf *
load_or_complain(const char *path, bool world)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_examine(path, NULL, 0, world ? preflight_look : NULL, &errors);

	if (conf != NULL && world)
		check_world(conf, &errors);
	if (errors.n > 0) {
		char *all = conf_errors_join(&errors);

		fprintf(stderr, "%s\n", all);
		free(all);
		conf_free(&conf);
	}
	conf_errors_free(&errors);
	return conf;
}

static int
check(const char *path)
{
	struct conf *conf = load_or_complain(path, true);

	if (conf == NULL)
		return 1;
	printf("%s is good\n", path);
	conf_free(&conf);
	return 0;
}

static int
print(const char *path)
{
	struct conf *conf = load_or_complain(path, false);
	char *text;

	if (conf == NULL)
		return 1;
	text = conf_print(conf);
	fputs(text, stdout);
	free(text);
	conf_free(&conf);
	return 0;
}

/* Run by an older baton that would like to become this one. */
static _Noreturn void
preflight(const char *path, int state)
{
	struct conf_errors errors = {0};
	struct conf *conf = conf_examine(path, NULL, 0, privileges_look, &errors);
	char *cause = NULL;
	int state_is_good;

	FAULT("preflight");
	env.program = &program;
	parts_start();
	state_is_good = upgrade_try_state(state, &cause) == 0;
	if (conf != NULL)
		check_world(conf, &errors);
	if (errors.n > 0)
		preflight_answer(false, conf_errors_join(&errors));
	if (!state_is_good)
		preflight_answer(false, cause);
	preflight_answer(true, PACKAGE_VERSION);
}

/* A signal before its handler is installed would kill: all wait until then. */
static void
block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGALRM);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

/* Started with one of them closed, the next descriptor would take its number, and the
 * log would go into it. */
static void
open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static int
serve(const char *conf, char **argv)
{
	char *exe = executable_path(argv[0]);
	char *path = absolute(conf);
	int status;

	if (upgrade_role() == UPGRADE_NONE)
		fd_raise_limit();
	fault_init(exe);
	status = master_main(&program, path, exe);
	free(exe);
	free(path);
	return status;
}

int
main(int argc, char **argv)
{
	struct options o = {.conf = SYSCONFDIR "/" CONF_DEFAULT_PATH_NAME};
	int status = 1;

	title_begin(argv);
	service_types_use(services);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* a worker of our user cannot open our memory */
	block_signals();
	open_standard_descriptors();
	upgrade_begin(argv);
	unsetenv("EVENT_EPOLL_USE_CHANGELIST"); /* it breaks with descriptors that are shared */
	parse(argc, argv, &o);
	if (o.command != SERVE) {
		char *exe = executable_path(argv[0]);

		fault_init(exe);
		free(exe);
		spawn_unblock_signals();
	}
	switch (o.command) {
	case SERVE:
		status = serve(o.conf, argv);
		break;
	case CHECK:
		status = check(o.conf);
		break;
	case PRINT:
		status = print(o.conf);
		break;
	case PREFLIGHT:
		preflight(o.conf, o.state);
	}
	return status;
}
