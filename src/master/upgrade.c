#include "master/upgrade.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/fdlist.h"
#include "master/env.h"
#include "master/state.h"

#define VARIABLE   "BATON_HANDOVER" /* ROLE:STATE:OLD:REASON */
#define REASON_MAX 4000

/*
 * What a signal handler needs to execute the old binary again: prepared while
 * all is well, since a handler can allocate nothing.
 */
static struct {
	enum upgrade_role role;
	bool armed;
	pid_t pid;          /* ours: a forked child must not go back */
	uint32_t old_image; /* the number of the image to go back to */
	int old;            /* the old executable; -1 */
	int state;          /* the sealed memfd that this image was given; -1 */
	char **argv;
	char **envp;
	char entry[REASON_MAX + 128]; /* "BATON_HANDOVER=back:12:-1:reason", in envp */
	char *reason;                 /* given to this image */
	json_t *given;                /* the state, between reading and restoring it */
} up = {.old = -1, .state = -1};

extern char **environ;

/* --- the way back --- */

static char *
append(char *to, const char *end, const char *text)
{
	while (*text != '\0' && to < end - 1)
		*to++ = *text++;
	*to = '\0';
	return to;
}

static char *
append_number(char *to, const char *end, int n)
{
	char digits[12], *d = digits + sizeof digits - 1;

	*d = '\0';
	do
		*--d = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	return append(to, end, d);
}

/* Async-signal-safe.  Returns only when the exec fails. */
static void
execute_old(const char *reason, int number)
{
	const char *end = up.entry + sizeof up.entry;
	char *p = append(up.entry, end, VARIABLE "=back:");

	p = append_number(p, end, up.state);
	p = append(p, end, ":-1:");
	p = append(p, end, reason);
	if (number > 0)
		append_number(p, end, number);
	syscall(SYS_execveat, up.old, "", up.argv, up.envp, AT_EMPTY_PATH);
}

static void
on_fatal_signal(int sig)
{
	if (up.armed && getpid() == up.pid) {
		up.armed = false;
		if (sig == SIGALRM)
			execute_old("the new binary hung: no commit within its time limit", 0);
		else
			execute_old("the new binary crashed with signal ", sig);
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static void
on_last_words(const char *reason)
{
	if (up.armed && getpid() == up.pid) {
		up.armed = false;
		execute_old(reason, 0);
	}
}

static void
on_exit_called(void)
{
	on_last_words("the new binary ended before its commit");
}

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM};

/* A stack of its own: the fault may be that the stack has ended. */
static void
arm(void)
{
	static char stack[65536];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction sa = {.sa_handler = on_fatal_signal, .sa_flags = SA_ONSTACK};
	sigset_t set;

	up.pid = getpid();
	up.armed = true;
	sigaltstack(&ss, NULL);
	sigfillset(&sa.sa_mask);
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++) {
		sigaction(fatal_signals[i], &sa, NULL);
		sigaddset(&set, fatal_signals[i]);
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	log_set_last_words(on_last_words);
	atexit(on_exit_called);
}

static void
disarm(void)
{
	up.armed = false;
	for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
		signal(fatal_signals[i], SIG_DFL);
	log_set_last_words(NULL);
}

static void
set_alarm(uint64_t ms)
{
	struct itimerval it = {.it_value = {.tv_sec = (time_t)(ms / 1000),
	                                    .tv_usec = (suseconds_t)(ms % 1000 * 1000)}};

	setitimer(ITIMER_REAL, &it, NULL);
}

/* The environment with one entry more, which execute_old fills in. */
static char **
environment_with(char *entry)
{
	size_t n = 0;
	char **envp;

	while (environ[n] != NULL)
		n++;
	envp = mem_alloc((n + 2) * sizeof *envp);
	memcpy(envp, environ, n * sizeof *envp);
	envp[n] = entry;
	return envp;
}

enum upgrade_role
upgrade_begin(char **argv)
{
	const char *value = getenv(VARIABLE);
	char role[8], *copy;
	int used = 0;
	enum upgrade_role r = UPGRADE_NONE;

	up.argv = argv;
	if (value == NULL)
		return UPGRADE_NONE;
	copy = mem_strdup(value);
	unsetenv(VARIABLE);
	prctl(PR_SET_NAME, "baton"); /* an executed descriptor leaves its number here */
	if (sscanf(copy, "%7[a-z]:%d:%d:%n", role, &up.state, &up.old, &used) == 3 &&
	    used > 0) {
		up.reason = mem_strdup(copy + used);
		r = strcmp(role, "up") == 0 ? UPGRADE_UP : UPGRADE_BACK;
	}
	free(copy);
	up.role = r;
	if (r == UPGRADE_UP) {
		up.envp = environment_with(up.entry);
		arm();
	} else {
		set_alarm(0);
	}
	return r;
}

enum upgrade_role
upgrade_role(void)
{
	return up.role;
}

const char *
upgrade_reason(void)
{
	return up.reason;
}

bool
upgrade_armed(void)
{
	return up.armed;
}

bool
upgrade_has_old(void)
{
	return up.old >= 0;
}

uint32_t
upgrade_old_image(void)
{
	return up.old_image;
}

void
upgrade_limit(uint64_t ms)
{
	set_alarm(ms);
}

void
upgrade_commit(void)
{
	set_alarm(0);
	if (up.armed)
		disarm();
	fd_close(&up.state);
}

void
upgrade_forget_old(void)
{
	if (!up.armed)
		fd_close(&up.old);
}

void
upgrade_disown(void)
{
	up.armed = false;
	log_set_last_words(NULL);
}

/* --- the state --- */

/* With the descriptors that it names. */
static int
make_state(struct fdlist *fds, char **cause)
{
	json_t *state = state_collect(fds);
	int fd;

	if (state == NULL)
		return cause_set(cause, "cannot save the state: a text in it is not UTF-8");
	fd = state_seal(state, cause);
	json_decref(state);
	return fd;
}

int
upgrade_make_state(char **cause)
{
	struct fdlist fds = {0};
	int fd = make_state(&fds, cause);

	fdlist_free(&fds);
	return fd;
}

int
upgrade_try_state(int fd, char **cause)
{
	json_t *state = state_read(fd, cause);
	int result = state != NULL ? state_check(state, cause) : -1;

	json_decref(state);
	return result;
}

/* What no record names is nobody's: it would pile up from upgrade to upgrade. */
static void
close_unclaimed(void)
{
	struct fdlist fds = {0};
	int stranger;

	state_claim(up.given, &fds);
	json_decref(fdlist_put(&fds, up.state));
	json_decref(fdlist_put(&fds, up.old));
	json_decref(fdlist_put(&fds, log_fd()));
	if (fd_count_strangers(fds.fd, fds.n, &stranger) > 0)
		log_debug("descriptor %d came over and belongs to nobody; closed", stranger);
	fd_close_except(fds.fd, fds.n);
	fdlist_free(&fds);
}

int
upgrade_read(char **cause)
{
	up.given = state_read(up.state, cause);
	if (up.given == NULL)
		return -1;
	close_unclaimed();
	return 0;
}

/* Until the commit the descriptors stay inheritable: the way back needs them
 * without anybody's help. */
static void
keep_for_the_way_back(void)
{
	struct fdlist fds = {0};

	json_decref(state_collect(&fds));
	fdlist_cloexec(&fds, !up.armed);
	fdlist_free(&fds);
	if (up.state >= 0)
		fd_cloexec(up.state, !up.armed);
	if (up.old >= 0)
		fd_cloexec(up.old, true); /* execveat needs it until the exec only */
}

int
upgrade_restore(char **cause)
{
	int result = state_restore(up.given, cause);

	up.old_image = env.image;
	env.image += up.armed ? 1 : 0;
	if (result == 0)
		result = state_restore_requests(up.given, cause);
	FAULT("restore");
	json_decref(up.given);
	up.given = NULL;
	if (result < 0)
		return -1;
	keep_for_the_way_back();
	if (!up.armed)
		fd_close(&up.state);
	return 0;
}

/* --- the execs --- */

static void
block_signals(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGALRM); /* an image that hangs before main must not hang for ever */
	sigprocmask(SIG_SETMASK, &all, old);
}

int
upgrade_exec(const char *binary, uint64_t limit_ms, char **cause)
{
	struct fdlist fds = {0};
	int old = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int state = old >= 0 ? make_state(&fds, cause) : -1;
	char entry[64], **envp;
	sigset_t mask;

	if (old < 0)
		cause_set(cause, "cannot keep the old binary open: %s",
		          access("/proc/self/exe", F_OK) < 0 ? "/proc is not there"
		                                             : strerror(errno));
	if (state < 0) {
		fd_close(&old);
		fdlist_free(&fds);
		return -1;
	}
	snprintf(entry, sizeof entry, VARIABLE "=up:%d:%d:", state, old);
	envp = environment_with(entry);
	json_decref(fdlist_put(&fds, state));
	json_decref(fdlist_put(&fds, old));
	block_signals(&mask);
	fdlist_cloexec(&fds, false);
	set_alarm(limit_ms);
	log_info("executing %s", binary);
	execve(binary, up.argv, envp);
	cause_set(cause, "cannot execute %s: %s", binary, strerror(errno));
	set_alarm(0);
	fdlist_cloexec(&fds, true);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	free(envp);
	fd_close(&state);
	fd_close(&old);
	fdlist_free(&fds);
	return -1;
}

/* With a state of this moment: it knows what has ended and who asked meanwhile.
 * When it cannot be made, the state that we were given does. */
void
upgrade_back(const char *reason)
{
	struct fdlist fds = {0};
	char *cause = NULL;
	uint32_t image = env.image;
	sigset_t mask;
	int state;

	if (up.old < 0)
		return;
	FAULT("upgrade-back");
	env.image = up.old_image;
	state = make_state(&fds, &cause);
	env.image = image;
	log_warn("going back to the old binary: %s", reason);
	if (up.envp == NULL)
		up.envp = environment_with(up.entry);
	if (state >= 0) {
		json_decref(fdlist_put(&fds, state));
		up.state = state;
	}
	set_alarm(0);
	block_signals(&mask);
	fdlist_cloexec(&fds, false);
	up.armed = false;
	execute_old(reason, 0);
	log_error("cannot execute the old binary: %s", strerror(errno));
	fdlist_cloexec(&fds, true);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	free(cause);
	fdlist_free(&fds);
}
