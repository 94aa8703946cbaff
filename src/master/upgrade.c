#include "master/upgrade.h"

#include <sys/mman.h>
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
#include "master/change.h"
#include "master/control.h"
#include "master/fdlist.h"
#include "master/generation.h"
#include "master/history.h"
#include "master/listener.h"
#include "master/master.h"
#include "master/pidfile.h"
#include "master/record.h"
#include "master/slot.h"
#include "wire/stats.h"

#define VARIABLE      "BATON_HANDOVER" /* ROLE:STATE:OLD:REASON */
#define STATE_FORMAT  "baton-state"
#define STATE_VERSION 2 /* 2: paths in hexadecimal */
#define STATE_MAX     (64u << 20)
#define REASON_MAX    4000

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

static json_t *
record(const char *tag, json_t *body)
{
	return json_pack("{s:s, s:i, s:o}", "tag", tag, "version", STATE_VERSION, "body", body);
}

static json_t *
save_master(struct fdlist *fds)
{
	return json_pack("{s:i, s:i, s:i, s:I, s:I, s:I, s:o, s:o, s:o}", "image",
	                 (int)master.image, "scale", (int)master.scale, "stop",
	                 (int)master.stop, "stop_since_ms", (json_int_t)master.stop_since_ms,
	                 "cut_at_stop", (json_int_t)master.cut_at_stop, "started_ms",
	                 (json_int_t)master.started_ms, "exe_path",
	                 record_text(master.exe_path), "stats",
	                 fdlist_put(fds, stats_fd(master.stats)), "pid_file", pidfile_save());
}

static json_t *
collect(struct fdlist *fds)
{
	return json_pack(
	    "{s:s, s:i, s:s, s:[o, o, o, o, o, o]}", "format", STATE_FORMAT, "version",
	    STATE_VERSION, "from", master.program->version, "records",
	    record("master", save_master(fds)), record("listeners", listener_save(fds)),
	    record("generations", generation_save(fds)), record("control", control_save(fds)),
	    record("change", change_save()), record("history", history_save()));
}

static int
write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
seal(const json_t *state, char **cause)
{
	char *text = json_dumps(state, JSON_COMPACT);
	int fd = memfd_create("baton-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	FAULT("state");
	if (text == NULL || fd < 0 || write_all(fd, text, strlen(text)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
	        0) {
		cause_set(cause, "cannot save the state: %s",
		          text == NULL ? "a text in it is not UTF-8" : strerror(errno));
		fd_close(&fd);
	}
	free(text);
	return fd;
}

/* The state, with the descriptors that it names. */
static int
make_state(struct fdlist *fds, char **cause)
{
	json_t *state = collect(fds);
	int fd;

	if (state == NULL)
		return cause_set(cause, "cannot save the state: a text in it is not UTF-8");
	fd = seal(state, cause);
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

static json_t *
read_state(int fd, char **cause)
{
	char *path = mem_printf("/proc/self/fd/%d", fd);
	size_t len;
	char *text = fd_read_file(path, STATE_MAX, &len, cause);
	json_t *state = text != NULL ? json_loadb(text, len, 0, NULL) : NULL;
	const char *format = json_string_value(json_object_get(state, "format"));
	json_int_t version = json_integer_value(json_object_get(state, "version"));

	free(path);
	free(text);
	if (format != NULL && strcmp(format, STATE_FORMAT) == 0 && version == STATE_VERSION)
		return state;
	cause_set(cause, "the state handed over is not one that version %s reads",
	          master.program->version);
	json_decref(state);
	return NULL;
}

static json_t *
body_of(const json_t *state, const char *tag)
{
	size_t i;
	json_t *r;

	json_array_foreach(json_object_get(state, "records"), i, r)
	{
		const char *t = json_string_value(json_object_get(r, "tag"));

		if (t != NULL && strcmp(t, tag) == 0 &&
		    json_integer_value(json_object_get(r, "version")) <= STATE_VERSION)
			return json_object_get(r, "body");
	}
	return NULL;
}

int
upgrade_try_state(int fd, char **cause)
{
	static const char *const tags[] = {"master",  "listeners", "generations",
	                                   "control", "change",    "history"};
	json_t *state = read_state(fd, cause);
	int result = state != NULL ? 0 : -1;

	for (size_t i = 0; i < sizeof tags / sizeof *tags && result == 0; i++)
		if (body_of(state, tags[i]) == NULL)
			result = cause_set(cause, "the state handed over lacks the record '%s'",
			                   tags[i]);
	json_decref(state);
	return result;
}

static int
restore_master(const json_t *j, char **cause)
{
	int image, scale, stop, fd = fdlist_get(json_object_get(j, "stats"));
	json_int_t since, cut, started;
	char *exe;

	if (json_unpack((json_t *)(uintptr_t)j, "{s:i, s:i, s:i, s:I, s:I, s:I}", "image",
	                &image, "scale", &scale, "stop", &stop, "stop_since_ms", &since,
	                "cut_at_stop", &cut, "started_ms", &started) < 0 ||
	    (exe = record_read_text(json_object_get(j, "exe_path"))) == NULL)
		return cause_set(cause, "the record of the master is damaged");
	up.old_image = (uint32_t)image;
	master.image = (uint32_t)image + (up.armed ? 1 : 0);
	master.scale = (uint32_t)scale;
	master.stop = (enum policy_stop)stop;
	master.stop_since_ms = (uint64_t)since;
	master.cut_at_stop = (uint64_t)cut;
	master.started_ms = (uint64_t)started;
	free(master.exe_path);
	master.exe_path = exe;
	pidfile_restore(json_object_get(j, "pid_file"));
	if (fd < 0)
		return cause_set(cause, "the statistics memory did not come over");
	master.stats = stats_attach(fd, cause);
	return master.stats != NULL ? 0 : -1;
}

/* Every descriptor record anywhere in the state. */
static void
claim(const json_t *j, struct fdlist *fds)
{
	const char *key;
	size_t i;
	json_t *v;
	int fd = json_is_object(j) ? fdlist_get(j) : -1;

	if (fd >= 0)
		json_decref(fdlist_put(fds, fd));
	json_object_foreach((json_t *)(uintptr_t)j, key, v) claim(v, fds);
	json_array_foreach((json_t *)(uintptr_t)j, i, v) claim(v, fds);
}

/* What no record names is nobody's: it would pile up from upgrade to upgrade. */
static void
close_unclaimed(void)
{
	struct fdlist fds = {0};
	int stranger;

	claim(up.given, &fds);
	json_decref(fdlist_put(&fds, up.state));
	json_decref(fdlist_put(&fds, up.old));
	if (fd_count_strangers(fds.fd, fds.n, &stranger) > 0)
		log_debug("descriptor %d came over and belongs to nobody; closed", stranger);
	fd_close_except(fds.fd, fds.n);
	fdlist_free(&fds);
}

int
upgrade_read(char **cause)
{
	up.given = read_state(up.state, cause);
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

	json_decref(collect(&fds));
	fdlist_cloexec(&fds, !up.armed);
	fdlist_free(&fds);
	if (up.state >= 0)
		fd_cloexec(up.state, !up.armed);
	if (up.old >= 0)
		fd_cloexec(up.old, true); /* execveat needs it until the exec only */
}

static int
restore_records(const json_t *state, char **cause)
{
	if (restore_master(body_of(state, "master"), cause) < 0 ||
	    listener_restore(body_of(state, "listeners"), cause) < 0 ||
	    generation_restore(body_of(state, "generations"), cause) < 0 ||
	    control_restore(body_of(state, "control"), cause) < 0 ||
	    change_restore(body_of(state, "change"), cause) < 0)
		return -1;
	history_restore(body_of(state, "history"));
	return 0;
}

int
upgrade_restore(char **cause)
{
	int result = restore_records(up.given, cause);

	FAULT("restore");
	json_decref(up.given);
	up.given = NULL;
	if (result < 0)
		return -1;
	keep_for_the_way_back();
	control_after_restore();
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
		cause_set(cause, "cannot keep the old binary open: %s", strerror(errno));
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
	uint32_t image = master.image;
	sigset_t mask;
	int state;

	if (up.old < 0)
		return;
	master.image = up.old_image;
	state = make_state(&fds, &cause);
	master.image = image;
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
