#include "master/state/upgrade.h"

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
#include "master/core/env.h"
#include "master/state/fdlist.h"
#include "master/state/state.h"
#include "master/state/wayback.h"

static struct {
	enum upgrade_role role;
	uint32_t old_image; /* the number of the image to go back to */
	char *reason;       /* given to this image */
	json_t *given;      /* the state, between reading and restoring it */
} up;

static void
set_alarm(uint64_t ms)
{
	struct itimerval it = {.it_value = {.tv_sec = (time_t)(ms / 1000),
	                                    .tv_usec = (suseconds_t)(ms % 1000 * 1000)}};

	setitimer(ITIMER_REAL, &it, NULL);
}

enum upgrade_role
upgrade_begin(char **argv)
{
	const char *value = getenv(WAYBACK_VARIABLE);
	char role[8], *copy;
	int used = 0;
	enum upgrade_role r = UPGRADE_NONE;

	wayback.argv = argv;
	if (value == NULL)
		return UPGRADE_NONE;
	copy = mem_strdup(value);
	unsetenv(WAYBACK_VARIABLE);
	prctl(PR_SET_NAME, "baton"); /* an executed descriptor leaves its number here */
	if (sscanf(copy, "%7[a-z]:%d:%d:%n", role, &wayback.state, &wayback.old, &used) == 3 &&
	    used > 0) {
		up.reason = mem_strdup(copy + used);
		r = strcmp(role, "up") == 0 ? UPGRADE_UP : UPGRADE_BACK;
	}
	free(copy);
	up.role = r;
	if (r == UPGRADE_UP) {
		wayback.envp = wayback_environment(wayback.entry);
		wayback_arm();
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
	return wayback.armed;
}

bool
upgrade_has_old(void)
{
	return wayback.old >= 0;
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
	if (wayback.armed)
		wayback_disarm();
	AN(!wayback.armed);
	fd_close(&wayback.state);
}

void
upgrade_forget_old(void)
{
	if (!wayback.armed)
		fd_close(&wayback.old);
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

/* Close descriptors that no record names: they would pile up from upgrade to upgrade. */
static void
close_unclaimed(void)
{
	struct fdlist fds = {0};
	int foreign;

	state_claim(up.given, &fds);
	json_decref(fdlist_put(&fds, wayback.state));
	json_decref(fdlist_put(&fds, wayback.old));
	json_decref(fdlist_put(&fds, log_fd()));
	if (fd_count_foreign(fds.fd, fds.n, &foreign) > 0)
		log_debug("descriptor %d came over and belongs to nobody; closed", foreign);
	fd_close_except(fds.fd, fds.n);
	fdlist_free(&fds);
}

int
upgrade_read(char **cause)
{
	AN(up.given == NULL && wayback.state >= 0);
	up.given = state_read(wayback.state, cause);
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
	fdlist_cloexec(&fds, !wayback.armed);
	fdlist_free(&fds);
	if (wayback.state >= 0)
		fd_cloexec(wayback.state, !wayback.armed);
	if (wayback.old >= 0)
		fd_cloexec(wayback.old, true); /* execveat needs it until the exec only */
}

int
upgrade_restore(char **cause)
{
	int result;

	AN(up.given != NULL);
	result = state_restore(up.given, cause);
	up.old_image = env.image;
	env.image += wayback.armed ? 1 : 0;
	if (result == 0)
		result = state_restore_requests(up.given, cause);
	FAULT("restore");
	json_decref(up.given);
	up.given = NULL;
	if (result < 0)
		return -1;
	keep_for_the_way_back();
	if (!wayback.armed)
		fd_close(&wayback.state);
	return 0;
}

/* --- the execs --- */

static void
block_signals(sigset_t *old)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGALRM); /* an image that hangs before main must not hang us */
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

	AN(!wayback.armed); /* one is not committed yet */
	if (old < 0)
		cause_set(cause, "cannot keep the old binary open: %s",
		          access("/proc/self/exe", F_OK) < 0 ? "/proc is not there"
		                                             : strerror(errno));
	if (state < 0) {
		fd_close(&old);
		fdlist_free(&fds);
		return -1;
	}
	snprintf(entry, sizeof entry, WAYBACK_VARIABLE "=up:%d:%d:", state, old);
	envp = wayback_environment(entry);
	json_decref(fdlist_put(&fds, state));
	json_decref(fdlist_put(&fds, old));
	block_signals(&mask);
	fdlist_cloexec(&fds, false);
	set_alarm(limit_ms);
	log_info("executing %s", binary);
	execve(binary, wayback.argv, envp);
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

	if (wayback.old < 0)
		return;
	FAULT("upgrade-back");
	env.image = up.old_image;
	state = make_state(&fds, &cause);
	env.image = image;
	log_warn("going back to the old binary: %s", reason);
	if (wayback.envp == NULL)
		wayback.envp = wayback_environment(wayback.entry);
	if (state >= 0) {
		json_decref(fdlist_put(&fds, state));
		wayback.state = state;
	}
	set_alarm(0);
	block_signals(&mask);
	fdlist_cloexec(&fds, false);
	wayback.armed = false;
	wayback_go(reason, 0);
	log_error("cannot execute the old binary: %s", strerror(errno));
	fdlist_cloexec(&fds, true);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	free(cause);
	fdlist_free(&fds);
}
